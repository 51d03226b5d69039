import type { IntentRecord } from '../record.js'

/**
 * Names one exact count: what was used (spent and reserved) of one unit, by one account, in one window of time, such as
 * `key:k_7/usd/month:2026-11`. Whoever makes up the name decides what it stands for; counters only count.
 */
export type CounterId = string

/** One count that a reservation adds to. */
export interface Line {
  readonly counter: CounterId
  /** Grains to reserve (see `quantities/spend.ts`); ≥ 0. */
  readonly amount: bigint
  /**
   * The most that may be used, this reservation included. A line of amount 0 is always granted, also over a limit that is
   * overrun. Without a limit the line only counts.
   */
  readonly limit?: bigint | undefined
  /**
   * For limits on a rate: the window before counts too, by the part of it that a window ending now still covers. Granted when
   * used + ceil(previous used × perMille / 1000) + amount ≤ limit.
   */
  readonly previous?: { readonly counter: CounterId; readonly perMille: number } | undefined
  /** Held only while the call runs (a slot of `parallel` calls): settled to 0, and given back when its holder dies. Other lines stay as spend then. */
  readonly transient?: boolean | undefined
}

/** Everything that one call reserves, at every level of its budgets. */
export interface Hold {
  /** Id of the reservation: the id of the call it is for. */
  readonly id: string
  readonly lines: readonly Line[]
  /** What the ledger will say of the call if nobody ever tells how it ended. */
  readonly intent: IntentRecord
}

export type HoldOutcome =
  | {
      readonly granted: true
      /** What is used of each line's counter, this reservation included (without the previous window's part). */
      readonly used: readonly bigint[]
      /** True when the store that granted it has made it durable together with its intent. */
      readonly durable: boolean
    }
  | {
      readonly granted: false
      /** Index of the line that refused. Nothing was reserved on any line. */
      readonly line: number
      /** What is used of each line's counter, without this reservation. */
      readonly used: readonly bigint[]
    }

/**
 * Exact counts with limits that hold under concurrency: a hold is granted on all its lines or on none, and what is granted at
 * one time never adds up to more than a line's limit, whoever asks, from however many processes share the store.
 */
export interface Counters {
  /** Throws `ledger_unavailable` (503) when it can't be told whether the limits hold: then nothing may be spent. */
  hold(hold: Hold): Promise<HoldOutcome>
  /**
   * Replaces what a hold reserved by what was really used, by line; may exceed what was reserved. Works once for each hold:
   * later calls, and holds that are not known, do nothing. Never throws; what a store can't take now it takes later.
   */
  settle(id: string, actual: readonly bigint[]): void
  /** What is used of each counter now. Unknown counters are at 0. Throws `ledger_unavailable`. */
  used(counters: readonly CounterId[]): Promise<readonly bigint[]>
  close(): Promise<void>
}
