import { shareInterval, studentQuantile } from './distributions.js'
import { mean } from './order.js'

/** One attempt: what it took, and whether it succeeded (1) or not (0). */
export interface Attempt {
  readonly cost: number
  readonly success: 0 | 1
}

/** An estimate with its interval. `Infinity` stands where there is no success to divide by. */
export interface RatioEstimate {
  readonly value: number
  readonly low: number
  readonly high: number
  /** Attempts. */
  readonly n: number
  readonly method: string
}

/**
 * Cost-of-pass: what one success costs, E[cost of an attempt] / P(success) (Wang et al., Efficient Agents, 2025; the measure is Erol et
 * al.'s,
 * 2025). The interval is that of a ratio of two means that go together, by linearising its logarithm (the delta method; Cochran 1977, 6.3)
 * with Student's t; the success rate's variance is taken with one more success and one more failure (Agresti and Coull 1998), so that five
 * successes of five don't count as certainty. Without any success it runs from the mean cost over the largest success rate that still fits
 * (Clopper and Pearson 1934) to infinity. `NaN` of no attempts. O(attempts).
 *
 * Chosen over Fieller's interval and the percentile bootstrap by coverage: `npm run bench:reports`.
 */
export function costPerSuccess(attempts: readonly Attempt[], level = 0.95): RatioEstimate {
  const n = attempts.length
  if (n === 0) return { value: NaN, low: NaN, high: NaN, n, method: 'no attempts' }
  const cost = mean(attempts.map((attempt) => attempt.cost))
  const rate = mean(attempts.map((attempt) => attempt.success))
  if (rate === 0)
    return { value: Infinity, low: cost / shareInterval(0, n, level).high, high: Infinity, n, method: `Clopper-Pearson, ${percent(level)}` }
  const value = cost / rate
  const method = `delta method on the log ratio, Student t, ${percent(level)}`
  if (cost === 0) return { value, low: 0, high: 0, n, method }
  if (n === 1) return { value, low: 0, high: Infinity, n, method }
  const relative = attempts.reduce((sum, attempt) => sum + (attempt.cost / cost - attempt.success / rate) ** 2, 0) / (n - 1)
  const cautious = (n * rate + 1) / (n + 2)
  const missing = Math.max(0, cautious * (1 - cautious) - (rate * (1 - rate) * n) / (n - 1)) / (rate * rate)
  const reach = Math.exp(studentQuantile((1 + level) / 2, n - 1) * Math.sqrt((relative + missing) / n))
  return { value, low: value / reach, high: value * reach, n, method }
}

function percent(level: number): string {
  return `${Math.round(level * 100)} %`
}
