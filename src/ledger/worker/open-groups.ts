import { SqlAccountStore } from '../accounts/sql-account-store.js'
import type { StoreSettings } from '../store/contract.js'
import { openDatabase, SqlStore } from '../store/index.js'
import type { StoreGroups } from './store-module.js'

/** Opens Bursar's own store, with everything that works over its one connection. Loaded by the worker alone, so that no driver is on the main thread. */
export async function openGroups(settings: StoreSettings): Promise<StoreGroups> {
  const connection = await openDatabase(settings)
  const store = new SqlStore(connection)
  return { groups: { store, accounts: new SqlAccountStore(connection) }, close: () => store.close() }
}
