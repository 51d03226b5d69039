import { seededRandom } from '../../statistics/index.js'

/**
 * Performance gap recovered, PGR = (Q - Q_weak) / (Q_strong - Q_weak) (RouteLLM, Ong et al. 2024): how much of the way from the weak
 * arm's quality to the strong one's a system goes. No unit; 0 as the weak, 1 as the strong. `null` where the strong arm is no better.
 */
export function gapRecovered(quality: number, weak: number, strong: number): number | null {
  return strong > weak ? (quality - weak) / (strong - weak) : null
}

/** How a ranking of requests for the strong arm does (RouteLLM). Values are `NaN` where the strong arm gains nothing over the weak one. */
export interface PairMeasures {
  /** Average performance gap recovered: mean of PGR over all shares of calls to the strong arm. 0.5 is a router that knows nothing. */
  readonly apgr: number
  /** Call-performance thresholds: least share of calls to the strong arm that recovers half, and four fifths, of the gap. */
  readonly cpt50: number
  readonly cpt80: number
}

/**
 * `gains`: quality of the strong arm less the weak's, by request; `order`: requests, the first to be sent to the strong arm first;
 * `counts`: how much each request counts (its weight, times how often a bootstrap drew it; absent: all alike). APGR is the exact area
 * below PGR over shares, not a mean over ten of them as in the paper. O(requests).
 */
export function pairMeasures(gains: Float64Array, order: Uint32Array, counts?: ArrayLike<number>): PairMeasures {
  let total = 0
  let rows = 0
  for (const row of order) {
    const count = counts?.[row] ?? 1
    total += count * (gains[row] ?? 0)
    rows += count
  }
  if (!(total > 0)) return { apgr: NaN, cpt50: NaN, cpt80: NaN }
  let [sum, area, at] = [0, 0, 0]
  let [cpt50, cpt80] = [NaN, NaN]
  for (const row of order) {
    const count = counts?.[row] ?? 1
    const gain = count * (gains[row] ?? 0)
    area += count * (sum + gain / 2)
    sum += gain
    at += count
    if (Number.isNaN(cpt50) && sum >= 0.5 * total) cpt50 = at / rows
    if (Number.isNaN(cpt80) && sum >= 0.8 * total) cpt80 = at / rows
  }
  return { apgr: area / total / rows, cpt50, cpt80 }
}

/** Requests by falling score; ties in random order, so that a constant score is the random router. O(n log n). */
export function ranking(scores: Float64Array, seed: number): Uint32Array {
  const random = seededRandom(seed)
  const ties = Float64Array.from(scores, () => random.next())
  return Uint32Array.from(scores, (_, row) => row).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || (ties[a] ?? 0) - (ties[b] ?? 0))
}
