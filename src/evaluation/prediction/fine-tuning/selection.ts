import { mean } from '../../../statistics/index.js'

/**
 * Pearson's correlation of two lists; `NaN` where one is constant. PearCorr of the paper (089): of predicted and true losses, over the
 * models. O(n).
 */
export function pearson(left: readonly number[], right: readonly number[]): number {
  const [centreLeft, centreRight] = [mean(left), mean(right)]
  let [together, squaresLeft, squaresRight] = [0, 0, 0]
  for (const [at, value] of left.entries()) {
    const [a, b] = [value - centreLeft, (right[at] ?? NaN) - centreRight]
    together += a * b
    squaresLeft += a * a
    squaresRight += b * b
  }
  return together / Math.sqrt(squaresLeft * squaresRight)
}

/** Spearman's rank correlation, ties at their mean rank. O(n log n). */
export function spearman(left: readonly number[], right: readonly number[]): number {
  return pearson(ranks(left), ranks(right))
}

/** Ranks from 1, smallest first; equal values share the mean of their ranks. */
export function ranks(values: readonly number[]): number[] {
  const order = values.map((_, at) => at).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0))
  const result = values.map(() => 0)
  for (let from = 0; from < order.length;) {
    let to = from
    while (to + 1 < order.length && values[order[to + 1] ?? 0] === values[order[from] ?? 0]) to++
    for (let at = from; at <= to; at++) result[order[at] ?? 0] = (from + to) / 2 + 1
    from = to + 1
  }
  return result
}

/**
 * RelAcc of the paper (089): (worst − chosen) / (worst − best), true losses, for the model that was predicted to have the least: 1 for
 * the best choice, 0 for the worst. `NaN` where all models are alike. O(n).
 */
export function relativeAccuracy(predicted: readonly number[], actual: readonly number[]): number {
  const chosen = predicted.reduce((best, value, at) => (value < (predicted[best] ?? Infinity) ? at : best), 0)
  const [worst, best] = [Math.max(...actual), Math.min(...actual)]
  return (worst - (actual[chosen] ?? NaN)) / (worst - best)
}
