import { createHash } from 'node:crypto'
import type { DropPolicy } from '../codec.js'
import type { Request, ResponseFormat, Tool } from '../conversation.js'
import { encodeMessages, type MessageContext } from './encode-messages.js'
import { chatExtras } from './extras.js'
import { cacheControl, type OpenAiChatOptions } from './options.js'
import { askedEffort } from './reasoning.js'

/**
 * Writes a chat-completions body. What it can't say goes to `drop.unsupported` with the caller's path. Left out without
 * a word, because the request means the same without them: cache marks where the server caches by itself, and the
 * reasoning of earlier turns that another family wrote.
 */
export function encodeRequest(request: Request, model: string, drop: DropPolicy, options: OpenAiChatOptions = {}): Record<string, unknown> {
  const extras = chatExtras(request.extra, drop)
  const context: MessageContext = { drop, options, extras }
  const body: Record<string, unknown> = { model, messages: encodeMessages(request.messages, context) }
  const set = (name: string, value: unknown): void => {
    if (value !== undefined) body[name] = value
  }
  if (request.stream) {
    body['stream'] = true
    // Usage is wanted whatever the caller asked: without it the call can't be priced.
    if (options.streamOptions ?? true) body['stream_options'] = { include_usage: true }
  }
  set(maxTokensField(request, options), request.maxOutputTokens)
  set('temperature', request.temperature)
  set('top_p', request.topP)
  if (request.topK !== undefined) {
    if (options.topK ?? options.dialect === 'openrouter') body['top_k'] = request.topK
    else drop.unsupported(request.paths['topK'] ?? 'top_k', 'OpenAI has no top_k; use top_p')
  }
  set('stop', request.stop)
  set('seed', request.seed)
  set('n', request.n)
  set('frequency_penalty', request.frequencyPenalty)
  set('presence_penalty', request.presencePenalty)
  set('logit_bias', request.logitBias)
  if (request.logprobs) {
    body['logprobs'] = true
    if (request.logprobs.top > 0 || request.paths['logprobs.top'] !== undefined) body['top_logprobs'] = request.logprobs.top
  }
  const tools = encodeTools(request.tools ?? [], context)
  if (tools.length > 0) body['tools'] = tools
  if (request.toolChoice !== undefined)
    body['tool_choice'] =
      typeof request.toolChoice === 'string' ? request.toolChoice : { type: 'function', function: { name: request.toolChoice.name } }
  // OpenAI refuses the field beside an empty list of tools.
  if (tools.length > 0) set('parallel_tool_calls', request.parallelToolCalls)
  set('response_format', responseFormat(request.responseFormat))
  encodeReasoning(request, model, body, drop, options)
  set('verbosity', request.verbosity)
  set('service_tier', request.serviceTier)
  set('user', foreign(request) ? shortUser(request, drop) : request.user)
  set('metadata', request.metadata)
  set('prompt_cache_key', request.promptCacheKey)
  // Not to keep anything is this format's default; servers that never do may not know the field.
  set('store', request.store === false && foreign(request) ? undefined : request.store)
  extras.finish(body)
  return body
}

/** Whether the caller's body was of another format: only those note where their messages stand. */
function foreign(request: Request): boolean {
  return request.paths['messages'] !== undefined
}

/** Most characters that OpenAI takes as the id of a user; coding agents send longer ones to Anthropic. */
const longestUser = 64

/** The id of the user; one that is too long by its SHA-256, which is as stable. */
export function shortUser(request: Request, drop: DropPolicy): string | undefined {
  const { user } = request
  if (user === undefined || user.length <= longestUser) return user
  drop.adjusted?.(request.paths['user'] ?? 'user', `longer than ${longestUser} characters; sent as its SHA-256`)
  return createHash('sha256').update(user).digest('hex')
}

/** The field that limits the output: servers differ in which of the two they know. */
export function maxTokensField(request: Request, options: OpenAiChatOptions): string {
  const field = options.maxTokensField ?? 'max_completion_tokens'
  if (field !== 'caller') return field
  return request.paths['maxOutputTokens'] === 'max_tokens' ? 'max_tokens' : 'max_completion_tokens'
}

function encodeTools(tools: readonly Tool[], { drop, options, extras }: MessageContext): unknown[] {
  return tools.flatMap((tool, index): unknown[] => {
    if (tool.type === 'native') {
      if (tool.format === 'openai-chat') return [tool.value]
      drop.unsupported(tool.at ?? `tools[${index}]`, `only ${tool.format} has this kind of tool`)
      return []
    }
    const { name, description, parameters, strict } = tool
    const definition = {
      name,
      ...(description === undefined ? undefined : { description }),
      ...(parameters === undefined ? undefined : { parameters }),
      ...(strict === undefined ? undefined : { strict }),
    }
    const wire = { type: 'function', function: definition, ...cacheControl(tool.cache, options) }
    extras.restore(tool.at, wire)
    extras.restore(`${tool.at}.function`, definition)
    return [wire]
  })
}

function responseFormat(format: ResponseFormat | undefined): unknown {
  if (!format || format.type !== 'json_schema') return format
  const { name, description, schema, strict } = format
  return {
    type: 'json_schema',
    // The name is required there and says nothing to the model.
    json_schema: {
      name: name ?? 'answer',
      ...(description === undefined ? undefined : { description }),
      schema,
      ...(strict === undefined ? undefined : { strict }),
    },
  }
}

function encodeReasoning(
  request: Request,
  model: string,
  body: Record<string, unknown>,
  drop: DropPolicy,
  options: OpenAiChatOptions,
): void {
  const settings = request.reasoning
  if (!settings) return
  const { effort, maxTokens, visible, summary } = settings
  // `auto` leaves the summary to the provider, as a chat completion always does; another length changes no answer.
  if (summary !== undefined && summary !== 'auto')
    drop.adjusted?.(request.paths['reasoning.summary'] ?? 'reasoning.summary', 'chat completions give no choice of summary')
  if (options.dialect === 'openrouter') {
    const object = {
      ...(effort === undefined ? undefined : { effort }),
      ...(maxTokens === undefined ? undefined : { max_tokens: maxTokens }),
      ...(visible === undefined ? undefined : { exclude: !visible }),
    }
    if (Object.keys(object).length > 0) body['reasoning'] = object
    return
  }
  // Visibility is the gateway's own matter: it leaves the reasoning out of what it writes.
  const asked = askedEffort(request, model, drop)
  if (asked !== undefined) body['reasoning_effort'] = asked
}
