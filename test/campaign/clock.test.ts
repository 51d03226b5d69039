import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createAgent, makeCall, planCall, type Outcome } from '../../bench/money/callers.js'
import { MODEL } from '../../bench/money/gateway-process.js'
import { BillingUpstream, noFaults } from '../../bench/money/upstream.js'
import { Gateway, parseConfig } from '../../src/gateway/index.js'
import { createLogger } from '../../src/gateway/telemetry/log.js'
import { systemClock, type Clock } from '../../src/quantities/index.js'
import { seededRandom } from '../../src/statistics/index.js'

// From outside the clock can't be set, so the gateway runs in this process, with a clock that can.
const KEY = 'sk-clock-0123456789abcdef'
const prices = { input: 2, output: 8 }
const HOUR = 3_600
const DAY = 24 * HOUR
/** Noon, 20 November 2026, UTC. */
const NOON = Date.UTC(2026, 10, 20, 12) / 1000

let offset = 0
const clock: Clock = {
  ...systemClock,
  now: () => NOON + offset,
  monotonic: () => systemClock.monotonic(),
  sleep: (seconds, signal) => systemClock.sleep(seconds, signal),
}
const agent = createAgent(20)
let folder: string
let upstream: BillingUpstream
let gateway: Gateway
let url: string

async function start(key: Record<string, unknown>): Promise<void> {
  const config = {
    server: { port: 0 },
    providers: { up: { type: 'openai-compatible', base_url: `${upstream.url}/v1`, api_key: 'sk-upstream-0123456789' } },
    models: { [MODEL]: { deployments: [{ provider: 'up', model: MODEL }], prices } },
    keys: [{ name: 'clock', key: KEY, ...key }],
    budgets: { queue_seconds: 0 },
    ledger: { store: 'sql', path: join(folder, 'bursar.db'), journal: join(folder, 'journal') },
  }
  gateway = await Gateway.create({
    config: parseConfig(JSON.stringify(config), {}).config,
    version: 'test',
    clock,
    log: createLogger({ level: 'silent' }),
  })
  url = (await gateway.listen()).url
}

beforeEach(async () => {
  offset = 0
  folder = mkdtempSync(join(tmpdir(), 'bursar-clock-'))
  upstream = await new BillingUpstream({ prices, faults: noFaults, seed: 3, paceMs: 0 }).start()
})
afterEach(async () => {
  await gateway.close()
  await upstream.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Always the same request, so that one that was refused is refused until something is given back. */
const planned = planCall({ model: MODEL, prices, maxTokens: 40, promptWords: 5, streams: 1, leaving: 0, leaveWithinMs: 0 }, seededRandom(5))
const call = (): Promise<Outcome> => makeCall(url, KEY, planned, agent)

/** Calls until the budget refuses; returns how many were answered. */
async function useUp(): Promise<number> {
  for (let answered = 0; answered < 1_000; answered++) {
    const outcome = await call()
    if (outcome.errorCode === 'budget_exceeded') return answered
    expect(outcome).toMatchObject({ end: 'complete', status: 200 })
  }
  throw new Error('the budget never refused')
}

describe('a clock that is stepped back', () => {
  it('gives no window of a budget twice, and takes none away', async () => {
    await start({ budgets: [{ usd: 0.01, per: 'day' }] })
    const limit = 10_000_000_000n
    expect(await useUp()).toBeGreaterThan(5)
    expect(upstream.spent).toBeLessThanOrEqual(limit)
    const firstDay = upstream.spent
    // Within the day nothing is given back, and the day after it is another window.
    for (const step of [-HOUR, -11 * HOUR, 11 * HOUR]) {
      offset = step
      expect(await useUp(), `stepped by ${step / HOUR} h`).toBe(0)
    }
    offset = -DAY
    expect(await useUp()).toBeGreaterThan(5)
    expect(upstream.spent - firstDay).toBeLessThanOrEqual(limit)
    // Back again: both days are used up, in whatever order they are come to.
    for (const step of [0, -DAY, -HOUR, -DAY - HOUR]) {
      offset = step
      expect(await useUp(), `stepped by ${step / HOUR} h`).toBe(0)
    }
    expect((await gateway.ledger.totals({})).cost.usd).toBe(upstream.spent)
  })

  it('does not touch a budget that never ends', async () => {
    await start({ budget_usd: 0.01 })
    await useUp()
    for (const step of [-400 * DAY, -HOUR, 0, 400 * DAY]) {
      offset = step
      expect(await useUp()).toBe(0)
    }
    expect(upstream.spent).toBeLessThanOrEqual(10_000_000_000n)
    expect((await gateway.ledger.totals({})).cost.usd).toBe(upstream.spent)
  })

  it('does not keep callers waiting for a rate that was used in the future', async () => {
    await start({ rates: { requests_per_minute: 5 } })
    const burst = async () => (await Promise.all(Array.from({ length: 12 }, call))).filter((outcome) => outcome.end === 'complete').length
    expect(await burst()).toBe(5)
    offset = -2 * HOUR
    expect(await burst()).toBe(5)
    // Some minutes later, by the clock as it is now, nothing is left of either.
    offset = -2 * HOUR + 180
    expect(await burst()).toBe(5)
  })

  it('loses no record: what was done is in the sums, whatever time it was', async () => {
    await start({})
    for (const step of [0, -3 * DAY, 2 * DAY, -HOUR, 0]) {
      offset = step
      for (let index = 0; index < 5; index++) expect((await call()).end).toBe('complete')
    }
    const { calls, cost } = await gateway.ledger.totals({})
    expect(calls).toBe(25)
    expect(cost.usd).toBe(upstream.spent)
    expect(await gateway.ledger.calls({ limit: 100 })).toHaveLength(25)
  })
})
