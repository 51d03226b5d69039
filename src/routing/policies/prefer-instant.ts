import type { Estimate, Policy, Situation } from '../contracts.js'

export interface PreferInstantOptions {
  /** τ: from this expected quality on an instant answer counts as good enough to doubt the dearer modes; 0.75 (116). */
  readonly threshold?: number | undefined
  /** α: how sharply; 2 (116). */
  readonly exponent?: number | undefined
}

/**
 * Instant, reason or agentic (116): where the instant mode of a model is expected to be right with p ≥ τ, what a dearer mode of the *same model* promises
 * beyond it is multiplied by 1 − p^α before the policy weighs the arms: the paper's reward for training, turned into a prior against thinking for
 * nothing. Arms without a mode, or of a model that has no instant arm, stay as they are; so does everything below τ. The decision shows the
 * estimates as they were. Wraps any policy. O(arms²) at worst, over arms of one model.
 */
export function preferInstant(policy: Policy, { threshold = 0.75, exponent = 2 }: PreferInstantOptions = {}): Policy {
  const id = `prefer-instant(${policy.id})`
  return {
    id,
    choose(situation) {
      const decision = policy.choose({
        ...situation,
        estimates: situation.estimates.map((estimate) => doubted(estimate, situation, threshold, exponent)),
      })
      const original = (arm: string | undefined) => situation.estimates.find((estimate) => estimate.arm === arm)
      return {
        ...decision,
        policy: id,
        alternatives: decision.alternatives.map((estimate) => ({
          ...estimate,
          quality: original(estimate.arm)?.quality ?? estimate.quality,
        })),
        expected: decision.expected && { ...decision.expected, quality: original(decision.arm.id)?.quality ?? decision.expected.quality },
      }
    },
    ...(policy.observe && { observe: (decision, observation) => policy.observe?.(decision, observation) }),
  }
}

function doubted(estimate: Estimate, { arms, estimates }: Situation, threshold: number, exponent: number): Estimate {
  const arm = arms.find(({ id }) => id === estimate.arm)
  const mode = arm?.card.mode
  if (!arm || !estimate.quality || mode === undefined || mode === 'instant') return estimate
  const instant = arms.find((other) => other.model === arm.model && other.card.mode === 'instant')
  const p = instant && estimates.find((other) => other.arm === instant.id)?.quality?.mean
  if (p === undefined || !(p >= threshold && p <= 1)) return estimate
  const beyond = estimate.quality.mean - p
  return beyond > 0 ? { ...estimate, quality: { ...estimate.quality, mean: p + beyond * (1 - p ** exponent) } } : estimate
}
