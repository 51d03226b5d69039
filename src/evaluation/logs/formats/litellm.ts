import { answerText, askedRequest } from '../asked-request.js'
import type { LogFormat } from '../format.js'
import { amountIn, countIn, jsonIn, momentIn, secondsBetween, textIn } from '../record-fields.js'

/**
 * LiteLLM's spend logs: what `GET /spend/logs` gives, and rows of its table `LiteLLM_SpendLogs` as JSON, JSON Lines or CSV. Made from the columns of the
 * table in LiteLLM's `schema.prisma` (`request_id`, `call_type`, `spend`, `prompt_tokens`, `completion_tokens`, `startTime`, `endTime`, `completionStartTime`, `model`,
 * `custom_llm_provider`, `messages`, `response`, `proxy_server_request`, `status`, `cache_hit`). Prompts are there only where `store_prompts_in_spend_logs` was on.
 */
export const litellm: LogFormat = {
  id: 'litellm',
  title: 'LiteLLM spend logs',
  recognises: ({ records }) =>
    records.some((record) => 'request_id' in record && 'spend' in record && ('startTime' in record || 'call_type' in record)),
  entries: async () => (record) => {
    const status = textIn(record, 'status')
    const call = textIn(record, 'call_type') ?? ''
    if ((status !== undefined && status !== 'success') || /embedding|image|transcription|speech|moderation|rerank/.test(call)) return []
    const named = textIn(record, 'model')
    if (named === undefined) return []
    const provider = textIn(record, 'custom_llm_provider')
    const began = momentIn(record, 'startTime')
    const firstToken = secondsBetween(began, momentIn(record, 'completionStartTime'))
    const seconds = secondsBetween(began, momentIn(record, 'endTime'))
    return [
      {
        id: textIn(record, 'request_id'),
        model: provider === undefined || named.includes('/') ? named : `${provider}/${named}`,
        request: askedRequest(filled(jsonIn(record, 'messages'))) ?? askedRequest(filled(jsonIn(record, 'proxy_server_request'))),
        usd: amountIn(record, 'spend'),
        inputTokens: countIn(record, 'prompt_tokens'),
        outputTokens: countIn(record, 'completion_tokens'),
        seconds,
        // Answers that weren't streamed have the end in this column.
        firstTokenSeconds: firstToken !== undefined && seconds !== undefined && firstToken < seconds ? firstToken : undefined,
        answer: answerText(filled(jsonIn(record, 'response'))),
      },
    ]
  },
}

/** Columns of content hold `{}` or `[]` where nothing was stored. */
function filled(value: unknown): unknown {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0 ? undefined : value
}
