import { childRandom } from '../../src/statistics/index.js'
import type { Estimate } from '../report.js'

/** The mean with its percentile bootstrap interval over rows. */
export function bootstrapMean(values: readonly number[], seed: number, draws = 1_000): Estimate {
  const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length
  const random = childRandom(seed, 'bootstrap')
  const means = Array.from({ length: draws }, () => {
    let sum = 0
    for (let index = 0; index < values.length; index++) sum += values[Math.floor(random.next() * values.length)] ?? 0
    return sum / values.length
  }).sort((a, b) => a - b)
  return {
    value: mean(values),
    low: means[Math.floor(0.025 * draws)] ?? NaN,
    high: means[Math.ceil(0.975 * draws) - 1] ?? NaN,
    n: values.length,
    method: 'bootstrap over questions, 95 %',
  }
}
