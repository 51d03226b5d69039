import { shareInterval } from '../../../statistics/index.js'
import { besideReference, type Metric } from '../metric.js'

/** Coverage (112): the share of requests on which the arm is as good as the reference, or better. */
export const coverage: Metric = {
  id: 'coverage',
  title: 'Coverage of the reference',
  unit: '',
  formula: 'share of requests with quality ≥ quality of --reference',
  source: '112, Intelligence per Watt',
  better: 'higher',
  ...besideReference((quality, reference) => Number(quality >= reference)),
  of: ([share = NaN]) => share,
  alike: ([share = 0], n) => shareInterval(Math.round(share * n), n),
}
