import type { Money } from '../../quantities/index.js'
import type { Random } from '../../statistics/index.js'
import type { Decision } from '../contracts.js'
import type { LearningAllowance } from '../policies/index.js'

export interface JudgePlanOptions {
  /** Share of answers that are judged, on the long run; 0.02 by default. */
  readonly share?: number | undefined
  /** Least and largest probability of any answer, so that the weights 1/p stay bounded; a fifth of the share, and 0.5, by default. */
  readonly least?: number | undefined
  readonly most?: number | undefined
  readonly random: Random
  readonly allowance: LearningAllowance
}

/** Whether an answer is to be judged. `weight` is one over the probability with which it was picked: what its verdict counts. */
export type JudgePlan =
  { readonly judge: true; readonly probability: number; readonly weight: number } | { readonly judge: false; readonly probability: number }

/**
 * Which answers a judge should look at (uncertainty sampling with known propensities): the less is known of the chosen arm, the more likely. p = share × u/ū within
 * [least, most], where u is the deviation of the arm's expected quality (0.5 where nothing is known) and ū its running mean. The costs of the
 * judge are taken from the allowance; nothing is judged when it has no room, or when the caller doesn't want to be learned from. O(1).
 */
export function sampledJudge({
  share = 0.02,
  least = share / 5,
  most = 0.5,
  random,
  allowance,
}: JudgePlanOptions): (decision: Decision, judgeUsd: Money) => JudgePlan {
  if (!(share >= 0 && share <= 1) || !(least >= 0 && least <= most && most <= 1))
    throw new RangeError('shares are in [0, 1], the least no more than the most')
  let mean = Number.NaN
  return (decision, judgeUsd) => {
    const variance = decision.expected?.quality?.variance
    const uncertainty =
      variance !== undefined && variance >= 0 && variance < Number.POSITIVE_INFINITY ? Math.min(0.5, Math.sqrt(variance)) : 0.5
    mean = Number.isNaN(mean) ? uncertainty : mean + 0.01 * (uncertainty - mean)
    const probability =
      share === 0 || decision.objective?.explore === false
        ? 0
        : Math.min(most, Math.max(least, mean > 0 ? (share * uncertainty) / mean : share))
    // The draw comes first: what the allowance holds must not change which answers are looked at, or the verdicts would be of a chosen few.
    const picked = random.next() < probability
    return picked && allowance.take(judgeUsd) ? { judge: true, probability, weight: 1 / probability } : { judge: false, probability }
  }
}
