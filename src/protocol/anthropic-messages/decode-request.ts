import { InvalidRequest } from '../../errors/index.js'
import type {
  Effort,
  ExtraField,
  Message,
  Part,
  ReasoningSettings,
  Request,
  ResponseFormat,
  Tool,
  ToolChoice,
  WireBody,
} from '../conversation.js'
import { argumentsText, mayHoldLongNumber } from '../exact-numbers.js'
import { invalidField } from '../schema-issues.js'
import { decodeCacheMark, decodeContent } from './decode-content.js'
import { collectExtras, takeBillingMark } from './extras.js'
import { countTokensRequestSchema, messagesRequestSchema, type MessagesBody } from './schema.js'

const bodyFields = new Set(Object.keys(messagesRequestSchema.shape))
const messageFields = new Set(['role', 'content'])
const toolFields = new Set(['type', 'name', 'description', 'input_schema', 'strict', 'cache_control'])
const toolChoiceFields = new Set(['type', 'name', 'disable_parallel_tool_use'])
const thinkingFields = new Set(['type', 'budget_tokens', 'display'])
const outputConfigFields = new Set(['effort', 'format'])
const metadataFields = new Set(['user_id'])
const efforts: ReadonlySet<string> = new Set<Effort>(['low', 'medium', 'high', 'xhigh', 'max'])

/** Reads a body of `POST /v1/messages`. Throws `InvalidRequest` with the path of the first field that is wrong. */
export function decodeMessagesRequest(json: Readonly<Record<string, unknown>>, wire?: WireBody): Request {
  const parsed = messagesRequestSchema.safeParse(json)
  if (!parsed.success) throw invalidField(parsed.error, json)
  return toCanonical(parsed.data, wire)
}

/** Reads a body of `POST /v1/messages/count_tokens`, which needs no `max_tokens`. */
export function decodeCountTokensRequest(json: Readonly<Record<string, unknown>>, wire?: WireBody): Request {
  const parsed = countTokensRequestSchema.safeParse(json)
  if (!parsed.success) throw invalidField(parsed.error, json)
  return toCanonical(parsed.data, wire)
}

function toCanonical(body: MessagesBody, wire: WireBody | undefined): Request {
  const extra: ExtraField[] = []
  const paths: Record<string, string> = { messages: 'messages' }
  collectExtras(body, bodyFields, '', extra)

  const messages: Message[] = []
  if (body.system != null) {
    const parts = decodeContent(body.system, 'system', extra, takeBillingMark(body.system, extra) ? 1 : 0)
    if (parts.length > 0) messages.push({ role: 'system', parts, at: 'system' })
  }
  for (const [index, message] of body.messages.entries()) {
    const at = `messages[${index}]`
    collectExtras(message, messageFields, at, extra)
    messages.push({
      role: message.role,
      parts: decodeContent(message.content, `${at}.content`, extra).map((part) => exactly(part, wire)),
      at,
    })
  }

  const { toolChoice, parallelToolCalls } = decodeToolChoice(body, paths, extra)
  if (body.max_tokens !== undefined) paths['maxOutputTokens'] = 'max_tokens'
  if (body.temperature != null) paths['temperature'] = 'temperature'
  if (body.top_p != null) paths['topP'] = 'top_p'
  if (body.top_k != null) paths['topK'] = 'top_k'
  if (body.stop_sequences != null) paths['stop'] = 'stop_sequences'
  if (body.tools != null) paths['tools'] = 'tools'
  if (body.service_tier != null) paths['serviceTier'] = 'service_tier'
  if (body.metadata != null) {
    collectExtras(body.metadata, metadataFields, 'metadata', extra)
    if (body.metadata.user_id != null) paths['user'] = 'metadata.user_id'
  }
  return {
    model: body.model,
    messages,
    tools: body.tools == null ? undefined : decodeTools(body.tools, extra),
    toolChoice,
    parallelToolCalls,
    maxOutputTokens: body.max_tokens,
    temperature: body.temperature ?? undefined,
    topP: body.top_p ?? undefined,
    topK: body.top_k ?? undefined,
    stop: body.stop_sequences ?? undefined,
    responseFormat: decodeFormat(body, paths),
    reasoning: decodeReasoning(body, paths, extra),
    // OpenAI's word for the same: never on reserved capacity.
    serviceTier: body.service_tier === 'standard_only' ? 'default' : (body.service_tier ?? undefined),
    user: body.metadata?.user_id ?? undefined,
    stream: body.stream === true,
    paths,
    extra,
    wire,
  }
}

/** Arguments in which a number may have lost digits are read again from the caller's bytes. */
function exactly(part: Part, wire: WireBody | undefined): Part {
  if (part.type !== 'tool_call' || wire === undefined || !mayHoldLongNumber(part.arguments)) return part
  const [, message, block] = /^messages\[(\d+)\]\.content\[(\d+)\]$/.exec(part.at ?? '') ?? []
  if (message === undefined || block === undefined) return part
  return {
    ...part,
    arguments: argumentsText(
      JSON.parse(part.arguments),
      Buffer.from(wire.bytes).toString('utf8'),
      'messages',
      message,
      'content',
      block,
      'input',
    ),
  }
}

function decodeTools(tools: NonNullable<MessagesBody['tools']>, extra: ExtraField[]): Tool[] {
  return tools.map((tool, index): Tool => {
    const at = `tools[${index}]`
    if (!isCustom(tool)) return { type: 'native', format: 'anthropic-messages', value: tool, at }
    collectExtras(tool, toolFields, at, extra)
    return {
      type: 'function',
      name: tool.name,
      description: tool.description ?? undefined,
      parameters: tool.input_schema,
      strict: tool.strict ?? undefined,
      cache: decodeCacheMark(tool.cache_control),
      at,
    }
  })
}

type AnyTool = NonNullable<MessagesBody['tools']>[number]
type CustomTool = Extract<AnyTool, { input_schema: unknown }>

function isCustom(tool: AnyTool): tool is CustomTool {
  return tool.type == null || tool.type === 'custom'
}

function decodeToolChoice(
  body: MessagesBody,
  paths: Record<string, string>,
  extra: ExtraField[],
): { toolChoice: ToolChoice | undefined; parallelToolCalls: boolean | undefined } {
  const choice = body.tool_choice
  if (choice == null) return { toolChoice: undefined, parallelToolCalls: undefined }
  collectExtras(choice, toolChoiceFields, 'tool_choice', extra)
  paths['toolChoice'] = 'tool_choice'
  const disable = choice.disable_parallel_tool_use
  if (disable != null) paths['parallelToolCalls'] = 'tool_choice.disable_parallel_tool_use'
  const parallelToolCalls = disable == null ? undefined : !disable
  switch (choice.type) {
    case 'auto':
    case 'none':
      return { toolChoice: choice.type, parallelToolCalls }
    case 'any':
      return { toolChoice: 'required', parallelToolCalls }
    case 'tool':
      if (choice.name === undefined || choice.name === '')
        throw new InvalidRequest('tool_choice.name is required with the type "tool": the name of the tool.', { path: 'tool_choice.name' })
      return { toolChoice: { name: choice.name }, parallelToolCalls }
  }
}

function decodeFormat(body: MessagesBody, paths: Record<string, string>): ResponseFormat | undefined {
  const inConfig = body.output_config?.format
  const format = inConfig ?? body.output_format
  if (format == null) return undefined
  paths['responseFormat'] = inConfig != null ? 'output_config.format' : 'output_format'
  return { type: 'json_schema', schema: format.schema, strict: true }
}

/**
 * `thinking` and `output_config.effort` in one: a budget becomes `maxTokens`, `disabled` the effort `none`, and `adaptive`
 * without an effort a reasoning of the model's own choice (an empty object).
 */
function decodeReasoning(body: MessagesBody, paths: Record<string, string>, extra: ExtraField[]): ReasoningSettings | undefined {
  const { thinking, output_config: config } = body
  let effort: Effort | undefined
  if (config != null) {
    collectExtras(config, outputConfigFields, 'output_config', extra)
    if (config.effort != null) {
      if (isEffort(config.effort)) {
        effort = config.effort
        paths['reasoning'] = 'output_config.effort'
        paths['reasoning.effort'] = 'output_config.effort'
      } else extra.push({ format: 'anthropic-messages', name: 'effort', path: 'output_config.effort', value: config.effort })
    }
  }
  if (thinking == null) return effort === undefined ? undefined : { effort }
  if (thinking.type !== 'enabled' && thinking.type !== 'adaptive' && thinking.type !== 'disabled') {
    extra.push({ format: 'anthropic-messages', name: 'thinking', path: 'thinking', value: thinking })
    return effort === undefined ? undefined : { effort }
  }
  collectExtras(thinking, thinkingFields, 'thinking', extra)
  paths['reasoning'] = 'thinking'
  const visible = thinking.display == null ? undefined : thinking.display === 'summarized'
  if (visible !== undefined) paths['reasoning.visible'] = 'thinking.display'
  if (thinking.type === 'disabled') return { effort: 'none' }
  if (thinking.type === 'adaptive') return { effort, visible }
  if (thinking.budget_tokens === undefined)
    throw new InvalidRequest('thinking.budget_tokens is required with the type "enabled": a whole number of at least 1024.', {
      path: 'thinking.budget_tokens',
    })
  paths['reasoning.maxTokens'] = 'thinking.budget_tokens'
  return { effort, maxTokens: thinking.budget_tokens, visible }
}

function isEffort(text: string): text is Effort {
  return efforts.has(text)
}
