import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { usd } from '../../quantities/index.js'
import { percentile } from './bill.js'
import { drive, type DriveOptions } from './drive.js'
import { reportLines } from './report.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-drive-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Asked {
  readonly path: string
  readonly authorization: string | undefined
  readonly body: Record<string, unknown>
}
type Answer = (asked: Asked, response: ServerResponse) => void

const servers: Server[] = []
afterEach(() => servers.splice(0).forEach((server) => server.close()))

/** A gateway that says what the test tells it to. */
async function gateway(answer: Answer, models = ['p/m', 'p/n']): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    if (request.url === '/v1/models') return void response.end(JSON.stringify({ data: models.map((id) => ({ id })) }))
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const one = {
        path: request.url ?? '',
        authorization: request.headers.authorization,
        body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>,
      }
      asked.push(one)
      answer(one, response)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

let tables = 0
function table(rows: readonly object[], prices?: object): string {
  const name = join(folder, `table${tables++}`)
  writeFileSync(`${name}.jsonl`, rows.map((row) => JSON.stringify(row)).join('\n'))
  if (prices) writeFileSync(`${name}.prices.json`, JSON.stringify(prices))
  return `${name}.jsonl`
}
const text = 'Añswer ✓ of several\nlines'
const row = (id: string, outcomes: object, messages: object[] = [{ role: 'user', content: `q${id}` }]) => ({
  id,
  request: { messages },
  outcomes,
})
const good = { answer: text, inputTokens: 3, outputTokens: 9 }
const prices = { m: { input: 1, output: 2 }, n: { input: 1, output: 2 } }
// 3 × 1e-6 + 9 × 2e-6 dollars.
const cost = 0.000021

const run = (requests: string, url: string, more: Partial<DriveOptions> = {}) =>
  drive({ requests, baseUrl: url, key: 'k', concurrency: 3, stream: true, format: 'openai-chat', ...more })
const sse = (response: ServerResponse, events: readonly (object | string)[]) =>
  response
    .writeHead(200, { 'content-type': 'text/event-stream' })
    .end(events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join(': ping\n\n'))

const usage = { prompt_tokens: 3, completion_tokens: 9, cost }
const chatStream = (answer: string, told: object = usage): (object | string)[] => [
  { choices: [{ delta: { role: 'assistant', content: '' } }] },
  ...[...answer].map((content) => ({ choices: [{ delta: { content } }] })),
  { choices: [{ delta: {}, finish_reason: 'stop' }] },
  { choices: [], usage: told },
  '[DONE]',
]

describe('drive', () => {
  it('sends each row to each model as a client does, and finds all as recorded', async () => {
    const { url, asked } = await gateway((_asked, response) => sse(response, chatStream(text)))
    const rows = Array.from({ length: 7 }, (_, index) => row(String(index), { m: good, n: good, unanswered: { quality: 1 } }))
    const report = await run(table(rows, prices), `${url}/v1/`)
    expect(report.ok, JSON.stringify(report.mismatches)).toBe(true)
    expect(report.total.toJSON()).toMatchObject({
      calls: 14,
      identical: 14,
      errors: 0,
      inputTokens: 42,
      outputTokens: 126,
      billedUsd: '0.000294',
      expectedUsd: '0.000294',
      expectedUnknown: 0,
    })
    expect(report.total.firstTokenSeconds).toHaveLength(14)
    expect(asked).toHaveLength(14)
    expect(asked[0]).toMatchObject({
      path: '/v1/chat/completions',
      authorization: 'Bearer k',
      body: { stream: true, stream_options: { include_usage: true } },
    })
    expect(new Set(asked.map(({ body }) => `${String(body.user)} ${String(body.model)}`)).size).toBe(14)
    expect(report.sha256).toMatch(/^[0-9a-f]{64}$/)
    expect(reportLines(report).join('\n')).toContain('to the picodollar')
  })

  it.each([
    ['openai-chat', { choices: [{ message: { content: text } }], usage }],
    [
      'anthropic-messages',
      { content: [{ type: 'text', text }], usage: { input_tokens: 1, cache_read_input_tokens: 2, output_tokens: 9, cost } },
    ],
    [
      'openai-responses',
      { output: [{ type: 'reasoning' }, { content: [{ type: 'output_text', text }] }], usage: { input_tokens: 3, output_tokens: 9, cost } },
    ],
  ] as const)('reads whole answers of %s', async (format, body) => {
    const { url, asked } = await gateway((_asked, response) => response.end(JSON.stringify(body)))
    const messages = [
      { role: 'system', content: 'Be kind.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ]
    const report = await run(table([row('r1', { m: good }, messages)], prices), url, { stream: false, format })
    expect(report.ok, JSON.stringify(report.mismatches)).toBe(true)
    const sent = asked[0]?.body
    if (format === 'anthropic-messages')
      expect(sent).toMatchObject({
        system: [{ type: 'text', text: 'Be kind.' }],
        messages: [{ role: 'user', content: 'ab' }],
        metadata: { user_id: 'r1' },
      })
    if (format === 'openai-responses')
      expect(sent).toMatchObject({ instructions: 'Be kind.', input: [{ role: 'user', content: 'ab' }], user: 'r1', store: false })
  })

  it.each([
    [
      'anthropic-messages',
      [
        { type: 'message_start', message: { usage: { input_tokens: 3, output_tokens: 1 } } },
        { type: 'content_block_delta', delta: { type: 'thinking_delta', thinking: 'hm' } },
        ...[...text].map((piece) => ({ type: 'content_block_delta', delta: { type: 'text_delta', text: piece } })),
        { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9, cost } },
        { type: 'message_stop' },
      ],
    ],
    [
      'openai-responses',
      [
        ...[...text].map((delta) => ({ type: 'response.output_text.delta', delta })),
        { type: 'response.completed', response: { usage: { input_tokens: 3, output_tokens: 9, cost } } },
      ],
    ],
  ] as const)('reads streams of %s', async (format, events) => {
    const { url } = await gateway((_asked, response) => sse(response, events))
    const report = await run(table([row('1', { m: good })], prices), url, { format })
    expect(report.ok, JSON.stringify(report.mismatches)).toBe(true)
  })

  it.each([
    [
      'an answer that differs in one byte',
      chatStream(text.replace('✓', '✔')),
      { answerMismatches: 1, identical: 0 },
      /differs from byte 10 on/,
    ],
    [
      'an answer cut short',
      chatStream(text.slice(0, -1)),
      { answerMismatches: 1 },
      /differs from byte 27 on \(27 bytes came, 28 were recorded\)/,
    ],
    [
      'a wrong count',
      chatStream(text, { ...usage, completion_tokens: 8 }),
      { tokenMismatches: 1, identical: 1 },
      /3 \+ 8 tokens reported, 3 \+ 9 recorded/,
    ],
    ['no usage at all', chatStream(text, {}), { tokenMismatches: 1, billedUnknown: 1 }, /no \+ no tokens/],
    ['a cost that is a picodollar off', chatStream(text, { ...usage, cost: 0.000021000001 }), { costMismatches: 1 }, /expected 0.000021/],
    ['an unknown cost', chatStream(text, { ...usage, cost: null }), { costMismatches: 1, billedUnknown: 1 }, /cost unknown/],
    ['a stream without its end', chatStream(text).slice(0, -1), { errors: 1 }, /ended before/],
    [
      'an error in the stream',
      [...chatStream(text).slice(0, 5), { error: { message: 'it broke', truncated: true } }],
      { errors: 1 },
      /it broke/,
    ],
    ['what is no JSON', ['{"choices"'], { errors: 1 }, /JSON/],
  ])('catches %s', async (_what, events, counts, message) => {
    const { url } = await gateway((_asked, response) => sse(response, events))
    const report = await run(table([row('r9', { m: good })], prices), url)
    expect(report.ok).toBe(false)
    expect(report.total.toJSON()).toMatchObject({ calls: 1, ...counts })
    expect(report.mismatches).toEqual([{ row: 'r9', model: 'm', what: expect.stringMatching(message) as string }])
    expect(reportLines(report).join('\n')).toMatch(message)
  })

  it('counts refused and broken calls and goes on', async () => {
    let calls = 0
    const { url } = await gateway((_asked, response) => {
      calls += 1
      if (calls === 1) response.writeHead(429, { 'content-type': 'application/json' }).end('{"error":{"message":"slow down"}}')
      else if (calls === 2) response.destroy()
      else sse(response, chatStream(text))
    })
    const report = await run(
      table(
        [1, 2, 3, 4].map((id) => row(String(id), { m: good })),
        prices,
      ),
      url,
      { concurrency: 1 },
    )
    expect(report.total.toJSON()).toMatchObject({ calls: 4, errors: 2, identical: 2 })
    expect(report.mismatches[0]?.what).toBe('HTTP 429: slow down')
  })

  it('takes any of several samples for right, with its own counts and recorded dollars', async () => {
    const { url } = await gateway((_asked, response) =>
      sse(response, chatStream('second', { prompt_tokens: 3, completion_tokens: 2, cost: 0.5 })),
    )
    const samples = [
      { answer: 'first', outputTokens: 1, usd: 0.25 },
      { answer: 'second', outputTokens: 2, usd: 0.5 },
    ]
    const report = await run(table([row('1', { m: { inputTokens: 3, samples } })]), url)
    expect(report.ok, JSON.stringify(report.mismatches)).toBe(true)
    expect(report.total.expected.known).toBe(usd('0.5'))
  })

  it('keeps to the models and rows asked for, and names models as the gateway does', async () => {
    const { url, asked } = await gateway((_asked, response) => sse(response, chatStream(text)), ['p/m', 'n'])
    const rows = [1, 2, 3].map((id) => row(String(id), { m: good, n: good, o: good }))
    const report = await run(table(rows, prices), url, { models: ['m', 'n'], limit: 2 })
    expect(report.rows).toBe(2)
    expect(report.sha256).toBeUndefined()
    expect(asked.map(({ body }) => body.model).sort()).toEqual(['n', 'n', 'p/m', 'p/m'])
    await expect(run(table(rows), url, { models: ['m', 'x'] })).rejects.toThrow(/no answers of x/)
  })

  it('says so when a price is unknown, and when there was nothing to send', async () => {
    const { url } = await gateway((_asked, response) => sse(response, chatStream(text, { ...usage, cost: null })))
    const report = await run(table([row('1', { m: good })]), url)
    expect(report.ok).toBe(true)
    expect(reportLines(report).join('\n')).toMatch(/no price or token count is recorded/)
    expect((await run(table([row('1', { m: { quality: 1 } })]), url)).ok).toBe(false)
  })

  it('fails at once for a gateway that is not there, a key that is refused, a broken table and a request it can’t send', async () => {
    const { url } = await gateway((_asked, response) => sse(response, chatStream(text)))
    const fine = table([row('1', { m: good })])
    await expect(run(fine, 'http://127.0.0.1:1')).rejects.toMatchObject({ code: 'upstream_unreachable' })
    await expect(run(table([{ id: 1 }]), url)).rejects.toThrow(/row 1: id/)
    const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] }]
    await expect(run(table([row('pic', { m: good }, image)]), url, { format: 'anthropic-messages' })).rejects.toThrow(
      /"pic" holds more than text/,
    )
  })

  it('stops when it is told to', async () => {
    const stop = new AbortController()
    const { url } = await gateway(() => stop.abort(new Error('enough')))
    await expect(run(table([row('1', { m: good })]), url, { signal: stop.signal })).rejects.toThrow('enough')
  })
})

describe('percentile', () => {
  it('takes the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index)
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.5), percentile([], 0.5)]).toEqual([50, 99, 7, undefined])
  })
})
