import type { Metric } from '../metric.js'

/** Quality less the reference's, over requests that both answered. */
export const qualityDifference: Metric = {
  id: 'quality-difference',
  title: 'Quality less the reference’s',
  unit: '',
  formula: 'mean of (quality - quality of --reference), pair by pair',
  source: 'the table itself',
  better: 'higher',
  needs: ['quality'],
  asks: 'reference',
  width: 1,
  terms({ quality = NaN }, arm, row, settings) {
    const other = row.outcomes.get(settings.reference ?? '')
    return arm === settings.reference || other?.quality === undefined ? null : [quality - other.quality]
  },
  of: ([difference = NaN]) => difference,
}
