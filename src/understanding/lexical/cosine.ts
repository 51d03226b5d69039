import { InvalidRequest } from '../../errors/index.js'
import type { SparseVector } from '../features.js'

/** Cosine of the angle between two unit vectors, sparse or dense: their inner product, in [-1, 1] (in [0, 1] for lexical ones). Linear in their entries. */
export function cosine(a: SparseVector, b: SparseVector): number
/** Throws `InvalidRequest` when the dense vectors differ in length. */
export function cosine(a: Float32Array, b: Float32Array): number
export function cosine(a: SparseVector | Float32Array, b: SparseVector | Float32Array): number {
  if (a instanceof Float32Array && b instanceof Float32Array) return dense(a, b)
  if (!(a instanceof Float32Array) && !(b instanceof Float32Array)) return sparse(a, b)
  throw new InvalidRequest('A dense and a sparse vector have no angle between them.')
}

function sparse(a: SparseVector, b: SparseVector): number {
  let sum = 0
  let left = 0
  let right = 0
  while (left < a.indices.length && right < b.indices.length) {
    const difference = (a.indices[left] ?? 0) - (b.indices[right] ?? 0)
    if (difference === 0) sum += (a.weights[left++] ?? 0) * (b.weights[right++] ?? 0)
    else if (difference < 0) left++
    else right++
  }
  return Math.min(1, sum)
}

function dense(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new InvalidRequest(`Vectors of ${a.length} and ${b.length} dimensions have no angle between them.`)
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0)
  return Math.max(-1, Math.min(1, sum))
}
