import { z } from 'zod'

/** The body of `POST /v1/messages`. Field documentation is generated from here; unknown fields are kept, never refused. */

const cacheControl = z
  .looseObject({
    type: z.literal('ephemeral').describe('The only kind of mark that exists.'),
    ttl: z.enum(['5m', '1h']).nullish().describe('How long the prefix stays cached; five minutes when absent.'),
  })
  .nullish()
  .describe('Marks the end of a prefix that the provider should keep in its prompt cache. At most four in a request.')

const textBlock = z
  .looseObject({
    type: z.literal('text'),
    text: z.string().describe('The text itself.'),
    cache_control: cacheControl,
    citations: z.array(z.unknown()).nullish().describe('Citations of an earlier answer, sent back as they came. Anthropic only.'),
  })
  .describe('A piece of text.')

const base64Source = z.looseObject({
  type: z.literal('base64'),
  media_type: z.string().describe('Media type of the data, such as `image/png` or `application/pdf`.'),
  data: z.string().describe('The bytes in base64.'),
})
const urlSource = z.looseObject({ type: z.literal('url'), url: z.string().describe('Where the provider fetches it from.') })
const fileSource = z.looseObject({
  type: z.literal('file'),
  file_id: z.string().describe('Id of a file uploaded to Anthropic. Means nothing to another provider.'),
})
const textSource = z.looseObject({
  type: z.literal('text'),
  media_type: z.literal('text/plain'),
  data: z.string().describe('The document as plain text.'),
})
const contentSource = z.looseObject({
  type: z.literal('content'),
  content: z.unknown().describe('A string, or text and image blocks. Anthropic only.'),
})

const imageBlock = z
  .looseObject({
    type: z.literal('image'),
    source: z.discriminatedUnion('type', [base64Source, urlSource, fileSource]).describe('Where the image comes from.'),
    cache_control: cacheControl,
  })
  .describe('An image to look at.')

const documentBlock = z
  .looseObject({
    type: z.literal('document'),
    source: z
      .discriminatedUnion('type', [base64Source, urlSource, fileSource, textSource, contentSource])
      .describe('Where the document comes from.'),
    title: z.string().nullish().describe('Name of the document.'),
    context: z.string().nullish().describe('What the model should know about the document. Anthropic only.'),
    citations: z
      .looseObject({ enabled: z.boolean().nullish() })
      .nullish()
      .describe('Whether the answer may cite the document. Anthropic only.'),
    cache_control: cacheControl,
  })
  .describe('A PDF or text document to read.')

const thinkingBlock = z
  .looseObject({
    type: z.literal('thinking'),
    thinking: z.string().describe('The reasoning as it came.'),
    signature: z.string().describe('Its seal as it came: send it back unchanged.'),
  })
  .describe('Reasoning of an earlier answer.')

const redactedThinkingBlock = z
  .looseObject({ type: z.literal('redacted_thinking'), data: z.string().describe('The sealed reasoning as it came.') })
  .describe('Reasoning of an earlier answer that came only in sealed form.')

const toolUseBlock = z
  .looseObject({
    type: z.literal('tool_use'),
    id: z.string().describe('Id of the call; its result names it.'),
    name: z.string().describe('Name of the tool.'),
    input: z.record(z.string(), z.unknown()).describe('The arguments.'),
    cache_control: cacheControl,
  })
  .describe('A tool call of an earlier answer.')

/** Blocks that have a canonical form; all others travel as they are, to Anthropic only. */
export const knownBlockTypes: ReadonlySet<string> = new Set([
  'text',
  'image',
  'document',
  'thinking',
  'redacted_thinking',
  'tool_use',
  'tool_result',
])

const otherBlock = z
  .looseObject({
    type: z.string().refine((type) => !knownBlockTypes.has(type), { error: 'this kind of block can not stand here.', abort: true }),
  })
  .describe('Any other block (`server_tool_use`, `web_search_tool_result`, `search_result` …). Travels as it is, to Anthropic only.')

const resultContentBlock = z.union([z.discriminatedUnion('type', [textBlock, imageBlock, documentBlock]), otherBlock])

const toolResultBlock = z
  .looseObject({
    type: z.literal('tool_result'),
    tool_use_id: z.string().describe('Id of the call that this answers.'),
    content: z
      .union([z.string(), z.array(resultContentBlock)])
      .nullish()
      .describe('What the tool gave back: text, or blocks.'),
    is_error: z.boolean().nullish().describe('True when the tool failed.'),
    cache_control: cacheControl,
  })
  .describe('The result of a tool call.')

const knownBlock = z.discriminatedUnion('type', [
  textBlock,
  imageBlock,
  documentBlock,
  thinkingBlock,
  redactedThinkingBlock,
  toolUseBlock,
  toolResultBlock,
])
const contentBlock = z.union([knownBlock, otherBlock])

const message = z.looseObject({
  role: z
    .enum(['user', 'assistant', 'system'])
    .describe('Who speaks. `system` inside the conversation gives new instructions from there on.'),
  content: z.union([z.string(), z.array(contentBlock)]).describe('Text, or content blocks.'),
})

const customTool = z
  .looseObject({
    type: z.literal('custom').nullish(),
    name: z.string().min(1).describe('Name that the model calls it by.'),
    description: z.string().nullish().describe('What the tool does and when to use it.'),
    input_schema: z.looseObject({ type: z.literal('object') }).describe('JSON Schema of the arguments; its type is `object`.'),
    strict: z.boolean().nullish().describe('True: the arguments always follow the schema.'),
    cache_control: cacheControl,
  })
  .describe('A tool of the caller.')

const serverTool = z
  .looseObject({
    type: z.string().refine((type) => type !== 'custom', { error: 'a custom tool needs a name and an input_schema.', abort: true }),
    name: z.string().optional(),
  })
  .describe('A tool that Anthropic runs or defines (`web_search_…`, `bash_…`). Anthropic only.')

const toolChoice = z.looseObject({
  type: z
    .enum(['auto', 'any', 'tool', 'none'])
    .describe('`auto`: the model decides; `any`: some tool; `tool`: the one named; `none`: no tool.'),
  name: z.string().optional().describe('Name of the tool, with type `tool`.'),
  disable_parallel_tool_use: z.boolean().nullish().describe('True: at most one call an answer.'),
})

const thinking = z.looseObject({
  type: z.string().describe('`enabled` with a budget, `adaptive` (the model decides how much), or `disabled`.'),
  budget_tokens: z.int().min(1024).optional().describe('Most tokens to think with, with type `enabled`; below `max_tokens`.'),
  display: z.enum(['summarized', 'omitted']).nullish().describe('Whether the answer shows the reasoning.'),
})

const jsonFormat = z.looseObject({
  type: z.literal('json_schema'),
  schema: z.record(z.string(), z.unknown()).describe('JSON Schema that the answer follows.'),
})

const outputConfig = z.looseObject({
  effort: z.string().nullish().describe('How hard to work: `low`, `medium`, `high`, `xhigh` or `max`.'),
  format: jsonFormat.nullish().describe('Structured output.'),
})

export const messagesRequestSchema = z.looseObject({
  model: z.string().min(1).describe('Model, alias or group to answer with.'),
  messages: z.array(message).min(1).describe('The conversation so far.'),
  max_tokens: z.int().min(0).describe('Most tokens to write, reasoning included.'),
  system: z
    .union([z.string(), z.array(textBlock)])
    .nullish()
    .describe('Instructions that stand before the conversation.'),
  stream: z.boolean().nullish().describe('True: the answer comes as server-sent events.'),
  temperature: z.number().min(0).max(1).nullish().describe('Randomness, 0 to 1.'),
  top_p: z.number().min(0).max(1).nullish().describe('Samples only from the most likely tokens that together have this probability.'),
  top_k: z.int().min(0).nullish().describe('Samples only from this many most likely tokens.'),
  stop_sequences: z.array(z.string()).nullish().describe('Texts that end the answer.'),
  tools: z
    .array(z.union([customTool, serverTool]))
    .nullish()
    .describe('Tools that the model may call.'),
  tool_choice: toolChoice.nullish().describe('How the model uses the tools.'),
  thinking: thinking.nullish().describe('Reasoning before the answer.'),
  output_config: outputConfig.nullish().describe('Effort and structured output.'),
  output_format: jsonFormat.nullish().describe('Structured output, as the beta named it; `output_config.format` is its present name.'),
  service_tier: z.string().nullish().describe('`auto` or `standard_only`.'),
  metadata: z
    .looseObject({ user_id: z.string().nullish().describe('Opaque id of the end user.') })
    .nullish()
    .describe('About the request.'),
})

/** The body of `POST /v1/messages/count_tokens`: the same, without the need for `max_tokens`. */
export const countTokensRequestSchema = messagesRequestSchema.partial({ max_tokens: true })

export type MessagesBody = z.infer<typeof countTokensRequestSchema>
export type KnownBlock = z.infer<typeof knownBlock>
export type ContentBlock = z.infer<typeof contentBlock>
export type TextBlock = z.infer<typeof textBlock>
export type CacheControl = z.infer<typeof cacheControl>
export type ToolResultBlock = z.infer<typeof toolResultBlock>
