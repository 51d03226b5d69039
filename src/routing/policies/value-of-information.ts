import type { Decision, Policy, Situation } from '../contracts.js'
import { feasibleArms, type FeasibilityOptions, type FeasibleArms, type Option } from './feasible-arms.js'
import { dollars } from './plain-figures.js'
import { secondsOf } from './sound-estimates.js'
import { byAdvantage, comparable, exchangeOf, valued, type Exchange, type Valued } from './value.js'

export interface ValueOfInformationOptions extends FeasibilityOptions {
  /** A request less familiar to the predictor than this gets the reference arm (021: never the cheapest one unseen); 0.05 by default. */
  readonly leastFamiliarity?: number | undefined
}

/** A choice by the rule, before it is put into words. */
export interface Choice {
  readonly option: Option
  /** In words, put together only where somebody reads them: a replay of a million requests reads none. */
  readonly why: string | (() => string)
  readonly feasible: FeasibleArms
  readonly exchange: Exchange
}

/**
 * The one rule (0.2), asked once, before any call: of the feasible arms the one with the largest λ·quality − (usd + κe·joules + κt·seconds).
 * CARROT (069) is this rule at λ = (1 − μ)/(μ·s), see `lambdaOfTradeoff`. Where nothing that could be compared is known, or the request is like nothing
 * seen, the reference arm answers. What isn't known is never preferred to what is. Ties go to the cheaper.
 *
 * Deterministic: the propensity is 1. For a fixed set of feasible arms with known quality and cost, a larger λ never lowers the expected quality
 * of the choice, nor its expected cost. Throws as `feasibleArms`. O(arms).
 */
export function valueOfInformation(options: ValueOfInformationOptions = {}): Policy {
  const id = 'value-of-information'
  return { id, choose: (situation) => decided(id, situation, chooseByValue(situation, options)) }
}

export function chooseByValue(situation: Situation, options: ValueOfInformationOptions = {}): Choice {
  const feasible = feasibleArms(situation, options)
  const exchange = exchangeOf(situation.objective, feasible.reference, feasible.options, situation.regime)
  const choice = (option: Option, why: Choice['why']): Choice => ({ option, why, feasible, exchange })
  const only = feasible.options
  if (only.length === 1) return choice(only[0], situation.arms.length === 1 ? 'it is the only arm' : 'no other arm may answer')

  const reference = feasible.referenceOption
  const unfamiliar = !(situation.familiarity >= (options.leastFamiliarity ?? 0.05))
  // Cheapest at any quality needs no belief about quality, and so no familiarity.
  if (unfamiliar && exchange.lambda > 0)
    return choice(reference ?? safest(only), 'nothing like this request has been seen, so the reference arm answers')
  if (feasible.relaxed) return relaxed(only, reference, situation, choice)

  const { best, second } = bestTwo(only, exchange)
  if (!best) return choice(reference ?? safest(only), 'too little is known of the arms to compare them, so the reference arm answers')
  return choice(best.option, () => reasonFor(best, second, reference, exchange))
}

/** The best and the next of the comparable options: those that sorting by advantage would put first. */
function bestTwo(
  options: readonly Option[],
  exchange: Exchange,
): { readonly best?: Valued | undefined; readonly second?: Valued | undefined } {
  const order = byAdvantage(exchange)
  let best: Valued | undefined
  let second: Valued | undefined
  for (const option of options) {
    const one = valued(option, exchange)
    if (!comparable(one, exchange)) continue
    if (best === undefined || order(one, best) < 0) {
      second = best
      best = one
    } else if (second === undefined || order(one, second) < 0) second = one
  }
  return { best, second }
}

/** A choice as a decision with certainty. */
export function decided(policy: string, situation: Situation, { option, why, feasible }: Choice): Decision {
  return {
    arm: option.arm,
    alternatives: feasible.estimates,
    propensity: 1,
    policy,
    reason: `"${option.arm.id}" answers: ${typeof why === 'string' ? why : why()}.`,
    expected: option.estimate,
    reference: feasible.reference,
    objective: situation.objective,
    excluded: feasible.excluded,
    conversation: situation.conversation,
    tenant: situation.tenant,
  }
}

/** No arm meets the caller's wishes: the quickest where it was about time, else the reference. */
function relaxed(
  options: FeasibleArms['options'],
  reference: Option | undefined,
  { objective }: Situation,
  choice: (option: Option, why: Choice['why']) => Choice,
): Choice {
  if (objective.maxSeconds !== undefined) {
    const timed = options.filter(({ estimate }) => secondsOf(estimate) !== null)
    const [first, ...rest] = timed
    if (first) {
      const quickest = rest.reduce(
        (best, option) => ((secondsOf(option.estimate) ?? 0) < (secondsOf(best.estimate) ?? 0) ? option : best),
        first,
      )
      return choice(quickest, () => `no arm is expected to meet all wishes (${objective.maxSeconds} s among them), and it is the quickest`)
    }
  }
  return choice(
    reference ?? safest(options),
    reference ? 'no arm meets all wishes, and it is the reference arm' : 'no arm meets all wishes, and it is the safest',
  )
}

/** Where the reference may not answer: the arm of the highest expected quality, unknown last; then the one that stands first. */
function safest(options: FeasibleArms['options']): Option {
  return options.reduce((best, option) => ((option.estimate.quality?.mean ?? -1) > (best.estimate.quality?.mean ?? -1) ? option : best))
}

function reasonFor(best: Valued, second: Valued | undefined, reference: Option | undefined, { lambda }: Exchange): string {
  const quality = best.quality === null ? '' : `expected quality ${best.quality.toFixed(2)} `
  const price = best.option.estimate.cost.usd === null ? 'at an unknown price' : `for ${dollars(best.option.estimate.cost.usd)}`
  const rule =
    lambda === Number.POSITIVE_INFINITY
      ? 'is the best there is'
      : lambda === 0
        ? 'takes the least'
        : `is worth most at ${dollars(lambda)} a right answer`
  const beside = !second ? '' : reference && best.option !== reference ? comparedWith(reference) : `, before "${second.option.arm.id}"`
  return `${quality}${price} ${rule}${beside}`
}

function comparedWith({ arm, estimate }: Option): string {
  const quality = estimate.quality === null ? 'unknown quality' : estimate.quality.mean.toFixed(2)
  const price = estimate.cost.usd === null ? 'an unknown price' : dollars(estimate.cost.usd)
  return `; the reference "${arm.id}" would give ${quality} for ${price}`
}
