import { describe, expect, it } from 'vitest'
import { noUsage } from '../../quantities/index.js'
import type { Delta } from '../reply.js'
import { ReplyCollector } from '../reply-collector.js'
import { openaiChat } from './index.js'

/** Decodes chunks as a provider may send them. */
function decode(chunks: readonly (Record<string, unknown> | string)[]): { deltas: Delta[]; complete: boolean } {
  const decoder = openaiChat.createStreamDecoder()
  const deltas = chunks.flatMap((chunk) =>
    decoder.push({
      event: undefined,
      data: typeof chunk === 'string' ? chunk : JSON.stringify({ id: 'id:1', model: 'm', created: 1, ...chunk }),
    }),
  )
  return { deltas, complete: decoder.complete() }
}
const delta = (fields: Record<string, unknown>, finish: string | null = null, index = 0): Record<string, unknown> => ({
  choices: [{ index, delta: fields, finish_reason: finish }],
})
const call = (fields: Record<string, unknown>): Record<string, unknown> => delta({ tool_calls: [fields] })

function parts(chunks: readonly (Record<string, unknown> | string)[]): unknown {
  const collector = new ReplyCollector()
  for (const each of decode([...chunks, delta({}, 'stop')]).deltas) collector.push(each)
  return collector.reply().choices[0]?.parts
}

describe('streams of compatible servers', () => {
  it('takes usage in a last chunk without choices, beside the finish, or in every chunk', () => {
    const usage = (completion: number): Record<string, unknown> => ({ usage: { prompt_tokens: 3, completion_tokens: completion } })
    const last = (chunks: readonly Record<string, unknown>[]): unknown =>
      decode(chunks)
        .deltas.filter((each) => each.type === 'usage')
        .at(-1)
    for (const chunks of [
      [delta({ content: 'a' }), delta({}, 'stop'), { choices: [], ...usage(7) }],
      [delta({ content: 'a' }), { ...delta({}, 'stop'), ...usage(7) }],
      [
        { ...delta({ content: 'a' }), ...usage(1) },
        { ...delta({}, 'stop'), ...usage(7) },
      ],
      [delta({}, 'stop'), { choices: [], x_groq: { ...usage(7) } }],
    ])
      expect(last(chunks)).toMatchObject({ reported: { usage: { inputTokens: 3, outputTokens: 7 } } })
    expect(last([{ ...delta({}, 'stop'), ...usage(7), service_tier: 'priority' }])).toMatchObject({ reported: { serviceTier: 'priority' } })
    expect(last([{ ...delta({}, 'stop'), usage: null }])).toBeUndefined()
  })

  it('assembles calls that interleave, have no index, share index 0, get their name late, or repeat themselves', () => {
    const two = [
      { type: 'tool_call', id: 'a', name: 'f', arguments: '{"x":1}' },
      { type: 'tool_call', id: 'b', name: 'g', arguments: '{}' },
    ]
    const f = (args: string, rest: Record<string, unknown> = {}): Record<string, unknown> => ({
      ...rest,
      function: { ...(rest['id'] === 'a' ? { name: 'f' } : {}), arguments: args },
    })
    expect(
      parts([
        call(f('', { index: 0, id: 'a' })),
        call({ index: 1, id: 'b', function: { name: 'g', arguments: '' } }),
        call(f('{"x"', { index: 0 })),
        call({ index: 1, function: { arguments: '{}' } }),
        call(f(':1}', { index: 0 })),
      ]),
    ).toEqual(two)
    expect(parts([call(f('{"x"', { id: 'a' })), call(f(':1}')), call({ id: 'b', function: { name: 'g', arguments: '{}' } })])).toEqual(two)
    expect(
      parts([call(f('{"x":1}', { index: 0, id: 'a' })), call({ index: 0, id: 'b', function: { name: 'g', arguments: '{}' } })]),
    ).toEqual(two)
    expect(
      parts([
        call({ index: 0, id: 'a' }),
        call({ index: 0, function: { arguments: '{"x"' } }),
        call({ index: 0, function: { name: 'f', arguments: ':1}' } }),
        call({ index: 1, id: 'b', function: { name: 'g', arguments: {} } }),
      ]),
    ).toEqual(two)
    expect(
      parts([
        call({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x"' } }),
        call({ index: 0, id: 'a', function: { name: 'f', arguments: ':1}' } }),
        call({ index: 1, id: 'b', function: { name: 'g', arguments: '{}' } }),
      ]),
    ).toEqual(two)
    expect(
      parts([
        delta({
          tool_calls: [
            { id: 'a', function: { name: 'f', arguments: '{"x":1}' } },
            { id: 'b', function: { name: 'g', arguments: '{}' } },
          ],
        }),
      ]),
    ).toEqual(two)
  })

  it('gives ids to calls that have none, each its own', () => {
    expect(
      parts([call({ index: 0, function: { name: 'f', arguments: '{}' } }), call({ index: 1, function: { name: 'f', arguments: '{}' } })]),
    ).toMatchObject([{ id: 'call_id1_0_0' }, { id: 'call_id1_0_1' }])
    expect(parts([delta({ function_call: { name: 'f', arguments: '{' } }), delta({ function_call: { arguments: '}' } })])).toEqual([
      { type: 'tool_call', id: 'call_id1_0_0', name: 'f', arguments: '{}' },
    ])
  })

  it('ends a turn of calls as such, whatever the server says', () => {
    expect(decode([call({ index: 0, id: 'a', function: { name: 'f', arguments: '{}' } }), delta({}, 'stop')]).deltas.at(-1)).toEqual({
      type: 'finish',
      choice: 0,
      reason: 'tool_calls',
    })
  })

  it('reads reasoning in every dialect', () => {
    for (const field of ['reasoning', 'reasoning_content'])
      expect(parts([delta({ [field]: 'a' }), delta({ [field]: 'b', content: '' }), delta({ content: 'c' })])).toEqual([
        { type: 'reasoning', text: 'ab' },
        { type: 'text', text: 'c' },
      ])
    expect(
      parts([
        delta({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'a' }] }] }),
        delta({ content: [{ type: 'text', text: 'c' }] }),
      ]),
    ).toEqual([
      { type: 'reasoning', text: 'a' },
      { type: 'text', text: 'c' },
    ])
    // OpenRouter says it twice, and may seal it after the text began.
    expect(
      parts([
        delta({ reasoning: 'a', reasoning_details: [{ type: 'reasoning.text', text: 'a', index: 0, format: 'anthropic-claude-v1' }] }),
        delta({ content: 'c' }),
        delta({ content: '', reasoning_details: [{ type: 'reasoning.text', signature: 'S', index: 0, format: 'anthropic-claude-v1' }] }),
        delta({ content: 'd' }),
      ]),
    ).toEqual([
      { type: 'reasoning', text: 'a', signature: 'S', signatureFormat: 'anthropic-messages' },
      { type: 'text', text: 'cd' },
    ])
  })

  it('names the stop sequence where the server does (vLLM)', () => {
    expect(decode([{ choices: [{ index: 0, delta: {}, finish_reason: 'stop', stop_reason: 'END' }] }]).deltas.at(-1)).toEqual({
      type: 'finish',
      choice: 0,
      reason: 'stop_sequence',
      stopSequence: 'END',
    })
  })

  it('knows a proper end: [DONE], or every choice finished', () => {
    expect(decode([]).complete).toBe(false)
    expect(decode([delta({ content: 'a' })]).complete).toBe(false)
    expect(decode([delta({ content: 'a' }), '[DONE]']).complete).toBe(true)
    expect(decode([delta({ content: 'a' }), delta({}, 'stop')]).complete).toBe(true)
    expect(decode([delta({ content: 'a' }), delta({ content: 'b' }, null, 1), delta({}, 'stop')]).complete).toBe(false)
  })

  it('throws what is an error or can not be read', () => {
    const thrown = (code: string, message: string): Error =>
      expect.objectContaining({ code, status: 502, message: expect.stringContaining(message) as string }) as Error
    expect(() => decode([{ error: { message: 'overloaded', code: 529 }, choices: [] }])).toThrow(thrown('upstream_error', 'overloaded'))
    expect(() => decode([delta({}, 'error')])).toThrow(thrown('upstream_error', 'error'))
    expect(() => decode(['{"a'])).toThrow(thrown('upstream_malformed', 'JSON'))
    expect(() => decode(['[]'])).toThrow(thrown('upstream_malformed', 'object'))
    expect(() => decode([{ choices: [7] }])).toThrow(thrown('upstream_malformed', 'choice'))
    expect(() => decode([call({ index: 0, id: 'a', function: { arguments: '{}' } }), delta({}, 'tool_calls')])).toThrow(
      thrown('upstream_malformed', 'without a name'),
    )
    for (const body of [null, [], {}, { choices: null }, { choices: [1] }])
      expect(() => openaiChat.decodeReply(body)).toThrow(thrown('upstream_malformed', ''))
    expect(() => openaiChat.decodeReply({ error: { message: 'no' } })).toThrow(thrown('upstream_error', 'no'))
  })
})

describe('a whole answer', () => {
  it('keeps what only this format has', () => {
    const reply = openaiChat.decodeReply({
      id: 'x',
      model: 'm',
      created: 3,
      system_fingerprint: 'fp',
      service_tier: 'flex',
      usage: { prompt_tokens: 1, completion_tokens: 2 },
      choices: [
        {
          index: 0,
          finish_reason: 'stop',
          message: {
            role: 'assistant',
            content: 'hi',
            annotations: [{ type: 'url_citation' }],
            audio: { id: 'a', data: 'AAAA' },
            images: [{ type: 'image_url', image_url: { url: 'data:,' } }],
            tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'g', input: 'x' } }],
          },
        },
      ],
    })
    expect(reply).toMatchObject({ id: 'x', model: 'm', created: 3, systemFingerprint: 'fp', reported: { serviceTier: 'flex' } })
    const encoded = openaiChat.encodeReply(reply, {
      request: { model: 'm', messages: [], stream: false, paths: {}, extra: [] },
      usage: noUsage,
      cost: { usd: null, details: {} },
      id: 'r',
    })
    expect(encoded).toMatchObject({
      id: 'x',
      system_fingerprint: 'fp',
      service_tier: 'flex',
      usage: { cost: null },
      choices: [
        {
          finish_reason: 'tool_calls',
          message: {
            content: 'hi',
            annotations: [{ type: 'url_citation' }],
            audio: { id: 'a', data: 'AAAA' },
            images: [{ type: 'image_url', image_url: { url: 'data:,' } }],
            tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'g', input: 'x' } }],
          },
        },
      ],
    })
  })
})

describe('error bodies of compatible servers', () => {
  it.each([
    [{ error: { message: 'm', type: 't', param: 'p', code: 'c' } }, { message: 'm', code: 'c', param: 'p' }],
    [{ error: { message: 'm', type: 't', param: null, code: null } }, { message: 'm', code: 't' }],
    [{ error: 'm' }, { message: 'm' }],
    [
      { object: 'error', message: 'm', type: 'BadRequestError', code: 400 },
      { message: 'm', code: '400' },
    ],
    [{ detail: [{ loc: ['body', 'messages', 0], msg: 'm' }] }, { message: 'm', param: 'messages.0' }],
    [{ detail: 'm' }, { message: 'm' }],
    [[{ error: { message: 'm', status: 'INVALID_ARGUMENT' } }], { message: 'm', code: 'INVALID_ARGUMENT' }],
    ['<html>', { message: '<html>' }],
    [undefined, { message: 'no details' }],
  ])('%j', (body, read) => {
    expect(openaiChat.decodeError(body)).toEqual(read)
  })
})
