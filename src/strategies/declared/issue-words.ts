import type { z } from 'zod'

/** What is wrong with a field, and where it stands. */
export interface FieldIssue {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** Zod's issues as plain words that say what was expected. `data` is what was read; `fields`: names of the fields at its top, where they are known. */
export function issuesInWords(issues: readonly z.core.$ZodIssue[], data: unknown, fields: readonly string[] = []): readonly FieldIssue[] {
  return issues.flatMap((issue): FieldIssue[] => {
    const { path } = issue
    switch (issue.code) {
      case 'unrecognized_keys':
        return issue.keys.map((key) => ({
          path: [...path, key],
          message: `there is no such field here${path.length > 0 || fields.length === 0 ? '' : `; expected ${fields.join(', ')}`}`,
        }))
      case 'invalid_type':
        return [
          {
            path,
            message:
              valueAt(data, path) === undefined ? `is missing; expected ${article(issue.expected)}` : `expected ${article(issue.expected)}`,
          },
        ]
      case 'invalid_value':
        return [{ path, message: `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}` }]
      case 'too_small':
        return [
          {
            path,
            message: `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${String(issue.minimum)}${unit(issue.origin)}`,
          },
        ]
      case 'too_big':
        return [
          {
            path,
            message: `expected ${issue.inclusive === false ? 'less than' : 'at most'} ${String(issue.maximum)}${unit(issue.origin)}`,
          },
        ]
      default:
        return [{ path, message: issue.message }]
    }
  })
}

/** A path below another, as messages write it: `rungs[1].strategy.model`. */
export function pathWith(base: string, path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, step) => (typeof step === 'number' ? `${text}[${step}]` : text === '' ? String(step) : `${text}.${String(step)}`),
    base,
  )
}

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, step) => (typeof value === 'object' && value !== null ? Reflect.get(value, step) : undefined), data)
}

function article(expected: string): string {
  const words: Readonly<Record<string, string>> = {
    int: 'a whole number',
    array: 'a list',
    record: 'a mapping',
    object: 'a mapping',
    boolean: 'true or false',
  }
  return words[expected] ?? `a ${expected}`
}

function unit(origin: string): string {
  return origin === 'array' ? ' entries' : origin === 'string' ? ' characters' : ''
}
