import { InvalidRequest } from '../../errors/index.js'
import type { Effort, FunctionTool, ReasoningSettings, Request, ResponseFormat, Tool, ToolChoice, WireBody } from '../conversation.js'
import { isObject } from '../json-value.js'
import { invalidField } from '../schema-issues.js'
import { decodeMessages } from './decode-messages.js'
import { cacheMark, Extras } from './extras.js'
import { canonicalFields, chatRequestSchema, type ChatRequestBody } from './schema.js'

/** Validates and translates a chat-completions body. Throws `InvalidRequest` with the field's path. */
export function decodeRequest(json: Readonly<Record<string, unknown>>, wire?: WireBody): Request {
  const parsed = chatRequestSchema.safeParse(json)
  if (!parsed.success) throw invalidField(parsed.error, json)
  const body = parsed.data
  const extras = new Extras()
  const paths: Record<string, string> = {}
  const stream = body.stream ?? false

  for (const name of Object.keys(json)) {
    if (canonicalFields.has(name)) continue
    if (name === 'modalities' && body.modalities?.every((kind) => kind === 'text')) continue
    extras.add('', name, json[name])
  }
  const messages = decodeMessages(body.messages, extras)
  const tools = decodeTools(body, paths, extras)
  const toolChoice = decodeToolChoice(body, paths, extras)
  if (body.stream_options) extras.unknown(body.stream_options, streamOptionFields, 'stream_options')

  return {
    model: body.model,
    messages,
    stream,
    ...(stream && body.stream_options?.include_usage != null
      ? noted(paths, 'streamUsage', 'stream_options.include_usage', body.stream_options.include_usage)
      : undefined),
    ...(tools ? { tools } : undefined),
    ...(toolChoice === undefined ? undefined : { toolChoice }),
    ...plain(paths, 'parallelToolCalls', 'parallel_tool_calls', body.parallel_tool_calls),
    ...maxOutputTokens(body, paths),
    ...plain(paths, 'temperature', 'temperature', body.temperature),
    ...plain(paths, 'topP', 'top_p', body.top_p),
    ...plain(paths, 'topK', 'top_k', body.top_k),
    ...plain(paths, 'stop', 'stop', stopList(body.stop)),
    ...plain(paths, 'seed', 'seed', body.seed),
    ...plain(paths, 'n', 'n', body.n),
    ...plain(paths, 'frequencyPenalty', 'frequency_penalty', body.frequency_penalty),
    ...plain(paths, 'presencePenalty', 'presence_penalty', body.presence_penalty),
    ...plain(paths, 'logitBias', 'logit_bias', body.logit_bias),
    ...logprobs(body, paths),
    ...plain(paths, 'responseFormat', 'response_format', responseFormat(body, extras)),
    ...reasoning(body, paths, extras),
    ...plain(paths, 'verbosity', 'verbosity', body.verbosity),
    ...plain(paths, 'serviceTier', 'service_tier', body.service_tier),
    ...plain(paths, 'user', 'user', body.user),
    ...plain(paths, 'metadata', 'metadata', body.metadata),
    ...plain(paths, 'promptCacheKey', 'prompt_cache_key', body.prompt_cache_key),
    ...plain(paths, 'store', 'store', body.store),
    paths,
    extra: extras.list,
    ...(wire ? { wire } : undefined),
  }
}

const streamOptionFields = new Set(['include_usage'])

type Fields = Partial<Omit<Request, 'wire'>>

function noted<K extends keyof Request>(paths: Record<string, string>, name: K, path: string, value: Request[K]): Pick<Request, K> {
  paths[name] = path
  return { [name]: value } as Pick<Request, K>
}

/** A field that goes over as it is; `null` and absent are the same. */
function plain<K extends keyof Request>(
  paths: Record<string, string>,
  name: K,
  path: string,
  value: Request[K] | null,
): Pick<Request, K> | undefined {
  return value === null || value === undefined ? undefined : noted(paths, name, path, value)
}

function stopList(stop: ChatRequestBody['stop']): readonly string[] | undefined {
  if (stop == null) return undefined
  const list = typeof stop === 'string' ? [stop] : stop
  return list.length === 0 ? undefined : list
}

function maxOutputTokens(body: ChatRequestBody, paths: Record<string, string>): Fields | undefined {
  const { max_completion_tokens: current, max_tokens: older } = body
  if (current != null && older != null && current !== older)
    throw new InvalidRequest('max_tokens: this says something else than max_completion_tokens. Give one of them.', { path: 'max_tokens' })
  if (current != null) return noted(paths, 'maxOutputTokens', 'max_completion_tokens', current)
  return plain(paths, 'maxOutputTokens', 'max_tokens', older)
}

function logprobs(body: ChatRequestBody, paths: Record<string, string>): Fields | undefined {
  if (body.logprobs === true) {
    if (body.top_logprobs != null) paths['logprobs.top'] = 'top_logprobs'
    return noted(paths, 'logprobs', 'logprobs', { top: body.top_logprobs ?? 0 })
  }
  if (body.top_logprobs != null && body.top_logprobs > 0)
    throw new InvalidRequest('top_logprobs: this needs `logprobs: true` beside it.', { path: 'top_logprobs' })
  return undefined
}

function responseFormat(body: ChatRequestBody, extras: Extras): ResponseFormat | undefined {
  const format = body.response_format
  if (!format) return undefined
  if (format.type === 'text' || format.type === 'json_object') return { type: format.type }
  if (format.type === 'json_schema' && isJsonSchemaFormat(format)) {
    const { name, description, schema, strict } = format.json_schema
    extras.unknown(format.json_schema, jsonSchemaFields, 'response_format.json_schema')
    return {
      type: 'json_schema',
      schema: schema ?? {},
      ...(name == null ? undefined : { name }),
      ...(description == null ? undefined : { description }),
      ...(strict == null ? undefined : { strict }),
    }
  }
  extras.add('', 'response_format', format)
  return undefined
}

type AnyFormat = NonNullable<ChatRequestBody['response_format']>
function isJsonSchemaFormat(format: AnyFormat): format is Extract<AnyFormat, { type: 'json_schema' }> {
  return format.type === 'json_schema'
}
const jsonSchemaFields = new Set(['name', 'description', 'schema', 'strict'])

/** `reasoning_effort`, and OpenRouter's `reasoning` object, which may say the same but not the contrary. */
function reasoning(body: ChatRequestBody, paths: Record<string, string>, extras: Extras): Fields | undefined {
  const object = body.reasoning
  const short = body.reasoning_effort ?? undefined
  if (!object) return short === undefined ? undefined : noted(paths, 'reasoning', 'reasoning_effort', { effort: short })
  extras.unknown(object, reasoningFields, 'reasoning')
  let effort: Effort | undefined = object.effort ?? undefined
  if (object.enabled === false) {
    if ((effort ?? 'none') !== 'none' || object.max_tokens)
      throw new InvalidRequest('reasoning.enabled: false contradicts the rest of `reasoning`.', { path: 'reasoning.enabled' })
    effort = 'none'
  } else if (object.enabled === true && effort === undefined && object.max_tokens == null) effort = short ?? 'medium'
  if (short !== undefined && effort !== undefined && short !== effort)
    throw new InvalidRequest(`reasoning_effort: "${short}" contradicts \`reasoning\`, which asks for "${effort}". Give one of them.`, {
      path: 'reasoning_effort',
    })
  effort ??= short
  const settings: ReasoningSettings = {
    ...(effort === undefined ? undefined : { effort }),
    ...(object.max_tokens == null ? undefined : { maxTokens: object.max_tokens }),
    ...(object.exclude == null ? undefined : { visible: !object.exclude }),
  }
  if (object.max_tokens != null) paths['reasoning.maxTokens'] = 'reasoning.max_tokens'
  if (object.exclude != null) paths['reasoning.visible'] = 'reasoning.exclude'
  if (effort !== undefined)
    paths['reasoning.effort'] = object.effort != null ? 'reasoning.effort' : short !== undefined ? 'reasoning_effort' : 'reasoning.enabled'
  return noted(paths, 'reasoning', 'reasoning', settings)
}
const reasoningFields = new Set(['effort', 'max_tokens', 'exclude', 'enabled'])

function decodeTools(body: ChatRequestBody, paths: Record<string, string>, extras: Extras): Tool[] | undefined {
  if (body.tools?.length && body.functions?.length)
    throw new InvalidRequest('functions: this is the older form of `tools`. Give one of them.', { path: 'functions' })
  if (body.tools?.length) {
    paths['tools'] = 'tools'
    return body.tools.map((tool, index): Tool => {
      const at = `tools[${index}]`
      if (!isFunctionTool(tool)) return { type: 'native', format: 'openai-chat', value: tool, at }
      extras.unknown(tool, toolFields, at)
      return functionTool(tool.function, `${at}.function`, at, extras, tool.cache_control)
    })
  }
  if (body.functions?.length) {
    paths['tools'] = 'functions'
    return body.functions.map((definition, index) =>
      functionTool(definition, `functions[${index}]`, `functions[${index}]`, extras, undefined),
    )
  }
  return undefined
}
type AnyTool = NonNullable<ChatRequestBody['tools']>[number]
type WireFunctionTool = Extract<AnyTool, { type: 'function' }>
function isFunctionTool(tool: AnyTool): tool is WireFunctionTool {
  return tool.type === 'function'
}
const toolFields = new Set(['type', 'function', 'cache_control'])
const functionFields = new Set(['name', 'description', 'parameters', 'strict', 'cache_control'])

function functionTool(
  definition: WireFunctionTool['function'],
  path: string,
  at: string,
  extras: Extras,
  mark: WireFunctionTool['cache_control'],
): FunctionTool {
  extras.unknown(definition, functionFields, path)
  // LiteLLM's clients put the mark beside the name.
  const cache = cacheMark(mark ?? definition['cache_control'])
  return { ...definedFunction(definition, at), ...(cache ? { cache } : undefined) }
}

/** A function as both of OpenAI's formats define one. */
export function definedFunction({ name, description, parameters, strict }: WireFunctionTool['function'], at: string): FunctionTool {
  return {
    type: 'function',
    name,
    at,
    ...(description == null ? undefined : { description }),
    ...(parameters == null ? undefined : { parameters }),
    ...(strict == null ? undefined : { strict }),
  }
}

function decodeToolChoice(body: ChatRequestBody, paths: Record<string, string>, extras: Extras): ToolChoice | undefined {
  const choice = body.tool_choice
  if (choice != null) {
    paths['toolChoice'] = 'tool_choice'
    if (typeof choice === 'string') return choice
    if (choice.type === 'function' && isObject(choice['function']) && typeof choice['function']['name'] === 'string')
      return { name: choice['function']['name'] }
    extras.add('', 'tool_choice', choice)
    return undefined
  }
  const older = body.function_call
  if (older == null) return undefined
  paths['toolChoice'] = 'function_call'
  return typeof older === 'string' ? older : { name: older.name }
}
