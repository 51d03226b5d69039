import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { CallRecord } from '../../ledger/index.js'
import { noUsage, usd } from '../../quantities/index.js'
import { startCollector, type Collector } from './fixtures/collector.js'
import { createTracing, noTracing, type TracingOptions } from './tracing.js'

interface Value {
  stringValue?: string
  intValue?: number | string
  doubleValue?: number
  boolValue?: boolean
  arrayValue?: { values: Value[] }
}
interface OtlpSpan {
  traceId: string
  spanId: string
  parentSpanId?: string
  name: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  attributes: { key: string; value: Value }[]
  status: { code?: number }
}
interface OtlpBody {
  resourceSpans: { resource: { attributes: { key: string; value: Value }[] }; scopeSpans: { spans: OtlpSpan[] }[] }[]
}

let collector: Collector
beforeEach(async () => {
  collector = await startCollector()
})
afterEach(() => collector.close())

const json = (over: TracingOptions = {}) =>
  createTracing({ endpoint: collector.endpoint, protocol: 'http/json', serviceName: 'test', version: '1', ...over })
const spans = () =>
  collector.received.flatMap(({ body }) =>
    (JSON.parse(body.toString()) as OtlpBody).resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans)),
  )
const attributes = (span: OtlpSpan | undefined) =>
  Object.fromEntries(
    (span?.attributes ?? []).map(({ key, value }) => [
      key,
      value.stringValue ??
        value.boolValue ??
        value.doubleValue ??
        (value.arrayValue ? value.arrayValue.values.map((one) => one.stringValue) : Number(value.intValue)),
    ]),
  )

const record = (over: Partial<CallRecord> = {}): CallRecord => ({
  callId: 'call_1',
  requestId: 'req_1',
  decisionId: 'dec_1',
  at: 1_700_000_000.25,
  key: 'default',
  requestedModel: 'fast',
  provider: 'gemini',
  deployment: 'gemini/g-2',
  model: 'g-2',
  operation: 'generate',
  stream: true,
  attempt: 1,
  end: 'complete',
  status: 200,
  usage: { ...noUsage, inputTokens: 60, cacheReadTokens: 30, cacheWrite5mTokens: 10, outputTokens: 20, reasoningTokens: 5 },
  usageEstimated: false,
  cost: { usd: usd('0.00213'), seconds: 1.5, joules: null, gramsCO2e: null },
  firstTokenSeconds: 0.125,
  ...over,
})
const end = { endpoint: '/v1/chat/completions', model: 'fast', status: 200 }
const incoming = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

describe('without a collector', () => {
  it('tracing is the same nothing for everybody', async () => {
    const tracing = await createTracing({})
    expect(tracing).toBe(noTracing)
    expect(await createTracing({ endpoint: '' })).toBe(noTracing)
    tracing.requestStarted('req_1', { traceparent: incoming })
    expect(tracing.headersFor('req_1')).toEqual({})
    expect(tracing.enabled).toBe(false)
  })
})

describe('spans', () => {
  it('follow the GenAI conventions, with input tokens counted once', async () => {
    const tracing = await json({ serverOf: () => ({ address: 'generativelanguage.googleapis.com', port: 443 }) })
    tracing.requestStarted('req_1', {})
    tracing.callEnded(record())
    tracing.requestEnded('req_1', { ...end, responseModel: 'g-2-001', responseId: 'r', finishReasons: ['stop'] })
    await tracing.close()
    const [call, request] = [spans().find((span) => span.kind === 3), spans().find((span) => span.kind === 2)]
    expect(spans()).toHaveLength(2)
    expect(call?.name).toBe('chat g-2')
    expect(call?.parentSpanId).toBe(request?.spanId)
    expect(call?.traceId).toBe(request?.traceId)
    expect(BigInt(call?.endTimeUnixNano ?? 0) - BigInt(call?.startTimeUnixNano ?? 0)).toBe(1_500_000_000n)
    expect(call?.startTimeUnixNano).toBe('1700000000250000000')
    expect(attributes(call)).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'gcp.gemini',
      'gen_ai.request.model': 'g-2',
      'gen_ai.request.stream': true,
      'gen_ai.response.model': 'g-2-001',
      'gen_ai.response.id': 'r',
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.response.time_to_first_chunk': 0.125,
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.output_tokens': 25,
      'gen_ai.usage.cache_read.input_tokens': 30,
      'gen_ai.usage.cache_creation.input_tokens': 10,
      'gen_ai.usage.reasoning.output_tokens': 5,
      'server.address': 'generativelanguage.googleapis.com',
      'server.port': 443,
      'http.response.status_code': 200,
      'bursar.call.id': 'call_1',
      'bursar.call.end': 'complete',
      'bursar.call.attempt': 1,
      'bursar.deployment': 'gemini/g-2',
      'bursar.cost.usd': 0.00213,
    })
    expect(request?.name).toBe('POST /v1/chat/completions')
    expect(attributes(request)).toEqual({
      'http.request.method': 'POST',
      'http.route': '/v1/chat/completions',
      'http.response.status_code': 200,
      'bursar.request.id': 'req_1',
      'bursar.request.model': 'fast',
    })
    const inputs = spans().filter((span) => 'gen_ai.usage.input_tokens' in attributes(span))
    expect(inputs).toHaveLength(1)
  })

  it('tell every attempt, failures by their code, and an unknown price by leaving it out', async () => {
    const tracing = await json()
    tracing.requestStarted('req_1', {})
    tracing.callEnded(record({ callId: 'a', end: 'failed', status: 503, errorCode: 'upstream_error', usage: noUsage }))
    tracing.callEnded(
      record({
        callId: 'b',
        attempt: 2,
        end: 'truncated',
        errorCode: 'stream_truncated',
        cost: { usd: null, seconds: 1, joules: null, gramsCO2e: null },
      }),
    )
    tracing.requestEnded('req_1', { ...end, status: 502, errorCode: 'stream_truncated' })
    await tracing.close()
    const calls = spans().filter((span) => span.kind === 3)
    expect(calls.map((call) => attributes(call)['error.type'])).toEqual(['upstream_error', 'stream_truncated'])
    expect(calls.map((call) => call.status.code)).toEqual([2, 2])
    expect(attributes(calls[0])).not.toHaveProperty('gen_ai.usage.input_tokens')
    expect(attributes(calls[1])).not.toHaveProperty('bursar.cost.usd')
    const request = spans().find((span) => span.kind === 2)
    expect(attributes(request)['error.type']).toBe('stream_truncated')
    expect(request?.status.code).toBe(2)
  })

  it("don't call a caller's mistake a failure of the server", async () => {
    const tracing = await json()
    tracing.requestStarted('req_1', {})
    tracing.requestEnded('req_1', { ...end, status: 404, errorCode: 'model_not_found' })
    await tracing.close()
    expect(spans()[0]?.status.code ?? 0).toBe(0)
    expect(attributes(spans()[0])['error.type']).toBe('model_not_found')
  })

  it('take in a call that is settled after its request was over', async () => {
    const tracing = await json()
    tracing.requestStarted('req_1', {})
    tracing.requestEnded('req_1', { ...end, status: 499, errorCode: 'client_closed_request' })
    tracing.callEnded(record({ end: 'cancelled', operation: 'embed' }))
    await tracing.close()
    const [call, request] = [spans().find((span) => span.kind === 3), spans().find((span) => span.kind === 2)]
    expect(call?.parentSpanId).toBe(request?.spanId)
    expect(call?.name).toBe('embeddings g-2')
    expect(call?.status.code ?? 0).toBe(0) // the caller left: no error of the provider's
  })
})

describe('context', () => {
  it('comes in by traceparent and goes out to the provider, with the trace state', async () => {
    const tracing = await json()
    tracing.requestStarted('req_1', { traceparent: incoming, tracestate: 'vendor=abc' })
    const out = tracing.headersFor('req_1')
    expect(out['traceparent']).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
    expect(out['traceparent']).not.toContain('00f067aa0ba902b7')
    expect(out['tracestate']).toBe('vendor=abc')
    tracing.requestEnded('req_1', end)
    await tracing.close()
    expect(spans()[0]).toMatchObject({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', parentSpanId: '00f067aa0ba902b7' })
    expect(out['traceparent']).toContain(spans()[0]?.spanId)
  })

  it("follows the caller's decision not to sample, and a ratio of its own", async () => {
    const tracing = await json()
    tracing.requestStarted('req_1', { traceparent: incoming.replace(/01$/, '00') })
    expect(tracing.headersFor('req_1')['traceparent']).toMatch(/-00$/)
    tracing.callEnded(record())
    tracing.requestEnded('req_1', end)
    await tracing.close()
    const none = await json({ sampleRatio: 0 })
    none.requestStarted('req_2', {})
    none.requestEnded('req_2', end)
    await none.close()
    expect(collector.received).toEqual([])
  })

  for (const broken of ['', 'x', '00-0-0-01', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, incoming.slice(0, -1), '\u0000'.repeat(55)])
    it(`starts anew on the broken traceparent ${JSON.stringify(broken.slice(0, 20))}`, async () => {
      const tracing = await json()
      tracing.requestStarted('req_1', { traceparent: broken })
      expect(tracing.headersFor('req_1')['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      tracing.requestEnded('req_1', end)
      await tracing.close()
      expect(spans()[0]?.parentSpanId ?? '').toBe('')
    })
})

describe('the collector', () => {
  it('gets protobuf by default, at /v1/traces, with its headers', async () => {
    const tracing = await createTracing({ endpoint: `${collector.endpoint}/base/`, headers: { 'x-team': 'one' } })
    tracing.requestStarted('req_1', {})
    tracing.requestEnded('req_1', end)
    await tracing.close()
    expect(collector.received[0]).toMatchObject({ path: '/base/v1/traces', type: 'application/x-protobuf' })
    expect(collector.received[0]?.headers['x-team']).toBe('one')
    expect(collector.received[0]?.body.includes('POST /v1/chat/completions')).toBe(true)
  })

  it('may be away: requests go on and the fault is told', async () => {
    await collector.close()
    const faults: unknown[] = []
    const tracing = await json({ timeoutSeconds: 0.2, onFault: (fault) => faults.push(fault) })
    tracing.requestStarted('req_1', {})
    tracing.requestEnded('req_1', end)
    await tracing.close()
    expect(faults.length).toBeGreaterThan(0)
  })
})
