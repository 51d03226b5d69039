import { ratioOf, type Metric } from '../metric.js'

/**
 * Efficiency of 3E (043): seconds against the reference, over requests that both answered. Effectiveness is `quality`; extensibility
 * needs two tables.
 */
export const threeESeconds: Metric = {
  id: '3e-seconds',
  title: 'Seconds against the reference',
  unit: '×',
  formula: '3E efficiency = mean seconds / mean seconds of --reference (effectiveness: quality)',
  source: '043, SRM',
  better: 'lower',
  needs: ['seconds'],
  asks: 'reference',
  width: 2,
  terms({ seconds = NaN }, arm, row, settings) {
    const other = row.outcomes.get(settings.reference ?? '')
    return arm === settings.reference || other?.seconds === undefined ? null : [seconds, other.seconds]
  },
  of: ([own, other]) => ratioOf(own, other),
}
