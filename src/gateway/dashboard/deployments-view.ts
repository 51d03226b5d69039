import type { Deployment } from '../../environment/index.js'
import { toDollars, type Money } from '../../quantities/index.js'
import type { GatewayState } from '../state.js'

/** Deployments that one answer lists. */
const MOST_LISTED = 1_000
const perMillion = 1e6

/** Each deployment with its health: those that rest first, then by name. `names`: the names of `models` that it serves. O(models). */
export function deploymentsJson({ models, deployments, clock }: Pick<GatewayState, 'models' | 'deployments' | 'clock'>) {
  const names = new Map<string, string[]>()
  for (const { id, deployments: behind } of models())
    for (const deployment of behind) if (deployment !== id) names.set(deployment, [...(names.get(deployment) ?? []), id])
  // One that two entries set up differently (its weight, its prices) is there twice.
  const all = [...deployments.values()].sort((a, b) => rank(a) - rank(b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  return {
    object: 'list',
    read_at: new Date(clock.now() * 1000).toISOString(),
    data: all.slice(0, MOST_LISTED).map((deployment) => deploymentJson(deployment, names.get(deployment.id) ?? [])),
    others: Math.max(0, all.length - MOST_LISTED),
  }
}

function deploymentJson(deployment: Deployment, names: readonly string[]) {
  const { id, provider, model, weight, facts, inFlight } = deployment
  const { prices } = facts
  return {
    id,
    object: 'deployment',
    provider: provider.id,
    model,
    names,
    weight,
    state: deployment.state(),
    rest_seconds: Math.ceil(deployment.restSeconds()),
    limited: deployment.limited(),
    in_flight: inFlight,
    context_tokens: facts.contextTokens ?? null,
    usd_per_million:
      prices === undefined
        ? null
        : { input: dollarsOf(prices.input?.base), cache_read: dollarsOf(prices.cacheRead?.base), output: dollarsOf(prices.output?.base) },
  }
}

/** What needs somebody's attention comes first. */
function rank(deployment: Deployment): number {
  if (deployment.state() !== 'ready') return 0
  return deployment.limited() ? 1 : deployment.inFlight > 0 ? 2 : 3
}

function dollarsOf(rate: Money | undefined): number | null {
  return rate === undefined ? null : Number((toDollars(rate) * perMillion).toPrecision(12))
}
