import type { LogFormat } from '../format.js'
import { amountIn, countIn, jsonIn, textIn } from '../record-fields.js'

/**
 * OpenRouter: the CSV of its activity page (`generation_id`, `created_at`, `cost_total`, `tokens_prompt`, `tokens_completion`, `tokens_reasoning`, `tokens_cached`,
 * `model_permaslug`, `variant`, `cancelled`, `generation_time_ms`, `time_to_first_token_ms`: the header row as users quote it in public code), and what
 * `GET /api/v1/generation` gives (`id`, `model`, `total_cost`, `native_tokens_prompt`, `native_tokens_completion`, `native_tokens_reasoning`, `native_tokens_cached`,
 * `latency` and `generation_time` in milliseconds), one document or JSON Lines. Content is in neither. Completion tokens hold the reasoning tokens; what is billed are
 * the native ones.
 */
export const openrouter: LogFormat = {
  id: 'openrouter',
  title: 'OpenRouter activity or generations',
  recognises: ({ records }) =>
    records.some(
      (record) =>
        ('generation_id' in record && 'cost_total' in record) ||
        ('total_cost' in record && ('native_tokens_prompt' in record || 'tokens_prompt' in record)),
    ),
  entries: async () => (record) => {
    const model = textIn(record, 'model_permaslug', 'model')
    if (model === undefined || jsonIn(record, 'cancelled') === 'true' || record['cancelled'] === true) return []
    const variant = textIn(record, 'variant')
    const completion = countIn(record, 'native_tokens_completion', 'tokens_completion')
    const reasoning = countIn(record, 'native_tokens_reasoning', 'tokens_reasoning')
    const firstToken = amountIn(record, 'time_to_first_token_ms', 'latency')
    const generation = amountIn(record, 'generation_time_ms', 'generation_time')
    const visible = completion === undefined ? undefined : Math.max(0, completion - (reasoning ?? 0))
    return [
      {
        id: textIn(record, 'generation_id', 'id'),
        model: variant === undefined || variant === 'standard' || model.includes(':') ? model : `${model}:${variant}`,
        usd: amountIn(record, 'cost_total', 'total_cost', 'usage'),
        inputTokens: countIn(record, 'native_tokens_prompt', 'tokens_prompt'),
        cacheReadTokens: countIn(record, 'native_tokens_cached', 'tokens_cached'),
        outputTokens: visible,
        reasoningTokens: reasoning === undefined || completion === undefined ? undefined : completion - (visible ?? 0),
        seconds: generation === undefined ? undefined : generation / 1000,
        firstTokenSeconds:
          firstToken === undefined || (generation !== undefined && firstToken > generation) ? undefined : firstToken / 1000,
      },
    ]
  },
}
