import type { Metric } from '../metric.js'

/** Seconds a request: the plain mean. */
export const meanSeconds: Metric = {
  id: 'seconds',
  title: 'Seconds a request',
  unit: 's',
  formula: 'mean of seconds',
  source: 'the table itself',
  better: 'lower',
  needs: ['seconds'],
  width: 1,
  terms: ({ seconds = NaN }) => [seconds],
  of: ([value = NaN]) => value,
}
