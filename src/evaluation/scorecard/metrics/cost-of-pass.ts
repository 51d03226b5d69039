import { shareInterval } from '../../../statistics/index.js'
import type { Metric } from '../metric.js'

/**
 * Cost-of-pass (026): E[usd of an attempt] / P(success), dollars a success; infinite without any. Quality between 0 and 1 counts as
 * that share of a success.
 */
export const costOfPass: Metric = {
  id: 'cost-of-pass',
  title: 'Cost of a success',
  unit: '$',
  formula: 'CoP = E[usd of an attempt] / P(success)',
  source: '026, Efficient Agents (Wang et al. 2025), after Erol et al. 2025',
  better: 'lower',
  needs: ['quality', 'usd'],
  width: 2,
  terms: ({ quality = NaN, usd = NaN }) => [quality, usd],
  of: ([rate = NaN, usd = NaN]) => (rate === 0 ? Infinity : usd / rate),
  // Without a success the largest rate that still fits bounds it from below; without a failure the least from above.
  alike([rate = 0, usd = 0], n) {
    const fits = shareInterval(Math.round(rate * n), n)
    return { low: usd / fits.high, high: rate === 0 ? Infinity : usd / fits.low }
  },
}
