import { outcomeBatches, SeenTexts, UnreadableFile, type Outcome, type OutcomeRow } from '../../environment/index.js'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { notStored } from './asked-request.js'
import type { Container, EntryReader, LogCompanions, LogEntry, LogFormat, LogReading } from './format.js'
import { bursarCalls } from './formats/bursar-calls.js'
import { helicone } from './formats/helicone.js'
import { langfuse } from './formats/langfuse.js'
import { litellm } from './formats/litellm.js'
import { openaiBatch } from './formats/openai-batch.js'
import { openaiPairs } from './formats/openai-pairs.js'
import { openrouter } from './formats/openrouter.js'
import { FieldFault, type LogRecord } from './record-fields.js'
import { beginningOf, isFault, recordBatches, unreadableLog } from './records.js'

/** Logs of other tools, the narrower before the wider: the first that recognises a file reads it. */
export const logFormats: readonly LogFormat[] = [bursarCalls, openaiBatch, litellm, helicone, openrouter, langfuse, openaiPairs]

/** What `--format` takes. */
export const logFormatNames: readonly string[] = ['outcome-table', ...logFormats.map(({ id }) => id)]

/** A log that was recognised. */
export interface Log {
  readonly file: string
  readonly format: string
  readonly title: string
  /** Rows in batches. Throws as `readOutcomeTable`. */
  rows(reading?: LogReading): AsyncGenerator<readonly OutcomeRow[]>
}

export interface LogOptions extends Partial<LogCompanions> {
  /** One of `logFormatNames`; absent: by the file's content. */
  readonly format?: string | undefined
}

/**
 * Opens a log of whatever tool, by its content or by `format`: an outcome table, or one of `logFormats`, each call of which becomes a row with one
 * outcome. Rejects with `InvalidRequest` for a format that there isn't and for a file that no format recognises, and with `BursarError`
 * (`invalid_configuration`) for one that can't be read. Looks at a few records only.
 */
export async function openLog(file: string, { format, batchInput, signal = new AbortController().signal }: LogOptions = {}): Promise<Log> {
  if (format !== undefined && !logFormatNames.includes(format))
    throw new InvalidRequest(`There is no log format "${format}". There are ${logFormatNames.join(', ')}.`, { path: 'format' })
  const table: Log = { file, format: 'outcome-table', title: 'outcome table', rows: (reading) => outcomeBatches(file, reading) }
  if (format === 'outcome-table') return table
  const beginning = await beginningOf(file)
  if (format === undefined && beginning.container !== 'csv' && beginning.records.some(looksLikeTable)) return table
  const found = logFormats.find((one) => (format === undefined ? one.recognises(beginning) : one.id === format))
  if (!found)
    throw new InvalidRequest(
      `${file} is none of the logs that can be read. Its first record has the fields ${Object.keys(beginning.records[0] ?? {})
        .slice(0, 12)
        .join(', ')}. Say with --format what it is: ${logFormatNames.join(', ')}.`,
      { path: 'log' },
    )
  const entries = await found.entries({ batchInput, signal })
  return { file, format: found.id, title: found.title, rows: (reading) => rowsOf(file, beginning.container, entries, reading) }
}

function looksLikeTable(record: LogRecord): boolean {
  return 'outcomes' in record && 'request' in record
}

async function* rowsOf(
  file: string,
  container: Container,
  entries: EntryReader,
  { onBytes, onFault, after = 0, seen = new SeenTexts(), onLine }: LogReading = {},
): AsyncGenerator<readonly OutcomeRow[]> {
  const faulty = (number: number, what: string) => {
    const fault = new BursarError(`Log ${file}, row ${number}: ${what}.`, {
      code: 'invalid_configuration',
      status: 500,
      path: `row ${number}`,
    })
    if (!onFault) throw fault
    onFault(fault)
  }
  try {
    for await (const batch of recordBatches(file, container, onBytes)) {
      const rows: OutcomeRow[] = []
      for (const { number, record } of batch) {
        if (number <= after) continue
        if (isFault(record)) {
          faulty(number, record.fault)
          continue
        }
        for (const [at, entry] of read(entries, record, (what) => faulty(number, what)).entries()) {
          const row = rowOf(entry, `row ${number}${at === 0 ? '' : `.${at + 1}`}`)
          if (seen.add(row.id)) rows.push(row)
          else faulty(number, `id: "${row.id}" stands in an earlier row already`)
        }
      }
      onLine?.(batch.at(-1)?.number ?? 0)
      if (rows.length > 0) yield rows
    }
  } catch (thrown) {
    throw thrown instanceof UnreadableFile ? unreadableLog(file, thrown) : thrown
  }
}

function read(entries: EntryReader, record: LogRecord, onFault: (what: string) => void): readonly LogEntry[] {
  try {
    return entries(record)
  } catch (thrown) {
    if (!(thrown instanceof FieldFault)) throw thrown
    onFault(thrown.message)
    return []
  }
}

function rowOf({ id, model, request = notStored, category, ...told }: LogEntry, number: string): OutcomeRow {
  const outcome: Outcome = Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined))
  return { id: id ?? number, request, ...(category === undefined ? {} : { category }), outcomes: { [model]: outcome } }
}
