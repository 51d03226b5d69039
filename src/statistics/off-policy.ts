import { normalQuantile } from './distributions.js'
import type { Interval } from './confidence-sequence.js'
import { RunningMoments } from './running-moments.js'

/** What was logged of one decision, as an estimate of another policy's value needs it. */
export interface Logged {
  /** Probability with which the arm was chosen when it was; in (0, 1]. */
  readonly propensity: number
  /** Probability with which the other policy would have chosen this arm. */
  readonly target: number
  /** What came of it: quality, dollars, seconds … */
  readonly reward: number
  /** What a model that has not seen this decision expected of the arm, and of the other policy; 0 for both where there is none. */
  readonly expected?: number | undefined
  readonly expectedOfTarget?: number | undefined
}

/**
 * The score of a decision, whose mean over decisions is the other policy's value, whatever the model is worth (doubly robust; Robins,
 * Rotnitzky and Zhao 1994; Dudík, Langford and Li 2011): r̂(π) + π/p · (r - r̂(a)). Without a model it is plain inverse propensity,
 * r·π/p. Throws `RangeError` for a propensity outside (0, 1], and for what isn't finite.
 */
export function doublyRobustScore({ propensity, target, reward, expected = 0, expectedOfTarget = 0 }: Logged): number {
  if (!(propensity > 0 && propensity <= 1)) throw new RangeError(`a propensity lies in (0, 1], not at ${propensity}`)
  if (!(target >= 0 && target <= 1)) throw new RangeError(`a probability lies in [0, 1], not at ${target}`)
  const score = expectedOfTarget + (target / propensity) * (reward - expected)
  if (!Number.isFinite(score)) throw new RangeError('a reward and what was expected of it must be finite numbers')
  return score
}

/** Mean of the doubly robust scores, with a normal interval for one look. O(decisions). `NaN` of none. */
export function doublyRobust(decisions: Iterable<Logged>, level = 0.95): Interval {
  const moments = new RunningMoments()
  for (const decision of decisions) moments.add(doublyRobustScore(decision))
  return normalInterval(moments, level, 'doubly robust')
}

/** Inverse propensity: the same without a model. */
export function inversePropensity(decisions: Iterable<Logged>, level = 0.95): Interval {
  const moments = new RunningMoments()
  for (const { propensity, target, reward } of decisions) moments.add(doublyRobustScore({ propensity, target, reward }))
  return normalInterval(moments, level, 'inverse propensity')
}

/**
 * Self-normalised inverse propensity (Hájek 1971; Swaminathan and Joachims 2015): Σ w·r / Σ w with w = π/p, a little biased and much
 * steadier than the plain one. The interval is that of the ratio, linearised: residuals w(r - v)/w̄. `NaN` where the other policy would
 * never have done what was done. O(decisions).
 */
export function selfNormalised(decisions: readonly Logged[], level = 0.95): Interval {
  const method = `self-normalised inverse propensity, normal, ${Math.round(level * 100)} %`
  const weights = decisions.map(({ propensity, target, reward }) => {
    doublyRobustScore({ propensity, target, reward })
    return target / propensity
  })
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const n = decisions.length
  if (total === 0) return { value: NaN, low: -Infinity, high: Infinity, n, method }
  const value = decisions.reduce((sum, { reward }, index) => sum + (weights[index] ?? 0) * reward, 0) / total
  const residuals = new RunningMoments()
  for (const [index, { reward }] of decisions.entries()) residuals.add(((weights[index] ?? 0) * (reward - value) * n) / total)
  const reach = normalQuantile((1 + level) / 2) * Math.sqrt(residuals.variance / n)
  return { value, low: value - reach, high: value + reach, n, method }
}

function normalInterval(moments: RunningMoments, level: number, name: string): Interval {
  const { count: n, mean: value, variance } = moments
  const reach = n < 2 ? Infinity : normalQuantile((1 + level) / 2) * Math.sqrt(variance / n)
  return { value, low: value - reach, high: value + reach, n, method: `${name}, normal, ${Math.round(level * 100)} %` }
}
