import type { CostReport, Delta, EmbeddingRequest, Reply, Request, WireFormat } from '../protocol/index.js'
import type { Budget, Clock, Cost, Usage } from '../quantities/index.js'
import type { Random } from '../statistics/index.js'

/** A model as configurations and callers name it, such as `openai/gpt-5-mini` or an alias. */
export type ModelId = string

export interface CallOptions {
  /**
   * The format in which the caller wants the answer's bytes. Where the chosen provider speaks it and the request still has
   * its `wire` bytes, `wire` deltas come back; else canonical deltas.
   */
  readonly wire?: WireFormat | undefined
  /**
   * Which of several samples of one request this is, from 0: a cache must not answer it with another's (spec. 0.4). Absent: not one of
   * several.
   */
  readonly sample?: number | undefined
  /**
   * Told what a call took whose reader left before its end (`return` on the generator), once it is settled: for strategies that cut an
   * answer and must still say what it cost. Usage is estimated then, never low. Not called for calls that end or fail.
   */
  readonly onCut?: ((taken: CutCall) => void) | undefined
}

/** What a call took that was cut by its reader. */
export interface CutCall {
  readonly callId: string
  readonly provider: string
  readonly deployment: string
  readonly usage: Usage
  readonly cost: Cost
}

/** What one call gave and took. */
export interface Completion {
  readonly callId: string
  readonly model: ModelId
  readonly provider: string
  readonly deployment: string
  /** `reply`: in canonical form. `wire`: the whole body in the caller's format. `streamed`: all of it went out as wire deltas. */
  readonly answer:
    | { readonly kind: 'reply'; readonly reply: Reply }
    | { readonly kind: 'wire'; readonly bytes: Uint8Array }
    | { readonly kind: 'streamed' }
  readonly usage: Usage
  readonly usageEstimated: boolean
  readonly cost: Cost
  readonly costReport: CostReport
  readonly serviceTier?: string | undefined
  /** Attempts made at providers, this one included. */
  readonly attempts: number
  /** Response headers of the provider that callers may see. */
  readonly headers: Readonly<Record<string, string>>
  /** Plain sentences for the warning header: dropped fields, an unknown price. */
  readonly warnings: readonly string[]
}

/** The only door to the outside: metering, budgets, retries and recording all hang on `call`. */
export interface Environment {
  call(model: ModelId, request: Request, options?: CallOptions): AsyncGenerator<Delta, Completion>
  embed(model: ModelId, request: EmbeddingRequest): Promise<Completion>
  readonly budget: Budget
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
}
