import { noUsage, picoUsd, type Money } from '../../quantities/index.js'
import type { Effort, Request } from '../../protocol/index.js'
import type { Estimate } from '../../routing/index.js'
import type { Features } from '../../understanding/index.js'
import { isSingleCall, type LiveArm } from './arms.js'
import { combined } from './priors.js'

/** Output of a call whose length nobody has learned yet, before any reasoning; tokens. */
const UNKNOWN_OUTPUT_TOKENS = 300

/** How much longer answers get with an effort, until lengths are learned: assumptions. */
const effortRatios: Readonly<Record<Effort, number>> = { none: 1, minimal: 1.2, low: 1.5, medium: 2.5, high: 4, xhigh: 6, max: 8 }

/**
 * What is expected of each arm: what a predictor says, with the prior of arms that are little known, and dollars of the list price for the
 * input as it is. `evidence`: outcomes with a quality that were learned of each arm. What can't be known stays `null`. In the order of
 * `arms`. O(arms).
 */
export function expectations(
  arms: readonly LiveArm[],
  learned: readonly Estimate[],
  evidence: ReadonlyMap<string, number>,
  features: Features,
  request: Pick<Request, 'maxOutputTokens'>,
): readonly Estimate[] {
  return arms.map((arm, index) => {
    const given = learned[index]?.arm === arm.id ? learned[index] : learned.find((estimate) => estimate.arm === arm.id)
    const outputTokens = Math.min(sound(given?.outputTokens) ?? usualOutput(arm), request.maxOutputTokens ?? Number.POSITIVE_INFINITY)
    const inputTokens = sound(features.traits.inputTokens) ?? 0
    const usd = listPrice(arm, inputTokens, outputTokens, sound(given?.outputTokens) !== null ? (given?.cost.usd ?? null) : null)
    return {
      arm: arm.id,
      quality: combined(arm.prior, given?.quality ?? null, given?.support ?? 0, evidence.get(arm.id) ?? 0),
      cost: { usd, seconds: sound(given?.cost.seconds) ?? 0, joules: sound(given?.cost.joules), gramsCO2e: sound(given?.cost.gramsCO2e) },
      outputTokens,
      support: sound(given?.support) ?? 0,
    }
  })
}

/** All calls of the arm together. */
function usualOutput({ strategy, card }: LiveArm): number {
  const calls = strategy.plan.reduce((sum, { expected, outputRatio }) => sum + expected * (outputRatio ?? 1), 0)
  return UNKNOWN_OUTPUT_TOKENS * calls * (card.effort === undefined ? 1 : effortRatios[card.effort])
}

/**
 * One call: its list price, for this input. Several calls: what they were learned to take together, else the price of the planned ones.
 * A price that isn't known makes the sum unknown.
 */
function listPrice(arm: LiveArm, inputTokens: number, outputTokens: number, learned: Money | null): Money | null {
  const { plan } = arm.strategy
  if (isSingleCall(arm.strategy))
    return arm.card.priceOf?.({ ...noUsage, inputTokens: Math.ceil(inputTokens), outputTokens: Math.ceil(outputTokens) }) ?? null
  if (learned !== null) return learned
  const outputs = plan.reduce((sum, { expected, outputRatio }) => sum + expected * (outputRatio ?? 1), 0)
  let sum = 0
  for (const [index, { expected, outputRatio }] of plan.entries()) {
    if (expected === 0) continue
    const own = outputs > 0 ? (outputTokens * (outputRatio ?? 1)) / outputs : 0
    const price = arm.prices[index]?.({ ...noUsage, inputTokens: Math.ceil(inputTokens), outputTokens: Math.ceil(own) }) ?? null
    if (price === null) return null
    sum += expected * Number(price)
  }
  return picoUsd(Math.ceil(sum))
}

function sound(value: number | null | undefined): number | null {
  return value != null && value >= 0 && value < Number.POSITIVE_INFINITY ? value : null
}
