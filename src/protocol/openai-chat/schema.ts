import * as z from 'zod'

/**
 * The body of `POST /v1/chat/completions`, as OpenAI, and the habits of OpenRouter, LiteLLM, vLLM and DeepSeek, write it.
 * Unknown fields are kept at every level; a field that is `null` counts as absent.
 */

/** Any `type` that the other members of a union don't have. It aborts, so that their faults are told and not its own. */
function otherType(...known: readonly string[]): z.ZodString {
  return z.string().refine((type) => !known.includes(type), { abort: true })
}

const cacheControl = z
  .looseObject({
    type: z.literal('ephemeral').describe('The only kind there is.'),
    ttl: z.enum(['5m', '1h']).nullish().describe('How long the provider should keep it; five minutes when absent.'),
  })
  .nullish()
  .describe('Marks the end of a prompt prefix that the provider should keep in its cache. Used where the provider takes marks.')

const textPart = z
  .looseObject({
    type: z.literal('text'),
    text: z.string().describe('The text.'),
    cache_control: cacheControl,
  })
  .meta({ title: 'Text part' })

const imagePart = z
  .looseObject({
    type: z.literal('image_url'),
    image_url: z.looseObject({
      url: z.string().min(1).describe('An http(s) URL, or a data URL with base64 data.'),
      detail: z.enum(['auto', 'low', 'high']).nullish().describe('How closely the model should look.'),
    }),
    cache_control: cacheControl,
  })
  .meta({ title: 'Image part' })

const audioPart = z
  .looseObject({
    type: z.literal('input_audio'),
    input_audio: z.looseObject({
      data: z.string().min(1).describe('The sound, base64.'),
      format: z.string().min(1).describe('`wav`, `mp3`, or another that the model takes.'),
    }),
    cache_control: cacheControl,
  })
  .meta({ title: 'Audio part' })

const filePart = z
  .looseObject({
    type: z.literal('file'),
    file: z.looseObject({
      file_data: z.string().min(1).nullish().describe('A data URL with base64 data, or an http(s) URL.'),
      file_id: z.string().min(1).nullish().describe('Id of a file uploaded to the provider; means nothing to another provider.'),
      filename: z.string().nullish().describe('Name of the file.'),
    }),
    cache_control: cacheControl,
  })
  .meta({ title: 'File part' })

const refusalPart = z
  .looseObject({ type: z.literal('refusal'), refusal: z.string().describe('What the model said when it declined.') })
  .meta({ title: 'Refusal part' })

const otherPart = z
  .looseObject({ type: otherType('text', 'image_url', 'input_audio', 'file', 'refusal') })
  .meta({ title: 'Another part', description: 'Goes on untouched to a provider that speaks this format, and is refused for others.' })

export const contentPartSchema = z.union([textPart, imagePart, audioPart, filePart, refusalPart, otherPart])

const content = z.union([z.string(), z.array(contentPartSchema)])
const name = z.string().nullish().describe('Name of the participant.')

const toolCall = z.union([
  z
    .looseObject({
      id: z.string().describe('Id by which the tool message answers.'),
      type: z.literal('function').nullish(),
      function: z.looseObject({
        name: z.string().min(1).describe('Name of the function.'),
        arguments: z.string().describe('The arguments as JSON text, as the model wrote them.'),
      }),
    })
    .meta({ title: 'Function call' }),
  z
    .looseObject({
      id: z.string().describe('Id by which the tool message answers.'),
      type: otherType('function'),
    })
    .meta({ title: 'Another call', description: 'For example `custom`. Goes on untouched to a provider that speaks this format.' }),
])

const systemMessage = z
  .looseObject({ role: z.literal('system'), content: content.describe('Instructions.'), name, cache_control: cacheControl })
  .meta({ title: 'System message' })
const developerMessage = z
  .looseObject({ role: z.literal('developer'), content: content.describe('Instructions.'), name, cache_control: cacheControl })
  .meta({ title: 'Developer message' })
const userMessage = z
  .looseObject({
    role: z.literal('user'),
    content: content.describe('Text, or parts: text, images, sound, files.'),
    name,
    cache_control: cacheControl,
  })
  .meta({ title: 'User message' })
const assistantMessage = z
  .looseObject({
    role: z.literal('assistant'),
    content: content.nullish().describe('Text or parts; may be absent beside tool calls.'),
    refusal: z.string().nullish().describe('What the model said when it declined.'),
    tool_calls: z.array(toolCall).nullish().describe('Calls that the model made.'),
    function_call: z
      .looseObject({ name: z.string().min(1), arguments: z.string() })
      .nullish()
      .describe('A call in the old `functions` style.'),
    reasoning_content: z.string().nullish().describe("The turn's reasoning, as DeepSeek and vLLM name it."),
    reasoning: z.string().nullish().describe("The turn's reasoning, as OpenRouter names it."),
    reasoning_details: z
      .array(z.looseObject({ type: z.string() }))
      .nullish()
      .describe("The turn's reasoning with its signatures, as OpenRouter writes it. Send it back unchanged in tool loops."),
    audio: z.looseObject({ id: z.string() }).nullish().describe('An earlier spoken answer of the model.'),
    name,
    cache_control: cacheControl,
  })
  .meta({ title: 'Assistant message' })
const toolMessage = z
  .looseObject({
    role: z.literal('tool'),
    content: content.nullish().describe("The tool's result: text or parts."),
    tool_call_id: z.string().describe('Id of the call that this answers.'),
    cache_control: cacheControl,
  })
  .meta({ title: 'Tool message' })
const functionMessage = z
  .looseObject({ role: z.literal('function'), content: z.string().nullish(), name: z.string().describe('Name of the function.') })
  .meta({ title: 'Function message', description: 'A result in the old `functions` style.' })

export const messageSchema = z.discriminatedUnion('role', [
  systemMessage,
  developerMessage,
  userMessage,
  assistantMessage,
  toolMessage,
  functionMessage,
])

const jsonSchema = z.record(z.string(), z.unknown())

const functionDefinition = z.looseObject({
  name: z.string().min(1).describe('Name of the function.'),
  description: z.string().nullish().describe('What it does; the model reads this.'),
  parameters: jsonSchema.nullish().describe('JSON Schema of its arguments.'),
  strict: z.boolean().nullish().describe('Whether the arguments must fit the schema exactly.'),
})

const tool = z.union([
  z.looseObject({ type: z.literal('function'), function: functionDefinition, cache_control: cacheControl }).meta({ title: 'Function' }),
  z
    .looseObject({ type: otherType('function') })
    .meta({ title: 'Another tool', description: 'For example `custom`. Goes on untouched to a provider that speaks this format.' }),
])

const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.looseObject({ type: z.literal('function'), function: z.looseObject({ name: z.string().min(1) }) }).meta({ title: 'One function' }),
  z.looseObject({ type: otherType('function') }).meta({ title: 'Another choice' }),
])

const responseFormat = z.union([
  z.looseObject({ type: z.literal('text') }),
  z.looseObject({ type: z.literal('json_object') }),
  z.looseObject({
    type: z.literal('json_schema'),
    json_schema: z.looseObject({
      name: z.string().nullish().describe('A name for the schema.'),
      description: z.string().nullish().describe('What the answer is for; the model reads this.'),
      schema: jsonSchema.nullish().describe('The JSON Schema.'),
      strict: z.boolean().nullish().describe('Whether the answer must fit the schema exactly.'),
    }),
  }),
  z.looseObject({ type: otherType('text', 'json_object', 'json_schema') }).meta({ title: 'Another format' }),
])

const effort = z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'])

/** The request body of `/v1/chat/completions`. */
export const chatRequestSchema = z
  .looseObject({
    model: z.string().min(1).describe('Name or alias of the model, such as `openai/gpt-5-mini`.'),
    messages: z.array(messageSchema).min(1).describe('The conversation so far, oldest first.'),
    stream: z.boolean().nullish().describe('Send the answer in pieces as server-sent events.'),
    stream_options: z
      .looseObject({ include_usage: z.boolean().nullish().describe('Send usage and cost in a last chunk.') })
      .nullish()
      .describe('Settings of the stream.'),
    max_completion_tokens: z.int().min(1).nullish().describe('Most tokens that the answer may have, reasoning included.'),
    max_tokens: z.int().min(1).nullish().describe('The older name of `max_completion_tokens`.'),
    temperature: z.number().min(0).nullish().describe('Randomness of sampling: 0 is the least.'),
    top_p: z.number().min(0).max(1).nullish().describe('Sample only from the most likely tokens that together have this probability.'),
    top_k: z.int().min(0).nullish().describe('Sample only from this many most likely tokens. OpenAI itself refuses it.'),
    n: z.int().min(1).max(128).nullish().describe('How many answers to give.'),
    stop: z
      .union([z.string(), z.array(z.string())])
      .nullish()
      .describe('Text, or texts, before which the answer ends.'),
    seed: z.int().nullish().describe('Makes sampling repeatable where the provider can.'),
    frequency_penalty: z.number().nullish().describe('Makes tokens less likely the more often they came.'),
    presence_penalty: z.number().nullish().describe('Makes tokens less likely once they came.'),
    logit_bias: z.record(z.string(), z.number()).nullish().describe('Added to the score of tokens, by token id.'),
    logprobs: z.boolean().nullish().describe('Give the log-probability of each token of the answer.'),
    top_logprobs: z.int().min(0).nullish().describe('Give this many alternatives at each token; needs `logprobs`.'),
    tools: z.array(tool).nullish().describe('Functions that the model may call.'),
    tool_choice: toolChoice.nullish().describe('Whether, or which, tool must be called.'),
    parallel_tool_calls: z.boolean().nullish().describe('Whether several tools may be called at once.'),
    functions: z.array(functionDefinition).nullish().describe('The older form of `tools`.'),
    function_call: z
      .union([z.enum(['none', 'auto']), z.looseObject({ name: z.string().min(1) })])
      .nullish()
      .describe('The older form of `tool_choice`.'),
    response_format: responseFormat.nullish().describe('Text, any JSON object, or JSON that fits a schema.'),
    reasoning_effort: effort.nullish().describe('How much the model should think.'),
    reasoning: z
      .looseObject({
        effort: effort.nullish().describe('The same as `reasoning_effort`.'),
        max_tokens: z.int().min(0).nullish().describe('Most tokens for thinking.'),
        exclude: z.boolean().nullish().describe('Think, but leave the thinking out of the answer.'),
        enabled: z.boolean().nullish().describe('Think at medium effort, or (`false`) not at all.'),
      })
      .nullish()
      .describe("OpenRouter's form of the reasoning settings."),
    verbosity: z.enum(['low', 'medium', 'high']).nullish().describe('How long-winded the answer should be.'),
    service_tier: z.string().nullish().describe("The provider's service tier, such as `flex` or `priority`."),
    user: z.string().nullish().describe('Your id of the end user.'),
    metadata: z.record(z.string(), z.string()).nullish().describe('Your own labels.'),
    prompt_cache_key: z.string().nullish().describe('Requests with the same key are sent to the same prompt cache.'),
    store: z.boolean().nullish().describe('Whether the provider may keep the answer for later.'),
    modalities: z.array(z.string()).nullish().describe('Kinds of output wanted, such as `text` and `audio`.'),
    audio: z.looseObject({}).nullish().describe('Voice and format of spoken output. Only for providers that speak this format.'),
    prediction: z.looseObject({}).nullish().describe('Text that the answer will mostly repeat. Only for providers that speak this format.'),
    web_search_options: z
      .looseObject({})
      .nullish()
      .describe("Settings of the provider's own web search. Only for providers that speak this format."),
    safety_identifier: z
      .string()
      .nullish()
      .describe('Your stable id of the end user, for abuse checks. Only for providers that speak this format.'),
  })
  .meta({
    title: 'Chat completion request',
    description: 'Body of POST /v1/chat/completions. Unknown fields go on to providers that speak this format.',
  })

export type ChatRequestBody = z.infer<typeof chatRequestSchema>
export type ChatMessage = z.infer<typeof messageSchema>
export type ChatContentPart = z.infer<typeof contentPartSchema>

/** Top-level fields that the canonical form knows. */
export const canonicalFields: ReadonlySet<string> = new Set([
  'model',
  'messages',
  'stream',
  'stream_options',
  'max_completion_tokens',
  'max_tokens',
  'temperature',
  'top_p',
  'top_k',
  'n',
  'stop',
  'seed',
  'frequency_penalty',
  'presence_penalty',
  'logit_bias',
  'logprobs',
  'top_logprobs',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'functions',
  'function_call',
  'response_format',
  'reasoning_effort',
  'reasoning',
  'verbosity',
  'service_tier',
  'user',
  'metadata',
  'prompt_cache_key',
  'store',
])
