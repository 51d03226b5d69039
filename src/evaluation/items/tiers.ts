/** A stage of a tournament of resolutions: how many items a model is scored on, and which places that is precise enough for. */
export interface Tier {
  /** Items in all, those of the stages before among them. */
  readonly items: number
  /** A model that may be placed so high or higher goes on to the next stage. */
  readonly place: number
}

/** What placing one model took and gave. */
export interface Placement {
  /** Its place among the known models and itself, 1 the best. */
  readonly rank: number
  readonly items: number
  /** Its mean score over the items that it was scored on. */
  readonly mean: number
}

/**
 * Flash-HELM (098): a new model is scored on few items first; only if it may stand among the best is it scored on more, since precision
 * matters at the top and not below. It may stand at a place when the known model there has a paired difference of less than `z`
 * standard errors above it on the items seen. `known`: scores of models on all items, by row; `score`: the new model's on an item;
 * `order`: items in random order, each stage its beginning. O(known × items scored). Throws `RangeError` where tiers don't grow or ask
 * for more items than there are.
 */
export function placeByTiers(
  known: readonly ArrayLike<number>[],
  score: (item: number) => number,
  order: ArrayLike<number>,
  tiers: readonly Tier[],
  { z = 1 }: { readonly z?: number } = {},
): Placement {
  const sums = known.map(() => ({ sum: 0, squares: 0 }))
  let total = 0
  let done = 0
  for (const [stage, { items, place }] of tiers.entries()) {
    if (items <= done || items > order.length)
      throw new RangeError(`tier ${stage}: items must grow from ${done} and be ${order.length} at most, not ${items}`)
    for (; done < items; done++) {
      const item = order[done] ?? 0
      const own = score(item)
      total += own
      for (const [row, scores] of known.entries()) {
        const difference = (scores[item] ?? NaN) - own
        const sum = sums[row]
        if (sum) [sum.sum, sum.squares] = [sum.sum + difference, sum.squares + difference * difference]
      }
    }
    const surelyAhead = sums.filter(({ sum, squares }) => {
      const mean = sum / done
      const error = Math.sqrt((Math.max(0, squares / done - mean * mean) / done) * (1 - done / order.length))
      return mean > z * error
    }).length
    if (stage === tiers.length - 1 || surelyAhead + 1 > place) break
  }
  return { rank: 1 + sums.filter(({ sum }) => sum > 0).length, items: done, mean: total / done }
}
