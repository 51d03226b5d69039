/**
 * What a prompt says that an argument may be made of. A real model reads; the simulator only finds quoted words, names,
 * numbers, addresses and dates, which is enough for arguments that look as if they came from the prompt.
 */
export interface Hints {
  readonly text: string
  readonly quoted: readonly string[]
  /** Names: runs of words with a capital that don't begin a sentence. */
  readonly names: readonly string[]
  /** Names that stand after `in`, `to`, `for` and the like, and those joined to them by `and` or a comma. */
  readonly places: readonly string[]
  readonly numbers: readonly number[]
  readonly email: string | undefined
  readonly url: string | undefined
  readonly date: string | undefined
  /** The answer to the prompt's question, where the simulator knows one. */
  readonly answer?: string | undefined
}

const LONGEST_TEXT = 4_000
const NAME = String.raw`\p{Lu}[\p{L}\p{M}’'-]{1,40}(?: \p{Lu}[\p{L}\p{M}’'-]{1,40}){0,3}`
const NAMES = new RegExp(String.raw`(?<![.!?:\n]\s{0,3})(?<=[\s(“"])${NAME}`, 'gu')
const PLACES = new RegExp(String.raw`\b(?:in|at|to|for|from|of|near|between|about) (${NAME}(?:(?:,? and |, | or )${NAME}){0,9})`, 'gu')
const QUOTED = /["“«]([^"”»\n]{1,200})["”»]|(?<=\s|^)['‘]([^'’\n]{1,200})['’](?=\s|[.,!?]|$)/g

export function findHints(whole: string): Hints {
  const text = firstUnits(whole, LONGEST_TEXT)
  const places = [...text.matchAll(PLACES)].flatMap((match) => (match[1] as string).split(/,? and |, | or /))
  return {
    text,
    quoted: [...text.matchAll(QUOTED)].map((match) => (match[1] ?? match[2]) as string),
    names: [...text.matchAll(NAMES)].map((match) => match[0]),
    places: [...new Set(places)],
    numbers: [...text.matchAll(/(?<![\w.])-?\d{1,12}(?:\.\d{1,6})?(?![\w])/g)].map((match) => Number(match[0])),
    email: /[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}/.exec(text)?.[0],
    url: /https?:\/\/[^\s"'<>)\]]{1,500}/.exec(text)?.[0],
    date: /\b\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d)\b/.exec(text)?.[0],
  }
}

/** The first UTF-16 units of a text, without cutting a character in two. */
function firstUnits(text: string, units: number): string {
  return text.length <= units ? text : text.slice(0, units).replace(/[\ud800-\udbff]$/, '')
}

const PLACE_NAMES = /city|location|place|country|region|town|destination|origin|address|where/i
const TEXT_NAMES = /query|question|text|prompt|input|message|content|search|description|body|instruction|q$/i
const PERSON_NAMES = /name|title|person|author|user|who|recipient|subject|company|product/i

/** What the prompt offers for a string property of this name; `undefined` when it offers nothing. */
export function hintFor(name: string, hints: Hints): string | undefined {
  if (hints.answer !== undefined && /answer|result|solution|output|value/i.test(name)) return hints.answer
  if (PLACE_NAMES.test(name)) return hints.places[0] ?? hints.names[0] ?? hints.quoted[0]
  if (TEXT_NAMES.test(name)) return hints.quoted[0] ?? (firstUnits(hints.text.trim(), 200).trim() || undefined)
  if (PERSON_NAMES.test(name)) return hints.quoted[0] ?? hints.names[0] ?? hints.places[0]
  if (/date|day|when/i.test(name)) return hints.date
  if (/mail/i.test(name)) return hints.email
  if (/url|link|uri/i.test(name)) return hints.url
  return hints.quoted[0] ?? hints.names[0] ?? hints.places[0]
}
