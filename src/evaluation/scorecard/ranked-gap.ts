import { seededRandom, sortedQuantile } from '../../statistics/index.js'
import { pairMeasures, ranking, type PairMeasures } from './gap-recovery.js'
import type { MetricCard } from './metric.js'
import type { Score } from './scorecard.js'

/** What a ranking of requests is scored by. */
export const rankMetrics: Readonly<Record<keyof PairMeasures, MetricCard>> = {
  apgr: {
    id: 'apgr',
    title: 'Average performance gap recovered',
    unit: '',
    formula: 'APGR = mean of PGR over shares of calls to --strong, requests ranked by a score (--scores, prompt length, the gain itself)',
    source: 'RouteLLM (Ong et al. 2024)',
    better: 'higher',
  },
  cpt50: {
    id: 'cpt50',
    title: 'Calls to the strong arm for half of the gap',
    unit: '',
    formula: 'CPT(50 %) = least share of calls to --strong with PGR ≥ 0.5',
    source: 'RouteLLM (Ong et al. 2024)',
    better: 'lower',
  },
  cpt80: {
    id: 'cpt80',
    title: 'Calls to the strong arm for four fifths of the gap',
    unit: '',
    formula: 'CPT(80 %) = least share of calls to --strong with PGR ≥ 0.8',
    source: 'RouteLLM (Ong et al. 2024)',
    better: 'lower',
  },
}

/**
 * APGR and CPT of rankings of the same requests. Keeps 16 bytes a request and 8 for each ranking: a ranking needs all its values.
 * Intervals by a bootstrap over requests.
 */
export class RankedGap {
  private readonly gains: number[] = []
  private readonly weights: number[] = []
  private readonly scores: ReadonlyMap<string, number[]>

  constructor(rankings: readonly string[]) {
    this.scores = new Map(rankings.map((name) => [name, []]))
  }

  /** Requests that were added. */
  get count(): number {
    return this.gains.length
  }

  /**
   * `gain`: quality of the strong arm less the weak's. `scores` by the name of the ranking; the higher, the sooner a request goes to
   * the strong arm. `weight`: how many requests of the whole log it stands for.
   */
  add(gain: number, scores: Readonly<Record<string, number>>, weight = 1): void {
    this.gains.push(gain)
    this.weights.push(weight)
    for (const [name, values] of this.scores) values.push(scores[name] ?? 0)
  }

  /** By measure and ranking. Values are left out where the strong arm gains nothing. O(draws × requests × rankings). */
  results(draws: number, seed: number): Readonly<Record<keyof PairMeasures, Readonly<Record<string, Score>>>> {
    const gains = Float64Array.from(this.gains)
    const weights = Float64Array.from(this.weights)
    const out: Record<keyof PairMeasures, Record<string, Score>> = { apgr: {}, cpt50: {}, cpt80: {} }
    for (const [name, values] of this.scores) {
      const order = ranking(Float64Array.from(values), seed)
      const value = pairMeasures(gains, order, weights)
      const random = seededRandom(seed)
      const drawn = Array.from({ length: draws }, () => pairMeasures(gains, order, drawnWeights(weights, random)))
      for (const key of ['apgr', 'cpt50', 'cpt80'] as const) {
        if (Number.isNaN(value[key])) continue
        const sorted = drawn
          .map((one) => one[key])
          .filter(Number.isFinite)
          .sort((a, b) => a - b)
        const at = (share: number) => (sorted.length === 0 ? NaN : sortedQuantile(sorted, share))
        const method = draws === 0 ? 'no interval asked for' : `bootstrap over requests, ${sorted.length} of ${draws} draws, 95 %`
        out[key][name] = { value: value[key], low: at(0.025), high: at(0.975), n: gains.length, method }
      }
    }
    return out
  }
}

/** As many requests drawn with replacement as there are: of each its weight times how often it was drawn. */
function drawnWeights(weights: Float64Array, random: { next(): number }): Float64Array {
  const drawn = new Float64Array(weights.length)
  for (let draw = 0; draw < weights.length; draw++) {
    const row = Math.floor(random.next() * weights.length)
    drawn[row] = (drawn[row] ?? 0) + (weights[row] ?? 0)
  }
  return drawn
}
