import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { plannedCall } from '../../ledger/fixtures/records.js'
import type { CallRecord } from '../../ledger/index.js'
import { noUsage, usd, zeroMoney } from '../../quantities/index.js'
import { createMetrics } from './metrics.js'

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A strict reader of the Prometheus text format (version 0.0.4); throws at the first line that isn't of it. */
function parse(text: string): { samples: Sample[]; types: Map<string, string> } {
  const samples: Sample[] = []
  const types = new Map<string, string>()
  const seen = new Set<string>()
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary)$/.exec(line)
    if (type) {
      if (types.has(type[1] ?? '')) throw new Error(`two types of ${type[1]}`)
      types.set(type[1] ?? '', type[2] ?? '')
      continue
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[\d.]+(?:e[+-]?\d+)?|[+-]Inf|Nan)$/.exec(
      line,
    )
    if (!sample) throw new Error(`not a sample: ${line}`)
    const key = `${sample[1]}{${sample[2] ?? ''}}`
    if (seen.has(key)) throw new Error(`the same series twice: ${key}`)
    seen.add(key)
    const labels: Record<string, string> = {}
    for (const [, name, value] of (sample[2] ?? '').matchAll(/([a-zA-Z_]\w*)="((?:[^"\\\n]|\\["\\n])*)"/g))
      labels[name ?? ''] = (value ?? '').replace(/\\(["\\n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
    samples.push({ name: sample[1] ?? '', labels, value: Number(sample[3]) })
  }
  return { samples, types }
}

const record = (over: Partial<CallRecord> = {}): CallRecord => ({
  ...plannedCall,
  key: 'default',
  requestedModel: 'fast',
  stream: false,
  end: 'complete',
  status: 200,
  usage: { ...noUsage, inputTokens: 90, cacheReadTokens: 10, outputTokens: 30, reasoningTokens: 12 },
  usageEstimated: false,
  cost: { usd: usd('0.00213'), seconds: 0.5, joules: null, gramsCO2e: null },
  ...over,
})

const quiet = () => createMetrics({ process: false })
const read = async (metrics: ReturnType<typeof createMetrics>) => parse(await metrics.render())
const value = (samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}) =>
  samples.find((sample) => sample.name === name && Object.entries(labels).every(([key, wanted]) => sample.labels[key] === wanted))?.value

describe('metrics', () => {
  it('write text that Prometheus reads, process metrics and event-loop lag included', async () => {
    const metrics = createMetrics({ version: '1.2.3' })
    metrics.requestStarted()
    metrics.requestEnded({
      endpoint: '/v1/chat/completions',
      model: 'fast',
      status: 200,
      stream: true,
      seconds: 0.2,
      firstTokenSeconds: 0.1,
    })
    metrics.requestStarted()
    metrics.requestEnded({ endpoint: '/v1/chat/completions', model: 'fast', status: 200, stream: false, seconds: 0.2 })
    metrics.callEnded(record())
    const { samples, types } = await read(metrics)
    expect(value(samples, 'bursar_build_info', { version: '1.2.3' })).toBe(1)
    expect(value(samples, 'process_resident_memory_bytes')).toBeGreaterThan(1e6)
    expect(types.get('nodejs_eventloop_lag_p99_seconds')).toBe('gauge')
    expect(types.get('bursar_request_duration_seconds')).toBe('histogram')
    expect(types.get('bursar_cost_usd_total')).toBe('counter')
    expect(metrics.contentType).toContain('version=0.0.4')
  })

  it('split a call into disjoint buckets, and count cached input once in the total', async () => {
    const metrics = quiet()
    metrics.knowModels(['gpt-5-mini'])
    metrics.callEnded(record())
    metrics.callEnded(record({ firstTokenSeconds: 0.03, stream: true }))
    const { samples } = await read(metrics)
    const labels = { provider: 'openai', model: 'gpt-5-mini' }
    expect(value(samples, 'bursar_tokens_total', { ...labels, bucket: 'input' })).toBe(180)
    expect(value(samples, 'bursar_tokens_total', { ...labels, bucket: 'cache_read' })).toBe(20)
    expect(value(samples, 'bursar_tokens_total', { ...labels, bucket: 'output' })).toBe(60)
    expect(value(samples, 'bursar_tokens_total', { ...labels, bucket: 'reasoning' })).toBe(24)
    expect(value(samples, 'gen_ai_client_token_usage_sum', { gen_ai_token_type: 'input', gen_ai_operation_name: 'chat' })).toBe(200)
    expect(value(samples, 'gen_ai_client_token_usage_sum', { gen_ai_token_type: 'output' })).toBe(84)
    expect(value(samples, 'gen_ai_client_operation_duration_seconds_count', { gen_ai_provider_name: 'openai' })).toBe(2)
    expect(value(samples, 'gen_ai_client_operation_time_to_first_chunk_seconds_count')).toBe(1)
    expect(value(samples, 'bursar_cost_usd_total', labels)).toBe(0.00426)
  })

  it('sum dollars exactly over many small calls', async () => {
    const metrics = quiet()
    const small = record({ cost: { usd: usd('0.0000001'), seconds: 0, joules: null, gramsCO2e: null } })
    for (let call = 0; call < 100_000; call++) metrics.callEnded(small)
    expect(value((await read(metrics)).samples, 'bursar_cost_usd_total')).toBe(0.01)
  })

  it('count an unknown price apart from a price of zero', async () => {
    const metrics = quiet()
    metrics.callEnded(record({ cost: { usd: null, seconds: 1, joules: null, gramsCO2e: null } }))
    metrics.callEnded(record({ cost: { usd: zeroMoney, seconds: 1, joules: null, gramsCO2e: null } }))
    const { samples } = await read(metrics)
    expect(value(samples, 'bursar_unpriced_calls_total')).toBe(1)
    expect(value(samples, 'bursar_cost_usd_total')).toBe(0)
  })

  it('tell how calls ended, retries, fallbacks, cooldowns and faults', async () => {
    const metrics = quiet()
    metrics.callEnded(record({ end: 'truncated', errorCode: 'stream_truncated' }))
    metrics.callEnded(record({ end: 'cancelled' }))
    metrics.callEnded(record({ operation: 'embed' }))
    metrics.retried('openai', 'upstream_rate_limited')
    metrics.fellBack('unheard-of')
    metrics.cooledDown('openai', 'openai/a')
    metrics.ledgerFault('recordCall')
    metrics.configurationReloaded('rejected')
    const { samples } = await read(metrics)
    expect(value(samples, 'bursar_calls_total', { end: 'truncated', operation: 'generate' })).toBe(1)
    expect(value(samples, 'bursar_calls_total', { end: 'cancelled' })).toBe(1)
    expect(value(samples, 'bursar_calls_total', { end: 'complete', operation: 'embed' })).toBe(1)
    expect(value(samples, 'bursar_call_failures_total', { code: 'stream_truncated' })).toBe(1)
    expect(value(samples, 'bursar_call_failures_total', { code: 'cancelled' })).toBe(1)
    expect(value(samples, 'bursar_retries_total', { provider: 'openai', code: 'upstream_rate_limited' })).toBe(1)
    expect(value(samples, 'bursar_fallbacks_total', { model: 'other' })).toBe(1)
    expect(value(samples, 'bursar_cooldowns_total', { deployment: 'openai/a' })).toBe(1)
    expect(value(samples, 'bursar_ledger_faults_total', { operation: 'recordCall' })).toBe(1)
    expect(value(samples, 'bursar_configuration_reloads_total', { result: 'rejected' })).toBe(1)
  })

  it('keep in-flight requests as a gauge', async () => {
    const metrics = quiet()
    metrics.requestStarted()
    metrics.requestStarted()
    metrics.requestEnded({ endpoint: '/v1/models', model: '', status: 200, stream: false, seconds: 0.001 })
    const { samples } = await read(metrics)
    expect(value(samples, 'bursar_requests_in_flight')).toBe(1)
    expect(value(samples, 'bursar_requests_total', { model: 'none' })).toBe(1)
  })

  it('bound the labels: only known models are named, and only so many', async () => {
    const metrics = createMetrics({ process: false, maxModels: 3 })
    metrics.knowModels(['a', 'b', 'c', 'd'])
    for (const model of ['a', 'b', 'c', 'd', ...Array.from({ length: 1_000 }, (_, index) => `made-up-${index}`)])
      metrics.requestEnded({ endpoint: '/v1/chat/completions', model, status: 404, stream: false, seconds: 0 })
    const { samples } = await read(metrics)
    const models = samples
      .filter((sample) => sample.name === 'bursar_requests_total')
      .map((sample) => [sample.labels['model'], sample.value])
    expect(models).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
      ['other', 1_001],
    ])
  })

  it("name a call's model by the provider's own name when the caller's alias, or provider/model, is known", async () => {
    const metrics = quiet()
    metrics.knowModels(['fast', 'openai/gpt-5'])
    metrics.callEnded(record({ requestedModel: 'fast', model: 'gpt-5-mini' }))
    metrics.callEnded(record({ requestedModel: 'gpt-5', model: 'gpt-5' }))
    metrics.callEnded(record({ requestedModel: 'x', model: 'made-up' }))
    const models = (await read(metrics)).samples
      .filter((sample) => sample.name === 'bursar_calls_total')
      .map((sample) => sample.labels['model'])
    expect(models).toEqual(['gpt-5-mini', 'gpt-5', 'other'])
  })

  it('put every value into the right buckets, whatever the values', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.double({ min: 0, max: 500, noNaN: true }), { maxLength: 40 }), async (seconds) => {
        const metrics = quiet()
        for (const one of seconds) metrics.requestEnded({ endpoint: '/e', model: '', status: 200, stream: false, seconds: one })
        metrics.requestEnded({ endpoint: '/e', model: '', status: 200, stream: false, seconds: Number.NaN })
        const { samples } = await read(metrics)
        const buckets = samples.filter((sample) => sample.name === 'bursar_request_duration_seconds_bucket')
        for (const bucket of buckets) {
          const bound = bucket.labels['le'] === '+Inf' ? Infinity : Number(bucket.labels['le'])
          expect(bucket.value).toBe(seconds.filter((one) => one <= bound).length)
        }
        expect(value(samples, 'bursar_request_duration_seconds_count')).toBe(seconds.length)
        expect(value(samples, 'bursar_request_duration_seconds_sum')).toBeCloseTo(
          seconds.reduce((sum, one) => sum + one, 0),
          6,
        )
      }),
      { numRuns: 50 },
    )
  })

  it('escape whatever a model or provider is called', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1 }), async (name) => {
        const metrics = quiet()
        metrics.knowModels([name])
        metrics.callEnded(record({ model: name, provider: name }))
        expect(value((await read(metrics)).samples, 'bursar_calls_total', { model: name, provider: name })).toBe(1)
      }),
      { numRuns: 100 },
    )
  })
})
