/**
 * eff@k (138, ENAMEL): the expectation of the best efficiency among k samples drawn without replacement from n, unbiased and with the
 * variance of all n samples: with e ascending, Σ_{r=k..n} C(r-1, k-1) / C(n, k) · e₍ᵣ₎, by λ_n = k/n and λ_r = λ_{r+1} · (1 - (k-1)/r).
 * With efficiencies of
 * 0 and 1 it is pass@k. Throws `RangeError` for k outside 1..n or an efficiency that isn't finite. O(n log n).
 */
export function effAtK(efficiencies: readonly number[], k: number): number {
  const n = efficiencies.length
  if (!Number.isInteger(k) || k < 1 || k > n) throw new RangeError(`k lies between 1 and the ${n} samples, not at ${k}`)
  const sorted = Float64Array.from(efficiencies).sort()
  let weight = k / n
  let sum = 0
  for (let r = n; r >= k; r--) {
    const value = sorted[r - 1] ?? NaN
    if (!Number.isFinite(value)) throw new RangeError('an efficiency is a finite number')
    sum += weight * value
    weight *= 1 - (k - 1) / (r - 1)
  }
  return sum
}

/** What a sample did at one level of a task. */
export interface LevelTime {
  /** Seconds, the worst over the level's cases; `null` where it ran out of time or memory. */
  readonly seconds: number | null
  /** Seconds of the best reference solution at this level. */
  readonly reference: number
}

/**
 * Efficiency of one right sample (138): at level ℓ max(0, T - t) / (T - t_ref) with T = α · the slowest reference; 0 at the level where
 * it ran out and at those after it (censored on the right); then the mean weighted by hardness. 0 for a wrong sample. Above 1 where it
 * beats the reference.
 */
export function sampleEfficiency(right: boolean, levels: readonly LevelTime[], weights: readonly number[], alpha = 2): number {
  if (levels.length !== weights.length) throw new RangeError('each level needs a weight')
  if (!right) return 0
  const limit = alpha * Math.max(...levels.map(({ reference }) => reference))
  let ran = true
  let sum = 0
  for (const [index, { seconds, reference }] of levels.entries()) {
    ran &&= seconds !== null && seconds < limit
    if (ran && seconds !== null) sum += ((weights[index] ?? 0) * Math.max(0, limit - seconds)) / (limit - reference)
  }
  const total = weights.reduce((all, weight) => all + weight, 0)
  return total === 0 ? 0 : sum / total
}

/** Reference solutions of a task that cost about the same. */
export interface CostCluster {
  /** The dearest cost in the cluster. */
  readonly cost: number
  /** Share of solutions that are as dear or dearer; in (0, 1]. */
  readonly share: number
}

/**
 * Clusters of costs, dearest first, cut where the relative gap to the next cheaper, (x₁ - x₂)/x₁, exceeds
 * drop + √(w / x₁) (130, EvalPerf, with w = 10 000 instructions and drop = 0.1). `noise` is w in the unit of the costs; 0 where costs
 * have none. O(n log n).
 */
export function costClusters(
  costs: readonly number[],
  { drop = 0.1, noise = 0 }: { readonly drop?: number; readonly noise?: number } = {},
): CostCluster[] {
  const sorted = [...costs].sort((a, b) => b - a)
  const clusters: CostCluster[] = []
  let start = 0
  for (let index = 0; index < sorted.length; index++) {
    const here = sorted[index] ?? 0
    if (!(here > 0) || here === Infinity) throw new RangeError('a cost is a finite number above 0')
    const next = sorted[index + 1]
    if (next !== undefined && (here - next) / here <= drop + Math.sqrt(noise / here)) continue
    clusters.push({ cost: sorted[start] ?? here, share: (index + 1) / sorted.length })
    start = index + 1
  }
  return clusters
}

/**
 * Differential performance score (130): the share of the cheapest cluster whose representative a solution is no dearer than, and the
 * same by rank, (j + 1)/n. 0 for a solution dearer than all, or that failed (`null`).
 */
export function differentialPerformance(
  cost: number | null,
  clusters: readonly CostCluster[],
): { readonly score: number; readonly normalised: number } {
  if (cost === null) return { score: 0, normalised: 0 }
  const matched = clusters.findLastIndex((cluster) => cost <= cluster.cost)
  return matched === -1
    ? { score: 0, normalised: 0 }
    : { score: clusters[matched]?.share ?? 0, normalised: (matched + 1) / clusters.length }
}
