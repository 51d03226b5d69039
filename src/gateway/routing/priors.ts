import type { Effort } from '../../protocol/index.js'
import type { ArmCard, Estimate } from '../../routing/index.js'

/** A belief in an arm's quality that no outcome stands behind: its mean in [0, 1], and how many outcomes it counts as. */
export interface Prior {
  readonly mean: number
  readonly outcomes: number
}

/** Outcomes that the belief in a tier counts as. Also what a source's influence is measured against. */
export const PRIOR_OUTCOMES = 25
const UNKNOWN_OUTCOMES = 5
/** Of a quality that the operator has said. */
const TOLD_OUTCOMES = 50

/**
 * What is believed of arms that nothing was learned of: assumptions, not measurements, which fade with what is learned. A tier's name
 * says no more than that dearer models are usually better.
 */
const tierMeans: Readonly<Record<NonNullable<ArmCard['tier']>, number>> = { small: 0.65, medium: 0.75, large: 0.85 }
const unknownMean = 0.75

/** How much more thought helps, on the same scale. */
const effortShifts: Readonly<Record<Effort, number>> = {
  none: -0.04,
  minimal: -0.03,
  low: -0.02,
  medium: 0,
  high: 0.02,
  xhigh: 0.03,
  max: 0.03,
}

export function effortShift(effort: Effort | undefined): number {
  return effort === undefined ? 0 : effortShifts[effort]
}

/** `told`: what the operator said of the arm, which needs no shift. */
export function priorOf(tier: ArmCard['tier'], told: number | undefined, shift: number): Prior {
  if (told !== undefined) return { mean: told, outcomes: TOLD_OUTCOMES }
  const mean = tier === undefined ? unknownMean : tierMeans[tier]
  return { mean: Math.min(0.99, Math.max(0.01, mean + shift)), outcomes: tier === undefined ? UNKNOWN_OUTCOMES : PRIOR_OUTCOMES }
}

/**
 * A prior and what was learned as one belief. `evidence` (N): outcomes of the arm that were learned in all, by weight; `support` (s):
 * those near this request.
 *
 *     n₀ = prior outcomes / (1 + N/25)      n = max(s, min(N, 25))      mean = (n₀·prior + n·learned)/(n₀ + n)
 *
 * So the prior fades as the arm becomes known, and all that one source may say (`LearningGuard` bounds its N) moves the mean by about
 * its bound. The variance is that of the learned mean, but no less than a Beta posterior's of n₀ + n outcomes: a handful of outcomes
 * that agree has no spread of its own, and proves little all the same.
 */
export function combined(prior: Prior, learned: Estimate['quality'], support: number, evidence: number): NonNullable<Estimate['quality']> {
  const known =
    learned !== null && learned.mean >= 0 && learned.mean <= 1 && learned.variance >= 0 && learned.variance < Number.POSITIVE_INFINITY
      ? learned
      : null
  const all = amount(evidence)
  const faded = prior.outcomes / (1 + all / PRIOR_OUTCOMES)
  const outcomes = known === null ? 0 : Math.max(amount(support), Math.min(all, PRIOR_OUTCOMES))
  const sum = faded + outcomes
  const mean = (faded * prior.mean + outcomes * (known?.mean ?? 0)) / sum
  const smoothed = (sum * mean + 1) / (sum + 2)
  const spread = (smoothed * (1 - smoothed)) / (sum + 1)
  return { mean, variance: known === null || outcomes === 0 ? spread : Math.max(spread, known.variance * (outcomes / sum) ** 2) }
}

function amount(value: number): number {
  return value > 0 && value < Number.POSITIVE_INFINITY ? value : 0
}
