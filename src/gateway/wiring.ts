import { hash } from 'node:crypto'
import type { Agent } from 'undici'
import { priceReported, priceSheetFromConfig, sheetAt, type Catalog, type ModelFacts } from '../catalog/index.js'
import { BursarError, InvalidRequest } from '../errors/index.js'
import {
  createProvider,
  Deployment,
  presets,
  UndiciAgent,
  type CallLimits,
  type CallObserver,
  type Deadlines,
  type LiveWorld,
  type Provider,
  type ProviderSettings,
  type Route,
} from '../environment/index.js'
import type { Ledger } from '../ledger/index.js'
import type { EmbeddingRequest, Request } from '../protocol/index.js'
import { picoUsd, type Clock, type Money } from '../quantities/index.js'
import { asNamed, type Arm, type Decision } from '../routing/index.js'
import { seededRandom } from '../statistics/index.js'
import { fallback, single, type Strategy } from '../strategies/index.js'
import { likelyTokens, sureTokenBound } from '../understanding/index.js'
import { closest } from './config/closest.js'
import { allowsModel } from './config/fields.js'
import type { Config, ModelConfig, ProviderConfig } from './config/index.js'
import { hashKey, Keyring } from './keys.js'
import { StreamWatch } from './http/stream-response.js'
import type { GatewayState, ListedModel } from './state.js'
import { Uses } from './uses.js'

/** Largest output that is reserved for when neither the caller nor the catalog sets a limit; tokens. */
const UNKNOWN_MAX_OUTPUT_TOKENS = 128_000
const MAX_NAME_LENGTH = 256
/** What no name has, and what neither headers, addresses nor logs should meet. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u
/** Routes of unlisted names that are remembered. */
const MAX_REMEMBERED_ROUTES = 10_000

/** What outlives a reload of the configuration. */
export interface SharedParts {
  readonly catalog: Catalog
  readonly ledger: Ledger
  readonly clock: Clock
  readonly observer: CallObserver
  readonly deadlines: Deadlines
  /** Headers that carry the trace context of a request to its providers. */
  traceHeaders(requestId: string): Readonly<Record<string, string>>
}

/** A provider with the settings it was built from, so that a reload can keep one that has not changed. */
interface BuiltProvider {
  readonly provider: Provider
  readonly agent: Agent
  readonly fingerprint: string
  readonly limits: CallLimits
  /** The provider's id in the price catalog. */
  readonly priceProvider: string | undefined
  readonly config: ProviderConfig
}

export interface WiredState extends GatewayState {
  readonly built: ReadonlyMap<string, BuiltProvider>
  /** By what they were made from. */
  readonly deployments: ReadonlyMap<string, Deployment>
  /** Closes the providers that `next` no longer uses. To be called when no request of this state or an earlier one is under way. */
  retire(next: WiredState | undefined): Promise<void>
}

/** Builds everything that follows from a configuration. Unchanged providers and their deployments' health are taken over from `before`. */
export async function wire(config: Config, shared: SharedParts, before?: WiredState): Promise<WiredState> {
  const built = new Map<string, BuiltProvider>()
  for (const [id, settings] of Object.entries(config.providers)) built.set(id, await buildProvider(id, settings, config, shared, before?.built.get(id)))
  const routes = new Routes(config, built, shared, before?.deployments ?? new Map())
  const random = seededRandom(Date.now() >>> 0)
  const world: LiveWorld = {
    route: (model) => routes.route(model),
    price: ({ facts, provider }, reported) =>
      priceReported(facts.prices, reported, shared.clock.now(), (model) => {
        const { priceProvider } = built.get(provider.id) ?? {}
        return priceProvider === undefined ? undefined : shared.catalog.facts(priceProvider, model)?.prices
      }),
    bound: ({ facts }, request) => boundOf(facts, request, shared.clock.now()),
    inputTokens: (request) => ('messages' in request ? likelyTokens(request) : embeddingTokens(request)),
    ledger: shared.ledger,
    clock: shared.clock,
    random,
    retries: { attempts: config.retries.attempts, baseSeconds: config.retries.base_seconds, maxWaitSeconds: config.retries.max_wait_seconds },
    observer: shared.observer,
  }
  const keyring = new Keyring(
    config.keys.map((key) => ({
      name: key.name,
      hash: key.key ? hashKey(key.key.reveal()) : (key.key_hash ?? '').replace(/^sha256:/, ''),
      models: key.models,
      budgetUsd: key.budget_usd,
      expiresAt: key.expires === undefined ? undefined : Date.parse(key.expires) / 1000,
      tags: key.tags,
    })),
    before?.keyring,
  )
  return {
    keyring,
    limits: { bodyBytes: config.limits.body_bytes, nesting: config.limits.nesting, concurrentRequests: config.limits.concurrent_requests },
    streamUsage: config.stream_usage,
    dropUnsupported: config.drop_unsupported,
    world,
    ledger: shared.ledger,
    clock: shared.clock,
    streamWatch: new StreamWatch({ keepAliveSeconds: config.server.keep_alive_seconds, slowReaderSeconds: config.server.slow_reader_seconds }),
    providers: new Map([...built].map(([id, { provider }]) => [id, provider])),
    decide: (model) => routes.decide(model),
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

async function buildProvider(id: string, config: ProviderConfig, whole: Config, shared: SharedParts, before: BuiltProvider | undefined): Promise<BuiltProvider> {
  const settings = providerSettings(id, config)
  const limits = limitsOf(whole.timeouts, 'timeouts' in config ? config.timeouts : undefined)
  // Each call holds to its own limit; the pool only gives up what no call waits for.
  const connectSeconds = Math.max(limits.connectSeconds, ...deploymentsOf(whole, id).map((entry) => entry.timeouts?.connect_seconds ?? 0))
  const fingerprint = JSON.stringify([settings, limits, connectSeconds, whole.limits.response_bytes, config])
  if (before?.fingerprint === fingerprint) return before
  const agent = new UndiciAgent({
    connect: { timeout: connectSeconds * 1000 },
    keepAliveTimeout: 30_000,
    keepAliveMaxTimeout: 600_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining: 1,
  })
  const priceProvider = 'price_provider' in config && config.price_provider !== undefined ? config.price_provider : presets.get(config.type)?.priceProvider
  const provider = await createProvider(settings, {
    agent,
    deadlines: shared.deadlines,
    maxResponseBytes: whole.limits.response_bytes,
    clock: shared.clock,
    facts: (name, model) => shared.catalog.facts(name, model),
  })
  return { provider, agent, fingerprint, limits, priceProvider: priceProvider ?? (config.type === 'azure-openai' ? 'azure' : undefined), config }
}

/** Entries of `models` at this provider that have settings. */
function deploymentsOf(config: Config, provider: string): readonly Extract<ModelConfig['deployments'][number], { readonly timeouts?: unknown }>[] {
  return Object.values(config.models).flatMap((alias) => alias.deployments.flatMap((entry) => (entry.provider === provider && 'timeouts' in entry ? [entry] : [])))
}

function providerSettings(id: string, config: ProviderConfig): ProviderSettings {
  if (config.type === 'sandbox') return { id, type: config.type, seed: config.seed, speed: speedOf(config.speed) }
  if (config.type === 'recorded') return { id, type: config.type, files: config.file, speed: speedOf(config.speed) }
  return {
    id,
    type: config.type,
    baseUrl: config.base_url,
    apiKey: config.api_key?.reveal(),
    headers: config.headers && Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value.reveal()])),
    formats: config.formats,
    maxTokensField: config.max_tokens_field,
    injectStreamUsage: config.stream_options,
    apiVersion: 'api_version' in config && config.api_version !== 'v1' ? config.api_version : undefined,
  }
}

function speedOf(speed: number | 'instant'): number {
  return speed === 'instant' ? Infinity : speed
}

type SomeTimeouts = { readonly [Name in keyof Config['timeouts']]?: number | undefined }

function limitsOf(...layers: readonly (SomeTimeouts | undefined)[]): CallLimits {
  const merged: Record<string, number> = {}
  for (const layer of layers) for (const [name, value] of Object.entries(layer ?? {})) if (value !== undefined) merged[name] = value
  return {
    connectSeconds: merged['connect_seconds'] ?? 5,
    firstTokenSeconds: merged['first_token_seconds'] ?? 120,
    idleSeconds: merged['idle_seconds'] ?? 60,
    totalSeconds: merged['total_seconds'] ?? 600,
  }
}

/** Which deployments serve which name, and which strategy answers for it. Names that need no entry are remembered, up to a bound. */
class Routes {
  private readonly byName = new Map<string, { readonly route: Route; readonly decision: Decision } | undefined>()
  readonly deployments = new Map<string, Deployment>()

  constructor(
    private readonly config: Config,
    private readonly built: ReadonlyMap<string, BuiltProvider>,
    private readonly shared: SharedParts,
    /** Deployments of the configuration before this one: what has not changed keeps its health. */
    private readonly before: ReadonlyMap<string, Deployment>,
  ) {}

  route(model: string): Route | undefined {
    return this.resolve(model)?.route
  }

  decide(model: string): Decision {
    if (model.length > MAX_NAME_LENGTH) throw new InvalidRequest(`model: a name has at most ${MAX_NAME_LENGTH} characters.`, { path: 'model' })
    if (UNPRINTABLE.test(model)) throw new InvalidRequest('model: the name holds control characters or half of a surrogate pair.', { path: 'model' })
    const resolved = this.resolve(model)
    if (resolved) return resolved.decision
    const suggestion = closest(model, this.listed().map((listed) => listed.id))
    throw new BursarError(
      `The model "${model}" doesn't exist here.${suggestion === undefined ? '' : ` Did you mean "${suggestion}"?`} GET /v1/models lists those that do.`,
      { code: 'model_not_found', status: 404, path: 'model' },
    )
  }

  /** Models to show: aliases first, then what each provider declares or the catalog knows of it. */
  listed(): readonly ListedModel[] {
    const shown = new Map<string, ListedModel>()
    for (const name of Object.keys(this.config.models)) this.show(name, shown)
    if (this.config.allow_unlisted_models)
      for (const [id, { provider, priceProvider, config }] of this.built) {
        const known = provider.models?.() ?? (priceProvider === undefined ? [] : this.shared.catalog.models(priceProvider).map((facts) => facts.id))
        for (const model of known) if (allowsModel(config.models, model)) this.show(`${id}/${model}`, shown)
      }
    return [...shown.values()]
  }

  private show(name: string, shown: Map<string, ListedModel>): void {
    const deployments = this.resolve(name)?.route.deployments
    const first = deployments?.[0]
    if (first && !shown.has(name)) shown.set(name, { id: name, facts: first.facts, deployments: deployments.map((deployment) => deployment.id) })
  }

  private resolve(name: string): { readonly route: Route; readonly decision: Decision } | undefined {
    const known = this.byName.get(name)
    if (known !== undefined || this.byName.has(name)) return known
    const alias = Object.hasOwn(this.config.models, name) ? this.config.models[name] : undefined
    const route = alias ? this.aliasRoute(name, alias) : this.unlistedRoute(name)
    const resolved = route && { route, decision: asNamed.choose({ arms: [this.armFor(name, alias?.fallbacks ?? [])], ...nothingToWeigh }) }
    if (this.byName.size >= MAX_REMEMBERED_ROUTES) this.byName.clear()
    this.byName.set(name, resolved)
    return resolved
  }

  private armFor(name: string, fallbacks: readonly string[]): Arm {
    const strategies: [Strategy, ...Strategy[]] = [single(name), ...fallbacks.map((other) => single(other))]
    const strategy = fallback(strategies)
    return { id: strategy.id, strategy, model: name }
  }

  private aliasRoute(name: string, alias: ModelConfig): Route {
    const deployments = alias.deployments.flatMap((entry) => this.deployment(entry.provider, entry.model, alias, entry) ?? [])
    return { model: name, deployments, balance: alias.balance }
  }

  /** `provider/model`; or a bare name, which goes to the provider whose catalog has it, or to the only one there is. */
  private unlistedRoute(name: string): Route | undefined {
    if (!this.config.allow_unlisted_models) return undefined
    const slash = name.indexOf('/')
    const provider = slash > 0 && this.built.has(name.slice(0, slash)) ? name.slice(0, slash) : this.ownerOf(name)
    if (provider === undefined) return undefined
    const deployment = this.deployment(provider, name.startsWith(`${provider}/`) ? name.slice(provider.length + 1) : name)
    return deployment && { model: name, deployments: [deployment], balance: 'weighted' }
  }

  private ownerOf(name: string): string | undefined {
    for (const [id, { provider, priceProvider, config }] of this.built)
      if (allowsModel(config.models, name) && (provider.facts(name) ?? (priceProvider === undefined ? undefined : this.shared.catalog.facts(priceProvider, name)))) return id
    return this.built.size === 1 ? this.built.keys().next().value : undefined
  }

  private deployment(id: string, model: string, alias?: ModelConfig, entry?: ModelConfig['deployments'][number]): Deployment | undefined {
    const built = this.built.get(id)
    if (!built || !allowsModel(built.config.models, model)) return undefined
    const facts = this.factsOf(built, id, model, alias, entry)
    if (!facts) return undefined
    const name = `${id}/${model}`
    const azure = built.config.type === 'azure-openai' && 'deployments' in built.config ? built.config.deployments?.[model] : undefined
    const weight = entry?.weight ?? 1
    const limits = limitsOf(this.config.timeouts, 'timeouts' in built.config ? built.config.timeouts : undefined, entry && 'timeouts' in entry ? entry.timeouts : undefined)
    const cooldown = { afterFaults: this.config.cooldown.after_faults, seconds: this.config.cooldown.seconds }
    const key = fingerprintOf([name, azure, weight, facts, limits, cooldown])
    const known = this.deployments.get(key)
    if (known) return known
    const earlier = this.before.get(key)
    const deployment = earlier?.provider === built.provider ? earlier : new Deployment(name, built.provider, azure ?? model, weight, facts, limits, cooldown, this.shared.clock)
    if (this.deployments.size >= MAX_REMEMBERED_ROUTES) this.deployments.clear()
    this.deployments.set(key, deployment)
    return deployment
  }

  /** A provider that declares its models (sandbox, recorded) has no others; for the rest the catalog speaks, and an unknown model is tried all the same. */
  private factsOf(built: BuiltProvider, id: string, model: string, alias?: ModelConfig, entry?: ModelConfig['deployments'][number]): ModelFacts | undefined {
    const declared = built.provider.facts(model)
    if (built.provider.models && !declared) return undefined
    const base: ModelFacts = declared ??
      (built.priceProvider === undefined ? undefined : this.shared.catalog.facts(built.priceProvider, model)) ?? { id: model, provider: id, capabilities: {} }
    const prices = (entry && 'prices' in entry ? entry.prices : undefined) ?? alias?.prices ?? this.config.prices[`${id}/${model}`]
    return {
      ...base,
      id: model,
      provider: id,
      ...(prices ? { prices: priceSheetFromConfig(prices) } : {}),
      ...(alias?.context_tokens === undefined ? {} : { contextTokens: alias.context_tokens }),
      ...(alias?.max_output_tokens === undefined ? {} : { maxOutputTokens: alias.max_output_tokens }),
    }
  }
}

/** A short text that is the same for the same values only. */
function fingerprintOf(value: unknown): string {
  return hash('sha256', JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part)), 'base64')
}

const nothingToWeigh = {
  estimates: [],
  objective: {},
  budget: {},
  load: { inFlight: () => 0 },
  random: { next: () => 0 },
}

/**
 * The most that a call can cost, to be reserved before it: every byte of input a token at the dearest input rate, and the
 * whole allowed output at the dearest output rate, at the highest tier that so much input can reach.
 */
function boundOf(facts: ModelFacts, request: Request | EmbeddingRequest, at: number): { usd: Money | null; tokens: number } {
  const generate = 'messages' in request
  const input = generate ? sureTokenBound(request) : embeddingTokens(request)
  const output = generate ? (request.maxOutputTokens ?? facts.maxOutputTokens ?? UNKNOWN_MAX_OUTPUT_TOKENS) * (request.n ?? 1) : 0
  const tokens = input + output
  if (!facts.prices) return { usd: null, tokens }
  const prices = sheetAt(facts.prices, at)
  const listed = dearest(input, prices.input, prices.inputAudio, prices.inputImage, prices.inputVideo, prices.cacheWrite5m, prices.cacheWrite1h)
  // Writing to a prompt cache for an hour costs up to twice the input rate where the sheet names no rate for it.
  const inputRate = listed === undefined || prices.cacheWrite1h || !asksForCacheWrites(request) ? listed : listed * 2n
  const outputRate = dearest(input, prices.output, prices.reasoning, prices.outputAudio, prices.outputImage)
  if (inputRate === undefined || (output > 0 && outputRate === undefined)) return { usd: null, tokens }
  // The tier that is billed may not be the one that was asked for, so the dearest known one counts.
  const tier = Math.max(1, ...Object.values(prices.serviceTiers ?? {}))
  const exact = picoUsd(BigInt(input) * inputRate + BigInt(output) * (outputRate ?? 0n) + (prices.call ?? 0n))
  return { usd: tier === 1 ? exact : picoUsd(BigInt(Math.ceil(Number(exact) * tier))), tokens }
}

function asksForCacheWrites(request: Request | EmbeddingRequest): boolean {
  return 'messages' in request && (request.messages.some((message) => message.parts.some((part) => part.cache)) || (request.tools ?? []).some((tool) => tool.type === 'function' && tool.cache !== undefined))
}

function dearest(inputTokens: number, ...rates: readonly (NonNullable<ModelFacts['prices']>['input'] | undefined)[]): bigint | undefined {
  let most: bigint | undefined
  for (const rate of rates) {
    if (!rate) continue
    if (most === undefined || rate.base > most) most = rate.base
    for (const tier of rate.tiers) if (inputTokens > tier.aboveInputTokens && tier.rate > most) most = tier.rate
  }
  return most
}

/** Every byte a token at the most; a token given as a number is one. */
function embeddingTokens(request: EmbeddingRequest): number {
  return request.inputs.reduce((sum, input) => sum + (typeof input === 'string' ? Buffer.byteLength(input) : input.length), 0)
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
