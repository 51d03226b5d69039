import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { connect, type Connection } from '../store/connect.js'
import { migrate } from '../store/migrate.js'
import { migrations } from '../store/migrations/index.js'
import { accountStoreContract, type TestAccounts } from './account-store-contract.js'
import { SqlAccountStore } from './sql-account-store.js'
import type { AccountTables } from './tables.js'

const SERVER = 'postgres://root@127.0.0.1:5432/test'

async function testAccounts(first: Connection, second: Connection, close: () => Promise<void>): Promise<TestAccounts> {
  await migrate(first, migrations)
  const db = first.bare.withTables<AccountTables>()
  return {
    stores: [new SqlAccountStore(first), new SqlAccountStore(second)],
    async dump() {
      const rows = [
        ...(await db.selectFrom('accounts').selectAll().execute()),
        ...(await db.selectFrom('keys').selectAll().execute()),
        ...(await db.selectFrom('account_audit').selectAll().execute()),
      ]
      return JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
    },
    async empty() {
      for (const table of ['accounts', 'keys', 'account_audit'] as const) await db.deleteFrom(table).execute()
      await db.updateTable('account_revision').set({ revision: 0 }).execute()
    },
    close,
  }
}

async function embedded(): Promise<TestAccounts> {
  const folder = mkdtempSync(join(tmpdir(), 'bursar-accounts-'))
  // One process has an embedded database, through one connection: two of them in one thread would wait for each other.
  const connection = await connect({ file: join(folder, 'test.db') })
  return testAccounts(connection, connection, async () => {
    await connection.close()
    rmSync(folder, { recursive: true })
  })
}

async function server(): Promise<TestAccounts> {
  const schema = `accounts_${randomBytes(6).toString('hex')}`
  const admin = new pg.Client(SERVER)
  await admin.connect()
  await admin.query(`create schema ${schema}`)
  const url = `${SERVER}?options=-c%20search_path%3D${schema}`
  const [first, second] = [await connect({ url }), await connect({ url })]
  return testAccounts(first, second, async () => {
    await Promise.all([first.close(), second.close()])
    await admin.query(`drop schema ${schema} cascade`)
    await admin.end()
  })
}

async function reachable(): Promise<boolean> {
  const client = new pg.Client({ connectionString: SERVER, connectionTimeoutMillis: 2000 })
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
