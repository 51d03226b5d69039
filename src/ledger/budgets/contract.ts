import type { Budget, Cost, Unit, Usage } from '../../quantities/index.js'
import type { NotedCall } from '../ledger.js'
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
  /** Requests of callers, however many calls each of them makes. */
  readonly requestsPerMinute?: number | undefined
  readonly tokensPerMinute?: number | undefined
  /** Calls under way at once. */
  readonly parallel?: number | undefined
}

export const levelKinds = ['organisation', 'team', 'user', 'key', 'run', 'request'] as const
export type LevelKind = (typeof levelKinds)[number]

/** One level of the tree: organisation > team > user > key > agent run > request. Never changed: new limits are a new level of the same id. */
export interface BudgetLevel {
  readonly kind: LevelKind
  /** Unique among its kind and stable, since counters are named by it; a run's id holds its key's. */
  readonly id: string
  /** For people. */
  readonly name: string
  /** Those of a request are counted in this process, over the whole request whatever their period, since it ends here. */
  readonly rules: readonly BudgetRule[]
  /** Not for the level of a request. */
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

/** A call's end, as far as its budget asks. */
export interface HeldEnd extends Pick<CallRecord, 'usage' | 'cost'> {
  /** `false`: the call was never sent, so that nothing of it counts. Absent: it was. */
  readonly sent?: boolean | undefined
}

/** A hold that was granted: to be closed with the call's end, whatever it was. `durable` is of the note that the call is about to be made. */
export interface Held extends NotedCall {
  /**
   * What each counter is settled to for this end of the call: goes into the call's record before `settle`. Never throws: what isn't
   * known of the end (a price), or is no amount, is settled to what was reserved for it.
   */
  settled(end: HeldEnd): readonly bigint[]
  /** Moves the counters. Once; later calls do nothing. */
  settle(settled: readonly bigint[]): void
}

export interface HoldOptions {
  /** The caller tries a closer bound when a budget refuses this one: so the refusal is no alert yet. */
  readonly tentative?: boolean | undefined
}

/** What applies to one request of a caller. */
export interface CallBudget extends Budget {
  /** Units that some hard limit (or rate) counts: their bound must be known. */
  readonly limited: ReadonlySet<Unit>
  /**
   * Reserves the bound at every level or at none, and notes the call as about to be made: it may be when this resolves. Throws, before
   * anything is reserved: `BudgetExceeded`; `rate_limited` (429, with the seconds to wait; without them when the call alone is more
   * than the rate allows); `ledger_unavailable` (503); the reason of the cancellation when it comes while waiting for a rate; and
   * `RangeError` when the bound is no amount.
   */
  hold(plan: PlannedCall, bound: CallBound, options?: HoldOptions): Promise<Held>
  /** `x-ratelimit-*` and `x-bursar-budget-*` headers as they stand now. */
  headers(): Readonly<Record<string, string>>
  /** Soft limits that are overrun, in plain words. */
  warnings(): readonly string[]
}

/**
 * Told once for each window and process. `soft_limit_overrun`: more than a soft limit was spent. `share_reached`: a share of a hard limit
 * was spent. `refused`: a call was refused because of a hard limit, which may happen before all of it is spent.
 */
export interface BudgetAlert {
  readonly kind: 'soft_limit_overrun' | 'share_reached' | 'refused'
  readonly level: Pick<BudgetLevel, 'kind' | 'id' | 'name'>
  readonly rule: BudgetRule
  /** The share that was reached, such as 0.8. */
  readonly share?: number | undefined
  /** Grains that are spent, as far as this process knows; what its own calls under way have reserved isn't among them. */
  readonly used: bigint
  /** Unix seconds; infinite for a total. */
  readonly window: { readonly start: number; readonly end: number }
  /** Unix seconds. */
  readonly at: number
}
