import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import pg from 'pg'
import { openDatabase, SqlStore, type Connection } from '../../src/ledger/store/index.js'

/** One database under test, which is new and goes away at the end. */
export interface Engine {
  readonly name: string
  readonly version: string
  readonly store: SqlStore
  /** Path or address. */
  readonly where: string
  /** Bytes of everything, and by table with its indexes. */
  bytes(): Promise<{ readonly total: number; readonly tables: readonly { readonly table: string; readonly bytes: number }[] }>
  /** What a database does now and then by itself: after so many writes, its statistics are known. */
  settle(): Promise<void>
  remove(): Promise<void>
}

export async function embeddedEngine(directory: string): Promise<Engine> {
  const folder = mkdtempSync(join(directory, 'bursar-bench-'))
  const file = join(folder, 'ledger.db')
  const connection = await openDatabase({ file })
  const { rows } = await sql<{ readonly version: string }>`select sqlite_version() as version`.execute(connection.bare)
  return {
    name: 'embedded',
    version: `libsql (SQLite ${rows[0]?.version})`,
    where: file,
    store: new SqlStore(connection),
    async bytes() {
      await sql`pragma wal_checkpoint(truncate)`.execute(connection.bare)
      const { rows: pages } = await sql<{
        readonly table: string
        readonly bytes: number | bigint
      }>`select coalesce(t.tbl_name, s.name) as "table", sum(s.pgsize) as bytes
        from dbstat as s left join sqlite_schema as t on t.name = s.name group by 1 order by 2 desc`.execute(connection.bare)
      return { total: statSync(file).size, tables: pages.map(({ table, bytes }) => ({ table, bytes: Number(bytes) })) }
    },
    settle: () => Promise.resolve(),
    async remove() {
      await connection.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A database of its own on a server. Throws when the server isn't there. */
export async function serverEngine(server: string): Promise<Engine> {
  const name = `bursar_bench_${randomBytes(4).toString('hex')}`
  const admin = async (statement: string) => {
    const client = new pg.Client({ connectionString: server, connectionTimeoutMillis: 3000 })
    try {
      await client.connect()
      await client.query(statement)
    } finally {
      await client.end()
    }
  }
  await admin(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  let connection: Connection
  try {
    connection = await openDatabase({ url: url.href })
  } catch (thrown) {
    await admin(`drop database ${name}`)
    throw thrown
  }
  const { rows } = await sql<{ readonly server_version: string }>`show server_version`.execute(connection.bare)
  return {
    name: 'PostgreSQL',
    version: `PostgreSQL ${rows[0]?.server_version}`,
    where: url.href,
    store: new SqlStore(connection),
    async bytes() {
      const { rows: tables } = await sql<{
        readonly table: string
        readonly bytes: bigint
      }>`select c.relname as table, pg_total_relation_size(c.oid) as bytes
        from pg_class as c inner join pg_namespace as n on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r' order by 2 desc`.execute(
        connection.bare,
      )
      return {
        total: tables.reduce((sum, { bytes }) => sum + Number(bytes), 0),
        tables: tables.map(({ table, bytes }) => ({ table, bytes: Number(bytes) })),
      }
    },
    async settle() {
      const client = new pg.Client({ connectionString: url.href })
      await client.connect()
      await client.query('vacuum analyze')
      await client.query('checkpoint').catch(() => undefined)
      await client.end()
    },
    async remove() {
      await connection.close()
      await admin(`drop database ${name}`)
    },
  }
}
