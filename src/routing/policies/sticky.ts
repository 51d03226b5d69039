import { noUsage, toDollars } from '../../quantities/index.js'
import type { Arm, Decision, Policy, Session, Situation } from '../contracts.js'
import { feasibleArms, type FeasibilityOptions, type Option } from './feasible-arms.js'
import { dollars } from './plain-figures.js'
import { advantage, comparable, exchangeOf, valued } from './value.js'

/**
 * Keeps a session with its model. Within a tool loop it never changes, as long as its arm may answer at all. Otherwise it changes
 * only when the other arm is worth more by more than what is lost of the prompt cache: warm tokens × (fresh − cached price of the session's
 * arm). Arms of the same model share that cache, so between these nothing is lost. The estimates are taken as prices of a cold start.
 *
 * Wrap it around a policy, and `exploring` around it. A policy that draws keeps exact propensities: what would have been drawn and isn't
 * followed falls to the session's arm.
 */
export function sticky(policy: Policy, options: FeasibilityOptions = {}): Policy {
  const id = `sticky(${policy.id})`
  return {
    id,
    choose(situation) {
      const own = policy.choose(situation)
      const { session } = situation
      const arm = session && situation.arms.find((one) => one.id === session.arm)
      if (!session || !arm) return { ...own, policy: id }
      return { ...kept(situation, session, arm, own, options), policy: id }
    },
    ...(policy.observe && { observe: (decision, observation) => policy.observe?.(decision, observation) }),
  }
}

function kept(situation: Situation, session: Session, arm: Arm, own: Decision, options: FeasibilityOptions): Decision {
  const { toolLoop } = situation.features.traits
  // In a tool loop wishes are set aside as well: what the model is in the middle of would be lost.
  const { qualityFloor: _floor, maxSeconds: _seconds, maxJoules: _joules, ...hardOnly } = situation.objective
  const feasible = feasibleArms(toolLoop ? { ...situation, objective: hardOnly } : situation, options)
  const current = feasible.options.find((option) => option.arm.id === arm.id)
  // An arm of a soft fault that was relaxed for all is still an option; one that isn't here may not answer.
  if (!current) return own

  const exchange = exchangeOf(situation.objective, feasible.reference, feasible.options, situation.regime)
  const stays = (option: Option | undefined): string | null => {
    if (toolLoop) return 'the session is in the middle of a tool loop'
    if (!option) return null
    if (option.arm.model === arm.model) return null
    const lost = lostCache(arm, session)
    const [other, here] = [valued(option, exchange), valued(current, exchange)]
    if (!comparable(other, exchange) || !comparable(here, exchange))
      return lost === null || lost > 0 ? "what a change would bring isn't known, and its prompt is cached" : null
    const gain = advantage(other, here, exchange)
    if (lost === null) return session.warmTokens > 0 && gain <= 0 ? 'nothing is gained by a change' : null
    return gain <= lost && lost > 0 ? `a change would gain ${dollars(Math.max(0, gain))} and lose ${dollars(lost)} of prompt cache` : null
  }
  const optionOf = (id: string) => feasible.options.find((option) => option.arm.id === id)
  const why = own.arm.id === arm.id ? null : stays(optionOf(own.arm.id))

  const currentIndex = situation.arms.indexOf(arm)
  const falls = own.propensities?.map((probability, index) => {
    const other = situation.arms[index]
    return other && other.id !== arm.id && probability > 0 && stays(optionOf(other.id)) !== null ? probability : 0
  })
  const moved = falls?.reduce((sum, probability) => sum + probability, 0) ?? 0
  const propensities = own.propensities?.map((probability, index) =>
    index === currentIndex ? probability + moved : probability - (falls?.[index] ?? 0),
  )
  const chosen =
    why === null
      ? own
      : {
          ...own,
          arm,
          expected: current.estimate,
          explored: false,
          reason: `"${arm.id}" answers: it has answered this session so far, and ${why}.`,
        }
  const at = why === null ? situation.arms.findIndex((one) => one.id === own.arm.id) : currentIndex
  return { ...chosen, propensities, propensity: propensities?.[at] ?? own.propensity }
}

/** Dollars that the cached part of the prompt would cost more if it were sent afresh; `null` where the price is unknown. */
function lostCache({ card }: Arm, { warmTokens }: Session): number | null {
  if (!(warmTokens > 0) || warmTokens === Number.POSITIVE_INFINITY) return 0
  const tokens = Math.floor(warmTokens)
  const fresh = card.priceOf?.({ ...noUsage, inputTokens: tokens })
  const cached = card.priceOf?.({ ...noUsage, cacheReadTokens: tokens })
  return fresh == null || cached == null ? null : Math.max(0, toDollars(fresh) - toDollars(cached))
}
