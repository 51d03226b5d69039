import { priceDuring, type Catalog } from '../catalog/index.js'
import type { CallObserver, Deadlines, LiveWorld } from '../environment/index.js'
import { createCallBudget, type Ledger, type SharedBudgets } from '../ledger/index.js'
import type { Clock } from '../quantities/index.js'
import { seededRandom } from '../statistics/index.js'
import type { OutputQuantile, RunMemory } from '../understanding/index.js'
import type { AdministeredAccounts } from './admin/administration.js'
import type { LostCalls } from './admin/lost-calls.js'
import { billedApart, createBounds, savedByCaches } from './bounds.js'
import { buildProvider, type BuiltProvider } from './built-provider.js'
import type { Config } from './config/index.js'
import { configuredAccounts } from './configured-accounts.js'
import { StreamWatch } from './http/stream-response.js'
import { Keyring, levelsOf, type StoredAccounts } from './keys.js'
import type { Proof } from './proof/index.js'
import { Routes } from './routes.js'
import { wireRouter, type RoutingMemory, type RoutingState } from './routing/index.js'
import type { GatewayState } from './state.js'
import { Uses } from './uses.js'
import type { AnswerObserver } from './verifiers/index.js'

/** What outlives a reload of the configuration. */
export interface SharedParts {
  readonly catalog: Catalog
  readonly ledger: Ledger
  ledgerProblem(): string | undefined
  readonly clock: Clock
  readonly observer: CallObserver
  readonly deadlines: Deadlines
  /** Keys and accounts of the database; absent without one. */
  readonly accounts: (AdministeredAccounts & { readonly feed: StoredAccounts }) | undefined
  /** Calls whose process died; absent without a database. */
  readonly lostCalls: LostCalls | undefined
  /** What budgets are counted with. */
  readonly budgets: SharedBudgets
  /** Output lengths learned so far. */
  readonly lengths: OutputQuantile
  /** What agent runs have sent so far. */
  readonly runs: RunMemory
  readonly verifiers: AnswerObserver
  /** Beliefs about arms, conversations, and decisions whose outcomes may still come. */
  readonly routing: RoutingMemory
  /** The live proof; absent where nothing is served. */
  readonly proof?: Proof | undefined
  /** What was read from the state file, for the first version of the configuration. */
  readonly routingState?: RoutingState | undefined
  /** Headers that carry the trace context of a request to its providers. */
  traceHeaders(requestId: string): Readonly<Record<string, string>>
}

export interface WiredState extends GatewayState {
  readonly built: ReadonlyMap<string, BuiltProvider>
  /** Closes the providers that `next` no longer uses. To be called when no request of this state or an earlier one is under way. */
  retire(next: WiredState | undefined): Promise<void>
}

/** Builds everything that follows from a configuration. Unchanged providers and their deployments' health are taken over from `before`. */
export async function wire(config: Config, shared: SharedParts, before?: WiredState): Promise<WiredState> {
  const built = new Map<string, BuiltProvider>()
  for (const [id, settings] of Object.entries(config.providers))
    built.set(id, await buildProvider(id, settings, config, shared, before?.built.get(id)))
  const routes = new Routes(config, built, shared, before?.deployments ?? new Map())
  const random = seededRandom(Date.now() >>> 0)
  const world: LiveWorld = {
    route: (model) => routes.route(model),
    price({ facts, provider }, reported, call) {
      const apart = call && reported.billedUsd === undefined ? billedApart(call.request) : []
      if (apart.length > 0)
        return {
          report: { usd: null, details: {} },
          warning: `the provider bills ${apart.join(', ')} beside the tokens, and doesn't tell how much`,
        }
      const to = shared.clock.now()
      return priceDuring(facts.prices, reported, { from: call?.since ?? to, to }, (model) => {
        const { priceProvider } = built.get(provider.id) ?? {}
        return priceProvider === undefined ? undefined : shared.catalog.facts(priceProvider, model)?.prices
      })
    },
    ...createBounds(shared.clock, shared.lengths),
    cacheSavings: (deployment, reported, paid) => savedByCaches(world.price, deployment, reported, paid),
    compose: (attribution, request) => shared.runs.compose(attribution, request),
    ledger: shared.ledger,
    clock: shared.clock,
    random,
    retries: {
      attempts: config.retries.attempts,
      baseSeconds: config.retries.base_seconds,
      maxWaitSeconds: config.retries.max_wait_seconds,
    },
    observer: shared.observer,
  }
  const keyring = new Keyring(configuredAccounts(config), shared.accounts?.feed)
  return {
    keyring,
    limits: { bodyBytes: config.limits.body_bytes, nesting: config.limits.nesting, concurrentRequests: config.limits.concurrent_requests },
    streamUsage: config.stream_usage,
    dropUnsupported: config.drop_unsupported,
    world,
    ledger: shared.ledger,
    counters: shared.budgets.counters,
    budgets: shared.budgets,
    ledgerProblem: () => shared.ledgerProblem(),
    accounts: shared.accounts,
    lostCalls: shared.lostCalls,
    clock: shared.clock,
    verifiers: shared.verifiers,
    streamWatch: new StreamWatch({
      keepAliveSeconds: config.server.keep_alive_seconds,
      slowReaderSeconds: config.server.slow_reader_seconds,
    }),
    providers: new Map([...built].map(([id, { provider }]) => [id, provider])),
    router: wireRouter(config, routes, world.price, shared.routing, before === undefined ? shared.routingState : undefined, shared.proof),
    routing: shared.routing,
    proof: shared.proof,
    decide: (model) => routes.decide(model),
    budgetFor: (key, labels, { requestId, cancellation }) =>
      createCallBudget(levelsOf(key, labels, requestId), { shared: shared.budgets, cancellation }),
    priceOf(call, usage) {
      const deployments = routes.route(call.requestedModel)?.deployments ?? []
      const deployment = deployments.find(({ id }) => id === call.deployment) ?? routes.route(call.deployment)?.deployments[0]
      return deployment === undefined ? null : world.price(deployment, { usage, serviceTier: call.serviceTier }).report.usd
    },
    outgoingHeaders: (exchange) => ({ ...forwardable(exchange.req.headers), ...shared.traceHeaders(exchange.requestId) }),
    models: () => routes.listed(),
    uses: new Uses(),
    built,
    deployments: routes.deployments,
    async retire(next) {
      const kept = new Set([...(next?.built.values() ?? [])].map((other) => other.provider))
      const gone = [...built.values()].filter(({ provider }) => !kept.has(provider))
      await Promise.all(gone.map(async ({ provider, agent }) => (await provider.close(), await agent.destroy())))
    },
  }
}

const FORWARDABLE = ['anthropic-version', 'anthropic-beta', 'openai-beta', 'http-referer', 'x-title', 'traceparent', 'tracestate'] as const

/** Caller's headers that some provider may want; each provider takes only those it names. */
function forwardable(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of FORWARDABLE) {
    const value = headers[name]
    if (typeof value === 'string') kept[name] = value
  }
  return kept
}
