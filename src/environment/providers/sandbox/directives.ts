import { InvalidRequest } from '../../../errors/index.js'
import type { Request } from '../../../protocol/index.js'

/** What a caller told the sandbox to do, so that an application's handling of trouble can be tried without trouble. */
export interface Directives {
  /** HTTP status that the simulated provider answers with. */
  readonly status?: number | undefined
  /** Seconds in its `Retry-After`. */
  readonly retryAfter?: number | undefined
  /** Only the first so many calls fail; later ones with the same directive and message succeed. */
  readonly failFirst?: number | undefined
  /** Tells apart calls that otherwise say the same, for `fail_first`. */
  readonly key?: string | undefined
  /** Seconds of silence before the first token; Infinity for ever. */
  readonly stall?: number | undefined
  /** The stream breaks after so many output tokens. */
  readonly dieAfter?: number | undefined
  /** Seconds of silence after `silenceAfter` output tokens. */
  readonly silence?: number | undefined
  readonly silenceAfter?: number | undefined
  /** The answer can't be read. */
  readonly malformed?: boolean | undefined
  /** All times are so many times longer. */
  readonly slow?: number | undefined
  /** The answer has exactly so many tokens of text (unless a limit or a stop sequence ends it earlier). */
  readonly tokens?: number | undefined
  /** The model declines to answer. */
  readonly refuse?: boolean | undefined
  /** What was said, as text: what `fail_first` counts by. */
  readonly said: string
}

const NUMBERS = {
  status: { field: 'status', least: 400, most: 599, whole: true },
  retry_after: { field: 'retryAfter', least: 0, most: 86_400, whole: false },
  fail_first: { field: 'failFirst', least: 0, most: 1_000_000, whole: true },
  stall: { field: 'stall', least: 0, most: Infinity, whole: false },
  die_after: { field: 'dieAfter', least: 0, most: 1_000_000, whole: true },
  silence: { field: 'silence', least: 0, most: Infinity, whole: false },
  silence_after: { field: 'silenceAfter', least: 0, most: 1_000_000, whole: true },
  slow: { field: 'slow', least: 0.001, most: 10_000, whole: false },
  tokens: { field: 'tokens', least: 0, most: 100_000, whole: true },
} as const
const FLAGS = { malformed: 'malformed', refuse: 'refuse' } as const
const KEYS = [...Object.keys(NUMBERS), ...Object.keys(FLAGS), 'key']

const IN_TEXT = /\[\[sandbox\s+([^\]\n]{1,300})\]\]/g

/** A text without the directives in it, and what they said. */
export function splitDirectives(text: string): { readonly text: string; readonly said: readonly string[] } {
  if (!text.includes('[[sandbox')) return { text, said: [] }
  const said: string[] = []
  const rest = text.replace(IN_TEXT, (_whole, words: string) => {
    said.push(words)
    return ''
  })
  return { text: said.length === 0 ? text : rest.trim(), said }
}

/** The name of a model without the directives after its `?`, and what they said. */
export function splitModelName(model: string): { readonly name: string; readonly said: string | undefined } {
  const mark = model.indexOf('?')
  return mark < 0 ? { name: model, said: undefined } : { name: model.slice(0, mark), said: model.slice(mark + 1) }
}

/**
 * Gathers directives from the model's name (`small?status=429&retry_after=1`), from `metadata.sandbox`
 * (`"status=429, retry_after=1"`) and from the last user message (`[[sandbox status=500]]`); what stands nearer to the text wins.
 * Throws `InvalidRequest` for one that doesn't exist, since a misspelt failure that never happens proves nothing.
 */
export function readDirectives(
  fromModel: string | undefined,
  metadata: Request['metadata'],
  fromText: readonly string[],
  textPath: string,
): Directives {
  const found: Record<string, string> = {}
  const sources: [string, string][] = []
  if (fromModel !== undefined) sources.push([fromModel, 'model'])
  if (metadata?.sandbox !== undefined) sources.push([metadata.sandbox, 'metadata.sandbox'])
  for (const words of fromText) sources.push([words, textPath])
  const directives: { -readonly [Field in keyof Directives]: Directives[Field] } = { said: '' }
  for (const [words, path] of sources)
    for (const word of words.split(/[\s,;&]+/)) {
      if (word === '') continue
      const equals = word.indexOf('=')
      const key = equals < 0 ? word : word.slice(0, equals)
      const value = equals < 0 ? '' : word.slice(equals + 1)
      found[key] = value
      if (key === 'key') directives.key = value
      else if (isKeyOf(FLAGS, key)) directives[FLAGS[key]] = flag(key, value, path)
      else if (isKeyOf(NUMBERS, key)) directives[NUMBERS[key].field] = number(key, value, path)
      else throw new InvalidRequest(`${path}: the sandbox knows no directive "${key}". It knows ${KEYS.join(', ')}.`, { path })
    }
  if (directives.failFirst !== undefined) directives.status ??= 500
  if (directives.silence !== undefined) directives.silenceAfter ??= 5
  directives.said = Object.entries(found)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join('&')
  return directives
}

function number(key: keyof typeof NUMBERS, value: string, path: string): number {
  const { least, most, whole } = NUMBERS[key]
  const read = value === 'forever' ? Infinity : value === '' ? NaN : Number(value)
  if (Number.isNaN(read) || read < least || read > most || (whole && !Number.isInteger(read)))
    throw new InvalidRequest(
      `${path}: the sandbox's directive "${key}" needs ${whole ? 'a whole number' : 'a number'} from ${least} to ${most === Infinity ? '"forever"' : most}, not "${value}".`,
      { path },
    )
  return read
}

function flag(key: string, value: string, path: string): boolean {
  if (value === '' || value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw new InvalidRequest(`${path}: the sandbox's directive "${key}" is true or false, not "${value}".`, { path })
}

function isKeyOf<T extends object>(table: T, key: string): key is Extract<keyof T, string> {
  return Object.hasOwn(table, key)
}
