import type { Outcome, OutcomeRow } from '../../environment/index.js'
import { sortedQuantile } from '../../statistics/index.js'
import type { Metric, MetricCard, ScoredOutcome, ScoreSettings } from './metric.js'
import { PoissonWeights } from './poisson-weights.js'
import { scoredOutcome } from './scored-outcome.js'
import type { ArmPoint, SetMetric, SetSettings } from './set-metrics.js'
import { WeightedSums } from './weighted-sums.js'

/** A figure with its interval; `NaN` bounds where none was asked for. */
export interface Score {
  readonly value: number
  readonly low: number
  readonly high: number
  /** Requests. */
  readonly n: number
  readonly method: string
}

/** A metric over a table: of each arm, or of all together under the empty name. */
export interface ScoredMetric {
  readonly metric: MetricCard
  readonly scores: Readonly<Record<string, Score>>
  /**
   * Why it can't be told where `scores` is empty or lacks arms: fields that no outcome has, options that weren't given. One plain
   * sentence.
   */
  readonly missing?: string | undefined
}

export interface ScorecardOptions extends ScoreSettings, SetSettings {
  readonly arms: readonly string[]
  readonly armMetrics: readonly Metric[]
  readonly setMetrics: readonly SetMetric[]
  /** Draws of the bootstrap; 0 for no intervals. */
  readonly draws: number
  readonly seed: number
  /** Dollars of an outcome that tells none; `null` where they can't be known. */
  priceOf(arm: string, outcome: Outcome): number | null
}

/** What one arm has of one metric. */
interface Tally {
  readonly sums: WeightedSums
  /** By field, how many outcomes of the arm lacked it. */
  readonly lacks: Map<string, number>
  /** Outcomes of the arm. */
  outcomes: number
}

/** Share of requests in an interval. */
const level = 0.95

/**
 * A scorecard of an outcome table, request by request: memory is that of a few sums for each arm, metric and draw, however long the
 * table is. Intervals are percentiles of a Poisson bootstrap over requests, with the same draws for all arms. O(arms × terms × draws) a
 * request.
 */
export class Scorecard {
  private readonly weights: PoissonWeights
  private readonly tallies: ReadonlyMap<string, readonly Tally[]>
  /** Cost and quality by arm, over requests that all arms answered. */
  private readonly complete: ReadonlyMap<string, WeightedSums>
  private requests = 0
  private others = 0

  constructor(private readonly options: ScorecardOptions) {
    const { arms, armMetrics, draws, seed } = options
    this.weights = new PoissonWeights(draws, seed)
    this.tallies = new Map(
      arms.map((arm) => [arm, armMetrics.map(({ width }) => ({ sums: new WeightedSums(width, draws), lacks: new Map(), outcomes: 0 }))]),
    )
    this.complete = new Map(arms.map((arm) => [arm, new WeightedSums(2, draws)]))
  }

  /** Requests that were added. */
  get count(): number {
    return this.requests
  }

  /** Outcomes of arms that aren't among the options' arms: they count nothing. */
  get strangers(): number {
    return this.others
  }

  add(row: OutcomeRow): void {
    const { arms, armMetrics, cost, priceOf } = this.options
    const weights = this.weights.next(row.weight ?? 1)
    this.requests += 1
    const outcomes = new Map<string, ScoredOutcome>()
    for (const [arm, outcome] of Object.entries(row.outcomes))
      if (this.tallies.has(arm))
        outcomes.set(
          arm,
          scoredOutcome(outcome, () => priceOf(arm, outcome)),
        )
      else this.others += 1
    const scored = { outcomes }
    for (const [arm, outcome] of outcomes)
      for (const [place, metric] of armMetrics.entries()) {
        const tally = this.tallies.get(arm)?.[place]
        if (!tally) continue
        tally.outcomes += 1
        const lacking = metric.needs.filter((field) => outcome[field] === undefined)
        for (const field of lacking) tally.lacks.set(field, (tally.lacks.get(field) ?? 0) + 1)
        if (lacking.length > 0) continue
        const terms = metric.terms(outcome, arm, scored, this.options)
        if (terms !== null) tally.sums.add(terms, weights)
      }
    const points = arms.map((arm) => ({ arm, quality: outcomes.get(arm)?.quality, cost: outcomes.get(arm)?.[cost] }))
    for (const { quality, cost: taken } of points) if (quality === undefined || taken === undefined) return
    for (const { arm, quality = NaN, cost: taken = NaN } of points) this.complete.get(arm)?.add([taken, quality], weights)
  }

  results(): readonly ScoredMetric[] {
    const { armMetrics, setMetrics } = this.options
    return [...armMetrics.map((metric, place) => this.ofArms(metric, place)), ...setMetrics.map((metric) => this.ofSet(metric))]
  }

  private ofArms(metric: Metric, place: number): ScoredMetric {
    const { arms, draws } = this.options
    const scores: Record<string, Score> = {}
    const lacks = new Map<string, number>()
    let outcomes = 0
    for (const arm of arms) {
      const tally = this.tallies.get(arm)?.[place]
      const means = tally?.sums.means(0) ?? null
      const value = means === null ? null : metric.of(means)
      outcomes += tally?.outcomes ?? 0
      for (const [field, times] of tally?.lacks ?? []) lacks.set(field, (lacks.get(field) ?? 0) + times)
      if (!tally || means === null || value === null) continue
      const drawn: number[] = []
      for (let draw = 1; draw <= draws; draw++) {
        const of = tally.sums.means(draw)
        const one = of === null ? null : metric.of(of)
        if (one !== null) drawn.push(one)
      }
      scores[arm] = score(value, drawn, tally.sums.count, draws, () => metric.alike?.(means, tally.sums.count))
    }
    return { metric: cardOf(metric), scores, missing: missingText(metric, { lacks, outcomes }, Object.keys(scores).length, this.options) }
  }

  private ofSet(metric: SetMetric): ScoredMetric {
    const { arms, draws, strong, weak, cost } = this.options
    const names = metric.of === 'arms' ? arms : ['']
    const whole = this.points(0)
    if (metric.asks !== undefined && (strong === undefined || weak === undefined))
      return { metric: cardOf(metric), scores: {}, missing: 'Say which arms are the ends of the gap: --strong ARM --weak ARM.' }
    if (whole === null || arms.length < 2)
      return {
        metric: cardOf(metric),
        scores: {},
        missing: arms.length < 2 ? 'It takes two arms.' : `No request has "quality" and "${fieldOfTable[cost] ?? cost}" of all arms.`,
      }
    const values = metric.values(whole, whole, this.options)
    const drawn: (readonly (number | null)[])[] = []
    for (let draw = 1; draw <= draws; draw++) {
      const points = this.points(draw)
      if (points !== null) drawn.push(metric.values(points, whole, this.options))
    }
    const n = this.complete.get(arms[0] ?? '')?.count ?? 0
    const scores: Record<string, Score> = {}
    for (const [place, name] of names.entries()) {
      const value = values[place] ?? null
      const of = drawn.flatMap((one) => one[place] ?? [])
      if (value === null) continue
      scores[name] =
        metric.told === 'share' && of.length > 0
          ? {
              value: of.reduce((sum, one) => sum + one, 0) / of.length,
              low: NaN,
              high: NaN,
              n,
              method: `share of ${of.length} bootstrap draws over requests`,
            }
          : score(value, of, n, draws)
    }
    return {
      metric: cardOf(metric),
      scores,
      missing: Object.keys(scores).length === 0 ? 'It has no meaning here: nothing to divide by.' : undefined,
    }
  }

  private points(draw: number): ArmPoint[] | null {
    const points = this.options.arms.map((arm) => {
      const [cost, quality] = this.complete.get(arm)?.means(draw) ?? []
      return { arm, cost: cost ?? NaN, quality: quality ?? NaN }
    })
    return points.some(({ cost }) => Number.isNaN(cost)) ? null : points
  }
}

function score(
  value: number,
  drawn: number[],
  n: number,
  draws: number,
  alike?: () => { readonly low: number; readonly high: number } | undefined,
): Score {
  if (draws === 0) return { value, low: NaN, high: NaN, n, method: 'no interval asked for' }
  const sorted = drawn.sort((a, b) => a - b)
  const [low, high] = [sortedQuantile(sorted, (1 - level) / 2), sortedQuantile(sorted, (1 + level) / 2)]
  const bounds = low === high || sorted.length === 0 ? alike?.() : undefined
  if (bounds) return { value, ...bounds, n, method: 'exact for shares, 95 %: all draws of the bootstrap are alike' }
  return { value, low, high, n, method: `Poisson bootstrap over requests, ${sorted.length} of ${draws} draws, 95 %` }
}

interface Lacking {
  /** By field, how many outcomes lacked it. */
  readonly lacks: ReadonlyMap<string, number>
  readonly outcomes: number
}

function missingText({ asks }: Metric, { lacks, outcomes }: Lacking, scored: number, { reference }: ScoreSettings): string | undefined {
  if (asks === 'reference' && reference === undefined) return 'Say which arm the others are held against: --reference ARM.'
  const named = (field: string) => `"${fieldOfTable[field] ?? field}"`
  const some = `Some outcomes have no ${[...lacks].map(([field, times]) => `${named(field)} (${times})`).join(', ')}: not counted.`
  if (scored > 0) return lacks.size === 0 ? undefined : some
  const none = [...lacks].filter(([, times]) => times === outcomes).map(([field]) => named(field))
  if (none.length > 0) return `No outcome has ${none.join(' and ')}.`
  return lacks.size === 0 ? 'No request tells enough for it.' : `No request tells enough for it. ${some}`
}

/** What a table calls a field that is made of others. */
const fieldOfTable: Readonly<Record<string, string>> = { generatedTokens: 'outputTokens' }

/** What a reader must know of a metric, without what computes it. */
export function cardOf({ id, title, unit, formula, source, better }: MetricCard): MetricCard {
  return { id, title, unit, formula, source, better }
}
