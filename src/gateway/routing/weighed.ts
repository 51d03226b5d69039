import type { DecisionRecord, Weighed } from '../../ledger/index.js'
import { toDollars, usd, type Money } from '../../quantities/index.js'
import type { Decision, Estimate, Objective } from '../../routing/index.js'

/** Most arms and exclusions that a record holds. */
const MOST_ARMS = 100

/** What was weighed, as the ledger keeps it. */
export function weighedOf(decision: Decision, familiarity: number, reference: string): Weighed {
  return {
    objective: objectiveOf(decision.objective ?? {}),
    reference,
    familiarity: Number.isFinite(familiarity) ? familiarity : 0,
    explored: decision.explored ?? false,
    arms: decision.alternatives.slice(0, MOST_ARMS).map(({ arm, quality, cost, outputTokens, support }) => ({
      arm,
      quality: quality?.mean ?? null,
      qualityDeviation: quality === null ? null : Math.sqrt(quality.variance),
      usd: cost.usd === null ? null : toDollars(cost.usd),
      outputTokens,
      // A sound estimate has 0 where nobody knows.
      seconds: cost.seconds === 0 ? null : cost.seconds,
      joules: cost.joules,
      support,
    })),
    excluded: (decision.excluded ?? []).slice(0, MOST_ARMS).map(({ arm, why }) => ({ arm, why })),
  }
}

/** The decision of a record, for putting it into words. */
export function decisionOf({
  arm,
  policy,
  propensity,
  reason,
  weighed,
}: DecisionRecord): Omit<Decision, 'arm'> & { readonly arm: { readonly id: string } } {
  const alternatives = (weighed?.arms ?? []).map(estimateOf)
  const of = (id: string | undefined) => alternatives.find((estimate) => estimate.arm === id)
  return {
    arm: { id: arm },
    policy,
    propensity,
    reason,
    alternatives,
    expected: of(arm),
    reference: of(weighed?.reference),
    excluded: weighed?.excluded,
    explored: weighed?.explored,
  }
}

function estimateOf({
  arm,
  quality,
  qualityDeviation,
  usd: dollars,
  outputTokens,
  seconds,
  joules,
  support,
}: Weighed['arms'][number]): Estimate {
  return {
    arm,
    quality: quality === null ? null : { mean: quality, variance: (qualityDeviation ?? 0) ** 2 },
    cost: { usd: moneyOf(dollars), seconds: seconds ?? 0, joules, gramsCO2e: null },
    outputTokens,
    support,
  }
}

function moneyOf(dollars: number | null): Money | null {
  return dollars === null || !Number.isFinite(dollars) ? null : usd(dollars)
}

/** Plain values of an objective; a λ without end is `infinite`, since JSON has no word for it. */
export function objectiveOf(objective: Objective): Record<string, string | number | boolean> {
  const kept: Record<string, string | number | boolean> = {}
  for (const [name, value] of Object.entries(objective) as [string, unknown][]) {
    if (typeof value === 'bigint') kept[name] = Number(value) / 1e12
    else if (typeof value === 'number') kept[name] = Number.isFinite(value) ? value : 'infinite'
    else if (typeof value === 'string' || typeof value === 'boolean') kept[name] = value
    else if (typeof value === 'object' && value !== null)
      for (const [part, amount] of Object.entries(value) as [string, unknown][])
        if (typeof amount === 'number' && Number.isFinite(amount)) kept[`${name}.${part}`] = amount
  }
  return kept
}
