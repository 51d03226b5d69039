import { BursarError } from '../../errors/index.js'

/**
 * States of predictors as bytes: a magic word, the kind's name, a version, then its parts in a fixed order, each with its length. Numbers are
 * kept bit by bit (little-endian), so that what is loaded predicts the same; a checksum tells bytes that were cut or changed.
 */

const magic = 0x42505244
const checksumBytes = 4

export interface ByteWriter {
  number(value: number): void
  text(value: string): void
  bytes(value: Uint8Array): void
  u32(values: Uint32Array): void
  f32(values: Float32Array): void
  f64(values: Float64Array): void
  finish(): Uint8Array
}

export interface ByteReader {
  number(): number
  /** A whole number in [0, most]. */
  count(most: number): number
  text(): string
  bytes(length?: number): Uint8Array
  /** With a length: refuses any other. */
  u32(length?: number): Uint32Array
  f32(length?: number): Float32Array
  f64(length?: number): Float64Array
  /** Refuses bytes that are left over. */
  end(): void
}

export function createWriter(kind: string, version: number): ByteWriter {
  const parts: Uint8Array[] = []
  const put = (bytes: Uint8Array) => {
    const length = new Uint8Array(4)
    new DataView(length.buffer).setUint32(0, bytes.length, true)
    parts.push(length, bytes)
  }
  const typed = (values: Uint32Array | Float32Array | Float64Array) => {
    put(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
  }
  const writer: ByteWriter = {
    number: (value) => typed(Float64Array.of(value)),
    text: (value) => put(new TextEncoder().encode(value)),
    bytes: put,
    u32: typed,
    f32: typed,
    f64: typed,
    finish() {
      const size = parts.reduce((sum, part) => sum + part.length, 0)
      const out = new Uint8Array(size + checksumBytes)
      let at = 0
      for (const part of parts) {
        out.set(part, at)
        at += part.length
      }
      new DataView(out.buffer).setUint32(size, checksum(out, size), true)
      return out
    },
  }
  writer.u32(Uint32Array.of(magic, version))
  writer.text(kind)
  return writer
}

/** Throws `BursarError` (`invalid_configuration`) for bytes that `createWriter(kind, version)` did not begin, or that are damaged. */
export function openReader(given: Uint8Array, kind: string, version: number): ByteReader {
  // A copy, so that typed arrays can be laid over it whatever its alignment was.
  const bytes = new Uint8Array(given)
  const end = bytes.length - checksumBytes
  if (end < 12) throw refused(kind, 'they are too short')
  const view = new DataView(bytes.buffer)
  if (view.getUint32(0, true) !== 8 || view.getUint32(4, true) !== magic) throw refused(kind, 'they are no state of a predictor')
  if (view.getUint32(end, true) !== checksum(bytes, end)) throw refused(kind, 'they are damaged')
  let at = 0
  const part = (): Uint8Array => {
    if (at + 4 > end) throw refused(kind, 'a part is missing')
    const length = view.getUint32(at, true)
    at += 4
    if (length > end - at) throw refused(kind, 'a part is cut off')
    const found = bytes.slice(at, at + length)
    at += length
    return found
  }
  const sized = (size: number, length?: number): Uint8Array => {
    const found = part()
    if (found.length % size !== 0 || (length !== undefined && found.length !== size * length))
      throw refused(kind, 'a part has another size')
    return found
  }
  const text = () => new TextDecoder('utf-8').decode(part())
  const number = () => new DataView(sized(8, 1).buffer).getFloat64(0, true)
  const [, foundVersion] = new Uint32Array(sized(4, 2).buffer)
  const foundKind = text()
  if (foundKind !== kind) throw refused(kind, `they are of kind "${foundKind.slice(0, 40)}"`)
  if (foundVersion !== version) throw refused(kind, `they are of version ${foundVersion}, this is version ${version}`)
  return {
    number,
    count(most) {
      const value = number()
      if (!Number.isInteger(value) || value < 0 || value > most) throw refused(kind, 'a count is out of its range')
      return value
    },
    text,
    bytes: (length) => sized(1, length),
    u32: (length) => new Uint32Array(sized(4, length).buffer),
    f32: (length) => new Float32Array(sized(4, length).buffer),
    f64: (length) => new Float64Array(sized(8, length).buffer),
    end() {
      if (at !== end) throw refused(kind, 'something is left over')
    },
  }
}

function refused(kind: string, why: string): BursarError {
  return new BursarError(`These bytes can't be loaded as a "${kind}" predictor: ${why}. Train it again, or delete the file.`, {
    code: 'invalid_configuration',
    status: 500,
    path: 'predictor',
  })
}

/** FNV-1a over 32-bit words (and the bytes left over): fast enough for tens of megabytes. */
function checksum(bytes: Uint8Array, end: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let hash = 0x811c9dc5
  let at = 0
  for (; at + 4 <= end; at += 4) hash = Math.imul(hash ^ view.getUint32(at, true), 0x01000193)
  for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193)
  return hash >>> 0
}
