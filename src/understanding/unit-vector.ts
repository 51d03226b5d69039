import { BursarError } from '../errors/index.js'
import type { Encoder } from './features.js'

/** The vector at unit length. Throws a `BursarError` for one of the wrong size, without a direction, or with anything but numbers in it. */
export function unitVector(vector: Float32Array, { id, dimensions }: Pick<Encoder, 'id' | 'dimensions'>): Float32Array {
  if (vector.length !== dimensions) throw unusable(id, `gave a vector of ${vector.length} dimensions instead of ${dimensions}`)
  let square = 0
  for (const value of vector) square += value * value
  if (!(square > 0) || !Number.isFinite(square)) throw unusable(id, 'gave a vector without a direction')
  const length = Math.sqrt(square)
  return Math.abs(length - 1) < 1e-6 ? vector : vector.map((value) => value / length)
}

/** An encoder's answer that can't be used. */
export function unusable(id: string, what: string): BursarError {
  return new BursarError(`The encoder ${id} ${what}.`, { code: 'upstream_malformed', status: 502 })
}
