import { InvalidRequest } from '../../../errors/index.js'
import type { EmbeddingRequest } from '../../../protocol/index.js'
import { countTokens } from './tokens.js'

const DEFAULT_DIMENSIONS = 256
const MOST_DIMENSIONS = 4_096
const MOST_INPUTS = 2_048

/**
 * A vector of length one for a text: words, pairs of words and runs of three characters, hashed with signs. Texts that share words
 * are near each other; meaning beyond that it doesn't know.
 */
export function hashedVector(input: string | readonly number[], dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions)
  // Something that every text has, so that an empty one has a direction too.
  addFeature(vector, 'bias', 0.05)
  if (typeof input === 'string') {
    const words = input.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
    let previous = ''
    for (const word of words) {
      addFeature(vector, `w ${word}`, 1)
      if (previous !== '') addFeature(vector, `p ${previous} ${word}`, 0.5)
      const padded = `^${word}$`
      for (let at = 0; at + 3 <= padded.length; at++) addFeature(vector, `c ${padded.slice(at, at + 3)}`, 0.35)
      previous = word
    }
    if (words.length === 0 && input !== '') for (const character of input) addFeature(vector, `s ${character}`, 1)
  } else for (const token of input) addFeature(vector, `t ${token}`, 1)
  let squares = 0
  // The square root keeps a word that is repeated a hundred times from drowning the rest.
  for (let index = 0; index < dimensions; index++) {
    const value = vector[index] as number
    const damped = Math.sign(value) * Math.sqrt(Math.abs(value))
    vector[index] = damped
    squares += damped * damped
  }
  const length = Math.sqrt(squares)
  if (length === 0) vector[0] = 1
  else for (let index = 0; index < dimensions; index++) vector[index] = (vector[index] as number) / length
  return vector
}

function addFeature(vector: Float32Array, feature: string, weight: number): void {
  let hash = 0x811c9dc5
  for (let index = 0; index < feature.length; index++) hash = Math.imul(hash ^ feature.charCodeAt(index), 0x01000193)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x2c1b3c6d)
  hash ^= hash >>> 12
  const slot = (hash >>> 1) % vector.length
  vector[slot] = (vector[slot] as number) + ((hash & 1) === 0 ? weight : -weight)
}

/** All vectors of a request, and its input tokens. Throws `InvalidRequest` with the field's path. */
export function embedInputs(request: EmbeddingRequest, contextTokens: number): { vectors: Float32Array[]; tokens: number } {
  const { inputs } = request
  if (inputs.length === 0 || inputs.length > MOST_INPUTS)
    throw new InvalidRequest(`input: expected 1 to ${MOST_INPUTS} texts, not ${inputs.length}.`, { path: 'input' })
  const dimensions = request.dimensions ?? DEFAULT_DIMENSIONS
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > MOST_DIMENSIONS)
    throw new InvalidRequest(`dimensions: expected a whole number from 1 to ${MOST_DIMENSIONS}, not ${dimensions}.`, { path: 'dimensions' })
  let tokens = 0
  const vectors = inputs.map((input, index) => {
    const size = typeof input === 'string' ? countTokens(input) : input.length
    if (size > contextTokens)
      throw new InvalidRequest(`input[${index}]: has about ${size} tokens; the model takes at most ${contextTokens}.`, {
        code: 'context_length_exceeded',
        path: `input[${index}]`,
      })
    tokens += size
    return hashedVector(input, dimensions)
  })
  return { vectors, tokens }
}

/** A vector as the caller wants it: numbers, or their little-endian bytes in base64. */
export function encodeVector(vector: Float32Array, encoding: EmbeddingRequest['encoding']): number[] | string {
  if (encoding === 'float') return [...vector]
  const bytes = Buffer.alloc(vector.length * 4)
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4))
  return bytes.toString('base64')
}
