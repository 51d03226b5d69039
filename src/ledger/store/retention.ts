import { sql } from 'kysely'
import { counterEnd, keyOfRun } from '../budgets/periods.js'
import type { Connection } from './connect.js'
import { daySeconds, hourSeconds } from './spans.js'
import { advanceState, lockApplying } from './state.js'
import { inTransaction, type Tx } from './transaction.js'

/** Records removed in one step. */
const rowsAtOnce = 2000
/** Sums of single hours are kept so long; those of days for ever. */
const hoursKeptSeconds = 90 * daySeconds
/** Counters of windows that ended so long ago go; a clock may have been set back meanwhile. */
const windowsKeptSeconds = 3 * daySeconds
/** Counters looked at in one step. */
const countersAtOnce = 5000
/** Pages of an embedded database that are given back in one step. */
const pagesAtOnce = 2000

/** Tables of records, with about the bytes that a row takes in their indexes. */
const recordTables = [
  { table: 'calls', order: 'seq', indexes: 120 },
  { table: 'decisions', order: 'id', indexes: 75 },
  { table: 'outcomes', order: 'seq', indexes: 120 },
] as const
/** Of a row beside its columns. */
const rowOverhead = 8

export interface RetentionLimits {
  readonly before?: number | undefined
  readonly maxBytes?: number | undefined
}

/** Removes what need not be kept, a little at a time. */
export class Retention {
  /** Where the search for counters goes on. */
  private cursor = ''

  constructor(
    private readonly connection: Connection,
    private readonly now: () => number = () => Date.now() / 1000,
  ) {}

  /** One step: at most some thousand rows. Answers how many went. */
  async step({ before, maxBytes }: RetentionLimits): Promise<number> {
    const { engine, db } = this.connection
    let removed = 0
    if (before !== undefined) removed += await this.removeBefore(before)
    if (maxBytes !== undefined && removed === 0 && (await this.bytes()) > maxBytes) removed += await this.removeOldest()
    removed += await this.foldHours()
    removed += await this.forgetWindows()
    if (engine === 'embedded' && removed > 0) await sql`pragma incremental_vacuum(${sql.lit(pagesAtOnce)})`.execute(db)
    return removed
  }

  private removing<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
    const { engine, db } = this.connection
    return inTransaction(engine, db, async (tx) => {
      await lockApplying(tx, engine)
      return work(tx)
    })
  }

  private removeBefore(before: number): Promise<number> {
    return this.removing(async (tx) => {
      const calls = await removeCalls(tx, before)
      if (calls > 0) await advanceState(tx, 'raw_from', before)
      return calls + (await removeOthers(tx, before))
    })
  }

  /** The oldest calls, and what is as old as they are. */
  private removeOldest(): Promise<number> {
    return this.removing(async (tx) => {
      const oldest = await tx.selectFrom('calls').select('at').orderBy('at').limit(1).offset(rowsAtOnce).executeTakeFirst()
      const newest = oldest ?? (await tx.selectFrom('calls').select('at').orderBy('at', 'desc').limit(1).executeTakeFirst())
      if (newest === undefined) return 0
      // Whole seconds, since what is kept is told in them.
      const before = Math.floor(newest.at) + 1
      const calls = await removeCalls(tx, before)
      await advanceState(tx, 'raw_from', before)
      return calls + (await removeOthers(tx, before))
    })
  }

  /** Bytes of the database. PostgreSQL: about those of the records that are there, since its files keep the room of those that are gone. */
  private async bytes(): Promise<number> {
    const { engine, db } = this.connection
    if (engine === 'embedded') {
      const { rows } = await sql<{ readonly bytes: number | bigint }>`select (p.page_count - f.freelist_count) * s.page_size as bytes
        from pragma_page_count() as p, pragma_freelist_count() as f, pragma_page_size() as s`.execute(db)
      return Number(rows[0]?.bytes ?? 0)
    }
    let bytes = 0
    for (const { table, order, indexes } of recordTables) {
      const { rows } = await sql<{
        readonly width: number | string | null
      }>`select avg(pg_column_size(sample.*)) as width from (select * from ${sql.table(table)} order by ${sql.ref(order)} desc limit 200) as sample`.execute(
        db,
      )
      bytes += (await this.rowsOf(table)) * (Number(rows[0]?.width ?? 0) + rowOverhead + indexes)
    }
    return bytes
  }

  /** About how many rows there are. Numbers are given out in order and rows go in about that order, so their range is nearly full. */
  private async rowsOf(table: 'calls' | 'decisions' | 'outcomes'): Promise<number> {
    const { db } = this.connection
    const { rows } =
      table === 'decisions'
        ? await sql<{
            readonly rows: bigint | null
          }>`select n_live_tup as rows from pg_stat_user_tables where relid = 'decisions'::regclass`.execute(db)
        : await sql<{ readonly rows: bigint | null }>`select max(seq) - min(seq) + 1 as rows from ${sql.table(table)}`.execute(db)
    return Number(rows[0]?.rows ?? 0)
  }

  /** Sums of one hour that is long past: its day has them too. */
  private foldHours(): Promise<number> {
    return this.removing(async (tx) => {
      const until = Math.floor(this.now() - hoursKeptSeconds)
      const oldest = await tx
        .selectFrom('spend')
        .select('start')
        .where('span', '=', hourSeconds)
        .where('start', '<', until)
        .orderBy('start')
        .limit(1)
        .executeTakeFirst()
      if (oldest === undefined) return 0
      const start = Number(oldest.start)
      await advanceState(tx, 'hours_from', start + hourSeconds)
      const { numDeletedRows } = await tx
        .deleteFrom('spend')
        .where('span', '=', hourSeconds)
        .where('start', '=', start)
        .executeTakeFirstOrThrow()
      return Number(numDeletedRows)
    })
  }

  /**
   * Balances of windows of time that are over, and of all runs of keys that were revoked long ago. Those of runs of other keys stay, however long
   * nobody has named them: a run that is forgotten would have its whole budget again.
   */
  private async forgetWindows(): Promise<number> {
    const { db } = this.connection
    const rows = await db
      .selectFrom('balances')
      .select('counter')
      .where('counter', '>', this.cursor)
      .orderBy('counter')
      .limit(countersAtOnce)
      .execute()
    this.cursor = rows.length < countersAtOnce ? '' : (rows.at(-1)?.counter ?? '')
    const until = this.now() - windowsKeptSeconds
    const counters = rows.map(({ counter }) => counter)
    const ended = counters.filter((counter) => counterEnd(counter) < until)
    const over = [...new Set([...ended, ...(await this.runsOfRevoked(counters, until))])].slice(0, rowsAtOnce)
    let removed = 0
    for (const counter of over) {
      const { numDeletedRows } = await db.deleteFrom('balances').where('counter', '=', counter).executeTakeFirstOrThrow()
      removed += Number(numDeletedRows)
    }
    return removed
  }

  /** Counters of runs under whose names nobody can call again. */
  private async runsOfRevoked(counters: readonly string[], until: number): Promise<readonly string[]> {
    const byKey = new Map<string, string[]>()
    for (const counter of counters) {
      const key = keyOfRun(counter)
      if (key === undefined) continue
      const known = byKey.get(key)
      if (known) known.push(counter)
      else byKey.set(key, [counter])
    }
    if (byKey.size === 0) return []
    const revoked = sql<{ readonly id: string }>`select id from keys where revoked_at < ${until} and id in (${sql.join([...byKey.keys()])})`
    const { rows } = await revoked.execute(this.connection.db)
    return rows.flatMap(({ id }) => byKey.get(id) ?? [])
  }
}

async function removeCalls(tx: Tx, before: number): Promise<number> {
  const { numDeletedRows } = await tx
    .deleteFrom('calls')
    .where('seq', 'in', ({ selectFrom }) => selectFrom('calls').select('seq').where('at', '<', before).orderBy('at').limit(rowsAtOnce))
    .executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}

/** Decisions, outcomes, and holds that lost calls stand in for. */
async function removeOthers(tx: Tx, before: number): Promise<number> {
  const decisions = await tx
    .deleteFrom('decisions')
    .where('id', 'in', ({ selectFrom }) => selectFrom('decisions').select('id').where('at', '<', before).orderBy('at').limit(rowsAtOnce))
    .executeTakeFirstOrThrow()
  const outcomes = await tx
    .deleteFrom('outcomes')
    .where('seq', 'in', ({ selectFrom }) => selectFrom('outcomes').select('seq').where('at', '<', before).orderBy('at').limit(rowsAtOnce))
    .executeTakeFirstOrThrow()
  const holds = await tx.deleteFrom('holds').where('expired', '=', 1).where('at', '<', before).executeTakeFirstOrThrow()
  return Number(decisions.numDeletedRows + outcomes.numDeletedRows + holds.numDeletedRows)
}
