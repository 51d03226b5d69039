import type { LiveWorld, Provider } from '../environment/index.js'
import type { ModelFacts } from '../catalog/index.js'
import type { Ledger } from '../ledger/index.js'
import type { Clock } from '../quantities/index.js'
import type { Decision } from '../routing/index.js'
import type { StreamWatch } from './http/stream-response.js'
import type { Key, Keyring } from './keys.js'
import type { Uses } from './uses.js'
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
  readonly clock: Clock
  readonly streamWatch: StreamWatch
  readonly providers: ReadonlyMap<string, Provider>
  /** Requests that began with this state. */
  readonly uses: Uses
  /** Chooses the arm for a request that names this model. Throws `model_not_found`. */
  decide(model: string, key: Key): Decision
  /** The caller's headers that providers may be given. */
  outgoingHeaders(exchange: CallerExchange): Readonly<Record<string, string>>
  models(): readonly ListedModel[]
}
