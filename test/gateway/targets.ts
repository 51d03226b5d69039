import {
  anthropicError,
  chatReply,
  chatStream,
  geminiError,
  geminiReply,
  geminiStream,
  messagesReply,
  messagesStream,
  openaiError,
  responsesReply,
  responsesStream,
  type Answer,
  type Behaviour,
} from '../upstream/index.js'
import { startBench, type Bench } from './harness.js'

/** One provider format behind the gateway: how the scripted upstream plays it, and how a request looks when it arrives there. */
export interface Target {
  readonly format: 'openai-chat' | 'openai-responses' | 'anthropic-messages' | 'gemini'
  /** The name that callers use. */
  readonly model: string
  readonly reply: (answer: Answer) => Behaviour
  readonly stream: (answer: Answer) => Behaviour
  readonly error: (status: number, message: string, headers?: Behaviour['headers']) => Behaviour
  /** Reasoning tokens that the format can tell apart from the rest of the output. */
  readonly reasoning: (tokens: number) => number
  /** Parts of the request that must have arrived. */
  readonly asked: (expected: Asked) => Record<string, unknown>
}

/** What a caller said, in no format at all. */
export interface Asked {
  readonly system?: string
  readonly user?: string
  readonly maxTokens?: number
  readonly temperature?: number
  /** Names of the tools that were offered. */
  readonly tools?: readonly string[]
  /** An answer to a tool call, the last thing said. */
  readonly toolResult?: { readonly id: string; readonly name: string; readonly text: string }
  readonly schema?: Record<string, unknown>
}

/** What the upstream bills for every answer of these tests. */
export const bill = { input: 30, cached: 10, output: 25, reasoning: 5 }
/** 20 × $1/M + 10 × $0.25/M + 25 × $4/M. */
export const cost = 0.0001225

const textOf = (text: string): unknown => ({
  asymmetricMatch: (got: unknown) => plainText(got) === text,
  toString: () => `text ${JSON.stringify(text)}`,
})

/** A text, or the text of a list of text parts. */
function plainText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (!Array.isArray(value)) return undefined
  return value
    .map((part: unknown) => (typeof part === 'object' && part !== null && 'text' in part && typeof part.text === 'string' ? part.text : ''))
    .join('')
}

/** A list that ends with something like this. */
const endingWith = (last: Record<string, unknown>): unknown => ({
  asymmetricMatch: (got: unknown) => Array.isArray(got) && matches(got.at(-1), last),
  toString: () => `a list ending with ${JSON.stringify(last)}`,
})

function matches(got: unknown, expected: unknown): boolean {
  if (typeof expected === 'object' && expected !== null) {
    if ('asymmetricMatch' in expected && typeof expected.asymmetricMatch === 'function') return expected.asymmetricMatch(got) === true
    if (Array.isArray(expected))
      return Array.isArray(got) && got.length === expected.length && expected.every((item, index) => matches(got[index], item))
    if (typeof got !== 'object' || got === null) return false
    const entries = new Map<string, unknown>(Object.entries(got))
    return Object.entries(expected).every(([name, value]) => matches(entries.get(name), value))
  }
  return got === expected
}

export const targets: readonly Target[] = [
  {
    format: 'openai-chat',
    model: 'via-chat',
    reply: chatReply,
    stream: chatStream,
    error: (status, message, headers) => openaiError(status, message, null, headers),
    reasoning: (tokens) => tokens,
    asked: ({ system, user, temperature, tools, toolResult, schema }) => ({
      model: 'mock',
      ...(user !== undefined && {
        messages: [...(system === undefined ? [] : [{ content: textOf(system) }]), { role: 'user', content: textOf(user) }],
      }),
      ...(temperature !== undefined && { temperature }),
      ...(tools && { tools: tools.map((name) => ({ type: 'function', function: { name } })) }),
      ...(toolResult && { messages: endingWith({ role: 'tool', tool_call_id: toolResult.id, content: textOf(toolResult.text) }) }),
      ...(schema && { response_format: { type: 'json_schema', json_schema: { schema } } }),
    }),
  },
  {
    format: 'openai-responses',
    model: 'via-responses',
    reply: responsesReply,
    stream: responsesStream,
    error: (status, message, headers) => openaiError(status, message, null, headers),
    reasoning: (tokens) => tokens,
    asked: ({ system, user, maxTokens, temperature, tools, toolResult, schema }) => ({
      model: 'mock',
      ...(user !== undefined && { input: inputSaying(system, user) }),
      ...(maxTokens !== undefined && { max_output_tokens: maxTokens }),
      ...(temperature !== undefined && { temperature }),
      ...(tools && { tools: tools.map((name) => ({ type: 'function', name })) }),
      ...(toolResult && { input: endingWith({ type: 'function_call_output', call_id: toolResult.id, output: textOf(toolResult.text) }) }),
      ...(schema && { text: { format: { type: 'json_schema', schema } } }),
    }),
  },
  {
    format: 'anthropic-messages',
    model: 'via-anthropic',
    reply: messagesReply,
    stream: messagesStream,
    error: (status, message, headers) => anthropicError(status, message, headers),
    reasoning: () => 0,
    asked: ({ system, user, maxTokens, temperature, tools, toolResult, schema }) => ({
      model: 'claude-sonnet-4-5',
      ...(user !== undefined && { messages: [{ role: 'user', content: textOf(user) }] }),
      ...(system !== undefined && { system: textOf(system) }),
      ...(maxTokens !== undefined && { max_tokens: maxTokens }),
      ...(temperature !== undefined && { temperature }),
      ...(tools && { tools: tools.map((name) => ({ name })) }),
      ...(toolResult && {
        messages: endingWith({
          role: 'user',
          content: endingWith({ type: 'tool_result', tool_use_id: toolResult.id, content: textOf(toolResult.text) }),
        }),
      }),
      ...(schema && { output_config: { format: { type: 'json_schema', schema } } }),
    }),
  },
  {
    format: 'gemini',
    model: 'via-gemini',
    reply: geminiReply,
    stream: geminiStream,
    error: (status, message, headers) => geminiError(status, message, status === 429 ? 'RESOURCE_EXHAUSTED' : 'INVALID_ARGUMENT', headers),
    reasoning: (tokens) => tokens,
    asked: ({ system, user, maxTokens, temperature, tools, toolResult, schema }) => ({
      ...(user !== undefined && { contents: [{ role: 'user', parts: textOf(user) }] }),
      ...(system !== undefined && { systemInstruction: { parts: textOf(system) } }),
      ...((maxTokens !== undefined || temperature !== undefined || schema) && {
        generationConfig: {
          ...(maxTokens !== undefined && { maxOutputTokens: maxTokens }),
          ...(temperature !== undefined && { temperature }),
          ...(schema && { responseMimeType: 'application/json', responseJsonSchema: schema }),
        },
      }),
      ...(tools && { tools: [{ functionDeclarations: tools.map((name) => ({ name })) }] }),
      ...(toolResult && {
        contents: endingWith({
          role: 'user',
          parts: endingWith({ functionResponse: { name: toolResult.name, response: containing(toolResult.text) } }),
        }),
      }),
    }),
  },
]

/** An object with the text anywhere in it: Gemini's results are objects, whatever they say. */
function containing(text: string): unknown {
  return { asymmetricMatch: (got: unknown) => (JSON.stringify(got) ?? '').includes(text), toString: () => `something with ${text}` }
}

/** A Responses input that says this; instructions may stand apart or in front. */
function inputSaying(system: string | undefined, user: string): unknown {
  const items = [...(system === undefined ? [] : [{ content: textOf(system) }]), { role: 'user', content: textOf(user) }]
  return {
    asymmetricMatch: (got: unknown) => plainText(got) === user || matches(got, items) || matches(got, items.slice(-1)),
    toString: () => `an input saying ${user}`,
  }
}

/** The gateway in front of the scripted upstream, with one provider for each format and the sandbox. */
export function startTargets(change: (config: Record<string, unknown>) => void = () => {}): Promise<Bench> {
  return startBench((config, upstream) => {
    const price = { input: 1, cache_read: 0.25, output: 4 }
    config['providers'] = {
      chat: {
        type: 'openai-compatible',
        base_url: `${upstream.url}/v1`,
        api_key: 'sk-upstream-secret',
        formats: ['openai-chat', 'openai-embeddings'],
      },
      responses: {
        type: 'openai-compatible',
        base_url: `${upstream.url}/v1`,
        api_key: 'sk-upstream-secret',
        formats: ['openai-responses'],
      },
      ant: { type: 'anthropic', base_url: upstream.url, api_key: 'sk-ant-secret' },
      gem: { type: 'gemini', base_url: `${upstream.url}/v1beta`, api_key: 'gem-secret' },
      box: { type: 'sandbox', speed: 'instant' },
    }
    config['models'] = {
      'via-chat': 'chat/mock',
      'via-responses': 'responses/mock',
      'via-anthropic': 'ant/claude-sonnet-4-5',
      'via-gemini': 'gem/gemini-2.5-flash',
      embed: 'chat/mock-embed',
    }
    config['prices'] = {
      'chat/mock': price,
      'responses/mock': price,
      'ant/claude-sonnet-4-5': price,
      'gem/gemini-2.5-flash': price,
      'chat/mock-embed': { input: 1 },
    }
    // Failures are scripted here on purpose; a rest after three of them would meet the next test.
    config['cooldown'] = { after_faults: 1000 }
    change(config)
  })
}

/** Two calls at once, with arguments in pieces. */
export const parallelCalls = [
  { id: 'call_weather_1', name: 'get_weather', arguments: ['{"city"', ':"Os', 'lo","days":3}'] },
  { id: 'call_time_2', name: 'get_time', arguments: ['{"zone":"CET"}'] },
] as const

export const weatherParameters = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer' } },
  required: ['city', 'days'],
  additionalProperties: false,
}

export const timeParameters = { type: 'object', properties: { zone: { type: 'string' } }, required: ['zone'], additionalProperties: false }
