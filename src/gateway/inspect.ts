import { createCatalog } from '../catalog/index.js'
import { Deadlines, type Provider } from '../environment/index.js'
import { createMemoryCounters, createMemoryLedger, SharedBudgets } from '../ledger/index.js'
import { systemClock } from '../quantities/index.js'
import { createOutputQuantile, createRunMemory, createUnderstanding } from '../understanding/index.js'
import { checkLedger, type LedgerHealth } from './check-ledger.js'
import type { Config } from './config/index.js'
import { proofProblems } from './proof/problems.js'
import { readStateFile, RoutingMemory, type Router } from './routing/index.js'
import type { ListedModel } from './state.js'
import { wire } from './wiring.js'

export interface InspectOptions {
  /** Whether what routing has learned so far is read as well. */
  readonly learned?: boolean
}

/** What a configuration becomes, without a server around it: for `bursar check`, `bursar models` and `bursar route`. */
export async function inspectConfig(
  config: Config,
  options: InspectOptions = {},
): Promise<{
  readonly providers: ReadonlyMap<string, Provider>
  readonly router: Router
  models(): readonly ListedModel[]
  /** What looks like a mistake in the settings of the live proof: plain sentences. */
  proofProblems(): readonly string[]
  /** Whether the ledger could be opened. */
  ledger(): Promise<readonly LedgerHealth[]>
  close(): Promise<void>
}> {
  const deadlines = new Deadlines()
  const ledger = createMemoryLedger({ rememberCalls: 0 })
  const file = options.learned === true ? config.routing.predictor.state : undefined
  const routingState = file === undefined ? undefined : await readStateFile(file)
  const routing = new RoutingMemory({
    understanding: createUnderstanding(),
    clock: systemClock,
    onFault(_kind, thrown) {
      throw thrown
    },
  })
  // Nothing is learned here, so nothing is written.
  const unwritten = { ...config, routing: { ...config.routing, predictor: { ...config.routing.predictor, state: undefined } } }
  const state = await wire(unwritten, {
    catalog: createCatalog(),
    ledger,
    ledgerProblem: () => undefined,
    accounts: undefined,
    lostCalls: undefined,
    budgets: new SharedBudgets({ counters: createMemoryCounters(), ledger, clock: systemClock }),
    lengths: createOutputQuantile(),
    runs: createRunMemory(),
    verifiers: { watch: () => undefined },
    routing,
    routingState,
    clock: systemClock,
    observer: { callEnded() {}, retried() {}, rested() {}, unrecorded() {} },
    deadlines,
    traceHeaders: () => ({}),
  })
  return {
    providers: state.providers,
    router: state.router,
    models: () => state.models(),
    proofProblems: () => proofProblems(config.proof, state.world, state.router.arms.arms),
    ledger: () => checkLedger(config),
    close: () => state.retire(undefined),
  }
}
