import { lexicalDimensions, type Features } from '../../understanding/index.js'
import { sureCategory } from './arm-means.js'
import type { ByteReader, ByteWriter } from './bytes.js'
import { asciiKinds, figuresOf, isAscii, shapeOf, signKind, wordKind } from './text-shape.js'

/**
 * A request as the row of a design matrix: words and pairs of words with every sign of punctuation a word of its own (how a question is put tells
 * as much of its difficulty as what it is about), the lexical vector, the dense one, traits, the category. Each block is scaled so that its squared
 * length is about its scale's square.
 */
export interface Row {
  /** Every one below `designColumns`. */
  readonly columns: Uint32Array
  readonly values: Float32Array
  /** Σ values². */
  readonly squaredLength: number
}

export interface Design {
  /** Counts a request's words, for their weights in rows made from now on. */
  meet(features: Features): void
  /** Linear in the request's words and n-grams. */
  row(features: Features): Row
  write(to: ByteWriter): void
}

const wordColumns = 1 << 18
const lexicalAt = wordColumns
const denseAt = lexicalAt + lexicalDimensions
/** Dense vectors are used up to this length; what lies beyond is left out. */
const denseMost = 2048
const traitsAt = denseAt + denseMost
const categoriesAt = traitsAt + 32
const categoryColumns = 256

export const designColumns = categoriesAt + categoryColumns

export interface BlockScales {
  readonly words: number
  readonly lexical: number
  readonly dense: number
  readonly traits: number
  readonly category: number
}

export const defaultScales: BlockScales = { words: 1, lexical: 0.35, dense: 0.7, traits: 0.1, category: 0.35 }

/** Characters of a text whose words are counted. */
const longestText = 8192
const wordPattern = /[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu

export function createDesign(scales: BlockScales, from?: ByteReader): Design {
  const frequencies = from ? from.u32(wordColumns) : new Uint32Array(wordColumns)
  let documents = from ? from.count(Number.MAX_SAFE_INTEGER) : 0
  // Of the request in hand: it is predicted for, met and learned from several times in a row.
  let counted: { readonly text: string; readonly counts: ReadonlyMap<number, number> } | undefined
  let valued: { readonly features: Features; readonly values: readonly number[] } | undefined
  const wordsOf = (text: string) => (counted?.text === text ? counted : (counted = { text, counts: wordCounts(text) })).counts
  const traitsOf = (features: Features) =>
    (valued?.features === features ? valued : (valued = { features, values: traitValues(features) })).values

  return {
    meet({ text }) {
      documents += 1
      for (const column of wordsOf(text).keys()) frequencies[column] = (frequencies[column] ?? 0) + 1
    },
    row(features) {
      const { lexical, dense } = features
      const words = scales.words === 0 ? nothing : wordsOf(features.text)
      const traits = scales.traits === 0 ? [] : traitsOf(features)
      const category = scales.category === 0 ? undefined : sureCategory(features)
      const denseLength = dense && scales.dense !== 0 ? Math.min(dense.length, denseMost) : 0
      const lexicalLength = scales.lexical === 0 ? 0 : lexical.indices.length
      const size = words.size + lexicalLength + denseLength + traits.length + (category === undefined ? 0 : 1)
      const columns = new Uint32Array(size)
      const values = new Float32Array(size)
      let at = 0
      const put = (column: number, value: number) => {
        columns[at] = column
        values[at++] = Number.isFinite(value) ? value : 0
      }
      let wordLength = 0
      // (1 + ln tf)·(ln((1 + N)/(1 + df)) + 1), the block brought to its scale.
      words.forEach((count, column) => {
        const weight = (1 + Math.log(count)) * (Math.log((1 + documents) / (1 + (frequencies[column] ?? 0))) + 1)
        wordLength += weight * weight
        put(column, weight)
      })
      const wordScale = wordLength > 0 ? scales.words / Math.sqrt(wordLength) : 0
      for (let word = 0; word < at; word++) values[word] = (values[word] ?? 0) * wordScale
      for (let entry = 0; entry < lexicalLength; entry++)
        put(lexicalAt + ((lexical.indices[entry] ?? 0) % lexicalDimensions), scales.lexical * (lexical.weights[entry] ?? 0))
      for (let entry = 0; entry < denseLength; entry++) put(denseAt + entry, scales.dense * (dense?.[entry] ?? 0))
      traits.forEach((value, trait) => put(traitsAt + trait, scales.traits * value))
      if (category !== undefined) put(categoriesAt + (hashOf(category) % categoryColumns), scales.category)
      let squaredLength = 0
      for (const value of values) squaredLength += value * value
      return { columns, values, squaredLength }
    },
    write(to) {
      to.u32(frequencies)
      to.number(documents)
    },
  }
}

const nothing: ReadonlyMap<number, number> = new Map()

/** Words and pairs of neighbours by column. */
function wordCounts(given: string): Map<number, number> {
  const counts = new Map<number, number>()
  const text = given.slice(0, longestText).toLowerCase()
  let before = -1
  const count = (hash: number) => {
    const single = (hash >>> 8) % wordColumns
    counts.set(single, (counts.get(single) ?? 0) + 1)
    if (before >= 0) {
      const pair = (spread(Math.imul(before, 0x85ebca6b) ^ hash) >>> 8) % wordColumns
      counts.set(pair, (counts.get(pair) ?? 0) + 1)
    }
    before = hash
  }
  if (!isAscii(text)) {
    for (const [word] of text.matchAll(wordPattern)) count(hashOf(word))
    return counts
  }
  // The same as the pattern, without a text for every word: most texts are ASCII.
  let hash = hashStart
  let inWord = false
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    const kind = asciiKinds[unit] ?? 0
    if (kind === wordKind) {
      hash = Math.imul(hash ^ unit, hashPrime)
      inWord = true
      continue
    }
    if (inWord) {
      count(spread(hash))
      hash = hashStart
      inWord = false
    }
    if (kind === signKind) count(spread(Math.imul(hashStart ^ unit, hashPrime)))
  }
  if (inWord) count(spread(hash))
  return counts
}

const hashStart = 0x811c9dc5
const hashPrime = 0x01000193
/** Facts of a request, each brought to about [-1, 1] by fixed scales, so that nothing has to be fitted before the first prediction. */
export function traitValues({ traits, difficulty, text }: Features): readonly number[] {
  const { words, lines, numbers, sentences, capitals, signs } = shapeOf(text)
  const { decimals, money, percents, long, largest, commas } = figuresOf(text)
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
    Math.min(1, numbers / 10),
    Math.min(1, sentences / 10),
    flag(/\b(not|except|never|incorrect|false)\b/i.test(text)),
    flag(text.includes('_')),
    flag(/\bstatement 1\b/i.test(text)),
    flag(/\b(all|none|both|neither) of\b/i.test(text)),
    Math.min(1, capitals / 20),
    Math.min(1, signs / 10),
    Math.min(1, decimals / 3),
    Math.min(1, money / 4),
    Math.min(1, percents / 3),
    Math.min(1, Math.log1p(largest) / 12),
    Math.min(1, commas / 8),
    Math.min(1, long / 4),
  ]
}

function flag(value: boolean): number {
  return value ? 1 : 0
}

function hashOf(text: string): number {
  let value = hashStart
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), hashPrime)
  return spread(value)
}

/** Finalizer of MurmurHash3. */
function spread(value: number): number {
  let mixed = value ^ (value >>> 16)
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
