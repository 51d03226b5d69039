import type { Observation } from '../contracts.js'

/** The most that one observation counts, so that no single one carries a prediction. */
export const mostWeight = 20

/** What of an outcome is learned in log space: each a positive amount, or unknown. */
export const measures = ['outputTokens', 'usd', 'seconds', 'joules'] as const
export type Measure = (typeof measures)[number]

/** An observation whose numbers were looked at. */
export interface Observed {
  readonly quality: number | undefined
  /** In (0, `mostWeight`]. */
  readonly weight: number
  /** Natural logarithm of each measure, in the order of `measures`; `NaN` for what isn't known or 0. Stays within the room. */
  readonly logs: Float64Array
}

/** Throws `RangeError` that names the field for a number that isn't finite or is out of its range. O(1). */
export function observed(observation: Observation): Observed {
  const { quality, weight = 1, inputTokens } = observation
  if (quality !== undefined && !(quality >= 0 && quality <= 1))
    throw new RangeError(`observation.quality: expected a number in [0, 1], got ${quality}`)
  if (!(weight > 0) || weight === Infinity) throw new RangeError(`observation.weight: expected a finite number above 0, got ${weight}`)
  if (inputTokens !== undefined) amount('inputTokens', inputTokens)
  const logs = new Float64Array(measures.length)
  measures.forEach((measure, at) => {
    const value = observation[measure]
    if (value !== undefined) amount(measure, value)
    logs[at] = value === undefined || value === 0 ? NaN : Math.log(value)
  })
  checkVectors(observation)
  return { quality, weight: Math.min(weight, mostWeight), logs }
}

function amount(field: string, value: number): void {
  if (!(value >= 0) || value === Infinity)
    throw new RangeError(`observation.${field}: expected a finite number of at least 0, got ${value}`)
}

function checkVectors({ features: { lexical, dense } }: Observation): void {
  if (lexical.indices.length !== lexical.weights.length)
    throw new RangeError('observation.features.lexical: as many weights as indices expected')
  if (!allFinite(lexical.weights)) throw new RangeError('observation.features.lexical: every weight must be finite')
  if (dense && !allFinite(dense)) throw new RangeError('observation.features.dense: every component must be finite')
}

/** Whether no component is NaN or infinite. Linear. */
export function allFinite(values: Float32Array): boolean {
  for (let at = 0; at < values.length; at++) if (!Number.isFinite(values[at])) return false
  return true
}
