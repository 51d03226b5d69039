import type { SegmentState } from '../journal/file-journal.js'
import type { StoreSettings } from '../store/contract.js'
import type { Failure } from './failure.js'

/** What a worker is started with. */
export interface WorkerSettings {
  readonly store: StoreSettings
  /** Address of the module that opens the store; exports `openGroups`. */
  readonly storeModule: string
  /** Holds a directory for each process. */
  readonly journals: string
  /** This process's own directory among them. */
  readonly own: string
  readonly holder: string
  readonly leaseSeconds: number
}

/** A call of a method of some group of methods. */
export interface MethodCall {
  readonly kind: 'call'
  readonly id: number
  readonly group: string
  readonly method: string
  readonly arguments: readonly unknown[]
}

export type ToWorker = { readonly kind: 'advance'; readonly state: SegmentState } | MethodCall

/** What the worker could not do, and goes on trying or has skipped. */
export interface LedgerFault {
  /**
   * `store`: the database does not take what it should (tried again, in order). `journal`: the journal could not be written or
   * read. `spoilt`: lines of the journal that are not what was written were skipped, and kept aside in `spoilt/`. `worker`: the thread
   * died and is started again. `fenced`: another process has taken over what this one served from.
   */
  readonly kind: 'store' | 'journal' | 'spoilt' | 'worker' | 'fenced' | 'retention'
  /** For logs. */
  readonly message: string
  readonly error?: Error | undefined
}

export type FromWorker =
  | { readonly kind: 'ready' }
  /** The store can't ever be opened with these settings. */
  | { readonly kind: 'refused'; readonly failure: Failure }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly failure: Failure }
  /** A segment of this process is in the store up to `offset`, by so many records more than before. */
  | { readonly kind: 'applied'; readonly segment: string; readonly sequence: number; readonly offset: number; readonly records: number }
  | { readonly kind: 'removed'; readonly segment: string }
  /** Bytes of segments of dead processes that are not in the store yet, and of how many segments. */
  | { readonly kind: 'left'; readonly segments: number; readonly bytes: number }
  | { readonly kind: 'fault'; readonly fault: Omit<LedgerFault, 'error'>; readonly failure?: Failure | undefined }

/** The group of the worker's own methods. */
export const journalGroup = 'journal'

export interface JournalMethods {
  /** Takes over the journals of processes that have died. Resolves to their holders; what they left is applied from then on. */
  adopt(): Promise<readonly string[]>
  /** Ends the work, closes the store and removes what is applied. Resolves to the segments of this process that are not. */
  finish(): Promise<readonly string[]>
}
