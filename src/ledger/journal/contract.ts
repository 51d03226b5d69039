import type { LedgerRecord } from '../record.js'

/** A place in the journal: everything appended before it lies before it. */
export interface JournalPosition {
  readonly segment: string
  readonly offset: number
}

/** A record on its way into the file. Records that are written at once share their promises. */
export interface Begun {
  /**
   * Resolves when the system has the record: it survives the death of this process then. Rejects with `ledger_unavailable` when the system
   * doesn't take it: then nothing of it is in the journal.
   */
  written(): Promise<void>
  /**
   * Resolves when the record is durable; `undefined` when it is. Rejects when the disk failed: then it was taken out of the file, and is written
   * again when that can be.
   */
  durable(): Promise<void> | undefined
}

/**
 * The file that everything is written to first: one write for all that came in a turn of the event loop, made durable together,
 * and read from there into the database, live and after a crash alike.
 */
export interface Journal {
  /** Appends; durable at the latest with the next `append` that is awaited. */
  note(record: LedgerRecord): void
  /**
   * Appends; the answer tells when the record is written, and when it survives what the journal is to survive. The disk is asked at once
   * when `soon` is set, else when somebody waits or after a moment. Throws `ledger_unavailable` where nothing can be taken.
   */
  begin(record: LedgerRecord, soon: boolean): Begun
  /** Appends, and resolves when it is durable. Rejects with `ledger_unavailable` when it could not be written: then nothing of it is in the journal. */
  append(record: LedgerRecord): Promise<void>
  readonly end: JournalPosition
  close(): Promise<void>
}
