import { isUtf8 } from 'node:buffer'
import { BursarError } from '../errors/index.js'
import { lineBatches, UnreadableFile } from './file-lines.js'
import { asOutcomeRow, type Outcome, type OutcomeRow, type OutcomeSample } from './outcome-row.js'
import { SeenTexts } from './seen-texts.js'

export type { Outcome, OutcomeRow, OutcomeSample } from './outcome-row.js'

/**
 * The outcome table: JSON Lines, maybe gzipped, one request a row with what every arm that was really run on it gave and took
 * (`design/formats.md`, section 1). It is read row by row: a table of any size takes the memory of its longest row, and 8 to 21 bytes a
 * row to know its ids.
 */

/** The answers that were recorded of an arm on a request, in the order drawn, with what the samples leave unsaid taken from the whole. */
export function recordedAnswers(outcome: Outcome): readonly OutcomeSample[] {
  const { samples, ...whole } = outcome
  if (!samples) return outcome.answer === undefined ? [] : [whole]
  return samples
    .filter((one) => one.answer !== undefined)
    .map((one) => ({
      ...one,
      inputTokens: one.inputTokens ?? whole.inputTokens,
      cacheReadTokens: one.cacheReadTokens ?? whole.cacheReadTokens,
    }))
}

/**
 * Reads a table row by row. Throws `BursarError` (`invalid_configuration`) that names the file, the row (1 is the first line) and the
 * field, for rows that aren't JSON or UTF-8, fields of the wrong kind, ids that come twice, and a file that ends too early.
 * `onBytes` is given the file's bytes as they are read, for a checksum or progress. `onFault` is told of a row that is wrong, which is
 * left out then; without it such a row ends the reading. A file that can't be read ends it in any case.
 */
export async function* readOutcomeTable(
  file: string,
  onBytes?: (bytes: Uint8Array) => void,
  onFault?: (fault: BursarError) => void,
): AsyncGenerator<OutcomeRow> {
  for await (const rows of outcomeBatches(file, { onBytes, onFault })) yield* rows
}

export interface OutcomeReading {
  onBytes?: ((bytes: Uint8Array) => void) | undefined
  onFault?: ((fault: BursarError) => void) | undefined
  /** Lines at the beginning that are passed over unread: somebody read them before. */
  readonly after?: number | undefined
  /** Ids that came before; those read are added. Those that come twice are faults. */
  readonly seen?: SeenTexts | undefined
  /** Told of the last line of every batch, before it is given. */
  onLine?: ((number: number) => void) | undefined
}

/** The same in batches of some hundred rows, without a step of the event loop between two of them: for whoever reads millions. */
export async function* outcomeBatches(
  file: string,
  { onBytes, onFault, after = 0, seen = new SeenTexts(), onLine }: OutcomeReading = {},
): AsyncGenerator<readonly OutcomeRow[]> {
  try {
    for await (const lines of lineBatches(file, onBytes)) {
      const rows: OutcomeRow[] = []
      for (const { bytes, number } of lines) {
        if (number <= after) continue
        const read = rowOf(file, number, bytes, seen)
        if (read === undefined) continue
        if (!BursarError.is(read)) rows.push(read)
        else if (onFault) onFault(read)
        else {
          // What stands before the row that is wrong is given first, as reading row by row would.
          if (rows.length > 0) yield rows
          throw read
        }
      }
      onLine?.(lines.at(-1)?.number ?? 0)
      if (rows.length > 0) yield rows
    }
  } catch (thrown) {
    throw thrown instanceof UnreadableFile ? unreadable(file, thrown) : thrown
  }
}

/** The row of a line, what is wrong with it, or `undefined` for an empty one. */
function rowOf(file: string, number: number, bytes: Buffer, seen: SeenTexts): OutcomeRow | BursarError | undefined {
  if (!isUtf8(bytes)) return fault(file, number, 'is not UTF-8')
  const line = bytes.toString('utf8')
  if (line.trim() === '') return undefined
  let json: unknown
  try {
    json = JSON.parse(number === 1 && line.startsWith('\ufeff') ? line.slice(1) : line)
  } catch (thrown) {
    return fault(file, number, `is not JSON (${thrown instanceof Error ? thrown.message : 'unreadable'})`)
  }
  const row = asOutcomeRow(json)
  if ('fault' in row) return fault(file, number, row.fault)
  return seen.add(row.id) ? row : fault(file, number, `id: "${row.id}" stands in an earlier row already`)
}

function fault(file: string, number: number, what: string): BursarError {
  return new BursarError(`Outcome table ${file}, row ${number}: ${what}.`, {
    code: 'invalid_configuration',
    status: 500,
    path: `row ${number}`,
  })
}

function unreadable(file: string, { reason, line, message, cause }: UnreadableFile): BursarError {
  if (reason === 'missing')
    return new BursarError(`The outcome table ${file} doesn't exist.`, { code: 'invalid_configuration', status: 500, cause })
  return fault(file, line, `can't be read: ${message}`)
}
