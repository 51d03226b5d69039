import { createReadStream } from 'node:fs'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { z } from 'zod'
import { BursarError } from '../errors/index.js'

/**
 * The outcome table: JSON Lines, maybe gzipped, one request a row with what every arm that was really run on it gave and took
 * (`design/formats.md`, section 1). What wasn't measured is absent, never 0. It is read row by row: a table of any size takes the memory
 * of its longest row. Fields that this version doesn't know are kept out of the way, not refused.
 */
const tokens = z.int().nonnegative()
const share = z.number().min(0).max(1)
const amount = z.number().nonnegative()
// Half of a surrogate pair has no UTF-8, so such a text could not be served byte for byte.
const text = z.string().refine((value) => !/\p{Surrogate}/u.test(value), 'holds half of a surrogate pair, which no UTF-8 text can')

const measured = {
  quality: share.optional(),
  /** Dollars of the call. Absent: to be computed from tokens and a price. */
  usd: amount.optional(),
  /** All input tokens, those read from a prompt cache included. */
  inputTokens: tokens.optional(),
  /** Of the input tokens, those read from a prompt cache. */
  cacheReadTokens: tokens.optional(),
  /** Visible output tokens, without reasoning. */
  outputTokens: tokens.optional(),
  reasoningTokens: tokens.optional(),
  /** Duration of the whole call. */
  seconds: amount.optional(),
  firstTokenSeconds: amount.optional(),
  answer: text.optional(),
}
const sample = z.object(measured)
const outcome = z.object({ ...measured, samples: z.array(sample).min(1).optional() })
const row = z.object({
  id: z.string().min(1),
  request: z.looseObject({
    messages: z.array(z.looseObject({ role: z.string().min(1), content: z.unknown() })).min(1),
  }),
  category: z.string().optional(),
  outcomes: z.record(z.string().min(1), outcome),
})

/** One run of an arm on a request. */
export type OutcomeSample = z.output<typeof sample>
/** What an arm gave and took on a request; `samples` are repeated runs in the order drawn. */
export type Outcome = z.output<typeof outcome>
/** One request and its outcomes by arm. `request` is in OpenAI's chat form. */
export type OutcomeRow = z.output<typeof row>

/** The answers that were recorded of an arm on a request, in the order drawn, with what the samples leave unsaid taken from the whole. */
export function recordedAnswers(outcome: Outcome): readonly OutcomeSample[] {
  const { samples, ...whole } = outcome
  if (!samples) return outcome.answer === undefined ? [] : [whole]
  return samples
    .filter((one) => one.answer !== undefined)
    .map((one) => ({ ...one, inputTokens: one.inputTokens ?? whole.inputTokens, cacheReadTokens: one.cacheReadTokens ?? whole.cacheReadTokens }))
}

/**
 * Reads a table row by row. Throws `BursarError` (`invalid_configuration`) that names the file, the row (1 is the first line) and the
 * field, for rows that aren't JSON or UTF-8, fields of the wrong kind, ids that come twice, and a file that ends too early.
 * `onBytes` is given the file's bytes as they are read, for a checksum or progress. `onFault` is told of a row that is wrong, which is left out then;
 * without it such a row ends the reading. A file that can't be read ends it in any case.
 */
export async function* readOutcomeTable(file: string, onBytes?: (bytes: Uint8Array) => void, onFault?: (fault: BursarError) => void): AsyncGenerator<OutcomeRow> {
  const seen = new Set<string>()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  for await (const { bytes, number } of linesOf(file, onBytes)) {
    const read = rowOf(file, number, bytes, decoder, seen)
    if (read === undefined) continue
    if (!BursarError.is(read)) {
      yield read
      continue
    }
    if (!onFault) throw read
    onFault(read)
  }
}

/** The row of a line, what is wrong with it, or `undefined` for an empty one. */
function rowOf(file: string, number: number, bytes: Buffer, decoder: InstanceType<typeof TextDecoder>, seen: Set<string>): OutcomeRow | BursarError | undefined {
  let line: string
  try {
    line = decoder.decode(bytes)
  } catch {
    return fault(file, number, 'is not UTF-8')
  }
  if (line.trim() === '') return undefined
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch (thrown) {
    return fault(file, number, `is not JSON (${thrown instanceof Error ? thrown.message : 'unreadable'})`)
  }
  const read = row.safeParse(json)
  if (!read.success) {
    const issue = read.error.issues[0]
    return fault(file, number, issue ? `${pathText(issue.path)}: ${issue.message}` : 'has the wrong shape')
  }
  const { id } = read.data
  if (seen.has(id)) return fault(file, number, `id: "${id}" stands in an earlier row already`)
  seen.add(id)
  return read.data
}

/** Lines of a file, split at line feeds only: readline would also split at U+2028, which JSON texts may hold. */
async function* linesOf(file: string, onBytes?: (bytes: Uint8Array) => void): AsyncGenerator<{ bytes: Buffer; number: number }> {
  let number = 0
  let held: Buffer[] = []
  try {
    for await (const chunk of contentOf(file, onBytes)) {
      let start = 0
      for (;;) {
        const end = chunk.indexOf(0x0a, start)
        if (end < 0) break
        const last = chunk.subarray(start, end)
        number += 1
        yield { bytes: held.length === 0 ? last : Buffer.concat([...held, last]), number }
        held = []
        start = end + 1
      }
      if (start < chunk.length) held.push(chunk.subarray(start))
    }
  } catch (thrown) {
    throw unreadable(file, number + 1, thrown)
  }
  if (held.length > 0) yield { bytes: Buffer.concat(held), number: number + 1 }
}

/** The file's content, unpacked where it begins as gzip does, whatever its name says. */
async function* contentOf(file: string, onBytes?: (bytes: Uint8Array) => void): AsyncGenerator<Buffer> {
  const chunks = bytesOf(createReadStream(file, { highWaterMark: 1 << 18 }), onBytes)
  const first = await chunks.next()
  if (first.done) return
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) {
    yield first.value
    yield* chunks
    return
  }
  const gunzip = createGunzip()
  // A failure of either reaches the reader through `gunzip`, and a reader that stops closes both: nothing is left to do here.
  pipeline(Readable.from(startingWith(first.value, chunks), { objectMode: false }), gunzip, () => undefined)
  yield* bytesOf(gunzip)
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

function fault(file: string, number: number, what: string): BursarError {
  return new BursarError(`Outcome table ${file}, row ${number}: ${what}.`, { code: 'invalid_configuration', status: 500, path: `row ${number}` })
}

function unreadable(file: string, number: number, cause: unknown): BursarError {
  if (BursarError.is(cause)) return cause
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code === 'ENOENT') return new BursarError(`The outcome table ${file} doesn't exist.`, { code: 'invalid_configuration', status: 500, cause })
  const why = code === 'Z_BUF_ERROR' ? 'the gzip data ends too early' : cause instanceof Error ? cause.message : 'unreadable'
  return fault(file, number, `can't be read: ${why}`)
}

function pathText(path: readonly PropertyKey[]): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? String(step) : `.${String(step)}`)).join('')
}
