import { ratioOf, type Metric } from '../metric.js'

/**
 * Efficiency of 3E (043): tokens against the reference, over requests that both answered. Effectiveness is `quality`; extensibility
 * needs two tables.
 */
export const threeETokens: Metric = {
  id: '3e-tokens',
  title: 'Tokens against the reference',
  unit: '×',
  formula: '3E efficiency = mean generatedTokens / mean generatedTokens of --reference (effectiveness: quality)',
  source: '043, SRM',
  better: 'lower',
  needs: ['generatedTokens'],
  asks: 'reference',
  width: 2,
  terms({ generatedTokens = NaN }, arm, row, settings) {
    const other = row.outcomes.get(settings.reference ?? '')
    return arm === settings.reference || other?.generatedTokens === undefined ? null : [generatedTokens, other.generatedTokens]
  },
  of: ([own, other]) => ratioOf(own, other),
}
