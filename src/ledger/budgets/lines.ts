import { grains, noSpend, type Spend, type Unit } from '../../quantities/index.js'
import type { Line } from '../counters/contract.js'
import type { BudgetLevel, BudgetRule, LevelKind, RateRules } from './contract.js'
import { counterPrefix, previousPerMille, windowOf, type Counting, type Window } from './periods.js'

/**
 * One thing that is counted at one level, over all its windows. `budget` refuses for good, `requests` and `tokens` are rates over a
 * sliding minute, `parallel` is a number of places.
 */
export interface Count {
  readonly level: BudgetLevel
  readonly kind: 'budget' | 'requests' | 'tokens' | 'parallel'
  readonly unit: Unit
  readonly counting: Counting
  /** The smallest hard limit; without one the count only counts. */
  readonly limit: bigint | undefined
  /** Soft limits, the smallest first. */
  readonly soft: readonly bigint[]
  /** What the ids of its counters begin with. */
  readonly prefix: string
}

/**
 * What is counted for a call that all these levels apply to, in the order in which refusals are told: budgets before rates (waiting
 * doesn't help against a budget), outer levels before inner ones. Each counter is there once: of several limits on one the smallest
 * holds. Throws `RangeError` for limits that are none.
 */
export function countsOf(levels: readonly BudgetLevel[]): readonly Count[] {
  const counts = new Map<string, Count>()
  for (const level of levels) {
    for (const rule of level.rules) add(counts, ruleCount(level, rule))
    if (level.rates) for (const count of rateCounts(level, level.rates)) add(counts, count)
  }
  return [...counts.values()].sort((a, b) => rank[a.kind] - rank[b.kind] || depth[a.level.kind] - depth[b.level.kind])
}

const rank = { budget: 0, requests: 1, tokens: 2, parallel: 3 } as const
const depth: Readonly<Record<LevelKind, number>> = { organisation: 0, team: 1, user: 2, key: 3, run: 4, request: 5 }

function add(counts: Map<string, Count>, count: Count): void {
  const known = counts.get(count.prefix)
  counts.set(
    count.prefix,
    known
      ? { ...known, limit: smallest(known.limit, count.limit), soft: [...new Set([...known.soft, ...count.soft])].sort(ascending) }
      : count,
  )
}

function ruleCount(level: BudgetLevel, { unit, limit, per, hard }: BudgetRule): Count {
  if (limit < 0n) throw new RangeError(`a limit below zero: ${limit} ${unit} for ${level.kind} ${level.id}`)
  return {
    level,
    kind: 'budget',
    unit,
    counting: per,
    limit: hard ? limit : undefined,
    soft: hard ? [] : [limit],
    prefix: counterPrefix(level.kind, level.id, unit, per),
  }
}

function rateCounts(level: BudgetLevel, { requestsPerMinute, tokensPerMinute, parallel }: RateRules): readonly Count[] {
  const rates = [
    ['requests', 'calls', 'sliding', requestsPerMinute],
    ['tokens', 'tokens', 'sliding', tokensPerMinute],
    ['parallel', 'calls', 'parallel', parallel],
  ] as const
  return rates.flatMap(([kind, unit, counting, limit]): readonly Count[] => {
    if (limit === undefined) return []
    if (level.kind === 'request') throw new RangeError('a request has no rate: give the rate to its key or run')
    if (!(limit >= 0 && limit < Number.POSITIVE_INFINITY))
      throw new RangeError(`not a rate: ${limit} ${kind} for ${level.kind} ${level.id}`)
    return [
      {
        level,
        kind,
        unit,
        counting,
        limit: BigInt(Math.floor(limit)),
        soft: [],
        prefix: counterPrefix(level.kind, level.id, unit, counting),
      },
    ]
  })
}

/** The window of a count at a time; of `parallel`, all time. */
export function windowOfCount({ counting }: Count, now: number): Window {
  return counting === 'parallel' ? windowOf('total', now) : windowOf(counting === 'sliding' ? 'minute' : counting, now)
}

/** The counter of a count in a window. */
export function counterOf(count: Count, window: Window): string {
  return count.prefix + window.label
}

/** The counter of the minute before, for counts over a sliding minute. */
export function previousCounterOf(count: Count, window: Window): string | undefined {
  return count.counting === 'sliding' && window.previous !== undefined ? count.prefix + window.previous : undefined
}

/**
 * The grains that a call takes of a count: a request and a place are 1, a rate of tokens takes those that are likely. `null` when it isn't
 * known. Throws `RangeError` for what is no amount.
 */
export function amountOf({ kind, unit }: Count, bound: Spend, likelyTokens: number): bigint | null {
  if (kind === 'requests' || kind === 'parallel') return 1n
  return kind === 'tokens' ? grains({ ...noSpend, tokens: likelyTokens }, 'tokens') : grains(bound, unit)
}

/** The line that reserves an amount of a count at a time, in a window that the time lies in. */
export function lineOf(
  count: Count,
  amount: bigint,
  window: Window,
  now: number,
  counter: string,
  previousCounter: string | undefined,
): Line {
  const { limit } = count
  if (count.kind === 'parallel') return { counter, amount, limit, transient: true }
  if (previousCounter === undefined) return { counter, amount, limit }
  return { counter, amount, limit, previous: { counter: previousCounter, perMille: previousPerMille(window, now) } }
}

/** Units that some hard limit or rate counts. */
export function limitedUnits(counts: readonly Count[]): ReadonlySet<Unit> {
  return new Set(counts.filter(({ limit }) => limit !== undefined).map(({ unit }) => unit))
}

/**
 * Seconds after which a sliding minute that holds `used`, after one that held `previous`, has room for `amount`, if nobody else takes it.
 * `undefined` when it never will: the amount alone is more than the limit.
 */
export function secondsUntilFits(
  limit: bigint,
  amount: bigint,
  used: bigint,
  previous: bigint,
  window: Window,
  now: number,
): number | undefined {
  if (amount > limit) return undefined
  const elapsed = Math.min(60, Math.max(0, now - window.start))
  const room = limit - amount - used
  // Within this minute what the one before has left wears off; if that isn't enough, what this one holds wears off in the next.
  const reached = room >= 0n ? wornOff(room, previous) : 60 + wornOff(limit - amount, used)
  return Math.max(0, reached - elapsed)
}

/** Seconds into a minute at which no more than `room` of what the minute before held still counts. */
function wornOff(room: bigint, held: bigint): number {
  if (held <= room) return 0
  return 60 - Number((room * 1000n) / held) * 0.06
}

function smallest(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined) return b
  return b === undefined || a < b ? a : b
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
