import type { Effort } from '../../protocol/index.js'
import type { ArmCard, Estimate } from '../../routing/index.js'

/** A belief in an arm's quality: its mean in [0, 1], and the variance of that mean. */
export type Prior = NonNullable<Estimate['quality']>

/**
 * What is believed of arms that nothing was learned of: assumptions, not measurements, and said so wherever they are shown. They count as much as
 * some two dozen outcomes and are outweighed by what is learned. A tier's name says no more than that dearer models are usually better.
 */
const tierMeans: Readonly<Record<NonNullable<ArmCard['tier']>, number>> = { small: 0.65, medium: 0.75, large: 0.85 }
const unknownMean = 0.75
const tierVariance = 0.08 ** 2
const unknownVariance = 0.15 ** 2
/** Of a quality that the operator has said. */
const toldVariance = 0.05 ** 2

/** How much more thought helps, on the same scale. */
const effortShifts: Readonly<Record<Effort, number>> = { none: -0.04, minimal: -0.03, low: -0.02, medium: 0, high: 0.02, xhigh: 0.03, max: 0.03 }

export function effortShift(effort: Effort | undefined): number {
  return effort === undefined ? 0 : effortShifts[effort]
}

/** `told`: what the operator said of the arm, which needs no shift. */
export function priorOf(tier: ArmCard['tier'], told: number | undefined, shift: number): Prior {
  if (told !== undefined) return { mean: told, variance: toldVariance }
  const mean = tier === undefined ? unknownMean : tierMeans[tier]
  return { mean: Math.min(0.99, Math.max(0.01, mean + shift)), variance: tier === undefined ? unknownVariance : tierVariance }
}

/** Two beliefs in the same thing as one, each by its precision (the product of two normal densities). What is not known adds nothing. */
export function combined(prior: Prior, learned: Estimate['quality']): Prior {
  if (learned === null || !(learned.mean >= 0 && learned.mean <= 1) || !(learned.variance >= 0)) return prior
  if (!(learned.variance < Number.POSITIVE_INFINITY)) return prior
  const least = 1e-9
  const [a, b] = [1 / Math.max(least, prior.variance), 1 / Math.max(least, learned.variance)]
  return { mean: (a * prior.mean + b * learned.mean) / (a + b), variance: 1 / (a + b) }
}
