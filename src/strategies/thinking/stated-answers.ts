import { answerKey } from '../agreement/index.js'

/** An answer that a text states in so many words. */
export interface StatedAnswer {
  /** In the form of `answerKey`: equal answers are equal texts. */
  readonly key: string
  /** Where the statement ends. */
  readonly end: number
}

const statements = [
  // Marked: "the (final) answer is 5", "Answer: 5", "#### 5", "A: 5" at a line's beginning.
  /\banswer(?:\s+(?:is|would be|must be|should be|comes to)|\s*[:=])\s*:?\s*([^\n]{1,120})/giu,
  /(?:^|\n)\s*(?:####|A:)\s*([^\n]{1,120})/gu,
]

/** The answers that a text states, in their order. O(characters). */
export function statedAnswers(text: string): readonly StatedAnswer[] {
  const found: { readonly start: number; readonly stated: StatedAnswer }[] = []
  const add = (start: number, end: number, said: string): void => {
    const key = answerKey(`\\boxed{${said}}`)
    if (key !== null) found.push({ start, stated: { key, end } })
  }
  for (let at = text.indexOf('\\boxed{'); at >= 0; at = text.indexOf('\\boxed{', at + 7)) {
    const end = closingBrace(text, at + 6)
    if (end > 0) add(at, end + 1, text.slice(at + 7, end))
  }
  for (const pattern of statements)
    for (const match of text.matchAll(pattern)) {
      const said = firstClause(match[1] ?? '')
      // "the answer is \boxed{5}" is one statement, not two.
      if (said !== '' && !said.includes('\\boxed')) add(match.index, match.index + match[0].length, said)
    }
  return found.sort((a, b) => a.start - b.start).map(({ stated }) => stated)
}

/** Up to the end of the sentence; a point between digits ends none. */
function firstClause(text: string): string {
  const end = text.search(/[.!?;](?:\s|$)|,\s/u)
  return (end < 0 ? text : text.slice(0, end)).replaceAll('**', '').replaceAll('$', '').trim()
}

function closingBrace(text: string, open: number): number {
  let depth = 0
  for (let at = open; at < text.length; at++) {
    if (text[at] === '{') depth++
    else if (text[at] === '}' && --depth === 0) return at
  }
  return -1
}
