import type { Category } from '../features.js'

/** Below this probability, or this distance to the next, nothing is sure enough (paper 060's "other"). */
export const leastProbability = 0.6
export const leastGap = 0.15

/** The likeliest category, or `undefined` ("other") when its probability is below 0.6 or less than 0.15 above the next. */
export function sureCategory(names: readonly string[], probabilities: ArrayLike<number>): Category | undefined {
  let best = -1
  let most = -Infinity
  let second = -Infinity
  for (let at = 0; at < names.length; at++) {
    const probability = probabilities[at] ?? 0
    if (probability > most) {
      second = most
      most = probability
      best = at
    } else if (probability > second) second = probability
  }
  const name = names[best]
  if (name === undefined || !(most >= leastProbability) || (names.length > 1 && most - second < leastGap)) return undefined
  return { name, probability: Math.min(1, most) }
}
