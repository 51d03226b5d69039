import type { Policy, Situation } from '../contracts.js'
import { duration } from './plain-figures.js'
import { secondsOf, soundEstimates } from './sound-estimates.js'

/**
 * Device, edge or cloud (150, 112, 158): before the policy chooses, arms are dropped that the deadline (`maxSeconds`) rules out by their cards or
 * estimates (an arm whose time nobody knows is dropped too, unless that left none); without a network, and for private requests, only the device is left
 * (`feasibleArms` sees to that for every policy). Where the reference is dropped, the nearest place stands in for it: device before edge before cloud.
 * A decision that was forced to the device says that it is degraded. Selection makes no call.
 */
export function placement(policy: Policy): Policy {
  const id = `placement(${policy.id})`
  return {
    id,
    choose(situation) {
      const { objective } = situation
      const inTime = withinDeadline(situation)
      const [first, ...rest] = inTime
      const narrowed = first ? restrict(situation, [first, ...rest]) : situation
      const decision = policy.choose(narrowed)
      const estimates = soundEstimates(situation)
      const dropped = situation.arms
        .filter((arm) => first && !inTime.includes(arm))
        .map(({ id: arm }) => ({ arm, why: `it can't answer within ${duration(objective.maxSeconds ?? 0)}` }))
      const degraded =
        situation.offline && situation.arms.some((arm) => arm.card.place !== 'device')
          ? ' Degraded: there is no network, so only this device could answer.'
          : ''
      return {
        ...decision,
        policy: id,
        alternatives: estimates,
        reference: estimates[situation.arms.findIndex((arm) => arm.id === situation.reference)],
        excluded: [...(decision.excluded ?? []), ...dropped],
        propensities: decision.propensities && spread(situation, narrowed, decision.propensities),
        reason: `${decision.reason}${degraded}`,
      }
    },
    ...(policy.observe && { observe: (decision, observation) => policy.observe?.(decision, observation) }),
  }
}

function withinDeadline(situation: Situation): readonly Situation['arms'][number][] {
  const { maxSeconds } = situation.objective
  if (maxSeconds === undefined) return situation.arms
  const estimates = soundEstimates(situation)
  return situation.arms.filter((_, index) => {
    const estimate = estimates[index]
    const seconds = estimate && secondsOf(estimate)
    return seconds != null && seconds <= maxSeconds
  })
}

/** The same situation with these arms alone, in order. Where the reference is gone, the nearest place takes its part in the choice. */
function restrict(situation: Situation, arms: Situation['arms']): Situation {
  const estimates = arms.map((arm) => situation.estimates[situation.arms.indexOf(arm)]).filter((estimate) => estimate !== undefined)
  const reference = arms.some(({ id }) => id === situation.reference) ? situation.reference : nearest(arms).id
  return { ...situation, arms, estimates, reference }
}

const nearness = { device: 0, edge: 1, cloud: 2 } as const

function nearest(arms: Situation['arms']): Situation['arms'][number] {
  return arms.reduce((best, arm) => (nearness[arm.card.place ?? 'cloud'] < nearness[best.card.place ?? 'cloud'] ? arm : best))
}

function spread(situation: Situation, narrowed: Situation, propensities: readonly number[]): readonly number[] {
  return situation.arms.map((arm) => propensities[narrowed.arms.indexOf(arm)] ?? 0)
}
