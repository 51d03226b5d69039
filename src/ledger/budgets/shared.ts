import type { Clock, Regime, Unit } from '../../quantities/index.js'
import type { CounterId, Counters } from '../counters/contract.js'
import type { Ledger } from '../ledger.js'
import { Alerts } from './alerts.js'
import type { BudgetAlert, BudgetLevel } from './contract.js'
import { Habits } from './habits.js'
import { Balances, Place } from './known.js'
import { countsOf, type Count } from './lines.js'
import { encoded } from './periods.js'
import { regimeOf } from './regime.js'
import { thresholdsOf } from './thresholds.js'
import { Queues } from './turns.js'

export interface BudgetSettings {
  /** Longest wait for room under a rate before a call is told to come back; 0 refuses at once. Seconds. */
  readonly queueSeconds: number
  /** Calls of one key (or run with rates) that may wait at once; further ones are refused. */
  readonly maxWaiting: number
  /** Shares of a hard limit at which an alert is given, each above 0 and at most 1. */
  readonly alertShares: readonly number[]
}

export const defaultBudgetSettings: BudgetSettings = { queueSeconds: 1, maxWaiting: 64, alertShares: [0.8, 1] }

export interface SharedBudgetParts {
  readonly counters: Counters
  readonly ledger: Pick<Ledger, 'recordIntent'>
  readonly clock: Clock
  /** Told of limits that are reached. Called while a call is settled or refused, so it must only take note. */
  readonly alert?: ((alert: BudgetAlert) => void) | undefined
  readonly settings?: Partial<BudgetSettings> | undefined
}

/** Counters and keys that this process remembers something of; forgetting one costs accuracy of headers and at most an alert twice. */
const REMEMBERED = 50_000

/** What follows from the levels of a budget, whoever calls. */
export interface Compiled {
  /** Counted by the counters, in the order of the lines. */
  readonly places: readonly Place[]
  /** Limits of the request itself, counted by its budget. */
  readonly own: readonly Count[]
  /** All of both. */
  readonly counts: readonly Count[]
  /** Whether a rate of requests is among them. */
  readonly ratesRequests: boolean
  /** Who waits for rates together: the innermost level that has one. */
  readonly queue: string | undefined
  /** Whose calls are alike: the key. */
  readonly owner: string
}

/** What all budgets of a process share: where they count, what is known of the counters, and who waits. One a process. */
export class SharedBudgets {
  readonly counters: Counters
  readonly ledger: Pick<Ledger, 'recordIntent'>
  readonly clock: Clock
  readonly settings: BudgetSettings
  readonly alerts: Alerts
  readonly queues = new Queues()
  readonly habits = new Habits(REMEMBERED)
  readonly balances = new Balances(REMEMBERED)
  private readonly byLevels = new WeakMap<readonly BudgetLevel[], Compiled>()
  private readonly byLevel = new WeakMap<BudgetLevel, readonly Place[]>()

  constructor({ counters, ledger, clock, alert, settings }: SharedBudgetParts) {
    this.counters = counters
    this.ledger = ledger
    this.clock = clock
    this.settings = { ...defaultBudgetSettings, ...settings }
    this.alerts = new Alerts(alert, () => clock.now())
    const { queueSeconds, maxWaiting } = this.settings
    if (!(queueSeconds >= 0) || !(maxWaiting >= 1)) throw new RangeError('queueSeconds is 0 or more, maxWaiting 1 or more')
  }

  /** What calls of this process hold of a counter now, in grains: a part of what is used of it. */
  heldHere(counter: CounterId): bigint {
    return this.balances.peek(counter)?.reserved ?? 0n
  }

  /** How tight a hard limit is for whoever calls at this level, as calls of it are told (`CallBudget.regime`). `left` and `limit` in grains. */
  regimeOf(level: Pick<BudgetLevel, 'kind' | 'id'>, unit: Unit, left: bigint, limit: bigint): Regime {
    return regimeOf(left, limit, this.habits.of(ownerName(level)).roomForTwo(unit))
  }

  /** Worked out once for an array of levels, and for each level of a new array. Throws `RangeError` for limits that are none. */
  compile(levels: readonly BudgetLevel[]): Compiled {
    let compiled = this.byLevels.get(levels)
    if (!compiled) this.byLevels.set(levels, (compiled = this.compileAnew(levels)))
    return compiled
  }

  private compileAnew(levels: readonly BudgetLevel[]): Compiled {
    const request = levels.filter(({ kind }) => kind === 'request')
    const others = request.length === 0 ? levels : levels.filter(({ kind }) => kind !== 'request')
    // A level that stands there twice has its counters but once, with the smaller limits.
    const twice = others.some((level, index) =>
      others.some((other, before) => before < index && other.kind === level.kind && other.id === level.id),
    )
    const places = twice ? this.placesOf(countsOf(others)) : inOrder(others.map((level) => this.placesOfLevel(level)))
    // Its rules hold for the whole request whatever their period, so those on one unit are one limit.
    const own = countsOf(request.map((level) => ({ ...level, rules: level.rules.map((rule) => ({ ...rule, per: 'total' as const })) })))
    const counts = [...places.map(({ count }) => count), ...own]
    const rated = others.findLast(({ rates }) => rates !== undefined && Object.values(rates).some((rate) => rate !== undefined))
    const owner = others.find(({ kind }) => kind === 'key') ?? others.at(-1)
    return {
      places,
      own,
      counts,
      ratesRequests: counts.some(({ kind }) => kind === 'requests'),
      queue: rated && ownerName(rated),
      owner: owner ? ownerName(owner) : '',
    }
  }

  private placesOfLevel(level: BudgetLevel): readonly Place[] {
    let places = this.byLevel.get(level)
    if (!places) this.byLevel.set(level, (places = this.placesOf(countsOf([level]))))
    return places
  }

  private placesOf(counts: readonly Count[]): readonly Place[] {
    return counts.map((count) => new Place(count, thresholdsOf(count, this.settings.alertShares), this.balances))
  }
}

/** Budgets of all levels first, then rates of requests, of tokens, and places, each from the outermost level. */
function inOrder(byLevel: readonly (readonly Place[])[]): readonly Place[] {
  const only = byLevel.filter((places) => places.length > 0)
  if (only.length <= 1) return only[0] ?? []
  const all = only.flat()
  return (['budget', 'requests', 'tokens', 'parallel'] as const).flatMap((kind) => all.filter(({ count }) => count.kind === kind))
}

function ownerName({ kind, id }: Pick<BudgetLevel, 'kind' | 'id'>): string {
  return `${kind}:${encoded(id)}`
}
