import type * as z from 'zod'
import { InvalidRequest } from '../errors/index.js'

type Issue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

/**
 * Turns the first thing a schema found wrong into an `InvalidRequest` with the field's path, such as
 * `messages[2].content[0].image_url.url`, and a sentence that says what was expected and what came.
 */
export function invalidField(error: z.core.$ZodError, body: unknown): InvalidRequest {
  const first = error.issues[0]
  if (first === undefined) return new InvalidRequest('The request body is not valid.')
  const { issue, path } = innermost(first, first.path, body)
  const text = pathText(path)
  return new InvalidRequest(`${text === '' ? 'The body' : text}: ${sentence(issue, valueAt(body, path))}`, {
    path: text === '' ? undefined : text,
  })
}

/** `['messages', 2, 'content']` as `messages[2].content`. */
export function pathText(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' ? String(step) : `.${String(step)}`
  }
  return text
}

/**
 * A union fails with the faults of all its members. The member that the caller meant is the one that got furthest; where
 * none got anywhere the union itself is the fault.
 */
function innermost(issue: Issue, path: Path, body: unknown): { issue: Issue; path: Path } {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return { issue, path }
  let best: { issue: Issue; path: Path } | undefined
  for (const member of issue.errors) {
    // A member whose own discriminator doesn't fit was not meant.
    if (member.some((fault) => fault.path.length === 1 && fault.path[0] === 'type' && typeof valueAt(body, [...path, 'type']) === 'string'))
      continue
    const fault = member[0]
    if (fault === undefined) continue
    const found = innermost(fault, [...path, ...fault.path], body)
    if (found.path.length > path.length && (best === undefined || found.path.length >= best.path.length)) best = found
  }
  return best ?? { issue, path }
}

function valueAt(body: unknown, path: Path): unknown {
  let value = body
  for (const step of path) {
    if (typeof value !== 'object' || value === null || typeof step === 'symbol' || !Object.hasOwn(value, step)) return undefined
    value = (value as Readonly<Record<string | number, unknown>>)[step]
  }
  return value
}

function sentence(issue: Issue, value: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined
        ? `this field is required (${expected(issue.expected)}).`
        : `${expected(issue.expected)} was expected, not ${kindOf(value)}.`
    case 'invalid_value':
      return value === undefined
        ? `this field is required (${oneOf(issue.values)}).`
        : `${oneOf(issue.values)} was expected, not ${typeof value === 'string' ? quoted(value) : kindOf(value)}.`
    case 'too_small':
      if (issue.origin === 'string' || issue.origin === 'array') return 'this must not be empty.'
      return `a number of at least ${String(issue.minimum)} was expected.`
    case 'too_big':
      if (issue.origin === 'string' || issue.origin === 'array') return `at most ${String(issue.maximum)} entries are allowed.`
      return `a number of at most ${String(issue.maximum)} was expected.`
    case 'invalid_union': {
      if (issue.discriminator !== undefined && 'options' in issue && Array.isArray(issue.options))
        return value === undefined
          ? `this field is required (${oneOf(issue.options)}).`
          : `${oneOf(issue.options)} was expected, not ${typeof value === 'string' ? quoted(value) : kindOf(value)}.`
      const kinds = new Set(issue.errors.flatMap((member) => member.slice(0, 1).map(expectation)))
      return value === undefined
        ? `this field is required (${[...kinds].join(' or ')}).`
        : `${[...kinds].join(' or ')} was expected, not ${kindOf(value)}.`
    }
    case 'custom':
      return issue.message
    default:
      return `${issue.message}.`
  }
}

function expectation(issue: Issue): string {
  if (issue.code === 'invalid_type') return expected(issue.expected)
  if (issue.code === 'invalid_value') return oneOf(issue.values)
  return 'another form'
}

function expected(type: string): string {
  if (type === 'int') return 'a whole number'
  if (type === 'record') return 'an object'
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`
}

function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? JSON.stringify(values[0]) : `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number') return Number.isFinite(value) ? `the number ${value}` : 'a number too large to hold'
  return expected(typeof value)
}

/** The caller's own word, cut short: it goes back to the caller only. */
function quoted(value: string): string {
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
}
