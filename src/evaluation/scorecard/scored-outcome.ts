import type { Outcome, OutcomeSample } from '../../environment/index.js'
import type { ScoredOutcome } from './metric.js'

/**
 * An outcome of a table as metrics see it: what the whole doesn't tell is the mean of its samples where all of them tell it; dollars
 * are priced from tokens where none are told. O(samples).
 */
export function scoredOutcome(outcome: Outcome, price: () => number | null): ScoredOutcome {
  const { samples } = outcome
  const mean = (of: (sample: OutcomeSample) => number | undefined) => meanOf(samples, of)
  return {
    quality: outcome.quality ?? mean(({ quality }) => quality),
    usd: outcome.usd ?? mean(({ usd }) => usd) ?? price() ?? undefined,
    seconds: outcome.seconds ?? mean(({ seconds }) => seconds),
    joules: outcome.joules ?? mean(({ joules }) => joules),
    toolCalls: outcome.toolCalls ?? mean(({ toolCalls }) => toolCalls),
    inputTokens: outcome.inputTokens ?? mean(({ inputTokens }) => inputTokens),
    generatedTokens: generatedTokens(outcome) ?? mean(generatedTokens),
    answer: outcome.answer,
    samples,
  }
}

/** Visible and reasoning tokens; reasoning that isn't told is none. */
function generatedTokens({ outputTokens, reasoningTokens = 0 }: OutcomeSample): number | undefined {
  return outputTokens === undefined ? undefined : outputTokens + reasoningTokens
}

function meanOf(samples: readonly OutcomeSample[] | undefined, of: (sample: OutcomeSample) => number | undefined): number | undefined {
  const values = (samples ?? []).map(of).filter((value) => value !== undefined)
  return samples === undefined || values.length < samples.length ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length
}
