import { describe, expect, it } from 'vitest'
import { noUsage, usd, zeroMoney } from '../../quantities/index.js'
import type { Request } from '../conversation.js'
import type { Delta } from '../reply.js'
import { SseParser } from '../sse.js'
import { anthropicMessages } from './index.js'

const request: Request = { model: 'asked', messages: [], stream: true, paths: {}, extra: [] }
const usage = {
  ...noUsage,
  inputTokens: 7,
  cacheReadTokens: 2,
  cacheWrite5mTokens: 1,
  cacheWrite1hTokens: 4,
  outputTokens: 5,
  reasoningTokens: 3,
}

/** What is written after each delta: the types of the events, with the index and the text of blocks. */
function script(deltas: readonly Delta[]): { readonly steps: string[]; readonly events: Record<string, unknown>[] } {
  const encoder = anthropicMessages.createStreamEncoder(request, 'id-1')
  const texts = [...deltas.map((delta) => encoder.push(delta)), encoder.end({ usage, cost: { usd: usd('0.25'), details: {} } })]
  const events: Record<string, unknown>[] = []
  const steps = texts.map((text) => {
    const parsed = new SseParser().push(Buffer.from(text))
    return parsed
      .map(({ event, data }) => {
        const json = JSON.parse(data) as Record<string, unknown>
        events.push(json)
        expect(json['type']).toBe(event)
        if (event === 'content_block_start') return `start ${String(json['index'])}`
        if (event === 'content_block_stop') return `stop ${String(json['index'])}`
        if (event === 'content_block_delta')
          return `${String(json['index'])}:${Object.values(json['delta'] as object)
            .slice(1)
            .join('')}`
        return event
      })
      .join(' ')
  })
  return { steps, events }
}

const start: Delta = { type: 'start', id: 'msg_9', model: 'served', created: 1 }
function call(part: number): Delta {
  return { type: 'tool_call', choice: 0, part, id: `c${part}`, name: 'f' }
}
function args(part: number, json: string): Delta {
  return { type: 'tool_arguments', choice: 0, part, json }
}
function says(part: number, text: string): Delta {
  return { type: 'text', choice: 0, part, text }
}
const finish: Delta = { type: 'finish', choice: 0, reason: 'tool_calls' }

describe('a stream in the format of Anthropic', () => {
  it('frames the answer and tells usage and cost at its end', () => {
    const { events } = script([start, says(0, 'Hi'), { type: 'finish', choice: 0, reason: 'stop_sequence', stopSequence: 'END' }])
    expect(events[0]).toMatchObject({
      type: 'message_start',
      message: {
        id: 'msg_9',
        type: 'message',
        role: 'assistant',
        model: 'served',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 0, output_tokens: 0 },
      },
    })
    expect(events.slice(1)).toEqual([
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi' } },
      { type: 'content_block_stop', index: 0 },
      {
        type: 'message_delta',
        delta: { stop_reason: 'stop_sequence', stop_sequence: 'END', stop_details: null, container: null },
        usage: {
          input_tokens: 7,
          cache_read_input_tokens: 2,
          cache_creation_input_tokens: 5,
          cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 4 },
          output_tokens: 8,
          output_tokens_details: { thinking_tokens: 3 },
          cost: 0.25,
          cost_details: { upstream_inference_cost: 0.25 },
        },
      },
      { type: 'message_stop' },
    ])
  })

  it('says that a price is unknown', () => {
    const encoder = anthropicMessages.createStreamEncoder(request, 'id-1')
    expect(encoder.end({ usage, cost: { usd: null, details: {} } })).toContain('"cost":null')
    expect(encoder.end({ usage, cost: { usd: zeroMoney, details: {} } })).toContain('"cost":0,')
  })

  it('tells the input side at the start where it is known by then', () => {
    const { events } = script([{ type: 'usage', reported: { usage: { ...noUsage, inputTokens: 7 } } }, start])
    expect(events[0]).toMatchObject({ message: { usage: { input_tokens: 7 } } })
  })

  it('starts by itself, under its own name, where the provider named nothing', () => {
    expect(script([says(0, 'Hi')]).events[0]).toMatchObject({ message: { id: 'id-1', model: 'asked' } })
    expect(script([]).steps).toEqual(['message_start message_delta message_stop'])
  })

  it('writes the first of interleaving calls live and keeps the others back, so that blocks never overlap', () => {
    const { steps } = script([
      start,
      says(0, 'x'),
      call(1),
      args(1, '{"a":'),
      call(2),
      args(2, '{"b":'),
      args(1, '"}"'),
      args(2, '2'),
      args(2, '}'),
      args(1, '}'),
      finish,
    ])
    expect(steps).toEqual([
      'message_start',
      'start 0 0:x',
      'stop 0 start 1',
      '1:{"a":',
      '',
      '',
      '1:"}"',
      '',
      '',
      '1:}',
      'stop 1 start 2 2:{"b": 2:2 2:} stop 2',
      'message_delta message_stop',
    ])
  })

  it('goes on live with the next call once the arguments of the one before are whole', () => {
    const { steps } = script([start, call(0), args(0, '{"a":{}}'), call(1), args(1, '{'), args(0, ' \n'), args(1, '}'), finish])
    expect(steps).toEqual([
      'message_start',
      'start 0',
      '0:{"a":{}}',
      'stop 0 start 1',
      '1:{',
      '',
      '1:}',
      'stop 1',
      'message_delta message_stop',
    ])
  })

  it('writes calls without arguments, and text after a call, in order', () => {
    const { steps } = script([start, call(0), call(1), args(1, '{}'), says(2, 'x'), finish])
    expect(steps).toEqual([
      'message_start',
      'start 0',
      '',
      '',
      '',
      'stop 0 start 1 1:{} stop 1 start 2 2:x stop 2',
      'message_delta message_stop',
    ])
  })

  it('opens a new block for text that goes on after another part', () => {
    const { steps } = script([start, says(0, 'a'), { type: 'reasoning', choice: 0, part: 1, text: 'b' }, says(0, 'c'), finish])
    expect(steps).toEqual([
      'message_start',
      'start 0 0:a',
      'stop 0 start 1 1:b',
      'stop 1 start 2 2:c',
      'stop 2',
      'message_delta message_stop',
    ])
  })

  it('refuses arguments that come too late to be told', () => {
    expect(() => script([start, call(0), args(0, '{}'), call(1), args(0, '{"a":1}')])).toThrow(
      expect.objectContaining({ code: 'upstream_malformed' }),
    )
    expect(() => script([start, args(0, '{}')])).toThrow(expect.objectContaining({ code: 'upstream_malformed' }))
  })

  it('shows reasoning with its seal, sealed reasoning, and blocks of its own', () => {
    const { events } = script([
      start,
      { type: 'reasoning', choice: 0, part: 0, text: 'Hm' },
      { type: 'reasoning_signature', choice: 0, part: 0, signature: 'S', signatureFormat: 'anthropic-messages' },
      { type: 'reasoning_signature', choice: 0, part: 1, signature: 'R', signatureFormat: 'anthropic-messages', redacted: true },
      { type: 'native', choice: 0, part: 2, format: 'anthropic-messages', value: { type: 'web_search_tool_result', content: [] } },
      { type: 'native', choice: 0, part: 3, format: 'gemini', value: { executableCode: {} } },
      finish,
    ])
    expect(events.slice(1, -2)).toEqual([
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'S' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'redacted_thinking', data: 'R' } },
      { type: 'content_block_stop', index: 1 },
      { type: 'content_block_start', index: 2, content_block: { type: 'web_search_tool_result', content: [] } },
      { type: 'content_block_stop', index: 2 },
    ])
  })

  it('holds one choice', () => {
    expect(
      script([start, { type: 'text', choice: 1, part: 0, text: 'other' }, { type: 'finish', choice: 1, reason: 'length' }, finish]).steps,
    ).toEqual(['message_start', '', '', '', 'message_delta message_stop'])
  })

  it('hands on events that are in its format already', () => {
    const bytes = Buffer.from('event: ping\ndata: {"type":"ping"}\n\n')
    expect(anthropicMessages.createStreamEncoder(request, 'x').push({ type: 'wire', bytes })).toBe(bytes.toString())
    expect(anthropicMessages.keepAlive).toBe(bytes.toString())
  })
})
