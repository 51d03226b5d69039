import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { usd } from '../../../quantities/index.js'
import type { Message, Request } from '../../../protocol/index.js'
import { instantClock } from '../fixtures/instant-clock.js'
import { asking, callOf, gather, generous, said, textOf } from '../fixtures/provider-call.js'
import { fingerprintOf, fingerprintOfRow } from './fingerprint.js'
import { createRecordedProvider, type RecordedSettings } from './recorded-provider.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-recorded-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

let files = 0
function table(rows: readonly object[], prices?: object): string {
  const name = join(folder, `answers${files++}`)
  writeFileSync(`${name}.jsonl.gz`, gzipSync(rows.map((row) => JSON.stringify(row)).join('\n')))
  if (prices) writeFileSync(`${name}.prices.json`, JSON.stringify(prices))
  return `${name}.jsonl.gz`
}
const row = (id: string, content: string, outcomes: object) => ({ id, request: { messages: [{ role: 'user', content }] }, outcomes })
async function open(rows: readonly object[], settings: Partial<RecordedSettings> = {}) {
  const clock = instantClock()
  return { clock, provider: await createRecordedProvider({ files: [table(rows)], clock, ...settings }) }
}
const serve = async (rows: readonly object[], model: string, request: Request) =>
  gather((await open(rows)).provider, callOf(model, request))

describe('recorded provider', () => {
  it('streams any text byte for byte, in pieces that are whole characters, the same way each time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', maxLength: 400 }), async (answer) => {
        const rows = [row('1', 'q', { m: { answer, inputTokens: 3, outputTokens: 5 } })]
        const { deltas, text } = await serve(rows, 'm', asking('q'))
        expect(text).toBe(answer)
        for (const delta of deltas) if (delta.type === 'text') expect(Buffer.from(delta.text).toString()).toBe(delta.text)
        expect((await serve(rows, 'm', asking('q'))).deltas).toEqual(deltas)
        const whole = await serve(rows, 'm', asking('q', { stream: false }))
        expect(whole.result.answer).toMatchObject({
          reply: { choices: [{ parts: answer === '' ? [] : [{ type: 'text', text: answer }], finish: 'stop' }] },
        })
      }),
      { numRuns: 40 },
    )
  })

  it('keeps answers larger than its blocks apart', async () => {
    const big = 'ü'.repeat(3_000_000)
    const rows = [
      row('1', 'a', { m: { answer: big } }),
      row('2', 'b', { m: { answer: 'small' } }),
      row('3', 'c', { m: { answer: `${big}!` } }),
    ]
    const { provider } = await open(rows, { speed: Infinity })
    const answer = async (text: string) => (await gather(provider, callOf('m', asking(text)))).text
    expect(await answer('b')).toBe('small')
    expect(await answer('c')).toBe(`${big}!`)
    expect(await answer('a')).toBe(big)
  })

  it('reports the recorded counts and bill', async () => {
    const measured = { inputTokens: 120, cacheReadTokens: 100, outputTokens: 7, reasoningTokens: 30, usd: 0.00123 }
    const { result, deltas } = await serve([row('1', 'q', { m: { answer: 'a', ...measured } })], 'm', asking('q'))
    expect(result.reported).toMatchObject({
      usage: { inputTokens: 20, cacheReadTokens: 100, outputTokens: 7, reasoningTokens: 30 },
      billedUsd: usd('0.00123'),
    })
    expect(deltas.at(-1)).toEqual({ type: 'usage', reported: result.reported })
    const unpriced = await serve([row('1', 'q', { m: { answer: 'abcdefghi' } })], 'm', asking('q'))
    expect(unpriced.result.reported).not.toHaveProperty('billedUsd')
    expect(unpriced.result.reported?.usage).toMatchObject({ inputTokens: 1, outputTokens: 3 })
  })

  it('takes the recorded time, or less of it, or none', async () => {
    const rows = [
      row('1', 'q', { m: { answer: 'word '.repeat(100), seconds: 12, firstTokenSeconds: 2, outputTokens: 100, inputTokens: 1 } }),
    ]
    for (const [speed, stream, seconds] of [
      [1, true, 12],
      [4, true, 3],
      [4, false, 3],
      [Infinity, true, 0],
    ] as const) {
      const { provider, clock } = await open(rows, { speed })
      await gather(provider, callOf('m', asking('q', { stream })))
      expect(clock.monotonic() - 1_000).toBeCloseTo(seconds, 1)
      if (speed === 1) expect(clock.sleeps[0]).toBeCloseTo(2)
    }
    const { provider } = await open(rows)
    await expect(gather(provider, callOf('m', asking('q'), { limits: { ...generous, firstTokenSeconds: 1 } }))).rejects.toMatchObject({
      code: 'upstream_timeout',
      phase: 'first_token',
    })
  })

  it('serves samples in the order drawn, for each row and model on its own, and then from the front', async () => {
    const samples = (...answers: string[]) => ({
      inputTokens: 4,
      samples: answers.map((answer, index) => ({ answer, outputTokens: index + 1 })),
    })
    const { provider } = await open([
      row('1', 'q', { m: samples('a', 'b', 'c'), o: samples('x', 'y') }),
      row('2', 'r', { m: samples('z') }),
    ])
    const next = async (model: string, text = 'q') => {
      const { text: answer, result } = await gather(provider, callOf(model, asking(text)))
      return `${answer}${result.reported?.usage.outputTokens}`
    }
    expect([
      await next('m'),
      await next('o'),
      await next('m'),
      await next('m', 'r'),
      await next('m'),
      await next('m'),
      await next('o'),
      await next('m', 'r'),
    ]).toEqual(['a1', 'x1', 'b2', 'z1', 'c3', 'a1', 'y2', 'z1'])
    const several = await gather(provider, callOf('m', asking('q', { n: 2 })))
    expect([textOf(several.deltas, 0), textOf(several.deltas, 1)]).toEqual(['b', 'c'])
    expect(several.result.reported?.usage).toMatchObject({ inputTokens: 4, outputTokens: 5 })
    await expect(gather(provider, callOf('m', asking('q', { n: 4 })))).rejects.toMatchObject({ code: 'unsupported_parameter', path: 'n' })
  })

  it('tells rows with the same messages apart by the id that the caller names', async () => {
    const rows = [row('1', 'q', { m: { answer: 'first' } }), row('2', 'q', { m: { answer: 'second' }, only: { answer: 'alone' } })]
    const answer = async (more: Partial<Request>, model = 'm', text = 'q') => (await serve(rows, model, asking(text, more))).text
    expect(await answer({})).toBe('first')
    expect(await answer({ user: '2' })).toBe('second')
    expect(await answer({ metadata: { user_id: '2' } })).toBe('second')
    expect(await answer({ user: 'someone' })).toBe('first')
    expect(await answer({}, 'only')).toBe('alone')
    expect(await answer({ user: '2' }, 'm', 'something else')).toBe('second')
  })

  it('says what is missing: the model, the request, or the answer of this model', async () => {
    const rows = [row('1', 'q', { m: { answer: 'a' }, n: { quality: 1 } }), row('2', 'r', { n: { answer: 'b' } })]
    const fail = (model: string, text: string) => serve(rows, model, asking(text))
    await expect(fail('nobody', 'q')).rejects.toMatchObject({
      code: 'model_not_found',
      status: 404,
      path: 'model',
      message: expect.stringContaining('m, n') as string,
    })
    await expect(fail('m', 'Q')).rejects.toMatchObject({ code: 'not_found', status: 404, path: 'messages' })
    await expect(fail('n', 'q')).rejects.toMatchObject({
      code: 'not_found',
      status: 404,
      message: expect.stringContaining('Row "1" has no recorded answer of "n"') as string,
    })
    expect((await serve(rows, 'recorded/m', asking('q'))).text).toBe('a')
  })

  it('joins several tables and takes prices from beside them', async () => {
    const one = table([row('1', 'q', { m: { answer: 'a', inputTokens: 1, outputTokens: 1 } })], { m: { input: 0.5, output: '1.5' } })
    const two = table([row('1', 'q', { o: { answer: 'b' } })])
    const provider = await createRecordedProvider({ files: [one, two] })
    expect(provider.models?.()).toEqual(['m', 'o'])
    expect((await gather(provider, callOf('o', asking('q')))).text).toBe('b')
    expect(provider.facts('m')?.prices).toMatchObject({ input: { base: 500_000n }, output: { base: 1_500_000n } })
    expect(provider.facts('o')?.prices).toBeUndefined()
    expect(provider.facts('x')).toBeUndefined()
    expect(await provider.check(new AbortController().signal)).toMatchObject({
      ok: true,
      message: expect.stringContaining('1 models without a price') as string,
    })
  })

  it.each([
    ['no answers', () => createRecordedProvider({ files: [table([row('1', 'q', { m: { quality: 1 } })])] }), /held no answer text/],
    ['no rows', () => createRecordedProvider({ files: [table([])] }), /held no row/],
    ['no files', () => createRecordedProvider({ files: [] }), /none named/],
    ['a broken row', () => createRecordedProvider({ files: [table([{ id: 5 }])] }), /row 1: id/],
    [
      'an unknown price field',
      () => createRecordedProvider({ files: [table([row('1', 'q', { m: { answer: 'a' } })], { m: { input: 1, output: 1, inputs: 2 } })] }),
      /inputs/,
    ],
    ['a speed of zero', () => createRecordedProvider({ files: [], speed: 0 }), /speed/],
  ])('refuses %s', async (_what, make, message) => {
    await expect(make()).rejects.toMatchObject({ code: 'invalid_configuration', message: expect.stringMatching(message) as string })
  })
})

describe('fingerprints of conversations', () => {
  it('are the same for the same conversation in any format', () => {
    const rowPrint = fingerprintOfRow([
      { role: 'system', content: 'Be ' },
      { role: 'developer', content: 'brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'See' },
          { type: 'text', text: ' this:' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
        ],
      },
      { role: 'assistant', content: null, tool_calls: [{ id: 'x', type: 'function', function: { name: 'look', arguments: '{"a": 1}' } }] },
      { role: 'tool', tool_call_id: 'x', content: 'nice' },
    ])
    const messages: Message[] = [
      said('system', 'Be brief.'),
      {
        role: 'user',
        parts: [
          { type: 'text', text: 'See this:' },
          { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' } },
        ],
      },
      {
        role: 'assistant',
        parts: [
          { type: 'reasoning', text: 'hm' },
          { type: 'tool_call', id: 'y', name: 'look', arguments: '{"a":1}' },
        ],
      },
      { role: 'user', parts: [{ type: 'tool_result', callId: 'y', content: [{ type: 'text', text: 'nice' }] }] },
    ]
    expect(fingerprintOf(messages)).toBe(rowPrint)
    expect(
      fingerprintOf(
        messages.map((message) =>
          message.role === 'user' && message.parts[0]?.type === 'tool_result' ? { ...message, role: 'tool' as const } : message,
        ),
      ),
    ).toBe(rowPrint)
  })

  it('differ where a byte, a speaker or a border differs', () => {
    const prints = [
      [said('user', 'ab')],
      [said('user', 'ab ')],
      [said('assistant', 'ab')],
      [said('system', 'ab')],
      [said('user', 'a'), said('user', 'b')],
      [said('user', 'a'), said('assistant', 'b')],
    ].map(fingerprintOf)
    expect(new Set(prints).size).toBe(prints.length)
  })
})
