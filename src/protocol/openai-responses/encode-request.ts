import type { DropPolicy } from '../codec.js'
import type { Request, ResponseFormat, Tool, ToolChoice } from '../conversation.js'
import { isObject } from '../json-value.js'
import { shortUser } from '../openai-chat/encode-request.js'
import { askedEffort, reasons } from '../openai-chat/reasoning.js'
import { includeLogprobs, includeSeals } from './decode-request.js'
import { encodeInput, leadingInstructions, type InputContext } from './encode-input.js'
import { ResponsesExtras } from './extras.js'

/**
 * Writes a body of `POST /v1/responses`. What it can't say goes to `drop.unsupported` with the caller's path. Left out
 * without a word, because the request means the same without them: cache marks of other formats, since OpenAI caches by itself,
 * and penalties of zero.
 */
export function encodeRequest(request: Request, model: string, drop: DropPolicy): Record<string, unknown> {
  refuseInexpressible(request, drop)
  const extras = new ResponsesExtras(request.extra, drop)
  const own = writtenHere(request)
  const context: InputContext = { drop, extras, own }
  const { instructions, first } = leadingInstructions(request.messages, drop)
  const body: Record<string, unknown> = { model }
  const set = (name: string, value: unknown): void => {
    if (value !== undefined) body[name] = value
  }
  set('instructions', instructions)
  const input = encodeInput(request.messages, first, context)
  // Nothing at all is the input of a stored prompt or conversation.
  if (input.length > 0) body['input'] = input
  if (request.stream) body['stream'] = true
  set('max_output_tokens', maxOutputTokens(request, own, drop))
  set('temperature', request.temperature)
  set('top_p', request.topP)
  const tools = encodeTools(request.tools ?? [], own, context)
  if (tools.length > 0) body['tools'] = tools
  // Other formats take a choice where there is nothing to choose from; OpenAI refuses it.
  if (request.toolChoice !== undefined && (tools.length > 0 || own)) body['tool_choice'] = encodeToolChoice(request.toolChoice)
  if (tools.length > 0) set('parallel_tool_calls', request.parallelToolCalls)
  const text = encodeText(request)
  if (text !== undefined) body['text'] = text
  const reasoning = encodeReasoning(request, model, drop)
  if (reasoning !== undefined) body['reasoning'] = reasoning
  // What other formats never ask OpenAI to keep isn't kept here either.
  const store = request.store ?? (own ? undefined : false)
  set('store', store)
  if (request.logprobs) body['top_logprobs'] = request.logprobs.top
  const include = [...extras.includes]
  if (request.logprobs) include.unshift(includeLogprobs)
  if (request.paths[includeSeals] !== undefined || (!own && store === false && sealsReasoning(model, request))) include.push(includeSeals)
  if (include.length > 0) body['include'] = include
  set('service_tier', request.serviceTier)
  set(request.paths['user'] === 'safety_identifier' ? 'safety_identifier' : 'user', own ? request.user : shortUser(request, drop))
  set('metadata', request.metadata)
  set('prompt_cache_key', request.promptCacheKey)
  extras.finish(body)
  if (body['stream'] !== true) delete body['stream_options']
  return body
}

/** The least that OpenAI takes here; clients of other formats probe with 1. */
const leastOutputTokens = 16

function maxOutputTokens(request: Request, own: boolean, drop: DropPolicy): number | undefined {
  const asked = request.maxOutputTokens
  if (own || asked === undefined || asked >= leastOutputTokens) return asked
  drop.adjusted?.(request.paths['maxOutputTokens'] ?? 'max_tokens', `the least is ${leastOutputTokens}`)
  return leastOutputTokens
}

/** Whether the caller's body was of this format. */
function writtenHere(request: Request): boolean {
  return request.paths['messages'] === 'input'
}

/**
 * Whether the seal of the reasoning can be asked for: OpenAI refuses the wish for models that don't reason, and without it
 * the reasoning is lost between the calls of a tool loop.
 */
function sealsReasoning(model: string, request: Request): boolean {
  return reasons(model) ?? (request.reasoning?.effort !== undefined && request.reasoning.effort !== 'none')
}

function refuseInexpressible(request: Request, drop: DropPolicy): void {
  const refuse = (name: string, field: string, why: string): void => drop.unsupported(request.paths[name] ?? field, why)
  if (request.n !== undefined && request.n > 1) refuse('n', 'n', 'the Responses format gives one answer a call')
  if (request.stop !== undefined && request.stop.length > 0) refuse('stop', 'stop', 'the Responses format has no stop sequences')
  if (request.seed !== undefined) refuse('seed', 'seed', 'the Responses format has no seed')
  if (request.topK !== undefined) refuse('topK', 'top_k', 'the Responses format has no top_k; use top_p')
  if (request.frequencyPenalty !== undefined && request.frequencyPenalty !== 0)
    refuse('frequencyPenalty', 'frequency_penalty', 'the Responses format has no penalties')
  if (request.presencePenalty !== undefined && request.presencePenalty !== 0)
    refuse('presencePenalty', 'presence_penalty', 'the Responses format has no penalties')
  if (request.logitBias !== undefined && Object.keys(request.logitBias).length > 0)
    refuse('logitBias', 'logit_bias', 'the Responses format has no token biases')
}

function encodeTools(tools: readonly Tool[], own: boolean, { drop, extras }: InputContext): Record<string, unknown>[] {
  return tools.flatMap((tool, index): Record<string, unknown>[] => {
    if (tool.type === 'native') {
      if (tool.format === 'openai-responses') return [{ ...tool.value }]
      drop.unsupported(tool.at ?? `tools[${index}]`, `only ${tool.format} has this kind of tool`)
      return []
    }
    const wire: Record<string, unknown> = {
      type: 'function',
      name: tool.name,
      ...(tool.description === undefined ? undefined : { description: tool.description }),
      parameters: tool.parameters ?? null,
    }
    // Strict is this format's default and no other's.
    const strict = tool.strict ?? (own ? undefined : false)
    if (strict !== undefined) wire['strict'] = strict
    extras.restore(tool.at, wire)
    return [wire]
  })
}

function encodeToolChoice(choice: ToolChoice): unknown {
  return typeof choice === 'string' ? choice : { type: 'function', name: choice.name }
}

function encodeText(request: Request): Record<string, unknown> | undefined {
  const { responseFormat, verbosity } = request
  if (responseFormat === undefined && verbosity === undefined) return undefined
  return {
    ...(responseFormat === undefined ? undefined : { format: encodeFormat(responseFormat) }),
    ...(verbosity === undefined ? undefined : { verbosity }),
  }
}

function encodeFormat(format: ResponseFormat): Record<string, unknown> {
  if (format.type !== 'json_schema') return { type: format.type }
  const { name, description, schema, strict } = format
  return {
    type: 'json_schema',
    // The name is required there and says nothing to the model.
    name: name ?? 'answer',
    ...(description === undefined ? undefined : { description }),
    schema,
    ...(strict === undefined ? undefined : { strict }),
  }
}

function encodeReasoning(request: Request, model: string, drop: DropPolicy): Record<string, unknown> | undefined {
  const settings = request.reasoning
  if (!settings) return undefined
  const effort = askedEffort(request, model, drop)
  if (reasons(model) === false) return undefined
  const { visible } = settings
  const summary = visible === false ? undefined : (settings.summary ?? (visible === true ? 'auto' : undefined))
  if (effort === undefined && summary === undefined) return undefined
  return { ...(effort === undefined ? undefined : { effort }), ...(summary === undefined ? undefined : { summary }) }
}

/** The caller's settings as a response echoes them. */
export function echoedSettings(request: Request): Record<string, unknown> {
  const kept = new Map(request.extra.filter((field) => field.format === 'openai-responses').map((field) => [field.path, field.value]))
  const context: InputContext = {
    drop: { unsupported() {} },
    extras: new ResponsesExtras(request.extra, { unsupported() {} }),
    own: writtenHere(request),
  }
  const text = encodeText(request)
  const byInstructions = leadingInstructions(request.messages, context.drop).instructions
  const safety = request.paths['user'] === 'safety_identifier'
  return {
    background: false,
    instructions: byInstructions ?? null,
    max_output_tokens: request.maxOutputTokens ?? null,
    max_tool_calls: kept.get('max_tool_calls') ?? null,
    metadata: request.metadata ?? {},
    parallel_tool_calls: request.parallelToolCalls ?? true,
    previous_response_id: null,
    prompt_cache_key: request.promptCacheKey ?? null,
    reasoning: { effort: request.reasoning?.effort ?? null, summary: request.reasoning?.summary ?? null },
    safety_identifier: safety ? (request.user ?? null) : (kept.get('safety_identifier') ?? null),
    store: request.store ?? false,
    temperature: request.temperature ?? 1,
    text: { ...text, format: isObject(text?.['format']) ? text['format'] : { type: 'text' } },
    tool_choice: request.toolChoice === undefined ? (kept.get('tool_choice') ?? 'auto') : encodeToolChoice(request.toolChoice),
    tools: encodeTools(request.tools ?? [], context.own, context).map((tool) =>
      tool['type'] === 'function' ? { ...tool, strict: tool['strict'] ?? true } : tool,
    ),
    top_logprobs: request.logprobs?.top ?? 0,
    top_p: request.topP ?? 1,
    truncation: kept.get('truncation') ?? 'disabled',
    user: safety ? null : (request.user ?? null),
  }
}
