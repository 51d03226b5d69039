import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { InvalidRequest } from '../../../errors/index.js'
import { CsvFault, CsvSplitter } from '../../logs/csv.js'

/** A row of a small file of measured points; it knows where it stands, for errors. */
export interface MeasuredRow {
  /** "losses.csv, row 3". Rows of data count from 1. */
  readonly place: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Files of measured points are small: a larger one was mistaken for one. */
const mostBytes = 256 * 2 ** 20

/**
 * Reads CSV with a first line of names, a JSON array of objects, or JSON Lines, by what the file looks like. Throws `InvalidRequest`
 * with file, row and what is wrong. O(bytes).
 */
export function readMeasured(file: string): readonly MeasuredRow[] {
  const text = textOf(file)
  const rows = text.trimStart().startsWith('[')
    ? jsonArray(file, text)
    : text.trimStart().startsWith('{')
      ? jsonLines(file, text)
      : csvRows(file, text)
  if (rows.length === 0)
    throw new InvalidRequest(`${file} has no rows; CSV with a first line of names, a JSON array or JSON Lines was expected.`, {
      path: file,
    })
  return rows
}

function textOf(file: string): string {
  try {
    const { size } = statSync(file)
    if (size > mostBytes) throw new InvalidRequest(`${file} has ${size} bytes; files of up to ${mostBytes} are read.`, { path: file })
    const bytes = readFileSync(file)
    if (!isUtf8(bytes) || bytes.includes(0))
      throw new InvalidRequest(`${file} is no text in UTF-8; CSV, a JSON array or JSON Lines was expected.`, { path: file })
    return bytes.toString('utf8').replace(/^\ufeff/, '')
  } catch (thrown) {
    if (thrown instanceof InvalidRequest) throw thrown
    throw new InvalidRequest(
      `${file} could not be read (${thrown instanceof Error ? thrown.message : 'unknown reason'}). Check the path.`,
      { path: file, cause: thrown },
    )
  }
}

function jsonArray(file: string, text: string): MeasuredRow[] {
  const value = parsed(text, file)
  return Array.isArray(value) ? value.map((fields: unknown, at) => rowOf(file, at + 1, fields)) : []
}

function jsonLines(file: string, text: string): MeasuredRow[] {
  return text.split('\n').flatMap((line, at) => (line.trim() === '' ? [] : [rowOf(file, at + 1, parsed(line, `${file}, row ${at + 1}`))]))
}

function parsed(text: string, place: string): unknown {
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw new InvalidRequest(`${place}: is no JSON (${thrown instanceof Error ? thrown.message : 'unreadable'}).`, { path: place })
  }
}

function rowOf(file: string, number: number, fields: unknown): MeasuredRow {
  const place = `${file}, row ${number}`
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw new InvalidRequest(`${place}: an object with named fields was expected.`, { path: place })
  return { place, fields: { ...fields } }
}

function csvRows(file: string, text: string): MeasuredRow[] {
  const splitter = new CsvSplitter()
  try {
    const [head, ...records] = [...splitter.push(text), ...splitter.end()]
    const names = (head?.cells ?? []).map((name) => name.trim())
    return records.map(({ cells }, at) => {
      const place = `${file}, row ${at + 1}`
      if (cells.length !== names.length)
        throw new InvalidRequest(
          `${place}: has ${cells.length} cells; ${names.length} were expected, as in the first line (${cutText(names.join(', '))}).`,
          { path: place },
        )
      return { place, fields: Object.fromEntries(names.map((name, index) => [name, cells[index]?.trim() ?? ''])) }
    })
  } catch (thrown) {
    if (thrown instanceof CsvFault) throw new InvalidRequest(`${file}, line ${thrown.line}: ${thrown.message}.`, { path: file })
    throw thrown
  }
}

/** A field by its name or dotted path; `undefined` where it is empty or missing. */
export function fieldOf({ fields }: MeasuredRow, name: string): unknown {
  let value: unknown = fields[name]
  if (value === undefined && name.includes('.')) {
    value = fields
    for (const step of name.split('.'))
      value = typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === step)?.[1] : undefined
  }
  return value === '' || value === null ? undefined : value
}

export interface Bounds {
  readonly least?: number
  readonly most?: number
  /** What was expected, in words: "a loss above 0". */
  readonly expected: string
}

/** A number, `undefined` where there is none. Throws `InvalidRequest` naming row and field for anything else, and beyond the bounds. */
export function numberOf(row: MeasuredRow, name: string, { least = -Infinity, most = Infinity, expected }: Bounds): number | undefined {
  const told = fieldOf(row, name)
  if (told === undefined) return undefined
  const value = typeof told === 'number' ? told : typeof told === 'string' ? Number(told) : NaN
  if (!Number.isFinite(value) || value < least || value > most) throw faultOf(row, name, `is ${shown(told)}`, expected)
  return value
}

/** The same for a field that must be there. */
export function neededNumber(row: MeasuredRow, name: string, bounds: Bounds): number {
  const value = numberOf(row, name, bounds)
  if (value === undefined) throw faultOf(row, name, 'is missing', bounds.expected)
  return value
}

export function textIn(row: MeasuredRow, name: string): string | undefined {
  const value = fieldOf(row, name)
  if (value === undefined || typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  throw faultOf(row, name, `is ${shown(value)}`, 'a text')
}

export function neededText(row: MeasuredRow, name: string): string {
  const value = textIn(row, name)
  if (value === undefined) throw faultOf(row, name, 'is missing', 'a text')
  return value
}

/** Says which row and field, what was wrong and what was expected. */
export function faultOf({ place }: MeasuredRow, field: string, wrong: string, expected: string): InvalidRequest {
  return new InvalidRequest(`${place}, field ${field}: ${wrong}; ${expected} was expected.`, { path: field })
}

function shown(value: unknown): string {
  return cutText(typeof value === 'string' ? `"${value}"` : JSON.stringify(value))
}

function cutText(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
