import { InvalidRequest } from '../../../errors/index.js'

/** Text of a value as a template prints it: mappings and lists as JSON, as promptfoo does. */
export function printed(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  return typeof value === 'object' ? JSON.stringify(value) : String(value as number | boolean | bigint)
}

type Filter = (value: unknown, args: readonly unknown[]) => unknown

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  return typeof value === 'object' && value !== null ? Object.values(value) : [...printed(value)]
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).toLowerCase()
}

function order(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  const [x, y] = [printed(a), printed(b)]
  return x < y ? -1 : x > y ? 1 : 0
}

function parsed(value: unknown): unknown {
  try {
    return JSON.parse(printed(value)) as unknown
  } catch {
    throw new InvalidRequest('The filter load was given a text that is no JSON.', { path: 'template' })
  }
}

/** Filters of Nunjucks that templates may use. Nothing is escaped for HTML: a prompt is no web page. */
export const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['upper', (value) => printed(value).toUpperCase()],
  ['lower', (value) => printed(value).toLowerCase()],
  ['trim', (value) => printed(value).trim()],
  ['capitalize', (value) => capitalised(printed(value))],
  ['title', (value) => printed(value).replace(/\S+/g, capitalised)],
  ['replace', (value, [from, to]) => printed(value).replaceAll(printed(from), printed(to))],
  [
    'truncate',
    (value, [length = 255]) => (printed(value).length <= Number(length) ? printed(value) : `${printed(value).slice(0, Number(length))}...`),
  ],
  ['indent', (value, [width = 4]) => printed(value).replaceAll('\n', `\n${' '.repeat(Math.min(40, Math.max(0, Number(width))))}`)],
  ['length', (value) => listOf(value).length],
  ['first', (value) => listOf(value)[0]],
  ['last', (value) => listOf(value).at(-1)],
  ['join', (value, [between = '']) => listOf(value).map(printed).join(printed(between))],
  ['reverse', (value) => (typeof value === 'string' ? [...value].reverse().join('') : [...listOf(value)].reverse())],
  ['sort', (value) => [...listOf(value)].sort(order)],
  ['unique', (value) => [...new Set(listOf(value))]],
  ['list', (value) => listOf(value)],
  ['default', (value, [otherwise = '', falsy]) => (value === undefined || (falsy === true && !value) ? otherwise : value)],
  ['round', (value, [digits = 0]) => Math.round(Number(value) * 10 ** Number(digits)) / 10 ** Number(digits)],
  ['int', (value) => Math.trunc(Number(value)) || 0],
  ['float', (value) => Number(value) || 0],
  ['abs', (value) => Math.abs(Number(value))],
  ['string', (value) => printed(value)],
  ['dump', (value, [indent]) => JSON.stringify(value ?? null, undefined, typeof indent === 'number' ? indent : undefined)],
  ['load', (value) => parsed(value)],
  ['urlencode', (value) => encodeURIComponent(printed(value))],
  ['safe', (value) => value],
])
