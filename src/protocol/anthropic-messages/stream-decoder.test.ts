import { describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { ReplyCollector } from '../reply-collector.js'
import type { Delta, Reply } from '../reply.js'
import { SseParser } from '../sse.js'
import { createAnthropicMessages } from './index.js'

const codec = createAnthropicMessages({ now: () => 1_700_000_000 })

function sse(...events: Record<string, unknown>[]): string {
  return events.map((event) => `event: ${String(event['type'])}\ndata: ${JSON.stringify(event)}\n\n`).join('')
}

const start = {
  type: 'message_start',
  message: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-opus-4-8',
    content: [],
    stop_reason: null,
    usage: {
      input_tokens: 10,
      cache_read_input_tokens: 5,
      cache_creation_input_tokens: 3,
      cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 2 },
      output_tokens: 1,
      service_tier: 'standard',
    },
  },
}
const whole = sse(
  start,
  { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm, ' } },
  { type: 'ping' },
  { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'naïve 🦊.' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'c2ln' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'content_block_start', index: 1, content_block: { type: 'redacted_thinking', data: 'ZGF0YQ' } },
  { type: 'content_block_stop', index: 1 },
  { type: 'content_block_start', index: 2, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 2, delta: { type: 'text_delta', text: 'Let me ' } },
  { type: 'content_block_delta', index: 2, delta: { type: 'text_delta', text: 'look.' } },
  { type: 'content_block_delta', index: 2, delta: { type: 'citations_delta', citation: {} } },
  { type: 'content_block_stop', index: 2 },
  { type: 'content_block_start', index: 3, content_block: { type: 'server_tool_use', id: 's1', name: 'web_search', input: {} } },
  { type: 'content_block_delta', index: 3, delta: { type: 'input_json_delta', partial_json: '{"query":' } },
  { type: 'content_block_delta', index: 3, delta: { type: 'input_json_delta', partial_json: '"x"}' } },
  { type: 'content_block_stop', index: 3 },
  { type: 'content_block_start', index: 4, content_block: { type: 'tool_use', id: 't1', name: 'f', input: {} } },
  { type: 'content_block_delta', index: 4, delta: { type: 'input_json_delta', partial_json: '' } },
  { type: 'content_block_delta', index: 4, delta: { type: 'input_json_delta', partial_json: '{"a": ' } },
  { type: 'content_block_delta', index: 4, delta: { type: 'input_json_delta', partial_json: '1}' } },
  { type: 'content_block_stop', index: 4 },
  { type: 'content_block_start', index: 5, content_block: { type: 'tool_use', id: 't2', name: 'g', input: {} } },
  { type: 'content_block_stop', index: 5 },
  { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 42 } },
  { type: 'message_stop' },
)

const expected: Reply = {
  id: 'msg_1',
  model: 'claude-opus-4-8',
  created: 1_700_000_000,
  choices: [
    {
      finish: 'tool_calls',
      parts: [
        { type: 'reasoning', text: 'Hm, naïve 🦊.', signature: 'c2ln', signatureFormat: 'anthropic-messages' },
        { type: 'reasoning', text: '', signature: 'ZGF0YQ', signatureFormat: 'anthropic-messages', redacted: true },
        { type: 'text', text: 'Let me look.' },
        {
          type: 'native',
          format: 'anthropic-messages',
          value: { type: 'server_tool_use', id: 's1', name: 'web_search', input: { query: 'x' } },
        },
        { type: 'tool_call', id: 't1', name: 'f', arguments: '{"a": 1}' },
        { type: 'tool_call', id: 't2', name: 'g', arguments: '{}' },
      ],
    },
  ],
  reported: codec.usageOf({ usage: { ...start.message.usage, output_tokens: 42 } }),
}

/** Feeds the text in the given pieces. */
function decode(pieces: readonly Uint8Array[]): { readonly deltas: Delta[]; readonly reply: Reply; readonly complete: boolean } {
  const parser = new SseParser()
  const decoder = codec.createStreamDecoder()
  const collector = new ReplyCollector()
  const deltas = pieces.flatMap((piece) => parser.push(piece)).flatMap((event) => decoder.push(event))
  for (const delta of deltas) collector.push(delta)
  return { deltas, reply: collector.reply(), complete: decoder.complete() }
}

describe('a stream of Anthropic', () => {
  it('becomes the same answer however its bytes are split', () => {
    const bytes = Buffer.from(whole)
    expect(decode([bytes])).toMatchObject({ reply: expected, complete: true })
    expect(expected.reported?.usage).toMatchObject({
      inputTokens: 10,
      cacheReadTokens: 5,
      cacheWrite5mTokens: 1,
      cacheWrite1hTokens: 2,
      outputTokens: 42,
    })
    const single = decode(Array.from(bytes, (_byte, index) => bytes.subarray(index, index + 1)))
    expect(single).toEqual(decode([bytes]))
    for (let cut = 1; cut < bytes.length; cut += 7) expect(decode([bytes.subarray(0, cut), bytes.subarray(cut)]).reply).toEqual(expected)
  })

  it('is complete only when it was whole, wherever it is cut', () => {
    const bytes = Buffer.from(whole)
    for (let cut = 0; cut < bytes.length; cut += 3) expect(decode([bytes.subarray(0, cut)]).complete).toBe(false)
  })

  it('is an error from where the provider breaks off', () => {
    const half = whole.slice(0, whole.indexOf('event: content_block_stop'))
    const broken = half + sse({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })
    expect(() => decode([Buffer.from(broken)])).toThrow(expect.objectContaining({ code: 'upstream_error', status: 529 }))
    const limited = half + sse({ type: 'error', error: { type: 'rate_limit_error', message: 'Slow' } })
    expect(() => decode([Buffer.from(limited)])).toThrow(expect.objectContaining({ code: 'upstream_rate_limited', status: 429 }))
  })

  it.each([
    ['text that is no JSON', 'data: {"type":\n\n'],
    ['no object', 'data: [1]\n\n'],
    ['a block out of place', sse({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } })],
    ['a delta without block', sse(start, { type: 'content_block_delta', index: 3, delta: { type: 'text_delta', text: 'x' } })],
    ['a stop without block', sse(start, { type: 'content_block_stop', index: 3 })],
    ['a start without message', sse({ type: 'message_start' })],
    ['a call without name', sse(start, { type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 'x' } })],
  ])('is refused when malformed: %s', (_name, text) => {
    expect(() => decode([Buffer.from(text)])).toThrow(BursarError)
    expect(() => decode([Buffer.from(text)])).toThrow(expect.objectContaining({ code: 'upstream_malformed', status: 502 }))
  })

  it('may tell usage only at the start, arguments at the start of a call, and kinds unknown today', () => {
    const { reply, complete } = decode([
      Buffer.from(
        sse(
          start,
          { type: 'brand_new' },
          { type: 'content_block_start', index: 0, content_block: { type: 'tool_use', id: 't', name: 'f', input: { a: 1 } } },
          { type: 'content_block_delta', index: 0, delta: { type: 'brand_new_delta' } },
          { type: 'content_block_stop', index: 0 },
          { type: 'message_delta', delta: { stop_reason: 'model_context_window_exceeded' } },
          { type: 'message_stop' },
          { type: 'content_block_stop', index: 9 },
        ),
      ),
    ])
    expect(complete).toBe(true)
    expect(reply.choices).toEqual([{ finish: 'length', parts: [{ type: 'tool_call', id: 't', name: 'f', arguments: '{"a":1}' }] }])
    expect(reply.reported?.usage).toMatchObject({ inputTokens: 10, outputTokens: 1 })
  })
})

describe('a whole answer of Anthropic', () => {
  it('reads as its stream does', () => {
    const reply = codec.decodeReply({
      ...start.message,
      content: [
        { type: 'thinking', thinking: 'Hm, naïve 🦊.', signature: 'c2ln' },
        { type: 'redacted_thinking', data: 'ZGF0YQ' },
        { type: 'text', text: 'Let me look.', citations: [{}] },
        { type: 'server_tool_use', id: 's1', name: 'web_search', input: { query: 'x' } },
        { type: 'tool_use', id: 't1', name: 'f', input: { a: 1 } },
        { type: 'tool_use', id: 't2', name: 'g', input: {} },
      ],
      stop_reason: 'tool_use',
      stop_sequence: null,
      usage: { ...start.message.usage, output_tokens: 42 },
    })
    const [choice] = expected.choices
    const parts = choice?.parts.map((part) => (part.type === 'tool_call' && part.id === 't1' ? { ...part, arguments: '{"a":1}' } : part))
    expect(reply).toEqual({ ...expected, choices: [{ ...choice, parts }] })
  })

  it.each([null, 'text', [], {}, { content: 'x' }, { content: [5] }, { content: [{ type: 'tool_use', id: 'a', input: {} }] }])(
    'is refused when malformed: %j',
    (json) => {
      expect(() => codec.decodeReply(json)).toThrow(expect.objectContaining({ code: 'upstream_malformed' }))
    },
  )

  it('names the stop sequence', () => {
    expect(codec.decodeReply({ content: [], stop_reason: 'stop_sequence', stop_sequence: 'END' }).choices[0]).toMatchObject({
      finish: 'stop_sequence',
      stopSequence: 'END',
    })
  })
})
