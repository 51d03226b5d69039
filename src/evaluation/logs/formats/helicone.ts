import { answerText, askedRequest } from '../asked-request.js'
import type { LogFormat } from '../format.js'
import { amountIn, countIn, jsonIn, textIn } from '../record-fields.js'

/**
 * Helicone's exports: JSON, JSON Lines and CSV of `npx @helicone/export` and of its request query. Made from the type `HeliconeRequest` of its public API and
 * the export tool's source (`request_id`, `request_body`, `response_body`, `response_status`, `request_model`, `model_override`, `response_model`, `provider`,
 * `delay_ms`, `time_to_first_token` in milliseconds, `prompt_tokens`, `prompt_cache_read_tokens`, `completion_tokens`, `costUSD` or `cost`, `feedback_rating`). Bodies
 * are there only with `--include-body`. A rating is a quality of 1 or 0.
 */
export const helicone: LogFormat = {
  id: 'helicone',
  title: 'Helicone export',
  recognises: ({ records }) =>
    records.some(
      (record) =>
        'request_id' in record &&
        ('response_status' in record || 'delay_ms' in record) &&
        ('request_model' in record || 'response_model' in record || 'model' in record),
    ),
  entries: async () => (record) => {
    const status = amountIn(record, 'response_status', 'status')
    if (status !== undefined && status !== 0 && (status < 200 || status > 299)) return []
    const named = textIn(record, 'model_override', 'response_model', 'request_model', 'model', 'response_body.model', 'request_body.model')
    if (named === undefined) return []
    const provider = textIn(record, 'provider')?.toLowerCase()
    const delay = amountIn(record, 'delay_ms', 'latency')
    const firstToken = amountIn(record, 'time_to_first_token')
    const rating = jsonIn(record, 'feedback_rating')
    return [
      {
        id: textIn(record, 'request_id'),
        model: provider === undefined || provider === 'custom' || named.includes('/') ? named : `${provider}/${named}`,
        request: askedRequest(jsonIn(record, 'request_body', 'request')),
        usd: amountIn(record, 'costUSD', 'cost_usd', 'cost'),
        inputTokens: countIn(record, 'prompt_tokens'),
        cacheReadTokens: countIn(record, 'prompt_cache_read_tokens'),
        outputTokens: countIn(record, 'completion_tokens'),
        seconds: delay === undefined ? undefined : delay / 1000,
        firstTokenSeconds: firstToken === undefined ? undefined : firstToken / 1000,
        answer: answerText(jsonIn(record, 'response_body', 'response')),
        quality: rating === true || rating === 'true' ? 1 : rating === false || rating === 'false' ? 0 : undefined,
      },
    ]
  },
}
