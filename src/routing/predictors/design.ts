import { lexicalDimensions, type Features } from '../../understanding/index.js'
import { sureCategory } from './arm-means.js'

/**
 * A request as the row of a design matrix that linear predictors and trees share: the lexical vector, the dense one, traits, the category.
 * Each block is scaled so that a block's squared length is about its weight, with the lexical block at 1.
 */
export interface Row {
  /** Ascending within each block, every one below `designColumns`. */
  readonly columns: Uint32Array
  readonly values: Float32Array
  /** Σ values². */
  readonly squaredLength: number
}

const denseAt = lexicalDimensions
/** Dense vectors are used up to this length; what lies beyond is left out. */
const denseMost = 2048
const traitsAt = denseAt + denseMost
const categoriesAt = traitsAt + 32
const categoryColumns = 256

export const designColumns = categoriesAt + categoryColumns

export interface BlockScales {
  /** Of the dense vector beside the lexical one's 1. */
  readonly dense: number
  readonly traits: number
  readonly category: number
}

export const defaultScales: BlockScales = { dense: 1, traits: 0.25, category: 0.5 }

/** Columns of a request. Linear in its n-grams. */
export function rowOf(features: Features, scales: BlockScales): Row {
  const { lexical, dense } = features
  const traits = scales.traits === 0 ? [] : traitValues(features)
  const category = scales.category === 0 ? undefined : sureCategory(features)
  const denseLength = dense && scales.dense !== 0 ? Math.min(dense.length, denseMost) : 0
  const size = lexical.indices.length + denseLength + traits.length + (category === undefined ? 0 : 1)
  const columns = new Uint32Array(size)
  const values = new Float32Array(size)
  let at = 0
  const put = (column: number, value: number) => {
    columns[at] = column
    values[at++] = Number.isFinite(value) ? value : 0
  }
  for (let entry = 0; entry < lexical.indices.length; entry++) put((lexical.indices[entry] ?? 0) % lexicalDimensions, lexical.weights[entry] ?? 0)
  for (let entry = 0; entry < denseLength; entry++) put(denseAt + entry, scales.dense * (dense?.[entry] ?? 0))
  traits.forEach((value, trait) => put(traitsAt + trait, scales.traits * value))
  if (category !== undefined) put(categoriesAt + hash(category), scales.category)
  let squaredLength = 0
  for (const value of values) squaredLength += value * value
  return { columns, values, squaredLength }
}

/** Facts of a request, each brought to about [-1, 1] by fixed scales, so that nothing has to be fitted before the first prediction. */
export function traitValues({ traits, difficulty, text }: Features): readonly number[] {
  const words = text.length === 0 ? 1 : text.split(/\s+/, 2000).length
  const lines = text.length === 0 ? 1 : text.split('\n', 500).length
  return [
    (Math.log1p(traits.inputTokens) - 4.5) / 2,
    (Math.log1p(traits.characters) - 6) / 2,
    flag(traits.tools),
    flag(traits.toolLoop),
    flag(traits.images),
    flag(traits.structured),
    flag(traits.code),
    flag(traits.fresh),
    flag(traits.dates),
    Math.min(1, 4 * traits.numeric),
    Math.min(1, traits.stepCues / 3),
    Math.min(1, traits.choices / 5),
    2 * difficulty.value - 1,
    Math.min(1, Math.log1p(Math.max(0, traits.turns - 1)) / 3),
    (traits.characters / words - 6) / 4,
    Math.min(1, Math.log1p(lines) / 4),
    Math.min(1, countOf(text, /\d+/g) / 10),
    Math.min(1, countOf(text, /[.?!](\s|$)/g) / 10),
    flag(/\b(not|except|never|incorrect|false)\b/i.test(text)),
    flag(text.includes('_')),
    flag(/\bstatement 1\b/i.test(text)),
    flag(/\b(all|none|both|neither) of\b/i.test(text)),
    Math.min(1, countOf(text, /\b[A-Z][a-z]+/g) / 20),
    Math.min(1, countOf(text, /[$\\^=+*/%]/g) / 10),
  ]
}

/** Matches in the first 4,096 characters. */
function countOf(text: string, pattern: RegExp): number {
  let found = 0
  for (const _ of text.slice(0, 4096).matchAll(pattern)) found++
  return found
}

function flag(value: boolean): number {
  return value ? 1 : 0
}

function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return ((value ^ (value >>> 15)) >>> 0) % categoryColumns
}
