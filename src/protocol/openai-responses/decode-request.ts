import type * as z from 'zod'
import { InvalidRequest } from '../../errors/index.js'
import type { Message, Request, ResponseFormat, Tool, ToolChoice, WireBody } from '../conversation.js'
import { isObject } from '../json-value.js'
import { definedFunction } from '../openai-chat/decode-request.js'
import { invalidField } from '../schema-issues.js'
import { decodeInput } from './decode-input.js'
import { Extras } from './extras.js'
import { canonicalFields, responsesRequestSchema, type ResponsesBody } from './schema.js'

type Paths = Record<string, string>

/** Entry of `include` by which OpenAI gives the log-probabilities. */
export const includeLogprobs = 'message.output_text.logprobs'
/** Entry of `include` by which OpenAI gives the sealed reasoning. */
export const includeSeals = 'reasoning.encrypted_content'

/** Validates and translates a body of `POST /v1/responses`. Throws `InvalidRequest` with the field's path. */
export function decodeRequest(json: Readonly<Record<string, unknown>>, wire?: WireBody): Request {
  const parsed = responsesRequestSchema.safeParse(json)
  if (!parsed.success) throw fault(json, parsed.error)
  const body = parsed.data
  const extras = new Extras()
  const paths: Paths = { messages: 'input' }

  for (const name of Object.keys(json)) if (!canonicalFields.has(name)) extras.add('', name, json[name])
  // Their defaults say nothing.
  if (body.background === true) extras.add('', 'background', true)
  if (body.truncation != null && body.truncation !== 'disabled') extras.add('', 'truncation', body.truncation)
  if (body.stream_options) {
    extras.unknown(body.stream_options, streamOptionFields, 'stream_options')
    if (body.stream_options.include_obfuscation === true) extras.add('stream_options', 'include_obfuscation', true)
  }
  const messages = decodeMessages(body, extras)
  return {
    model: body.model,
    messages,
    stream: body.stream ?? false,
    ...tools(body, paths, extras),
    ...toolChoice(body, paths, extras),
    ...plain(paths, 'parallelToolCalls', 'parallel_tool_calls', body.parallel_tool_calls),
    ...plain(paths, 'maxOutputTokens', 'max_output_tokens', body.max_output_tokens),
    ...plain(paths, 'temperature', 'temperature', body.temperature),
    ...plain(paths, 'topP', 'top_p', body.top_p),
    ...logprobs(body, paths, extras),
    ...text(body, paths, extras),
    ...reasoning(body, paths, extras),
    ...plain(paths, 'serviceTier', 'service_tier', body.service_tier),
    ...user(body, paths, extras),
    ...plain(paths, 'metadata', 'metadata', body.metadata),
    ...plain(paths, 'promptCacheKey', 'prompt_cache_key', body.prompt_cache_key),
    ...plain(paths, 'store', 'store', body.store),
    paths,
    extra: extras.list,
    ...(wire ? { wire } : undefined),
  }
}

/** An item without a type is a message: said so, it is told what is wrong with the message and not that a type is missing. */
function fault(json: Readonly<Record<string, unknown>>, error: z.core.$ZodError): InvalidRequest {
  const typed = { ...json, input: Array.isArray(json['input']) ? json['input'].map(asTyped) : json['input'] }
  return invalidField(responsesRequestSchema.safeParse(typed).error ?? error, typed)
}

function asTyped(item: unknown): unknown {
  return isObject(item) && item['type'] == null ? { ...item, type: 'message' } : item
}

const streamOptionFields = new Set(['include_obfuscation'])

type Fields = Partial<Omit<Request, 'wire'>>
type Draft = { -readonly [name in keyof Fields]: Fields[name] }

/** A field that goes over as it is; `null` and absent are the same. */
function plain<K extends keyof Fields>(paths: Paths, name: K, path: string, value: Fields[K] | null): Fields | undefined {
  if (value === null || value === undefined) return undefined
  paths[name] = path
  const field: Draft = {}
  field[name] = value
  return field
}

function decodeMessages(body: ResponsesBody, extras: Extras): Message[] {
  const messages: Message[] = []
  if (body.instructions != null && body.instructions !== '')
    messages.push({ role: 'system', parts: [{ type: 'text', text: body.instructions, at: 'instructions' }], at: 'instructions' })
  const { input } = body
  if (typeof input === 'string')
    messages.push({ role: 'user', parts: input === '' ? [] : [{ type: 'text', text: input, at: 'input' }], at: 'input' })
  else if (input != null) messages.push(...decodeInput(input, extras))
  // What the provider keeps may be the whole input.
  const elsewhere = body.prompt != null || body.previous_response_id != null || body.conversation != null
  if ((input == null || (typeof input !== 'string' && input.length === 0)) && !elsewhere)
    throw new InvalidRequest("input: this field is required (the user's text, or a list of items that is not empty).", { path: 'input' })
  return messages
}

const toolFields = new Set(['type', 'name', 'description', 'parameters', 'strict'])

type AnyTool = NonNullable<ResponsesBody['tools']>[number]
type WireFunctionTool = Extract<AnyTool, { type: 'function' }>
function isFunctionTool(tool: AnyTool): tool is WireFunctionTool {
  return tool.type === 'function'
}

function tools(body: ResponsesBody, paths: Paths, extras: Extras): Fields | undefined {
  if (!body.tools || body.tools.length === 0) return undefined
  const list = body.tools.map((tool, index): Tool => {
    const at = `tools[${index}]`
    if (!isFunctionTool(tool)) return { type: 'native', format: 'openai-responses', value: tool, at }
    extras.unknown(tool, toolFields, at)
    return definedFunction(tool, at)
  })
  return plain(paths, 'tools', 'tools', list)
}

function toolChoice(body: ResponsesBody, paths: Paths, extras: Extras): Fields | undefined {
  const choice = body.tool_choice
  if (choice == null) return undefined
  if (typeof choice !== 'string' && choice.type !== 'function') {
    extras.add('', 'tool_choice', choice)
    return undefined
  }
  const canonical: ToolChoice = typeof choice === 'string' ? choice : { name: String(choice['name']) }
  return plain(paths, 'toolChoice', 'tool_choice', canonical)
}

function logprobs(body: ResponsesBody, paths: Paths, extras: Extras): Fields | undefined {
  let included: number | undefined
  for (const [index, entry] of (body.include ?? []).entries()) {
    if (entry === includeLogprobs) included = index
    // Seals are always given where the provider gives them; that the caller asked is kept for OpenAI, which gives them only then.
    else if (entry === includeSeals) paths[includeSeals] = `include[${index}]`
    else extras.include(index, entry)
  }
  const top = body.top_logprobs ?? 0
  if (included === undefined && top === 0) return undefined
  if (body.top_logprobs != null) paths['logprobs.top'] = 'top_logprobs'
  return plain(paths, 'logprobs', included === undefined ? 'top_logprobs' : `include[${included}]`, { top })
}

const textFields = new Set(['format', 'verbosity'])
const formatFields = new Set(['type', 'name', 'description', 'schema', 'strict'])

type AnyFormat = NonNullable<NonNullable<ResponsesBody['text']>['format']>
function isJsonSchemaFormat(format: AnyFormat): format is Extract<AnyFormat, { type: 'json_schema' }> {
  return format.type === 'json_schema'
}

function text(body: ResponsesBody, paths: Paths, extras: Extras): Fields | undefined {
  if (!body.text) return undefined
  extras.unknown(body.text, textFields, 'text')
  const { format, verbosity } = body.text
  return {
    ...plain(paths, 'verbosity', 'text.verbosity', verbosity),
    ...plain(paths, 'responseFormat', 'text.format', format == null ? undefined : responseFormat(format, extras)),
  }
}

function responseFormat(format: AnyFormat, extras: Extras): ResponseFormat | undefined {
  if (format.type === 'text' || format.type === 'json_object') return { type: format.type }
  if (!isJsonSchemaFormat(format)) {
    extras.add('text', 'format', format)
    return undefined
  }
  extras.unknown(format, formatFields, 'text.format')
  const { name, description, schema, strict } = format
  return {
    type: 'json_schema',
    schema,
    ...(name == null ? undefined : { name }),
    ...(description == null ? undefined : { description }),
    ...(strict == null ? undefined : { strict }),
  }
}

const reasoningFields = new Set(['effort', 'summary', 'generate_summary'])

function reasoning(body: ResponsesBody, paths: Paths, extras: Extras): Fields | undefined {
  const settings = body.reasoning
  if (!settings) return undefined
  extras.unknown(settings, reasoningFields, 'reasoning')
  const effort = settings.effort ?? undefined
  const summary = settings.summary ?? settings.generate_summary ?? undefined
  if (effort === undefined && summary === undefined) return undefined
  if (effort !== undefined) paths['reasoning.effort'] = 'reasoning.effort'
  if (summary !== undefined)
    paths['reasoning.summary'] = paths['reasoning.visible'] = settings.summary == null ? 'reasoning.generate_summary' : 'reasoning.summary'
  return plain(paths, 'reasoning', 'reasoning', {
    ...(effort === undefined ? undefined : { effort }),
    ...(summary === undefined ? undefined : { summary, visible: true }),
  })
}

/** `safety_identifier` is the newer name; where both are given they may differ, and then only OpenAI can take both. */
function user(body: ResponsesBody, paths: Paths, extras: Extras): Fields | undefined {
  if (body.user == null) return plain(paths, 'user', 'safety_identifier', body.safety_identifier)
  extras.add('', 'safety_identifier', body.safety_identifier)
  return plain(paths, 'user', 'user', body.user)
}
