import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { jsonSchema, streamText, type LanguageModel, type ToolSet } from 'ai'
import fc from 'fast-check'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addUsage, noUsage, totalInputTokens, totalOutputTokens, usd, type Usage } from '../../src/quantities/index.js'
import {
  inboundCodec,
  outboundCodec,
  ReplyCollector,
  SseParser,
  type CostReport,
  type Delta,
  type Reply,
  type Request,
} from '../../src/protocol/index.js'
import {
  chatReply,
  chatStream,
  geminiReply,
  geminiStream,
  messagesReply,
  messagesStream,
  responsesReply,
  responsesStream,
  type Answer,
  type Behaviour,
} from '../upstream/index.js'
import type { Caller, Target } from './conversations.js'

/** Answers and streams: every provider's format, decoded, written for every kind of caller, and read by that caller's official client. */

const providers: Readonly<
  Record<Target, { readonly whole: (answer: Answer) => Behaviour; readonly stream: (answer: Answer) => Behaviour }>
> = {
  'openai-chat': { whole: chatReply, stream: chatStream },
  'openai-responses': { whole: responsesReply, stream: responsesStream },
  'anthropic-messages': { whole: messagesReply, stream: messagesStream },
  gemini: { whole: geminiReply, stream: geminiStream },
}
const targets = Object.keys(providers) as readonly Target[]
const callers: readonly Caller[] = ['openai-chat', 'openai-responses', 'anthropic-messages']
const cost: CostReport = { usd: usd('0.0123'), details: { output: usd('0.0123') } }
const tools = { weather: { city: 'Rome' }, now: {} }

const answers: readonly (readonly [name: string, answer: Answer])[] = [
  ['text in pieces', { text: ['Hel', 'lo, ', '世界 👋\n', '"quoted" \\ '] }],
  ['an empty piece between', { text: ['a', '', 'b'] }],
  ['reasoning before the text', { reasoning: ['Let me ', 'see.'], text: ['Yes.'] }],
  [
    'text and parallel calls, arguments in pieces',
    {
      text: ['Looking.'],
      toolCalls: [
        { id: 'call_1', name: 'weather', arguments: ['{"ci', 'ty":"', 'Rome"}'] },
        { id: 'call_2', name: 'now', arguments: '{}' },
      ],
    },
  ],
  ['a call alone, without arguments', { toolCalls: [{ id: 'call_1', name: 'now', arguments: '{}' }] }],
  ['an answer cut by length', { text: ['Once upon'], finish: 'length' }],
  ['a filtered answer', { text: ['Well'], finish: 'filter' }],
  ['a bill with everything', { text: ['Hi.'], usage: { input: 100, cached: 40, output: 50, reasoning: 20 } }],
  ['no usage', { text: ['Hi.'], usage: null }],
]
const cases = answers.flatMap(([name, answer]) => targets.flatMap((target) => callers.map((caller) => ({ name, answer, target, caller }))))

function bytesOf(behaviour: Behaviour): Buffer {
  return Buffer.concat((behaviour.events ?? []).map((event) => Buffer.from(event)))
}

function decodeStream(target: Target, pieces: readonly Uint8Array[]): { readonly deltas: readonly Delta[]; readonly complete: boolean } {
  const decoder = outboundCodec(target)?.createStreamDecoder()
  const parser = new SseParser()
  const deltas = pieces.flatMap((piece) => parser.push(piece).flatMap((event) => decoder?.push(event) ?? []))
  return { deltas, complete: decoder?.complete() ?? false }
}

function collected(deltas: readonly Delta[]): Reply {
  const collector = new ReplyCollector()
  for (const delta of deltas) collector.push(delta)
  return collector.reply()
}

function asked(caller: Caller, stream: boolean): Request {
  const names = Object.keys(tools)
  const schema = { type: 'object', properties: {} }
  const bodies: Readonly<Record<Caller, Record<string, unknown>>> = {
    'openai-chat': {
      messages: [{ role: 'user', content: 'x' }],
      stream_options: { include_usage: true },
      tools: names.map((name) => ({ type: 'function', function: { name, parameters: schema } })),
    },
    'openai-responses': { input: 'x', tools: names.map((name) => ({ type: 'function', name, parameters: schema })) },
    'anthropic-messages': {
      messages: [{ role: 'user', content: 'x' }],
      max_tokens: 100,
      tools: names.map((name) => ({ name, input_schema: schema })),
    },
  }
  const { stream_options: options, ...body } = bodies[caller]
  const request = inboundCodec(caller)?.decodeRequest({
    model: 'asked',
    ...body,
    ...(stream ? { stream, ...(options ? { stream_options: options } : undefined) } : undefined),
  })
  if (!request) throw new Error(`no inbound ${caller}`)
  return request
}

function writeStream(caller: Caller, deltas: readonly Delta[], usage: Usage): string {
  const encoder = inboundCodec(caller)?.createStreamEncoder(asked(caller, true), 'ours')
  return deltas.map((delta) => encoder?.push(delta) ?? '').join('') + (encoder?.end({ usage, cost }) ?? '')
}

/** What a client understood. */
interface Understood {
  readonly text: string
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: unknown }[]
  readonly end: 'stop' | 'length' | 'tools' | 'filter'
  readonly input: number
  readonly cached: number
  readonly output: number
  readonly cost: unknown
}

function expected(answer: Answer, usage: Usage): Understood {
  const join = (text: string | readonly string[] | undefined): string => (typeof text === 'string' ? text : (text ?? []).join(''))
  const calls = (answer.toolCalls ?? []).map((call) => ({
    id: call.id,
    name: call.name,
    arguments: JSON.parse(join(call.arguments)) as unknown,
  }))
  return {
    text: join(answer.text),
    calls,
    end: answer.finish ?? (calls.length > 0 ? 'tools' : 'stop'),
    input: totalInputTokens(usage),
    cached: usage.cacheReadTokens,
    output: totalOutputTokens(usage),
    cost: 0.0123,
  }
}

let answer = { type: '', body: '' }
const server = createServer((_req, res) => {
  res.setHeader('content-type', answer.type)
  res.end(answer.body)
})
let base = ''
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => server.close(resolve)))

const moneyOf = (usage: unknown): unknown => (usage as { cost?: unknown } | null | undefined)?.cost

/** Lets the caller's own client read what the server sends. */
const clients: Readonly<Record<Caller, (stream: boolean) => Promise<Understood>>> = {
  async 'openai-chat'(stream) {
    const { completions } = new OpenAI({ apiKey: 'k', baseURL: `${base}/v1`, maxRetries: 0 }).chat
    const body = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }] }
    const whole = stream
      ? await completions.stream({ ...body, stream_options: { include_usage: true } }).finalChatCompletion()
      : await completions.create(body)
    const choice = whole.choices[0]
    const ends = { stop: 'stop', length: 'length', tool_calls: 'tools', function_call: 'tools', content_filter: 'filter' } as const
    return {
      text: choice?.message.content ?? '',
      calls: (choice?.message.tool_calls ?? []).flatMap((call) =>
        call.type === 'function'
          ? [{ id: call.id, name: call.function.name, arguments: JSON.parse(call.function.arguments) as unknown }]
          : [],
      ),
      end: ends[choice?.finish_reason ?? 'stop'],
      input: whole.usage?.prompt_tokens ?? -1,
      cached: whole.usage?.prompt_tokens_details?.cached_tokens ?? -1,
      output: whole.usage?.completion_tokens ?? -1,
      cost: moneyOf(whole.usage),
    }
  },
  async 'openai-responses'(stream) {
    const { responses } = new OpenAI({ apiKey: 'k', baseURL: `${base}/v1`, maxRetries: 0 })
    const whole = stream
      ? await responses.stream({ model: 'm', input: 'x' }).finalResponse()
      : await responses.create({ model: 'm', input: 'x' })
    const calls = whole.output.flatMap((item) =>
      item.type === 'function_call' ? [{ id: item.call_id, name: item.name, arguments: JSON.parse(item.arguments) as unknown }] : [],
    )
    const cut = whole.incomplete_details?.reason
    return {
      text: whole.output_text,
      calls,
      end: cut === 'max_output_tokens' ? 'length' : cut === 'content_filter' ? 'filter' : calls.length > 0 ? 'tools' : 'stop',
      input: whole.usage?.input_tokens ?? -1,
      cached: whole.usage?.input_tokens_details.cached_tokens ?? -1,
      output: whole.usage?.output_tokens ?? -1,
      cost: moneyOf(whole.usage),
    }
  },
  async 'anthropic-messages'(stream) {
    const { messages } = new Anthropic({ apiKey: 'k', baseURL: base, maxRetries: 0 })
    const body = { model: 'm', max_tokens: 100, messages: [{ role: 'user' as const, content: 'x' }] }
    let money: unknown
    // The client keeps only the fields of `usage` that it knows; the cost is in the event.
    const whole = stream
      ? await messages
          .stream(body)
          .on('streamEvent', (event) => void (money = event.type === 'message_delta' ? moneyOf(event.usage) : money))
          .finalMessage()
      : await messages.create(body)
    const { usage } = whole
    const ends: Readonly<Record<string, Understood['end']>> = {
      end_turn: 'stop',
      max_tokens: 'length',
      tool_use: 'tools',
      refusal: 'filter',
    }
    return {
      text: whole.content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
      calls: whole.content.flatMap((block) =>
        block.type === 'tool_use' ? [{ id: block.id, name: block.name, arguments: block.input }] : [],
      ),
      end: ends[whole.stop_reason ?? ''] ?? 'stop',
      input: usage.input_tokens + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0),
      cached: usage.cache_read_input_tokens ?? -1,
      output: usage.output_tokens,
      cost: stream ? money : moneyOf(usage),
    }
  },
}

describe('a whole answer', () => {
  it.each(cases)('$name: from $target to $caller', async ({ answer: said, target, caller }) => {
    const reply = outboundCodec(target)?.decodeReply(JSON.parse(JSON.stringify(providers[target].whole(said).body)))
    if (!reply) throw new Error(`no outbound ${target}`)
    // Anthropic always reports.
    expect(reply.reported === undefined).toBe(said.usage === null && target !== 'anthropic-messages')
    const usage = reply.reported?.usage ?? { ...noUsage, inputTokens: 3, outputTokens: 4 }
    const body = inboundCodec(caller)?.encodeReply(reply, { request: asked(caller, false), usage, cost, id: 'ours' })
    answer = { type: 'application/json', body: JSON.stringify(body) }
    expect(await clients[caller](false)).toEqual(expected(said, usage))
  })
})

describe('a streamed answer', () => {
  it.each(cases)('$name: from $target to $caller', async ({ answer: said, target, caller }) => {
    const { deltas, complete } = decodeStream(target, [bytesOf(providers[target].stream(said))])
    expect(complete).toBe(true)
    const reply = collected(deltas)
    const usage = reply.reported?.usage ?? { ...noUsage, inputTokens: 3, outputTokens: 4 }
    answer = { type: 'text/event-stream', body: writeStream(caller, deltas, usage) }
    expect(await clients[caller](true)).toEqual(expected(said, usage))
  })

  it.each(targets)('from %s says the same as the whole one', (target) => {
    for (const [name, said] of answers) {
      const whole = outboundCodec(target)?.decodeReply(JSON.parse(JSON.stringify(providers[target].whole(said).body)))
      const streamed = collected(decodeStream(target, [bytesOf(providers[target].stream(said))]).deltas)
      expect(strip(streamed), name).toEqual(strip(whole))
    }
  })

  it.each(targets)('from %s is the same however its bytes are cut', (target) => {
    for (const [, said] of answers) {
      const bytes = bytesOf(providers[target].stream(said))
      const whole = strip(decodeStream(target, [bytes]).deltas)
      fc.assert(
        fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
          const places = [0, ...cuts.sort((a, b) => a - b), bytes.length]
          const pieces = places.slice(1).map((end, index) => bytes.subarray(places[index], end))
          expect(strip(decodeStream(target, pieces).deltas)).toEqual(whole)
        }),
        { numRuns: 25 },
      )
      expect(
        strip(
          decodeStream(
            target,
            [...bytes].map((byte) => Uint8Array.of(byte)),
          ).deltas,
        ),
      ).toEqual(whole)
    }
  })

  it.each(targets)('from %s that is cut anywhere is not complete', (target) => {
    const bytes = bytesOf(providers[target].stream({ text: ['One ', 'two.'] }))
    // The event that holds the proper end: its own last byte is the blank line's.
    const events = bytes
      .toString()
      .split('\n\n')
      .filter((event) => event !== '')
    const ends = events.findIndex((event) => /finish_reason":"stop"|response\.completed|message_stop|finishReason":"STOP"/.test(event))
    expect(ends).toBeGreaterThan(0)
    const before = Buffer.from(events.slice(0, ends).join('\n\n'))
    for (let length = 0; length <= before.length; length += 7)
      expect(decodeStream(target, [bytes.subarray(0, length)]).complete).toBe(false)
  })

  it.each(callers)('written for %s reads back the same at a provider of the format', (caller) => {
    for (const target of targets)
      for (const [name, said] of answers) {
        const { deltas } = decodeStream(target, [bytesOf(providers[target].stream(said))])
        const first = collected(deltas)
        const usage = first.reported?.usage ?? noUsage
        const again = collected(decodeStream(caller, [Buffer.from(writeStream(caller, deltas, usage))]).deltas)
        expect(content(again), `${name} from ${target}`).toEqual(content(first))
        expect(again.reported?.usage, `${name} from ${target}`).toEqual(usage)
      }
  })
})

/**
 * Times differ from one reading to the next. Not in a stream: the system fingerprint, and the id of reasoning without a seal,
 * which means nothing to anybody.
 */
function strip(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) => {
      if (key === 'created' || key === 'systemFingerprint') return undefined
      return isUnsealed(inner) ? { ...inner, id: undefined } : inner
    }),
  )
}

function isUnsealed(value: unknown): value is object {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'reasoning' && !('signature' in value)
}

/** Text, reasoning and calls; how they end, as every format can say it. */
function content(reply: Reply): unknown {
  const choice = reply.choices[0]
  const of = (type: 'text' | 'reasoning'): string => (choice?.parts ?? []).map((part) => (part.type === type ? part.text : '')).join('')
  return {
    text: of('text'),
    reasoning: of('reasoning'),
    calls: choice?.parts.flatMap((part) =>
      part.type === 'tool_call' ? [[part.id, part.name, JSON.parse(part.arguments === '' ? '{}' : part.arguments)]] : [],
    ),
    finish: choice?.finish === 'refusal' ? 'content_filter' : choice?.finish,
  }
}

describe('the AI SDK', () => {
  const languageModel: Readonly<Record<Caller, () => LanguageModel>> = {
    'openai-chat': () => createOpenAI({ apiKey: 'k', baseURL: `${base}/v1` }).chat('m'),
    'openai-responses': () => createOpenAI({ apiKey: 'k', baseURL: `${base}/v1` }).responses('m'),
    'anthropic-messages': () => createAnthropic({ apiKey: 'k', baseURL: `${base}/v1` })('m'),
  }
  const anything = jsonSchema<Record<string, unknown>>({ type: 'object' })
  const toolSet: ToolSet = { weather: { inputSchema: anything }, now: { inputSchema: anything } }

  it.each(targets.flatMap((target) => callers.map((caller) => ({ target, caller }))))(
    'reads a stream from $target to $caller',
    async ({ target, caller }) => {
      for (const [name, said] of answers) {
        if (said.finish !== undefined) continue
        const { deltas } = decodeStream(target, [bytesOf(providers[target].stream(said))])
        const usage = addUsage(collected(deltas).reported?.usage ?? noUsage, { ...noUsage, inputTokens: 1 })
        answer = { type: 'text/event-stream', body: writeStream(caller, deltas, usage) }
        const errors: unknown[] = []
        const result = streamText({
          model: languageModel[caller](),
          prompt: 'x',
          tools: toolSet,
          maxOutputTokens: 100,
          maxRetries: 0,
          onError: ({ error }) => void errors.push(error),
        })
        const text = await result.text
        const want = expected(said, usage)
        expect(errors, name).toEqual([])
        expect(text, name).toBe(want.text)
        const calls = await result.toolCalls
        expect(
          calls.map((call) => ({ id: call.toolCallId, name: call.toolName, arguments: call.input as unknown })),
          name,
        ).toEqual(want.calls)
        expect(await result.finishReason, name).toBe(want.calls.length > 0 ? 'tool-calls' : 'stop')
        const counted = await result.usage
        expect([counted.inputTokens, counted.outputTokens], name).toEqual([want.input, want.output])
      }
    },
  )
})
