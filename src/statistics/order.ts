/** The value below which a share of the values lies, interpolated between neighbours (R's type 7). `NaN` of nothing. O(n log n). */
export function quantile(values: readonly number[], share: number): number {
  return sortedQuantile(
    [...values].sort((a, b) => a - b),
    share,
  )
}

/** The same for values that are in ascending order. O(1). */
export function sortedQuantile(sorted: ArrayLike<number>, share: number): number {
  const at = Math.min(1, Math.max(0, share)) * (sorted.length - 1)
  const below = Math.floor(at)
  const low = sorted[below] ?? NaN
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? NaN
  // Infinite neighbours have no difference.
  return low === high || at === below ? low : low + (high - low) * (at - below)
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** What makes the median absolute deviation of normal values their standard deviation: 1 / Φ⁻¹(3/4). */
const normalConsistency = 1.482602218505602

/** Spread around the median that half of the values may spoil without moving it; of normal values their standard deviation. */
export function robustDeviation(values: readonly number[], centre: number = median(values)): number {
  return normalConsistency * median(values.map((value) => Math.abs(value - centre)))
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/**
 * Slope of a line through points at x = 0, 1, 2, …: the median of the slopes between all pairs (Theil 1950, Sen 1968), which
 * nearly three in ten outliers don't move. `NaN` of fewer than two points. O(n²): beyond 400 points, of 400 spread evenly.
 */
export function theilSenSlope(values: readonly number[]): number {
  const most = 400
  const count = Math.min(values.length, most)
  const indexes = Array.from({ length: count }, (_, index) =>
    values.length <= most ? index : Math.round((index * (values.length - 1)) / (most - 1)),
  )
  const slopes: number[] = []
  for (let left = 0; left < count; left++)
    for (let right = left + 1; right < count; right++) {
      const [a, b] = [indexes[left] ?? 0, indexes[right] ?? 0]
      slopes.push(((values[b] ?? 0) - (values[a] ?? 0)) / (b - a))
    }
  return median(slopes)
}
