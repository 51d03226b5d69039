import type { CallRecord, CorrectionRecord, DecisionRecord, IntentRecord, LedgerTotals, OutcomeRecord } from './record.js'
import type { Report, ReportQuery } from './report/contract.js'
import type { TrialReader } from './trial.js'

export interface CallFilter {
  readonly requestId?: string | undefined
  readonly callId?: string | undefined
  readonly key?: string | undefined
  readonly run?: string | undefined
  readonly end?: CallRecord['end'] | undefined
  /** Unix seconds, inclusive and exclusive. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly limit: number
}

export interface DecisionFilter {
  readonly key?: string | undefined
  /** Unix seconds, inclusive and exclusive. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly limit: number
}

export interface OutcomeFilter extends DecisionFilter {
  readonly decisionId?: string | undefined
  readonly run?: string | undefined
}

/** What reads the record. Every answer includes what was recorded (awaited or not) before it was asked for. */
export interface LedgerReader extends TrialReader {
  decision(decisionId: string): Promise<DecisionRecord | undefined>
  /** The newest first, at most `limit`; `from` (inclusive) and `to` (exclusive) in Unix seconds. */
  decisions(filter: DecisionFilter): Promise<readonly DecisionRecord[]>
  /** By when they began, the newest first, at most `limit`. */
  calls(filter: CallFilter): Promise<readonly CallRecord[]>
  /** The newest first, at most `limit`. */
  outcomes(filter: OutcomeFilter): Promise<readonly OutcomeRecord[]>
  /** Sums over all time; exact also when the calls themselves are no longer kept. */
  totals(filter: { readonly key?: string | undefined }): Promise<LedgerTotals>
  /** Sums from roll-ups, which stay exact when raw records are gone. */
  report(query: ReportQuery): Promise<Report>
}

/** A call that was noted as about to be made. */
export interface NotedCall {
  /**
   * Resolves when the note is as durable as the store is set to make it; `undefined` when it is. To be awaited before anything of an answer is
   * shown. Rejects with `ledger_unavailable` when that fails: the call goes on to count, and its record is due all the same.
   */
  durable(): Promise<void> | undefined
}

/** The note of a call that is durable already. */
export const durablyNoted: NotedCall = { durable: () => undefined }

/**
 * The append-only record of decisions, calls, outcomes and budgets. What a method resolves for is as durable as the store is
 * set to make it. Everything recorded is kept in the order of the calls to these methods.
 */
export interface Ledger extends LedgerReader {
  /** Durable at the latest with the next record that is awaited. */
  recordDecision(record: DecisionRecord): void
  /**
   * Notes that a call is about to be made; it may be made when this resolves, since the note survives the death of this process then. Rejects with
   * `ledger_unavailable` (503) when it can't be noted: then the call must not be made.
   */
  recordIntent(record: IntentRecord): Promise<NotedCall>
  /** Notes how a call ended. Keeps trying when the store can't take it now (the promise rejects once it has given up waiting, the record is kept all the same). */
  recordCall(record: CallRecord): Promise<void>
  recordOutcome(record: OutcomeRecord): Promise<void>
  recordCorrection(record: CorrectionRecord): Promise<void>
  /** Writes what is left and closes. */
  close(): Promise<void>
}
