import type { Completion } from '../../environment/index.js'
import { textOf } from '../calls.js'
import type { AnswerHint } from './answer-hint.js'
import { canonicalJson, dateKey, numberKey, plainLatex } from './canonical.js'

/** Characters at the end of a text that are looked at, and the longest answer in words that is compared as it stands. */
const SEEN = 20_000
const LONGEST_ANSWER = 80
/** No answer is longer as it is written, marks included: longer ones are not read, which bounds the time of the patterns below. */
const LONGEST_WRITTEN = 500
/** A text of more words is a sentence, in which the answer is looked for. */
const MOST_WORDS = 3

/**
 * The answer that a text gives, in a form in which equal answers are equal texts, whatever style it is written in: what stands in the last
 * `\boxed{}`, after "the answer is", "Answer:" or "####", a whole text that is short, a whole JSON text, else the last date or number (or the last
 * letter in brackets, of a multiple-choice question). Keys begin with their form: `n:18`, `c:B`, `d:2021-05-02`, `j:{…}`, `t:paris`. `null` where there is
 * none to compare: long free text, code. O(characters), of the last 20,000 at most.
 */
export function answerKey(text: string, hint: AnswerHint = {}): string | null {
  const seen = withoutThinking(text.slice(-SEEN)).trim()
  if (seen === '') return null
  const json = jsonText(seen)
  if (json !== undefined) return `j:${json}`
  if (hint.kind === 'json') return null
  const marked = boxed(seen) ?? markedAnswer(seen)
  if (marked !== undefined) {
    const key = keyOf(marked, hint)
    if (key !== null) return key
  }
  const whole = seen.length <= LONGEST_ANSWER && !seen.includes('\n') ? keyOf(seen, hint) : null
  if (
    whole !== null &&
    (!whole.startsWith('t:') || hint.kind === 'text' || (hint.kind === undefined && seen.split(/\s+/).length <= MOST_WORDS))
  )
    return whole
  if (seen.includes('```')) return null
  return lastOf(seen, hint) ?? (hint.kind === undefined && !hint.choices ? whole : null)
}

/** The same for an answer of a model: of its text, else of its tool calls, whose names and arguments must be the same. */
export function completionKey(completion: Pick<Completion, 'answer'>, hint: AnswerHint = {}): string | null {
  if (completion.answer.kind !== 'reply') return null
  const choice = completion.answer.reply.choices[0]
  const calls =
    choice?.parts.flatMap((part) =>
      part.type === 'tool_call' ? [`${part.name}(${canonicalJson(part.arguments) ?? part.arguments})`] : [],
    ) ?? []
  if (calls.length > 0) return `f:${calls.sort().join(';').slice(0, SEEN)}`
  // A cut answer has not come to its end, where it is said.
  return choice?.finish === 'length' ? markedOnly(textOf(completion), hint) : answerKey(textOf(completion), hint)
}

function markedOnly(text: string, hint: AnswerHint): string | null {
  const inBox = boxed(withoutThinking(text.slice(-SEEN)))
  return inBox === undefined ? null : keyOf(inBox, hint)
}

/** Leaves out what a model thought aloud between marks. */
function withoutThinking(text: string): string {
  const end = text.lastIndexOf('</think>')
  return end < 0 ? text : text.slice(end + 8)
}

/** The whole text as canonical JSON where it is an object or a list, maybe in a fence. */
function jsonText(text: string): string | undefined {
  const body = text.startsWith('```') && text.endsWith('```') ? text.slice(text.indexOf('\n') + 1, -3).trim() : text
  return body.startsWith('{') || body.startsWith('[') ? canonicalJson(body) : undefined
}

/** What stands in the last `\boxed{…}`, with its own braces. */
function boxed(text: string): string | undefined {
  const start = Math.max(text.lastIndexOf('\\boxed{'), text.lastIndexOf('\\fbox{'))
  if (start < 0) return undefined
  const from = text.indexOf('{', start) + 1
  let depth = 1
  for (let at = from; at < text.length; at++) {
    if (text[at] === '{') depth++
    else if (text[at] === '}' && --depth === 0) return text.slice(from, at)
  }
  return undefined
}

const MARK = /(?:\banswer(?:\s+to\s[^\n:]{1,60}?)?(?:\*\*)?\s*(?:is(?![a-z])|are|=|:)|####|\bans\s*(?:=|:))(?:\*\*)?\s*:?/gi

/** What follows the last mark, up to the end of its sentence. */
function markedAnswer(text: string): string | undefined {
  let from = -1
  for (const mark of text.matchAll(MARK)) from = mark.index + mark[0].length
  if (from < 0) return undefined
  const rest = text.slice(from).trimStart()
  const line = (rest.split('\n', 1)[0] ?? '').trim()
  // A sentence ends at a full stop that no digit follows.
  const end = line.search(/[.;](?:\s|$)/)
  return end > 0 && !/^\(?[A-Z][.)]/.test(line) ? line.slice(0, end) : line
}

/** The key of a short text that is an answer; `null` where it is none. */
function keyOf(raw: string, hint: AnswerHint): string | null {
  if (raw.length > LONGEST_WRITTEN) return null
  const text = plainLatex(raw)
    .replace(/[*_`"“”]/g, '')
    .trim()
    .replace(/[.,;:!]+$/, '')
    .trim()
  if (text === '') return null
  const choice = choiceKey(text, hint)
  if (choice !== null) return choice
  const date = dateKey(text, hint.dayFirst)
  if (date !== null) return `d:${date}`
  const list = text.split(/\s*(?:,|\band\b)\s*/).filter((item) => item !== '')
  const number = numberKey(text)
  if (number !== null) return `n:${number}`
  // Several values without brackets are a set: their order says nothing.
  if (list.length > 1 && list.length <= 20 && list.every((item) => numberKey(item) !== null))
    return `n:${list
      .map((item) => numberKey(item) ?? item)
      .sort()
      .join(',')}`
  if (hint.kind === 'number') return null
  const words = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/^(?:an?|the)\s+/, '')
    .replace(/[\s'’]+/g, ' ')
    .trim()
  const compact = raw.includes('\\') ? words.replace(/\s+/g, '') : words
  return compact === '' || compact.length > LONGEST_ANSWER ? null : `t:${compact}`
}

function choiceKey(text: string, { choices = 0, kind }: AnswerHint): string | null {
  const bare = /^(?:(?:option|choice)\s+)?\(?([A-J])\)?$/i.exec(text)
  const wanted = choices > 0 || kind === 'choice'
  if (bare?.[1] !== undefined && (wanted || bare[1] === bare[1].toUpperCase())) return `c:${bare[1].toUpperCase()}`
  const labelled = /^(?:(?:option|choice)\s+)?(?:\(([A-J])\)|([A-J])[).:])\s*\S/.exec(text)
  const letter = labelled?.[1] ?? labelled?.[2]
  return letter === undefined ? null : `c:${letter}`
}

/** The last thing in a longer text that has the form of an answer. */
function lastOf(text: string, hint: AnswerHint): string | null {
  if ((hint.choices ?? 0) > 0 || hint.kind === 'choice') {
    const letters = [...text.matchAll(/\(([A-J])\)|\b(?:option|choice)\s+([A-J])\b/g)]
    const last = letters.at(-1)
    const letter = last?.[1] ?? last?.[2]
    return letter === undefined ? null : `c:${letter}`
  }
  if (hint.kind === 'text') return null
  const dates = [...text.matchAll(/\b\d{1,2}\/\d{1,2}\/\d{4}\b|\b\d{4}-\d{2}-\d{2}\b/g)]
  const lastDate = dates.at(-1)?.[0]
  if (hint.kind !== 'number' && lastDate !== undefined) {
    const key = dateKey(lastDate, hint.dayFirst)
    if (key !== null) return `d:${key}`
  }
  if (hint.kind === 'date') return null
  const numbers = [...text.matchAll(/(?<![\w.])[-−]?\$?\d[\d,]*(?:\.\d+)?%?(?![\w])/g)]
  const lastNumber = numbers.at(-1)?.[0]
  const key = lastNumber === undefined ? null : numberKey(lastNumber)
  return key === null ? null : `n:${key}`
}
