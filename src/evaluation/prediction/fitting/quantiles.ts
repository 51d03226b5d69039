/** A number with how much it counts. */
export interface Weighted {
  readonly value: number
  readonly weight: number
}

/** The least value with at least this share of the weight at or below it. `NaN` of no weight. O(n log n). */
export function weightedQuantile(values: readonly Weighted[], share: number): number {
  const sorted = values.filter(({ weight }) => weight > 0).sort((a, b) => a.value - b.value)
  const wanted = share * sorted.reduce((sum, { weight }) => sum + weight, 0) * (1 - 1e-12)
  let below = 0
  for (const { value, weight } of sorted) {
    below += weight
    if (below >= wanted) return value
  }
  return sorted.at(-1)?.value ?? NaN
}

/**
 * Pinball loss of a quantile forecast (Koenker and Bassett 1978): (y − q)·τ above it, (q − y)·(1 − τ) below. Least on average for the
 * true τ-quantile; at τ = ½ half the absolute error. In the unit of y.
 */
export function pinballLoss(actual: number, forecast: number, share: number): number {
  return actual >= forecast ? (actual - forecast) * share : (forecast - actual) * (1 - share)
}

/**
 * What must be added to an interval so that a new, exchangeable number lies inside with at least this probability: the ⌈(n +
 * 1)·level⌉-th least of the calibration scores (conformalized quantile regression, Romano, Patterson and Candès 2019, theorem 1).
 * `Infinity` where there are too few. O(n log n).
 */
export function conformalReach(scores: readonly number[], level: number): number {
  const rank = Math.ceil((scores.length + 1) * level - 1e-9)
  return [...scores].sort((a, b) => a - b)[rank - 1] ?? Infinity
}
