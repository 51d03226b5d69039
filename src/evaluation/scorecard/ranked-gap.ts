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
 * APGR and CPT of rankings of the same requests. Keeps 8 bytes a request and ranking: a ranking needs all its values. Intervals by a bootstrap over requests.
 */
export class RankedGap {
  private readonly gains: number[] = []
  private readonly scores: ReadonlyMap<string, number[]>

  constructor(rankings: readonly string[]) {
    this.scores = new Map(rankings.map((name) => [name, []]))
  }

  /** Requests that were added. */
  get count(): number {
    return this.gains.length
  }

  /** `gain`: quality of the strong arm less the weak's. `scores` by the name of the ranking; the higher, the sooner a request goes to the strong arm. */
  add(gain: number, scores: Readonly<Record<string, number>>): void {
    this.gains.push(gain)
    for (const [name, values] of this.scores) values.push(scores[name] ?? 0)
  }

  /** By measure and ranking. Values are left out where the strong arm gains nothing. O(draws × requests × rankings). */
  results(draws: number, seed: number): Readonly<Record<keyof PairMeasures, Readonly<Record<string, Score>>>> {
    const gains = Float64Array.from(this.gains)
    const out: Record<keyof PairMeasures, Record<string, Score>> = { apgr: {}, cpt50: {}, cpt80: {} }
    for (const [name, values] of this.scores) {
      const order = ranking(Float64Array.from(values), seed)
      const value = pairMeasures(gains, order)
      const random = seededRandom(seed)
      const drawn = Array.from({ length: draws }, () => pairMeasures(gains, order, drawnCounts(gains.length, random)))
      for (const key of ['apgr', 'cpt50', 'cpt80'] as const) {
        if (Number.isNaN(value[key])) continue
        const sorted = drawn.map((one) => one[key]).filter(Number.isFinite).sort((a, b) => a - b)
        const at = (share: number) => (sorted.length === 0 ? NaN : sortedQuantile(sorted, share))
        out[key][name] = { value: value[key], low: at(0.025), high: at(0.975), n: gains.length, method: draws === 0 ? 'no interval asked for' : `bootstrap over requests, ${sorted.length} of ${draws} draws, 95 %` }
      }
    }
    return out
  }
}

function drawnCounts(rows: number, random: { next(): number }): Uint16Array {
  const counts = new Uint16Array(rows)
  for (let draw = 0; draw < rows; draw++) {
    const row = Math.floor(random.next() * rows)
    counts[row] = (counts[row] ?? 0) + 1
  }
  return counts
}
