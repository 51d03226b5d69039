import { totalInputTokens, totalOutputTokens, type Usage } from '../../quantities/index.js'
import type { CostReport } from '../codec.js'
import { costFields } from '../cost-fields.js'

/** The `usage` object of chat completions, where parts are counted inside their totals, with the cost. */
export function usageFields(usage: Usage, cost: CostReport): Record<string, unknown> {
  const prompt = totalInputTokens(usage)
  const completion = totalOutputTokens(usage)
  const searches = usage.webSearches > 0 ? { server_tool_use: { web_search_requests: usage.webSearches } } : undefined
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: usage.cacheReadTokens + usage.cacheReadAudioTokens,
      cache_write_tokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
      audio_tokens: usage.inputAudioTokens + usage.cacheReadAudioTokens,
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens, audio_tokens: usage.outputAudioTokens },
    ...searches,
    ...costFields(cost),
  }
}
