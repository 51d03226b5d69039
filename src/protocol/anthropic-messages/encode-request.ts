import type { DropPolicy } from '../codec.js'
import type { Message, Request, ResponseFormat, Tool } from '../conversation.js'
import { tellForeign } from '../harmless-fields.js'
import { planThinking } from './effort.js'
import { markCache, type Block, type EncodeState } from './encode-content.js'
import { encodeSystem, encodeTurns, leadingSystem } from './encode-messages.js'
import { ExtraIndex } from './extras.js'
import { modelTraits, type ModelTraits } from './model-traits.js'
import { outputSchema } from './output-schema.js'

/** What the catalog may add. */
export interface EncodeOptions {
  /** Most output tokens of a model, for requests that give no maximum: Anthropic demands one. */
  readonly defaultMaxTokens?: number | ((model: string) => number | undefined) | undefined
}

/** Marks that Anthropic takes in one request. */
const maxCacheMarks = 4

/**
 * Writes a canonical request as a body of `POST /v1/messages`. What the format or the model can't express goes to
 * `drop.unsupported` with the caller's own path; hints that change no answer are left out and noted (`drop.adjusted`).
 */
export function encodeMessagesRequest(
  request: Request,
  model: string,
  drop: DropPolicy,
  options: EncodeOptions = {},
): Record<string, unknown> {
  const traits = modelTraits(model)
  const state: EncodeState = { drop, extras: new ExtraIndex(request.extra), marks: [] }
  refuseInexpressible(request, drop)

  const fallback = typeof options.defaultMaxTokens === 'function' ? options.defaultMaxTokens(model) : options.defaultMaxTokens
  const forced = request.toolChoice === 'required' || typeof request.toolChoice === 'object'
  const plan = planThinking(request, traits, fallback, { forcedTool: forced, unsealedLoop: unsealedLoop(request.messages) }, drop)

  // In the order of the prompt, so that cache marks are counted in it.
  const tools = encodeTools(request.tools, traits, state)
  const leading = leadingSystem(request.messages)
  const system = encodeSystem(request.messages.slice(0, leading), state)
  const messages = encodeTurns(request.messages, leading, traits.systemInside, state)

  const body: Record<string, unknown> = { model, max_tokens: plan.maxTokens }
  if (system !== undefined) body['system'] = system
  body['messages'] = messages
  if (tools !== undefined) body['tools'] = tools
  const toolChoice = encodeToolChoice(request, traits, tools !== undefined, drop)
  if (toolChoice !== undefined) body['tool_choice'] = toolChoice
  if (plan.thinking !== undefined) body['thinking'] = plan.thinking
  const outputConfig: Record<string, unknown> = {}
  if (plan.effort !== undefined) outputConfig['effort'] = plan.effort
  const format = encodeFormat(request, request.responseFormat, traits, drop)
  if (format !== undefined) outputConfig['format'] = format
  if (Object.keys(outputConfig).length > 0) body['output_config'] = outputConfig
  encodeSampling(request, traits, plan.on, drop, body)
  const stop = encodeStop(request, drop)
  if (stop !== undefined) body['stop_sequences'] = stop
  const tier = encodeServiceTier(request, drop)
  if (tier !== undefined) body['service_tier'] = tier
  if (request.user !== undefined) body['metadata'] = { user_id: request.user }
  if (request.stream) body['stream'] = true
  state.extras.restoreTop(body)
  limitCacheMarks(state, body)
  return body
}

function refuseInexpressible(request: Request, drop: DropPolicy): void {
  const { paths } = request
  if (request.n !== undefined && request.n > 1) drop.unsupported(paths['n'] ?? 'n', 'Anthropic gives one answer a call')
  if (request.seed !== undefined) drop.unsupported(paths['seed'] ?? 'seed', 'Anthropic has no seed')
  if (request.logprobs !== undefined) drop.unsupported(paths['logprobs'] ?? 'logprobs', 'Anthropic gives no log-probabilities')
  if (request.logitBias !== undefined && Object.keys(request.logitBias).length > 0)
    drop.unsupported(paths['logitBias'] ?? 'logit_bias', 'Anthropic has no token biases')
  if (request.frequencyPenalty !== undefined && request.frequencyPenalty !== 0)
    drop.unsupported(paths['frequencyPenalty'] ?? 'frequency_penalty', 'Anthropic has no penalties')
  if (request.presencePenalty !== undefined && request.presencePenalty !== 0)
    drop.unsupported(paths['presencePenalty'] ?? 'presence_penalty', 'Anthropic has no penalties')
  if (request.verbosity !== undefined) drop.adjusted?.(paths['verbosity'] ?? 'verbosity', 'Anthropic has no verbosity; left out')
  if (request.store === true) drop.unsupported(paths['store'] ?? 'store', 'Anthropic stores no answers')
  if (request.metadata !== undefined && Object.keys(request.metadata).length > 0)
    drop.adjusted?.(paths['metadata'] ?? 'metadata', 'Anthropic keeps no labels; left out')
  if (request.promptCacheKey !== undefined)
    drop.adjusted?.(paths['promptCacheKey'] ?? 'prompt_cache_key', 'Anthropic has no cache keys; left out')
  for (const field of request.extra)
    if (field.format !== 'anthropic-messages') tellForeign(field, drop, 'the format of Anthropic has no such field')
}

/** Whether the conversation ends in a tool loop whose calls come without Anthropic's thinking (chat clients never send it back). */
function unsealedLoop(messages: readonly Message[]): boolean {
  let last = messages.length - 1
  while (last >= 0 && messages[last]?.role === 'tool') last--
  const message = messages[last]
  const results = message?.role === 'user' && message.parts.some((part) => part.type === 'tool_result')
  const answer = results ? messages[last - 1] : message
  if (answer?.role !== 'assistant' || !answer.parts.some((part) => part.type === 'tool_call')) return false
  return !answer.parts.some(
    (part) => part.type === 'reasoning' && part.signatureFormat === 'anthropic-messages' && part.signature !== undefined,
  )
}

function encodeTools(tools: readonly Tool[] | undefined, traits: ModelTraits, state: EncodeState): Block[] | undefined {
  if (tools === undefined || tools.length === 0) return undefined
  const encoded: Block[] = []
  for (const [index, tool] of tools.entries()) {
    const at = tool.at ?? `tools[${index}]`
    if (tool.type === 'native') {
      if (tool.format !== 'anthropic-messages') {
        state.drop.unsupported(at, 'this tool belongs to another provider')
        continue
      }
      const block: Block = { ...tool.value }
      if (block['cache_control'] != null) state.marks.push({ path: `${at}.cache_control`, block })
      encoded.push(block)
      continue
    }
    const block: Block = { name: tool.name }
    if (tool.description !== undefined) block['description'] = tool.description
    block['input_schema'] =
      tool.parameters === undefined
        ? { type: 'object', properties: {} }
        : tool.parameters['type'] === undefined
          ? { type: 'object', ...tool.parameters }
          : tool.parameters
    if (tool.strict === true) {
      // The same machinery as structured output.
      if (traits.structuredOutput) block['strict'] = true
      else state.drop.unsupported(at, 'this model can not be held to the schema of a tool ("strict")')
    }
    state.extras.restore(tool.at, block)
    markCache(block, tool.cache, at, state)
    encoded.push(block)
  }
  return encoded.length === 0 ? undefined : encoded
}

function encodeToolChoice(request: Request, traits: ModelTraits, hasTools: boolean, drop: DropPolicy): Record<string, unknown> | undefined {
  // Anthropic refuses a choice where there is nothing to choose from.
  if (!hasTools) return undefined
  const { toolChoice } = request
  if (toolChoice === 'none') return { type: 'none' }
  const single = request.parallelToolCalls === undefined ? {} : { disable_parallel_tool_use: !request.parallelToolCalls }
  const auto = toolChoice === 'auto' || request.parallelToolCalls === false ? { type: 'auto', ...single } : undefined
  if (toolChoice === undefined || toolChoice === 'auto') return auto
  if (!traits.forcedTool) {
    drop.unsupported(request.paths['toolChoice'] ?? 'tool_choice', 'this model can not be made to call a tool')
    return auto
  }
  return toolChoice === 'required' ? { type: 'any', ...single } : { type: 'tool', name: toolChoice.name, ...single }
}

function encodeFormat(
  request: Request,
  format: ResponseFormat | undefined,
  traits: ModelTraits,
  drop: DropPolicy,
): Record<string, unknown> | undefined {
  if (format === undefined || format.type === 'text') return undefined
  const path = request.paths['responseFormat'] ?? 'response_format'
  if (format.type === 'json_object') {
    drop.unsupported(path, 'Anthropic has no JSON mode without a schema; give one with "json_schema"')
    return undefined
  }
  if (!traits.structuredOutput) {
    drop.unsupported(path, 'this model has no structured output')
    return undefined
  }
  const described =
    format.description !== undefined && format.schema['description'] === undefined
      ? { ...format.schema, description: format.description }
      : format.schema
  const { schema, changed } = outputSchema(described)
  if (changed) drop.adjusted?.(path, 'objects of the schema are closed, and limits that are not enforced are told in descriptions')
  return { type: 'json_schema', schema }
}

function encodeSampling(request: Request, traits: ModelTraits, thinking: boolean, drop: DropPolicy, body: Record<string, unknown>): void {
  const { paths } = request
  const refusal =
    traits.sampling === 'refused'
      ? 'this model takes no sampling settings'
      : thinking
        ? 'thinking leaves no choice of sampling settings'
        : undefined
  // The default (1) says nothing, so it is left out where the field isn't taken.
  const { temperature, topK } = request
  let { topP } = request
  if (temperature !== undefined && !(refusal !== undefined && temperature === 1)) {
    const path = paths['temperature'] ?? 'temperature'
    if (refusal !== undefined) drop.unsupported(path, refusal)
    else if (temperature > 1 || temperature < 0) drop.unsupported(path, 'Anthropic takes a temperature from 0 to 1')
    else body['temperature'] = temperature
  }
  if (topP !== undefined && topP !== 1) {
    const path = paths['topP'] ?? 'top_p'
    if (refusal !== undefined && !(traits.sampling !== 'refused' && topP >= 0.95)) {
      drop.unsupported(path, refusal)
      topP = undefined
    } else if (traits.sampling === 'one' && body['temperature'] !== undefined) {
      drop.unsupported(path, 'this model takes a temperature or a top_p, not both')
      topP = undefined
    }
  }
  if (topP !== undefined && !(topP === 1 && traits.sampling !== 'free')) body['top_p'] = topP
  if (topK !== undefined) {
    if (refusal !== undefined) drop.unsupported(paths['topK'] ?? 'top_k', refusal)
    else body['top_k'] = topK
  }
}

function encodeStop(request: Request, drop: DropPolicy): string[] | undefined {
  const { stop } = request
  if (stop === undefined || stop.length === 0) return undefined
  const path = request.paths['stop'] ?? 'stop'
  const kept = stop.filter((text, index) => {
    if (text.trim() !== '') return true
    drop.unsupported(stop.length === 1 ? path : `${path}[${index}]`, 'Anthropic takes no stop sequence that is only white space')
    return false
  })
  return kept.length === 0 ? undefined : kept
}

function encodeServiceTier(request: Request, drop: DropPolicy): string | undefined {
  switch (request.serviceTier) {
    case undefined:
      return undefined
    case 'auto':
      return 'auto'
    case 'default':
    case 'standard':
    case 'standard_only':
      return 'standard_only'
    default:
      drop.unsupported(request.paths['serviceTier'] ?? 'service_tier', `Anthropic has no service tier "${request.serviceTier}"`)
      return undefined
  }
}

/** Keeps the last four marks: later ones cover longer prefixes. */
function limitCacheMarks(state: EncodeState, body: Record<string, unknown>): void {
  const excess = state.marks.length + (body['cache_control'] == null ? 0 : 1) - maxCacheMarks
  for (const { path, block } of state.marks.slice(0, Math.max(0, excess))) {
    state.drop.adjusted?.(path, `Anthropic takes at most ${maxCacheMarks} cache marks in a request; left out`)
    delete block['cache_control']
  }
}
