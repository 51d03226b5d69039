export type LogRecord = Readonly<Record<string, unknown>>

/** A field of a record that can't be used: the record is left out, and this is told. */
export class FieldFault extends Error {
  constructor(
    readonly path: string,
    readonly what: string,
  ) {
    super(`${path}: ${what}`)
    this.name = 'FieldFault'
  }
}

export function isRecord(value: unknown): value is LogRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A field by its dotted path (`usage.input`); a name with dots of its own, as columns of CSV have, comes first. */
export function fieldOf(record: LogRecord, path: string): unknown {
  if (Object.hasOwn(record, path)) return record[path]
  let value: unknown = record
  for (const step of path.split('.')) {
    const inner = typeof value === 'string' ? parsed(value) : value
    if (!isRecord(inner) || !Object.hasOwn(inner, step)) return undefined
    value = inner[step]
  }
  return value
}

/** The first of the fields that says something, with its path. What is `null` or an empty text says nothing. */
function found(record: LogRecord, paths: readonly string[]): readonly [unknown, string] | undefined {
  for (const path of paths) {
    const value = fieldOf(record, path)
    if (value !== undefined && value !== null && value !== '') return [value, path]
  }
  return undefined
}

/** The first of the fields that isn't empty, as a text. Throws `FieldFault` for what is none. */
export function textIn(record: LogRecord, ...paths: string[]): string | undefined {
  const one = found(record, paths)
  if (one === undefined) return undefined
  const [value, path] = one
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  throw new FieldFault(path, `a text was expected, not ${kindOf(value)}`)
}

/** The first of the fields that isn't empty, as a number of at least 0; CSV has them as texts. Throws `FieldFault` for what is none. */
export function amountIn(record: LogRecord, ...paths: string[]): number | undefined {
  const one = found(record, paths)
  if (one === undefined) return undefined
  const [value, path] = one
  const number = typeof value === 'number' ? value : typeof value === 'string' ? Number(value.trim().replace(/^\$/, '')) : NaN
  if (!(number >= 0 && number < Infinity)) throw new FieldFault(path, `a number of at least 0 was expected, not ${kindOf(value)}`)
  return number
}

/** As `amountIn`, a whole number. */
export function countIn(record: LogRecord, ...paths: string[]): number | undefined {
  const number = amountIn(record, ...paths)
  if (number !== undefined && !Number.isSafeInteger(number))
    throw new FieldFault(paths[0] ?? '', `a whole number was expected, not ${number}`)
  return number
}

/** The first of the fields that isn't empty, as Unix seconds: an ISO date (UTC where it says no zone), or a number of seconds or milliseconds. */
export function momentIn(record: LogRecord, ...paths: string[]): number | undefined {
  const one = found(record, paths)
  if (one === undefined) return undefined
  const [value, path] = one
  if (typeof value === 'number') return value > 1e11 ? value / 1000 : value
  const at =
    typeof value === 'string' ? Date.parse(/[zZ]$|[+-]\d\d:?\d\d$/.test(value) ? value : `${value.trim().replace(' ', 'T')}Z`) : NaN
  if (Number.isNaN(at)) throw new FieldFault(path, `a date was expected, not ${kindOf(value)}`)
  return at / 1000
}

/** Seconds from one moment to another; `undefined` where one isn't told, or they are the wrong way round. */
export function secondsBetween(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined || to < from ? undefined : to - from
}

/** A field that holds JSON: an object or array, or the text of one, as CSV and some databases have it. Anything else comes back as it is. */
export function jsonIn(record: LogRecord, ...paths: string[]): unknown {
  const one = found(record, paths)
  return typeof one?.[0] === 'string' ? parsed(one[0]) : one?.[0]
}

function parsed(text: string): unknown {
  if (!/^\s*[[{"]/.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return `"${value.slice(0, 40)}"`
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : String(value)
}
