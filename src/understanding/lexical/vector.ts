import type { SparseVector } from '../features.js'
import { apostrophe, classOf, folded, ideograph, letter, separator } from './characters.js'
import { stopWords } from './stop-words.js'

/**
 * The lexical representation: hashed word unigrams and bigrams, and character 3- to 5-grams within the borders of words ("hashing trick",
 * Weinberger et al. 2009), damped term frequency 1 + ln tf, times idf, each half brought to unit length, then both mixed to unit length.
 */

/** How much an n-gram tells, by its index. */
export interface TermWeights {
  weight(index: number): number
}

const halfBits = 17
/** Where the character n-grams begin: indices below are words and pairs of words. */
export const characterHalf = 1 << halfBits
/** Size of the index space. */
export const lexicalDimensions = 2 * characterHalf

const shortestGram = 3
const longestGram = 5
/** Squared length that words have of the whole; character n-grams the rest. */
const wordShare = 0.5
/** Weight of pairs beside single words. */
const pairWeight = 0.7
/** Weight of a stop word where no document frequencies are known. */
const stopWeight = 0.25
const border = 0x20

/** Counts by index of the text in hand, with the indices that are not 0: reused, since a text is finished before the next begins. */
const counts = new Uint16Array(lexicalDimensions)
const priors = new Float32Array(lexicalDimensions)
const touched = new Uint32Array(1 << 17)
let touchedCount = 0

const offset = 0x811c9dc5
const prime = 0x01000193

/** Spreads a hash over all its bits (finalizer of MurmurHash3), under the salt, and takes the highest. */
function slot(hash: number, salt: number): number {
  let mixed = hash ^ salt
  mixed ^= mixed >>> 16
  mixed = Math.imul(mixed, 0x85ebca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> (32 - halfBits)
}

function hashOf(word: string): number {
  let hash = offset
  for (let at = 0; at < word.length; at++) hash = Math.imul(hash ^ word.charCodeAt(at), prime)
  return hash
}

const stopHashes: ReadonlySet<number> = new Set(stopWords.map(hashOf))

function add(index: number, prior: number): void {
  const before = counts[index] ?? 0
  if (before === 0) {
    if (touchedCount === touched.length) return
    touched[touchedCount++] = index
    priors[index] = prior
  } else if (prior > (priors[index] ?? 0)) priors[index] = prior
  if (before < 0xffff) counts[index] = before + 1
}

/** Units of the word in hand, with a border at each end. */
const word = new Uint16Array(2 * 4096 + 2)
let wordLength = 0

/** The n-grams of the word in hand. Every start hashes on from its shortest to its longest gram, so that each costs one multiplication. */
function addGrams(prior: number, salt: number): void {
  word[0] = border
  word[wordLength + 1] = border
  const end = wordLength + 2
  for (let start = 0; start + shortestGram <= end; start++) {
    let hash = offset
    const last = Math.min(start + longestGram, end)
    for (let at = start; at < last; at++) {
      hash = Math.imul(hash ^ (word[at] ?? 0), prime)
      if (at - start >= shortestGram - 1) add(characterHalf + slot(hash ^ (at - start), salt), prior)
    }
  }
}

/** Counts the n-grams of a text into `counts`; `touched` holds where. */
function count(text: string, salt: number): void {
  const same = folded(text)
  let before = 0
  let beforePrior = 0
  const addWord = (hash: number, prior: number) => {
    add(slot(hash, salt), prior)
    if (before !== 0) add(slot(Math.imul(before, 31) ^ hash ^ 0x5bd1e995, salt), pairWeight * Math.max(prior, beforePrior))
    before = hash
    beforePrior = prior
  }
  let hash = offset
  wordLength = 0
  /** Of what class the characters in `word` are. */
  let run = separator
  const end = () => {
    if (wordLength === 0) return
    const prior = run === letter && stopHashes.has(hash) ? stopWeight : 1
    if (run === letter) addWord(hash, prior)
    addGrams(prior, salt)
    wordLength = 0
    hash = offset
  }
  for (let at = 0; at < same.length; at++) {
    const unit = same.charCodeAt(at)
    const found = classOf(unit)
    if (found === apostrophe) continue
    if (found !== run) end()
    run = found
    if (found === separator) continue
    if (found === letter || found === ideograph) {
      word[++wordLength] = unit
      if (found === letter) hash = Math.imul(hash ^ unit, prime)
      else addWord(Math.imul(offset ^ unit, prime), 1)
    } else addWord(Math.imul(offset ^ unit, prime), stopWeight)
  }
  end()
}

/** The distinct indices of a text's n-grams, ascending. What document frequencies are counted by. */
export function lexicalIndices(text: string, salt: number): Uint32Array {
  count(text, salt)
  const indices = touched.slice(0, touchedCount).sort()
  clear()
  return indices
}

function clear(): void {
  for (let at = 0; at < touchedCount; at++) counts[touched[at] ?? 0] = 0
  touchedCount = 0
}

const logs = Float64Array.from({ length: 256 }, (_, value) => 1 + Math.log(Math.max(1, value)))

/**
 * A text's vector: unit length, indices ascending, below `lexicalDimensions`; no entries for a text without any n-gram. Without `idf`, stop words
 * weigh less instead. The salt keeps the indices of one installation from meaning anything in another. Linear in the text (n-grams to be sorted
 * besides); at most twice `longestText` characters are looked at.
 */
export function lexicalVector(text: string, idf: TermWeights | undefined, salt: number): SparseVector {
  count(text, salt)
  const indices = touched.slice(0, touchedCount).sort()
  const weights = new Float32Array(indices.length)
  let words = 0
  let characters = 0
  for (let at = 0; at < indices.length; at++) {
    const index = indices[at] ?? 0
    const frequency = counts[index] ?? 0
    const damped = logs[frequency] ?? 1 + Math.log(frequency)
    const weight = damped * (priors[index] ?? 1) * (idf === undefined ? 1 : idf.weight(index))
    weights[at] = weight
    if (index < characterHalf) words += weight * weight
    else characters += weight * weight
  }
  clear()
  // A text of signs alone has only one half, which then has all of the length.
  const wordScale = words === 0 ? 0 : Math.sqrt((characters === 0 ? 1 : wordShare) / words)
  const characterScale = characters === 0 ? 0 : Math.sqrt((words === 0 ? 1 : 1 - wordShare) / characters)
  for (let at = 0; at < indices.length; at++) weights[at] = (weights[at] ?? 0) * ((indices[at] ?? 0) < characterHalf ? wordScale : characterScale)
  return { indices, weights }
}
