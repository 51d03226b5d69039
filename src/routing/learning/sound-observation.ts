import type { Observation } from '../contracts.js'

const amounts = ['inputTokens', 'outputTokens', 'usd', 'seconds', 'joules'] as const

/** The observation with its weight clipped to `mostWeight`; `undefined` where a number of it isn't one, or is out of its range. */
export function soundObservation(observation: Observation, mostWeight: number): Observation | undefined {
  const { quality, weight = 1 } = observation
  if (quality !== undefined && !(quality >= 0 && quality <= 1)) return undefined
  if (!(weight > 0)) return undefined
  for (const name of amounts) {
    const value = observation[name]
    if (value !== undefined && !(value >= 0 && value < Number.POSITIVE_INFINITY)) return undefined
  }
  return { ...observation, weight: Math.min(weight, mostWeight) }
}

/** The weight of an outcome whose arm was chosen with this propensity: one over it, at most `most` (069: exploration with inverse propensity weights). */
export function importanceWeight(propensity: number, most = 10): number {
  if (!(propensity > 0 && propensity <= 1)) throw new RangeError(`a propensity is in (0, 1], not ${propensity}`)
  return Math.min(most, 1 / propensity)
}
