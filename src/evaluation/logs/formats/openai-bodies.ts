import { answerText } from '../asked-request.js'
import type { LogEntry } from '../format.js'
import { countIn, isRecord, textIn, type LogRecord } from '../record-fields.js'

/**
 * What a body that answers a chat completion (or OpenAI's responses, or Anthropic's messages) tells: model, tokens, answer. Field names from OpenAI's and
 * Anthropic's API references. OpenAI counts cached tokens among the prompt's and reasoning among the completion's; Anthropic counts cached ones apart.
 */
export function answered(body: LogRecord): Pick<
  LogEntry,
  'inputTokens' | 'cacheReadTokens' | 'outputTokens' | 'reasoningTokens' | 'answer'
> & {
  readonly model: string | undefined
} {
  const usage = isRecord(body['usage']) ? body['usage'] : {}
  const anthropic = 'cache_read_input_tokens' in usage || 'cache_creation_input_tokens' in usage
  const cached = countIn(usage, 'prompt_tokens_details.cached_tokens', 'input_tokens_details.cached_tokens', 'cache_read_input_tokens')
  const input = countIn(usage, 'prompt_tokens', 'input_tokens')
  const reasoning = countIn(usage, 'completion_tokens_details.reasoning_tokens', 'output_tokens_details.reasoning_tokens')
  const output = countIn(usage, 'completion_tokens', 'output_tokens')
  return {
    model: textIn(body, 'model'),
    inputTokens:
      input === undefined ? undefined : input + (anthropic ? (cached ?? 0) + (countIn(usage, 'cache_creation_input_tokens') ?? 0) : 0),
    cacheReadTokens: cached,
    outputTokens: output === undefined ? undefined : Math.max(0, output - (reasoning ?? 0)),
    reasoningTokens: reasoning,
    answer: answerText(body),
  }
}
