import type { FileOperations } from './journal/file-operations.js'
import type { StoreSettings } from './store/contract.js'
import type { RetentionSettings } from './worker/housekeeping.js'
import type { LedgerFault } from './worker/messages.js'

/**
 * What records survive, and when. Nothing is lost when the process dies, with any of them.
 * - `process`: no more than that; a loss of power may take the last seconds.
 * - `disk`: a loss of power too. That a call is about to be made is handed to the system before it is, and synced to the disk while the provider
 *   works, before anything of its answer is shown; how it ended is on the disk before the answer's last byte. A loss of power in the few
 *   milliseconds between can take a call of which nobody has seen anything, and which the provider may bill.
 * - `strict`: nothing is sent to a provider before the disk has it.
 */
export type Durability = 'process' | 'disk' | 'strict'

export interface DurableLedgerSettings {
  /** Directory of the journals, on a local disk: each process has its own directory in it. Made when it isn't there. */
  readonly journals: string
  readonly store: StoreSettings
  /** What records survive; `disk` unless given. */
  readonly durability?: Durability | undefined
  /** Id of this process, never used before: letters, digits, dots, dashes, underscores. Made up unless given. */
  readonly holder?: string | undefined
  /** Size of a segment of the journal; 64 MiB unless given. */
  readonly segmentBytes?: number | undefined
  readonly retention?: RetentionSettings | undefined
  /** After so many seconds of silence, a process that can't be seen counts as dead; 30 unless given. */
  readonly leaseSeconds?: number | undefined
  /** How often this process says that it is alive; 2 seconds unless given. */
  readonly heartbeatSeconds?: number | undefined
  /** Longest waits, in seconds. */
  readonly limits?: Partial<DurableLedgerLimits> | undefined
  /** Address of the module that opens the store (see `worker/store-module.ts`), for one that isn't Bursar's own. */
  readonly storeModule?: string | undefined
  /** What the journal does to files: the system's own unless given. */
  readonly files?: FileOperations | undefined
}

export interface DurableLedgerLimits {
  /** For a record to be durable, before the promise rejects; 2. */
  readonly record: number
  /** For the database to take in what was recorded before a question; 5. */
  readonly read: number
  /** For the database to open, and for progress with what processes before this one left; 30. */
  readonly start: number
  /** For each part of closing; 10. */
  readonly close: number
}

export interface LedgerLag {
  /** Records in the journal that the database hasn't taken in, and their bytes. */
  readonly records: number
  readonly bytes: number
  /** Records that the journal couldn't take yet. */
  readonly late: number
}

export interface DurableLedgerObserver {
  /** Something failed that the ledger goes on trying, or had to skip: for the log and the metrics. */
  onFault?(fault: LedgerFault): void
  /** Once a second while there is a lag, and once when there is none any more. */
  onLag?(lag: LedgerLag): void
}

/** Seconds. */
export const defaultLimits: DurableLedgerLimits = { record: 2, read: 5, start: 30, close: 10 }
