import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noUsage, picoUsd, toDollars, usd, type Usage } from '../../quantities/index.js'
import { seededRandom } from '../../statistics/index.js'
import { createMemoryLedger } from '../memory-ledger.js'
import { callRecord } from '../ledger-contract.js'
import type { CallRecord, OutcomeRecord } from '../record.js'
import {
  costOfPass,
  eachPage,
  exportRecords,
  findAnomalies,
  forecastSpending,
  hoursOf,
  judgeDay,
  judgeRun,
  latencyQuantile,
  monthOf,
  profileRun,
  shares,
  spreadOf,
  type DaySpend,
  type Exportable,
} from './index.js'

const day = 86_400
const monday = Date.UTC(2026, 9, 5) / 1000
const hour = (at: number, dollars: number) => ({ at, usd: usd(dollars.toFixed(6)) })
const cost = (dollars: number | null, seconds = 1) => ({
  usd: dollars === null ? null : usd(dollars),
  seconds,
  joules: null,
  gramsCO2e: null,
})
const usage = (fields: Partial<Usage>): Usage => ({ ...noUsage, ...fields })

describe('forecastSpending', () => {
  const now = monday + 30 * day + 9.5 * 3600
  const { from, to } = monthOf(now)

  it('foretells steady spending within its interval, and keeps what was spent exact', () => {
    const hours = Array.from({ length: 60 * 24 }, (_, index) => hour(now - 1800 - (60 * 24 - index) * 3600, 0.5))
    const forecast = forecastSpending({ hours, now, from, to })
    const spentHours = hours.filter(({ at }) => at >= from).length
    expect(toDollars(forecast.spent)).toBeCloseTo(spentHours * 0.5, 9)
    const truth = ((to - from) / 3600) * 0.5
    expect(toDollars(forecast.total?.value ?? usd(0))).toBeGreaterThan(truth * 0.97)
    expect(toDollars(forecast.total?.value ?? usd(0))).toBeLessThan(truth * 1.03)
    expect(toDollars(forecast.total?.low ?? usd(0))).toBeLessThan(truth)
    expect(toDollars(forecast.total?.high ?? usd(0))).toBeGreaterThan(truth)
    expect(forecast).toMatchObject({ historyDays: 60, weekdays: true, notes: [] })
    expect(forecastSpending({ hours, now, from, to })).toEqual(forecast)
  })

  it('says in words that the history is too short', () => {
    expect(forecastSpending({ hours: [], now, from, to })).toEqual({
      spent: usd(0),
      historyDays: 0,
      weekdays: false,
      notes: ['Not enough history: nothing was spent so far, so nothing can be said of what comes.'],
    })
    const young = forecastSpending({ hours: [hour(now - 5 * 3600, 3)], now, from, to })
    expect(young).toEqual({
      spent: usd(3),
      historyDays: 0,
      weekdays: false,
      notes: ['Not enough history: the first spending was 5 hours ago, and a forecast needs a day.'],
    })
  })

  it('knows spending of the hour that is not over', () => {
    const { notes, spent } = forecastSpending({ hours: [hour(Math.floor(now / 3600) * 3600, 3)], now, from, to })
    expect(spent).toBe(usd(3))
    expect(notes).toEqual(['Not enough history: the first spending was an hour ago, and a forecast needs a day.'])
  })

  it('is wide while the history is short, and says so', () => {
    const hours = Array.from({ length: 50 }, (_, index) => hour(now - 1800 - (50 - index) * 3600, 0.5))
    const { total, notes } = forecastSpending({ hours, now, from, to })
    expect(notes).toEqual(['The history is short (2 days), so the interval is wide.'])
    expect(toDollars(total?.high ?? usd(0)) / toDollars(total?.low ?? usd(1))).toBeGreaterThan(3)
  })

  it('never foretells less than was spent already', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ ago: fc.integer({ min: 0, max: 40 * 24 }), dollars: fc.double({ min: 0, max: 1000, noNaN: true }) }), {
          maxLength: 60,
        }),
        (list) => {
          const hours = list
            .map(({ ago, dollars }) => hour(Math.floor(now / 3600) * 3600 - ago * 3600, dollars))
            .sort((a, b) => a.at - b.at)
          const { spent, total } = forecastSpending({ hours, now, from, to })
          if (total === undefined) return
          for (const amount of [total.low, total.value, total.high]) expect(amount).toBeGreaterThanOrEqual(spent)
          expect(total.low).toBeLessThanOrEqual(total.value)
          expect(total.value).toBeLessThanOrEqual(total.high)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('knows a period that is over', () => {
    expect(forecastSpending({ hours: [hour(from + 3600, 7)], now, from: from - 31 * day, to: from + 2 * day }).total).toMatchObject({
      low: usd(7),
      high: usd(7),
    })
  })

  it('reads the hours of a report', async () => {
    const ledger = createMemoryLedger()
    await ledger.recordCall(callRecord({ at: monday + 3600 * 5 + 10, cost: cost(2) }))
    await ledger.recordCall(callRecord({ at: monday + 3600 * 2 + 10, cost: cost(1) }))
    const report = await ledger.report({ from: monday, to: monday + day, by: ['hour'] })
    expect(hoursOf(report)).toEqual([
      { at: monday + 7200, usd: usd(1) },
      { at: monday + 5 * 3600, usd: usd(2) },
    ])
  })
})

describe('anomalies', () => {
  const usual = (count: number, amount: (index: number) => number): DaySpend[] =>
    Array.from({ length: count }, (_, index) => ({ at: monday + index * day, usd: usd(amount(index).toFixed(4)) }))

  it('calls out a day that is far above the usual, in words', async () => {
    const days = usual(30, (index) => 4 + Math.sin(index) * 0.8)
    const verdict = judgeDay(days, { at: monday + 30 * day, usd: usd(41.2) })
    expect(verdict).toMatchObject({ usd: usd(41.2), days: 28 })
    const found = await findAnomalies(
      {
        rows: [...days, { at: monday + 30 * day, usd: usd(41.2) }].map(({ at, usd: amount }) => ({
          group: { key: 'ci', day: new Date(at * 1000).toISOString().slice(0, 10) },
          totals: { ...totalsOf(0), cost: { ...cost(0), usd: amount } },
        })),
      },
      { from: monday + 25 * day, to: monday + 31 * day },
    )
    expect(found).toMatchObject({ groups: 1, days: 6, tooYoung: 0 })
    expect(found.anomalies.map(({ words }) => words)).toEqual([
      expect.stringMatching(/^key ci spent \$41\.20 on 2026-11-04, usually \$[23]\.\d\d–[56]\.\d\d \(/) as string,
    ])
  })

  it('leaves what is usual alone, also at weekends, and what is cheap', () => {
    const office = usual(42, (index) => (index % 7 >= 5 ? 0.4 : 10 + (index % 3)))
    for (let index = 28; index < 42; index++)
      expect(judgeDay(office.slice(0, index), office[index] ?? { at: 0, usd: usd(0) })).toBeUndefined()
    const cheap = usual(30, () => 0.01)
    expect(judgeDay(cheap, { at: monday + 30 * day, usd: usd(0.9) })).toBeUndefined()
    expect(judgeDay(cheap, { at: monday + 30 * day, usd: usd(5) })).toMatchObject({ usd: usd(5) })
  })

  it('is not blinded by an earlier outlier', () => {
    const days = usual(30, (index) => (index === 20 ? 400 : 4 + Math.sin(index)))
    expect(judgeDay(days, { at: monday + 30 * day, usd: usd(60) })).toMatchObject({ usd: usd(60) })
  })

  it('does not judge what is too young', () => {
    expect(
      judgeDay(
        usual(6, () => 3),
        { at: monday + 6 * day, usd: usd(500) },
      ),
    ).toBe('too_young')
  })
})

describe('latencyQuantile', () => {
  it('interpolates within buckets that double', () => {
    const latency = new Array<number>(13).fill(0)
    latency[4] = 100
    expect(latencyQuantile({ latency }, 0.5)).toBeCloseTo(Math.SQRT1_2, 9)
    expect(latencyQuantile({ latency }, 1)).toBeCloseTo(1, 9)
    expect(latencyQuantile({ latency: latency.map(() => 0) }, 0.5)).toBeNull()
    expect(latencyQuantile({ latency: latency.map((_, bucket) => (bucket === 12 ? 3 : 0)) }, 0.5)).toBe(128)
  })

  it('is off by no more than a factor of two, and grows with the share', async () => {
    const random = seededRandom(4)
    const ledger = createMemoryLedger()
    const seconds = Array.from({ length: 500 }, () => 0.07 * Math.exp(6 * random.next()))
    for (const one of seconds) await ledger.recordCall(callRecord({ cost: cost(1, one) }))
    const { total } = await ledger.report({ from: 0, to: 2e9, by: [] })
    seconds.sort((a, b) => a - b)
    let before = 0
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      const value = latencyQuantile(total, share) ?? 0
      const truth = seconds[Math.ceil(share * 500) - 1] ?? 1
      expect(value / truth).toBeGreaterThan(0.5)
      expect(value / truth).toBeLessThan(2)
      expect(value).toBeGreaterThan(before)
      before = value
    }
  })
})

describe('profileRun', () => {
  const step = (index: number, input: number, fields: Partial<CallRecord> = {}): CallRecord =>
    callRecord({
      callId: `c${index}`,
      run: 'r1',
      at: monday + index * 10,
      usage: usage({ inputTokens: input, outputTokens: 100 }),
      cost: cost(0.01, 4),
      composition: {
        systemTokens: 500,
        toolSchemaTokens: 1000,
        observationTokens: input - 1700,
        assistantTokens: 150,
        userTokens: 50,
        repeatedTokens: index === 0 ? 0 : input - 300,
      },
      ...fields,
    })

  it('says where the tokens went', () => {
    const profile = profileRun([step(2, 3000), step(0, 2000), step(1, 2500)], (_call, { inputTokens, cacheReadTokens }) =>
      picoUsd(inputTokens * 10 + cacheReadTokens),
    )
    expect(profile).toMatchObject({
      key: 'key-a',
      run: 'r1',
      calls: 3,
      failed: 0,
      usd: usd(0.03),
      inputTokens: 7500,
      outputTokens: 300,
      inputPerOutput: 25,
      steps: [2000, 2500, 3000],
      growthPerStep: 500,
      parts: { system: 1500, toolSchemas: 3000, observations: 2400, assistant: 450, user: 150 },
      repeatedShare: (2200 + 2700) / 7500,
      modelSeconds: 12,
      otherSeconds: 12,
    })
    expect(profile.multiplicity).toBeCloseTo(7500 / 2600, 9)
    expect(profile.cache).toEqual({ cacheableShare: 4900 / 7500, readShare: 0, missedTokens: 4900, missedUsd: picoUsd(4900 * 9) })
  })

  it('counts what was read from a cache, and prefixes that are too short for one', () => {
    const read = step(1, 2500, { usage: usage({ inputTokens: 300, cacheReadTokens: 2200, outputTokens: 10 }) })
    expect(profileRun([step(0, 2000), read]).cache).toMatchObject({ readShare: 2200 / 4500, missedTokens: 0, missedUsd: null })
    const short = step(1, 1800, {
      composition: {
        systemTokens: 900,
        toolSchemaTokens: 0,
        observationTokens: 0,
        assistantTokens: 0,
        userTokens: 900,
        repeatedTokens: 1000,
      },
    })
    expect(profileRun([short]).cache).toMatchObject({ cacheableShare: 0, missedTokens: 0 })
  })

  it('says what it does not know', () => {
    expect(profileRun([step(0, 10, { composition: undefined, cost: cost(null), end: 'failed' })])).toMatchObject({
      parts: null,
      repeatedShare: null,
      cache: null,
      growthPerStep: null,
      unpriced: 1,
      failed: 1,
      usd: usd(0),
    })
  })

  it('has parts that add up to the billed input', () => {
    const tokens = fc.integer({ min: 0, max: 5000 })
    const composition = fc.record({
      systemTokens: tokens,
      toolSchemaTokens: tokens,
      observationTokens: tokens,
      assistantTokens: tokens,
      userTokens: fc.integer({ min: 1, max: 5000 }),
      repeatedTokens: tokens,
    })
    fc.assert(
      fc.property(
        fc.array(fc.record({ composition, input: fc.integer({ min: 1, max: 30_000 }) }), { minLength: 1, maxLength: 8 }),
        (calls) => {
          const { parts, inputTokens, repeatedShare } = profileRun(
            calls.map(({ composition: one, input }, index) => step(index, input, { composition: one })),
          )
          expect(Object.values(parts ?? {}).reduce((sum: number, value: number) => sum + value, 0)).toBe(inputTokens)
          expect(repeatedShare).toBeGreaterThanOrEqual(0)
          expect(repeatedShare).toBeLessThanOrEqual(1)
        },
      ),
    )
  })

  it('finds runs out of hand, by size and by a change of growth', () => {
    const others = Array.from({ length: 30 }, (_, index) =>
      profileRun(Array.from({ length: 10 }, (_step, at) => step(at, 2000 + at * (300 + index * 5), { run: `other-${index}` }))),
    )
    expect(judgeRun(others[0] as (typeof others)[number], others)).toBeUndefined()
    expect(judgeRun(profileRun(Array.from({ length: 40 }, (_, at) => step(at, 2000 + at * 300))), others)?.words).toMatch(
      /tokens, \d\.\d times what 95 of 100 other runs stay below/,
    )
    const bent = profileRun(Array.from({ length: 10 }, (_, at) => step(at, at < 5 ? 3400 + at * 50 : 3600 + (at - 5) * 900)))
    expect(judgeRun(bent, others)?.words).toMatch(/^its input grows by 900 tokens a step since step 6, 50 before/)
    expect(judgeRun(bent, others.slice(0, 10))).toBeUndefined()
  })

  it('tells the spread of runs', () => {
    expect(spreadOf([10, 20, 40])).toEqual({ least: 10, p50: 20, p95: expect.closeTo(38, 6) as number, most: 40, ratio: 4 })
    expect(spreadOf([])).toBeNull()
  })
})

describe('costOfPass', () => {
  it('is what attempts with an outcome cost over the share that passed, with every call', async () => {
    const ledger = createMemoryLedger()
    const outcome = (index: number, score: number, fields: Partial<OutcomeRecord> = {}) =>
      ledger.recordOutcome({
        outcomeId: `o${index}-${score}`,
        at: monday + index,
        key: 'key-a',
        source: 'user',
        score,
        decisionId: `d${index}`,
        run: `r${index}`,
        ...fields,
      })
    for (let index = 0; index < 4; index++) {
      await ledger.recordCall(
        callRecord({ callId: `a${index}`, at: monday + index, decisionId: `d${index}`, run: `r${index}`, end: 'failed', cost: cost(1) }),
      )
      await ledger.recordCall(
        callRecord({ callId: `b${index}`, at: monday + index, decisionId: `d${index}`, run: `r${index}`, cost: cost(2) }),
      )
      await outcome(index, index % 2)
    }
    await ledger.recordCall(callRecord({ callId: 'c', at: monday, decisionId: 'd9', run: 'r9', cost: cost(null) }))
    await outcome(9, 1)
    await outcome(10, 1)
    // The last word counts.
    await outcome(1, 0, { at: monday + 500 })
    for (const unit of ['run', 'decision'] as const) {
      const { rows, forgotten } = await costOfPass(ledger, { unit, from: monday, to: monday + day, by: ['key'] })
      expect(rows).toEqual([
        {
          group: { key: 'key-a' },
          attempts: 4,
          passed: 1,
          usd: usd(12),
          unpriced: 1,
          estimate: expect.objectContaining({ value: 12, n: 4 }) as object,
        },
      ])
      expect(forgotten).toBe(1)
    }
    expect((await costOfPass(ledger, { unit: 'run', from: monday, to: monday + day, by: [], source: 'judge:x' })).rows).toEqual([])
  })
})

describe('eachPage', () => {
  it('gives everything once, the newest first, however records lie in time', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 700 })), { maxLength: 8 }),
        async (bunches) => {
          const items = bunches
            .flatMap(([at, count], bunch) => Array.from({ length: count }, (_, index) => ({ at, id: `${bunch}-${index}` })))
            .sort((a, b) => b.at - a.at)
          const got: string[] = []
          for await (const page of eachPage(
            (to, limit) => Promise.resolve(items.filter(({ at }) => to === undefined || at < to).slice(0, limit)),
            ({ id }) => id,
          ))
            got.push(...page.map(({ id }) => id))
          expect(got).toEqual(items.map(({ id }) => id))
        },
      ),
      { numRuns: 50 },
    )
  })
})

describe('exportRecords', () => {
  async function exported(what: Exportable, format: 'jsonl' | 'csv'): Promise<string> {
    const ledger = createMemoryLedger()
    await ledger.recordCall(
      callRecord({ at: monday + 1, team: '=1+1', user: 'a "b", c', cost: cost(0.1), cacheSavings: usd('-0.000000000001'), settled: [5n] }),
    )
    await ledger.recordCall(
      callRecord({
        callId: 'call-2',
        decisionId: 'd2',
        requestId: 'request-2',
        at: monday + 2,
        cost: cost(null),
        tags: { category: 'maths' },
      }),
    )
    ledger.recordDecision({
      decisionId: 'decision-1',
      requestId: 'request-1',
      at: monday + 1,
      key: 'key-a',
      requestedModel: 'm',
      arm: 'single:m',
      policy: 'as-named',
      propensity: 1,
      reason: 'named',
    })
    await ledger.recordOutcome({ outcomeId: 'o1', at: monday + 60, key: 'key-a', source: 'user', score: 0.75, decisionId: 'decision-1' })
    let text = ''
    for await (const chunk of exportRecords(ledger, { what, format, from: monday, to: monday + day })) text += chunk.text
    return text
  }
  const lines = (text: string): unknown[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)

  it('writes calls with exact money', async () => {
    expect(lines(await exported('calls', 'jsonl'))).toMatchObject([
      { callId: 'call-2', usd: null },
      { callId: 'call-1', at: '2026-10-05T00:00:01.000Z', usd: '0.1', cacheSavingsUsd: '-0.000000000001', usage: { inputTokens: 10 } },
    ])
    const csv = (await exported('calls', 'csv')).trimEnd().split('\n')
    expect(csv).toHaveLength(3)
    expect(csv[2]).toContain(`,'=1+1,"a ""b"", c",key-a,`)
    expect(csv[0]?.split(',')).toHaveLength(43)
  })

  it('writes decisions, outcomes and the outcome table', async () => {
    expect(lines(await exported('decisions', 'jsonl'))).toMatchObject([{ decisionId: 'decision-1', propensity: 1 }])
    expect(await exported('outcomes', 'csv')).toBe(
      'at,outcomeId,decisionId,run,key,source,score,comment,sought,arm\n2026-10-05T00:01:00.000Z,o1,decision-1,,key-a,user,0.75,,,\n',
    )
    expect(lines(await exported('outcome-table', 'jsonl'))).toEqual([
      expect.objectContaining({ id: 'd2', category: 'maths' }),
      expect.objectContaining({
        id: 'decision-1',
        outcomes: { 'gpt-5-mini': expect.objectContaining({ quality: 0.75, usd: 0.1, inputTokens: 10 }) as object },
      }),
    ])
  })
})

describe('reports', () => {
  it('have rows that add up to the total, and shares to one', async () => {
    const call = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      model: fc.constantFrom('m', 'n'),
      pico: fc.option(fc.bigInt({ min: 1n, max: 10n ** 15n })),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 4 }), async (calls, limit) => {
        const ledger = createMemoryLedger()
        for (const { key, model, pico } of calls)
          await ledger.recordCall(callRecord({ key, model, cost: { ...cost(0), usd: pico === null ? null : picoUsd(pico) } }))
        const report = await ledger.report({ from: 0, to: 2e9, by: ['key', 'model'], limit })
        const known = calls.reduce((sum, { pico }) => sum + (pico ?? 0n), 0n)
        const rows = report.rows.reduce((sum, { totals }) => sum + (totals.cost.usd ?? 0n), 0n)
        expect(rows + (report.others.totals.cost.usd ?? 0n)).toBe(known)
        expect(report.total.cost.usd).toBe(known)
        const all = shares(await ledger.report({ from: 0, to: 2e9, by: ['key', 'model'] }))
        expect(all.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(known === 0n ? 0 : 1, 9)
      }),
    )
  })
})

function totalsOf(calls: number) {
  return {
    calls,
    errors: 0,
    lost: 0,
    unpriced: 0,
    usage: noUsage,
    cost: cost(0),
    cacheSavings: usd(0),
    latency: [],
    firstTokenSeconds: 0,
    firstTokens: 0,
  }
}
