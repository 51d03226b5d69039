import { randomBytes } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { BursarError } from '../errors/index.js'
import { noCost, noUsage } from '../quantities/index.js'
import type { AccountStore } from './accounts/contract.js'
import {
  defaultLimits,
  type DurableLedgerLimits,
  type DurableLedgerObserver,
  type DurableLedgerSettings,
  type LedgerLag,
} from './durable-settings.js'
import { lockDatabase } from './journal/database-lock.js'
import { openFileJournal, type FileJournal } from './journal/file-journal.js'
import { LateRecords } from './journal/late-records.js'
import { ProcessMark } from './journal/process-mark.js'
import { findSegments } from './journal/segment.js'
import { ledgerUnavailable } from './journal/unavailable.js'
import { durablyNoted, type CallFilter, type DecisionFilter, type Ledger, type NotedCall, type OutcomeFilter } from './ledger.js'
import type { CallRecord, CorrectionRecord, DecisionRecord, IntentRecord, LedgerRecord, LedgerTotals, OutcomeRecord } from './record.js'
import type { Report, ReportQuery } from './report/contract.js'
import type { TrialEvidence, TrialFilter } from './trial.js'
import type { OutcomeReader, OutcomeReport, OutcomeReportQuery, Store } from './store/contract.js'
import { journalDirectory, markName } from './worker/adopt.js'
import { Housekeeping } from './worker/housekeeping.js'
import type { LedgerFault } from './worker/messages.js'
import { StoreWorker, type Remote } from './worker/store-worker.js'
import { TimeLimit } from './time-limit.js'
import { within } from './within.js'

export type { Durability, DurableLedgerLimits, DurableLedgerObserver, DurableLedgerSettings, LedgerLag } from './durable-settings.js'
export type { LedgerFault } from './worker/messages.js'
export type { RetentionSettings } from './worker/housekeeping.js'
export type { Remote } from './worker/store-worker.js'

const defaultLeaseSeconds = 30
const defaultHeartbeatSeconds = 2
/** Calls that end while the journal takes nothing. */
const maxLateRecords = 20_000
const lagSeconds = 1
/** For the database to close, when what came before took all the time. */
const leastCloseSeconds = 1
/** Methods of the store that may take their time, in seconds. */
const slowMethods = { expireHolds: 120, retain: 120, report: 60, totals: 60, outcomeReport: 60, trials: 60 }

/**
 * Opens the ledger: brings in what dead processes left in their journals, turns into spend what they held (embedded: all that isn't ours;
 * PostgreSQL: what they certainly or by their silence can't end any more), and begins a journal. Throws `invalid_configuration`
 * when another process serves from the same embedded database, or the settings can't work; `ledger_unavailable` when the
 * database or the disk can't be used now. Takes as long as there is journal to bring in.
 */
export async function openDurableLedger(settings: DurableLedgerSettings, observer: DurableLedgerObserver = {}): Promise<DurableLedger> {
  const { store, holder = newHolder(), leaseSeconds = defaultLeaseSeconds, heartbeatSeconds = defaultHeartbeatSeconds } = settings
  const limits = { ...defaultLimits, ...settings.limits }
  const journals = resolve(settings.journals)
  const own = journalDirectory(journals, holder)
  if (existsSync(own))
    throw new BursarError(`The id of this process, ${holder}, has been used before; it must be a new one at each start.`, {
      code: 'invalid_configuration',
      status: 500,
    })
  const marks: ProcessMark[] = []
  let worker: StoreWorker | undefined
  try {
    if ('file' in store && store.file !== ':memory:') marks.push(await lockDatabase(store.file, leaseSeconds))
    marks.push(new ProcessMark(join(own, markName)))
    worker = new StoreWorker(
      { store, storeModule: settings.storeModule ?? ownStoreModule, journals, own, holder, leaseSeconds },
      { onFault: (fault) => observer.onFault?.(fault) },
    )
    await worker.ready(limits.start)
    const methods = worker.group<Store>('store', slowMethods)
    const adopted = await worker.adopt(limits.start)
    if ('url' in store) {
      await methods.heartbeat(holder)
      if (adopted.length > 0) await methods.expireHolds({ holders: adopted })
    } else await methods.expireHolds({ allBut: holder })
    return new DurableLedger(
      { ...settings, holder, leaseSeconds, heartbeatSeconds, limits, own, marks, recovered: adopted.length > 0 },
      worker,
      observer,
    )
  } catch (error) {
    await worker?.kill()
    leave(own, marks)
    if (BursarError.is(error)) throw error
    throw new BursarError(`The ledger can not be opened: ${error instanceof Error ? error.message : String(error)}`, {
      code: 'invalid_configuration',
      status: 500,
      cause: error,
    })
  }
}

interface OpenSettings extends DurableLedgerSettings {
  readonly recovered: boolean
  readonly holder: string
  readonly leaseSeconds: number
  readonly heartbeatSeconds: number
  readonly limits: DurableLedgerLimits
  readonly own: string
  readonly marks: readonly ProcessMark[]
}

/**
 * The ledger in an SQL database, with a journal in front of it: a record is durable when it is in the journal, and a thread of its own
 * brings it into the database. So recording never waits for the database, and goes on while it is away.
 */
export class DurableLedger implements Ledger, OutcomeReader {
  /** Id of this process: what it holds is its own until it dies. */
  readonly holder: string
  /** Whether a process before this one left a journal that had to be brought in: counters kept elsewhere may not have heard of it. */
  readonly recovered: boolean
  /** The store's own methods, which know nothing of what isn't applied yet. */
  readonly store: Omit<Remote<Store & OutcomeReader>, 'apply' | 'close'>
  readonly accounts: Remote<AccountStore>
  private readonly all: Remote<Store & OutcomeReader>
  private readonly journal: FileJournal
  private readonly late: LateRecords
  private readonly housekeeping: Housekeeping
  private readonly limits: DurableLedgerLimits
  private readonly lagTimer: NodeJS.Timeout
  private readonly isStrict: boolean
  private readonly recording: TimeLimit
  private refusal: string | undefined
  private closing: Promise<void> | undefined

  /** Use `openDurableLedger`. */
  constructor(
    private readonly settings: OpenSettings,
    private readonly worker: StoreWorker,
    private readonly observer: DurableLedgerObserver,
  ) {
    const {
      own,
      holder,
      durability = 'disk',
      segmentBytes,
      files,
      marks,
      store,
      leaseSeconds,
      heartbeatSeconds,
      retention,
      limits,
    } = settings
    this.holder = holder
    this.recovered = settings.recovered
    this.limits = limits
    this.isStrict = durability === 'strict'
    this.recording = new TimeLimit(limits.record, () =>
      ledgerUnavailable('The disk takes too long to write the ledger’s journal. Try again in a moment.'),
    )
    this.all = worker.group<Store & OutcomeReader>('store', slowMethods)
    this.store = this.all
    this.accounts = worker.group<AccountStore>('accounts')
    this.journal = openFileJournal(
      { directory: own, holder, durability: durability === 'process' ? 'process' : 'disk', segmentBytes, files },
      {
        onAdvance: (state, records) => worker.advance(state, records),
        onFault: (error, lostNotes) =>
          this.fault({
            kind: 'journal',
            message: `the journal could not be written${lostNotes > 0 ? `; ${lostNotes} decisions are lost` : ''}`,
            error,
          }),
      },
    )
    this.late = new LateRecords({
      maxRecords: maxLateRecords,
      append: (record) => this.journal.append(record),
      onDropped: (records) =>
        this.fault({
          kind: 'journal',
          message: `${records} records of calls could not be kept; the next start counts their calls as lost, at what was reserved for them`,
        }),
    })
    this.housekeeping = new Housekeeping(
      worker,
      this.all,
      { holder, marks, shared: 'url' in store, leaseSeconds, heartbeatSeconds, retention },
      { onFault: (fault) => this.fault(fault), onFenced: () => this.fence() },
    )
    let lagging = false
    this.lagTimer = setInterval(() => {
      const lag = this.lag()
      const lags = lag.records > 0 || lag.late > 0
      if (lags || lagging) observer.onLag?.(lag)
      lagging = lags
    }, lagSeconds * 1000).unref()
  }

  recordDecision(record: DecisionRecord): void {
    // A decision explains; a fault in writing it down must not fail the request.
    try {
      if (this.refusal === undefined) this.journal.note({ type: 'decision', record })
    } catch (error) {
      this.fault({ kind: 'journal', message: 'a decision can not be written down', error: error instanceof Error ? error : undefined })
    }
  }

  /** Rejects also while records of calls wait for the disk: money that can't be accounted for must not be spent. */
  async recordIntent(record: IntentRecord): Promise<NotedCall> {
    const entry: LedgerRecord = { type: 'intent', record }
    this.refuseWhenUnwritable()
    // Of a stream the first bytes wait for the disk, of another answer only the last: by then its own record is on the way there as well.
    const begun = this.isStrict ? undefined : this.journal.begin(entry, record.stream)
    const noting = begun ? begun.written() : this.journal.append(entry)
    try {
      await this.inTime(noting)
    } catch (error) {
      // Refused for taking too long, and written after all: the call is never made, and must not count as lost.
      noting.then(
        () => this.recordCall(neverMade(record)).catch(() => undefined),
        () => undefined,
      )
      throw error
    }
    if (!begun) return durablyNoted
    return {
      durable: () => {
        const durable = begun.durable()
        return durable && this.inTime(durable)
      },
    }
  }

  async recordCall(record: CallRecord): Promise<void> {
    const entry: LedgerRecord = { type: 'call', record }
    this.refuseWhenEnded()
    const appended =
      this.late.size > 0
        ? this.late.add(entry)
        : this.journal.append(entry).catch((error: unknown) => {
            // Only what the disk refused is worth another try; a record that can't be written down never can.
            if (!BursarError.is(error)) throw error
            return this.late.add(entry)
          })
    await this.inTime(appended)
  }

  recordOutcome(record: OutcomeRecord): Promise<void> {
    return this.inTime(this.append({ type: 'outcome', record }))
  }

  recordCorrection(record: CorrectionRecord): Promise<void> {
    return this.inTime(this.append({ type: 'correction', record }))
  }

  async decision(decisionId: string): Promise<DecisionRecord | undefined> {
    await this.caughtUp()
    return this.all.decision(decisionId)
  }

  async decisions(filter: DecisionFilter): Promise<readonly DecisionRecord[]> {
    await this.caughtUp()
    return this.all.decisions(filter)
  }

  async calls(filter: CallFilter): Promise<readonly CallRecord[]> {
    await this.caughtUp()
    return this.all.calls(filter)
  }

  async outcomes(filter: OutcomeFilter): Promise<readonly OutcomeRecord[]> {
    await this.caughtUp()
    return this.all.outcomes(filter)
  }

  async trials(filter: TrialFilter): Promise<readonly TrialEvidence[]> {
    await this.caughtUp()
    return this.all.trials(filter)
  }

  async totals(filter: { readonly key?: string | undefined }): Promise<LedgerTotals> {
    await this.caughtUp()
    return this.all.totals(filter)
  }

  async report(query: ReportQuery): Promise<Report> {
    await this.caughtUp()
    return this.all.report(query)
  }

  async outcomeReport(query: OutcomeReportQuery): Promise<OutcomeReport> {
    await this.caughtUp()
    return this.all.outcomeReport(query)
  }

  /** Balances, including everything that was recorded before. Throws `ledger_unavailable`. */
  async balances(counters: readonly string[]): Promise<readonly bigint[]> {
    await this.caughtUp()
    return this.all.balances(counters)
  }

  /** Another group of methods that the store's module has over its connection. They know nothing of what isn't applied yet. */
  methods<Methods extends object>(group: string): Remote<Methods> {
    return this.worker.group<Methods>(group)
  }

  /** What the database hasn't taken in yet. */
  lag(): LedgerLag {
    return { ...this.worker.lag, late: this.late.size }
  }

  /** Resolves when the database has everything that was recorded. Throws `ledger_unavailable` when it takes longer than the limit for reads. */
  async caughtUp(): Promise<void> {
    const until = performance.now() + this.limits.read * 1000
    const left = () => Math.max(0, (until - performance.now()) / 1000)
    const late = () => ledgerUnavailable('The ledger can not write what was recorded. Try again in a moment.')
    if (this.late.size > 0) {
      await within(left(), this.late.retry(), late)
      if (this.late.size > 0) throw late()
    }
    await within(left(), this.journal.flush(), late)
    await this.worker.caughtUp(left())
  }

  /**
   * Writes what is left, brings it into the database and closes that: its file is complete then, and can be copied. What the database doesn't
   * take within the limit stays in the journal for the next start.
   */
  close(): Promise<void> {
    return (this.closing ??= this.end())
  }

  private async end(): Promise<void> {
    const { limits, settings } = this
    if (this.late.size > 0) await within(limits.close, this.late.retry(), () => new Error('timed out')).catch(() => undefined)
    this.refusal ??= 'The ledger is closed.'
    this.late.giveUp()
    const quiet = this.housekeeping.stop()
    clearInterval(this.lagTimer)
    await within(limits.close, this.journal.close(), () => ledgerUnavailable('The journal could not be closed in time.')).catch(
      (error: Error) => this.fault({ kind: 'journal', message: 'the journal was not closed in order', error }),
    )
    const until = performance.now() + limits.close * 1000
    if ('url' in settings.store) await this.signOff(quiet, until)
    await this.worker.close(Math.max((until - performance.now()) / 1000, Math.min(limits.close, leastCloseSeconds)))
    leave(settings.own, settings.marks)
  }

  /**
   * Tells the others on the database that this process is gone, so that nobody waits for it until its lease is over. Only once the database has
   * everything that was recorded: what is open then has no end that could still come in. Where that can't be, the lease ends it.
   */
  private async signOff(quiet: Promise<void>, until: number): Promise<void> {
    const left = () => Math.max(0, (until - performance.now()) / 1000)
    const late = () => ledgerUnavailable('The database did not take it in time.')
    try {
      await this.worker.caughtUp(left())
      await within(left(), quiet, late)
      await within(left(), this.all.expireHolds({ holders: [this.holder] }), late)
    } catch {
      // `worker.close` says what the matter is.
    }
  }

  private async append(entry: LedgerRecord): Promise<void> {
    this.refuseWhenUnwritable()
    await this.journal.append(entry)
  }

  private refuseWhenUnwritable(): void {
    this.refuseWhenEnded()
    if (this.late.size > 0) throw ledgerUnavailable('The ledger can not write to its journal, so nothing may be spent now.')
  }

  private refuseWhenEnded(): void {
    if (this.refusal !== undefined) throw ledgerUnavailable(this.refusal)
  }

  private inTime<Value>(recorded: Promise<Value>): Promise<Value> {
    return this.recording.on(recorded)
  }

  private fence(): void {
    if (this.refusal !== undefined) return
    this.refusal = 'Another process has taken over this ledger.'
    this.fault({
      kind: 'fenced',
      message: 'another process has taken over what this one served from; it records nothing any more: start it again',
    })
  }

  private fault(fault: LedgerFault): void {
    this.observer.onFault?.(fault)
  }
}

/** Lets go of what this process alone could use. What it couldn't bring into the database is for the next one. */
function leave(own: string, marks: readonly ProcessMark[]): void {
  const leavesJournal = findSegments(own).length > 0
  for (const mark of marks) {
    if (leavesJournal && mark.path === join(own, markName)) mark.release()
    else mark.remove()
  }
  if (!leavesJournal && existsSync(own)) rmSync(own, { recursive: true })
}

/** How a call ended that was planned, and refused before it was made. */
function neverMade({ held, usage: _, cost: __, ...plan }: IntentRecord): CallRecord {
  return {
    ...plan,
    end: 'failed',
    status: 0,
    errorCode: 'ledger_unavailable',
    usage: noUsage,
    usageEstimated: false,
    cost: noCost,
    settled: held.map(() => 0n),
  }
}

function newHolder(): string {
  const host = hostname()
    .replace(/[^A-Za-z0-9.-]/g, '-')
    .slice(0, 40)
  return `p-${host}-${process.pid}-${randomBytes(5).toString('hex')}`
}

const ownStoreModule = new URL(import.meta.url.endsWith('.ts') ? './worker/open-groups.ts' : './worker/open-groups.js', import.meta.url)
  .href
