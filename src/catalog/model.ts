import type { Money } from '../quantities/index.js'

/** What a model can take and do. `undefined` means that the catalog doesn't know. */
export interface Capabilities {
  readonly tools?: boolean | undefined
  readonly jsonSchema?: boolean | undefined
  readonly images?: boolean | undefined
  readonly audio?: boolean | undefined
  readonly reasoning?: boolean | undefined
  readonly embeddings?: boolean | undefined
}

/**
 * A price that changes with the size of the whole input: the entry with the largest `aboveTokens` below the count holds for all tokens
 * of the call.
 */
export interface Rate {
  /** Picodollars a token. */
  readonly base: Money
  readonly tiers: readonly { readonly aboveInputTokens: number; readonly rate: Money }[]
}

/** Prices of one model at one provider, in picodollars a token (or a search). An absent rate is unknown, never zero. */
export interface PriceSheet {
  readonly input?: Rate | undefined
  readonly inputAudio?: Rate | undefined
  readonly inputImage?: Rate | undefined
  readonly inputVideo?: Rate | undefined
  readonly cacheRead?: Rate | undefined
  readonly cacheReadAudio?: Rate | undefined
  readonly cacheWrite5m?: Rate | undefined
  readonly cacheWrite1h?: Rate | undefined
  readonly output?: Rate | undefined
  readonly reasoning?: Rate | undefined
  readonly outputAudio?: Rate | undefined
  readonly outputImage?: Rate | undefined
  /** Picodollars a search. */
  readonly webSearch?: Money | undefined
  /** Picodollars a call. */
  readonly call?: Money | undefined
  /**
   * What all token rates are multiplied by at a service tier, such as `{ flex: 0.5, priority: 2, batch: 0.5 }`; a tier not
   * named here has no known price unless it is the ordinary one (`default`, `standard`, `auto`, `on_demand`).
   */
  readonly serviceTiers?: Readonly<Record<string, number>> | undefined
  /** Other sheets that hold at some times; the last that applies wins, this one when none does (`sheetAt`). */
  readonly changes?: readonly PriceChange[] | undefined
  /** Where the sheet comes from: `configuration`, or a catalog with its version. Goes into the record. */
  readonly source: string
}

/** A sheet for a part of time: from a Unix second on, or between two seconds of every UTC day (past midnight when `end` is the smaller). */
export interface PriceChange {
  readonly when: { readonly from: number } | { readonly daily: { readonly start: number; readonly end: number } }
  readonly sheet: PriceSheet
}

/** A model as one provider offers it. */
export interface ModelFacts {
  /** The provider's own name of it. */
  readonly id: string
  readonly provider: string
  readonly name?: string | undefined
  readonly contextTokens?: number | undefined
  readonly maxOutputTokens?: number | undefined
  readonly capabilities: Capabilities
  readonly prices?: PriceSheet | undefined
}
