import { shareInterval } from '../../../statistics/index.js'
import type { Metric } from '../metric.js'

/** Mean quality R; with answers that are right or wrong the share right. */
export const meanQuality: Metric = {
  id: 'quality',
  title: 'Quality',
  unit: '',
  formula: 'R = mean of quality; with right and wrong answers the share right',
  source: 'the table itself',
  better: 'higher',
  needs: ['quality'],
  width: 1,
  terms: ({ quality = NaN }) => [quality],
  of: ([quality = NaN]) => quality,
  alike: ([quality = 0], n) => shareInterval(Math.round(quality * n), n),
}
