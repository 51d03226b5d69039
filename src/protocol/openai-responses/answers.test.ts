import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import OpenAI, { APIError } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { noUsage, usd } from '../../quantities/index.js'
import type { EncodeContext } from '../codec.js'
import type { Part, Request } from '../conversation.js'
import { deltasOf } from '../deltas-of.js'
import type { Choice, Delta, Reply } from '../reply.js'
import { ReplyCollector } from '../reply-collector.js'
import { SseParser } from '../sse.js'
import { openaiResponses } from './index.js'

const request: Request = openaiResponses.decodeRequest({
  model: 'asked',
  input: 'hi',
  instructions: 'Be terse.',
  tools: [{ type: 'function', name: 'f', parameters: { type: 'object' } }],
  metadata: { a: 'b' },
  temperature: 0.3,
})
const usage = { ...noUsage, inputTokens: 10, cacheReadTokens: 5, cacheWrite5mTokens: 2, outputTokens: 7, reasoningTokens: 3 }
const cost = { usd: usd('0.0012'), details: { input: usd('0.001'), output: usd('0.0002') } }
const context: EncodeContext = { request, usage, cost, id: 'resp_ours' }

function reply(parts: readonly Part[], more: Partial<Choice> = {}): Reply {
  const finish = parts.some((part) => part.type === 'tool_call') ? 'tool_calls' : 'stop'
  return { id: 'resp_1', model: 'answered', created: 1_700_000_000, choices: [{ parts, finish, ...more }], reported: undefined }
}

function encoded(deltas: Iterable<Delta>, asked: Request = request): string {
  const encoder = openaiResponses.createStreamEncoder(asked, 'resp_ours')
  let text = ''
  for (const delta of deltas) text += encoder.push(delta)
  return text + encoder.end({ usage, cost })
}
function eventsOf(text: string): Record<string, unknown>[] {
  return new SseParser().push(Buffer.from(text)).map((event) => {
    const data = JSON.parse(event.data) as Record<string, unknown>
    expect(event.event).toBe(data['type'])
    return data
  })
}
function decoded(text: string): Reply {
  const decoder = openaiResponses.createStreamDecoder()
  const collector = new ReplyCollector()
  for (const event of new SseParser().push(Buffer.from(text))) for (const delta of decoder.push(event)) collector.push(delta)
  expect(decoder.complete()).toBe(true)
  return collector.reply()
}

const thinking: Part = { type: 'reasoning', text: 'Let me see.', signature: 'seal', signatureFormat: 'openai-responses', id: 'rs_theirs' }
const call = (id: string, json: string): Part => ({ type: 'tool_call', id, name: 'f', arguments: json })

const answers: readonly (readonly [string, Reply])[] = [
  ['text', reply([{ type: 'text', text: 'Hello, 世界 👋' }])],
  ['a refusal', reply([{ type: 'refusal', text: 'I would rather not.' }])],
  [
    'several texts',
    reply([
      { type: 'text', text: 'One.' },
      { type: 'text', text: 'Two.' },
    ]),
  ],
  ['reasoning, text and calls', reply([thinking, { type: 'text', text: 'Looking.' }, call('a', '{"x":1}'), call('b', '{"y":[2]}')])],
  [
    'sealed reasoning',
    reply([
      { type: 'reasoning', text: '', signature: 'seal', signatureFormat: 'openai-responses', redacted: true, id: 'rs_9' },
      { type: 'text', text: 'Yes.' },
    ]),
  ],
  ['text cut by length', reply([{ type: 'text', text: 'Once upon' }], { finish: 'length' })],
  ['a filtered answer', reply([{ type: 'text', text: 'Well' }], { finish: 'content_filter' })],
  [
    'log-probabilities',
    reply([{ type: 'text', text: 'Yes' }], {
      logprobs: [{ token: 'Yes', logprob: -0.1, bytes: [89, 101, 115], top: [{ token: 'No', logprob: -2.3, bytes: [78, 111] }] }],
    }),
  ],
  [
    "a part of a message of OpenAI's own kind",
    reply([
      { type: 'text', text: 'Listen:' },
      { type: 'native', format: 'openai-responses', value: { type: 'output_audio', data: 'AAAA', transcript: 'x' } },
    ]),
  ],
  [
    "a call of OpenAI's own tools",
    reply([
      { type: 'native', format: 'openai-responses', value: { type: 'web_search_call', id: 'ws_1', status: 'completed' } },
      { type: 'text', text: 'Found.' },
    ]),
  ],
]

const reported = {
  usage: expect.objectContaining({
    inputTokens: 10,
    cacheReadTokens: 5,
    cacheWrite5mTokens: 2,
    outputTokens: 7,
    reasoningTokens: 3,
  }) as unknown,
}

describe('answers there and back', () => {
  it.each(answers)('%s, whole', (_name, whole) => {
    const body = openaiResponses.encodeReply(whole, context)
    expect(openaiResponses.decodeReply(JSON.parse(JSON.stringify(body)))).toEqual({
      ...whole,
      reported: expect.objectContaining(reported) as unknown,
    })
  })

  it.each(answers)('%s, streamed', (_name, whole) => {
    expect(decoded(encoded(deltasOf(whole)))).toEqual({ ...whole, reported: expect.objectContaining(reported) as unknown })
  })

  it.each(answers)('%s: the last event holds the same response as the whole body', (_name, whole) => {
    const events = eventsOf(encoded(deltasOf(whole)))
    const last = events.at(-1)
    const body = openaiResponses.encodeReply(whole, context)
    expect(last?.['type']).toBe(body['status'] === 'completed' ? 'response.completed' : 'response.incomplete')
    expect(withoutIds(last?.['response'])).toEqual(withoutIds(body))
    expect(events.map((event) => event['sequence_number'])).toEqual(events.map((_event, index) => index))
    expect(events.map((event) => event['type']).slice(0, 2)).toEqual(['response.created', 'response.in_progress'])
  })

  it('any interleaving of parallel calls arrives', () => {
    const json = fc.json({ maxDepth: 2 }).map((text) => `{"v":${text}}`)
    fc.assert(
      fc.property(fc.array(json, { minLength: 1, maxLength: 4 }), fc.infiniteStream(fc.nat()), fc.boolean(), (calls, picks, textFirst) => {
        const deltas: Delta[] = [{ type: 'start', id: 'resp_1', model: 'answered', created: 1 }]
        const base = textFirst ? 1 : 0
        if (textFirst) deltas.push({ type: 'text', choice: 0, part: 0, text: 'Hm.' })
        const left = calls.map((text) => ({ text, begun: false, at: 0 }))
        let next = 0
        for (;;) {
          const open = left.filter((one, index) => one.at < one.text.length && (one.begun || index === next))
          if (open.length === 0) break
          const one = open[(picks.next().value ?? 0) % open.length]
          if (!one) break
          const part = base + left.indexOf(one)
          if (!one.begun) {
            one.begun = true
            next++
            deltas.push({ type: 'tool_call', choice: 0, part, id: `call_${part}`, name: 'f' })
          }
          const length = 1 + ((picks.next().value ?? 0) % 5)
          deltas.push({ type: 'tool_arguments', choice: 0, part, json: one.text.slice(one.at, one.at + length) })
          one.at += length
        }
        deltas.push({ type: 'finish', choice: 0, reason: 'tool_calls' })
        const found = decoded(encoded(deltas)).choices[0]?.parts.filter((part) => part.type === 'tool_call') ?? []
        expect(found.map((part) => [part.id, part.arguments])).toEqual(calls.map((text, index) => [`call_${base + index}`, text]))
      }),
      { numRuns: 100 },
    )
  })

  it('seals of other families go out marked and come home', () => {
    const foreign: Part = { type: 'reasoning', text: 'Hm.', signature: 'theirs', signatureFormat: 'anthropic-messages' }
    const redacted: Part = { type: 'reasoning', text: '', signature: 'hidden', signatureFormat: 'anthropic-messages', redacted: true }
    const behindAnother: Part = {
      type: 'reasoning',
      text: 'x',
      signature: 'bursar.reasoning.gemini..s',
      signatureFormat: 'openai-responses',
      id: 'rs_2',
    }
    const signedCall: Part = { type: 'tool_call', id: 'a', name: 'f', arguments: '{}', signature: 'thought' }
    for (const make of [
      (whole: Reply) => openaiResponses.encodeReply(whole, context),
      (whole: Reply) => eventsOf(encoded(deltasOf(whole))).at(-1)?.['response'] as Record<string, unknown>,
    ]) {
      const body = make(reply([foreign, redacted, behindAnother, signedCall]))
      const { messages } = openaiResponses.decodeRequest({ model: 'm', input: body['output'] })
      expect(messages).toHaveLength(1)
      expect(messages[0]?.parts).toMatchObject([foreign, redacted, behindAnother, signedCall])
    }
  })

  it('reasoning that the caller did not want is left out', () => {
    const hidden: Request = { ...request, reasoning: { visible: false } }
    const whole = reply([thinking, { type: 'text', text: 'Yes.' }])
    expect(JSON.stringify(openaiResponses.encodeReply(whole, { ...context, request: hidden })['output'])).not.toContain('see')
    expect(encoded(deltasOf(whole), hidden)).not.toContain('see')
  })

  it('only the first of several choices is written', () => {
    const two: Reply = {
      ...reply([{ type: 'text', text: 'first' }]),
      choices: [
        { parts: [{ type: 'text', text: 'first' }], finish: 'stop' },
        { parts: [{ type: 'text', text: 'second' }], finish: 'stop' },
      ],
    }
    expect(JSON.stringify(openaiResponses.encodeReply(two, context))).not.toContain('second')
    expect(encoded(deltasOf(two))).not.toContain('second')
  })
})

describe('what a response says beside its output', () => {
  it('usage with its parts, and the cost', () => {
    expect(openaiResponses.encodeReply(reply([]), context)['usage']).toEqual({
      input_tokens: 17,
      input_tokens_details: { cached_tokens: 5, cache_write_tokens: 2 },
      output_tokens: 10,
      output_tokens_details: { reasoning_tokens: 3 },
      total_tokens: 27,
      cost: 0.0012,
      cost_details: { upstream_inference_cost: 0.0012, input: 0.001, output: 0.0002 },
    })
    expect(openaiResponses.encodeReply(reply([]), { ...context, cost: { usd: null, details: {} } })['usage']).toMatchObject({ cost: null })
  })

  it("the caller's settings", () => {
    expect(openaiResponses.encodeReply(reply([]), context)).toMatchObject({
      object: 'response',
      status: 'completed',
      error: null,
      incomplete_details: null,
      instructions: 'Be terse.',
      metadata: { a: 'b' },
      temperature: 0.3,
      top_p: 1,
      tools: [{ type: 'function', name: 'f', parameters: { type: 'object' }, strict: true }],
      tool_choice: 'auto',
      parallel_tool_calls: true,
      text: { format: { type: 'text' } },
      previous_response_id: null,
    })
  })

  it.each([
    [reply([{ type: 'text', text: 'x' }], { finish: 'length' }), 'incomplete', { reason: 'max_output_tokens' }],
    [reply([{ type: 'text', text: 'x' }], { finish: 'content_filter' }), 'incomplete', { reason: 'content_filter' }],
    [reply([{ type: 'text', text: 'x' }], { finish: 'refusal' }), 'incomplete', { reason: 'content_filter' }],
    [reply([{ type: 'refusal', text: 'x' }], { finish: 'refusal' }), 'completed', null],
    [reply([{ type: 'text', text: 'x' }], { finish: 'stop_sequence' }), 'completed', null],
    [reply([{ type: 'text', text: 'x' }], { finish: 'pause' }), 'completed', null],
  ])('its status: %#', (whole, status, details) => {
    expect(openaiResponses.encodeReply(whole, context)).toMatchObject({ status, incomplete_details: details })
    expect(eventsOf(encoded(deltasOf(whole))).at(-1)).toMatchObject({
      type: `response.${status}`,
      response: { status, incomplete_details: details },
    })
  })
})

describe("a provider's stream", () => {
  const push = (events: readonly Record<string, unknown>[]): Delta[] => {
    const decoder = openaiResponses.createStreamDecoder()
    return events.flatMap((data) =>
      decoder.push({ event: typeof data['type'] === 'string' ? data['type'] : undefined, data: JSON.stringify(data) }),
    )
  }
  const created = { type: 'response.created', response: { id: 'r', model: 'm', created_at: 5.5, status: 'in_progress' } }

  it.each([
    ['an error event', { type: 'error', code: 'server_error', message: 'boom' }, 'upstream_error', 'boom'],
    [
      'an error event with an object',
      { type: 'error', error: { code: 'rate_limit_exceeded', message: 'slow down' } },
      'upstream_rate_limited',
      'slow down',
    ],
    [
      'a failed response',
      { type: 'response.failed', response: { status: 'failed', error: { code: 'server_error', message: 'boom' } } },
      'upstream_error',
      'boom',
    ],
    [
      'a refused image',
      { type: 'response.failed', response: { status: 'failed', error: { code: 'invalid_image', message: 'bad' } } },
      'upstream_rejected',
      'bad',
    ],
    ['an end without a response', { type: 'response.completed' }, 'upstream_malformed', 'response'],
    [
      'arguments without a call',
      { type: 'response.function_call_arguments.delta', output_index: 0, delta: '{' },
      'upstream_malformed',
      'before the call',
    ],
  ])('throws on %s', (_name, event, code, says) => {
    try {
      push([created, event])
    } catch (thrown) {
      expect(BursarError.is(thrown) && thrown.code).toBe(code)
      expect(BursarError.is(thrown) && thrown.message).toContain(says)
      return
    }
    throw new Error('no error was thrown')
  })

  it('throws on what is no JSON', () => {
    expect(() => openaiResponses.createStreamDecoder().push({ event: 'x', data: '{' })).toThrow(BursarError)
    expect(() => openaiResponses.createStreamDecoder().push({ event: 'x', data: '7' })).toThrow(BursarError)
  })

  it('is not complete without its last event', () => {
    const decoder = openaiResponses.createStreamDecoder()
    decoder.push({ event: undefined, data: JSON.stringify(created) })
    decoder.push({ event: undefined, data: '[DONE]' })
    expect(decoder.complete()).toBe(false)
  })

  it('is read also from servers that send no deltas, or only the end', () => {
    const message = { type: 'message', content: [{ type: 'output_text', text: 'Hello' }] }
    const fc1 = { type: 'function_call', id: 'fc', call_id: 'c', name: 'f', arguments: '{"a":1}' }
    const end = {
      type: 'response.completed',
      response: { id: 'r', model: 'm', status: 'completed', output: [message, fc1], usage: { input_tokens: 1, output_tokens: 2 } },
    }
    const said = (deltas: readonly Delta[]) => deltas.filter((delta) => delta.type !== 'start' && delta.type !== 'usage')
    const expected = [
      { type: 'text', choice: 0, part: 0, text: 'Hello' },
      { type: 'tool_call', choice: 0, part: 1, id: 'c', name: 'f' },
      { type: 'tool_arguments', choice: 0, part: 1, json: '{"a":1}' },
      { type: 'finish', choice: 0, reason: 'tool_calls' },
    ]
    expect(
      said(
        push([
          created,
          { type: 'response.output_item.done', output_index: 0, item: message },
          { type: 'response.output_item.done', output_index: 1, item: fc1 },
          end,
        ]),
      ),
    ).toEqual(expected)
    expect(said(push([created, end]))).toEqual(expected)
  })

  it('reads arguments once that a server says twice', () => {
    const item = { type: 'function_call', id: 'fc', call_id: 'c', name: 'f', arguments: '{"a":1}' }
    const at = { output_index: 0, item_id: 'fc' }
    const deltas = push([
      created,
      { type: 'response.output_item.added', output_index: 0, item },
      { type: 'response.function_call_arguments.delta', ...at, delta: '{"a":' },
      { type: 'response.function_call_arguments.delta', ...at, delta: '1}' },
      { type: 'response.function_call_arguments.done', ...at, arguments: '{"a":1}' },
      { type: 'response.output_item.done', output_index: 0, item },
    ])
    expect(deltas.map((delta) => (delta.type === 'tool_arguments' ? delta.json : '')).join('')).toBe('{"a":1}')
  })

  it('reads the shown reasoning of open models, and the paragraphs of a summary', () => {
    const text = (events: readonly Record<string, unknown>[]) =>
      push(events)
        .map((delta) => (delta.type === 'reasoning' ? delta.text : ''))
        .join('')
    expect(
      text([
        created,
        { type: 'response.reasoning_text.delta', output_index: 0, content_index: 0, delta: 'Hm' },
        { type: 'response.reasoning_text.delta', output_index: 0, content_index: 0, delta: '…' },
      ]),
    ).toBe('Hm…')
    expect(
      text([
        created,
        { type: 'response.reasoning_summary_text.delta', output_index: 0, summary_index: 0, delta: 'One' },
        { type: 'response.reasoning_summary_text.delta', output_index: 0, summary_index: 1, delta: 'Two' },
      ]),
    ).toBe('One\n\nTwo')
  })

  it('whole answers that failed, or are not there yet, throw', () => {
    for (const body of [
      7,
      {},
      { error: { message: 'no' } },
      { output: [], status: 'failed', error: { message: 'no' } },
      { output: [], status: 'queued' },
      { output: [], status: 'cancelled' },
      { output: ['x'] },
    ])
      expect(() => openaiResponses.decodeReply(body)).toThrow(BursarError)
  })
})

describe("OpenAI's own client", () => {
  let answer: { readonly type: string; readonly body: string } = { type: '', body: '' }
  const server = createServer((_req, res) => {
    res.setHeader('content-type', answer.type)
    res.end(answer.body)
  })
  let client = new OpenAI({ apiKey: 'k' })
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    client = new OpenAI({ apiKey: 'k', baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, maxRetries: 0 })
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))
  const streams = (body: string) => void (answer = { type: 'text/event-stream', body })

  it.each(answers)('builds %s from the stream, step by step, as the last event says it', async (_name, whole) => {
    const text = encoded(deltasOf(whole))
    streams(text)
    const final = await client.responses.stream({ model: 'm', input: 'x' }).finalResponse()
    const last = eventsOf(text).at(-1)?.['response']
    expect(withoutParsed(final)).toEqual(
      withoutParsed({ ...(last as object), output_text: final.output_text, output_parsed: final.output_parsed }),
    )
    const texts = whole.choices[0]?.parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])) ?? []
    expect(final.output_text).toBe(texts.join(''))

    // Without the last event: the snapshot that the client built from the pieces alone.
    streams(text.slice(0, text.lastIndexOf('event: ')))
    const built = await client.responses.stream({ model: 'm', input: 'x' }).finalResponse()
    expect(withoutParsed(built.output)).toEqual(withoutParsed(final.output))
  })

  it.each(answers)('reads %s whole', async (_name, whole) => {
    answer = { type: 'application/json', body: JSON.stringify(openaiResponses.encodeReply(whole, context)) }
    const response = await client.responses.create({ model: 'm', input: 'x' })
    expect(response.output_text).toBe((whole.choices[0]?.parts ?? []).flatMap((part) => (part.type === 'text' ? [part.text] : [])).join(''))
    expect(response.usage?.total_tokens).toBe(27)
  })

  it('throws when a stream breaks, in both of its ways of reading', async () => {
    const broken = openaiResponses.encodeStreamError(
      new BursarError('The provider fell silent.', { code: 'stream_truncated', status: 502 }),
      'req_1',
    )
    expect(JSON.parse(broken.slice(broken.indexOf('{')))).toMatchObject({
      type: 'error',
      truncated: true,
      code: 'stream_truncated',
      error: { truncated: true },
    })
    const text = encoded(deltasOf(reply([{ type: 'text', text: 'Once upon a time' }])))
    streams(text.slice(0, text.indexOf('event: response.output_text.done')) + broken)
    const error: unknown = await client.responses
      .stream({ model: 'm', input: 'x' })
      .finalResponse()
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
    expect(error).toBeInstanceOf(APIError)
    expect(error).toMatchObject({ code: 'stream_truncated' })
    let seen = ''
    const iterate = async () => {
      for await (const event of await client.responses.create({ model: 'm', input: 'x', stream: true }))
        if (event.type === 'response.output_text.delta') seen += event.delta
    }
    await expect(iterate()).rejects.toBeInstanceOf(APIError)
    expect(seen).toBe('Once upon a time')
  })
})

/** Ids of items are made in the order in which they begin, which differs where a call carries a seal. */
function withoutIds(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) =>
      key === 'id' && typeof inner === 'string' && /^(?:msg|fc|rs)_/.test(inner) ? undefined : inner,
    ),
  )
}

function withoutParsed(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, inner: unknown) =>
      key === 'parsed' || key === 'parsed_arguments' || key === 'output_parsed' ? undefined : inner,
    ),
  )
}
