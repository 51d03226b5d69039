import { sql, type Kysely } from 'kysely'
import { sumColumns } from '../sum-columns.js'
import type { Migration } from './migration.js'

/**
 * For ledgers of millions of calls:
 * - sums of all runs, and of all sessions, of a day (facet 0, series 0), so that reports needn't add them up to know what calls without them come to;
 * - an index of values of tags alone, which are few beside runs and sessions;
 * - the row of all time tells which columns any row has a value in (not `null`, though it may be 0), so that reports leave the others out;
 * - PostgreSQL: room in the pages of rows that change again and again, so that a change needs no new entry in an index, and is cleaned up where it lies.
 */
export const scaleStep: Migration = {
  version: 5,
  name: 'scale',
  async up(db, engine) {
    await sumAllFacets(db)
    await markColumns(db)
    await db.schema.createIndex('facets_tags').on('facets').columns(['scope', 'kind']).where(sql.ref('kind'), '>=', sql.lit(2)).execute()
    if (engine === 'postgresql') await leaveRoom(db)
  },
}

const columns = sql.join(sumColumns.map((name) => sql.ref(name)))

async function sumAllFacets(db: Kysely<unknown>): Promise<void> {
  const sums = sql.join(sumColumns.map((name) => sql`sum(${sql.ref(name)})`))
  await sql`insert into facet_days (kind, day, facet, series, ${columns}) select kind, day, 0, 0, ${sums} from facet_days where kind in (0, 1) group by kind, day`.execute(
    db,
  )
}

async function markColumns(db: Kysely<unknown>): Promise<void> {
  const marks = sql.join(sumColumns.map((name) => sql`case when count(${sql.ref(name)}) > 0 then 0 end`))
  const sets = sql.join(
    sumColumns.map((name) => sql`${sql.ref(name)} = coalesce(${sql.ref(`spend.${name}`)}, ${sql.ref(`excluded.${name}`)})`),
  )
  await sql`insert into spend (span, start, series, ${columns}) select 0, 0, 0, ${marks} from (select ${columns} from spend union all select ${columns} from facet_days) as sums having count(*) > 0
    on conflict (span, start, series) do update set ${sets}`.execute(db)
}

async function leaveRoom(db: Kysely<unknown>): Promise<void> {
  for (const table of ['balances', 'store_state', 'applied', 'facet_counts'])
    await sql`alter table ${sql.table(table)} set (fillfactor = 30)`.execute(db)
  for (const table of ['spend', 'facet_days', 'outcome_days']) await sql`alter table ${sql.table(table)} set (fillfactor = 75)`.execute(db)
}
