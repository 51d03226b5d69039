import { totalOutputTokens, type Usage } from '../../quantities/index.js'
import type { CostReport } from '../codec.js'
import { costFields } from '../cost-fields.js'

/** Usage as Anthropic counts it (fresh, read and written input apart; reasoning within the output), with the cost beside it. */
export function encodeUsage(usage: Usage, cost: CostReport): Record<string, unknown> {
  return { ...usageCounts(usage), ...costFields(cost) }
}

export function usageCounts(usage: Usage): Record<string, unknown> {
  const counts: Record<string, unknown> = {
    input_tokens: usage.inputTokens + usage.inputAudioTokens + usage.inputImageTokens + usage.inputVideoTokens,
    cache_creation_input_tokens: usage.cacheWrite5mTokens + usage.cacheWrite1hTokens,
    cache_read_input_tokens: usage.cacheReadTokens + usage.cacheReadAudioTokens,
    cache_creation: { ephemeral_5m_input_tokens: usage.cacheWrite5mTokens, ephemeral_1h_input_tokens: usage.cacheWrite1hTokens },
    output_tokens: totalOutputTokens(usage),
  }
  if (usage.reasoningTokens > 0) counts['output_tokens_details'] = { thinking_tokens: usage.reasoningTokens }
  if (usage.webSearches > 0) counts['server_tool_use'] = { web_search_requests: usage.webSearches, web_fetch_requests: 0 }
  return counts
}
