import { noUsage, picoUsd, type Money } from '../../quantities/index.js'
import type { Features } from '../../understanding/index.js'
import type { ArmCard, ArmId, Estimate } from '../contracts.js'
import type { ArmCosts } from './arm-costs.js'
import { measures } from './observed.js'

/** Beyond this a prediction of an amount is no prediction any more; also keeps exp() finite. */
const largestLog = 30
const [outputTokens, usd, duration, energy] = [
  measures.indexOf('outputTokens'),
  measures.indexOf('usd'),
  measures.indexOf('seconds'),
  measures.indexOf('joules'),
]

/** Puts an estimate together from expected logarithms (`ArmCosts.logs`, or nearer ones). O(1). */
export function estimateOf(
  arm: ArmId,
  card: ArmCard | undefined,
  features: Features,
  quality: Estimate['quality'],
  support: number,
  costs: ArmCosts,
  logs: Float64Array,
): Estimate {
  const tokens = amount(costs, arm, logs, outputTokens)
  const dollars = amount(costs, arm, logs, usd)
  const seconds = amount(costs, arm, logs, duration)
  return {
    arm,
    quality,
    cost: {
      usd: listPrice(card, features, tokens) ?? (dollars === null ? null : picoUsd(Math.ceil(dollars * 1e12))),
      seconds: seconds ?? cardSeconds(card, tokens) ?? 0,
      joules: amount(costs, arm, logs, energy),
      gramsCO2e: null,
    },
    outputTokens: tokens,
    support,
  }
}

function amount(costs: ArmCosts, arm: ArmId, logs: Float64Array, measure: number): number | null {
  const log = logs[measure] ?? NaN
  return Number.isNaN(log) ? null : Math.exp(Math.min(largestLog, log)) * costs.smear(arm, measure)
}

function listPrice(card: ArmCard | undefined, features: Features, tokens: number | null): Money | null {
  if (!card?.priceOf || tokens === null) return null
  return card.priceOf({ ...noUsage, inputTokens: Math.ceil(Math.max(0, features.traits.inputTokens)), outputTokens: Math.ceil(tokens) })
}

function cardSeconds(card: ArmCard | undefined, tokens: number | null): number | null {
  if (card?.firstTokenSeconds === undefined || card.tokensPerSecond === undefined || !(card.tokensPerSecond > 0) || tokens === null)
    return null
  return card.firstTokenSeconds + tokens / card.tokensPerSecond
}
