import { normalQuantile } from '../../statistics/index.js'

export interface DecisionBound {
  /** Cells, over both of the two best methods, below which even a search that knew who they are could not tell them apart so surely. */
  readonly cells: number
  /** The two means' distance, and the standard deviation of the paired difference on an item. */
  readonly gap: number
  readonly deviation: number
}

/**
 * The least cells for telling the best of all methods from the second with probability `confidence`, were it known beforehand that only
 * these two matter: both on the same n of N items drawn without replacement, the difference's error is normal with variance σ²(1/n -
 * 1/N), so n = 1/(gap²/(z²σ²) + 1/N), and 2n cells. Real searches also pay to find out who the two are. (The change-of-measure bound of
 * Garivier and Kaufmann 2016 for unpaired normal arms is larger where scores of an item correlate.) O(methods × items). `null` where
 * the two have the same mean.
 */
export function decisionBound(scores: readonly ArrayLike<number>[], confidence = 0.9): DecisionBound | null {
  const items = scores[0]?.length ?? 0
  const means = scores.map((row) => {
    let sum = 0
    for (let item = 0; item < items; item++) sum += row[item] ?? 0
    return sum / items
  })
  const [best = 0, second = 0] = [...means.keys()].sort((a, b) => (means[b] ?? 0) - (means[a] ?? 0))
  const gap = (means[best] ?? 0) - (means[second] ?? 0)
  if (best === second || gap === 0) return null
  let squares = 0
  for (let item = 0; item < items; item++) squares += ((scores[best]?.[item] ?? 0) - (scores[second]?.[item] ?? 0) - gap) ** 2
  const variance = squares / items
  const z = normalQuantile(confidence)
  return { cells: Math.ceil(2 / (gap ** 2 / (z * z * variance) + 1 / items)), gap, deviation: Math.sqrt(variance) }
}
