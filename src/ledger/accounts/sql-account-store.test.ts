import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kysely, PostgresDialect, SqliteDialect } from 'kysely'
import Database from 'libsql'
import pg from 'pg'
import { accountStoreContract, type TestAccounts } from './account-store-contract.js'
import { accountsMigration } from './migration.js'
import { SqlAccountStore } from './sql-account-store.js'
import type { AccountTables } from './tables.js'

const SERVER = 'postgres://root@127.0.0.1:5432'

async function testAccounts(first: Kysely<AccountTables>, second: Kysely<AccountTables>, close: () => Promise<void>): Promise<TestAccounts> {
  await accountsMigration.up(first)
  return {
    stores: [new SqlAccountStore(first), new SqlAccountStore(second)],
    async dump() {
      const rows = [
        ...(await first.selectFrom('accounts').selectAll().execute()),
        ...(await first.selectFrom('keys').selectAll().execute()),
        ...(await first.selectFrom('account_audit').selectAll().execute()),
      ]
      return JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
    },
    async empty() {
      for (const table of ['accounts', 'keys', 'account_audit'] as const) await first.deleteFrom(table).execute()
      await first.updateTable('account_revision').set({ revision: 0 }).execute()
    },
    close,
  }
}

async function embedded(): Promise<TestAccounts> {
  const folder = mkdtempSync(join(tmpdir(), 'bursar-accounts-'))
  const database = new Database(join(folder, 'test.db'))
  // One process has an embedded database, through one connection: two of them in one thread would wait for each other.
  const db = new Kysely<AccountTables>({ dialect: new SqliteDialect({ database }) })
  return testAccounts(db, db, async () => {
    await db.destroy()
    rmSync(folder, { recursive: true })
  })
}

async function server(): Promise<TestAccounts> {
  const schema = `accounts_${randomBytes(6).toString('hex')}`
  const admin = new pg.Client(`${SERVER}/test`)
  await admin.connect()
  await admin.query(`create schema ${schema}`)
  const connect = () => new Kysely<AccountTables>({ dialect: new PostgresDialect({ pool: new pg.Pool({ connectionString: `${SERVER}/test`, max: 4, options: `-c search_path=${schema}` }) }) })
  const [first, second] = [connect(), connect()]
  return testAccounts(first, second, async () => {
    await Promise.all([first.destroy(), second.destroy()])
    await admin.query(`drop schema ${schema} cascade`)
    await admin.end()
  })
}

async function reachable(): Promise<boolean> {
  const client = new pg.Client({ connectionString: `${SERVER}/test`, connectionTimeoutMillis: 2000 })
  try {
    await client.connect()
    await client.end()
    return true
  } catch {
    return false
  }
}

accountStoreContract('accounts in an embedded database', embedded)
accountStoreContract('accounts in PostgreSQL (skipped where there is none on 127.0.0.1:5432)', server, !(await reachable()))
