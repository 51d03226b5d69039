import type { StoreSettings } from '../store/contract.js'
import type { StoreGroups } from './store-module.js'

/** Opens Bursar's own store, with everything that works over its one connection. Loaded by the worker alone, so that no driver is on the main thread. */
export async function openGroups(settings: StoreSettings): Promise<StoreGroups> {
  const { openStore } = await import('../store/index.js')
  const store = await openStore(settings)
  return { groups: { store }, close: () => store.close() }
}
