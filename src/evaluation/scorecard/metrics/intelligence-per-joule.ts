import { intelligencePerJoule } from '../efficiency.js'
import type { Metric } from '../metric.js'

/** Intelligence per joule (112): mean accuracy over mean energy of a query. */
export const intelligenceJoule: Metric = {
  id: 'ipj',
  title: 'Intelligence per joule',
  unit: '1/J',
  formula: 'IPJ = mean accuracy / mean joules a query',
  source: '112, Intelligence per Watt',
  better: 'higher',
  needs: ['quality', 'joules'],
  width: 2,
  terms: ({ quality = NaN, joules = NaN }) => [quality, joules],
  of: ([accuracy = NaN, joules = NaN]) => intelligencePerJoule(accuracy, joules),
}
