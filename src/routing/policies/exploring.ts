import { picoUsd, type Money } from '../../quantities/index.js'
import type { ArmId, Decision, Policy, Situation } from '../contracts.js'
import { drawIndex } from './drawing.js'
import { feasibleArms, type FeasibilityOptions, type Option } from './feasible-arms.js'

/** Dollars that may be spent beyond what the objective asks for, in order to learn. `LearningBudget` is one. */
export interface LearningAllowance {
  remaining(): Money
  /** Takes the amount, or takes nothing and says no. */
  take(amount: Money): boolean
}

export interface ExploringOptions extends FeasibilityOptions {
  /** Largest share of requests that are used to learn, in [0, 1]; 0.03 by default (069 asks for 2 to 5 %). */
  readonly share?: number | undefined
  /** What exploring may cost beyond the arm that would have been chosen. Absent: no limit of its own. */
  readonly allowance?: LearningAllowance | undefined
  /** An arm is explored only when it costs at most so many times what the chosen or the reference arm costs; 3 by default. */
  readonly dearest?: number | undefined
  /** An arm that is never tried out, since only the policy itself can tell where it has a place. */
  readonly except?: ArmId | undefined
}

/**
 * Now and then (ε = `share`) takes a safe arm at random instead of the policy's own choice, so that the predictor sees what it would otherwise never see. The
 * propensity is exact: (1 − ε)·p(arm) + ε/|safe arms|, over every draw that led here.
 *
 * Safe is an arm that passes all hard limits and the ceilings of the objective, has a known price, isn't *known* to be below the quality floor (its upper bound is),
 * isn't out of proportion dear, and whose extra cost the allowance covers. Nothing is explored where the objective says so, within a tool loop, or in a session
 * whose prompt is in a provider's cache. Wraps the policy that is to be explored from: `exploring(sticky(valueOfInformation()))`. Throws `RangeError` for a share that is none.
 */
export function exploring(policy: Policy, options: ExploringOptions = {}): Policy {
  const { share = 0.03, allowance, dearest = 3 } = options
  if (!(share >= 0 && share <= 1)) throw new RangeError(`a share of exploration is in [0, 1], not ${share}`)
  const id = `exploring(${policy.id})`
  return {
    id,
    choose(situation) {
      const own = policy.choose(situation)
      const inner = own.propensities ?? (own.propensity === 1 ? situation.arms.map((arm) => (arm.id === own.arm.id ? 1 : 0)) : undefined)
      // A policy that draws without saying how can't be mixed with: the propensity would be wrong.
      const safe = inner && share > 0 && mayExplore(situation) ? safeOptions(situation, own, options, dearest, allowance) : []
      if (!inner || safe.length < 2) return { ...own, policy: id }

      const propensities = inner.map(
        (probability, index) => (1 - share) * probability + (safe.some((option) => option.index === index) ? share / safe.length : 0),
      )
      const explore = situation.random.next() < share
      const drawn =
        safe[
          drawIndex(
            safe.map(() => 1 / safe.length),
            situation.random,
          )
        ]
      const ownIndex = situation.arms.findIndex((arm) => arm.id === own.arm.id)
      const other = explore && drawn && drawn.index !== ownIndex ? drawn : undefined
      // The draw that is made is paid for at once, so that no number of requests at a time overspends.
      if (!other || (allowance && !allowance.take(extraCost(other, own))))
        return { ...own, policy: id, propensities, propensity: propensities[ownIndex] ?? own.propensity }
      return {
        ...own,
        policy: id,
        arm: other.arm,
        expected: other.estimate,
        explored: true,
        propensities,
        propensity: propensities[other.index] ?? 0,
        reason: `"${other.arm.id}" answers in order to learn what it gives (at most ${+(share * 100).toFixed(2)} % of requests); otherwise "${own.arm.id}" would have.`,
      }
    },
    ...(policy.observe && { observe: (decision, observation) => policy.observe?.(decision, observation) }),
  }
}

/** Whether this request may be used to learn at all. */
export function mayExplore({ objective, session, features }: Situation): boolean {
  return objective.explore !== false && !features.traits.toolLoop && !(session && session.warmTokens > 0)
}

/** Arms that may be explored; the policy's own choice among them. */
function safeOptions(
  situation: Situation,
  own: Decision,
  options: ExploringOptions,
  dearest: number,
  allowance: LearningAllowance | undefined,
): readonly Option[] {
  const { qualityFloor, ...wishes } = situation.objective
  const feasible = feasibleArms({ ...situation, objective: wishes }, options)
  if (feasible.relaxed) return []
  const floor = qualityFloor === undefined ? undefined : qualityFloor * (feasible.reference?.quality?.mean ?? 1)
  const deviations = options.floorDeviations ?? 1.645
  const limit = [own.expected?.cost.usd, feasible.reference?.cost.usd].reduce<number>(
    (most, usd) => (usd == null ? most : Math.max(most, Number(usd) * dearest)),
    0,
  )
  return feasible.options.filter((option) => {
    if (option.arm.id === own.arm.id) return true
    if (option.arm.id === options.except) return false
    const { quality, cost } = option.estimate
    if (cost.usd === null || Number(cost.usd) > limit) return false
    if (floor !== undefined && quality && quality.mean + deviations * Math.sqrt(quality.variance) < floor) return false
    return !allowance || extraCost(option, own) <= allowance.remaining()
  })
}

function extraCost(option: Option, own: Decision): Money {
  const usd = option.estimate.cost.usd ?? picoUsd(0n)
  const instead = own.expected?.cost.usd ?? picoUsd(0n)
  return usd > instead ? picoUsd(usd - instead) : picoUsd(0n)
}
