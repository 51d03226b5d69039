import type { ArmConfig } from '../config/index.js'
import { armName } from '../config/routing-references.js'
import { configuredObjectives, DEFAULT_KIND, objectiveOf, type LiveArm } from '../routing/index.js'
import type { GatewayState } from '../state.js'
import { strategyJson } from './outline.js'

/** What decides at present: arms with their strategies, what was learned of them, and routing's settings. No secrets. O(arms × tenants). */
export function routingJson({ router, routing, clock }: Pick<GatewayState, 'router' | 'routing' | 'clock'>) {
  const { config, arms } = router
  const { predictor, policy, exploration, learning } = config
  const learned = routing.learnedOutcomes()
  const settingsOf = new Map((config.arms ?? []).map((settings) => [armName(settings), settings]))
  return {
    object: 'routing',
    read_at: new Date(clock.now() * 1000).toISOString(),
    reference: arms.reference?.id ?? null,
    objective: config.objective,
    objectives: Object.fromEntries(Object.entries(configuredObjectives(config)).map(([name, objective]) => [name, objectiveOf(objective)])),
    instead_of: config.instead_of,
    policy: { kind: policy.kind, limits: policy.limits ?? null },
    predictor: {
      kind: predictor.kind ?? DEFAULT_KIND,
      settings: predictor.settings,
      trained_beforehand: learned.trained.size > 0,
      kept: predictor.state !== undefined,
    },
    encoder: typeof config.encoder === 'string' ? config.encoder : 'onnx' in config.encoder ? 'onnx' : config.encoder.endpoint,
    exploration: { share: exploration.share, usd_per_day: exploration.usd_per_day },
    learning: {
      feedback: learning.feedback,
      verifiers: learning.verifiers,
      agreement: learning.agreement,
      max_influence: learning.max_influence,
      shared: learning.shared,
    },
    sticky: config.sticky,
    problems: router.problems(),
    arms: arms.arms.map((arm) => armJson(arm, settingsOf.get(arm.id), arm.id === arms.reference?.id, learned)),
  }
}

function armJson(
  arm: LiveArm,
  settings: ArmConfig | undefined,
  reference: boolean,
  learned: ReturnType<GatewayState['routing']['learnedOutcomes']>,
) {
  const { card, prior } = arm
  return {
    id: arm.id,
    model: arm.model,
    reference,
    state: arm.routes.every(({ deployments }) => deployments.some((deployment) => deployment.state() !== 'resting')) ? 'ready' : 'resting',
    tier: card.tier ?? null,
    effort: card.effort ?? null,
    style: card.style ?? null,
    mode: card.mode ?? null,
    place: card.place ?? null,
    context_tokens: card.contextTokens ?? null,
    priced: card.priceOf !== undefined,
    strategy: strategyJson(arm.strategy, settings?.strategy),
    believed: { quality: prior.mean, counts_as_outcomes: prior.outcomes },
    learned_outcomes: {
      trained: rounded(learned.trained.get(arm.id) ?? 0),
      // The tenant without a name: callers without an organisation, or everybody where all learn together.
      by_organisation: [...learned.tenants].map(([organisation, outcomes]) => ({
        organisation: organisation === '' ? null : organisation,
        outcomes: rounded(outcomes.get(arm.id) ?? 0),
      })),
    },
  }
}

function rounded(outcomes: number): number {
  return Math.round(outcomes * 100) / 100
}
