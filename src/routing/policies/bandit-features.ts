import type { Features } from '../../understanding/index.js'

const traitDimensions = 15
const categoryDimensions = 8

/** How many numbers `banditFeatures` gives. */
export function banditDimensions(lexicalDimensions: number): number {
  return 1 + traitDimensions + categoryDimensions + lexicalDimensions
}

/**
 * A request as a short dense vector for linear bandits: a constant, the traits (counts on a log scale, all about in [0, 1]), the category hashed to 8 signed
 * places, and the lexical vector projected to `lexicalDimensions` by signed hashing (each n-gram's index gives its place and its sign, so
 * that inner products are kept in expectation). Half of the squared length is the constant's and the traits', the other half the text's; of unit length as a whole. What isn't finite
 * counts as 0. O(n-grams).
 */
export function banditFeatures(features: Features, lexicalDimensions: number): Float64Array {
  const { traits, difficulty, category, lexical } = features
  const vector = new Float64Array(banditDimensions(lexicalDimensions))
  const plain = [
    1,
    Math.log1p(traits.inputTokens) / 12,
    Math.log1p(traits.characters) / 12,
    Math.min(traits.turns, 10) / 10,
    Number(traits.tools),
    Number(traits.images),
    Number(traits.structured),
    Number(traits.code),
    Number(traits.personalData),
    Number(traits.fresh),
    Number(traits.dates),
    traits.numeric,
    Math.min(traits.stepCues, 5) / 5,
    Number(traits.choices > 0),
    difficulty.value,
    Number(difficulty.source === 'learned') * difficulty.value,
  ]
  plain.forEach((value, index) => (vector[index] = Number.isFinite(value) ? value : 0))
  const textAt = 1 + traitDimensions
  if (category) {
    const hash = mix(stringHash(category.name))
    vector[textAt + (hash % categoryDimensions)] = (hash & 0x100 ? -1 : 1) * (category.probability > 0 ? category.probability : 0)
  }
  const lexicalAt = textAt + categoryDimensions
  for (let at = 0; at < lexical.indices.length; at++) {
    const hash = mix(lexical.indices[at] ?? 0)
    const weight = lexical.weights[at] ?? 0
    const place = lexicalAt + (hash % lexicalDimensions)
    if (lexicalDimensions > 0 && Number.isFinite(weight)) vector[place] = (vector[place] ?? 0) + (hash & 0x8000_0000 ? -weight : weight)
  }
  scale(vector.subarray(0, textAt), Math.SQRT1_2)
  scale(vector.subarray(textAt), Math.SQRT1_2)
  scale(vector, 1)
  return vector
}

/** To this length; nothing is left nothing. */
function scale(vector: Float64Array, length: number): void {
  const norm = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
  if (norm > 0) vector.forEach((value, index) => (vector[index] = (value / norm) * length))
}

function stringHash(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** Murmur3's finaliser: neighbouring indices get unrelated places. */
function mix(value: number): number {
  let mixed = value ^ (value >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
