import type { OutcomeRow } from '../environment/index.js'
import type { Features } from '../understanding/index.js'
import type { Observation } from './contracts.js'

/**
 * What a row of an outcome table teaches: one observation an arm, its repeated samples pooled into their mean quality. What wasn't measured stays absent.
 * The row's category, where it has one, takes the place of a guessed one. O(outcomes + samples).
 */
export function observationsOfRow(row: OutcomeRow, features: Features): readonly Observation[] {
  const named: Features = row.category === undefined ? features : { ...features, category: { name: row.category, probability: 1 } }
  return Object.entries(row.outcomes).map(([arm, { quality, inputTokens, outputTokens, reasoningTokens, usd, seconds, samples }]): Observation => {
    const scored = samples?.flatMap((sample) => sample.quality ?? []) ?? []
    const pooled = scored.length === 0 ? undefined : scored.reduce((sum, value) => sum + value, 0) / scored.length
    return {
      features: named,
      arm,
      quality: quality ?? pooled,
      inputTokens,
      outputTokens: outputTokens === undefined ? undefined : outputTokens + (reasoningTokens ?? 0),
      usd,
      seconds,
    }
  })
}
