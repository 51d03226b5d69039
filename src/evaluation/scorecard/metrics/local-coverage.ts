import { shareInterval } from '../../../statistics/index.js'
import type { Metric } from '../metric.js'

/** Coverage (112): the share of requests on which the arm is as good as the reference, or better. */
export const coverage: Metric = {
  id: 'coverage',
  title: 'Coverage of the reference',
  unit: '',
  formula: 'share of requests with quality ≥ quality of --reference',
  source: '112, Intelligence per Watt',
  better: 'higher',
  needs: ['quality'],
  asks: 'reference',
  width: 1,
  terms({ quality = NaN }, arm, row, settings) {
    const other = row.outcomes.get(settings.reference ?? '')
    return arm === settings.reference || other?.quality === undefined ? null : [quality >= other.quality ? 1 : 0]
  },
  of: ([share = NaN]) => share,
  alike: ([share = 0], n) => shareInterval(Math.round(share * n), n),
}
