import { totalInputTokens, totalOutputTokens, type Usage } from '../../quantities/index.js'
import type { CostReport } from '../codec.js'
import { costFields } from '../cost-fields.js'

/** The `usage` object of a response, where parts are counted inside their totals, with the cost. */
export function usageFields(usage: Usage, cost: CostReport): Record<string, unknown> {
  const input = totalInputTokens(usage)
  const output = totalOutputTokens(usage)
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: usage.cacheReadTokens + usage.cacheReadAudioTokens,
      cache_write_tokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
      ...(usage.inputAudioTokens + usage.cacheReadAudioTokens > 0
        ? { audio_tokens: usage.inputAudioTokens + usage.cacheReadAudioTokens }
        : undefined),
    },
    output_tokens: output,
    output_tokens_details: {
      reasoning_tokens: usage.reasoningTokens,
      ...(usage.outputAudioTokens > 0 ? { audio_tokens: usage.outputAudioTokens } : undefined),
    },
    total_tokens: input + output,
    ...(usage.webSearches > 0 ? { server_tool_use: { web_search_requests: usage.webSearches } } : undefined),
    ...costFields(cost),
  }
}
