import { isUtf8 } from 'node:buffer'
import { InvalidRequest } from '../errors/index.js'
import { asBuffer } from './bytes.js'
import { describeJsonFault } from './json-fault.js'

/** Bytes from `start` up to, not including, `end`. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** One change to a run of bytes; `start === end` inserts. */
export interface Splice extends Span {
  readonly text: string
}

export interface JsonLimits {
  /** Deepest nesting allowed, where the body's own object is level 1. */
  readonly maxDepth: number
}

/** A body that was read once: its bytes, where its top-level fields stand in them, and what they say. */
export interface ParsedBody {
  readonly bytes: Uint8Array
  readonly fields: ReadonlyMap<string, Span>
  readonly json: Readonly<Record<string, unknown>>
}

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const colon = 0x3a
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/** Strings shorter than this are walked byte by byte: a call to the native search costs more than that. */
const shortString = 48

/**
 * Reads a request body: UTF-8, one JSON object, no top-level field twice, no nesting deeper than allowed.
 * Throws `InvalidRequest`: `invalid_utf8`, `invalid_json`, `duplicate_field`, `too_deep`.
 */
export function parseBody(body: Uint8Array, limits: JsonLimits): ParsedBody {
  const bytes = asBuffer(body)
  if (bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf)
    throw new InvalidRequest('The body begins with a byte order mark. Send plain UTF-8 without one.', { code: 'invalid_json' })
  if (bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)))
    throw new InvalidRequest('The body looks like UTF-16. Send it as UTF-8.', { code: 'invalid_utf8' })
  if (!isUtf8(bytes)) throw new InvalidRequest('The body is not valid UTF-8. Send the JSON encoded as UTF-8.', { code: 'invalid_utf8' })
  const fields = scanTopLevel(bytes, limits)
  let json: unknown
  try {
    json = JSON.parse(bytes.toString('utf8'))
  } catch (cause) {
    throw new InvalidRequest(`The body is not valid JSON: ${describeJsonFault(bytes)}.`, { code: 'invalid_json', cause })
  }
  if (!isRecord(json)) throw invalid('an object was expected', 0)
  return { bytes, fields, json }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Finds the spans of the values of an object's top-level fields without parsing them. Linear, never recursive; long
 * strings are skipped by a native search. It checks only what it needs, so a body that passes may still be broken
 * inside a value; for valid JSON the spans are exact.
 *
 * Throws `InvalidRequest`: `invalid_json` (no object, or broken structure), `duplicate_field`, `too_deep`.
 */
export function scanTopLevel(source: Uint8Array, limits: JsonLimits): Map<string, Span> {
  const bytes = asBuffer(source)
  const fields = new Map<string, Span>()
  let at = skipSpace(bytes, 0)
  if (at === bytes.length) throw invalid('the body is empty, a JSON object was expected', at)
  if (bytes[at] !== openBrace) throw invalid('a JSON object was expected', at)
  if (limits.maxDepth < 1) throw tooDeep(limits.maxDepth, at)
  at = skipSpace(bytes, at + 1)
  if (bytes[at] !== closeBrace) {
    for (;;) {
      if (bytes[at] !== quote) throw invalid('a field name in double quotes was expected', at)
      const keyEnd = endOfString(bytes, at)
      const key = keyText(bytes, at, keyEnd)
      at = skipSpace(bytes, keyEnd)
      if (bytes[at] !== colon) throw invalid(`a colon was expected after the field name`, at)
      const start = skipSpace(bytes, at + 1)
      const end = endOfValue(bytes, start, 1, limits.maxDepth)
      if (fields.has(key))
        throw new InvalidRequest(`The field is given more than once (again at byte ${start}). Give it once.`, {
          code: 'duplicate_field',
          path: key,
        })
      fields.set(key, { start, end })
      at = skipSpace(bytes, end)
      if (bytes[at] === closeBrace) break
      if (bytes[at] !== comma) throw invalid('a comma or the end of the object was expected', at)
      at = skipSpace(bytes, at + 1)
    }
  }
  at = skipSpace(bytes, at + 1)
  if (at !== bytes.length) throw invalid('there is more after the end of the object', at)
  return fields
}

/** Offset just after the JSON value (object, array, string or scalar) that starts at `start`. Throws `invalid_json` when it has no end. */
export function spanOfObject(source: Uint8Array, start: number): number {
  return endOfValue(asBuffer(source), start, 0, Number.POSITIVE_INFINITY)
}

/** Writes changes into a copy of the bytes. Edits must be in ascending order and must not overlap. */
export function splice(source: Uint8Array, edits: readonly Splice[]): Buffer {
  const bytes = asBuffer(source)
  let length = bytes.length
  let last = 0
  for (const edit of edits) {
    if (edit.start < last || edit.end < edit.start || edit.end > bytes.length)
      throw new RangeError(`edit ${edit.start}..${edit.end} overlaps another or lies outside the bytes`)
    last = edit.end
    length += Buffer.byteLength(edit.text) - (edit.end - edit.start)
  }
  const result = Buffer.allocUnsafe(length)
  let read = 0
  let write = 0
  for (const edit of edits) {
    write += bytes.copy(result, write, read, edit.start)
    write += result.write(edit.text, write)
    read = edit.end
  }
  bytes.copy(result, write, read)
  return result
}

/** Next offset that is not JSON white space. */
export function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from
  for (;;) {
    const byte = bytes[at]
    if (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) at++
    else return at
  }
}

/** Offset just after the string whose opening quote stands at `start`. */
export function endOfString(bytes: Buffer, start: number): number {
  let at = start + 1
  for (;;) {
    const stop = Math.min(bytes.length, at + shortString)
    while (at < stop) {
      const byte = bytes[at]
      if (byte === quote) return at + 1
      at += byte === backslash ? 2 : 1
    }
    if (at >= bytes.length) throw invalid('a string is not closed', start)
    // `at` is outside an escape here, so the run of backslashes before the next quote decides alone whether it is one.
    const found = bytes.indexOf(quote, at)
    if (found === -1) throw invalid('a string is not closed', start)
    let run = found
    while (run > at && bytes[run - 1] === backslash) run--
    if ((found - run) % 2 === 0) return found + 1
    at = found + 1
  }
}

/** The text of a field name whose quoted form stands at `start`..`end`, escapes decoded. */
function keyText(bytes: Buffer, start: number, end: number): string {
  for (let at = start + 1; at < end - 1; at++) {
    if (bytes[at] !== backslash) continue
    try {
      const key: unknown = JSON.parse(bytes.toString('utf8', start, end))
      if (typeof key === 'string') return key
    } catch (cause) {
      throw new InvalidRequest(`The body is not valid JSON: a field name is malformed (at byte ${start}).`, { code: 'invalid_json', cause })
    }
  }
  return bytes.toString('utf8', start + 1, end - 1)
}

function endOfValue(bytes: Buffer, start: number, outerDepth: number, maxDepth: number): number {
  const first = bytes[start]
  if (first === quote) return endOfString(bytes, start)
  if (first !== openBrace && first !== openBracket) return endOfScalar(bytes, start)
  let depth = outerDepth
  let at = start
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === quote) {
      at = endOfString(bytes, at)
      continue
    }
    at++
    if (byte === openBrace || byte === openBracket) {
      depth++
      if (depth > maxDepth) throw tooDeep(maxDepth, at - 1)
    } else if (byte === closeBrace || byte === closeBracket) {
      depth--
      if (depth === outerDepth) return at
    }
  }
  throw invalid('an object or array is not closed', start)
}

function endOfScalar(bytes: Buffer, start: number): number {
  let at = start
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === comma || byte === closeBrace || byte === closeBracket || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)
      break
    at++
  }
  if (at === start) throw invalid('a value was expected', start)
  return at
}

function invalid(what: string, at: number): InvalidRequest {
  return new InvalidRequest(`The body is not valid JSON: ${what} (at byte ${at}).`, { code: 'invalid_json' })
}

function tooDeep(maxDepth: number, at: number): InvalidRequest {
  return new InvalidRequest(
    `The body is nested deeper than ${maxDepth} levels (at byte ${at}). Flatten it, or raise the gateway's limit.`,
    {
      code: 'too_deep',
    },
  )
}
