import type { Metric } from '../metric.js'

/** Dollars a request: the plain mean. */
export const meanUsd: Metric = {
  id: 'usd',
  title: 'Dollars a request',
  unit: '$',
  formula: 'mean of usd',
  source: 'the table itself',
  better: 'lower',
  needs: ['usd'],
  width: 1,
  terms: ({ usd = NaN }) => [usd],
  of: ([value = NaN]) => value,
}
