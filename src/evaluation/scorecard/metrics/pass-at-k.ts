import { effAtK } from '../samples.js'
import type { Metric } from '../metric.js'

/** pass@k: the chance that the best of k samples is right; with graded samples the expected best quality. */
export const passAtK: Metric = {
  id: 'pass@k',
  title: 'Best of k samples',
  unit: '',
  formula: 'mean over requests of E[best quality of k of n samples] (pass@k where right or wrong), k by --k',
  source: '138, ENAMEL, its unbiased estimator; pass@k: Chen et al. 2021',
  better: 'higher',
  needs: ['samples'],
  width: 1,
  terms({ samples = [] }, _arm, _row, { k }) {
    const qualities = samples.map(({ quality }) => quality).filter((quality) => quality !== undefined)
    return qualities.length < samples.length || qualities.length < k ? null : [effAtK(qualities, k)]
  },
  of: ([value = NaN]) => value,
}
