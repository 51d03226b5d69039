import type { Budget, Cost, Unit, Usage } from '../../quantities/index.js'
import type { CallRecord, PlannedCall } from '../record.js'

/** The window of time that a limit is for; days and months are UTC. */
export type Period = 'minute' | 'day' | 'month' | 'total'

/** One limit on one unit. */
export interface BudgetRule {
  readonly unit: Unit
  /** Grains of the unit (see `quantities/spend.ts`). */
  readonly limit: bigint
  readonly per: Period
  /** Hard: a call that could overrun it is refused. Soft: it is told of, once a window. */
  readonly hard: boolean
}

/** Limits on a rate. What goes beyond is told to come back (429 `rate_limited`), after waiting a moment where the wait is short. */
export interface RateRules {
  readonly requestsPerMinute?: number | undefined
  readonly tokensPerMinute?: number | undefined
  /** Calls under way at once. */
  readonly parallel?: number | undefined
}

export const levelKinds = ['organisation', 'team', 'user', 'key', 'run', 'request'] as const
export type LevelKind = (typeof levelKinds)[number]

/** One level of the tree: organisation > team > user > key > agent run > request. */
export interface BudgetLevel {
  readonly kind: LevelKind
  /** Unique among its kind and stable, since counters are named by it; a run's id holds its key's. */
  readonly id: string
  /** For people. */
  readonly name: string
  readonly rules: readonly BudgetRule[]
  readonly rates?: RateRules | undefined
}

/** What one call may need at most. */
export interface CallBound {
  readonly usage: Usage
  readonly cost: Cost
  /**
   * Tokens that the call will probably use: what `tokensPerMinute` reserves, since rates even out and the bound of a call without
   * `max_tokens` is larger than most rates. Budgets always reserve the bound.
   */
  readonly likelyTokens: number
}

/** A hold that was granted: to be closed with the call's end, whatever it was. */
export interface Held {
  /** What each counter is settled to for this end of the call: goes into the call's record before `settle`. */
  settled(end: Pick<CallRecord, 'usage' | 'cost'>): readonly bigint[]
  /** Moves the counters. Once; later calls do nothing. */
  settle(settled: readonly bigint[]): void
}

/** What applies to one request of a caller. */
export interface CallBudget extends Budget {
  /** Units that some hard limit counts: their bound must be known. */
  readonly limited: ReadonlySet<Unit>
  /**
   * Reserves the bound at every level or at none, and notes the call as about to be made; durable when it resolves. Throws, before
   * anything is reserved: `BudgetExceeded`; `rate_limited` (429, with the seconds to wait); `ledger_unavailable` (503).
   */
  hold(plan: PlannedCall, bound: CallBound): Promise<Held>
  /** `x-ratelimit-*` and `x-bursar-budget-*` headers as they stand now. */
  headers(): Readonly<Record<string, string>>
  /** Soft limits that are overrun, in plain words. */
  warnings(): readonly string[]
}
