import type { ArmId, Policy } from '../contracts.js'
import { linUcb, thompson } from './bandit.js'
import { constrained, type ResourceLimits } from './constrained.js'
import { exploring, type LearningAllowance } from './exploring.js'
import { placement } from './placement.js'
import { preferInstant, type PreferInstantOptions } from './prefer-instant.js'
import { sticky } from './sticky.js'
import { valueOfInformation } from './value-of-information.js'

/** Ways to choose among arms, by the names that configurations use. */
export const policyKinds = ['value_of_information', 'thompson', 'lin_ucb', 'constrained'] as const
export type PolicyKind = (typeof policyKinds)[number]

/** A policy as a configuration describes it. */
export interface PolicySettings {
  readonly kind: PolicyKind
  /** `constrained`: what a conversation, or a window of requests without one, may take over so many turns. */
  readonly limits?: (ResourceLimits & { readonly turns: number }) | undefined
  /** `lin_ucb`: deviations above its mean that an arm is taken at. */
  readonly alpha?: number | undefined
  /** An instant arm that is sure enough keeps dearer modes of the same model out (116). Absent: not. */
  readonly preferInstant?: PreferInstantOptions | undefined
  /** Whether arms run in several places, so that deadlines and places rule arms out before anything is weighed (150). */
  readonly places: boolean
  /** Whether a conversation stays with its arm while leaving would lose more than it gains. */
  readonly sticky: boolean
  /** Share of requests that may go to another arm in order to learn; for bandits the probability that they may give to others. */
  readonly share: number
  /** What exploring may cost. Bandits have their share only: their draws are the choice. */
  readonly allowance?: LearningAllowance | undefined
  /** A policy that stands around all but exploration, and the arm that only it may choose. */
  readonly around?: { policy(inner: Policy): Policy; readonly arm: ArmId } | undefined
  /** Familiarity below which the reference answers. */
  readonly leastFamiliarity: number
}

/**
 * The policy of a configuration: its kind at the heart, around it what prefers instant modes, what rules arms out by place and deadline, what keeps a
 * conversation with its arm, and outermost exploration; bandits explore by themselves. Throws `RangeError` for settings out of range, and for
 * `constrained` without limits.
 */
export function configuredPolicy(settings: PolicySettings): Policy {
  const { kind, limits, alpha, share, allowance, leastFamiliarity } = settings
  const explores = kind === 'thompson' || kind === 'lin_ucb'
  let policy: Policy
  if (kind === 'thompson') policy = thompson({ share })
  else if (kind === 'lin_ucb') policy = linUcb({ share, alpha })
  else if (kind === 'constrained') {
    if (limits === undefined) throw new RangeError('a constrained policy needs limits')
    const { turns, ...resources } = limits
    policy = constrained({ limits: resources, turns })
  } else policy = valueOfInformation({ leastFamiliarity })
  const heart = policy
  if (settings.preferInstant) policy = preferInstant(policy, settings.preferInstant)
  if (settings.places) policy = placement(policy)
  if (settings.sticky) policy = sticky(policy)
  if (settings.around) policy = settings.around.policy(policy)
  const whole = explores || share === 0 ? policy : exploring(policy, { share, allowance, except: settings.around?.arm })
  return heart.memory === undefined ? whole : { ...whole, memory: heart.memory }
}
