/** What a text looks like, whatever it says: plain counts in one pass each. */

export const wordKind = 1
export const signKind = 2
/** What `wordPattern` says of each ASCII character: part of a word, a sign by itself, or space (0). */
export const asciiKinds = Uint8Array.from({ length: 128 }, (_, unit) => {
  const character = String.fromCharCode(unit)
  return /[\p{L}\p{N}]/u.test(character) ? wordKind : /\s/.test(character) ? 0 : signKind
})

export function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

export interface Shape {
  /** Texts between spaces, at most 2,000; lines, at most 500. */
  readonly words: number
  readonly lines: number
  /** In the first 4,096 characters: numbers, ends of sentences, words with a capital, signs of formulas. */
  readonly numbers: number
  readonly sentences: number
  readonly capitals: number
  readonly signs: number
}

/** How a text is laid out. Linear in the text. */
export function shapeOf(text: string): Shape {
  if (text.length > shapeLength || !isAscii(text)) {
    return {
      words: text.length === 0 ? 1 : text.split(/\s+/, 2000).length,
      lines: text.length === 0 ? 1 : text.split('\n', 500).length,
      numbers: countOf(text, /\d+/g),
      sentences: countOf(text, /[.?!](\s|$)/g),
      capitals: countOf(text, /\b[A-Z][a-z]+/g),
      signs: countOf(text, /[$\\^=+*/%]/g),
    }
  }
  // One pass counts the same in a short ASCII text.
  let [words, lines, numbers, sentences, capitals, signs] = [1, 1, 0, 0, 0, 0]
  let before = 0x20
  let spaceBefore = false
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    const space = asciiKinds[unit] === 0
    if (space && !spaceBefore) words += 1
    if (unit === 0x0a) lines += 1
    if (isDigit(unit) && !isDigit(before)) numbers += 1
    if (unit === 0x2e || unit === 0x3f || unit === 0x21) {
      if (at + 1 === text.length || asciiKinds[text.charCodeAt(at + 1)] === 0) sentences += 1
    } else if (unit >= 0x41 && unit <= 0x5a && asciiKinds[before] !== wordKind && before !== 0x5f) {
      const next = text.charCodeAt(at + 1)
      if (next >= 0x61 && next <= 0x7a) capitals += 1
    } else if (formulaSigns.has(unit)) signs += 1
    before = unit
    spaceBefore = space
  }
  return { words: Math.min(2000, words), lines: Math.min(500, lines), numbers, sentences, capitals, signs }
}

const shapeLength = 4096
const formulaSigns = new Set([...'$\\^=+*/%'].map((sign) => sign.charCodeAt(0)))

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39
}

/** Matches in the first 4,096 characters. */
function countOf(text: string, pattern: RegExp): number {
  let found = 0
  for (const _ of text.slice(0, 4096).matchAll(pattern)) found++
  return found
}

/** The figures in the first 4,096 characters of a text: how they are written tells how an answer will be marked. */
export interface Figures {
  /** Numbers with a decimal point. */
  readonly decimals: number
  /** Signs of a currency: $, £, ¥, €. */
  readonly money: number
  readonly percents: number
  /** Numbers of three digits and more. */
  readonly long: number
  /** The largest number, commas between thousands read and decimals left out; at most 10¹². */
  readonly largest: number
  readonly commas: number
}

/** Linear in what it looks at. */
export function figuresOf(text: string): Figures {
  let [decimals, money, percents, long, largest, commas] = [0, 0, 0, 0, 0, 0]
  let [value, digits] = [0, 0]
  let afterPoint = false
  const end = Math.min(text.length, shapeLength)
  for (let at = 0; at <= end; at++) {
    const unit = at < end ? text.charCodeAt(at) : space
    if (isDigit(unit)) {
      if (afterPoint) continue
      digits += 1
      value = value * 10 + unit - 0x30
      continue
    }
    const inside = digits > 0 && at + 1 < end && isDigit(text.charCodeAt(at + 1))
    if (unit === comma) {
      commas += 1
      if (inside && !afterPoint) continue
    } else if (unit === point && inside && !afterPoint) {
      decimals += 1
      afterPoint = true
      continue
    } else if (unit === percent) percents += 1
    else if (currencies.has(unit)) money += 1
    if (digits === 0) continue
    if (digits >= 3) long += 1
    if (value > largest) largest = value
    value = 0
    digits = 0
    afterPoint = false
  }
  return { decimals, money, percents, long, largest: Math.min(1e12, largest), commas }
}

const space = 0x20
const comma = 0x2c
const point = 0x2e
const percent = 0x25
const currencies: ReadonlySet<number> = new Set([...'$£¥€'].map((sign) => sign.charCodeAt(0)))
