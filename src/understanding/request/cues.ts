import { folded, wordsOf } from '../lexical/characters.js'

/** A word or several, in the order in which they must follow each other, with what they speak for. */
interface Phrase {
  readonly rest: readonly string[]
  readonly tag: string
  readonly weight: number
}

/** Finds phrases in a text's words: one look-up a word. */
export interface CueMatcher {
  /** Weights found, summed by tag; tags without a find are absent. Of phrases that begin at one word, each is counted. */
  match(words: readonly string[]): ReadonlyMap<string, number>
}

/**
 * Cues by tag: words and phrases, split as texts are; a phrase's weight is 1, or the number after a colon ("def:2"). Case, apostrophes and
 * full-width forms don't matter.
 */
export function createCueMatcher(cues: Readonly<Record<string, readonly string[]>>): CueMatcher {
  const byFirst = new Map<string, Phrase[]>()
  for (const [tag, phrases] of Object.entries(cues)) {
    for (const phrase of phrases.flatMap((line) => line.split(/\s*,\s*/))) {
      const [said = '', weight = '1'] = phrase.split(':')
      const [first, ...rest] = wordsOf(folded(said))
      if (first === undefined) continue
      byFirst.set(first, [...(byFirst.get(first) ?? []), { rest, tag, weight: Number(weight) }])
    }
  }
  // Most words begin no phrase: a look at two of their letters tells that of most of them without a look-up by the whole word.
  const shapes = new Uint8Array(shapeCells)
  for (const first of byFirst.keys()) shapes[shapeOf(first)] = 1
  return {
    match(words) {
      let found: Map<string, number> | undefined
      for (let at = 0; at < words.length; at++) {
        const word = words[at] ?? ''
        const phrases = shapes[shapeOf(word)] === 1 ? byFirst.get(word) : undefined
        if (phrases === undefined) continue
        found ??= new Map()
        for (const { rest, tag, weight } of phrases) if (follows(words, at + 1, rest)) found.set(tag, (found.get(tag) ?? 0) + weight)
      }
      return found ?? nothing
    },
  }
}

const nothing: ReadonlyMap<string, number> = new Map()
const shapeCells = 1 << 12

/** Length, first and third letter of a word in one number below `shapeCells`. */
function shapeOf(word: string): number {
  const { length } = word
  const first = length > 0 ? word.charCodeAt(0) : 0
  const third = length > 2 ? word.charCodeAt(2) : 0
  return (first * 0x25 + third * 0x1f1 + length * 0x59) & (shapeCells - 1)
}

function follows(words: readonly string[], at: number, rest: readonly string[]): boolean {
  for (let step = 0; step < rest.length; step++) if (words[at + step] !== rest[step]) return false
  return true
}
