import type { Random } from '../../statistics/index.js'
import type { ItemScore } from './estimate.js'
import type { ItemMatrix } from './matrix.js'

/** Items that stand for others, and how many each stands for as a share of all. */
export interface WeightedItems {
  readonly items: readonly number[]
  /** Sums to 1. */
  readonly weights: readonly number[]
}

/**
 * Anchor points (Vivek et al. 2023, taken up by tinyBenchmarks, Polo et al. 2024): items are clustered by how known models did on them
 * (k-means, seeded as k-means++), and the item nearest each centre stands for its cluster. O(sweeps × k × items × models). Every score
 * must be there. Throws `RangeError` for more clusters than items.
 */
export function clusterAnchors(
  { models, items, scores }: ItemMatrix,
  k: number,
  random: Random,
  { sweeps = 10 }: { readonly sweeps?: number } = {},
): WeightedItems {
  if (!Number.isInteger(k) || k < 1 || k > items) throw new RangeError(`a whole number of items from 1 to ${items} can be chosen, not ${k}`)
  const centres = new Float64Array(k * models)
  const nearest = new Float64Array(items).fill(Infinity)
  const cluster = new Int32Array(items)
  const place = (centre: number, item: number) => {
    for (let model = 0; model < models; model++) centres[centre * models + model] = scores[model * items + item] ?? 0
  }
  const distance = (centre: number, item: number): number => {
    let sum = 0
    for (let model = 0; model < models; model++) sum += ((scores[model * items + item] ?? 0) - (centres[centre * models + model] ?? 0)) ** 2
    return sum
  }
  for (let centre = 0; centre < k; centre++) {
    place(centre, centre === 0 ? Math.floor(random.next() * items) : drawn(nearest, random))
    for (let item = 0; item < items; item++) nearest[item] = Math.min(nearest[item] ?? Infinity, distance(centre, item))
  }
  for (let sweep = 0; sweep <= sweeps; sweep++) {
    nearest.fill(Infinity)
    for (let item = 0; item < items; item++)
      for (let centre = 0; centre < k; centre++) {
        const far = distance(centre, item)
        if (far < (nearest[item] ?? Infinity)) [nearest[item], cluster[item]] = [far, centre]
      }
    if (sweep === sweeps) break
    const counts = new Float64Array(k)
    const sums = new Float64Array(k * models)
    for (let item = 0; item < items; item++) {
      const centre = cluster[item] ?? 0
      counts[centre] = (counts[centre] ?? 0) + 1
      for (let model = 0; model < models; model++)
        sums[centre * models + model] = (sums[centre * models + model] ?? 0) + (scores[model * items + item] ?? 0)
    }
    for (let centre = 0; centre < k; centre++) {
      const count = counts[centre] ?? 0
      if (count > 0)
        for (let model = 0; model < models; model++) centres[centre * models + model] = (sums[centre * models + model] ?? 0) / count
    }
  }
  return medoids(cluster, nearest, k, items)
}

/** Mean of the scores by the weights of their items. */
export function weightedMean({ items, weights }: WeightedItems, observed: readonly ItemScore[]): number {
  const weightOf = new Map(items.map((item, index) => [item, weights[index] ?? 0]))
  let sum = 0
  let total = 0
  for (const { item, score } of observed) {
    const weight = weightOf.get(item) ?? 0
    sum += weight * score
    total += weight
  }
  return sum / total
}

function medoids(cluster: Int32Array, nearest: Float64Array, k: number, items: number): WeightedItems {
  const best = new Int32Array(k).fill(-1)
  const counts = new Float64Array(k)
  for (let item = 0; item < items; item++) {
    const centre = cluster[item] ?? 0
    counts[centre] = (counts[centre] ?? 0) + 1
    const now = best[centre] ?? -1
    if (now < 0 || (nearest[item] ?? 0) < (nearest[now] ?? 0)) best[centre] = item
  }
  const kept = [...best.keys()].filter((centre) => (best[centre] ?? -1) >= 0)
  return { items: kept.map((centre) => best[centre] ?? 0), weights: kept.map((centre) => (counts[centre] ?? 0) / items) }
}

/** An item with probability by its weight; the first where all are 0. */
function drawn(weights: Float64Array, random: Random): number {
  let total = 0
  for (const weight of weights) total += weight
  let left = random.next() * total
  for (const [item, weight] of weights.entries()) {
    left -= weight
    if (left < 0) return item
  }
  return 0
}
