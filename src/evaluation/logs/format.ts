import type { OutcomeRow, SeenTexts } from '../../environment/index.js'
import type { BursarError } from '../../errors/index.js'
import type { LogRecord } from './record-fields.js'

/** How a file holds its records. */
export type Container = 'jsonl' | 'json' | 'csv'

/** What the beginning of a file shows. */
export interface LogBeginning {
  readonly container: Container
  /** The first few records, never empty. */
  readonly records: readonly LogRecord[]
}

/** One call of a log, as far as the log tells. */
export interface LogEntry {
  /** Unique within the log; absent: the record's number stands for it. */
  readonly id?: string | undefined
  readonly model: string
  /** In the table's form; absent: the log holds no content. */
  readonly request?: OutcomeRow['request'] | undefined
  readonly category?: string | undefined
  readonly usd?: number | undefined
  /** All input tokens, cached ones too. */
  readonly inputTokens?: number | undefined
  readonly cacheReadTokens?: number | undefined
  /** Without reasoning tokens. */
  readonly outputTokens?: number | undefined
  readonly reasoningTokens?: number | undefined
  readonly seconds?: number | undefined
  readonly firstTokenSeconds?: number | undefined
  readonly answer?: string | undefined
  /** In [0, 1]: a score that the log itself holds. */
  readonly quality?: number | undefined
}

/** Files beside the log that a format needs. */
export interface LogCompanions {
  /** OpenAI's batch input file. */
  readonly batchInput?: string | undefined
  readonly signal: AbortSignal
}

/** The entries of a record; none for a record that is no call of a model (an error, a span). Throws `FieldFault` for one that can't be used. */
export type EntryReader = (record: LogRecord) => readonly LogEntry[]

/** A log of another tool. Registered once, in `registry.ts`. */
export interface LogFormat {
  /** What `--format` takes. */
  readonly id: string
  /** As people call it. */
  readonly title: string
  recognises(beginning: LogBeginning): boolean
  /** Rejects with a `BursarError` where a companion is missing or can't be read. */
  entries(companions: LogCompanions): Promise<EntryReader>
}

export interface LogReading {
  onBytes?: ((bytes: Uint8Array) => void) | undefined
  /** Told of records that are wrong, which are left out; absent: the first ends the reading. */
  onFault?: ((fault: BursarError) => void) | undefined
  /** Records at the beginning that are passed over: somebody read them before. */
  readonly after?: number | undefined
  readonly seen?: SeenTexts | undefined
  /** Told of the last record of every batch, before it is given. */
  onLine?: ((number: number) => void) | undefined
}
