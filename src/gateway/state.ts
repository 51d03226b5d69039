import type { Deployment, LiveWorld, Provider } from '../environment/index.js'
import type { ModelFacts } from '../catalog/index.js'
import type { AdministeredAccounts } from './admin/administration.js'
import type { LostCalls } from './admin/lost-calls.js'
import type { CallBudget, CallRecord, Counters, Ledger, SharedBudgets } from '../ledger/index.js'
import type { Clock, Money, Usage } from '../quantities/index.js'
import type { Decision } from '../routing/index.js'
import type { Router, RoutingMemory } from './routing/index.js'
import type { Proof } from './proof/index.js'
import type { StreamWatch } from './http/stream-response.js'
import type { CallerLabels } from './attribution.js'
import type { Key, Keyring } from './keys.js'
import type { Uses } from './uses.js'
import type { AnswerObserver } from './verifiers/index.js'
import type { CallerExchange } from './endpoints/exchange.js'

/** A model that callers may name. */
export interface ListedModel {
  readonly id: string
  readonly facts: ModelFacts
  /** Ids of the deployments behind it. */
  readonly deployments: readonly string[]
}

/** Everything that follows from one version of the configuration. A reload makes a new one; requests under way keep theirs. */
export interface GatewayState {
  readonly keyring: Keyring
  readonly limits: { readonly bodyBytes: number; readonly nesting: number; readonly concurrentRequests: number }
  readonly streamUsage: 'always' | 'asked' | 'never'
  readonly dropUnsupported: boolean | readonly string[]
  readonly world: LiveWorld
  readonly ledger: Ledger
  readonly counters: Counters
  /** What this process knows of how full budgets are. */
  readonly budgets: Pick<SharedBudgets, 'heldHere' | 'regimeOf'>
  /** What keeps calls from being recorded, in plain words; `undefined` while nothing does. */
  ledgerProblem(): string | undefined
  /** Keys and accounts of the database, for those who manage them; `undefined` without a database. */
  readonly accounts: AdministeredAccounts | undefined
  /** Calls whose process died, for those who put them right; `undefined` without a database. */
  readonly lostCalls: LostCalls | undefined
  readonly clock: Clock
  /** Looks at answers after they have gone out. */
  readonly verifiers: AnswerObserver
  readonly streamWatch: StreamWatch
  readonly providers: ReadonlyMap<string, Provider>
  /** Every deployment that was looked up so far; `models()` looks up all of the listed ones. */
  readonly deployments: ReadonlyMap<string, Deployment>
  /** Requests that began with this state. */
  readonly uses: Uses
  /** Decides for requests that leave the choice to Bursar. */
  readonly router: Router
  readonly routing: RoutingMemory
  /** The live proof; `undefined` where nothing is served. */
  readonly proof: Proof | undefined
  /** The arm of a request that names this model. Throws `model_not_found`. */
  decide(model: string, key: Key): Decision
  /** What limits a request of this key with these labels. */
  budgetFor(key: Key, labels: CallerLabels, exchange: Pick<CallerExchange, 'requestId' | 'cancellation'>): CallBudget
  /** What a call would have cost with another usage; `null` when that isn't known. */
  priceOf(call: CallRecord, usage: Usage): Money | null
  /** The caller's headers that providers may be given. */
  outgoingHeaders(exchange: CallerExchange): Readonly<Record<string, string>>
  models(): readonly ListedModel[]
}
