import { ledgerUnavailable } from '../journal/unavailable.js'
import type { IntentRecord } from '../record.js'
import { within } from '../within.js'
import { CoalescedRead } from './coalesced-read.js'
import type { CounterId, Counters, Hold, HoldOutcome, Line } from './contract.js'
import { nextTurn, pause } from './pauses.js'
import { checkLines } from './decide.js'
import { openLink, type RedisLink } from './redis-link.js'
import {
  cancelOperation,
  entriesOf,
  expireOperation,
  holdOperation,
  readAnswers,
  settleOperation,
  type Operation,
} from './redis-operations.js'
import { Rounds, type Generation } from './redis-rounds.js'
import type { RedisCountersSettings } from './redis-settings.js'
import { decodeIntent, decodeLines } from './stored-hold.js'

interface Waiting {
  readonly hold: Hold
  readonly operation: Operation
  readonly until: number
  readonly tries: number
  readonly resolve: (outcome: HoldOutcome) => void
  readonly reject: (error: Error) => void
}

/** Operations in one script, so that it is short: Redis does nothing else meanwhile. */
const OPERATIONS_AT_ONCE = 100
/** Scripts on their way at once. */
const SCRIPTS_AT_ONCE = 8
/** How often a hold is tried again since a counter wasn't there. */
const FILL_TRIES = 3
const RECONNECT_SECONDS = 0.1
const EXPIRE_AT_ONCE = 100
/** A database that was away itself takes everybody for dead until they have told it that they aren't. */
const LOOKS_UNTIL_DEAD = 3

/**
 * Counters that any number of processes share through Redis or Valkey, with PostgreSQL behind them as what is durable. A hold is one
 * script, together with all others of its turn of the event loop; it is exact, and reserves on all lines or on none.
 *
 * Redis may lose everything at any time. That is noticed by the key `epoch`, which is gone or is of another run of the server (a restart
 * from an older copy counts as a loss). Then nothing is granted (`ledger_unavailable`) until each process that is alive has what it was
 * granted in the database, and one of them has filled Redis from there; see `Rounds`. Redis must be reached directly or through
 * something that breaks connections when it turns to another server.
 *
 * What a double failure costs: when Redis loses its data **and** a process is gone that had granted calls which the database doesn't have
 * yet (its journal wasn't applied), these are missing in the counters until that journal is applied and `rebuild` is asked for. So
 * limits can be overrun by at most what that process reserved in the time that its journal was behind, which is milliseconds while the
 * database works. The ledger itself lacks nothing once the journal is applied. The same goes for a process that reaches the database and
 * not Redis, and is behind by more than `fenceSeconds`.
 *
 * When one fails alone, nothing is missing: of a process that dies, what it reserved stays used, and the places that it took are given
 * back when it is found dead; the database's `expireHolds` turns it into lost calls. What reconciles such calls later is in the database at once and in Redis after `rebuild`, or
 * with the next window; until then Redis counts more than was used, never less.
 */
export async function createRedisCounters(settings: RedisCountersSettings): Promise<RedisCounters> {
  const counters = new RedisCounters(settings)
  // Nobody has to wait for a server that is away; but when it is there, the first call finds it ready.
  await within((settings.waitSeconds ?? 2) * 2, counters.ready(), 'Redis is not ready').catch(() => undefined)
  return counters
}

/** See `createRedisCounters`. */
export class RedisCounters implements Counters {
  private readonly open = new Map<string, readonly Line[]>()
  /** Settlements, and reservations to give back that may have been made though nobody was granted them; until Redis has said that it has them. */
  private readonly settling = new Map<string, Operation>()
  private waiting: Waiting[] = []
  /** Reservations that were asked for and not answered. */
  private readonly asked = new Set<string>()
  private readonly onTheWay = new Set<Promise<void>>()
  private readonly reader: CoalescedRead
  private readonly rounds: Rounds
  private readonly waitSeconds: number
  private readonly maxWaiting: number
  private readonly running: Promise<void>
  private now: { readonly link: RedisLink; readonly generation: Generation; readonly leave: () => void } | undefined
  /** How often on end a process that holds something was not found alive. */
  private missed = new Map<string, number>()
  private expiring = false
  private readyWaiters: (() => void)[] = []
  private told: { readonly message: string; readonly at: number } | undefined
  private filling = 0
  private scheduled = false
  private closing = false

  constructor(private readonly settings: RedisCountersSettings) {
    this.waitSeconds = settings.waitSeconds ?? 2
    this.maxWaiting = settings.maxWaiting ?? 10_000
    this.reader = new CoalescedRead(settings.load, this.waitSeconds)
    this.rounds = new Rounds(
      {
        holder: settings.holder,
        prefix: settings.prefix ?? '{bursar}:',
        snapshot: settings.snapshot,
        holders: settings.holders,
        fenceSeconds: settings.fenceSeconds ?? 15,
        flushSeconds: settings.flushSeconds ?? 30,
        lifeOf: (counter) => this.lifeOf(counter),
        onProblem: (message) => this.problem(message),
        settled: () => this.allInDatabase(),
      },
      settings.rebuild ?? false,
    )
    this.running = this.run()
  }

  /** Resolves when counters work for the first time, or again. */
  ready(): Promise<void> {
    return this.now ? Promise.resolve() : new Promise((resolve) => this.readyWaiters.push(resolve))
  }

  hold(hold: Hold): Promise<HoldOutcome> {
    if (this.closing) return Promise.reject(ledgerUnavailable('The ledger is closed.'))
    if (this.now === undefined) return Promise.reject(redisAway())
    if (this.waiting.length + this.filling >= this.maxWaiting)
      return Promise.reject(ledgerUnavailable('Too many calls wait for their budgets. Nothing was spent; try again in a moment.'))
    return new Promise((resolve, reject) => {
      checkLines(hold.lines)
      const { id } = hold
      if (this.asked.has(id) || this.open.has(id)) throw new RangeError(`a reservation of this id is open already: ${id}`)
      const operation = holdOperation(hold)
      this.asked.add(id)
      this.ask({
        hold,
        operation,
        until: seconds() + this.waitSeconds,
        tries: 0,
        resolve: (outcome) => {
          this.asked.delete(id)
          resolve(outcome)
        },
        reject: (error) => {
          this.asked.delete(id)
          reject(error)
        },
      })
    })
  }

  settle(id: string, actual: readonly bigint[]): void {
    const lines = this.open.get(id)
    if (lines === undefined) return
    this.open.delete(id)
    this.settling.set(id, settleOperation(id, lines, actual))
    this.schedule()
  }

  async used(counters: readonly CounterId[]): Promise<readonly bigint[]> {
    if (this.closing) throw ledgerUnavailable('The ledger is closed.')
    // What was settled until now goes first, on the same connection.
    this.send()
    for (let attempt = 0; attempt < FILL_TRIES; attempt++) {
      const known = await this.read(counters)
      const missing = counters.filter((_, index) => known[index] === null)
      if (missing.length === 0) return known.map((count) => BigInt(count ?? 0))
      await this.fill(missing)
    }
    throw redisAway()
  }

  /** Makes the counters anew from the database, everywhere: nothing is granted for a moment. */
  rebuild(): void {
    this.rounds.rebuild()
    this.now?.leave()
  }

  /** Processes that have open reservations in Redis, or had and may be alive. Throws `ledger_unavailable`. */
  async openHolders(): Promise<readonly string[]> {
    const { link, generation } = this.current()
    return this.answered(link, () => link.ask((redis) => redis.smembers(`${generation.base}holders`)))
  }

  /**
   * Takes up what a dead process left open: `lost` makes sure that each call is in the database and expired there (it may be given
   * the same ones again, after a fault); then what is transient is given back, and the rest stays used. A settlement that
   * still comes in within a day is made. Resolves to how many there were. Throws `ledger_unavailable`, and what `lost` throws. Several
   * processes may do it at once.
   */
  async expireHolder(dead: string, lost: (intents: readonly IntentRecord[]) => Promise<void> = () => Promise.resolve()): Promise<number> {
    if (dead === this.settings.holder) throw new RangeError('a process can not expire its own reservations')
    const { link, generation } = this.current()
    const key = `${generation.base}h:${dead}`
    let expired = 0
    let cursor = '0'
    do {
      const [next, fields] = await this.answered(link, () => link.ask((redis) => redis.hscan(key, cursor, 'COUNT', EXPIRE_AT_ONCE)))
      const found = entriesOf(fields)
      if (found.length > 0) await lost(found.map(({ lines, intent }) => decodeIntent(intent, lines)))
      const operations = found.map(({ id, lines }) => expireOperation(id, decodeLines(lines)))
      const answer = await this.answered(link, () =>
        this.count(link, generation, dead, operations.length > 0 ? operations : [expireOperation('', [])]),
      )
      if (answer === null) throw redisAway()
      expired += found.length
      cursor = next
    } while (cursor !== '0')
    return expired
  }

  async close(): Promise<void> {
    if (this.closing) return
    this.closing = true
    this.refuseAll(ledgerUnavailable('The ledger is closed.'))
    const until = seconds() + this.waitSeconds
    while (this.now && this.settling.size + this.onTheWay.size > 0 && seconds() < until) {
      this.send()
      await within(this.waitSeconds, Promise.allSettled(this.onTheWay), 'not settled in time').catch(() => undefined)
    }
    this.now?.leave()
    await within(this.waitSeconds * 2, this.running, 'not closed in time').catch(() => undefined)
  }

  /** Connects, joins, and begins again whenever the connection or the generation is lost. Never throws. */
  private async run(): Promise<void> {
    while (!this.closing) {
      let link: RedisLink | undefined
      try {
        const opened = (link = await openLink(this.settings.url, this.waitSeconds))
        while (opened.up && !this.closing) await this.live(opened, await this.rounds.join(opened, () => this.closing || !opened.up))
      } catch (thrown) {
        this.problem(`Counters in Redis don't work: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      }
      link?.drop()
      if (!this.closing) await pause(RECONNECT_SECONDS)
    }
  }

  /** Works until the connection is gone or the generation is over. */
  private async live(link: RedisLink, generation: Generation): Promise<void> {
    const left = new Promise<void>((resolve) => {
      this.now = { link, generation, leave: resolve }
    })
    const over = Promise.race([left, link.gone])
    const poll = setInterval(() => void this.look(link, generation), (this.settings.pollSeconds ?? 0.5) * 1000).unref()
    const expiry = setInterval(() => void this.expireDead(), (this.settings.expireSeconds ?? 5) * 1000).unref()
    for (const resolve of this.readyWaiters.splice(0)) resolve()
    this.schedule()
    try {
      await over
    } finally {
      clearInterval(poll)
      clearInterval(expiry)
      this.now = undefined
      this.refuseAll(redisAway())
    }
  }

  private async look(link: RedisLink, { epoch }: Generation): Promise<void> {
    try {
      if ((await link.ask((redis) => redis.get(this.rounds.epochKey))) !== epoch && this.now?.generation.epoch === epoch) this.now.leave()
    } catch {
      link.drop()
    }
  }

  /** Never throws; what fails is tried again at the next look. */
  private async expireDead(): Promise<void> {
    if (this.expiring) return
    this.expiring = true
    try {
      const open = await this.openHolders()
      const alive = new Set(await within(this.waitSeconds, this.settings.holders(), 'the database did not answer in time'))
      this.missed = new Map(
        open
          .filter((holder) => holder !== this.settings.holder && !alive.has(holder))
          .map((holder) => [holder, (this.missed.get(holder) ?? 0) + 1]),
      )
      for (const [holder, looks] of this.missed)
        if (looks >= LOOKS_UNTIL_DEAD) await this.expireHolder(holder, async (intents) => this.settings.lost?.(holder, intents))
    } catch (thrown) {
      // Looks count only on end: who can't be asked for is not dead.
      this.missed.clear()
      this.problem(
        `What dead processes left open in Redis can't be given back: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
      )
    } finally {
      this.expiring = false
    }
  }

  private ask(waiting: Waiting): void {
    this.waiting.push(waiting)
    this.schedule()
  }

  /** What else comes in this turn of the event loop goes along. */
  private schedule(): void {
    if (this.scheduled || this.now === undefined) return
    this.scheduled = true
    setImmediate(() => {
      this.scheduled = false
      this.send()
    })
  }

  private send(): void {
    while (this.now && this.onTheWay.size < SCRIPTS_AT_ONCE && this.settling.size + this.waiting.length > 0) {
      const settlements: [id: string, operation: Operation][] = []
      for (const settlement of this.settling) {
        if (settlements.length === OPERATIONS_AT_ONCE) break
        settlements.push(settlement)
      }
      for (const [id] of settlements) this.settling.delete(id)
      const holds = this.inTime(this.waiting.splice(0, Math.max(1, OPERATIONS_AT_ONCE - settlements.length)))
      const { link, generation } = this.now
      const sent: Promise<void> = this.exchange(link, generation, settlements, holds).finally(() => {
        this.onTheWay.delete(sent)
        this.schedule()
      })
      this.onTheWay.add(sent)
    }
  }

  private inTime(waiting: readonly Waiting[]): readonly Waiting[] {
    const from = seconds()
    return waiting.filter(({ until, reject }) => {
      if (until < from) reject(redisAway())
      return until >= from
    })
  }

  /** Sends operations and hands out what comes of them. Never throws. */
  private async exchange(
    link: RedisLink,
    generation: Generation,
    settlements: readonly (readonly [string, Operation])[],
    holds: readonly Waiting[],
  ): Promise<void> {
    if (settlements.length + holds.length === 0) return
    try {
      const answer = await this.count(link, generation, this.settings.holder, [
        ...settlements.map(([, operation]) => operation),
        ...holds.map(({ operation }) => operation),
      ])
      if (answer === null) {
        // Another epoch: nothing was done.
        this.keep(settlements)
        for (const { reject } of holds) reject(redisAway())
        if (this.now?.generation === generation) this.now.leave()
        return
      }
      const outcomes = readAnswers(
        answer,
        holds.map(({ hold }) => hold),
      )
      holds.forEach((waiting, index) => this.tell(waiting, outcomes[index]))
    } catch (thrown) {
      // Nobody knows whether it was done. Settling twice does nothing; what may have been reserved is given back.
      this.keep(settlements)
      for (const { hold, reject } of holds) {
        this.settling.set(hold.id, cancelOperation(hold.id, hold.lines))
        reject(redisAway(thrown))
      }
      link.drop()
    }
  }

  private tell(waiting: Waiting, outcome: ReturnType<typeof readAnswers>[number] | undefined): void {
    const { hold, resolve, reject } = waiting
    if (outcome === 'missing') return void this.fillAndAsk(waiting)
    if (outcome === 'held') return reject(new RangeError(`a reservation of this id is open already: ${hold.id}`))
    if (outcome === undefined) return reject(redisAway())
    if (outcome.granted) this.open.set(hold.id, hold.lines)
    resolve(outcome)
  }

  private keep(settlements: readonly (readonly [string, Operation])[]): void {
    for (const [id, operation] of settlements) this.settling.set(id, operation)
  }

  private async fillAndAsk(waiting: Waiting): Promise<void> {
    const { hold, tries, reject } = waiting
    if (tries === FILL_TRIES) return reject(redisAway())
    this.filling++
    try {
      await this.fill([
        ...new Set(hold.lines.flatMap(({ counter, previous }) => (previous === undefined ? [counter] : [counter, previous.counter]))),
      ])
    } catch (thrown) {
      return reject(thrown instanceof Error ? thrown : redisAway(thrown))
    } finally {
      this.filling--
    }
    if (this.closing || this.now === undefined) return reject(redisAway())
    this.ask({ ...waiting, tries: tries + 1 })
  }

  /** Puts counters into Redis as the database has them; those that are there stay as they are. */
  private async fill(counters: readonly CounterId[]): Promise<void> {
    // The generation is looked up first: what is read afterwards must not get into a later one.
    const { link, generation } = this.current()
    const balances = await Promise.all(counters.map((counter) => this.reader.balance(counter)))
    const filled = counters.map((counter, index) => [counter, String(balances[index] ?? 0n), String(this.lifeOf(counter) ?? '')])
    if (
      (await this.answered(link, () =>
        link.script('fill', this.rounds.epochKey, [generation.epoch, generation.base, JSON.stringify(filled)]),
      )) !== 1
    )
      throw redisAway()
  }

  private async read(counters: readonly CounterId[]): Promise<readonly (string | null)[]> {
    const { link, generation } = this.current()
    const answer = await this.answered(link, () =>
      link.script('read', this.rounds.epochKey, [generation.epoch, generation.base, JSON.stringify(counters)]),
    )
    if (!Array.isArray(answer)) throw redisAway()
    return counters.map((_, index) => {
      const count: unknown = answer[index]
      return typeof count === 'string' ? count : null
    })
  }

  private count(link: RedisLink, generation: Generation, holder: string, operations: readonly Operation[]): Promise<unknown> {
    return link.script('count', this.rounds.epochKey, [generation.epoch, generation.base, holder, JSON.stringify(operations)])
  }

  private current(): { readonly link: RedisLink; readonly generation: Generation } {
    if (this.now === undefined) throw redisAway()
    return this.now
  }

  private async answered<Answer>(link: RedisLink, command: () => Promise<Answer>): Promise<Answer> {
    try {
      return await command()
    } catch (thrown) {
      link.drop()
      throw redisAway(thrown)
    }
  }

  /** Seconds that a counter stays in Redis from now; `undefined` for always. */
  private lifeOf(counter: CounterId): number | undefined {
    const end = this.settings.counterEnd?.(counter) ?? Number.POSITIVE_INFINITY
    if (end === Number.POSITIVE_INFINITY) return undefined
    return Math.ceil(Math.max(0, end - Date.now() / 1000) + (this.settings.keepSeconds ?? 600))
  }

  /** Resolves when all that this process was granted is in the database. It is granted nothing meanwhile, since it is in no generation. */
  private async allInDatabase(): Promise<void> {
    await Promise.allSettled(this.onTheWay)
    // Whoever was granted something notes it in the journal now.
    await nextTurn()
    await this.settings.flush()
  }

  /** The same trouble is told every ten seconds only. */
  private problem(message: string): void {
    const { told } = this
    if (this.closing || (told?.message === message && seconds() - told.at < 10)) return
    this.told = { message, at: seconds() }
    this.settings.onProblem?.(message)
  }

  private refuseAll(error: Error): void {
    const refused = this.waiting
    this.waiting = []
    for (const { reject } of refused) reject(error)
  }
}

function redisAway(cause?: unknown): Error {
  return ledgerUnavailable(
    'Redis, in which budgets are counted, is not there or is being filled. Nothing was spent; try again in a moment.',
    cause,
  )
}

function seconds(): number {
  return performance.now() / 1000
}
