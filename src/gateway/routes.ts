import { hash } from 'node:crypto'
import { priceSheetFromConfig, type Catalog, type ModelFacts } from '../catalog/index.js'
import { Deployment, type Route } from '../environment/index.js'
import { BursarError, InvalidRequest } from '../errors/index.js'
import type { Clock } from '../quantities/index.js'
import { asNamed, type Arm, type Decision } from '../routing/index.js'
import { fallback, single, type Strategy } from '../strategies/index.js'
import { limitsOf, type BuiltProvider } from './built-provider.js'
import { closest } from './config/closest.js'
import { allowsModel } from './config/fields.js'
import type { Config, ModelConfig } from './config/index.js'
import type { ListedModel } from './state.js'

const MAX_NAME_LENGTH = 256
/** What no name has, and what neither headers, addresses nor logs should meet. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u
/** Routes of unlisted names that are remembered. */
const MAX_REMEMBERED_ROUTES = 10_000

/** Which deployments serve which name, and which strategy answers for it. Names that need no entry are remembered, up to a bound. */
export class Routes {
  private readonly byName = new Map<string, { readonly route: Route; readonly decision: Decision } | undefined>()
  readonly deployments = new Map<string, Deployment>()

  constructor(
    private readonly config: Config,
    private readonly built: ReadonlyMap<string, BuiltProvider>,
    private readonly shared: { readonly catalog: Catalog; readonly clock: Clock },
    /** Deployments of the configuration before this one: what has not changed keeps its health. */
    private readonly before: ReadonlyMap<string, Deployment>,
  ) {}

  route(model: string): Route | undefined {
    return this.resolve(model)?.route
  }

  decide(model: string): Decision {
    if (model.length > MAX_NAME_LENGTH)
      throw new InvalidRequest(`model: a name has at most ${MAX_NAME_LENGTH} characters.`, { path: 'model' })
    if (UNPRINTABLE.test(model))
      throw new InvalidRequest('model: the name holds control characters or half of a surrogate pair.', { path: 'model' })
    const resolved = this.resolve(model)
    if (resolved) return resolved.decision
    const suggestion = closest(
      model,
      this.listed().map((listed) => listed.id),
    )
    throw new BursarError(
      `The model "${model}" doesn't exist here.${suggestion === undefined ? '' : ` Did you mean "${suggestion}"?`} GET /v1/models lists those that do.`,
      { code: 'model_not_found', status: 404, path: 'model' },
    )
  }

  /** One call of this model, with the fallbacks of its entry; `undefined` for a name that nobody serves. */
  strategyOf(model: string): Strategy | undefined {
    return this.resolve(model)?.decision.arm.strategy
  }

  /** Models to show: aliases first, then what each provider declares or the catalog knows of it. */
  listed(): readonly ListedModel[] {
    const shown = new Map<string, ListedModel>()
    for (const name of Object.keys(this.config.models)) this.show(name, shown)
    if (this.config.allow_unlisted_models)
      for (const [id, { provider, priceProvider, config }] of this.built) {
        const known =
          provider.models?.() ?? (priceProvider === undefined ? [] : this.shared.catalog.models(priceProvider).map((facts) => facts.id))
        for (const model of known) if (allowsModel(config.models, model)) this.show(`${id}/${model}`, shown)
      }
    return [...shown.values()]
  }

  private show(name: string, shown: Map<string, ListedModel>): void {
    const deployments = this.resolve(name)?.route.deployments
    const first = deployments?.[0]
    if (first && !shown.has(name))
      shown.set(name, { id: name, facts: first.facts, deployments: deployments.map((deployment) => deployment.id) })
  }

  private resolve(name: string): { readonly route: Route; readonly decision: Decision } | undefined {
    const known = this.byName.get(name)
    if (known !== undefined || this.byName.has(name)) return known
    const alias = Object.hasOwn(this.config.models, name) ? this.config.models[name] : undefined
    const route = alias ? this.aliasRoute(name, alias) : this.unlistedRoute(name)
    const resolved = route && { route, decision: asNamed.choose({ arms: [this.armFor(name, alias?.fallbacks ?? [])] }) }
    if (this.byName.size >= MAX_REMEMBERED_ROUTES) this.byName.clear()
    this.byName.set(name, resolved)
    return resolved
  }

  private armFor(name: string, fallbacks: readonly string[]): Arm {
    const strategies: [Strategy, ...Strategy[]] = [single(name), ...fallbacks.map((other) => single(other))]
    const strategy = fallback(strategies)
    return { id: strategy.id, strategy, model: name, card: {} }
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
      if (
        allowsModel(config.models, name) &&
        (provider.facts(name) ?? (priceProvider === undefined ? undefined : this.shared.catalog.facts(priceProvider, name)))
      )
        return id
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
    const limits = limitsOf(
      this.config.timeouts,
      'timeouts' in built.config ? built.config.timeouts : undefined,
      entry && 'timeouts' in entry ? entry.timeouts : undefined,
    )
    const cooldown = { afterFaults: this.config.cooldown.after_faults, seconds: this.config.cooldown.seconds }
    const key = fingerprintOf([name, azure, weight, facts, limits, cooldown])
    const known = this.deployments.get(key)
    if (known) return known
    const earlier = this.before.get(key)
    const deployment =
      earlier?.provider === built.provider
        ? earlier
        : new Deployment(name, built.provider, azure ?? model, weight, facts, limits, cooldown, this.shared.clock)
    if (this.deployments.size >= MAX_REMEMBERED_ROUTES) this.deployments.clear()
    this.deployments.set(key, deployment)
    return deployment
  }

  /**
   * A provider that declares its models (sandbox, recorded) has no others; for the rest the catalog speaks, and an unknown model is
   * tried all the same.
   */
  private factsOf(
    built: BuiltProvider,
    id: string,
    model: string,
    alias?: ModelConfig,
    entry?: ModelConfig['deployments'][number],
  ): ModelFacts | undefined {
    const declared = built.provider.facts(model)
    if (built.provider.models && !declared) return undefined
    const base: ModelFacts = declared ??
      (built.priceProvider === undefined ? undefined : this.shared.catalog.facts(built.priceProvider, model)) ?? {
        id: model,
        provider: id,
        capabilities: {},
      }
    const prices = (entry && 'prices' in entry ? entry.prices : undefined) ?? alias?.prices ?? this.config.prices[`${id}/${model}`]
    return {
      ...base,
      id: model,
      provider: id,
      ...(prices ? { prices: priceSheetFromConfig(prices) } : {}),
      ...(alias?.context_tokens === undefined ? {} : { contextTokens: alias.context_tokens }),
      // A smaller one than the model's own limits nothing: the provider isn't told of it, and bills what is written.
      ...(alias?.max_output_tokens === undefined ? {} : { maxOutputTokens: Math.max(alias.max_output_tokens, base.maxOutputTokens ?? 0) }),
    }
  }
}

/** A short text that is the same for the same values only. */
function fingerprintOf(value: unknown): string {
  return hash(
    'sha256',
    JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part)),
    'base64',
  )
}
