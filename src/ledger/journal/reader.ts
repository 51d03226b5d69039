import { readSync } from 'node:fs'
import type { LedgerRecord } from '../record.js'
import { decodeRecord } from './codec.js'
import { isBlank, maxLineBytes, textOfLine } from './line.js'
import { isHeader } from './segment.js'

export interface PieceLimits {
  readonly maxRecords: number
  /** Bytes of the file that one piece may span; a line that is longer is a piece of its own. */
  readonly maxBytes: number
}

/** A line that isn't what was written: skipped, and told of. */
export interface SpoiltLine {
  readonly offset: number
  readonly bytes: number
}

/** A stretch of whole lines. */
export interface ReadPiece {
  readonly to: number
  readonly records: readonly LedgerRecord[]
  readonly spoilt: readonly SpoiltLine[]
}

/**
 * Reads on from an offset that a line begins at, up to `end` (a file's size, or less). `undefined` when no whole line is left: a torn
 * last line is what a process was writing when it died, which it never said was written.
 */
export function readPiece(file: number, from: number, end: number, limits: PieceLimits): ReadPiece | undefined {
  let wanted = limits.maxBytes
  for (;;) {
    const bytes = readBytes(file, from, Math.min(wanted, end - from))
    const last = bytes.lastIndexOf(newline)
    if (last !== -1) return linesOf(bytes.subarray(0, last + 1), from, limits.maxRecords)
    if (bytes.length < wanted) return undefined
    if (wanted >= maxLineBytes) return skipLine(file, from, end)
    wanted = Math.min(2 * wanted, maxLineBytes)
  }
}

const newline = 0x0a

function linesOf(bytes: Buffer, from: number, maxRecords: number): ReadPiece {
  const records: LedgerRecord[] = []
  const spoilt: SpoiltLine[] = []
  let start = 0
  while (start < bytes.length && records.length < maxRecords) {
    const end = bytes.indexOf(newline, start)
    const record = recordOf(bytes, start, end)
    if (record === 'spoilt') spoilt.push({ offset: from + start, bytes: end - start })
    else if (record !== 'nothing') records.push(record)
    start = end + 1
  }
  return { to: from + start, records, spoilt }
}

function recordOf(bytes: Buffer, start: number, end: number): LedgerRecord | 'spoilt' | 'nothing' {
  const text = textOfLine(bytes, start, end)
  if (text === undefined) return isBlank(bytes, start, end) ? 'nothing' : 'spoilt'
  if (isHeader(text)) return 'nothing'
  try {
    return decodeRecord(text)
  } catch {
    // A right checksum over something that this version doesn't know.
    return 'spoilt'
  }
}

/** Past a line that is longer than any that was ever written. */
function skipLine(file: number, from: number, end: number): ReadPiece | undefined {
  for (let offset = from; offset < end;) {
    const bytes = readBytes(file, offset, Math.min(maxLineBytes, end - offset))
    if (bytes.length === 0) return undefined
    const found = bytes.indexOf(newline)
    if (found !== -1) return { to: offset + found + 1, records: [], spoilt: [{ offset: from, bytes: offset + found - from }] }
    offset += bytes.length
  }
  return undefined
}

/** Fewer bytes than asked for only where the file ends. */
function readBytes(file: number, from: number, length: number): Buffer {
  if (length <= 0) return Buffer.alloc(0)
  const bytes = Buffer.allocUnsafe(length)
  let read = 0
  while (read < length) {
    const more = readSync(file, bytes, read, length - read, from + read)
    if (more === 0) break
    read += more
  }
  return bytes.subarray(0, read)
}
