import type { Metric } from '../metric.js'

/** Joules a request: the plain mean. */
export const meanJoules: Metric = {
  id: 'joules',
  title: 'Joules a request',
  unit: 'J',
  formula: 'mean of joules',
  source: 'the table itself',
  better: 'lower',
  needs: ['joules'],
  width: 1,
  terms: ({ joules = NaN }) => [joules],
  of: ([value = NaN]) => value,
}
