import { createHash } from 'node:crypto'

/**
 * What a record may say at most. Nothing real is beyond: but what can't be written would keep everything after it out of the database, so
 * it is taken as the most there is.
 */

const mostTokens = 1e12
/** A billion dollars for one call: sums of millions of such calls have room. */
/** Seconds, joules and grams: sums of millions of these have digits left for small ones. */
const mostReal = 1e12
const leastReal = 1e-200
const mostMoney = 10n ** 21n
/** The end of the year 9999. */
const latest = 253_402_300_799

export function wholeInRange(value: number): number {
  return Math.max(-mostTokens, Math.min(mostTokens, Math.ceil(value)))
}

/** A number that a column of 32 bits has room for. */
export function smallInRange(value: number): number {
  return Math.max(0, Math.min(2 ** 31 - 1, Math.round(value)))
}

export function realInRange(value: number): number {
  if (Math.abs(value) < leastReal) return 0
  return Math.max(-mostReal, Math.min(mostReal, value))
}

export function moneyInRange(money: bigint): bigint {
  return money > mostMoney ? mostMoney : money < -mostMoney ? -mostMoney : money
}

/** Unix seconds as a time whose hour and day have names. */
export function timeInRange(seconds: number): number {
  return Math.max(0, Math.min(latest, seconds))
}

/** A moment as it is written: any number but those too small to be written. */
export function momentInRange(seconds: number): number {
  return Math.abs(seconds) < leastReal ? 0 : seconds
}

const most64 = 2n ** 63n - 1n

/** Grains as a column of 64 bits has them: what is more than that is the most. */
export function grainsInRange(grains: bigint): bigint {
  return grains > most64 ? most64 : grains < -most64 ? -most64 : grains
}

const longestText = 256

/**
 * A text as both engines can have it in an index: PostgreSQL has no zero character, UTF-8 no half of a surrogate pair, and an entry of an
 * index has an end. What is longer than 256 characters keeps its beginning, and is told from others by a digest.
 */
export function textInRange(text: string, longest = longestText): string {
  if (text.length <= longest && !unusual.test(text)) return text
  const usual = text.replace(/[\0\p{Cs}]/gu, '\ufffd')
  if (usual.length <= longest) return usual
  return `${usual.slice(0, longest - 68).replace(/[\ud800-\udbff]$/, '')}… ${createHash('sha256').update(text).digest('hex')}`
}

// Halves of pairs too; those of whole pairs come out of `textInRange` as they were.
const unusual = /[\0\ud800-\udfff]/

/** The same for texts that are in no index: of any length. */
export function anyText(text: string): string {
  return unusual.test(text) ? text.replace(/[\0\p{Cs}]/gu, '\ufffd') : text
}
