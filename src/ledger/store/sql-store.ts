import { hostname } from 'node:os'
import type { CallFilter, DecisionFilter, OutcomeFilter } from '../ledger.js'
import type { Report, ReportQuery } from '../report/contract.js'
import { addRecords } from './apply.js'
import { BalanceChanges, counterName } from './balances.js'
import type { Connection } from './connect.js'
import { ApplyContext } from './context.js'
import type { DeadHolds, HeldLine, JournalPiece, OutcomeReader, OutcomeReport, OutcomeReportQuery, Store } from './contract.js'
import { padded } from './dictionary.js'
import { isDisconnected, storeFault } from './fault.js'
import { lostCall } from '../lost-call.js'
import { databaseTime, deadHolds, findExpiredHold, markExpired } from './holds.js'
import { findOutcomeReport } from './outcome-report.js'
import { findCallRecords, findDecision, findDecisionRecords, findOutcomeRecords, findTotals } from './queries.js'
import { findReport } from './report-query.js'
import { Retention } from './retention.js'
import { lockApplying } from './state.js'
import type { TrialFilter } from '../trial.js'
import { findTrials } from './trial-rows.js'
import { inTransaction, type Tx } from './transaction.js'

/** Holds that one transaction turns into lost calls. */
const holdsAtOnce = 200
const countersAtOnce = 500

/** The ledger's database, on either engine. The connection stays the caller's to make (with its schema) and is closed with the store. */
export class SqlStore implements Store, OutcomeReader {
  private readonly context: ApplyContext
  private readonly retention: Retention

  constructor(private readonly connection: Connection) {
    this.context = new ApplyContext(connection.engine)
    this.retention = new Retention(connection)
  }

  apply({ segment, from, to, holder, records }: JournalPiece): Promise<void> {
    return this.writing(async (tx, balances) => {
      const applied = await appliedTo(tx, segment)
      if (to <= applied) return
      if (from !== applied) throw new RangeError(`a piece of journal ${segment} from ${from} on, after it was applied to ${applied}`)
      const remember = await addRecords(tx, this.context, records, holder, balances)
      await tx
        .insertInto('applied')
        .values({ segment, offset: to })
        .onConflict((conflict) => conflict.column('segment').doUpdateSet({ offset: to }))
        .execute()
      return remember
    })
  }

  appliedTo(segment: string): Promise<number> {
    return this.reading((db) => appliedTo(db, segment))
  }

  async expireHolds(dead: DeadHolds): Promise<number> {
    let lost = 0
    for (let after = '', more = true; more;) {
      await this.writing(async (tx, balances) => {
        const holds = await deadHolds(tx, this.context, dead, after, holdsAtOnce)
        const calls = holds.flatMap(({ intent }) => (intent === undefined ? [] : [intent]))
        const remember = await addRecords(
          tx,
          this.context,
          calls.map((intent) => ({ type: 'call', record: lostCall(intent) })),
          '',
          balances,
          'keep holds',
        )
        await markExpired(
          tx,
          holds.filter(({ intent }) => intent !== undefined),
          balances,
        )
        return () => {
          remember()
          lost += calls.length
          more = holds.length === holdsAtOnce
          after = holds.at(-1)?.id ?? after
        }
      })
    }
    await this.reading((db) => forgetHolders(db, dead))
    return lost
  }

  expiredHold(callId: string): Promise<readonly HeldLine[] | undefined> {
    return this.reading((db) => findExpiredHold(db, callId))
  }

  holders(): Promise<readonly { readonly holder: string; readonly heartbeatAgeSeconds: number }[]> {
    return this.reading(async (db) => {
      const beats = await db.selectFrom('holders').select(['holder', 'heartbeat_at']).select(databaseTime(this.context).as('now')).execute()
      const ages = new Map(beats.map(({ holder, heartbeat_at, now }) => [holder, Math.max(0, Number(now) - heartbeat_at)]))
      const holding = await db.selectFrom('holds').select('holder').distinct().where('expired', '=', 0).execute()
      for (const { holder } of holding) if (!ages.has(holder)) ages.set(holder, Number.POSITIVE_INFINITY)
      return [...ages].map(([holder, heartbeatAgeSeconds]) => ({ holder, heartbeatAgeSeconds }))
    })
  }

  async heartbeat(holder: string): Promise<void> {
    const now = databaseTime(this.context)
    await this.reading((db) =>
      db
        .insertInto('holders')
        .values({ holder, host: hostname(), pid: process.pid, started_at: now, heartbeat_at: now })
        .onConflict((conflict) => conflict.column('holder').doUpdateSet({ heartbeat_at: now }))
        .execute(),
    )
  }

  balances(counters: readonly string[]): Promise<readonly bigint[]> {
    return this.reading(async (db) => {
      const used = new Map<string, bigint>()
      const names = counters.map(counterName)
      for (let start = 0; start < names.length; start += countersAtOnce) {
        const rows = await db
          .selectFrom('balances')
          .selectAll()
          .where('counter', 'in', padded(names.slice(start, start + countersAtOnce)))
          .execute()
        for (const row of rows) used.set(row.counter, BigInt(row.used))
      }
      return names.map((counter) => used.get(counter) ?? 0n)
    })
  }

  retain(limits: { readonly before?: number | undefined; readonly maxBytes?: number | undefined }): Promise<number> {
    return this.guarded(() => this.retention.step(limits))
  }

  decision(decisionId: string) {
    return this.reading((db) => findDecision(db, decisionId))
  }

  decisions(filter: DecisionFilter) {
    return this.reading((db) => findDecisionRecords(db, filter))
  }

  calls(filter: CallFilter) {
    return this.reading((db) => findCallRecords(db, filter))
  }

  outcomes(filter: OutcomeFilter) {
    return this.reading((db) => findOutcomeRecords(db, filter))
  }

  trials(filter: TrialFilter) {
    return this.reading((db) => findTrials(db, filter))
  }

  totals(filter: { readonly key?: string | undefined }) {
    return this.reading((db) => findTotals(db, filter))
  }

  report(query: ReportQuery): Promise<Report> {
    return this.guarded(() => findReport(this.connection, query))
  }

  outcomeReport(query: OutcomeReportQuery): Promise<OutcomeReport> {
    return this.reading((db) => findOutcomeReport(db, query))
  }

  close(): Promise<void> {
    return this.connection.close()
  }

  /** Runs one transaction that adds records; what it answers is called once it is committed. */
  private writing(work: (tx: Tx, balances: BalanceChanges) => Promise<(() => void) | undefined>): Promise<void> {
    return this.guarded(async () => {
      const { engine, db } = this.connection
      const committed = await inTransaction(engine, db, async (tx) => {
        await lockApplying(tx, engine)
        const balances = new BalanceChanges()
        const then = await work(tx, balances)
        await balances.write(tx, this.context)
        return then
      })
      committed?.()
    })
  }

  private reading<Result>(work: (db: Tx) => Promise<Result>): Promise<Result> {
    return this.guarded(async () => {
      try {
        return await work(this.connection.db)
      } catch (thrown) {
        // The server has ended a connection that was idle: the next one is new. What is done here can be done twice.
        if (!isDisconnected(thrown)) throw thrown
        return work(this.connection.db)
      }
    })
  }

  /** What the database can't do now is `ledger_unavailable`; what is wrong with a question or a record is told as it is. */
  private async guarded<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (thrown) {
      throw storeFault(thrown)
    }
  }
}

async function appliedTo(tx: Tx, segment: string): Promise<number> {
  const row = await tx.selectFrom('applied').select('offset').where('segment', '=', segment).executeTakeFirst()
  return Number(row?.offset ?? 0)
}

/** Dead processes that hold nothing any more needn't be told of again. */
async function forgetHolders(db: Tx, dead: DeadHolds): Promise<void> {
  if ('calls' in dead || ('holders' in dead && dead.holders.length === 0)) return
  const query = db
    .deleteFrom('holders')
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('holds').select('holds.id').whereRef('holds.holder', '=', 'holders.holder').where('holds.expired', '=', 0))),
    )
  await ('holders' in dead ? query.where('holder', 'in', padded(dead.holders)) : query.where('holder', '!=', dead.allBut)).execute()
}
