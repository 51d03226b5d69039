import { createCatalog } from '../catalog/index.js'
import { Deadlines, type Provider } from '../environment/index.js'
import { createMemoryCounters, createMemoryLedger, SharedBudgets } from '../ledger/index.js'
import { systemClock } from '../quantities/index.js'
import { createOutputQuantile, createRunMemory } from '../understanding/index.js'
import { checkLedger, type LedgerHealth } from './check-ledger.js'
import type { Config } from './config/index.js'
import type { ListedModel } from './state.js'
import { wire } from './wiring.js'

/** What a configuration becomes, without a server around it: for `bursar check` and `bursar models`. */
export async function inspectConfig(config: Config): Promise<{
  readonly providers: ReadonlyMap<string, Provider>
  models(): readonly ListedModel[]
  /** Whether the ledger could be opened. */
  ledger(): Promise<readonly LedgerHealth[]>
  close(): Promise<void>
}> {
  const deadlines = new Deadlines()
  const ledger = createMemoryLedger({ rememberCalls: 0 })
  const state = await wire(config, {
    catalog: createCatalog(),
    ledger,
    ledgerProblem: () => undefined,
    accounts: undefined,
    lostCalls: undefined,
    budgets: new SharedBudgets({ counters: createMemoryCounters(), ledger, clock: systemClock }),
    lengths: createOutputQuantile(),
    runs: createRunMemory(),
    verifiers: { watch: () => undefined },
    clock: systemClock,
    observer: { callEnded() {}, retried() {}, rested() {}, unrecorded() {} },
    deadlines,
    traceHeaders: () => ({}),
  })
  return { providers: state.providers, models: () => state.models(), ledger: () => checkLedger(config), close: () => state.retire(undefined) }
}
