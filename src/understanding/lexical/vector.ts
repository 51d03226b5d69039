import type { SparseVector } from '../features.js'
import { apostrophe, classOf, folded, ideograph, letter, longestText, separator, sign, type CharacterClass } from './characters.js'
import { stopWords } from './stop-words.js'

/**
 * The lexical representation: hashed word unigrams and bigrams, and character 3- and 4-grams within the borders of words ("hashing trick",
 * Weinberger et al. 2009), damped term frequency 1 + ln tf, times idf, each half brought to unit length, then both mixed to unit length.
 * The constants were compared on question pairs that are no part of this repository (`npm run bench:understanding` measures the outcome): 5-grams made
 * vectors a third longer and pairs no better told apart, nor did 2^19 indices instead of 2^18.
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
const longestGram = 4
/** Squared length that words have of the whole; character n-grams the rest. */
const wordShare = 0.5
/** Weight of pairs beside single words. */
const pairWeight = 0.3
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
/** Tells a pair of words from a word. */
const pairMark = 0x5bd1e995

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
  const seen = counts[index] ?? 0
  if (seen === 0) {
    if (touchedCount === touched.length) return
    touched[touchedCount++] = index
    priors[index] = prior
  } else if (prior > (priors[index] ?? 0)) priors[index] = prior
  if (seen < 0xffff) counts[index] = seen + 1
}

/** Units of the word in hand, with a border at each end. */
const word = new Uint16Array(2 * longestText + 2)
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

/** The word before the one in hand, and its prior: kept outside of the loop, as 32-bit numbers. */
const before = { hash: new Int32Array(1), prior: 0, any: false }

function addWord(hash: number, prior: number, salt: number): void {
  add(slot(hash, salt), prior)
  const { hash: last } = before
  if (before.any) add(slot(Math.imul(last[0] ?? 0, 31) ^ hash ^ pairMark, salt), pairWeight * Math.max(prior, before.prior))
  last[0] = hash
  before.prior = prior
  before.any = true
}

/** Ends the word in hand, whose letters hash to `hash`; a run of ideographs was counted word by word already. */
function endWord(run: CharacterClass, hash: number, salt: number): void {
  const prior = run === letter && stopHashes.has(hash) ? stopWeight : 1
  if (run === letter) addWord(hash, prior, salt)
  addGrams(prior, salt)
  wordLength = 0
}

/** Counts the n-grams of a folded text into `counts`; `touched` holds where. */
function count(same: string, salt: number): void {
  before.any = false
  wordLength = 0
  let hash = offset
  /** Of what class the characters in `word` are. */
  let run: CharacterClass = separator
  for (let at = 0; at < same.length; at++) {
    const unit = same.charCodeAt(at)
    const found = classOf(unit)
    if (found === apostrophe) continue
    if (found !== run) {
      if (wordLength > 0) endWord(run, hash, salt)
      hash = offset
      run = found
    }
    if (found === letter) {
      word[++wordLength] = unit
      hash = Math.imul(hash ^ unit, prime)
    } else if (found === ideograph) {
      word[++wordLength] = unit
      addWord(Math.imul(offset ^ unit, prime), 1, salt)
    } else if (found === sign) addWord(Math.imul(offset ^ unit, prime), stopWeight, salt)
  }
  if (wordLength > 0) endWord(run, hash, salt)
}

/** The distinct indices of a text's n-grams, ascending. What document frequencies are counted by. */
export function lexicalIndices(text: string, salt: number): Uint32Array {
  count(folded(text), salt)
  const indices = ascending()
  clear()
  return indices
}

/** Half of the bits of an index. */
const digitBits = (halfBits + 1) / 2
const digits = 1 << digitBits
const lowPlaces = new Uint32Array(digits)
const highPlaces = new Uint32Array(digits)
const byLow = new Uint32Array(touched.length)

/** What was touched, ascending: by its lower and then its upper nine bits, which takes a fifth of the time that comparing takes. */
function ascending(): Uint32Array {
  lowPlaces.fill(0)
  highPlaces.fill(0)
  for (let at = 0; at < touchedCount; at++) {
    const index = touched[at] ?? 0
    const low = index & (digits - 1)
    const high = index >>> digitBits
    lowPlaces[low] = (lowPlaces[low] ?? 0) + 1
    highPlaces[high] = (highPlaces[high] ?? 0) + 1
  }
  let lows = 0
  let highs = 0
  for (let digit = 0; digit < digits; digit++) {
    const low = lowPlaces[digit] ?? 0
    const high = highPlaces[digit] ?? 0
    lowPlaces[digit] = lows
    highPlaces[digit] = highs
    lows += low
    highs += high
  }
  for (let at = 0; at < touchedCount; at++) {
    const index = touched[at] ?? 0
    const low = index & (digits - 1)
    const place = lowPlaces[low] ?? 0
    lowPlaces[low] = place + 1
    byLow[place] = index
  }
  const out = new Uint32Array(touchedCount)
  for (let at = 0; at < touchedCount; at++) {
    const index = byLow[at] ?? 0
    const high = index >>> digitBits
    const place = highPlaces[high] ?? 0
    highPlaces[high] = place + 1
    out[place] = index
  }
  return out
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
  return foldedVector(folded(text), idf, salt)
}

/** The same of a text that is folded already. */
export function foldedVector(same: string, idf: TermWeights | undefined, salt: number): SparseVector {
  count(same, salt)
  const indices = ascending()
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
  for (let at = 0; at < indices.length; at++)
    weights[at] = (weights[at] ?? 0) * ((indices[at] ?? 0) < characterHalf ? wordScale : characterScale)
  return { indices, weights }
}
