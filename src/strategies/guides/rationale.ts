import type { Request } from '../../protocol/index.js'

/** Evidence that a small model found for a large one (063): what it quotes, and what it concludes. */
export interface Rationale {
  readonly spans: readonly string[]
  readonly inference: string
}

/** Tokens that a rationale may take (063: at most 80), with room for marks. */
export const RATIONALE_TOKENS = 120

export const rationalePrompt = `Don't answer this yet. For a colleague who will, find what in the text above decides it.
Write at most four lines, each a short quote from the text, word for word, between double quotes. Then one last line that begins with "So:" and says in one sentence what follows from them. Nothing else.`

/** What the large model is told of it: to think for itself (063's failure mode is a wrong rationale that misleads). */
export function adoptPrompt({ spans, inference }: Rationale, words: number): string {
  return `A colleague marked this in the text:
${spans.map((span) => `- "${span}"`).join('\n')}
and concludes: ${inference}
The colleague may be wrong. Judge for yourself and overrule the conclusion where it doesn't hold. Answer the question only, without explanation, in at most ${words} words.`
}

/** Reads quotes and conclusion; `null` where there is no quote or no conclusion. O(characters), of the first 5,000. */
export function readRationale(text: string): Rationale | null {
  const lines = text.slice(0, 5000).split('\n')
  const at = lines.findLastIndex((line) => /^\W*so:/i.test(line))
  if (at < 0) return null
  const inference = (lines[at] ?? '').replace(/^\W*so:/i, '').trim()
  const spans = lines
    .slice(0, at)
    .flatMap((line) => [...line.matchAll(/["“”„«]([^"“”„«»]{3,300})["“”»]/g)].map((match) => (match[1] ?? '').trim()))
  const unique = [...new Set(spans)].filter((span) => span !== '').slice(0, 8)
  return unique.length === 0 || inference === '' ? null : { spans: unique, inference: inference.slice(0, 400) }
}

/** Whether every quote stands in the conversation, whatever the spaces, case and form of quotes (063's string check). O(spans × characters). */
export function quotesHold({ spans }: Rationale, request: Request): boolean {
  const context = plainText(
    request.messages.flatMap(({ parts }) => parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))).join('\n'),
  )
  return spans.every((span) => context.includes(plainText(span)))
}

/** Whether two rationales cite the same places: every quote of each overlaps one of the other's. */
export function citeAlike(a: Rationale, b: Rationale): boolean {
  return (
    a.spans.every((span) => b.spans.some((other) => overlap(span, other))) &&
    b.spans.every((span) => a.spans.some((other) => overlap(span, other)))
  )
}

/** One holds the other, or half of their words are shared. */
function overlap(a: string, b: string): boolean {
  const [left, right] = [plainText(a), plainText(b)]
  if (left.includes(right) || right.includes(left)) return true
  const [words, others] = [new Set(left.split(' ')), new Set(right.split(' '))]
  const shared = [...words].filter((word) => others.has(word)).length
  return shared / (words.size + others.size - shared) >= 0.5
}

function plainText(text: string): string {
  return text
    .toLowerCase()
    .replace(/[“”„«»]/g, '"')
    .replace(/[‘’]/g, "'")
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[.,;:!?]+$/, '')
}
