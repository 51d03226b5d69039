import type { Store, StoreSettings } from '../store/contract.js'

/** Groups of methods that the worker has over its one connection to the database. Arguments and answers must be cloneable. */
export interface Groups {
  readonly store: Store
  readonly [group: string]: object
}

export interface StoreGroups {
  readonly groups: Groups
  close(): Promise<void>
}

/** What a module must export for the worker to open its store with. */
export interface StoreModule {
  /** Throws `ledger_unavailable` when the database isn't there now (it is tried again), any other `BursarError` when it never will be. */
  openGroups(settings: StoreSettings): Promise<StoreGroups>
}
