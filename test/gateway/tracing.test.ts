import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startCollector, type Collector } from '../../src/gateway/telemetry/fixtures/collector.js'
import { chatReply, chatStream, messagesReply, messagesStream, openaiError } from '../upstream/index.js'
import { chat, startBench, type Bench } from './harness.js'

const PROMPT = 'prompt-7f3a91-nobody-may-see'
const ANSWER = 'answer-c04d22-nobody-may-see'
const ARGUMENT = 'argument-11b8e5-nobody-may-see'
const INCOMING = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

let bench: Bench
let collector: Collector
beforeEach(async () => {
  collector = await startCollector()
})
afterEach(async () => {
  await bench.close()
  await collector.close()
})

const startTraced = () =>
  startBench(
    (config) =>
      void (config['telemetry'] = {
        otlp_endpoint: collector.endpoint,
        otlp_headers: { 'x-tenant': 'tenant-secret' },
        service_name: 'bursar-test',
      }),
  )

/** The answer read to its end; nothing is left to send after it. */
async function done(answer: Promise<Response>): Promise<void> {
  await (await answer).text().catch(() => undefined)
}

/** All spans so far; the gateway sends the last of them when it closes. */
async function spans(): Promise<Span[]> {
  await expect.poll(() => bench.gateway.inFlight).toBe(0)
  await bench.gateway.close()
  return collector.received.flatMap(({ body }) => readSpans(body))
}

describe('spans at a collector', () => {
  it('one SERVER span a request and one CLIENT span a call, by the GenAI conventions, with usage', async () => {
    bench = await startTraced()
    bench.upstream.enqueue(chatStream({ text: [ANSWER], usage: { input: 30, cached: 10, output: 25, reasoning: 5 } }))
    await done(bench.post('/v1/chat/completions', chat('fast', { stream: true })))
    const [server, client, ...others] = (await spans()).sort((a, b) => a.kind - b.kind)
    expect(others).toEqual([])
    expect(server).toMatchObject({
      name: 'POST /v1/chat/completions',
      kind: 2,
      parent: '',
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/v1/chat/completions',
        'http.response.status_code': 200,
        'bursar.request.model': 'fast',
        'bursar.request.id': expect.stringMatching(/^req_/) as string,
      },
    })
    expect(client).toMatchObject({
      name: 'chat mock',
      kind: 3,
      parent: server?.id,
      trace: server?.trace,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': 'mock',
        'gen_ai.request.stream': true,
        'gen_ai.usage.input_tokens': 30,
        'gen_ai.usage.cache_read.input_tokens': 10,
        'gen_ai.usage.output_tokens': 25,
        'gen_ai.usage.reasoning.output_tokens': 5,
        'bursar.deployment': 'up/mock',
        'bursar.call.end': 'complete',
        'bursar.cost.usd': 0.0001225,
      },
    })
    expect(client?.attributes['gen_ai.response.time_to_first_chunk']).toBeGreaterThan(0)
    // No token is counted twice when a trace is summed up.
    expect(Object.keys(server?.attributes ?? {}).filter((name) => name.includes('usage'))).toEqual([])
    expect(collector.received.map(({ path, type }) => [path, type])).toEqual([['/v1/traces', 'application/x-protobuf']])
    expect(collector.received[0]?.headers['x-tenant']).toBe('tenant-secret')
    expect(collector.received[0]?.body.includes('bursar-test')).toBe(true)
  })

  it('a call for each attempt, failed ones with the error’s code', async () => {
    bench = await startTraced()
    bench.upstream.enqueue(openaiError(500, 'oops'))
    await done(bench.post('/v1/chat/completions', chat('fast')))
    await done(bench.post('/v1/chat/completions', chat('nowhere/none')))
    const all = await spans()
    const calls = all.filter(({ kind }) => kind === 3)
    expect(
      calls.map(({ attributes }) => [attributes['bursar.call.attempt'], attributes['bursar.call.end'], attributes['error.type']]),
    ).toEqual([
      [1, 'failed', 'upstream_error'],
      [2, 'complete', undefined],
    ])
    expect(calls.map(({ status }) => status)).toEqual([2, 0])
    const refused = all.find(({ attributes }) => attributes['http.response.status_code'] === 404)
    expect(refused?.attributes['error.type']).toBe('model_not_found')
    // A 4xx is the caller's error, not this server's.
    expect(refused?.status).toBe(0)
  })

  it('hold no content: neither do logs, metrics nor records', async () => {
    bench = await startTraced()
    const tool = { id: 'call_1', name: 'get_weather', arguments: JSON.stringify({ city: ARGUMENT }) }
    const asked = { messages: [{ role: 'user', content: PROMPT }] }
    bench.upstream.enqueue(chatReply({ text: ANSWER, toolCalls: [tool] }))
    await done(bench.post('/v1/chat/completions', { model: 'fast', ...asked }))
    bench.upstream.enqueue(chatStream({ reasoning: [ANSWER], text: [ANSWER], toolCalls: [tool] }))
    await done(bench.post('/v1/chat/completions', { model: 'fast', stream: true, ...asked }))
    bench.upstream.enqueue(messagesStream({ reasoning: [ANSWER], text: [ANSWER], toolCalls: [tool] }))
    await done(bench.post('/v1/chat/completions', { model: 'claude', stream: true, ...asked }))
    bench.upstream.enqueue(messagesReply({ text: ANSWER, toolCalls: [tool] }))
    await done(bench.post('/v1/responses', { model: 'claude', input: PROMPT }))
    // Failures are where content leaks: a provider that repeats it, one that is unreadable, a broken stream, a bad body.
    bench.upstream.enqueue(openaiError(400, `I can't do ${PROMPT}`))
    await done(bench.post('/v1/chat/completions', { model: 'fast', ...asked }))
    bench.upstream.enqueue({ body: `<html>${ANSWER}</html>`, times: 3 })
    await done(bench.post('/v1/chat/completions', { model: 'flash', ...asked }))
    bench.upstream.enqueue({ ...chatStream({ text: [ANSWER, ANSWER, ANSWER] }), destroyAfter: 3 })
    await done(bench.post('/v1/chat/completions', { model: 'fast', stream: true, ...asked }))
    await done(bench.post('/v1/chat/completions', `{"model": "fast", "messages": [{"role": "user", "content": "${PROMPT}"`))
    await done(bench.post('/v1/chat/completions', { model: 'fast', messages: [{ role: PROMPT, content: PROMPT }] }))
    await done(bench.post('/v1/embeddings', { model: 'up/mock-embed', input: PROMPT }))
    const metrics = await (await fetch(`${bench.url}/metrics`)).text()
    const records = JSON.stringify(await bench.gateway.ledger.calls({ limit: 1000 }), (_name, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    )
    const all = await spans()
    expect(all.length).toBeGreaterThan(15)
    expect(metrics).toContain('bursar_calls_total')
    expect(records).toContain('call_')
    const places = {
      spans: Buffer.concat(collector.received.map(({ body }) => body)).toString('latin1'),
      log: bench.log.join(''),
      metrics,
      records,
    }
    for (const [place, text] of Object.entries(places))
      for (const secret of [PROMPT, ANSWER, ARGUMENT, 'sk-upstream-secret', 'sk-ant-secret', 'tenant-secret', 'sk-test-0123456789abcdef'])
        expect(text.includes(secret), `${secret} in ${place}`).toBe(false)
  })
})

describe('trace context', () => {
  it('goes on to the provider with the gateway’s own span as the parent', async () => {
    bench = await startTraced()
    await done(bench.post('/v1/chat/completions', chat('fast'), { traceparent: INCOMING, tracestate: 'vendor=1' }))
    const { traceparent, tracestate } = bench.upstream.last.headers
    const all = await spans()
    const server = all.find(({ kind }) => kind === 2)
    expect(all.map(({ trace }) => trace)).toEqual(['0af7651916cd43dd8448eb211c80319c', '0af7651916cd43dd8448eb211c80319c'])
    expect(server?.parent).toBe('b7ad6b7169203331')
    expect(traceparent).toBe(`00-0af7651916cd43dd8448eb211c80319c-${server?.id}-01`)
    expect(tracestate).toBe('vendor=1')
  })

  it('begins here when the caller has none', async () => {
    bench = await startTraced()
    await done(bench.post('/v1/chat/completions', chat('fast')))
    const { traceparent } = bench.upstream.last.headers
    const server = (await spans()).find(({ kind }) => kind === 2)
    expect(traceparent).toBe(`00-${server?.trace}-${server?.id}-01`)
  })

  it('passes through as it came where no collector is configured', async () => {
    bench = await startBench()
    await done(bench.post('/v1/chat/completions', chat('fast'), { traceparent: INCOMING, tracestate: 'vendor=1' }))
    expect(bench.upstream.last.headers).toMatchObject({ traceparent: INCOMING, tracestate: 'vendor=1' })
    await done(bench.post('/v1/chat/completions', chat('claude'), { traceparent: INCOMING }))
    expect(bench.upstream.last.headers['traceparent']).toBe(INCOMING)
  })
})

describe('a collector that is away', () => {
  it('disturbs no request and no shutdown, and is told in the log', async () => {
    await collector.close()
    bench = await startTraced()
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(200)
    await answer.text()
    expect(await spans()).toEqual([])
    expect(bench.log.join('')).toContain('spans could not be sent')
  })
})

interface Span {
  readonly trace: string
  readonly id: string
  /** `''` when it has none. */
  readonly parent: string
  readonly name: string
  /** 2 server, 3 client. */
  readonly kind: number
  readonly attributes: Readonly<Record<string, unknown>>
  /** 0 unset, 2 error. */
  readonly status: number
}

/** Fields of a protobuf message: whole numbers, fixed 64-bit values and byte strings, by field number. */
function fields(message: Buffer): { readonly number: number; readonly value: bigint | Buffer }[] {
  const found: { number: number; value: bigint | Buffer }[] = []
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++]
      if (byte === undefined) throw new Error('a protobuf message ends in the middle')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = Number(varint())
    const wire = tag & 7
    if (wire === 0) found.push({ number: tag >> 3, value: varint() })
    else {
      const length = wire === 2 ? Number(varint()) : wire === 1 ? 8 : 4
      found.push({ number: tag >> 3, value: message.subarray(at, at + length) })
      at += length
    }
  }
  return found
}

const inside = (message: Buffer, number: number): Buffer[] =>
  fields(message).flatMap((field) => (field.number === number && field.value instanceof Buffer ? [field.value] : []))
const numberIn = (message: Buffer, number: number): number => Number(fields(message).find((field) => field.number === number)?.value ?? 0n)

/** The spans of an `ExportTraceServiceRequest`; field numbers from opentelemetry/proto/trace/v1/trace.proto. */
function readSpans(body: Buffer): Span[] {
  return inside(body, 1)
    .flatMap((resource) => inside(resource, 2))
    .flatMap((scope) => inside(scope, 2))
    .map((span) => ({
      trace: inside(span, 1)[0]?.toString('hex') ?? '',
      id: inside(span, 2)[0]?.toString('hex') ?? '',
      parent: inside(span, 4)[0]?.toString('hex') ?? '',
      name: inside(span, 5)[0]?.toString() ?? '',
      kind: numberIn(span, 6),
      attributes: Object.fromEntries(
        inside(span, 9).map((pair) => [inside(pair, 1)[0]?.toString() ?? '', attributeValue(inside(pair, 2)[0] ?? Buffer.alloc(0))]),
      ),
      status: inside(span, 15).map((status) => numberIn(status, 3))[0] ?? 0,
    }))
}

function attributeValue(value: Buffer): unknown {
  const field = fields(value)[0]
  if (field === undefined) return undefined
  if (field.value instanceof Buffer)
    return field.number === 4
      ? field.value.readDoubleLE()
      : field.number === 5
        ? inside(field.value, 1).map(attributeValue)
        : field.value.toString()
  return field.number === 2 ? field.value === 1n : Number(field.value)
}
