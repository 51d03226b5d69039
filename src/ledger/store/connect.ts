import { Kysely, PostgresDialect, SqliteDialect } from 'kysely'
import { openEmbedded } from './embedded.js'
import type { StoreSettings } from './contract.js'
import type { StoreDatabase } from './schema.js'

export type Engine = 'embedded' | 'postgresql'

/** A database that is open, whatever tables are in it. */
export interface Connection {
  readonly engine: Engine
  readonly db: Kysely<StoreDatabase>
  /** The same, for whoever makes the tables. */
  readonly bare: Kysely<unknown>
  close(): Promise<void>
}

const defaultPoolSize = 4
const connectTimeoutMs = 5_000
/** A statement that takes longer is given up by the server, so that nothing waits for ever. */
const statementTimeoutMs = 60_000
/** How long a statement waits for the lock of another process. */
const lockTimeoutMs = 15_000

/**
 * Opens a database; nothing is made or changed in it. The drivers are loaded on first use. A PostgreSQL address may choose the schema:
 * `?options=-c%20search_path%3Dbursar`.
 */
export async function connect(settings: StoreSettings): Promise<Connection> {
  if ('file' in settings) {
    const database = await openEmbedded(settings.file)
    // Opens at the first query, and `destroy` closes only what was opened.
    let opened = false
    const bare = new Kysely<unknown>({ dialect: new SqliteDialect({ database: () => Promise.resolve(((opened = true), database)) }) })
    return {
      engine: 'embedded',
      bare,
      db: bare.withTables<StoreDatabase>(),
      close: async () => (opened ? bare.destroy() : database.close()),
    }
  }
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({
    connectionString: settings.url,
    max: settings.poolSize ?? defaultPoolSize,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    // The server's own limit comes first; this is for a server that says nothing any more.
    query_timeout: statementTimeoutMs + 5_000,
    lock_timeout: lockTimeoutMs,
    idle_in_transaction_session_timeout: statementTimeoutMs,
    application_name: 'bursar',
    keepAlive: true,
    types: { getTypeParser: (oid, format) => (oid === INT8 && format !== 'binary' ? BigInt : pg.types.getTypeParser(oid, format)) },
  })
  // An idle connection that the server ends is replaced by the next query; without a listener it would end the process.
  pool.on('error', () => undefined)
  // One that it ends while somebody has it fails that one's query, which is how it is told.
  pool.on('connect', (client) => client.on('error', () => undefined))
  const bare = new Kysely<unknown>({ dialect: new PostgresDialect({ pool }) })
  let ended: Promise<void> | undefined
  return { engine: 'postgresql', bare, db: bare.withTables<StoreDatabase>(), close: () => (ended ??= pool.end()) }
}

/** 64-bit integers come as big integers from both engines. */
const INT8 = 20
