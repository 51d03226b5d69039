import type { z } from 'zod'
import { providerTypes } from '../../environment/index.js'
import { didYouMean } from './closest.js'
import { pathText, valueAt, type Path } from './problem.js'
import { knownKeys, sectionOf } from './shape.js'

type Issue = z.core.$ZodIssue

/** A problem before it has a line. */
export interface Finding {
  readonly path: Path
  readonly message: string
}

/** What the words for a value may show. */
export interface Showing {
  readonly data: unknown
  readonly fromEnvironment: ReadonlyMap<string, readonly string[]>
}

/** Turns zod's issues into plain sentences. */
export function findingsOf(issues: readonly Issue[], showing: Showing): Finding[] {
  return issues.flatMap((issue) => findings(issue, [], showing))
}

function findings(issue: Issue, base: Path, showing: Showing): Finding[] {
  const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
  const got = () => valueText(path, showing)
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], message: `unknown key${unknownKeyHint(path, key, showing.data)}` }))
    case 'invalid_type':
      return [
        {
          path,
          message:
            valueAt(showing.data, path) === undefined
              ? `is missing; expected ${expectedText(issue.expected)}`
              : `expected ${expectedText(issue.expected)}, got ${got()}`,
        },
      ]
    case 'invalid_value':
      return [{ path, message: `expected ${oneOf(issue.values)}, got ${got()}${guess(valueAt(showing.data, path), issue.values)}` }]
    case 'invalid_union':
      return unionFindings(issue, path, showing)
    case 'too_small':
      return [
        {
          path,
          message: ownWords(
            issue,
            `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${sizeText(issue.minimum, issue.origin, got())}`,
          ),
        },
      ]
    case 'too_big':
      return [
        {
          path,
          message: ownWords(
            issue,
            `expected ${issue.inclusive === false ? 'less than' : 'at most'} ${sizeText(issue.maximum, issue.origin, got())}`,
          ),
        },
      ]
    case 'invalid_key':
      return issue.issues.map((inner) => ({ path, message: `not a good name: ${inner.message}` }))
    case 'invalid_format':
    case 'custom': {
      const value = valueAt(showing.data, path)
      const shown = issue.message.startsWith('expected') && value !== undefined && typeof value !== 'object'
      return [{ path, message: shown ? `${issue.message}; got ${got()}` : issue.message }]
    }
    default:
      return [{ path, message: issue.message }]
  }
}

/** A union's own words are of no use: say what is wrong with the form that the value seems to have. */
function unionFindings(issue: Extract<Issue, { code: 'invalid_union' }>, path: Path, showing: Showing): Finding[] {
  const value = valueAt(showing.data, path)
  if (issue.discriminator !== undefined || issue.errors.length === 0) {
    if (value === undefined)
      return [{ path, message: 'is missing; expected the type of provider, such as openai, anthropic, openai-compatible or sandbox' }]
    return [
      {
        path,
        message: `${valueText(path, showing)} is not a type of provider${typeof value === 'string' && !showing.fromEnvironment.has(value) ? didYouMean(value, providerTypes) : ''}`,
      },
    ]
  }
  const fitting = issue.errors.filter((branch) => !branch.some(isWrongForm))
  const branch = fitting[0]
  if (branch !== undefined) return branch.flatMap((inner) => findings(inner, path, showing))
  const expected = issue.errors.flatMap((errors) =>
    errors
      .filter(isWrongForm)
      .map((inner) =>
        inner.code === 'invalid_type'
          ? expectedText(inner.expected)
          : inner.code === 'invalid_value'
            ? oneOf(inner.values)
            : 'something else',
      ),
  )
  return [{ path, message: `expected ${orList([...new Set(expected)])}, got ${valueText(path, showing)}` }]
}

function isWrongForm(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || (issue.code === 'invalid_value' && issue.values.length === 1))
}

/** Texts from the environment that should be a number or a boolean: what to put there, by path. */
export function coercions(
  issues: readonly Issue[],
  showing: Showing,
  base: Path = [],
): { readonly path: Path; readonly value: number | boolean }[] {
  return issues.flatMap((issue) => {
    const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
    if (issue.code === 'invalid_union') return issue.errors.flatMap((branch) => coercions(branch, showing, path))
    if (issue.code !== 'invalid_type') return []
    const value = valueAt(showing.data, path)
    if (typeof value !== 'string' || !showing.fromEnvironment.has(value)) return []
    if (issue.expected === 'boolean' && /^(true|false)$/i.test(value)) return [{ path, value: value.toLowerCase() === 'true' }]
    if ((issue.expected === 'number' || issue.expected === 'int') && /^\s*-?\d+(\.\d+)?(e[+-]?\d+)?\s*$/i.test(value))
      return [{ path, value: Number(value) }]
    return []
  })
}

/** Fields whose value must not be shown, wherever they stand. */
const secretFields = new Set(['api_key', 'key', 'key_hash', 'headers', 'otlp_headers'])

/** How a value is called in a sentence. Values from the environment and secrets are not shown. */
export function valueText(path: Path, { data, fromEnvironment }: Showing): string {
  const value = valueAt(data, path)
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a mapping'
  if (path.some((part) => typeof part === 'string' && secretFields.has(part)))
    return `a ${typeof value === 'string' ? 'text' : typeof value} (not shown)`
  if (typeof value !== 'string') return `${value as number | boolean}`
  const variables = fromEnvironment.get(value)
  if (variables !== undefined && variables.length > 0)
    return `the value of ${variables.map((name) => `\${${name}}`).join(' and ')} (not shown)`
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 59)}…` : value)
}

function unknownKeyHint(path: Path, key: string, data: unknown): string {
  const keys = knownKeys(path, data)
  const near = didYouMean(key, keys)
  if (near !== '') return near
  const section = path.length === 0 ? sectionOf(key) : undefined
  if (section !== undefined) return `; it belongs under \`${section}\``
  if (keys.length === 0) return ''
  return `; ${path.length === 0 ? 'the file' : pathText(path)} may have ${keys.slice(0, 30).join(', ')}`
}

/** `one entry`, `3 characters`, or a number with what was there instead. */
function sizeText(limit: number | bigint, origin: string, got: string): string {
  const unit = origin === 'array' ? ['entry', 'entries'] : origin === 'string' ? ['character', 'characters'] : undefined
  if (unit === undefined) return `${limit}, got ${got}`
  return limit === 1 ? `one ${unit[0]}` : `${limit} ${unit[1]}`
}

function expectedText(expected: string): string {
  switch (expected) {
    case 'string':
      return 'text'
    case 'number':
      return 'a number'
    case 'int':
      return 'a whole number'
    case 'boolean':
      return 'true or false'
    case 'array':
      return 'a list'
    case 'object':
    case 'record':
      return 'a mapping'
    default:
      return expected
  }
}

function oneOf(values: readonly unknown[]): string {
  const words = values.map((value) => JSON.stringify(value))
  if (words.length > 12) return `one of ${words.slice(0, 12).join(', ')} …`
  return orList(words)
}

function orList(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}

function guess(value: unknown, values: readonly unknown[]): string {
  return typeof value === 'string'
    ? didYouMean(
        value,
        values.filter((option) => typeof option === 'string'),
      )
    : ''
}

/** The schema's own message, where it gives one that begins as ours do. */
function ownWords(issue: Issue, otherwise: string): string {
  return issue.message.startsWith('expected') ? issue.message : otherwise
}
