import type { ModelFacts } from '../../catalog/index.js'
import type { Deployment, LiveWorld, Route } from '../../environment/index.js'
import { InvalidRequest } from '../../errors/index.js'
import type { Money, Usage } from '../../quantities/index.js'
import type { Arm, ArmCard, ArmFacts } from '../../routing/index.js'
import { buildStrategy, strategyKinds, styled, type BuildContext, type Strategy } from '../../strategies/index.js'
import type { ArmConfig, RoutingConfig } from '../config/index.js'
import { armName } from '../config/routing-references.js'
import { atEffort } from './arm-settings.js'
import { effortShift, priorOf, type Prior } from './priors.js'
import { tierOfPrice, usualPrice } from './tiers.js'

/** Arms that are picked among where the configuration names none. */
const MOST_FOUND = 24

/** Models whose names say that they are for something else than answering in text. */
const OTHER_WORK =
  /embed|whisper|tts|audio|realtime|transcri|dall-e|image|moderation|rerank|guard|ocr|veo|imagen|sora|lyria|computer-use|deep-research/i

/** A model that callers may name. */
export interface FoundModel {
  readonly id: string
  readonly facts: ModelFacts
}

/** What arms are made from: the models of one version of the configuration. */
export interface ArmSource {
  route(model: string): Route | undefined
  /** One call of a model, with the fallbacks of its entry; `undefined` for a name that nobody serves. */
  strategyOf(model: string): Strategy | undefined
  listed(): readonly FoundModel[]
  /** Names of `models:`, in the order of the file. */
  readonly aliases: ReadonlySet<string>
  readonly price: LiveWorld['price']
  /** What strategies of a tenant are lent; absent: nothing, and they learn nothing. */
  contextOf?(tenant: string, explore: boolean): BuildContext
}

/** An arm with what the gateway knows beside the card. */
export interface LiveArm extends Arm {
  /** The strategy with what this tenant's have learned: tenants never meet. `explore`: whether it may try something out; it may when absent. */
  strategyFor(tenant: string, explore?: boolean): Strategy
  /** What is believed of its quality before anything was learned. */
  readonly prior: Prior
  /** Prices of the models of its plan, in the order of the plan. */
  readonly prices: readonly (((usage: Usage) => Money | null) | undefined)[]
  /** Deployments of each model that it cannot do without. */
  readonly routes: readonly Route[]
}

export interface ArmSet {
  readonly arms: readonly LiveArm[]
  readonly byId: ReadonlyMap<string, LiveArm>
  /** The arm that callers would use without Bursar; absent where there are no arms. */
  readonly reference: LiveArm | undefined
  /** What predictors begin with. */
  readonly facts: readonly ArmFacts[]
}

/**
 * The arms of a configuration: those that it names, else all names of `models:`, else what providers have (at most 24, spread over the
 * prices). Arms whose model nobody serves are left out; `bursar check` tells of them.
 */
export function buildArms(config: RoutingConfig, source: ArmSource): ArmSet {
  const arms = (config.arms ?? foundModels(source).map((model) => ({ model }))).flatMap((settings) => buildArm(settings, source) ?? [])
  const byId = new Map(arms.map((arm) => [arm.id, arm]))
  return { arms, byId, reference: referenceOf(config, source, arms, byId), facts: arms.map(factsOf) }
}

/** One arm; `undefined` where a model that it needs isn't served. */
export function buildArm(settings: ArmConfig, source: ArmSource): LiveArm | undefined {
  const { model, effort, style, strategy: spec } = settings
  const dressed = (plain: Strategy): Strategy => {
    const inStyle = style === undefined ? plain : styled(style, plain)
    return effort === undefined ? inStyle : atEffort(effort, inStyle)
  }
  const plain = spec === undefined ? (model === undefined ? undefined : source.strategyOf(model)) : buildStrategy(spec, strategyKinds, {})
  if (plain === undefined) return undefined
  const strategy = dressed(plain)
  const needed = strategy.plan.filter(({ expected }) => expected > 0)
  const routes = needed.map((use) => source.route(use.model))
  if (routes.length === 0 || routes.some((route) => route === undefined || route.deployments.length === 0)) return undefined
  const served = routes.flatMap((route) => route ?? [])
  const prices = strategy.plan.map((use) => priceOf(source, source.route(use.model)?.deployments))
  const priceOfAny = dearestPrice(prices)
  const tier = settings.tier ?? tierOfPrice(usualPrice(priceOfAny))
  const card: ArmCard = {
    tier,
    mode: settings.mode,
    place: settings.place,
    effort,
    style,
    ...abilities(served.flatMap(({ deployments }) => deployments)),
    ...(priceOfAny === undefined ? {} : { priceOf: priceOfAny }),
  }
  return {
    id: armName(settings),
    strategy,
    strategyFor(tenant, explore = true) {
      return spec === undefined ? strategy : dressed(buildStrategy(spec, strategyKinds, source.contextOf?.(tenant, explore) ?? {}))
    },
    model: mainModel(strategy),
    card,
    prior: priorOf(tier, settings.quality, effortShift(effort)),
    prices,
    routes: served,
  }
}

/** The model that is expected to answer: the first that is called for sure. */
function mainModel({ plan }: Strategy): string {
  const model = (plan.find(({ expected }) => expected >= 1) ?? plan[0])?.model
  if (model === undefined)
    throw new InvalidRequest('A strategy that calls no model can answer nothing.', { code: 'invalid_configuration', path: 'routing.arms' })
  return model
}

/**
 * What a predictor is told of an arm: an arm of several calls has no price of its own that tokens could be multiplied by, so its
 * dollars are learned.
 */
export function factsOf({ id, card, strategy }: LiveArm): ArmFacts {
  return { id, card: isSingleCall(strategy) ? card : { ...card, priceOf: undefined } }
}

/** Whether an arm makes one call, however it turns out. */
export function isSingleCall({ plan }: Strategy): boolean {
  return plan.filter(({ expected }) => expected > 0).reduce((sum, { most }) => sum + most, 0) === 1
}

function priceOf(source: ArmSource, deployments: readonly Deployment[] | undefined): ((usage: Usage) => Money | null) | undefined {
  const priced = deployments ?? []
  if (priced.length === 0 || priced.some(({ facts }) => facts.prices === undefined)) return undefined
  return (usage) => dearest(priced.map((deployment) => source.price(deployment, { usage }).report.usd))
}

/** The dearest of several prices, so that what is held against a budget is never low; `undefined` where one isn't known. */
function dearestPrice(prices: readonly (((usage: Usage) => Money | null) | undefined)[]): ((usage: Usage) => Money | null) | undefined {
  const known = prices.flatMap((price) => price ?? [])
  if (known.length === 0 || known.length < prices.length) return undefined
  return (usage) => dearest(known.map((price) => price(usage)))
}

function dearest(prices: readonly (Money | null)[]): Money | null {
  let most: Money | null = null
  for (const price of prices) {
    if (price === null) return null
    if (most === null || price > most) most = price
  }
  return most
}

/** What all deployments can; what one of them can't, the arm can't. */
function abilities(deployments: readonly Deployment[]): Pick<ArmCard, 'contextTokens' | 'tools' | 'images' | 'structured'> {
  const facts = deployments.map((deployment) => deployment.facts)
  const windows = facts.flatMap(({ contextTokens }) => contextTokens ?? [])
  const all = (values: readonly (boolean | undefined)[]) => (values.includes(false) ? false : values.includes(undefined) ? undefined : true)
  return {
    contextTokens: windows.length === 0 ? undefined : Math.min(...windows),
    tools: all(facts.map(({ capabilities }) => capabilities.tools)),
    images: all(facts.map(({ capabilities }) => capabilities.images)),
    structured: all(facts.map(({ capabilities }) => capabilities.jsonSchema)),
  }
}

/** Models to pick among where none are named. */
function foundModels(source: ArmSource): readonly string[] {
  const texts = (models: readonly FoundModel[]) =>
    models.filter(({ id, facts }) => facts.capabilities.embeddings !== true && !OTHER_WORK.test(id))
  const listed = source.listed()
  if (source.aliases.size > 0) {
    const named = texts(listed.filter(({ id }) => source.aliases.has(id)))
    if (named.length > 0) return named.slice(0, MOST_FOUND).map(({ id }) => id)
  }
  const priced = texts(listed)
    .map((model) => ({ id: model.id, price: usualPrice(priceOf(source, source.route(model.id)?.deployments)) }))
    .filter((model): model is { readonly id: string; readonly price: number } => model.price !== null)
    .sort((a, b) => a.price - b.price)
  // Evenly over the prices, both ends included. Where none is known, the first ones: they can still be told apart by what is learned.
  if (priced.length === 0)
    return texts(listed)
      .slice(0, MOST_FOUND)
      .map(({ id }) => id)
  if (priced.length <= MOST_FOUND) return priced.map(({ id }) => id)
  return Array.from(
    { length: MOST_FOUND },
    (_, index) => priced[Math.round((index * (priced.length - 1)) / (MOST_FOUND - 1))]?.id ?? '',
  ).filter((id) => id !== '')
}

function referenceOf(
  config: RoutingConfig,
  source: ArmSource,
  arms: readonly LiveArm[],
  byId: ReadonlyMap<string, LiveArm>,
): LiveArm | undefined {
  const named = config.reference === undefined ? undefined : byId.get(config.reference)
  if (named) return named
  return config.arms === undefined && source.aliases.size === 0 ? dearestArm(arms) : arms[0]
}

/** The arm with the highest list price, the first of equals; where no price is known, the first. */
export function dearestArm<A extends Pick<Arm, 'card'>>(arms: readonly A[]): A | undefined {
  let best: { readonly arm: A; readonly price: number } | undefined
  for (const arm of arms) {
    const price = usualPrice(arm.card.priceOf) ?? -1
    if (best === undefined || price > best.price) best = { arm, price }
  }
  return best?.arm
}
