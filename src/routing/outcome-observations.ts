import { recordedAnswers, type Outcome, type OutcomeSample } from '../environment/index.js'
import type { Features } from '../understanding/index.js'
import type { ArmId, Observation } from './contracts.js'

/**
 * What an outcome of a table teaches of an arm: an observation for each of its samples (those with an answer; where none has one, all of them), or one
 * where there are no samples. A sample that says neither a quality nor tokens, dollars or seconds teaches nothing. `usd` prices what tells no dollars;
 * absent: it stays unknown. Replay and training both learn by this. O(samples).
 */
export function outcomeObservations(
  features: Features,
  arm: ArmId,
  outcome: Outcome,
  weight?: number,
  usd?: (sample: OutcomeSample) => number | null,
): readonly Observation[] {
  if (outcome.samples === undefined) return observed(features, arm, outcome, weight, usd)
  const answered = recordedAnswers(outcome)
  return (answered.length > 0 ? answered : outcome.samples).flatMap((sample) => observed(features, arm, sample, weight, usd))
}

function observed(
  features: Features,
  arm: ArmId,
  sample: OutcomeSample,
  weight: number | undefined,
  priceOf: ((sample: OutcomeSample) => number | null) | undefined,
): readonly Observation[] {
  const { quality, inputTokens, outputTokens, reasoningTokens, seconds } = sample
  const usd = sample.usd ?? priceOf?.(sample) ?? undefined
  if (quality === undefined && outputTokens === undefined && usd === undefined && seconds === undefined) return []
  const written = outputTokens === undefined ? undefined : outputTokens + (reasoningTokens ?? 0)
  return [
    {
      features,
      arm,
      ...(quality === undefined ? {} : { quality }),
      ...(inputTokens === undefined ? {} : { inputTokens }),
      ...(written === undefined ? {} : { outputTokens: written }),
      ...(usd === undefined ? {} : { usd }),
      ...(seconds === undefined ? {} : { seconds }),
      ...(weight === undefined ? {} : { weight }),
    },
  ]
}
