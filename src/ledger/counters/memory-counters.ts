import { ledgerUnavailable } from '../journal/unavailable.js'
import { within } from '../within.js'
import { CoalescedRead, type ReadBalances } from './coalesced-read.js'
import type { CounterId, Counters, Hold, HoldOutcome, Line } from './contract.js'
import { nextTurn } from './pauses.js'
import { checkLines, reserve, settledAmount, type Balance } from './decide.js'

export interface MemoryCountersSettings {
  /**
   * The balances in the store, open reservations included. Asked once for each counter, when it is first used, and again only after it
   * was forgotten. Must not be asked before the journals of earlier processes are applied. Without it everything begins at 0.
   */
  readonly load?: ReadBalances | undefined
  /**
   * Resolves when everything that was in the journal at the time of the call is in the store. Without it nothing is forgotten that
   * `load` would have to bring back.
   */
  readonly flush?: (() => Promise<void>) | undefined
  /**
   * Asked before a counter is forgotten. Needed where there is no `load`, since what is forgotten there is gone: say yes when its window
   * is over. With `load`, a counter that isn't used is forgotten without asking unless this is given.
   */
  readonly mayForget?: ((counter: CounterId) => boolean) | undefined
  /** Counters that were not used for this long are forgotten; it takes up to twice as long. 180 unless told otherwise. */
  readonly forgetAfterSeconds?: number | undefined
  /** Longest that a first use waits for `load`. 5 unless told otherwise. */
  readonly loadSeconds?: number | undefined
  /** Holds that may wait for `load` at once; more are refused. 10,000 unless told otherwise. */
  readonly maxWaiting?: number | undefined
}

interface Counter extends Balance {
  /** Reservations on it that are not settled. */
  open: number
  /** The round of forgetting in which it was last used. */
  touched: number
}

interface Open {
  readonly lines: readonly Line[]
  readonly counters: readonly Counter[]
}

/** Counters looked at in one turn of the event loop when idle ones are forgotten. */
const FORGET_AT_ONCE = 1000
/** A counter can only go between its load and its use when it isn't used for whole rounds of forgetting; once more is plenty. */
const LOAD_ATTEMPTS = 3

/**
 * Counters in this process's memory, for a ledger that belongs to one process. Once its counters are known, a hold is checked and
 * added in one step, without waiting: O(lines).
 *
 * Memory: a counter is forgotten once nothing holds it, nobody used it for `forgetAfterSeconds`, and everything that moved it is in the
 * store (a settlement follows its call's record in the journal, and `flush` waits for the journal), so that `load` brings it back
 * exactly. So there are as many as were used in the last two rounds. A round looks at each, a thousand a turn of the event loop.
 */
export function createMemoryCounters(settings: MemoryCountersSettings = {}): MemoryCounters {
  return new MemoryCounters(settings)
}

/** See `createMemoryCounters`. */
export class MemoryCounters implements Counters {
  private readonly counters = new Map<CounterId, Counter>()
  private readonly holds = new Map<string, Open>()
  private readonly loader: CoalescedRead | undefined
  private readonly maxWaiting: number
  private readonly flushSeconds: number
  private readonly timer: NodeJS.Timeout | undefined
  private round = 0
  private waiting = 0
  private forgetting = false
  private closed = false

  constructor(private readonly settings: MemoryCountersSettings) {
    const { load, forgetAfterSeconds = 180, loadSeconds = 5, maxWaiting = 10_000 } = settings
    if (!(forgetAfterSeconds > 0)) throw new RangeError(`forgetAfterSeconds must be above 0: ${forgetAfterSeconds}`)
    this.loader = load && new CoalescedRead(load, loadSeconds)
    this.maxWaiting = maxWaiting
    this.flushSeconds = forgetAfterSeconds
    if (this.canForget) this.timer = setInterval(() => void this.forgetIdle().catch(() => undefined), forgetAfterSeconds * 1000).unref()
  }

  /** Counters in memory. */
  get size(): number {
    return this.counters.size
  }

  hold(hold: Hold): Promise<HoldOutcome> {
    try {
      checkLines(hold.lines)
      return this.known(hold.lines) ? Promise.resolve(this.decide(hold)) : this.loadAndHold(hold)
    } catch (thrown) {
      return Promise.reject(thrown as Error)
    }
  }

  /**
   * Takes up what a process that died had reserved and what the balances in the store count already, so that `settle` can correct it; until then it
   * can't be forgotten. To be called before the record that corrects it is written, since a balance loaded later may have it already.
   * Throws `ledger_unavailable`; `RangeError` when the id is held.
   */
  async resume(id: string, lines: readonly Pick<Line, 'counter' | 'amount' | 'transient'>[]): Promise<void> {
    for (let attempt = 0; attempt < LOAD_ATTEMPTS; attempt++) {
      await this.load(lines.map(({ counter }) => counter).filter((counter) => !this.counters.has(counter)))
      if (!this.known(lines)) continue
      this.refuseIfClosed()
      if (this.holds.has(id)) throw new RangeError(`a reservation of this id is open already: ${id}`)
      const counters = lines.map(({ counter }) => this.counter(counter))
      for (const counter of counters) counter.open++
      this.holds.set(id, { lines, counters })
      return
    }
    throw ledgerUnavailable('The ledger could not keep what budgets have been used in memory. Try again in a moment.')
  }

  settle(id: string, actual: readonly bigint[]): void {
    const open = this.holds.get(id)
    if (open === undefined) return
    this.holds.delete(id)
    const { lines, counters } = open
    for (let index = 0; index < lines.length; index++) {
      const line = lines[index]
      const counter = counters[index]
      if (line === undefined || counter === undefined) continue
      counter.used += settledAmount(line, actual[index]) - line.amount
      counter.open--
      counter.touched = this.round
    }
  }

  async used(counters: readonly CounterId[]): Promise<readonly bigint[]> {
    this.refuseIfClosed()
    await this.load(counters.filter((counter) => !this.counters.has(counter)))
    return counters.map((id) => {
      const counter = this.counters.get(id)
      if (counter) counter.touched = this.round
      return counter?.used ?? 0n
    })
  }

  close(): Promise<void> {
    this.closed = true
    clearInterval(this.timer)
    return Promise.resolve()
  }

  /**
   * One round of forgetting, as the timer does it: O(counters in memory), in slices. Resolves to how many were forgotten; to 0 where
   * nothing may be, or a round is under way. Rejects when `flush` does: then nothing is forgotten.
   */
  async forgetIdle(): Promise<number> {
    if (!this.canForget || this.forgetting || this.closed) return 0
    this.forgetting = true
    try {
      // Whoever was last used before this round began has all that moved it in the journal by now.
      const idleBefore = this.round++
      if (this.settings.flush) await within(this.flushSeconds, this.settings.flush(), 'the journal was not applied in time')
      let forgotten = 0
      let looked = 0
      for (const [id, counter] of this.counters) {
        if (counter.open === 0 && counter.touched < idleBefore && (this.settings.mayForget?.(id) ?? true)) {
          this.counters.delete(id)
          forgotten++
        }
        if (++looked % FORGET_AT_ONCE === 0) await nextTurn()
      }
      return forgotten
    } finally {
      this.forgetting = false
    }
  }

  private get canForget(): boolean {
    return this.settings.load === undefined ? this.settings.mayForget !== undefined : this.settings.flush !== undefined
  }

  private known(lines: readonly Line[]): boolean {
    for (const { counter, previous } of lines)
      if (!this.counters.has(counter) || (previous !== undefined && !this.counters.has(previous.counter))) return this.loader === undefined
    return true
  }

  private decide(hold: Hold): HoldOutcome {
    this.refuseIfClosed()
    const { id, lines } = hold
    if (this.holds.has(id)) throw new RangeError(`a reservation of this id is open already: ${id}`)
    const counters = lines.map(({ counter }) => this.counter(counter))
    const refused = reserve(lines, counters, this.usedBefore)
    if (refused === -1) {
      for (const counter of counters) counter.open++
      this.holds.set(id, { lines, counters })
    }
    const used = counters.map((counter) => {
      counter.touched = this.round
      return counter.used
    })
    return refused === -1 ? { granted: true, used, durable: false } : { granted: false, line: refused, used }
  }

  private readonly usedBefore = (id: CounterId): bigint => {
    const counter = this.counters.get(id)
    if (counter === undefined) return 0n
    counter.touched = this.round
    return counter.used
  }

  private counter(id: CounterId): Counter {
    const known = this.counters.get(id)
    if (known) return known
    const fresh = { used: 0n, open: 0, touched: this.round }
    this.counters.set(id, fresh)
    return fresh
  }

  private async loadAndHold(hold: Hold): Promise<HoldOutcome> {
    for (let attempt = 0; attempt < LOAD_ATTEMPTS; attempt++) {
      await this.load(
        hold.lines
          .flatMap(({ counter, previous }) => (previous === undefined ? [counter] : [counter, previous.counter]))
          .filter((id) => !this.counters.has(id)),
      )
      if (this.known(hold.lines)) return this.decide(hold)
    }
    throw ledgerUnavailable('The ledger could not keep what budgets have been used in memory. Nothing was spent; try again in a moment.')
  }

  private async load(missing: readonly CounterId[]): Promise<void> {
    const loader = this.loader
    if (loader === undefined || missing.length === 0) return
    this.refuseIfClosed()
    if (this.waiting >= this.maxWaiting)
      throw ledgerUnavailable('Too many calls wait to learn what is left of their budgets. Nothing was spent; try again in a moment.')
    this.waiting++
    try {
      const balances = await Promise.all(missing.map((id) => loader.balance(id)))
      // Another hold that waited for the same counter may have put it there and used it since.
      missing.forEach((id, index) => {
        if (!this.counters.has(id)) this.counters.set(id, { used: balances[index] ?? 0n, open: 0, touched: this.round })
      })
    } finally {
      this.waiting--
    }
  }

  private refuseIfClosed(): void {
    if (this.closed) throw ledgerUnavailable('The ledger is closed.')
  }
}
