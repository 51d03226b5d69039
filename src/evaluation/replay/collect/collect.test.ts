import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCatalog, priceSheetFromConfig } from '../../../catalog/index.js'
import { memoryBudget, type Completion, type Environment, type OutcomeRow } from '../../../environment/index.js'
import { noCost, noUsage, picoUsd, systemClock } from '../../../quantities/index.js'
import { seededRandom } from '../../../statistics/index.js'
import { questionOf } from '../../../strategies/index.js'
import { openLog } from '../../logs/registry.js'
import { replayLog } from '../log.js'
import { collectOutcomes, mostUsd, type CollectOptions } from './collect-outcomes.js'
import { allocate, drawSample } from './sample-design.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'bursar-collect-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const signal = new AbortController().signal
const hardText = (at: number) =>
  `Prove by induction, step by step, that the sum of the first ${at} odd numbers is a square, then derive the integral of its polynomial.`

function log(rows: number): string {
  const file = join(folder, `log-${rows}.jsonl`)
  const lines = Array.from({ length: rows }, (_, at) =>
    JSON.stringify({
      id: `q${at}`,
      request: { messages: [{ role: 'user', content: at % 10 === 0 ? hardText(at) : `Hi ${at}!` }] },
      outcomes: { 'p/old': { usd: 0.01, answer: 'good' } },
    }),
  )
  writeFileSync(file, lines.join('\n'))
  return file
}

const catalog = createCatalog({
  overrides: Object.fromEntries(['p/new', 'p/judge'].map((name) => [name, { prices: priceSheetFromConfig({ input: 1, output: 1 }) }])),
})

/** `p/new` answers easy questions well and hard ones badly; the judge knows. Every call costs a thousandth of a dollar. */
function world(calls: string[] = [], onCall: () => void = () => undefined): { environment: (model: string) => Environment } {
  const environment: Environment = {
    async *call(model, request): AsyncGenerator<never, Completion> {
      calls.push(model)
      onCall()
      const asked = questionOf(request)
      const text = model === 'p/judge' ? (/<answer>\ngood/.test(asked) ? '10' : '0') : asked.startsWith('Prove') ? 'bad' : 'good'
      return {
        ...{
          callId: 'c',
          model,
          provider: 'p',
          deployment: 'd',
          usage: { ...noUsage, inputTokens: 10, outputTokens: 5 },
          usageEstimated: false,
        },
        answer: {
          kind: 'reply',
          reply: { id: 'r', model, created: 0, reported: undefined, choices: [{ parts: [{ type: 'text', text }], finish: 'stop' }] },
        },
        ...{
          cost: { ...noCost, usd: picoUsd(1_000_000_000), seconds: 1 },
          costReport: { usd: null, details: {} },
          attempts: 1,
          headers: {},
          warnings: [],
        },
      }
    },
    embed: () => Promise.reject(new Error('nothing is embedded here')),
    ...{ budget: memoryBudget({}), clock: systemClock, random: seededRandom(1), signal },
  }
  return { environment: () => environment }
}

const options = (out: string, more: Partial<CollectOptions> = {}): CollectOptions => ({
  ...{
    models: ['p/new'],
    judge: 'p/judge',
    maxUsd: 100,
    maxOutputTokens: 100,
    out: join(folder, out),
    parallel: 3,
    seed: 1,
    design: 'one',
    signal,
    catalog,
  },
  ...more,
})
const rowsOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as OutcomeRow)

describe('the sample', () => {
  it('is the same for a seed, has its size, and stands for the whole log', async () => {
    const opened = await openLog(log(400))
    const design = await drawSample(opened, 60, 1, signal)
    expect(await drawSample(opened, 60, 1, signal)).toEqual(design)
    expect((await drawSample(opened, 60, 2, signal)).sample.map(({ row }) => row.id)).not.toEqual(design.sample.map(({ row }) => row.id))
    expect([design.sample.length, design.requests]).toEqual([60, 400])
    expect(design.sample.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(400, 9)
    const hard = design.sample.filter(({ row }) => JSON.stringify(row.request).includes('Prove')).length
    expect(hard).toBeGreaterThan(6)
  })

  it('estimates sums over the log without bias', async () => {
    const opened = await openLog(log(200))
    let sum = 0
    for (let seed = 0; seed < 40; seed++)
      for (const { row, weight } of (await drawSample(opened, 20, seed, signal)).sample) sum += weight * (Number(row.id.slice(1)) % 7)
    expect(sum / 40 / Array.from({ length: 200 }, (_, at) => at % 7).reduce((total, one) => total + one, 0)).toBeCloseTo(1, 1)
  })

  it('gives each stratum its share, never more than it has', () => {
    const strata = new Map(Object.entries({ a: { size: 90, difficulty: 9 }, b: { size: 8, difficulty: 8 }, c: { size: 1, difficulty: 1 } }))
    for (const count of [1, 3, 20, 60, 99]) {
      const given = allocate(strata, count)
      expect(given.reduce((sum, { drawn }) => sum + drawn, 0)).toBe(count)
      for (const { drawn, size } of given) expect(drawn).toBeLessThanOrEqual(size)
    }
  })

  it('refuses a log without content', async () => {
    const file = join(folder, 'empty.jsonl')
    writeFileSync(
      file,
      JSON.stringify({
        id: '1',
        request: { messages: [{ role: 'user', content: '' }], contentStored: false },
        outcomes: { m: { usd: 1 } },
      }),
    )
    await expect(drawSample(await openLog(file), 5, 1, signal)).rejects.toThrow(/no request that could be asked again/)
  })
})

describe('collecting', () => {
  it('writes a table with weights that replay estimates the whole log by', async () => {
    const design = await drawSample(await openLog(log(400)), 80, 3, signal)
    const given = options('whole.jsonl')
    expect(await collectOutcomes(design, world(), given)).toEqual({
      rows: 80,
      of: 80,
      usd: expect.closeTo(0.24, 9) as number,
      failed: 0,
      reason: undefined,
      stoppedBy: 'done',
    })
    const { policies } = await replayLog(given.out, {
      arms: ['p/new', 'p/old'],
      reference: 'p/old',
      predictor: 'domain',
      objectives: {},
      warmUp: 0,
      margin: 0.02,
      seed: 1,
      signal,
    })
    // A tenth of the log is hard, and more of the sample.
    const found = policies.find(({ name }) => name === 'always p/new')?.difference
    expect(found?.value).toBeCloseTo(-0.1, 1)
    expect((found?.low ?? 0) < -0.1 && -0.1 < (found?.high ?? 0)).toBe(true)
    expect(rowsOf(given.out).filter(({ outcomes }) => outcomes['p/new']?.quality === 0).length / 80).toBeGreaterThan(0.11)
  })

  it('never spends more than it may, over several runs, and goes on where there is more', async () => {
    const design = await drawSample(await openLog(log(100)), 12, 1, signal)
    const bound = Math.max(...design.sample.map((one) => mostUsd(one, options('x'))))
    const calls: string[] = []
    const little = options('little.jsonl', { maxUsd: bound + 0.0075, parallel: 1 })
    const first = await collectOutcomes(design, world(calls), little)
    expect(first).toMatchObject({ stoppedBy: 'budget', failed: 0 })
    expect(first.rows).toBeGreaterThan(0)
    expect(first.usd).toBeLessThanOrEqual(little.maxUsd)
    expect(0.001 * calls.length).toBeCloseTo(first.usd, 9)
    expect((await collectOutcomes(design, world(calls), little)).rows).toBe(first.rows)
    const all = await collectOutcomes(design, world(calls), { ...little, maxUsd: 10 })
    expect([all.rows, all.stoppedBy, calls.length]).toEqual([12, 'done', 36])
    expect(new Set(rowsOf(little.out).map(({ id }) => id)).size).toBe(12)
  })

  it('counts what a run that was killed had reserved, and mends the line that it left', async () => {
    const design = await drawSample(await openLog(log(100)), 6, 1, signal)
    const given = options('killed.jsonl')
    await collectOutcomes({ ...design, sample: design.sample.slice(0, 2) }, world(), given)
    const account = JSON.parse(readFileSync(`${given.out}.spent.json`, 'utf8')) as { reservedUsd: number }
    writeFileSync(`${given.out}.spent.json`, JSON.stringify({ ...account, reservedUsd: 0.5 }))
    appendFileSync(given.out, '{"id": "q')
    const { rows, usd } = await collectOutcomes(design, world(), given)
    expect(rows).toBe(6)
    expect(usd).toBeCloseTo(0.5 + 6 * 0.003, 9)
    expect(rowsOf(given.out).length).toBe(6)
    await expect(collectOutcomes(design, world(), { ...given, models: ['p/judge'] })).rejects.toMatchObject({ path: 'out' })
    writeFileSync(join(folder, 'foreign.jsonl'), '')
    await expect(collectOutcomes(design, world(), options('foreign.jsonl'))).rejects.toThrow(/is there already/)
  })

  it('counts a failed request at its bound, and tries it again another time', async () => {
    const design = await drawSample(await openLog(log(100)), 4, 1, signal)
    const given = options('failing.jsonl', { parallel: 1 })
    let left = 2
    const failing = world([], () => {
      if (left-- === 0) throw new Error('the line is dead')
    })
    const { rows, failed, reason, usd } = await collectOutcomes(design, failing, given)
    expect([rows, failed, reason]).toEqual([3, 1, 'the line is dead'])
    expect(usd).toBeGreaterThan(0.0091)
    expect((await collectOutcomes(design, world(), given)).rows).toBe(4)
    expect(existsSync(`${given.out}.spent.json.new`)).toBe(false)
  })

  it('promises nothing of a model without a price', async () => {
    const design = await drawSample(await openLog(log(100)), 2, 1, signal)
    const [one] = design.sample
    expect(() => one && mostUsd(one, options('x', { models: ['p/unpriced'] }))).toThrow(/No price of "p\/unpriced"/)
  })
})
