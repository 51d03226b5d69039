import { intelligencePerWatt } from '../efficiency.js'
import { ratioOf, type Metric } from '../metric.js'

/** Intelligence per watt (112): mean accuracy over mean power while serving, power being joules over seconds of the same requests. */
export const intelligenceWatt: Metric = {
  id: 'ipw',
  title: 'Intelligence per watt',
  unit: '1/W',
  formula: 'IPW = mean accuracy / mean power, power = Σ joules / Σ seconds',
  source: '112, Intelligence per Watt',
  better: 'higher',
  needs: ['quality', 'joules', 'seconds'],
  width: 3,
  terms: ({ quality = NaN, joules = NaN, seconds = NaN }) => [quality, joules, seconds],
  of([accuracy = NaN, joules, seconds]) {
    const watts = ratioOf(joules, seconds)
    return watts === null ? null : intelligencePerWatt(accuracy, watts)
  },
}
