/**
 * What each UTF-16 code unit is to a text's words. A table that fills itself, so that a look-up costs one read and no script is special-cased
 * beyond this: words of Han and kana aren't told apart by spaces, so each of their characters is a word of its own.
 */

export type CharacterClass = number

/** Between words. */
export const separator = 0
/** A letter, mark or digit of a script that separates its words; also halves of surrogate pairs (rare scripts, emoji). */
export const letter = 1
/** A Han or kana character. */
export const ideograph = 2
/** An apostrophe: inside of a word it neither counts nor ends it ("don’t" is "dont"). */
export const apostrophe = 3
/** A sign that mathematics, code and money are written with: a word of its own. */
export const sign = 4

const unseen = 255
const classes = new Uint8Array(0x10000).fill(unseen)
const signs = new Set('+-*/=<>^%$#@&|\\{}[]~_€£¥±×÷√∑∫≤≥≠≈π∞°'.split('').map((character) => character.charCodeAt(0)))

/** Class of a UTF-16 code unit. */
export function classOf(unit: number): CharacterClass {
  const known = classes[unit] ?? separator
  if (known !== unseen) return known
  return (classes[unit] = classify(unit))
}

function classify(unit: number): CharacterClass {
  if (unit >= 0xd800 && unit <= 0xdfff) return letter
  const character = String.fromCharCode(unit)
  if (character === "'" || character === '’') return apostrophe
  if (signs.has(unit)) return sign
  if (/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(character)) return ideograph
  return /[\p{L}\p{M}\p{N}]/u.test(character) ? letter : separator
}

/** Most characters of a text that are looked at word by word. */
export const longestText = 3072

/**
 * A text as it is compared: compatibility forms made one (full-width digits, ligatures), lower case. Some characters become many, so the
 * result is bounded by itself: at most `bound` characters.
 */
export function folded(text: string, bound: number = 2 * longestText): string {
  const begun = text.length > bound ? text.slice(0, bound) : text
  const same = (isAscii(begun) ? begun : begun.normalize('NFKC')).toLowerCase()
  return same.length > bound ? same.slice(0, bound) : same
}

/** ASCII has no other forms of its characters. */
function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

/** Words of a folded text, in order: runs of letters without their apostrophes, single ideographs, single signs. Linear. */
export function wordsOf(text: string): readonly string[] {
  const words: string[] = []
  let start = -1
  let marks = false
  const end = (at: number) => {
    if (start < 0) return
    const word = text.slice(start, at)
    words.push(marks ? word.replace(/['’]+/g, '') : word)
    start = -1
    marks = false
  }
  for (let at = 0; at < text.length; at++) {
    const found = classOf(text.charCodeAt(at))
    if (found === letter) {
      if (start < 0) start = at
    } else if (found === apostrophe) marks = true
    else {
      end(at)
      if (found !== separator) words.push(text.charAt(at))
    }
  }
  end(text.length)
  return words
}
