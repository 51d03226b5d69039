import { outcomeEfficiency, splitRounds } from '../../../strategies/index.js'
import type { Metric } from '../metric.js'

/**
 * Outcome efficiency ξ_O (030) of the answers' own texts: the share of a right answer's length up to its first round that states what
 * it states last; 0 where the answer is wrong. Lengths are in characters, as a stand-in for tokens; rounds are told by words such as
 * "wait" and "let me check".
 */
export const outcomeEfficiencyMetric: Metric = {
  id: 'outcome-efficiency',
  title: 'Outcome efficiency',
  unit: '',
  formula: 'ξ_O = mean of 1[right] · (length to the end of the first right round / whole length)',
  source: '030, overthinking',
  better: 'higher',
  needs: ['quality', 'answer'],
  width: 1,
  terms({ quality = 0, answer = '' }) {
    const rounds = splitRounds(answer)
    const target = rounds.findLast((round) => round.answer !== null)?.answer
    const share = outcomeEfficiency([{ rounds, right: quality >= 0.5, target: target ?? '' }])
    return share === null ? null : [share]
  },
  of: ([share = NaN]) => share,
}
