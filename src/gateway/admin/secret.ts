import { randomInt } from 'node:crypto'
import { hashKey } from '../keys.js'

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** 43 letters of 62 are 256 bits. */
const KEY_LETTERS = 43
const ID_LETTERS = 16
/** Letters of the key that are kept to tell it by; the rest stays beyond guessing. */
const SHOWN = 'bk-'.length + 4

/** A new key: its text, to be shown once, and what is kept of it. */
export function makeSecret(): { readonly text: string; readonly hash: string; readonly prefix: string } {
  const text = `bk-${letters(KEY_LETTERS)}`
  return { text, hash: hashKey(text), prefix: text.slice(0, SHOWN) }
}

export function makeKeyId(): string {
  return `key_${letters(ID_LETTERS)}`
}

/** An id for an account that was given none. */
export function makeAccountId(kind: string): string {
  return `${kind}-${letters(10)}`
}

function letters(count: number): string {
  return Array.from({ length: count }, () => LETTERS[randomInt(LETTERS.length)]).join('')
}
