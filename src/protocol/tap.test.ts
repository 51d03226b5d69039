import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { usd } from '../quantities/index.js'
import type { CostReport, StreamTap, TapOptions } from './codec.js'
import type { WireFormat } from './conversation.js'
import type { ReportedUsage } from './reply.js'
import { SseParser } from './sse.js'
import { createTap } from './tap.js'

/** A price that depends on the usage, so that a wrong usage shows in the cost. */
const price = ({ usage }: ReportedUsage): CostReport => ({
  usd: usd(`0.${String(usage.inputTokens + usage.cacheReadTokens).padStart(6, '0')}${String(usage.outputTokens).padStart(6, '0')}`),
  details: { outputTokens: usd('0.5') },
})

interface Run {
  readonly text: string
  readonly state: Pick<StreamTap, 'complete' | 'reported' | 'events' | 'eventBytes'> & { readonly failure: string | undefined }
}

function run(format: WireFormat, stream: string, usage: TapOptions['usage'] = 'asked', cuts: readonly number[] = []): Run {
  const bytes = Buffer.from(stream, 'utf8')
  const tap = createTap(format, { price, usage })
  const out: Buffer[] = []
  let at = 0
  for (const cut of [...cuts.map((c) => Math.min(c, bytes.length)), bytes.length].sort((a, b) => a - b)) {
    const piece = Buffer.from(bytes.subarray(at, cut))
    out.push(Buffer.from(tap.push(piece)))
    // The tap must not keep the caller's memory.
    piece.fill(0x21)
    at = cut
  }
  out.push(Buffer.from(tap.end()))
  const { complete, reported, events, eventBytes, failure } = tap
  return { text: Buffer.concat(out).toString('utf8'), state: { complete, reported, events, eventBytes, failure: failure?.message } }
}

const chunk = (fields: Record<string, unknown>): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', ...fields })}\n\n`
const delta = (content: string, extra: Record<string, unknown> = {}): string =>
  chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }], ...extra })
const finish = (extra: Record<string, unknown> = {}): string =>
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], ...extra })
const usage = { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19, prompt_tokens_details: { cached_tokens: 2 } }
const done = 'data: [DONE]\n\n'
const cost = '"cost":0.000012000007,"cost_details":{"upstream_inference_cost":0.000012000007,"outputTokens":0.5}'

describe('a tap on chat completions', () => {
  it('forwards everything but the usage chunk untouched, and splices the cost into that', () => {
    const before = delta('é "usage":{ \\n') + delta('"finish_reason":"stop"', { usage: null }) + finish({ usage: null })
    const stream = `${before}${chunk({ choices: [], usage })}: bye\n\n${done}`
    const { text, state } = run('openai-chat', stream)
    expect(text).toBe(stream.replace('"cached_tokens":2}}', `"cached_tokens":2},${cost}}`))
    expect(state).toMatchObject({
      complete: true,
      failure: undefined,
      events: 4,
      reported: { usage: { inputTokens: 10, cacheReadTokens: 2, outputTokens: 7 } },
    })
  })

  it('returns the very same buffer when there is nothing to change', () => {
    const tap = createTap('openai-chat', { price, usage: 'asked' })
    const batch = Buffer.from(delta('a') + delta('b'))
    expect(tap.push(batch)).toBe(batch)
    const cut = Buffer.from(delta('c') + delta('d').slice(0, 20))
    const out = tap.push(cut)
    expect(out.buffer).toBe(cut.buffer)
    expect(Buffer.from(out).toString()).toBe(delta('c'))
  })

  it('gives a usage chunk a choice when the caller never asked for usage', () => {
    const { text } = run('openai-chat', delta('a') + finish() + chunk({ choices: [], usage }) + done, 'always')
    expect(text).toContain('"choices":[{"index":0,"delta":{},"finish_reason":null}],"usage":{"prompt_tokens":12')
    expect(text).toContain(cost)
  })

  it('takes a usage chunk out when the caller shall not see usage, and leaves usage beside content alone', () => {
    const separate = delta('a') + finish() + chunk({ choices: [], usage }) + done
    expect(run('openai-chat', separate, 'never').text).toBe(delta('a') + finish() + done)
    const beside = delta('a') + finish({ usage }) + done
    expect(run('openai-chat', beside, 'never').text).toBe(beside)
    expect(run('openai-chat', beside, 'never').state.reported?.usage.outputTokens).toBe(7)
  })

  it("leaves Azure's first chunk without choices alone", () => {
    const azure = chunk({ choices: [], prompt_filter_results: [{ prompt_index: 0 }] })
    for (const mode of ['asked', 'always', 'never'] as const)
      expect(run('openai-chat', azure + delta('a') + finish() + done, mode).text).toBe(azure + delta('a') + finish() + done)
  })

  it('takes usage wherever it stands: with spaces, beside content, in every chunk, with a cost of its own, in x_groq', () => {
    const spaced = `data: {"choices": [], "usage" : { "prompt_tokens" : 12, "completion_tokens" : 7 , "cost" : 9 } , "service_tier": "flex"}\n\n`
    const { text, state } = run('openai-chat', spaced + done)
    expect(text).toBe(
      `data: {"choices": [], "usage" : { "prompt_tokens" : 12, "completion_tokens" : 7 , "cost" : 0.000012000007 ,"cost_details":{"upstream_inference_cost":0.000012000007,"outputTokens":0.5}} , "service_tier": "flex"}\n\n${done}`,
    )
    expect(state.reported?.serviceTier).toBe('flex')
    const every =
      delta('a', { usage: { prompt_tokens: 12, completion_tokens: 1 } }) + finish({ usage: { prompt_tokens: 12, completion_tokens: 7 } })
    expect(run('openai-chat', every).state.reported?.usage.outputTokens).toBe(7)
    expect(run('openai-chat', finish({ x_groq: { usage } }) + done).state.reported?.usage.outputTokens).toBe(7)
  })

  it('is complete at [DONE], or when every choice has finished', () => {
    expect(run('openai-chat', delta('a')).state.complete).toBe(false)
    expect(run('openai-chat', delta('a') + done).state.complete).toBe(true)
    expect(run('openai-chat', delta('a') + finish()).state.complete).toBe(true)
    const second = (reason: string | null): string => chunk({ choices: [{ index: 1, delta: { content: 'b' }, finish_reason: reason }] })
    expect(run('openai-chat', delta('a') + second(null) + finish()).state.complete).toBe(false)
    expect(run('openai-chat', delta('a') + second(null) + finish() + second('stop')).state.complete).toBe(true)
    expect(run('openai-chat', '').state.complete).toBe(false)
  })

  it('withholds an error inside the stream and what follows, and forwards what came before', () => {
    const error = `event: error\ndata: {"error":{"message":"overloaded","code":529}}\n\n`
    const { text, state } = run('openai-chat', delta('a') + error + delta('b') + done)
    expect(text).toBe(delta('a'))
    expect(state.failure).toContain('overloaded')
    expect(state.complete).toBe(false)
    const openRouter = chunk({
      error: { code: 'server_error', message: 'gone' },
      choices: [{ index: 0, delta: { content: '' }, finish_reason: 'error' }],
    })
    expect(run('openai-chat', delta('a') + openRouter).text).toBe(delta('a'))
    expect(run('openai-chat', delta('a', { error: null }) + done).state.failure).toBeUndefined()
  })

  it('forwards a last event that lacks only its blank line, and drops one that was cut', () => {
    expect(run('openai-chat', `${delta('a')}data: [DONE]`)).toMatchObject({ text: delta('a') + done, state: { complete: true } })
    expect(run('openai-chat', `${delta('a')}data: [DONE]\n`).text).toBe(delta('a') + done)
    expect(run('openai-chat', delta('a') + finish().trimEnd())).toMatchObject({ text: delta('a') + finish(), state: { complete: true } })
    expect(run('openai-chat', delta('a') + delta('b').slice(0, 30))).toMatchObject({ text: delta('a'), state: { complete: false } })
  })

  it('reads JSON that is spread over several data lines', () => {
    const { text, state } = run('openai-chat', 'data: {"choices": [],\ndata:  "usage": {"prompt_tokens": 12, "completion_tokens": 7}}\n\n')
    expect(new SseParser().push(Buffer.from(text)).map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      {
        choices: [],
        usage: {
          prompt_tokens: 12,
          completion_tokens: 7,
          cost: 0.000012000007,
          cost_details: { upstream_inference_cost: 0.000012000007, outputTokens: 0.5 },
        },
      },
    ])
    expect(state.events).toBe(1)
  })

  it('forwards broken JSON as it is, and counts given twice by the last', () => {
    const broken = `data: {"usage":{"prompt_tokens":1,}\n\n`
    const odd = `data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens":3}}\n\n`
    const { text, state } = run('openai-chat', broken + odd)
    expect(text.startsWith(broken)).toBe(true)
    expect(text.slice(broken.length)).toContain('{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens":3,"cost":')
    expect(state.reported?.usage).toMatchObject({ inputTokens: 3, outputTokens: 2 })
  })

  it('bounds an unfinished event', () => {
    const tap = createTap('openai-chat', { price, usage: 'asked' })
    const megabyte = Buffer.alloc(1 << 20, 'x')
    expect(() => {
      for (let i = 0; i < 17; i++) tap.push(megabyte)
    }).toThrow('larger than')
  })
})

const event = (fields: Record<string, unknown>): string => `event: ${String(fields['type'])}\ndata: ${JSON.stringify(fields)}\n\n`
const messageStart = event({
  type: 'message_start',
  message: { id: 'x', usage: { input_tokens: 10, cache_read_input_tokens: 2, output_tokens: 1, service_tier: 'standard' } },
})
const words = event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'message_stop error "usage":{' } })
const messageDelta = event({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7, input_tokens: null } })
const messageStop = event({ type: 'message_stop' })

describe('a tap on Anthropic messages', () => {
  it('merges the usage of both ends and puts the cost into the last', () => {
    const { text, state } = run('anthropic-messages', messageStart + words + event({ type: 'ping' }) + messageDelta + messageStop)
    expect(text).toBe(
      messageStart +
        words +
        event({ type: 'ping' }) +
        messageDelta.replace('"input_tokens":null}', `"input_tokens":null,${cost}}`) +
        messageStop,
    )
    expect(state).toMatchObject({
      complete: true,
      reported: { usage: { inputTokens: 10, cacheReadTokens: 2, outputTokens: 7 }, serviceTier: 'standard' },
    })
  })
  it('is not complete before message_stop, and knows the usage so far', () => {
    expect(run('anthropic-messages', messageStart + words).state).toMatchObject({
      complete: false,
      reported: { usage: { inputTokens: 10 } },
    })
  })
  it('withholds an error event', () => {
    const { text, state } = run(
      'anthropic-messages',
      messageStart + event({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }) + messageStop,
    )
    expect(text).toBe(messageStart)
    expect(state).toMatchObject({ complete: false, failure: 'The provider reported an error (overloaded_error): Overloaded' })
  })
})

const response = (type: string, fields: Record<string, unknown>): string => event({ type, response: { id: 'r', ...fields } })
const responseUsage = {
  input_tokens: 12,
  input_tokens_details: { cached_tokens: 2 },
  output_tokens: 7,
  output_tokens_details: { reasoning_tokens: 0 },
}

describe('a tap on responses', () => {
  it.each(['response.completed', 'response.incomplete', 'response.failed'])('ends at %s', (type) => {
    const before =
      response('response.created', { usage: null }) + event({ type: 'response.output_text.delta', delta: 'response.completed' })
    const { text, state } = run(
      'openai-responses',
      before + response(type, { usage: responseUsage, service_tier: 'priority', error: null }),
    )
    expect(text).toBe(
      before +
        response(type, { usage: responseUsage, service_tier: 'priority', error: null }).replace(
          '"reasoning_tokens":0}}',
          `"reasoning_tokens":0},${cost}}`,
        ),
    )
    expect(state).toMatchObject({ complete: true, reported: { usage: { inputTokens: 10, outputTokens: 7 }, serviceTier: 'priority' } })
    expect(run('openai-responses', before).state.complete).toBe(false)
  })
  it('withholds an error event', () => {
    const { text, state } = run(
      'openai-responses',
      response('response.created', {}) + event({ type: 'error', code: 'server_error', message: 'broke', param: null }),
    )
    expect(text).toBe(response('response.created', {}))
    expect(state.failure).toContain('broke')
  })
})

describe('any split of the bytes', () => {
  const lineEnds = fc.constantFrom('\n', '\r\n', '\r')
  const pieces: Record<'openai-chat' | 'anthropic-messages' | 'openai-responses', string[]> = {
    'openai-chat': [
      delta('é漢😀 "usage":{'),
      delta('x', { usage: null }),
      delta('y', { usage: { prompt_tokens: 3, completion_tokens: 1 } }),
      chunk({ choices: [{ index: 1, delta: { content: 'z' }, finish_reason: null }] }),
      finish(),
      chunk({ choices: [], usage }),
      ': keep-alive\n\n',
      '\n',
      done,
      'data: {"choices": [],\ndata: "usage": {"prompt_tokens": 12, "completion_tokens": 7}}\n\n',
      'data: {"error":{"message":"no"}}\n\n',
      'data: {"broken\n\n',
    ],
    'anthropic-messages': [
      messageStart,
      words,
      messageDelta,
      messageStop,
      event({ type: 'ping' }),
      event({ type: 'error', error: { message: 'no' } }),
    ],
    'openai-responses': [
      response('response.created', { usage: null }),
      event({ type: 'response.output_text.delta', delta: 'é' }),
      response('response.completed', { usage: responseUsage }),
      done,
    ],
  }
  it.each(['openai-chat', 'anthropic-messages', 'openai-responses'] as const)(
    'gives the same bytes, usage and completeness (%s)',
    (format) => {
      fc.assert(
        fc.property(
          fc.array(fc.constantFrom(...pieces[format]), { maxLength: 12 }),
          lineEnds,
          fc.nat(60),
          fc.constantFrom('asked' as const, 'always' as const, 'never' as const),
          fc.array(fc.nat(2500), { maxLength: 40 }),
          (events, lineEnd, cutOff, mode, cuts) => {
            const whole = events.join('').replaceAll('\n', lineEnd)
            const stream = whole.slice(0, Math.max(0, whole.length - cutOff))
            const expected = run(format, stream, mode)
            expect(run(format, stream, mode, cuts)).toEqual(expected)
            expect(run(format, stream, mode, [...Buffer.from(stream).keys()])).toEqual(expected)
          },
        ),
        { numRuns: 150 },
      )
    },
  )

  it('changes nothing outside usage chunks', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces['openai-chat'].slice(0, 9)), { maxLength: 12 }), lineEnds, (events, lineEnd) => {
        const stream = events.join('').replaceAll('\n', lineEnd)
        const parse = (text: string): unknown[] =>
          new SseParser().push(Buffer.from(`${text}\n`)).map(({ data }): unknown => (data === '[DONE]' ? data : JSON.parse(data)))
        const given = parse(stream)
        const { text, state } = run('openai-chat', stream, 'asked')
        const got = parse(text)
        expect(got).toHaveLength(given.length)
        got.forEach((value, index) => {
          const before = given[index]
          if (isUsageChunk(before))
            expect(value).toEqual({
              ...before,
              usage: { ...before.usage, cost: expect.any(Number) as number, cost_details: expect.any(Object) as object },
            })
          else expect(value).toEqual(before)
        })
        expect(state.events).toBe(given.filter((value) => value !== '[DONE]').length)
      }),
    )
  })
})

function isUsageChunk(value: unknown): value is { usage: Record<string, unknown> } {
  return typeof value === 'object' && value !== null && 'usage' in value && typeof value.usage === 'object' && value.usage !== null
}
