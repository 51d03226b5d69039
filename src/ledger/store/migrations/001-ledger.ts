import { sql, type CreateTableBuilder, type Kysely } from 'kysely'
import type { Engine } from '../connect.js'
import { realColumns, usageColumnNames, wholeColumns } from '../sum-columns.js'
import type { Migration } from './migration.js'

/** Makes the tables of the ledger (see `schema.ts`). Few indexes, and those in order of time where possible: each costs every call. */
export const ledgerMigration: Migration = {
  version: 1,
  name: 'ledger',
  async up(db, engine) {
    await makeState(db)
    await makeDictionaries(db, engine)
    await makeRecords(db, engine)
    await makeSums(db, engine)
  },
}

async function makeState(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('store_state')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('value', 'bigint', (column) => column.notNull())
    .execute()
  const names = ['applying', 'call_seq', 'outcome_seq', 'raw_from', 'hours_from', 'shared_names']
  await db
    .withTables<{ store_state: { name: string; value: number } }>()
    .insertInto('store_state')
    .values(names.map((name) => ({ name, value: 0 })))
    .execute()
  await db.schema
    .createTable('applied')
    .addColumn('segment', 'text', (column) => column.primaryKey())
    .addColumn('offset', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('balances')
    .addColumn('counter', 'text', (column) => column.primaryKey())
    .addColumn('used', 'bigint', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('holds')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('holder', 'text', (column) => column.notNull())
    .addColumn('at', 'double precision', (column) => column.notNull())
    .addColumn('lines', 'text', (column) => column.notNull())
    .addColumn('intent', 'text', (column) => column.notNull())
    .addColumn('expired', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema
    .createTable('holders')
    .addColumn('holder', 'text', (column) => column.primaryKey())
    .addColumn('host', 'text', (column) => column.notNull())
    .addColumn('pid', 'integer', (column) => column.notNull())
    .addColumn('started_at', 'double precision', (column) => column.notNull())
    .addColumn('heartbeat_at', 'double precision', (column) => column.notNull())
    .execute()
}

async function makeDictionaries(db: Kysely<unknown>, engine: Engine): Promise<void> {
  // An integer primary key of SQLite numbers its rows by itself.
  const number = engine === 'embedded' ? 'integer' : 'serial'
  await db.schema
    .createTable('words')
    .addColumn('id', number, (column) => column.primaryKey())
    .addColumn('word', 'text', (column) => column.notNull().unique())
    .execute()
  await db.schema
    .createTable('series')
    .addColumn('id', number, (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('organisation', 'text')
    .addColumn('team', 'text')
    .addColumn('user_id', 'text')
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('provider', 'text', (column) => column.notNull())
    .addColumn('deployment', 'text', (column) => column.notNull())
    .addColumn('model', 'text', (column) => column.notNull())
    .addColumn('requested_model', 'text', (column) => column.notNull())
    .execute()
  await db.schema
    .createTable('facets')
    .addColumn('id', number, (column) => column.primaryKey())
    .addColumn('kind', 'integer', (column) => column.notNull())
    .addColumn('scope', 'integer', (column) => column.notNull())
    .addColumn('value', 'text', (column) => column.notNull())
    .addUniqueConstraint('facets_value', ['value', 'kind', 'scope'])
    .execute()
}

async function makeRecords(db: Kysely<unknown>, engine: Engine): Promise<void> {
  const bytes = engine === 'embedded' ? 'blob' : 'bytea'
  let calls = db.schema
    .createTable('calls')
    .addColumn('seq', engine === 'embedded' ? 'integer' : 'bigint', (column) => column.primaryKey())
    .addColumn('at', 'double precision', (column) => column.notNull())
    .addColumn('usd', 'bigint')
    .addColumn('seconds', 'double precision', (column) => column.notNull())
  for (const name of usageColumnNames) calls = calls.addColumn(name, 'bigint')
  await calls
    .addColumn('series', 'integer', (column) => column.notNull())
    .addColumn('key', 'integer', (column) => column.notNull())
    .addColumn('number', 'integer')
    .addColumn('run', 'integer')
    .addColumn('session', 'integer')
    .addColumn('ended', 'smallint', (column) => column.notNull())
    .addColumn('flags', 'smallint', (column) => column.notNull())
    .addColumn('attempt', 'integer', (column) => column.notNull())
    .addColumn('status', 'integer', (column) => column.notNull())
    .addColumn('error', 'integer')
    .addColumn('tier', 'integer')
    .addColumn('price_source', 'integer')
    .addColumn('joules', 'double precision')
    .addColumn('grams', 'double precision')
    .addColumn('first_token_seconds', 'double precision')
    .addColumn('savings', 'bigint')
    .addColumn('usd_high', 'bigint')
    .addColumn('request', bytes, (column) => column.notNull())
    .addColumn('call_id', 'text')
    .addColumn('decision_id', 'text')
    .addColumn('tags', 'text')
    .addColumn('composition', 'text')
    .addColumn('note', 'text')
    .execute()
  await db.schema.createIndex('calls_request').on('calls').column('request').execute()
  await db.schema.createIndex('calls_at').on('calls').column('at').execute()
  await db.schema.createIndex('calls_key').on('calls').columns(['key', 'at']).execute()
  await db.schema.createIndex('calls_lost').on('calls').column('at').where(sql.ref('ended'), '=', sql.lit(4)).execute()
  await db.schema.createIndex('calls_run').on('calls').column('run').where(sql.ref('run'), 'is not', null).execute()
  await db.schema.createIndex('calls_call_id').on('calls').column('call_id').where(sql.ref('call_id'), 'is not', null).execute()

  await db.schema
    .createTable('decisions')
    .addColumn('id', bytes, (column) => column.primaryKey())
    .addColumn('at', 'double precision', (column) => column.notNull())
    .addColumn('propensity', 'double precision', (column) => column.notNull())
    .addColumn('key', 'integer', (column) => column.notNull())
    .addColumn('requested_model', 'integer', (column) => column.notNull())
    .addColumn('arm', 'integer', (column) => column.notNull())
    .addColumn('policy', 'integer', (column) => column.notNull())
    .addColumn('reason', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text')
    .modifyEnd(clustered(engine))
    .execute()
  await db.schema.createIndex('decisions_at').on('decisions').column('at').execute()

  await db.schema
    .createTable('outcomes')
    .addColumn('seq', engine === 'embedded' ? 'integer' : 'bigint', (column) => column.primaryKey())
    .addColumn('at', 'double precision', (column) => column.notNull())
    .addColumn('score', 'double precision', (column) => column.notNull())
    .addColumn('key', 'integer', (column) => column.notNull())
    .addColumn('source', 'integer', (column) => column.notNull())
    .addColumn('state', 'integer', (column) => column.notNull())
    .addColumn('run', 'integer')
    .addColumn('decision', bytes)
    .addColumn('outcome_id', 'text', (column) => column.notNull())
    .addColumn('comment', 'text')
    .execute()
  await db.schema.createIndex('outcomes_at').on('outcomes').column('at').execute()
  await db.schema.createIndex('outcomes_key').on('outcomes').columns(['key', 'at']).execute()
  await db.schema.createIndex('outcomes_decision').on('outcomes').column('decision').where(sql.ref('decision'), 'is not', null).execute()
  await db.schema.createIndex('outcomes_run').on('outcomes').column('run').where(sql.ref('run'), 'is not', null).execute()
}

async function makeSums(db: Kysely<unknown>, engine: Engine): Promise<void> {
  await withSums(
    db.schema
      .createTable('spend')
      .addColumn('start', 'bigint', (column) => column.notNull())
      .addColumn('span', 'integer', (column) => column.notNull())
      .addColumn('series', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('spend_pk', ['span', 'start', 'series']),
  )
    .modifyEnd(clustered(engine))
    .execute()
  await withSums(
    db.schema
      .createTable('facet_days')
      .addColumn('day', 'bigint', (column) => column.notNull())
      .addColumn('kind', 'integer', (column) => column.notNull())
      .addColumn('facet', 'integer', (column) => column.notNull())
      .addColumn('series', 'integer', (column) => column.notNull())
      .addPrimaryKeyConstraint('facet_days_pk', ['kind', 'day', 'facet', 'series']),
  )
    .modifyEnd(clustered(engine))
    .execute()
  await db.schema.createIndex('facet_days_facet').on('facet_days').column('facet').execute()
  await db.schema
    .createTable('facet_counts')
    .addColumn('day', 'bigint', (column) => column.notNull())
    .addColumn('scope', 'integer', (column) => column.notNull())
    .addColumn('facets', 'integer', (column) => column.notNull())
    .addPrimaryKeyConstraint('facet_counts_pk', ['day', 'scope'])
    .execute()

  let days: CreateTableBuilder<string, string> = db.schema
    .createTable('outcome_days')
    .addColumn('day', 'bigint', (column) => column.notNull())
  for (const name of ['key', 'requested_model', 'arm', 'source']) days = days.addColumn(name, 'integer', (column) => column.notNull())
  for (const name of ['outcomes', 'successes', 'calls', 'unpriced', 'usd_micro', 'usd_rest', 'input_tokens', 'output_tokens'])
    days = days.addColumn(name, 'bigint', (column) => column.notNull())
  await days
    .addColumn('score', 'double precision', (column) => column.notNull())
    .addColumn('seconds', 'double precision', (column) => column.notNull())
    .addPrimaryKeyConstraint('outcome_days_pk', ['day', 'key', 'requested_model', 'arm', 'source'])
    .modifyEnd(clustered(engine))
    .execute()
  await db.schema
    .createTable('run_outcomes')
    .addColumn('run', 'integer', (column) => column.notNull())
    .addColumn('source', 'integer', (column) => column.notNull())
    .addColumn('day', 'bigint', (column) => column.notNull())
    .addColumn('score', 'double precision', (column) => column.notNull())
    .addPrimaryKeyConstraint('run_outcomes_pk', ['run', 'source'])
    .execute()
}

function withSums(table: CreateTableBuilder<string, string>): CreateTableBuilder<string, string> {
  for (const name of wholeColumns) table = table.addColumn(name, 'bigint')
  for (const name of realColumns) table = table.addColumn(name, 'double precision')
  return table
}

/** SQLite: the rows lie in the order of the primary key, and the key is not written twice. */
function clustered(engine: Engine) {
  return engine === 'embedded' ? sql`without rowid` : sql``
}
