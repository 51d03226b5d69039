import type { Pool } from 'pg'
import { ledgerUnavailable } from '../journal/unavailable.js'
import { within } from '../within.js'
import { CoalescedRead } from './coalesced-read.js'
import type { CounterId, Counters, Hold, HoldOutcome, Line } from './contract.js'
import { nextTurn, pause } from './pauses.js'
import { checkLines } from './decide.js'
import { EndedHolds } from './ended-holds.js'
import { batchOf, takeBack, type AskedHold, type Settlement } from './postgres-batch.js'
import { databaseAway, faultOf, openPool, runTransaction, type PostgresLimits, type TransactionEnd } from './postgres-session.js'
import { findHolds, readBalances } from './postgres-statements.js'
import { encodeIntent, encodeLines } from './stored-hold.js'

export interface PostgresCountersSettings {
  /** Where the database is: `postgres://…`. Its tables `balances` and `holds` are made by the store's migrations. */
  readonly url: string
  /** Id of this process, under which its reservations stand. */
  readonly holder: string
  /** Longest that a connection takes to open. 2 unless told otherwise. */
  readonly connectSeconds?: number | undefined
  /** Longest that a transaction waits for balances that another has locked. 2 unless told otherwise. */
  readonly lockSeconds?: number | undefined
  /** Longest that one transaction takes. 4 unless told otherwise. */
  readonly transactionSeconds?: number | undefined
  /** Holds that may wait for their transaction; more are refused. 10,000 unless told otherwise. */
  readonly maxWaiting?: number | undefined
  /** Holds and settlements in one transaction, each. 200 unless told otherwise. */
  readonly batch?: number | undefined
}

interface Waiting extends AskedHold {
  /** Whether it was refused once already, and is decided again after settlements. */
  readonly again: boolean
  readonly until: number
  readonly resolve: (outcome: HoldOutcome) => void
  readonly reject: (error: Error) => void
}

/** How often a transaction is tried that another was in the way of. */
const ATTEMPTS = 4
/** How long nothing is tried after the database was found away. */
const AWAY_SECONDS = 0.5
/** How long the store is given to settle what is over before it is done here, and how much is looked at at once. */
const STORE_SECONDS = 0.5
const LOOK_AT_ONCE = 1000
/** Little is left of a limit when so many of its hundredths are used. */
const TIGHT_PERCENT = 80n
/** Counters remembered of which little is left. Forgetting them costs others half a second. */
const MAX_TIGHT = 10_000

/**
 * Counters that any number of processes share through PostgreSQL alone. Holds that come in while a transaction is under way make up
 * the next one, so that one commit is waited for by many calls. A hold that is granted is on disk together with its intent.
 *
 * What a call has used is settled by the store, when it applies the call's record: usually a few milliseconds after `settle`. If all
 * calls were settled here as well, the two would wait for each other's rows (`npm run bench:counters` compares them), so it is done where
 * somebody waits for it: when a hold is refused on a counter on which calls of this process are over, these are settled and the hold is decided once more; when
 * `used` asks for such a counter; when little is left of a limit, since then other processes are refused for what is over here and can't know it; and
 * when the store is behind by more than half a second. Settling here moves the balances and
 * writes what was used into the reservation's row, which stays. The store takes the row away when it applies the call's record,
 * and moves the balances by what the row and the record differ in. So nothing is settled twice, and a process that is lost with its
 * disk leaves rows of all calls whose records are lost.
 *
 * While the database is away holds are refused with `ledger_unavailable`: after `transactionSeconds` at most, at once when that was
 * found out less than half a second ago. When a connection breaks during COMMIT, nobody knows whether it came through: such holds are
 * refused, and given back before the next are granted.
 */
export async function createPostgresCounters(settings: PostgresCountersSettings): Promise<PostgresCounters> {
  const limits: PostgresLimits = {
    connectSeconds: settings.connectSeconds ?? 2,
    lockSeconds: settings.lockSeconds ?? 2,
    transactionSeconds: settings.transactionSeconds ?? 4,
  }
  return new PostgresCounters(await openPool(settings.url, limits, 3, 'bursar counters'), limits, settings)
}

/** See `createPostgresCounters`. */
export class PostgresCounters implements Counters {
  private waiting: Waiting[] = []
  private readonly open = new Map<string, readonly string[]>()
  private readonly ended = new EndedHolds()
  /** Counters of whose limit little was left when they were last heard of. */
  private readonly tight = new Set<string>()
  private readonly settling = new Map<string, Settlement>()
  private readonly doubtful = new Map<string, { readonly id: string; readonly counters: readonly string[] }>()
  private readonly reader: CoalescedRead
  private readonly maxWaiting: number
  private readonly batch: number
  private working: Promise<void> | undefined
  /** The transaction that is under way, or is about to be. */
  private cycle: Promise<void> = Promise.resolve()
  private settlingNow = false
  private awayUntil = 0
  private looking: NodeJS.Timeout | undefined
  private closing = false

  constructor(
    private readonly pool: Pool,
    private readonly limits: PostgresLimits,
    private readonly settings: Pick<PostgresCountersSettings, 'holder' | 'maxWaiting' | 'batch'>,
  ) {
    this.maxWaiting = settings.maxWaiting ?? 10_000
    this.batch = settings.batch ?? 200
    this.reader = new CoalescedRead((counters) => this.read(counters), limits.transactionSeconds)
  }

  hold(hold: Hold): Promise<HoldOutcome> {
    if (this.closing) return Promise.reject(ledgerUnavailable('The ledger is closed.'))
    if (this.isAway()) return Promise.reject(databaseAway())
    if (this.waiting.length >= this.maxWaiting)
      return Promise.reject(ledgerUnavailable('Too many calls wait for their budgets. Nothing was spent; try again in a moment.'))
    return new Promise((resolve, reject) => {
      checkLines(hold.lines)
      if (this.open.has(hold.id)) throw new RangeError(`a reservation of this id is open already: ${hold.id}`)
      const row = { id: hold.id, at: hold.intent.at, lines: encodeLines(hold.lines), intent: encodeIntent(hold.intent) }
      this.waiting.push({ hold, row, again: false, until: now() + this.limits.transactionSeconds, resolve, reject })
      this.work()
    })
  }

  settle(id: string, actual: readonly bigint[]): void {
    const counters = this.open.get(id)
    if (counters === undefined) return
    this.open.delete(id)
    if (this.closing) return
    if (counters.some((counter) => this.tight.has(counter))) return this.settleNow({ id, counters, actual })
    this.ended.add({ id, counters, actual }, now())
    this.looking ??= setTimeout(() => void this.lookAtEnded(), STORE_SECONDS * 1000).unref()
  }

  async used(counters: readonly CounterId[]): Promise<readonly bigint[]> {
    if (this.closing) throw ledgerUnavailable('The ledger is closed.')
    // What this process has settled until now is in what it reads.
    this.settleOn(counters)
    for (let cycle = 0; cycle < 3 && this.settlementsWait && !this.isAway(); cycle++) await this.cycle
    if (this.isAway()) throw databaseAway()
    return Promise.all(counters.map((counter) => this.reader.balance(counter)))
  }

  /** Settles what is over, as far as the database takes it in time; the store settles the rest when it applies the calls' records. */
  async close(): Promise<void> {
    if (this.closing) return
    for (const id of this.ended.oldest(Number.POSITIVE_INFINITY, this.ended.size)) this.settleNow(this.ended.take(id))
    this.closing = true
    clearTimeout(this.looking)
    const last = this.working
    if (last) await within(this.limits.transactionSeconds, last, 'not settled in time').catch(() => undefined)
    this.refuseAll(ledgerUnavailable('The ledger is closed.'))
    await within(this.limits.transactionSeconds, this.pool.end(), 'not closed in time').catch(() => undefined)
  }

  private get settlementsWait(): boolean {
    return this.settling.size > 0 || this.settlingNow
  }

  private get hasWork(): boolean {
    return this.waiting.length + this.settling.size + this.doubtful.size > 0
  }

  private isAway(): boolean {
    return now() < this.awayUntil
  }

  private settleNow(settlement: Settlement | undefined): void {
    if (settlement === undefined) return
    this.settling.set(settlement.id, settlement)
    this.work()
  }

  /** Settles what is over on these counters. Tells whether there was anything. */
  private settleOn(counters: Iterable<string>): boolean {
    const settlements = this.ended.takeOn(counters)
    for (const settlement of settlements) this.settleNow(settlement)
    return settlements.length > 0
  }

  /** Forgets what the store has settled, and settles what it should have by now. Never throws. */
  private async lookAtEnded(): Promise<void> {
    try {
      const ids = this.isAway() ? [] : this.ended.oldest(now() - STORE_SECONDS, LOOK_AT_ONCE)
      if (ids.length > 0) {
        const { name, text, values } = findHolds(ids)
        const { rows } = await this.pool.query<{ id: string }>({ name, text, values: [...values] })
        const open = new Set(rows.map(({ id }) => id))
        for (const id of ids) {
          const settlement = this.ended.take(id)
          if (open.has(id)) this.settleNow(settlement)
        }
      }
    } catch {
      // The database is away: they stay, and are looked at again.
    } finally {
      const more = this.ended.size > 0 && !this.closing
      this.looking = more ? setTimeout(() => void this.lookAtEnded(), STORE_SECONDS * 1000).unref() : undefined
    }
  }

  private work(): void {
    this.working ??= this.cycle = this.workOff().finally(() => {
      this.working = undefined
      if (this.hasWork && !this.closing) this.work()
    })
  }

  /** One transaction after the other, until nothing waits. Never throws. */
  private async workOff(): Promise<void> {
    // What else comes in this turn of the event loop goes along.
    await nextTurn()
    while (this.hasWork) {
      while (this.isAway()) {
        if (this.closing) return
        await pause(AWAY_SECONDS)
      }
      if (this.doubtful.size > 0 && !(await this.clearDoubtful())) continue
      const settlements = firstOf(this.settling.values(), this.batch)
      const asked = this.inTime(this.waiting.splice(0, this.batch))
      for (const { id } of settlements) this.settling.delete(id)
      if (asked.length + settlements.length === 0) continue
      this.settlingNow = settlements.length > 0
      await (this.cycle = this.decide(asked, settlements))
      this.settlingNow = false
    }
  }

  private inTime(waiting: readonly Waiting[]): readonly Waiting[] {
    const from = now()
    return waiting.filter(({ until, reject }) => {
      if (until < from) reject(databaseAway())
      return until >= from
    })
  }

  private async decide(asked: readonly Waiting[], settlements: readonly Settlement[]): Promise<void> {
    const end = await this.transaction(() => runTransaction(this.pool, this.limits, batchOf(this.settings.holder, asked, settlements)))
    if (end.committed === true) {
      const again: Waiting[] = []
      asked.forEach((waiting, index) => {
        const outcome = end.value[index]
        if (outcome === undefined) waiting.reject(databaseAway())
        else if (outcome.granted || waiting.again || !this.settleOn(countersOf(waiting.hold, outcome.line))) this.tell(waiting, outcome)
        else again.push({ ...waiting, again: true })
      })
      this.waiting.unshift(...again)
      return
    }
    const fault = faultOf(end.error)
    if (end.committed === false && fault === 'data' && asked.length + settlements.length > 1) {
      // One of them can't be written, such as an id that is used twice: each has a transaction of its own, so that only that one is refused.
      for (const one of settlements) await this.decide([], [one])
      for (const one of asked) await this.decide([one], [])
      return
    }
    if (end.committed === 'unknown')
      for (const { hold } of asked) this.doubtful.set(hold.id, { id: hold.id, counters: hold.lines.map(({ counter }) => counter) })
    // Settling twice does nothing the second time, as the row says what it was settled to. One that the database can't take is left to the store.
    if (fault !== 'data') for (const settlement of settlements) this.settling.set(settlement.id, settlement)
    const error =
      fault === 'data'
        ? ledgerUnavailable('The database can not take this reservation. Nothing was spent.', end.error)
        : databaseAway(end.error)
    for (const { reject } of asked) reject(error)
    if (fault !== 'data') this.goAway(fault === 'away' || end.committed === 'unknown', error)
  }

  private tell({ hold, resolve }: Waiting, outcome: HoldOutcome): void {
    this.hear(hold.lines, outcome.used)
    if (outcome.granted)
      this.open.set(
        hold.id,
        hold.lines.map(({ counter }) => counter),
      )
    resolve(outcome)
  }

  /** Remembers of which limits little is left. */
  private hear(lines: readonly Line[], used: readonly bigint[]): void {
    lines.forEach(({ counter, limit }, index) => {
      if (limit === undefined) return
      if ((used[index] ?? 0n) * 100n >= limit * TIGHT_PERCENT) this.tight.add(counter)
      else this.tight.delete(counter)
    })
    if (this.tight.size > MAX_TIGHT) this.tight.clear()
  }

  private async clearDoubtful(): Promise<boolean> {
    const some = [...this.doubtful.values()]
    const end = await this.transaction(() => runTransaction(this.pool, this.limits, takeBack(some)))
    if (end.committed === true) {
      for (const { id } of some) this.doubtful.delete(id)
      return true
    }
    this.goAway(true, databaseAway(end.error))
    return false
  }

  /** Deadlocks and the like are tried again. */
  private async transaction<Value>(run: () => Promise<TransactionEnd<Value>>): Promise<TransactionEnd<Value>> {
    for (let attempt = 1; ; attempt++) {
      const end = await run()
      if (end.committed !== false || attempt === ATTEMPTS || faultOf(end.error) !== 'again') return end
    }
  }

  /** Whoever waits is refused when the database is away; when a lock was not to be had, those who come later may have better luck. */
  private goAway(away: boolean, error: Error): void {
    if (away) this.awayUntil = now() + AWAY_SECONDS
    if (away) this.refuseAll(error)
  }

  private refuseAll(error: Error): void {
    const refused = this.waiting
    this.waiting = []
    for (const { reject } of refused) reject(error)
  }

  private async read(counters: readonly CounterId[]): Promise<readonly bigint[]> {
    const { name, text, values } = readBalances(counters)
    try {
      const { rows } = await this.pool.query<{ counter: string; used: string }>({ name, text, values: [...values] })
      const balances = new Map(rows.map((row) => [row.counter, BigInt(row.used)]))
      return counters.map((counter) => balances.get(counter) ?? 0n)
    } catch (error) {
      if (faultOf(error) === 'away') this.awayUntil = now() + AWAY_SECONDS
      throw error
    }
  }
}

/** The counters by which a line is decided. */
function countersOf({ lines }: Hold, line: number): readonly string[] {
  const { counter, previous } = lines[line] ?? {}
  return [...(counter === undefined ? [] : [counter]), ...(previous === undefined ? [] : [previous.counter])]
}

function firstOf<Value>(values: Iterable<Value>, count: number): Value[] {
  const first: Value[] = []
  for (const value of values) {
    if (first.length === count) break
    first.push(value)
  }
  return first
}

function now(): number {
  return performance.now() / 1000
}
