import type { Cost, Usage } from '../quantities/index.js'

/** How a call ended. */
export type CallEnd = 'complete' | 'failed' | 'cancelled' | 'truncated'

/** One call of one model at one provider: every attempt has its own record, since every attempt may be billed. */
export interface CallRecord {
  readonly callId: string
  readonly requestId: string
  readonly decisionId: string
  /** Unix seconds. */
  readonly at: number
  readonly key: string
  /** The model the caller named. */
  readonly requestedModel: string
  readonly provider: string
  readonly deployment: string
  /** The provider's own name of the model that was asked. */
  readonly model: string
  readonly operation: 'generate' | 'embed'
  readonly stream: boolean
  readonly attempt: number
  readonly end: CallEnd
  /** Upstream HTTP status, 0 when there was none. */
  readonly status: number
  readonly errorCode?: string | undefined
  readonly usage: Usage
  /** True when the provider didn't report a usage and it was estimated from what was seen (never below it). */
  readonly usageEstimated: boolean
  readonly cost: Cost
  readonly serviceTier?: string | undefined
  readonly priceSource?: string | undefined
  /** Seconds to the first token, where there was one. */
  readonly firstTokenSeconds?: number | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** One decision of a policy. */
export interface DecisionRecord {
  readonly decisionId: string
  readonly requestId: string
  readonly at: number
  readonly key: string
  readonly requestedModel: string
  readonly arm: string
  readonly policy: string
  readonly propensity: number
  readonly reason: string
}

export interface LedgerTotals {
  readonly calls: number
  readonly usage: Usage
  readonly cost: Cost
  /** Calls whose price is unknown: their dollars are in no total. */
  readonly unpriced: number
}

/** The append-only record of decisions, calls and budgets. */
export interface Ledger {
  /** Notes a call. Resolves once the record is as durable as the store makes it. */
  recordCall(record: CallRecord): Promise<void>
  recordDecision(record: DecisionRecord): Promise<void>
  decision(decisionId: string): Promise<DecisionRecord | undefined>
  /** The newest calls first, at most `limit`. */
  calls(filter: { readonly requestId?: string; readonly key?: string; readonly limit: number }): Promise<readonly CallRecord[]>
  totals(filter: { readonly key?: string }): Promise<LedgerTotals>
  close(): Promise<void>
}
