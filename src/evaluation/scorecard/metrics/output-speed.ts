import type { Metric } from '../metric.js'

/** Seconds a generated token, the slope g of idealized runtime (087): by least squares of seconds on generated tokens, from sums alone. */
export const outputSpeed: Metric = {
  id: 'runtime-slope',
  title: 'Seconds a further token',
  unit: 's/token',
  formula: 'g of T = F + (o - 1)·g by least squares over requests, F one for all prompts (fitRuntime tells F by prompt length)',
  source: '087, idealized runtime',
  better: 'lower',
  needs: ['generatedTokens', 'seconds'],
  width: 4,
  terms: ({ generatedTokens = NaN, seconds = NaN }) => [
    generatedTokens,
    seconds,
    generatedTokens * generatedTokens,
    generatedTokens * seconds,
  ],
  of([tokens = NaN, seconds = NaN, squares = NaN, products = NaN]) {
    const spread = squares - tokens * tokens
    // Where all answers are as long rounding alone would be divided by.
    return spread <= 1e-9 * squares ? null : (products - tokens * seconds) / spread
  },
}
