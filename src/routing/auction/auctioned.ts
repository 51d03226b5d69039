import { toDollars } from '../../quantities/index.js'
import type { ArmId, Policy, Situation } from '../contracts.js'
import { exchangeOf, feasibleArms, soundEstimates, textUsage } from '../policies/index.js'
import { advantage, comparable, valued } from '../policies/value.js'
import { dollars } from '../policies/plain-figures.js'

export interface AuctionedOptions {
  /** The arm whose strategy is the auction. */
  readonly arm: ArmId
  /** Arms of the agents that bid: their cards price the plans. */
  readonly bidders: readonly ArmId[]
  /** Output tokens of a plan; 256 by default. */
  readonly planTokens?: number | undefined
  /** The work must cost at least so many times what the plans cost; 20 (0.4). */
  readonly timesPlans?: number | undefined
  /** Deviations within which two arms can't be told apart; 1 by default. */
  readonly deviations?: number | undefined
}

/**
 * Holds an auction only where it pays (0.4): the work is expected to cost at least 20 times what all plans cost, *and* the predictor's uncertainty straddles the decision: some
 * other arm's value lies within the common deviation of the chosen arm's. Else the policy's choice stands; it never sees the auction's arm. Not within a tool loop, nor in a conversation whose prompt is cached: there the work has
 * begun. Prices that aren't known make no case for an auction. O(arms).
 */
export function auctioned(
  policy: Policy,
  { arm: armId, bidders, planTokens = 256, timesPlans = 20, deviations = 1 }: AuctionedOptions,
): Policy {
  const id = `auctioned(${policy.id})`
  return {
    id,
    choose(situation) {
      const [first, ...rest] = situation.arms.filter((arm) => arm.id !== armId)
      const arm = situation.arms.find((one) => one.id === armId)
      if (!first) return { ...policy.choose(situation), policy: id }
      const arms = [first, ...rest] as const
      const others: Situation = {
        ...situation,
        arms: [first, ...rest],
        estimates: arms.map((one) => situation.estimates[situation.arms.indexOf(one)]).filter((one) => one !== undefined),
      }
      const own = policy.choose(others)
      const work = own.expected?.cost.usd
      const plans = arm && planUsd(situation, bidders, planTokens)
      const spread = own.propensities && situation.arms.map((one) => own.propensities?.[arms.indexOf(one)] ?? 0)
      const decision = { ...own, policy: id, propensities: spread }
      // A policy that draws could not say any more how probable its choice was.
      if (
        !arm ||
        plans == null ||
        work == null ||
        own.propensity !== 1 ||
        situation.features.traits.toolLoop ||
        (situation.session?.warmTokens ?? 0) > 0
      )
        return decision
      if (toDollars(work) < timesPlans * plans || !straddles(others, own.arm.id, deviations) || !fits(situation, armId)) return decision
      return {
        ...decision,
        arm,
        expected: soundEstimates(situation)[situation.arms.indexOf(arm)],
        alternatives: soundEstimates(situation),
        reason: `"${arm.id}" answers: the work is expected to cost ${dollars(work)}, ${timesPlans} times more than plans for it (${dollars(plans)}), and what is known doesn't tell who does it best.`,
      }
    },
    ...(policy.observe && { observe: (decision, observation) => policy.observe?.(decision, observation) }),
  }
}

/** Dollars of one plan of each bidder, whose judgements are shorter still; `null` where a price is unknown. */
function planUsd({ arms, features }: Situation, bidders: readonly ArmId[], planTokens: number): number | null {
  return bidders.reduce<number | null>((sum, bidder) => {
    const price = arms
      .find(({ id }) => id === bidder)
      ?.card.priceOf?.(textUsage(Math.min(2000, Math.max(0, Math.ceil(features.traits.inputTokens) || 0)), planTokens))
    return sum === null || price == null ? null : sum + toDollars(price)
  }, 0)
}

function straddles(situation: Situation, chosen: ArmId, deviations: number): boolean {
  const { options, reference } = feasibleArms(situation)
  const exchange = exchangeOf(situation.objective, reference, options, situation.regime)
  const best = options.find(({ arm }) => arm.id === chosen)
  if (!best?.estimate.quality || exchange.lambda === 0) return false
  const own = valued(best, exchange)
  const variance = best.estimate.quality.variance
  return options.some((option) => {
    const other = valued(option, exchange)
    if (option.arm.id === chosen || !option.estimate.quality || !comparable(other, exchange) || !comparable(own, exchange)) return false
    const common = Math.sqrt(variance + option.estimate.quality.variance)
    if (exchange.lambda === Number.POSITIVE_INFINITY) return Math.abs((own.quality ?? 0) - (other.quality ?? 0)) <= deviations * common
    return advantage(own, other, exchange) <= deviations * exchange.lambda * common
  })
}

/** Whether the auction's own arm may answer. */
function fits(situation: Situation, armId: ArmId): boolean {
  const { options } = feasibleArms(situation)
  return options.some(({ arm }) => arm.id === armId)
}
