import type { LiveWorld } from '../../environment/index.js'
import { BursarError } from '../../errors/index.js'
import { auctioned, configuredPolicy, learningGuard, type Policy, type Predictor } from '../../routing/index.js'
import { seededRandom } from '../../statistics/index.js'
import type { Config, RoutingConfig } from '../config/index.js'
import { buildArms, type ArmSet, type ArmSource } from './arms.js'
import { AUCTION_ARM, withAuction } from './auction-arm.js'
import { predictorKindOf, type BeliefSettings } from './beliefs.js'
import { PRIOR_OUTCOMES } from './priors.js'
import { Router, type TrialSource } from './router.js'
import { trustedSources, type RoutingMemory } from './routing-memory.js'
import type { RoutingState } from './state-file.js'
import { learnedOf, trainOnTable } from './train.js'

/**
 * The router of one version of the configuration, with the memory that all versions share. `state`: what was read from the file, for
 * the first version. Throws `InvalidRequest` or `invalid_configuration` with the path of what can't be.
 */
export function wireRouter(
  config: Config,
  routes: Pick<ArmSource, 'route' | 'strategyOf' | 'listed'>,
  price: LiveWorld['price'],
  memory: RoutingMemory,
  state?: RoutingState,
  trials?: TrialSource,
): Router {
  const source: ArmSource = {
    route: (model) => routes.route(model),
    strategyOf: (model) => routes.strategyOf(model),
    listed: () => routes.listed(),
    aliases: new Set(Object.keys(config.models)),
    price,
    contextOf: (tenant, explore) => memory.strategies.contextOf(tenant, explore),
  }
  const { routing } = config
  const arms = withAuction(buildArms(routing, source), routing, (tenant) => memory.auctionsOf(tenant))
  const policy = policyOf(routing, memory, arms)
  const router = new Router(routing, source, memory, policy, seededRandom(routing.predictor.seed), arms, trials)
  try {
    memory.configure(routing, beliefSettings(routing, router, memory), state)
  } catch (thrown) {
    // Kinds name their settings from `settings` on.
    if (BursarError.is(thrown) && thrown.path?.startsWith('settings') === true)
      throw new BursarError(`routing.predictor.${thrown.path}: ${thrown.message}`, {
        code: thrown.code,
        status: thrown.status,
        path: `routing.predictor.${thrown.path}`,
        cause: thrown,
      })
    throw thrown
  }
  memory.follow(routing.policy.kind, policy.memory)
  memory.observe = (decision, observation) => policy.observe?.(decision, observation)
  return router
}

/**
 * Learns from the configured outcome table what everyone begins with. Throws `invalid_configuration` that names the row and field at
 * fault.
 */
export async function trainBase(
  routing: RoutingConfig,
  router: Router,
  memory: RoutingMemory,
  onTrained: (rows: number, seconds: number) => void,
): Promise<void> {
  const { train } = routing.predictor
  if (train === undefined) return
  const startedAt = memory.clock.monotonic()
  const settings = beliefSettings(routing, router, memory)
  const { bytes, rows, arms } = await trainOnTable(train, {
    ...settings,
    understanding: memory.understanding,
    signal: new AbortController().signal,
  })
  memory.begin(settings, learnedOf(bytes, arms))
  onTrained(rows, memory.clock.monotonic() - startedAt)
}

function beliefSettings(routing: RoutingConfig, router: Router, memory: RoutingMemory): BeliefSettings {
  const { settings, seed } = routing.predictor
  return {
    kind: predictorKindOf(routing.predictor),
    settings,
    seed,
    facts: router.arms.facts,
    guard: (predictor, load, tenant) => guarded(predictor, load, tenant, routing, memory),
  }
}

/**
 * Familiarity is a p-value among the outcomes that were learned. A request that several arms have answered is learned several times,
 * and only the first time it is new: so a new one ranks lower than it would among requests.
 */
const LEAST_FAMILIARITY = 0.01

function policyOf({ policy, exploration, sticky, arms = [] }: RoutingConfig, memory: RoutingMemory, built: ArmSet): Policy {
  const { kind, limits, alpha, prefer_instant: instant, auction } = policy
  return configuredPolicy({
    kind,
    limits,
    alpha,
    preferInstant: instant === false ? undefined : instant === true ? {} : instant,
    places: arms.some(({ place }) => place !== undefined),
    sticky,
    share: exploration.share,
    allowance: memory.allowance(exploration.usd_per_day),
    leastFamiliarity: LEAST_FAMILIARITY,
    around:
      auction && built.byId.has(AUCTION_ARM)
        ? {
            arm: AUCTION_ARM,
            policy: (inner) =>
              auctioned(inner, {
                arm: AUCTION_ARM,
                bidders: auction.bidders,
                planTokens: auction.plan_tokens,
                timesPlans: auction.times_plans,
              }),
          }
        : undefined,
  })
}

function guarded(
  predictor: Predictor,
  load: (bytes: Uint8Array) => Predictor,
  tenant: string,
  { learning }: RoutingConfig,
  memory: RoutingMemory,
): Predictor {
  return learningGuard(predictor, {
    load,
    clock: memory.clock,
    cap: learning.max_influence,
    priorWeight: PRIOR_OUTCOMES,
    trusted: trustedSources(learning.trusted_keys),
    alongside: memory.strategies.alongside(tenant),
  })
}
