import { inUnit, picoUsd, spendOf, type Regime, type Remaining, type Spend, type Unit } from '../../quantities/index.js'
import type { Line } from '../counters/contract.js'
import type { IntentRecord, PlannedCall, Whole } from '../record.js'
import type { BudgetLevel, CallBound, CallBudget, Held, HoldOptions } from './contract.js'
import { budgetHeaders, rateHeaders } from './headers.js'
import { HeldCall, OwnUse, uncounted, type OwnAmount, type Taken } from './held-call.js'
import { spentOf } from './known.js'
import { amountOf, limitedUnits, lineOf, secondsUntilFits, type Count } from './lines.js'
import { budgetExceeded, nameOf, rateLimited, softWarning, unknownAmount, type Refusal } from './messages.js'
import { windowOf } from './periods.js'
import { regimeOf } from './regime.js'
import type { Compiled, SharedBudgets } from './shared.js'
import { pause, type Queue, type Turn } from './turns.js'

export interface CallBudgetParts {
  readonly shared: SharedBudgets
  /** Ends waiting for a rate. Its signal is asked for only when something waits. */
  readonly cancellation?: { readonly signal: AbortSignal } | undefined
}

/**
 * What applies to one request: the limits of all these levels at once. The same array of levels (or at least the same levels) should be
 * given for each request of a caller, since what follows from them is worked out once an object. Throws `RangeError` for limits that are none.
 */
export function createCallBudget(levels: readonly BudgetLevel[], parts: CallBudgetParts): CallBudget {
  return new LevelsBudget(levels, parts.shared.compile(levels), parts)
}

/** How often a call that waits for a place looks whether another process has given one back; seconds. */
const LOOK_SECONDS = 0.1
/** The shortest wait, so that a timer that is early doesn't spin; seconds. */
const SHORTEST_SECONDS = 0.005
/** How old what is known of the minute before may be when the wait for a rate is worked out; seconds. */
const FRESH_SECONDS = 1

/** What a call would reserve. */
interface Wanted {
  readonly taken: readonly Taken[]
  readonly own: readonly OwnAmount[]
}

class LevelsBudget implements CallBudget {
  private readonly ownUse = new OwnUse()
  /** Whether this request was counted by the rates of requests: once, however many calls it makes. */
  private counted: boolean
  /** The call that is being counted as the request, if one is. */
  private counting: Promise<unknown> | undefined
  private units: ReadonlySet<Unit> | undefined

  constructor(
    private readonly levels: readonly BudgetLevel[],
    private readonly compiled: Compiled,
    private readonly parts: CallBudgetParts,
  ) {
    this.counted = !compiled.ratesRequests
  }

  get name(): string {
    const innermost = this.levels.at(-1)
    return innermost ? nameOf(innermost) : 'unlimited'
  }

  get limited(): ReadonlySet<Unit> {
    return (this.units ??= limitedUnits(this.compiled.counts))
  }

  async hold(plan: PlannedCall, bound: CallBound, options: HoldOptions = {}): Promise<Held> {
    const { compiled, parts } = this
    if (compiled.counts.length === 0) {
      return uncounted(await parts.shared.ledger.recordIntent(intentOf(plan, bound, [])))
    }
    // Calls of one request that begin at once are one request: the others wait until it is counted.
    while (!this.counted && this.counting) await this.counting.catch(() => {})
    if (this.counted) return this.take(plan, bound, options)
    const taking = this.take(plan, bound, options)
    this.counting = taking
    try {
      const held = await taking
      this.counted = true
      return held
    } finally {
      this.counting = undefined
    }
  }

  /** Reserves, after waiting for a rate where the wait is short. */
  private async take(plan: PlannedCall, bound: CallBound, { tentative = false }: HoldOptions): Promise<Held> {
    const { shared } = this.parts
    const { clock, settings, queues } = shared
    const spend = spendOf(bound)
    let turn: Turn | undefined
    let deadline: number | undefined
    try {
      const before = this.compiled.queue === undefined ? undefined : queues.of(this.compiled.queue)
      if (before) {
        deadline = clock.monotonic() + settings.queueSeconds
        turn = await this.waitInLine(before, bound, spend, deadline)
      }
      for (;;) {
        const answer = await this.ask(plan, bound, spend)
        if (!('count' in answer)) return answer
        const now = clock.now()
        if (answer.count.kind === 'budget') {
          if (!tentative) this.tellRefusal(answer)
          throw budgetExceeded(answer, now)
        }
        deadline ??= clock.monotonic() + settings.queueSeconds
        const left = deadline - clock.monotonic()
        const wait = answer.count.kind === 'parallel' ? Math.min(LOOK_SECONDS, left) : secondsUntil(answer, now)
        if (wait === undefined || left <= 0 || wait > left) throw rateLimited(answer, wait)
        if (!turn && this.compiled.queue !== undefined) {
          const queue = queues.open(this.compiled.queue, answer)
          const behind = queue.length > 0
          turn = await this.waitInLine(queue, bound, spend, deadline)
          if (behind) continue
        }
        const queue = this.compiled.queue === undefined ? undefined : queues.of(this.compiled.queue)
        if (queue) queue.refusal = answer
        await this.waitForRoom(answer, Math.max(SHORTEST_SECONDS, wait))
      }
    } finally {
      turn?.leave()
    }
  }

  /** Takes a place in a queue and waits until it is the first; throws `rate_limited` when the queue is full or the time is up. */
  private async waitInLine(queue: Queue, bound: CallBound, spend: Spend, deadline: number): Promise<Turn> {
    const { shared, cancellation } = this.parts
    const { clock, settings } = shared
    const refused = () => {
      const amount = amountOf(queue.refusal.count, spend, bound.likelyTokens) ?? 0n
      const refusal = { ...queue.refusal, amount }
      return rateLimited(refusal, secondsUntil(refusal, clock.now()))
    }
    if (queue.length >= settings.maxWaiting) throw refused()
    const turn = queue.enter()
    if (turn.first) return turn
    try {
      const left = Math.max(0, deadline - clock.monotonic())
      await pause(clock, left, cancellation?.signal, (wake) => {
        turn.onFirst = wake
        return () => (turn.onFirst = undefined)
      })
      if (!turn.first) throw refused()
      return turn
    } catch (thrown) {
      turn.leave()
      throw thrown
    }
  }

  private async waitForRoom({ count, window }: Refusal, seconds: number): Promise<void> {
    const { shared, cancellation } = this.parts
    const { queues, clock } = shared
    await pause(clock, seconds, cancellation?.signal, (wake) =>
      count.kind === 'parallel' ? queues.onPlace(count.prefix + window.label, wake) : () => {},
    )
  }

  /** Asks the counters once. What refuses is returned, since some refusals end by waiting. */
  private async ask(plan: PlannedCall, bound: CallBound, spend: Spend): Promise<Held | Refusal> {
    const { shared } = this.parts
    const { clock, counters, ledger } = shared
    const { taken, own } = this.wanted(plan, bound, spend, clock.now())
    const refusal = this.takeOwn(own)
    if (refusal) return refusal
    const held = new HeldCall(shared, plan.callId, this.compiled.owner, taken, own, this.ownUse)
    const intent = intentOf(plan, bound, taken)
    let granted = false
    try {
      let durable = false
      if (taken.length > 0) {
        const outcome = await counters.hold({ id: plan.callId, lines: taken.map(({ line }) => line), intent })
        this.hear(taken, outcome.used, outcome.granted)
        if (!outcome.granted) return await this.refusalOf(taken[outcome.line] as Taken)
        durable = outcome.durable
      }
      granted = true
      if (!durable) held.noted = await ledger.recordIntent(intent)
      return held
    } catch (thrown) {
      // The call is not made, so nothing may stay reserved for it.
      if (granted) held.release()
      throw thrown
    } finally {
      if (!granted) for (const { count, amount } of own) this.ownUse.add(count, -amount)
    }
  }

  /** Throws `BudgetExceeded` when something limits what isn't known, and `RangeError` when the bound is no amount. */
  private wanted(plan: PlannedCall, bound: CallBound, spend: Spend, now: number): Wanted {
    const amount = (count: Count): bigint => {
      const known = amountOf(count, spend, bound.likelyTokens)
      if (known === null && count.limit !== undefined) throw unknownAmount(count, plan.deployment)
      return known ?? 0n
    }
    const taken: Taken[] = []
    for (const place of this.compiled.places) {
      const { count } = place
      if (count.kind === 'requests' && this.counted) continue
      const window = place.at(now)
      taken.push({
        place,
        window,
        known: place.known,
        line: lineOf(count, amount(count), window, now, place.counter, place.previousCounter),
      })
    }
    return { taken, own: this.compiled.own.map((count) => ({ count, amount: amount(count) })) }
  }

  /** Takes all of the request's own limits, or none and says which refused. */
  private takeOwn(own: readonly OwnAmount[]): Refusal | undefined {
    for (const { count, amount } of own) {
      const used = this.ownUse.of(count)
      const { limit } = count
      if (limit !== undefined && amount > 0n && used + amount > limit)
        return { count, limit, window: windowOf('total', 0), amount, used, previous: 0n }
    }
    for (const { count, amount } of own) this.ownUse.add(count, amount)
    return undefined
  }

  /** Remembers what the counters said. */
  private hear(taken: readonly Taken[], used: readonly bigint[], granted: boolean): void {
    const heardAt = this.parts.shared.clock.monotonic()
    for (let index = 0; index < taken.length; index++) {
      const { known, line } = taken[index] as Taken
      known.used = used[index] ?? known.used
      known.heardAt = heardAt
      if (granted) known.reserved += line.amount
    }
  }

  private async refusalOf({ place, window, known, line: { amount, limit = 0n, previous } }: Taken): Promise<Refusal> {
    const { used } = known
    return {
      count: place.count,
      limit,
      window,
      amount,
      used,
      previous: previous === undefined ? 0n : await this.usedBefore(previous.counter),
    }
  }

  /** What is used of the minute before, from the counters unless they said so lately. */
  private async usedBefore(counter: string): Promise<bigint> {
    const { counters, clock, balances } = this.parts.shared
    const known = balances.of(counter)
    if (clock.monotonic() - known.heardAt >= FRESH_SECONDS) {
      const [used] = await counters.used([counter])
      known.used = used ?? known.used
      known.heardAt = clock.monotonic()
    }
    return known.used
  }

  private tellRefusal({ count, window }: Refusal): void {
    const place = this.compiled.places.find((one) => one.count === count)
    if (place) this.parts.shared.alerts.refused(count, window, this.parts.shared.balances.of(count.prefix + window.label))
  }

  remaining(): Remaining {
    const left: { usd?: Remaining['usd']; tokens?: number; calls?: number; joules?: number; seconds?: number } = {}
    for (const [unit, amount] of this.left()) {
      if (unit === 'usd') left.usd = picoUsd(amount)
      else left[unit] = inUnit(unit, amount)
    }
    return left
  }

  regime(): Regime {
    const habit = this.parts.shared.habits.of(this.compiled.owner)
    let regime: Regime = 'ample'
    for (const { count, left, limit } of this.limits()) {
      const own = regimeOf(left, limit, habit.roomForTwo(count.unit))
      if (own === 'last_call') return own
      if (own === 'tight') regime = own
    }
    return regime
  }

  headers(): Readonly<Record<string, string>> {
    const { places, counts } = this.compiled
    if (counts.length === 0) return {}
    return { ...rateHeaders(places, this.parts.shared.clock.now()), ...budgetHeaders(this.left(), () => this.regime()) }
  }

  warnings(): readonly string[] {
    const warnings: string[] = []
    const now = this.parts.shared.clock.now()
    for (const place of this.compiled.places) {
      const { count } = place
      if (count.soft.length === 0) continue
      place.at(now)
      const spent = spentOf(place.known)
      const overrun = count.soft.findLast((limit) => spent > limit)
      if (overrun !== undefined) warnings.push(softWarning(count, overrun, spent))
    }
    for (const count of this.compiled.own) {
      const spent = this.ownUse.of(count)
      const overrun = count.soft.findLast((limit) => spent > limit)
      if (overrun !== undefined) warnings.push(softWarning(count, overrun, spent))
    }
    return warnings
  }

  /** Grains left by unit, the least over all hard limits. */
  private left(): ReadonlyMap<Unit, bigint> {
    const least = new Map<Unit, bigint>()
    for (const { count, left } of this.limits()) {
      const known = least.get(count.unit)
      if (known === undefined || left < known) least.set(count.unit, left)
    }
    return least
  }

  /** Hard limits, with what is left of each as far as it is known. */
  private limits(): { readonly count: Count; readonly limit: bigint; readonly left: bigint }[] {
    const limits: { count: Count; limit: bigint; left: bigint }[] = []
    const { places, own } = this.compiled
    const now = places.length > 0 ? this.parts.shared.clock.now() : 0
    for (const place of places) {
      const { count } = place
      if (count.kind !== 'budget' || count.limit === undefined) continue
      place.at(now)
      limits.push({ count, limit: count.limit, left: count.limit - place.known.used })
    }
    for (const count of own)
      if (count.limit !== undefined) limits.push({ count, limit: count.limit, left: count.limit - this.ownUse.of(count) })
    return limits
  }
}

function secondsUntil({ count, limit, amount, used, previous, window }: Refusal, now: number): number | undefined {
  return count.kind === 'parallel' ? 0 : secondsUntilFits(limit, amount, used, previous, window, now)
}

function intentOf(plan: PlannedCall, { usage, cost }: CallBound, taken: readonly Taken[]): IntentRecord {
  const { organisation, team, user, key, run, session, tags, callId, requestId, decisionId, at } = plan
  const { requestedModel, provider, deployment, model, operation, stream, attempt } = plan
  // By name: a copy with fields added to it takes many times as long, and one of these is made for every call.
  return {
    organisation,
    team,
    user,
    key,
    run,
    session,
    tags,
    callId,
    requestId,
    decisionId,
    at,
    requestedModel,
    provider,
    deployment,
    model,
    operation,
    stream,
    attempt,
    usage,
    cost,
    held: taken.map(({ line }) => heldOf(line)),
  } satisfies Whole<IntentRecord>
}

function heldOf({ counter, amount, transient }: Line): IntentRecord['held'][number] {
  return transient ? { counter, amount, transient } : { counter, amount }
}
