import type { IntentRecord } from '../record.js'
import type { ReadBalances } from './coalesced-read.js'
import type { CounterId } from './contract.js'
import type { HoldsSnapshot } from './postgres-snapshot.js'

/** What counters in Redis need of the process that they serve; see `createRedisCounters`. */
export interface RedisCountersSettings {
  /** `redis://…` or `rediss://…`; Redis 6 or later, or Valkey. Not a cluster. */
  readonly url: string
  /** Id of this process, under which its reservations stand; the one that it has in the database. */
  readonly holder: string
  /** What all keys begin with. Everybody who shares budgets has the same, and shares the same database. `{bursar}:` unless told otherwise. */
  readonly prefix?: string | undefined
  /** The balances in the database, open reservations included. */
  readonly load: ReadBalances
  /** Open reservations in the database and the balances of their counters, at one moment: `createPostgresSnapshots`. */
  readonly snapshot: () => Promise<HoldsSnapshot>
  /**
   * Resolves when everything that was in this process's journal at the time of the call is in the database. The intent of a reservation
   * must be in the journal one turn of the event loop after `hold` has resolved.
   */
  readonly flush: () => Promise<void>
  /** Processes that share these counters and are alive, by their heartbeats in the database. */
  readonly holders: () => Promise<readonly string[]>
  /** When a counter's window ends, Unix seconds; `Infinity` for never. Without it counters stay in Redis. */
  readonly counterEnd?: ((counter: CounterId) => number) | undefined
  /** How long a counter stays in Redis after its window has ended: longer than any journal waits to be applied. 600 unless told otherwise. */
  readonly keepSeconds?: number | undefined
  /**
   * True when the journal of an earlier process was found with pieces that weren't applied: then the counters are made anew, so that
   * Redis doesn't go on counting what was reserved for calls whose end is now known.
   */
  readonly rebuild?: boolean | undefined
  /** Longest that anything in Redis takes. 2 unless told otherwise. */
  readonly waitSeconds?: number | undefined
  /** Longest that a process which is alive but silent is waited for when Redis has lost its data. 15 unless told otherwise. */
  readonly fenceSeconds?: number | undefined
  /** Longest that `flush` may take. 30 unless told otherwise. */
  readonly flushSeconds?: number | undefined
  /**
   * Is given the intents of calls that a dead process left open in Redis, and sees to it that they are in the database and expired there.
   * May be given the same ones again, and by several processes at once. Only a process that is lost with its journal's disk has any that
   * the database doesn't learn of otherwise.
   */
  readonly lost?: ((holder: string, intents: readonly IntentRecord[]) => Promise<void>) | undefined
  /** How often it is looked for dead processes; one is dead that `holders` doesn't name three times on end. 5 unless told otherwise. */
  readonly expireSeconds?: number | undefined
  /** How often it is looked whether the counters still hold, without calls that would tell. 0.5 unless told otherwise. */
  readonly pollSeconds?: number | undefined
  /** Holds that may wait; more are refused. 10,000 unless told otherwise. */
  readonly maxWaiting?: number | undefined
  /** Is told what keeps counters from working, in words for the operator, without secrets. */
  readonly onProblem?: ((message: string) => void) | undefined
}
