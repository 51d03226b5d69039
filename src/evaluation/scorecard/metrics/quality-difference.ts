import { besideReference, type Metric } from '../metric.js'

/** Quality less the reference's, over requests that both answered. */
export const qualityDifference: Metric = {
  id: 'quality-difference',
  title: 'Quality less the reference’s',
  unit: '',
  formula: 'mean of (quality - quality of --reference), pair by pair',
  source: 'the table itself',
  better: 'higher',
  ...besideReference((quality, reference) => quality - reference),
  of: ([difference = NaN]) => difference,
}
