import { randomBytes } from 'node:crypto'
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { BursarError } from '../../errors/index.js'
import { LineBuffer, textOfLine } from './line.js'

/** First line of a segment file. */
export interface SegmentHeader {
  /** Unique among all segments of all processes there ever were. */
  readonly segment: string
  /** The process that writes it. */
  readonly holder: string
  /** Counts the segments of one holder from 1, in the order in which they were begun. */
  readonly sequence: number
  /** Unix seconds. */
  readonly created: number
}

/** A segment file that was found. */
export interface FoundSegment extends SegmentHeader {
  readonly path: string
}

const suffix = '.journal'
const formatVersion = 1
const headerWord = 'segment'
const maxHeaderBytes = 4096

/** Throws `invalid_configuration` for the id of a process that can't be part of a file's name. */
export function checkHolder(holder: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(holder))
    throw new BursarError(
      `The id of a process, ${JSON.stringify(holder)}, must be letters, digits, dots, dashes and underscores, at most 100.`,
      { code: 'invalid_configuration', status: 500 },
    )
}

/** Throws as `checkHolder` does. */
export function newSegment(holder: string, sequence: number, created: number): SegmentHeader {
  checkHolder(holder)
  return { segment: `${holder}-${String(sequence).padStart(6, '0')}-${randomBytes(4).toString('hex')}`, holder, sequence, created }
}

export function segmentPath(directory: string, { segment }: SegmentHeader): string {
  return join(directory, `${segment}${suffix}`)
}

/** The bytes of a header's line. */
export function headerLine(header: SegmentHeader): Buffer {
  const line = new LineBuffer()
  line.push(headerWord, JSON.stringify({ format: formatVersion, ...header }))
  return line.bytes.subarray(0, line.used)
}

/**
 * All segments below a directory, in the order in which they are to be applied: holder by holder, the one that began first first, and
 * each holder's by their numbers. A clock that was stepped can't change the order of one holder's records. Grows with the number of files.
 * Throws `invalid_configuration` for a journal of another format.
 */
export function findSegments(directory: string): FoundSegment[] {
  const found = segmentFiles(directory).map(readHeader)
  const begun = new Map<string, number>()
  for (const { holder, created } of found) begun.set(holder, Math.min(created, begun.get(holder) ?? created))
  return found.sort(
    (a, b) =>
      (begun.get(a.holder) ?? 0) - (begun.get(b.holder) ?? 0) ||
      compare(a.holder, b.holder) ||
      a.sequence - b.sequence ||
      compare(a.segment, b.segment),
  )
}

function segmentFiles(directory: string): string[] {
  const files: string[] = []
  for (const entry of entriesOf(directory)) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) files.push(...segmentFiles(path))
    else if (entry.isFile() && entry.name.endsWith(suffix)) files.push(path)
  }
  return files
}

function entriesOf(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    // Taken over by another process meanwhile, or never there.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return []
    throw error
  }
}

/**
 * The header of a file. One that was torn or spoilt is made up again from the name of the file and of its directory, which the holder's is: the
 * records after it count all the same.
 */
function readHeader(path: string): FoundSegment {
  const bytes = Buffer.alloc(maxHeaderBytes)
  const file = openSync(path, 'r')
  let length: number
  try {
    length = readSync(file, bytes, 0, maxHeaderBytes, 0)
  } finally {
    closeSync(file)
  }
  const end = bytes.subarray(0, length).indexOf(0x0a)
  const text = end === -1 ? undefined : textOfLine(bytes, 0, end)
  if (text?.startsWith(`${headerWord} `)) {
    const header = JSON.parse(text.slice(headerWord.length + 1)) as SegmentHeader & { readonly format: number }
    if (header.format !== formatVersion)
      throw new BursarError(
        `${path} is a journal of format ${header.format}, which this version of Bursar can't read: start the version that wrote it once more, so that it is applied`,
        {
          code: 'invalid_configuration',
          status: 500,
        },
      )
    return { path, segment: header.segment, holder: header.holder, sequence: header.sequence, created: header.created }
  }
  const segment = basename(path, suffix)
  const holder = basename(dirname(path))
  return { path, segment, holder, sequence: Number(/-(\d{6,})-[0-9a-f]{8}$/.exec(segment)?.[1] ?? 0), created: 0 }
}

/** Whether a line's text is a segment's header. */
export function isHeader(text: string): boolean {
  return text.startsWith(`${headerWord} `)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
