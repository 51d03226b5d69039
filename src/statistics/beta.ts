import { logGamma, regularizedBeta } from './distributions.js'

/** ln B(a, b) for a, b > 0. */
export function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b)
}

/**
 * Probability that a choice seen `top` times is truly more frequent than one seen `second` times: P(p > ½) with p ~ Beta(top + prior,
 * second + prior) (Aggarwal et al., Adaptive-Consistency, 2023, with prior 1). Counts may be fractions: weighted votes. A prior below 1
 * says that most questions are answered the same way nearly always. Throws `RangeError` for counts below 0 and a prior that isn't above
 * 0. O(1).
 */
export function probabilityAhead(top: number, second: number, prior = 1): number {
  if (!(top >= 0 && second >= 0 && prior > 0) || top + second + prior === Infinity)
    throw new RangeError('counts are finite and at least 0, and the prior above 0')
  return 1 - regularizedBeta(0.5, top + prior, second + prior)
}

/**
 * ln of the beta-binomial distribution without its binomial coefficient: of one given order of successes and failures. O(successes +
 * failures).
 */
export function logBetaBinomial(successes: number, failures: number, alpha: number, beta: number): number {
  let log = 0
  for (let index = 0; index < successes; index++) log += Math.log(alpha + index)
  for (let index = 0; index < failures; index++) log += Math.log(beta + index)
  for (let index = 0; index < successes + failures; index++) log -= Math.log(alpha + beta + index)
  return log
}
