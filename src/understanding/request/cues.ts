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
  return {
    match(words) {
      const found = new Map<string, number>()
      for (let at = 0; at < words.length; at++) {
        const phrases = byFirst.get(words[at] ?? '')
        if (phrases === undefined) continue
        for (const { rest, tag, weight } of phrases) if (follows(words, at + 1, rest)) found.set(tag, (found.get(tag) ?? 0) + weight)
      }
      return found
    },
  }
}

function follows(words: readonly string[], at: number, rest: readonly string[]): boolean {
  for (let step = 0; step < rest.length; step++) if (words[at + step] !== rest[step]) return false
  return true
}
