import { connect, type Connection } from './connect.js'
import type { StoreSettings } from './contract.js'
import { migrate } from './migrate.js'
import { migrations } from './migrations/index.js'
import { SqlStore } from './sql-store.js'
import { storeFault } from './fault.js'

export type { Connection, Engine } from './connect.js'
export type { StoreDatabase } from './schema.js'
export { SqlStore } from './sql-store.js'
export { otherTagValues } from './facet-report.js'

/**
 * Opens a database and brings its schema up to date: several processes may start at once. Throws `ledger_unavailable` when it isn't there or busy,
 * `invalid_configuration` when it is newer than this program or no database of ours.
 */
export async function openDatabase(settings: StoreSettings): Promise<Connection> {
  let connection: Connection | undefined
  try {
    connection = await connect(settings)
    await migrate(connection, migrations)
    return connection
  } catch (thrown) {
    await connection?.close().catch(() => undefined)
    throw storeFault(thrown)
  }
}

/** Opens the ledger's store. Close it when done. */
export async function openStore(settings: StoreSettings): Promise<SqlStore> {
  return new SqlStore(await openDatabase(settings))
}
