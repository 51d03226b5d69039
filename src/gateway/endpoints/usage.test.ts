import { describe, expect, it } from 'vitest'
import { InvalidRequest } from '../../errors/index.js'
import { callOfSimulated, simulatedTraffic } from '../../evaluation/proof/fixtures/simulated-trials.js'
import { plannedCall } from '../../ledger/fixtures/records.js'
import { createMemoryLedger, type CallRecord, type Ledger } from '../../ledger/index.js'
import { noUsage, picoUsd, usd } from '../../quantities/index.js'
import { createUsageApp, type UsageScope } from './usage.js'

const day = 86_400
const now = Date.UTC(2026, 10, 20, 15, 30) / 1000

function call(fields: Partial<CallRecord> = {}): CallRecord {
  return {
    ...plannedCall,
    callId: `c${Math.random()}`,
    requestId: 'r1',
    decisionId: 'd1',
    at: now - 3600,
    key: 'ci',
    stream: false,
    end: 'complete',
    status: 200,
    usage: { ...noUsage, inputTokens: 100, cacheReadTokens: 20, outputTokens: 10 },
    usageEstimated: false,
    cost: { usd: usd(0.25), seconds: 0.75, joules: null, gramsCO2e: null },
    firstTokenSeconds: 0.5,
    team: 'search',
    ...fields,
  }
}

async function server(scope: UsageScope = 'all', fill: (ledger: Ledger) => Promise<void> | void = () => undefined) {
  const ledger = createMemoryLedger()
  await ledger.recordCall(call())
  await ledger.recordCall(
    call({
      key: 'web',
      team: 'shop',
      model: 'gpt-5',
      cost: { usd: picoUsd(1), seconds: 3, joules: null, gramsCO2e: null },
      tags: { task: 'chat' },
    }),
  )
  await ledger.recordCall(
    call({
      key: 'web',
      end: 'failed',
      cost: { usd: null, seconds: 1, joules: null, gramsCO2e: null },
      firstTokenSeconds: undefined,
      at: now - 2 * day,
    }),
  )
  await fill(ledger)
  const app = createUsageApp({
    authorize: () => scope,
    ledger: () => ledger,
    now: () => now,
    priceOf: (_call, { inputTokens, cacheReadTokens }) => picoUsd(inputTokens * 10 + cacheReadTokens),
    margin: () => 0.125,
  })
  const get = async (path: string) => {
    const response = await app.request(path)
    const text = await response.text()
    return {
      status: response.status,
      text,
      type: response.headers.get('content-type'),
      json: response.headers.get('content-type')?.startsWith('application/json') ? (JSON.parse(text) as Record<string, unknown>) : {},
    }
  }
  return { get, ledger }
}

describe('GET /v1/usage', () => {
  it('sums, by what is asked for, with exact money', async () => {
    const { get } = await server()
    const { json } = await get('/v1/usage?by=key,team&from=7d')
    expect(json).toMatchObject({
      object: 'usage',
      from: '2026-11-13T15:00:00.000Z',
      to: '2026-11-20T16:00:00.000Z',
      by: ['key', 'team'],
      data: [
        {
          group: { key: 'ci', team: 'search' },
          usd: '0.25',
          calls: 1,
          input_tokens: 120,
          output_tokens: 10,
          tokens: { input: 100, cache_read: 20, cache_write_5m: 0, output: 10 },
          joules: null,
          first_token_seconds: 0.5,
        },
        { group: { key: 'web', team: 'shop' }, usd: '0.000000000001' },
        { group: { key: 'web', team: 'search' }, usd: '0', calls: 1, errors: 1, unpriced: 1, first_token_seconds: null },
      ],
      total: { usd: '0.250000000001', calls: 3, latency_seconds: { mean: 1.58333 } },
      others: { groups: 0, usd: '0' },
    })
    expect(json['notes']).toEqual([expect.stringMatching(/interpolated/) as string, 'Dollars of unpriced calls are in no sum.'])
  })

  it('filters, limits and orders', async () => {
    const { get } = await server()
    expect((await get('/v1/usage?model=gpt-5')).json).toMatchObject({ total: { calls: 1 } })
    expect((await get('/v1/usage?tag:task=chat&by=tag:task')).json).toMatchObject({
      from: '2026-11-01T00:00:00.000Z',
      to: '2026-11-21T00:00:00.000Z',
      data: [{ group: { 'tag:task': 'chat' }, calls: 1 }],
    })
    expect((await get('/v1/usage?by=key&limit=1&order=calls')).json).toMatchObject({
      data: [{ group: { key: 'web' } }],
      others: { groups: 1, calls: 1 },
      total: { calls: 3 },
    })
    expect((await get('/v1/usage?by=day&from=3d')).json).toMatchObject({
      data: [{ group: { day: '2026-11-18' } }, { group: { day: '2026-11-20' } }],
    })
  })

  it('writes CSV, with names that no spreadsheet runs', async () => {
    const { get } = await server('all', (ledger) =>
      ledger.recordCall(call({ key: '=cmd', cost: { usd: usd(9), seconds: 1, joules: null, gramsCO2e: null } })),
    )
    const { text, type } = await get('/v1/usage?by=key&format=csv')
    expect(type).toBe('text/csv; charset=utf-8')
    const lines = text.trimEnd().split('\n')
    expect(lines[0]).toMatch(/^key,usd,calls,errors,/)
    expect(lines[1]).toMatch(/^'=cmd,9,1,0,/)
    expect(lines).toHaveLength(4)
  })

  it('shows a key its own spending only', async () => {
    const { get } = await server({ key: 'ci' })
    expect((await get('/v1/usage?by=key')).json).toMatchObject({ data: [{ group: { key: 'ci' } }], total: { calls: 1 } })
    expect(await get('/v1/usage?key=web')).toMatchObject({ status: 403, json: { error: { code: 'admin_only', param: 'key' } } })
    expect((await get('/v1/usage/forecast')).json).toMatchObject({ data: [{ spent_usd: '0.25' }] })
    expect((await get('/v1/usage/export/calls')).text.trimEnd().split('\n')).toHaveLength(1)
    expect((await get('/v1/usage/runs/x?key=web')).status).toBe(403)
  })

  it.each([
    ['/v1/usage?modle=x', 'modle', /isn't known here \(did you mean "model"\?\)/],
    ['/v1/usage?by=modell', 'by', /"modell" is no dimension \(did you mean "model"\?\)/],
    ['/v1/usage?by=key,key', 'by', /twice/],
    ['/v1/usage?from=yesterday', 'from', /expected a date such as/],
    ['/v1/usage?from=2026-02-31', 'from', /expected a date such as/],
    ['/v1/usage?from=2026-11-10&to=2026-11-09', 'from', /must be before "to"/],
    ['/v1/usage?from=1900-01-01', 'from', /ten years/],
    ['/v1/usage?limit=0', 'limit', /from 1 to 10000/],
    ['/v1/usage?order=price', 'order', /"usd" or "calls"/],
    ['/v1/usage?format=xml', 'format', /expected "json" or "csv"/],
    ['/v1/usage?from=1d&from=2d', 'from', /more than once/],
    ['/v1/usage?day=2026-11-01', 'day', /"from" and "to"/],
    ['/v1/usage?by=a,b,c,d,e', 'by', /at most 4/],
    ['/v1/usage/forecast?by=day', 'by', /whole period/],
    ['/v1/usage/forecast?level=1', 'level', /between 0 and 1/],
    ['/v1/usage/forecast?from=2026-12-01&to=2026-12-31', 'from', /begins in the past/],
    ['/v1/usage/anomalies?least=-1', 'least', /number/],
    ['/v1/usage/cost-of-pass?unit=job', 'unit', /"run" or "decision"/],
    ['/v1/usage/cost-of-pass?model=x', 'model', /by key only/],
    ['/v1/usage/savings?margin=0', 'margin', /between 0 and 1/],
    ['/v1/usage/savings?by=model', 'by', /route, key, category; got "model"/],
    ['/v1/usage/savings?model=x', 'model', /by key only/],
    ['/v1/usage/export/outcome-table?format=csv', 'format', /JSON Lines/],
  ])('refuses %s with the name of the parameter', async (path, param, message) => {
    const { get } = await server()
    const { status, json } = await get(path)
    expect({ status, error: json['error'] }).toMatchObject({
      status: 400,
      error: { code: 'invalid_request', param, message: expect.stringMatching(message) as string },
    })
  })

  it('refuses whom the wiring refuses', async () => {
    const app = createUsageApp({
      authorize: () => {
        throw new InvalidRequest('No key.', { code: 'missing_key', status: 401 })
      },
      ledger: () => createMemoryLedger(),
      now: () => now,
    })
    for (const path of ['', '/forecast', '/anomalies', '/runs', '/runs/x', '/cost-of-pass', '/savings', '/export/calls'])
      expect((await app.request(`/v1/usage${path}`)).status).toBe(401)
  })
})

describe('GET /v1/usage/…', () => {
  it('foretells the month, in all and by group', async () => {
    const { get } = await server('all', async (ledger) => {
      for (let back = 1; back < 40; back++)
        await ledger.recordCall(call({ at: now - back * day, cost: { usd: usd(2), seconds: 1, joules: null, gramsCO2e: null } }))
    })
    const { json } = await get('/v1/usage/forecast?by=key')
    expect(json).toMatchObject({ object: 'usage.forecast', from: '2026-11-01T00:00:00.000Z', to: '2026-12-01T00:00:00.000Z' })
    const [first, second] = json['data'] as {
      group: unknown
      spent_usd: string
      total_usd: { low: string; value: string; high: string; level: number } | null
      notes: string[]
      weekdays: boolean
    }[]
    expect(first).toMatchObject({ group: { key: 'ci' }, spent_usd: '38.25', weekdays: true, total_usd: { level: 0.9 } })
    expect(Number(first?.total_usd?.low)).toBeLessThan(60)
    expect(Number(first?.total_usd?.high)).toBeGreaterThan(57)
    expect(second).toMatchObject({
      group: { key: 'web' },
      total_usd: null,
      notes: ['Not enough history: the first spending was 2 hours ago, and a forecast needs a day.'],
    })
  })

  it('finds days out of line', async () => {
    const { get } = await server('all', async (ledger) => {
      for (let back = 1; back < 30; back++)
        await ledger.recordCall(
          call({ at: now - back * day, cost: { usd: usd(back === 3 ? 80 : 2 + (back % 3)), seconds: 1, joules: null, gramsCO2e: null } }),
        )
    })
    const { json } = await get('/v1/usage/anomalies')
    expect(json).toMatchObject({
      data: [
        {
          group: { key: 'ci' },
          day: '2026-11-17',
          usd: '80',
          words: expect.stringMatching(/^key ci spent \$80\.00 on 2026-11-17, usually \$/) as string,
        },
      ],
      judged: { groups: 1, too_young: 1 },
    })
  })

  it('judges every key, also where the ledger answers only so many groups at once', async () => {
    const { get, ledger } = await server('all', async (filled) => {
      for (let key = 0; key < 5; key++)
        for (let back = 0; back < 20; back++)
          await filled.recordCall(
            call({
              key: `k${key}`,
              at: now - back * day,
              cost: { usd: usd(back === 2 ? 90 : 2), seconds: 1, joules: null, gramsCO2e: null },
            }),
          )
    })
    const whole = ledger.report.bind(ledger)
    const asked: number[] = []
    ledger.report = (query) => {
      asked.push(query.to - query.from)
      return whole({ ...query, limit: 7 })
    }
    const { json } = await get('/v1/usage/anomalies')
    expect((json['data'] as unknown[]).length).toBe(5)
    expect(Math.min(...asked)).toBeLessThanOrEqual(2 * day)
  })

  it('foretells by a tag from whole days, and what was spent stays exact', async () => {
    const { get } = await server('all', async (ledger) => {
      for (let back = 0; back < 30; back++)
        await ledger.recordCall(
          call({
            at: now - back * day,
            tags: { task: 'nightly' },
            cost: { usd: picoUsd(1_000_000_000_001n), seconds: 1, joules: null, gramsCO2e: null },
          }),
        )
    })
    const { json } = await get('/v1/usage/forecast?tag:task=nightly')
    expect(json['data']).toMatchObject([{ spent_usd: '20.00000000002', history_days: 29 }])
  })

  it('says where the tokens of runs went', async () => {
    const { get } = await server('all', async (ledger) => {
      for (const run of ['r1', 'r2'])
        for (let step = 0; step < 3; step++)
          await ledger.recordCall(
            call({
              run,
              at: now - 600 + step * 10,
              usage: { ...noUsage, inputTokens: 2000 + 500 * step, outputTokens: 100 },
              composition: {
                systemTokens: 500,
                toolSchemaTokens: 500,
                observationTokens: 900 + 500 * step,
                assistantTokens: 50,
                userTokens: 50,
                repeatedTokens: step === 0 ? 0 : 1500 + 500 * step,
              },
            }),
          )
    })
    expect((await get('/v1/usage/runs')).json).toMatchObject({
      runs: 2,
      spread: { tokens: { least: 7800, most: 7800, ratio: 1 }, calls: { p50: 3 } },
      data: [{ key: 'ci', run: 'r1', steps: [2000, 2500, 3000], growth_per_step: 500, repeated_share: 0.6, runaway: null }, { run: 'r2' }],
    })
    expect((await get('/v1/usage/runs/r1')).json).toMatchObject({
      object: 'usage.run',
      input_from: { system: 1500, tool_schemas: 1500, observations: 4200, assistant: 150, user: 150 },
      cache: { cacheable_share: 0.6, read_share: 0, missed_tokens: 4500, missed_usd_at_most: '0.0000000405' },
      complete: true,
      outcomes: [],
    })
    expect((await get('/v1/usage/runs/none')).json).toMatchObject({ error: { code: 'not_found' } })
  })

  it('asks which key, where several have a run of the same name', async () => {
    const { get } = await server('all', async (ledger) => {
      for (const key of ['ci', 'web']) await ledger.recordCall(call({ run: 'same', key }))
    })
    expect((await get('/v1/usage/runs/same')).json).toMatchObject({
      error: { param: 'key', message: expect.stringContaining('key=web, key=ci') as string },
    })
    expect((await get('/v1/usage/runs/same?key=web')).json).toMatchObject({ key: 'web', calls: 1 })
  })

  it('tells what a success costs', async () => {
    const { get } = await server('all', async (ledger) => {
      for (const [run, score] of [
        ['a', 1],
        ['b', 0],
      ] as const) {
        await ledger.recordCall(call({ run, decisionId: run }))
        await ledger.recordOutcome({ outcomeId: run, at: now - 60, run, key: 'ci', source: 'user', score })
      }
    })
    expect((await get('/v1/usage/cost-of-pass')).json).toMatchObject({
      data: [{ group: { key: 'ci' }, attempts: 2, passed: 1, usd: '0.5', usd_per_success: { value: '0.5', n: 2 } }],
      forgotten: 0,
    })
  })

  it('tells what was saved, less what judges took, and to a key its own without those', async () => {
    const at = now - 5 * day
    const fill = async (ledger: Ledger) => {
      let moment = 0
      for (const one of simulatedTraffic({ seed: 1, requests: 900, holdout: 0.2, judge: { share: 1 } })) {
        const decision = { ...one.decision, at: at + moment++ }
        ledger.recordDecision(decision)
        await ledger.recordCall({ ...callOfSimulated(one), at: decision.at })
        for (const outcome of one.outcomes) await ledger.recordOutcome(outcome)
      }
      for (const purpose of ['judge', 'shadow'])
        await ledger.recordCall(
          call({
            organisation: 'bursar:learning',
            key: 'bursar:learning',
            tags: { purpose },
            cost: { usd: usd(0.125), seconds: 1, joules: null, gramsCO2e: null },
          }),
        )
    }
    const { get } = await server('all', fill)
    const { json, text } = await get('/v1/usage/savings?margin=0.5')
    expect(json).toMatchObject({
      object: 'usage.savings',
      from: '2026-11-01T00:00:00.000Z',
      margin: 0.5,
      all: { requests: 900, verdict: 'proven', evidence: 'judge', joules: { unknown_requests: 900 } },
      learning: { usd: '0.25', judge_usd: '0.125', shadow_usd: '0.125', other_usd: '0', unpriced: 0 },
      scopes: [
        { dimension: 'route' },
        {
          dimension: 'key',
          data: [
            { name: 'web', requests: 600 },
            { name: 'ci', requests: 300 },
          ],
        },
        { dimension: 'category' },
      ],
    })
    const all = json['all'] as { usd: { saved: { value: number } } }
    expect((json['saved_in_the_end_usd'] as { value: number }).value).toBeCloseTo(all.usd.saved.value - 0.25, 9)
    expect((await get('/v1/usage/savings?margin=0.5')).text).toBe(text)
    // The margin of the configuration, where none is named.
    expect((await get('/v1/usage/savings')).json).toMatchObject({ margin: 0.125 })
    expect((await get('/v1/usage/savings?by=key&key=ci')).json).toMatchObject({
      key: 'ci',
      all: { requests: 300 },
      learning: null,
      saved_in_the_end_usd: null,
    })
    const own = await server({ key: 'ci' }, fill)
    expect((await own.get('/v1/usage/savings')).json).toMatchObject({ all: { requests: 300 }, learning: null })
    expect((await own.get('/v1/usage/savings?key=web')).status).toBe(403)
    expect((await get('/v1/usage/savings?from=1h')).json).toMatchObject({ all: { requests: 0, verdict: 'none' }, first: null })
  })

  it('exports records as they are read', async () => {
    const { get } = await server('all', async (ledger) => {
      for (let index = 0; index < 2500; index++) await ledger.recordCall(call({ callId: `n${index}`, at: now - 10 + index / 1000 }))
    })
    const { text, type } = await get('/v1/usage/export/calls?from=1h')
    expect(type).toBe('application/x-ndjson')
    expect(
      new Set(
        text
          .trimEnd()
          .split('\n')
          .map((line) => (JSON.parse(line) as { callId: string }).callId),
      ).size,
    ).toBe(2502)
    expect((await get('/v1/usage/export/calls?format=csv&key=web')).text.split('\n')).toHaveLength(4)
    expect((await get('/v1/usage/export/everything')).status).toBe(404)
  })
})
