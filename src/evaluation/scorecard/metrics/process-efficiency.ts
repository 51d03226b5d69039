import { processEfficiency, splitRounds } from '../../../strategies/index.js'
import type { Metric } from '../metric.js'

/**
 * Process efficiency ξ_P (030): the share of an answer's length in rounds that bring something new. A round's strategy is told by the
 * answer that it states, which is a cheap stand-in for a judge's word: going to the same answer again counts as nothing new, in
 * whatever way it was done.
 */
export const processEfficiencyMetric: Metric = {
  id: 'process-efficiency',
  title: 'Process efficiency',
  unit: '',
  formula: 'ξ_P = mean of (length of rounds with a new strategy / whole length); strategy: the answer that a round states (stand-in)',
  source: '030, overthinking',
  better: 'higher',
  needs: ['answer'],
  width: 1,
  terms({ answer = '' }) {
    const share = processEfficiency([splitRounds(answer)], (round) => round.answer ?? `none at ${round.start}`)
    return share === null ? null : [share]
  },
  of: ([share = NaN]) => share,
}
