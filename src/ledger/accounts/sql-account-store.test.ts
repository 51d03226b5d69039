import { connect, type Connection } from '../store/connect.js'
import { embeddedDatabase, serverDatabase, serverIsThere } from '../store/fixtures/databases.js'
import { migrate } from '../store/migrate.js'
import { migrations } from '../store/migrations/index.js'
import { accountStoreContract, type TestAccounts } from './account-store-contract.js'
import { SqlAccountStore } from './sql-account-store.js'
import type { AccountTables } from './tables.js'

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
  const { settings, drop } = embeddedDatabase()
  // One process has an embedded database, through one connection: two of them in one thread would wait for each other.
  const connection = await connect(settings)
  return testAccounts(connection, connection, async () => {
    await connection.close()
    await drop()
  })
}

async function server(): Promise<TestAccounts> {
  const { settings, drop } = await serverDatabase()
  const [first, second] = [await connect(settings), await connect(settings)]
  return testAccounts(first, second, async () => {
    await Promise.all([first.close(), second.close()])
    await drop()
  })
}

accountStoreContract('accounts in an embedded database', embedded)
accountStoreContract('accounts in PostgreSQL (skipped where there is none on 127.0.0.1:5432)', server, !(await serverIsThere()))
