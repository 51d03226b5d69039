import fc from 'fast-check'
import OpenAI from 'openai'
import { describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { noUsage, usd } from '../../quantities/index.js'
import type { CostReport } from '../codec.js'
import type { Part, Request } from '../conversation.js'
import { deltasOf } from '../deltas-of.js'
import type { Choice, Delta, FinishReason, Reply } from '../reply.js'
import { ReplyCollector } from '../reply-collector.js'
import { SseParser } from '../sse.js'
import { openaiChat } from './index.js'

const request: Request = { model: 'asked', messages: [], stream: true, streamUsage: true, paths: {}, extra: [] }
const usage = { ...noUsage, inputTokens: 10, cacheReadTokens: 2, cacheWrite5mTokens: 3, outputTokens: 7, reasoningTokens: 4 }
const cost: CostReport = { usd: usd('0.00025'), details: { inputTokens: usd('0.00025') } }
const context = { request, usage, cost, id: 'req_1' }

function collect(deltas: Iterable<Delta>): Reply {
  const collector = new ReplyCollector()
  for (const delta of deltas) collector.push(delta)
  return collector.reply()
}

function encodeStream(deltas: Iterable<Delta>, asked = request): string {
  const encoder = openaiChat.createStreamEncoder(asked, 'req_1')
  let text = ''
  for (const delta of deltas) text += encoder.push(delta)
  return text + encoder.end({ usage, cost })
}

function decodeStream(text: string): { deltas: Delta[]; complete: boolean } {
  const decoder = openaiChat.createStreamDecoder()
  const deltas = new SseParser().push(Buffer.from(text)).flatMap((event) => decoder.push(event))
  return { deltas, complete: decoder.complete() }
}

const chunks = (text: string): unknown[] =>
  text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event): unknown => (event === 'data: [DONE]' ? '[DONE]' : JSON.parse(event.slice('data: '.length))))

const words = fc.string({ unit: 'grapheme', minLength: 1 })
const seal = fc.constantFrom('anthropic-messages' as const, 'openai-responses' as const, 'gemini' as const, 'openai-chat' as const)
const reasoning: fc.Arbitrary<Part[]> = fc.oneof(
  fc.constant<Part[]>([]),
  words.map((text): Part[] => [{ type: 'reasoning', text }]),
  fc.array(
    fc.tuple(words, seal).map(([text, signatureFormat]): Part => ({ type: 'reasoning', text, signature: `sig ${text}`, signatureFormat })),
    { minLength: 1, maxLength: 3 },
  ),
  words.map((text): Part[] => [
    { type: 'reasoning', text, signature: 'S', signatureFormat: 'anthropic-messages' },
    { type: 'reasoning', text: '', signature: 'R', signatureFormat: 'anthropic-messages', redacted: true },
  ]),
)
const calls = fc.array(fc.tuple(words, fc.json(), fc.option(words, { nil: undefined })), { maxLength: 3 }).map((list) =>
  list.map(([name, json, signature], index): Part => ({
    type: 'tool_call',
    id: `call-${index}`,
    name,
    arguments: json,
    ...(signature === undefined ? {} : { signature }),
  })),
)
const odds = fc.option(
  fc.array(
    fc.record({
      token: words,
      logprob: fc.float({ noNaN: true, noDefaultInfinity: true, max: Math.fround(-0.5) }),
      bytes: fc.option(fc.array(fc.nat(255))),
      top: fc.array(fc.record({ token: words, logprob: fc.constant(-1.5), bytes: fc.constant(null) }), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  { nil: undefined },
)
const choice: fc.Arbitrary<Choice> = fc
  .tuple(
    reasoning,
    fc.option(words, { nil: undefined }),
    fc.option(words, { nil: undefined }),
    calls,
    odds,
    fc.constantFrom<FinishReason>('stop', 'length', 'content_filter'),
  )
  .map(([thoughts, text, refusal, toolCalls, logprobs, finish]): Choice => ({
    parts: [
      ...thoughts,
      ...(text === undefined ? [] : [{ type: 'text' as const, text }]),
      ...(refusal === undefined ? [] : [{ type: 'refusal' as const, text: refusal }]),
      ...toolCalls,
    ],
    finish: toolCalls.length > 0 && finish === 'stop' ? 'tool_calls' : finish,
    ...(logprobs === undefined || text === undefined ? {} : { logprobs }),
  }))
const replies: fc.Arbitrary<Reply> = fc
  .array(choice, { minLength: 1, maxLength: 3 })
  .map((choices) => ({ id: 'chatcmpl-1', model: 'served', created: 1_700_000_000, choices, reported: { usage, serviceTier: 'default' } }))

/** The counts that a chat completion carries: writes to the cache have one bucket there. The cost it carries is the provider's own. */
function told(reply: Reply): Omit<Reply, 'reported'> & { usage: unknown; tier: unknown } {
  const { reported, ...rest } = reply
  return { ...rest, usage: reported?.usage, tier: reported?.serviceTier }
}

describe('answers there and back', () => {
  it('streamed: what is decoded is what was encoded', () => {
    fc.assert(
      fc.property(replies, (reply) => {
        const { deltas, complete } = decodeStream(encodeStream(deltasOf(reply)))
        expect(complete).toBe(true)
        expect(told(collect(deltas))).toEqual(told(reply))
      }),
    )
  })

  it('whole: what is decoded is what was encoded', () => {
    fc.assert(
      fc.property(replies, (reply) => {
        expect(told(openaiChat.decodeReply(JSON.parse(JSON.stringify(openaiChat.encodeReply(reply, context)))))).toEqual(told(reply))
      }),
    )
  })

  it('streamed in pieces that interleave', () => {
    fc.assert(
      fc.property(replies, fc.array(fc.nat()), (reply, picks) => {
        const deltas = [...deltasOf(reply)]
        const queues = reply.choices.map((_, index) =>
          deltas.filter((delta) => 'choice' in delta && delta.choice === index).flatMap(pieces),
        )
        const mixed: Delta[] = deltas.filter((delta) => delta.type === 'start')
        for (let turn = 0; queues.some((queue) => queue.length > 0); turn++) {
          const open = queues.filter((queue) => queue.length > 0)
          const next = open[(picks[turn % Math.max(1, picks.length)] ?? 0) % open.length]?.shift()
          if (next) mixed.push(next)
        }
        mixed.push(...deltas.filter((delta) => delta.type === 'usage'))
        expect(told(collect(decodeStream(encodeStream(mixed)).deltas))).toEqual(told(reply))
      }),
    )
  })
})

/** A delta in two, where it is text without log-probabilities. */
function pieces(delta: Delta): Delta[] {
  if ((delta.type === 'text' && !delta.logprobs) || delta.type === 'reasoning' || delta.type === 'refusal') {
    const letters = Array.from(delta.text)
    const half = letters.length >> 1
    return [letters.slice(0, half), letters.slice(half)]
      .filter((part) => part.length > 0)
      .map((part) => ({ ...delta, text: part.join('') }))
  }
  if (delta.type === 'tool_arguments') {
    const half = delta.json.length >> 1
    return [delta.json.slice(0, half), delta.json.slice(half)].filter((json) => json !== '').map((json) => ({ ...delta, json }))
  }
  return [delta]
}

describe('a streamed answer as callers get it', () => {
  const start: Delta = { type: 'start', id: 'chatcmpl-1', model: 'served', created: 5 }
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 5, model: 'served' }
  const one = (delta: unknown, finish: string | null = null): unknown => ({
    ...head,
    choices: [{ index: 0, delta, finish_reason: finish }],
  })
  const call: Delta[] = [
    { type: 'tool_call', choice: 0, part: 0, id: 'a', name: 'f' },
    { type: 'tool_call', choice: 0, part: 1, id: 'b', name: 'g' },
    { type: 'tool_arguments', choice: 0, part: 1, json: '{"x":' },
    { type: 'tool_arguments', choice: 0, part: 1, json: '1}' },
  ]
  const wireUsage = {
    prompt_tokens: 15,
    completion_tokens: 11,
    total_tokens: 26,
    prompt_tokens_details: { cached_tokens: 2, cache_write_tokens: 3, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 4, audio_tokens: 0 },
    cost: 0.00025,
    cost_details: { upstream_inference_cost: 0.00025, inputTokens: 0.00025 },
  }

  it('has the role first, then calls with index, id and name, then arguments, the finish, usage, [DONE]', () => {
    const text = encodeStream([
      start,
      ...call,
      { type: 'finish', choice: 0, reason: 'tool_calls' },
      { type: 'usage', reported: { usage, serviceTier: 'flex' } },
    ])
    expect(chunks(text)).toEqual([
      one({ role: 'assistant', content: '' }),
      one({ tool_calls: [{ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } }] }),
      one({ tool_calls: [{ index: 1, id: 'b', type: 'function', function: { name: 'g', arguments: '' } }] }),
      one({ tool_calls: [{ index: 1, function: { arguments: '{"x":' } }] }),
      one({ tool_calls: [{ index: 1, function: { arguments: '1}' } }] }),
      // A call without arguments still has JSON to parse.
      one({ tool_calls: [{ index: 0, function: { arguments: '{}' } }] }),
      one({}, 'tool_calls'),
      { ...head, choices: [], usage: wireUsage, service_tier: 'flex' },
      '[DONE]',
    ])
  })

  it('has a choice beside usage that the caller never asked for', () => {
    const last = chunks(encodeStream([start, { type: 'finish', choice: 0, reason: 'stop' }], { ...request, streamUsage: false })).at(-2)
    expect(last).toEqual({ ...head, choices: [{ index: 0, delta: {}, finish_reason: null }], usage: wireUsage })
  })

  it('answers a caller of the older functions in their style', () => {
    const older = { ...request, paths: { tools: 'functions' } }
    const text = encodeStream(
      [
        start,
        ...call.slice(0, 1),
        { type: 'tool_arguments', choice: 0, part: 0, json: '{}' },
        { type: 'finish', choice: 0, reason: 'tool_calls' },
      ],
      older,
    )
    expect(chunks(text).slice(1, 4)).toEqual([
      one({ function_call: { name: 'f', arguments: '' } }),
      one({ function_call: { arguments: '{}' } }),
      one({}, 'function_call'),
    ])
    const whole = openaiChat.encodeReply({ ...collect([start, ...call.slice(0, 1)]) }, { ...context, request: older })
    expect(whole).toMatchObject({ choices: [{ message: { content: null, function_call: { name: 'f', arguments: '{}' } } }] })
  })

  it('leaves reasoning out where the caller wants none, and names it as the caller does', () => {
    const thought: Delta[] = [
      start,
      { type: 'reasoning', choice: 0, part: 0, text: 'hm' },
      { type: 'reasoning_signature', choice: 0, part: 0, signature: 'S', signatureFormat: 'anthropic-messages' },
    ]
    const hidden = { ...request, reasoning: { visible: false } }
    expect(encodeStream(thought, hidden)).not.toMatch(/reasoning"|reasoning_content|reasoning_details/)
    expect(JSON.stringify(openaiChat.encodeReply(collect(thought), { ...context, request: hidden }))).not.toMatch(
      /reasoning_content|reasoning_details/,
    )
    const openRouter = { ...request, paths: { reasoning: 'reasoning' } }
    expect(chunks(encodeStream(thought, openRouter))[1]).toEqual(
      one({ reasoning: 'hm', reasoning_details: [{ type: 'reasoning.text', text: 'hm', index: 0 }] }),
    )
    expect(chunks(encodeStream(thought))[1]).toMatchObject({ choices: [{ delta: { reasoning_content: 'hm' } }] })
  })

  it('is read by the OpenAI client', async () => {
    const deltas: Delta[] = [
      start,
      { type: 'text', choice: 0, part: 0, text: 'Let me ' },
      { type: 'text', choice: 0, part: 0, text: 'look.' },
      { type: 'text', choice: 1, part: 0, text: 'Other' },
      ...call.map((delta): Delta => ('part' in delta ? { ...delta, part: delta.part + 1 } : delta)),
      { type: 'finish', choice: 0, reason: 'tool_calls' },
      { type: 'finish', choice: 1, reason: 'stop' },
    ]
    const client = new OpenAI({
      apiKey: 'k',
      baseURL: 'http://unused',
      fetch: () => Promise.resolve(new Response(encodeStream(deltas), { headers: { 'content-type': 'text/event-stream' } })),
    })
    const completion = await client.chat.completions
      .stream({ model: 'm', messages: [{ role: 'user', content: 'x' }] })
      .finalChatCompletion()
    expect(
      completion.choices.map(({ message, finish_reason }) => [
        message.content,
        finish_reason,
        message.tool_calls?.map((tool) => tool.type === 'function' && tool.function.arguments),
      ]),
    ).toEqual([
      ['Let me look.', 'tool_calls', ['{}', '{"x":1}']],
      ['Other', 'stop', undefined],
    ])
    expect(completion.usage).toEqual(wireUsage)
  })

  it('ends with an error event and no [DONE] when it fails, which the OpenAI client throws', async () => {
    const error = new BursarError('The provider went away.', { code: 'stream_truncated', status: 502 })
    const event = openaiChat.encodeStreamError(error, 'req_1')
    expect(chunks(event)).toEqual([
      {
        id: 'req_1',
        object: 'chat.completion.chunk',
        error: { message: 'The provider went away.', type: 'server_error', code: 'stream_truncated', param: null, truncated: true },
      },
    ])
    const client = new OpenAI({
      apiKey: 'k',
      baseURL: 'http://unused',
      maxRetries: 0,
      fetch: () => Promise.resolve(new Response(event, { headers: { 'content-type': 'text/event-stream' } })),
    })
    await expect(
      client.chat.completions.stream({ model: 'm', messages: [{ role: 'user', content: 'x' }] }).finalChatCompletion(),
    ).rejects.toThrow('The provider went away.')
  })
})

describe('errors as callers get them', () => {
  it.each([
    ['invalid_request', 400, 'invalid_request_error'],
    ['invalid_key', 401, 'authentication_error'],
    ['model_not_allowed', 403, 'permission_error'],
    ['budget_exceeded', 429, 'insufficient_quota'],
    ['rate_limited', 429, 'rate_limit_error'],
    ['upstream_rate_limited', 429, 'rate_limit_error'],
    ['upstream_error', 502, 'server_error'],
  ] as const)('%s', (code, status, type) => {
    expect(openaiChat.encodeError(new BursarError('why', { code, status, path: 'messages[0]' }), 'req_1')).toEqual({
      error: { message: 'why', type, param: 'messages[0]', code },
    })
  })
})
