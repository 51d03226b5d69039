import type { Metric } from '../metric.js'

/** Generated tokens a request: the plain mean. */
export const meanTokens: Metric = {
  id: 'tokens',
  title: 'Generated tokens a request',
  unit: 'tokens',
  formula: 'mean of generatedTokens (visible and reasoning tokens that the model wrote)',
  source: 'the table itself',
  better: 'lower',
  needs: ['generatedTokens'],
  width: 1,
  terms: ({ generatedTokens = NaN }) => [generatedTokens],
  of: ([value = NaN]) => value,
}
