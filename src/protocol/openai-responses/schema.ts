import * as z from 'zod'

/**
 * The body of `POST /v1/responses`. Unknown fields are kept at every level; a field that is `null` counts as absent.
 */

/** Any `type` that the other members of a union don't have. It aborts, so that their faults are told and not its own. */
function otherType(...known: readonly string[]): z.ZodString {
  return z.string().refine((type) => !known.includes(type), { abort: true })
}

const breakpoint = z
  .looseObject({ mode: z.string().nullish().describe('`explicit` is the only kind there is.') })
  .nullish()
  .describe('Marks the end of a prompt prefix that the provider should keep in its cache.')

const inputText = z
  .looseObject({ type: z.literal('input_text'), text: z.string().describe('The text.'), prompt_cache_breakpoint: breakpoint })
  .meta({ title: 'Text part' })
const outputText = z
  .looseObject({ type: z.literal('output_text'), text: z.string().describe('Text that the model wrote.') })
  .meta({ title: 'Text part of an answer' })
const refusalPart = z
  .looseObject({ type: z.literal('refusal'), refusal: z.string().describe('What the model said when it declined.') })
  .meta({ title: 'Refusal part' })
const inputImage = z
  .looseObject({
    type: z.literal('input_image'),
    image_url: z.string().min(1).nullish().describe('An http(s) URL, or a data URL with base64 data.'),
    file_id: z.string().min(1).nullish().describe('Id of an image uploaded to the provider; means nothing to another provider.'),
    detail: z.string().nullish().describe('How closely the model should look: `low`, `high`, `auto` or `original`.'),
    prompt_cache_breakpoint: breakpoint,
  })
  .meta({ title: 'Image part' })
const inputFile = z
  .looseObject({
    type: z.literal('input_file'),
    file_data: z.string().min(1).nullish().describe('A data URL with base64 data, or the base64 data alone.'),
    file_url: z.string().min(1).nullish().describe('An http(s) URL.'),
    file_id: z.string().min(1).nullish().describe('Id of a file uploaded to the provider; means nothing to another provider.'),
    filename: z.string().nullish().describe('Name of the file.'),
    prompt_cache_breakpoint: breakpoint,
  })
  .meta({ title: 'File part' })
const inputAudio = z
  .looseObject({
    type: z.literal('input_audio'),
    input_audio: z
      .looseObject({
        data: z.string().min(1).describe('The sound, base64.'),
        format: z.string().min(1).describe('`wav`, `mp3`, or another that the model takes.'),
      })
      .describe('The sound.'),
  })
  .meta({ title: 'Audio part' })
const otherPart = z
  .looseObject({ type: otherType('input_text', 'output_text', 'refusal', 'input_image', 'input_file', 'input_audio') })
  .meta({ title: 'Another part', description: 'Goes on untouched to a provider that speaks this format, and is refused for others.' })

const contentPart = z.union([inputText, outputText, refusalPart, inputImage, inputFile, inputAudio, otherPart])

const message = z
  .looseObject({
    type: z.literal('message').nullish().describe('May be left out.'),
    role: z.enum(['user', 'assistant', 'system', 'developer']).describe('Who speaks.'),
    content: z
      .union([z.string(), z.array(contentPart)])
      .describe('Text, or parts: text, images, files, sound; for the assistant its text and refusals.'),
  })
  .meta({ title: 'Message' })
const functionCall = z
  .looseObject({
    type: z.literal('function_call'),
    call_id: z.string().min(1).describe('Id by which the output answers.'),
    name: z.string().min(1).describe('Name of the function.'),
    arguments: z.string().describe('The arguments as JSON text, as the model wrote them.'),
  })
  .meta({ title: 'Function call' })
const functionCallOutput = z
  .looseObject({
    type: z.literal('function_call_output'),
    call_id: z.string().min(1).describe('Id of the call that this answers.'),
    output: z.union([z.string(), z.array(contentPart)]).describe("The function's result: text, or parts (text, images, files)."),
  })
  .meta({ title: 'Function call output' })
const reasoningItem = z
  .looseObject({
    type: z.literal('reasoning'),
    id: z.string().nullish().describe('The id that the provider gave.'),
    summary: z
      .array(z.looseObject({ text: z.string().nullish().describe('The text.') }))
      .nullish()
      .describe('The summary of the reasoning.'),
    content: z
      .array(z.looseObject({ text: z.string().nullish().describe('The text.') }))
      .nullish()
      .describe('The reasoning itself, where the model shows it.'),
    encrypted_content: z.string().nullish().describe('The sealed reasoning. Send it back unchanged.'),
  })
  .meta({ title: 'Reasoning' })
const otherItem = z
  .looseObject({ type: otherType('message', 'function_call', 'function_call_output', 'reasoning') })
  .meta({ title: 'Another item', description: 'Goes on untouched to a provider that speaks this format, and is refused for others.' })

const inputItem = z.union([message, functionCall, functionCallOutput, reasoningItem, otherItem])

const jsonSchema = z.record(z.string(), z.unknown())

const functionTool = z
  .looseObject({
    type: z.literal('function'),
    name: z.string().min(1).describe('Name of the function.'),
    description: z.string().nullish().describe('What it does; the model reads this.'),
    parameters: jsonSchema.nullish().describe('JSON Schema of its arguments.'),
    strict: z.boolean().nullish().describe('Whether the arguments must fit the schema exactly.'),
  })
  .meta({ title: 'Function' })
const otherTool = z.looseObject({ type: otherType('function') }).meta({
  title: 'Another tool',
  description: 'For example `custom` or `web_search`. Goes on untouched to a provider that speaks this format, and is refused for others.',
})

const toolChoice = z.union([
  z.enum(['none', 'auto', 'required']),
  z.looseObject({ type: z.literal('function'), name: z.string().min(1).describe('Name of the function.') }).meta({ title: 'One function' }),
  z.looseObject({ type: otherType('function') }).meta({ title: 'Another choice' }),
])

const format = z.union([
  z.looseObject({ type: z.literal('text') }).meta({ title: 'Text' }),
  z.looseObject({ type: z.literal('json_object') }).meta({ title: 'Any JSON object' }),
  z
    .looseObject({
      type: z.literal('json_schema'),
      name: z.string().nullish().describe('A name for the schema.'),
      description: z.string().nullish().describe('What the answer is for; the model reads this.'),
      schema: jsonSchema.describe('The JSON Schema.'),
      strict: z.boolean().nullish().describe('Whether the answer must fit the schema exactly.'),
    })
    .meta({ title: 'JSON by a schema' }),
  z.looseObject({ type: otherType('text', 'json_object', 'json_schema') }).meta({ title: 'Another format' }),
])

const needsState = 'Needs what the provider keeps between calls: only for providers that speak this format.'

/** The request body of `/v1/responses`. */
export const responsesRequestSchema = z
  .looseObject({
    model: z.string().min(1).describe('Name or alias of the model, such as `openai/gpt-5-mini`.'),
    input: z
      .union([z.string(), z.array(inputItem)])
      .nullish()
      .describe("The user's text, or the conversation so far as a list of items, oldest first."),
    instructions: z.string().nullish().describe('Instructions that stand before the conversation.'),
    stream: z.boolean().nullish().describe('Send the answer in pieces as server-sent events.'),
    stream_options: z
      .looseObject({
        include_obfuscation: z
          .boolean()
          .nullish()
          .describe('Pad the events to hide the length of what they say. Bursar adds no padding of its own.'),
      })
      .nullish()
      .describe('Settings of the stream.'),
    max_output_tokens: z.int().min(1).nullish().describe('Most tokens that the answer may have, reasoning included.'),
    temperature: z.number().min(0).nullish().describe('Randomness of sampling: 0 is the least.'),
    top_p: z.number().min(0).max(1).nullish().describe('Sample only from the most likely tokens that together have this probability.'),
    top_logprobs: z.int().min(0).nullish().describe('Give the log-probability of each token, with this many alternatives.'),
    include: z
      .array(z.string())
      .nullish()
      .describe('What else the answer should hold, such as `message.output_text.logprobs` or `reasoning.encrypted_content`.'),
    tools: z
      .array(z.union([functionTool, otherTool]))
      .nullish()
      .describe('Functions that the model may call, and tools that the provider runs.'),
    tool_choice: toolChoice.nullish().describe('Whether, or which, tool must be called.'),
    parallel_tool_calls: z.boolean().nullish().describe('Whether several tools may be called at once.'),
    text: z
      .looseObject({
        format: format.nullish().describe('Text, any JSON object, or JSON that fits a schema.'),
        verbosity: z.enum(['low', 'medium', 'high']).nullish().describe('How long-winded the answer should be.'),
      })
      .nullish()
      .describe('Form of the text.'),
    reasoning: z
      .looseObject({
        effort: z.enum(['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']).nullish().describe('How much the model should think.'),
        summary: z.enum(['auto', 'concise', 'detailed']).nullish().describe('Show a summary of the reasoning, of this length.'),
        generate_summary: z.enum(['auto', 'concise', 'detailed']).nullish().describe('The older name of `summary`.'),
      })
      .nullish()
      .describe('Settings of the reasoning.'),
    store: z.boolean().nullish().describe('Whether the provider may keep the answer for later.'),
    metadata: z.record(z.string(), z.string()).nullish().describe('Your own labels.'),
    service_tier: z.string().nullish().describe("The provider's service tier, such as `flex` or `priority`."),
    user: z.string().nullish().describe('Your id of the end user.'),
    safety_identifier: z.string().nullish().describe('Your stable id of the end user, for abuse checks; the newer name of `user`.'),
    prompt_cache_key: z.string().nullish().describe('Requests with the same key are sent to the same prompt cache.'),
    truncation: z
      .string()
      .nullish()
      .describe(
        '`disabled` (default), or `auto`: the provider may cut a conversation that is too long. `auto` only for providers that speak this format.',
      ),
    background: z.boolean().nullish().describe(`Answer later. ${needsState}`),
    previous_response_id: z
      .string()
      .nullish()
      .describe(`The answer that this one continues. ${needsState} Send the whole conversation as \`input\` instead.`),
    conversation: z
      .union([z.string(), z.looseObject({ id: z.string().describe('Its id.') })])
      .nullish()
      .describe(`The stored conversation that this belongs to. ${needsState}`),
    prompt: z.looseObject({}).nullish().describe(`A stored prompt. ${needsState}`),
    max_tool_calls: z
      .int()
      .min(0)
      .nullish()
      .describe('Most calls of tools that the provider runs. Only for providers that speak this format.'),
    prompt_cache_retention: z.string().nullish().describe('How long the prompt cache is kept. Only for providers that speak this format.'),
    context_management: z
      .array(z.looseObject({}))
      .nullish()
      .describe('How the provider should compact a long conversation. Only for providers that speak this format.'),
  })
  .meta({ title: 'Response request', description: 'Body of POST /v1/responses. Unknown fields go on to providers that speak this format.' })

export type ResponsesBody = z.infer<typeof responsesRequestSchema>
export type InputItem = z.infer<typeof inputItem>
export type ContentPart = z.infer<typeof contentPart>
/** What the schema holds for each `type`, told to the compiler: a union with an open member doesn't narrow by itself. */
export interface ItemOf {
  message: z.infer<typeof message>
  function_call: z.infer<typeof functionCall>
  function_call_output: z.infer<typeof functionCallOutput>
  reasoning: z.infer<typeof reasoningItem>
}
export interface PartOf {
  input_text: z.infer<typeof inputText>
  output_text: z.infer<typeof outputText>
  refusal: z.infer<typeof refusalPart>
  input_image: z.infer<typeof inputImage>
  input_file: z.infer<typeof inputFile>
  input_audio: z.infer<typeof inputAudio>
}

/** Top-level fields that the canonical form takes, wholly or in part; the rest is kept as extra fields. */
export const canonicalFields: ReadonlySet<string> = new Set([
  'model',
  'input',
  'instructions',
  'stream',
  'stream_options',
  'max_output_tokens',
  'temperature',
  'top_p',
  'top_logprobs',
  'include',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'reasoning',
  'store',
  'metadata',
  'service_tier',
  'user',
  'safety_identifier',
  'prompt_cache_key',
  'truncation',
  'background',
])
