import { crc32 } from 'node:zlib'

/** Longer lines are neither written nor read: a reader must be able to give up on a line that never ends. */
export const maxLineBytes = 4 * 1024 * 1024

/** Digits of the checksum and the space after them. */
const headBytes = 9
const newline = 0x0a
const space = 0x20
const hexDigits = Buffer.from('0123456789abcdef', 'latin1')
const smallest = 64 * 1024

/**
 * Lines of text as they stand in a journal: `<CRC-32 of the text, 8 hexadecimal digits> <text>\n`, one after the other in one
 * stretch of memory, to be written at once. Text must hold no line break.
 */
export class LineBuffer {
  bytes = Buffer.allocUnsafe(smallest)
  /** Bytes in use, from the beginning. */
  used = 0

  /** A line of a word in ASCII, a space, and text. Throws a `RangeError` when that is too long. */
  push(word: string, text: string): void {
    const start = this.used
    this.reserve(headBytes + word.length + 1 + text.length * 3 + 1)
    const { bytes } = this
    // Written piece by piece: the sum of two texts would be copied once more.
    const body = start + headBytes + bytes.write(word, start + headBytes, 'latin1')
    bytes[body] = space
    const end = body + 1 + bytes.write(text, body + 1, 'utf8')
    if (end - start >= maxLineBytes) throw new RangeError(`a record of ${end - start} bytes is longer than a line of the journal may be`)
    let checksum = crc32(bytes.subarray(start + headBytes, end))
    for (let digit = start + headBytes - 2; digit >= start; digit--) {
      bytes[digit] = hexDigits[checksum & 15] ?? 0
      checksum >>>= 4
    }
    bytes[start + headBytes - 1] = space
    bytes[end] = newline
    this.used = end + 1
  }

  /** Adds lines that are made up already. */
  pushLines(lines: Uint8Array): void {
    this.reserve(lines.length)
    this.bytes.set(lines, this.used)
    this.used += lines.length
  }

  clear(): void {
    this.used = 0
    // What one burst needed isn't kept for ever.
    if (this.bytes.length > 16 * smallest) this.bytes = Buffer.allocUnsafe(smallest)
  }

  private reserve(more: number): void {
    if (this.used + more <= this.bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(2 * this.bytes.length, this.used + more))
    this.bytes.copy(grown, 0, 0, this.used)
    this.bytes = grown
  }
}

/** The text of one line (given without its line break), or `undefined` when the line isn't what was written. */
export function textOfLine(bytes: Buffer, start: number, end: number): string | undefined {
  if (end - start < headBytes || bytes[start + headBytes - 1] !== space) return undefined
  const digits = bytes.toString('latin1', start, start + headBytes - 1)
  if (!/^[0-9a-f]{8}$/.test(digits) || parseInt(digits, 16) !== crc32(bytes.subarray(start + headBytes, end))) return undefined
  return bytes.toString('utf8', start + headBytes, end)
}

/** Whether a line is nothing but spaces: room of a write that failed and was taken back. */
export function isBlank(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index++) if (bytes[index] !== space) return false
  return true
}

/** So many bytes that a reader skips in silence. At least 1. */
export function blankLine(length: number): Buffer {
  const bytes = Buffer.alloc(length, space)
  bytes[length - 1] = newline
  return bytes
}
