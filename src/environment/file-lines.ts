import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

/** A line of a file, without its line feed; the first is number 1. Its bytes stay as they are until the next batch is asked for. */
export interface FileLine {
  readonly bytes: Buffer
  readonly number: number
}

/** A file that can't be read on: in which line, and why. */
export class UnreadableFile extends Error {
  constructor(
    readonly line: number,
    /** `missing`: there is no such file. */
    readonly reason: 'missing' | 'broken',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'UnreadableFile'
  }
}

/** Longest line that is held: V8 has no longer texts, and a file without any line feed must not fill the memory. */
const longestLine = 1 << 28

/**
 * A file's lines, in batches of about 256 KB, unpacked where it begins as gzip does, whatever its name says. Split at line feeds only:
 * readline would also split at U+2028, which JSON texts may hold. Memory: a batch, and the longest line. `onBytes` is given the file's
 * bytes as they are read. Throws `UnreadableFile`.
 */
export async function* lineBatches(file: string, onBytes?: (bytes: Uint8Array) => void): AsyncGenerator<readonly FileLine[]> {
  let number = 0
  let held: Buffer[] = []
  let heldBytes = 0
  try {
    for await (const chunk of fileContent(file, onBytes)) {
      const lines: FileLine[] = []
      let start = 0
      for (;;) {
        const end = chunk.indexOf(0x0a, start)
        if (end < 0) break
        const last = chunk.subarray(start, end)
        number += 1
        lines.push({ bytes: heldBytes === 0 ? last : Buffer.concat([...held, last]), number })
        held = []
        heldBytes = 0
        start = end + 1
      }
      if (start < chunk.length) {
        held.push(chunk.subarray(start))
        heldBytes += chunk.length - start
        if (heldBytes > longestLine) throw new UnreadableFile(number + 1, 'broken', `it is longer than ${longestLine / 2 ** 20} MB`)
      }
      if (lines.length > 0) yield lines
    }
  } catch (thrown) {
    throw asUnreadable(thrown, number + 1)
  }
  if (heldBytes > 0) yield [{ bytes: Buffer.concat(held), number: number + 1 }]
}

/** A file's content, unpacked where it begins as gzip does. */
export async function* fileContent(file: string, onBytes?: (bytes: Uint8Array) => void): AsyncGenerator<Buffer> {
  const chunks = bytesOf(createReadStream(file, { highWaterMark: 1 << 18 }), onBytes)
  const first = await chunks.next()
  if (first.done) return
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
    yield first.value
    yield* chunks
    return
  }
  const gunzip = createGunzip({ chunkSize: 1 << 17 })
  // A failure of either reaches the reader through `gunzip`, and a reader that stops closes both: nothing is left to do here.
  pipeline(Readable.from(startingWith(first.value, chunks), { objectMode: false }), gunzip, () => undefined)
  yield* bytesOf(gunzip)
}

/** What a file stream's failure means. Errors that are something else stay what they are. */
export function asUnreadable(thrown: unknown, line: number): unknown {
  if (thrown instanceof UnreadableFile || !(thrown instanceof Error) || !('code' in thrown)) return thrown
  const code = String(thrown.code)
  if (code === 'ENOENT') return new UnreadableFile(line, 'missing', "it doesn't exist", { cause: thrown })
  if (code === 'Z_BUF_ERROR') return new UnreadableFile(line, 'broken', 'the gzip data ends too early', { cause: thrown })
  if (code.startsWith('Z_') || code.startsWith('E')) return new UnreadableFile(line, 'broken', thrown.message, { cause: thrown })
  return thrown
}

async function* startingWith(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield first
  yield* rest
}

async function* bytesOf(source: AsyncIterable<unknown>, onBytes?: (bytes: Uint8Array) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    if (!(chunk instanceof Buffer)) throw new TypeError('a file stream gave text')
    onBytes?.(chunk)
    yield chunk
  }
}
