import type { Money } from '../../quantities/index.js'
import type { LedgerReader } from '../ledger.js'
import type { IntentRecord, LedgerRecord } from '../record.js'

/**
 * Where the SQL database is: `file` is a path of an embedded database (libsql), `url` a PostgreSQL server. Tests may also give
 * `':memory:'`.
 */
export type StoreSettings = { readonly file: string } | { readonly url: string; readonly poolSize?: number | undefined }

/** Which open holds nobody will ever close: those of these holders, of all but one, or of these calls. */
export type DeadHolds = { readonly holders: readonly string[] } | { readonly allBut: string } | { readonly calls: readonly string[] }

/** A piece of a journal, as it was read. */
export interface JournalPiece {
  /** Id of the journal segment. */
  readonly segment: string
  /** Byte offsets of the piece in the segment. */
  readonly from: number
  readonly to: number
  /** Id of the process whose journal it is: what it holds is its own until it dies. */
  readonly holder: string
  readonly records: readonly LedgerRecord[]
}

/** What was reserved on one counter. */
export type HeldLine = IntentRecord['held'][number]

/**
 * The SQL database behind the ledger. The same schema, migrations and queries on both engines.
 *
 * `apply` is how everything gets in, live and after a crash alike: one transaction that inserts the records, adds them to the
 * roll-ups, moves the balances and notes the offset, so that each piece counts exactly once however often it is given.
 */
export interface Store extends LedgerReader {
  /**
   * - A piece whose `to` is not beyond what was applied does nothing; one that begins elsewhere than where the last ended throws.
   * - An intent without its call in the same piece becomes a row of `holds`, and its amounts are added to `balances`; a hold that is there
   *   already (PostgreSQL counters write it themselves) is left as it is.
   * - A call takes its hold away and moves the balances from reserved to settled. A call whose hold was expired is inserted with a
   *   correction that takes the lost call back, and moves the balances the same way. A call id that is known already does nothing.
   */
  apply(piece: JournalPiece): Promise<void>
  /** How far a segment was applied; 0 when nothing was. */
  appliedTo(segment: string): Promise<number>
  /**
   * Turns what dead holders left open into spend: each hold becomes a `lost` call of its intent's usage and cost, its transient
   * lines are given back, the rest stays used. The hold is kept, marked expired, for a call that still comes in. Resolves to the number of calls.
   */
  expireHolds(dead: DeadHolds): Promise<number>
  /**
   * What a lost call holds on, in the order of its intent, as long as nothing came in for it: what `settled` of the record that puts it right is
   * measured by. Transient lines are at 0, since they were given back. `undefined` when no expired hold has this id.
   */
  expiredHold(callId: string): Promise<readonly HeldLine[] | undefined>
  /** Process ids that have open holds or a heartbeat, with the age of the heartbeat in seconds by the database's clock. */
  holders(): Promise<readonly { readonly holder: string; readonly heartbeatAgeSeconds: number }[]>
  heartbeat(holder: string): Promise<void>
  /** Balances as they stand in the database: for counters that live elsewhere and are filled from here. Unknown ones are at 0. */
  balances(counters: readonly string[]): Promise<readonly bigint[]>
  /** Removes raw records older than this or beyond so many bytes, in bounded steps; roll-ups, balances and open holds stay. Resolves to the rows removed. */
  retain(limits: { readonly before?: number | undefined; readonly maxBytes?: number | undefined }): Promise<number>
  close(): Promise<void>
}

/** What sums of outcomes can be grouped by. Days are UTC: of the decision, or of the last word about a run. */
export type OutcomeDimension = 'day' | 'key' | 'requested_model' | 'arm' | 'source'

export interface OutcomeReportQuery {
  /** What was judged: single decisions, or whole agent runs (which have no model and no arm). */
  readonly unit: 'decision' | 'run'
  /** Unix seconds, inclusive and exclusive; cut to whole days. */
  readonly from: number
  readonly to: number
  readonly by: readonly OutcomeDimension[]
  readonly key?: string | undefined
  readonly source?: string | undefined
}

/** Of each decision or run the last word of each source counts; whoever sums over sources counts it once for each. */
export interface OutcomeReportRow {
  readonly group: Readonly<Record<string, string>>
  /** Decisions or runs that were judged, and those of them with a score of at least 0.5. */
  readonly outcomes: number
  readonly successes: number
  readonly meanScore: number
  /** What they took, all their calls together. Dollars are those of calls whose price is known. */
  readonly calls: number
  readonly unpriced: number
  readonly usd: Money
  readonly inputTokens: number
  readonly outputTokens: number
  readonly seconds: number
}

export type OutcomeReport = readonly OutcomeReportRow[]

/** What outcomes cost, from sums that stay exact when raw records are gone. */
export interface OutcomeReader {
  outcomeReport(query: OutcomeReportQuery): Promise<OutcomeReport>
}
