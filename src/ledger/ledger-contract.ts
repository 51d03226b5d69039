import { afterEach, describe, expect, it } from 'vitest'
import { noUsage, picoUsd, zeroMoney, type Usage } from '../quantities/index.js'
import type { Ledger } from './ledger.js'
import type { CallRecord, DecisionRecord } from './record.js'

/** A call as tests need one; every field can be replaced. */
export function callRecord(fields: Partial<CallRecord> = {}): CallRecord {
  return {
    callId: 'call-1',
    requestId: 'request-1',
    decisionId: 'decision-1',
    at: 1_780_000_000,
    key: 'key-a',
    requestedModel: 'openai/gpt-5-mini',
    provider: 'openai',
    deployment: 'openai/gpt-5-mini',
    model: 'gpt-5-mini',
    operation: 'generate',
    stream: true,
    attempt: 1,
    end: 'complete',
    status: 200,
    usage: { ...noUsage, inputTokens: 10, outputTokens: 5 },
    usageEstimated: false,
    cost: { usd: picoUsd(12_500_000), seconds: 0.5, joules: 2, gramsCO2e: 0.25 },
    serviceTier: 'standard',
    priceSource: 'test',
    firstTokenSeconds: 0.125,
    tags: { team: 'search' },
    ...fields,
  }
}

function decisionRecord(fields: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    decisionId: 'decision-1',
    requestId: 'request-1',
    at: 1_780_000_000,
    key: 'key-a',
    requestedModel: 'openai/gpt-5-mini',
    arm: 'single:openai/gpt-5-mini',
    policy: 'as-named',
    propensity: 1,
    reason: 'the caller named it',
    ...fields,
  }
}

/** What every ledger must do, whatever it is stored in. */
export function ledgerContract(name: string, make: () => Ledger | Promise<Ledger>): void {
  describe(name, () => {
    const opened: Ledger[] = []
    const open = async (): Promise<Ledger> => {
      const ledger = await make()
      opened.push(ledger)
      return ledger
    }
    afterEach(async () => {
      for (const ledger of opened.splice(0)) await ledger.close()
    })

    it('gives back what was recorded, every field of it', async () => {
      const ledger = await open()
      const full = callRecord({ end: 'failed', status: 429, errorCode: 'upstream_rate_limited', usageEstimated: true })
      await ledger.recordCall(full)
      expect(await ledger.calls({ limit: 10 })).toEqual([full])
      const bare = callRecord({ callId: 'call-2', cost: { usd: null, seconds: 0, joules: null, gramsCO2e: null }, serviceTier: undefined, priceSource: undefined, firstTokenSeconds: undefined, tags: undefined })
      await ledger.recordCall(bare)
      expect((await ledger.calls({ limit: 1 }))[0]).toEqual(bare)
    })

    it('gives the newest calls first, at most as many as asked for', async () => {
      const ledger = await open()
      for (let index = 0; index < 5; index++) await ledger.recordCall(callRecord({ callId: `call-${index}`, at: 1_780_000_000 + index }))
      expect((await ledger.calls({ limit: 3 })).map((call) => call.callId)).toEqual(['call-4', 'call-3', 'call-2'])
      expect(await ledger.calls({ limit: 0 })).toEqual([])
      expect(await ledger.calls({ limit: 100 })).toHaveLength(5)
    })

    it('lists calls by when they began, whatever the order in which they ended', async () => {
      const ledger = await open()
      for (const second of [3, 1, 4, 2]) await ledger.recordCall(callRecord({ callId: `call-${second}`, at: 1_780_000_000 + second }))
      expect((await ledger.calls({ limit: 3 })).map((call) => call.callId)).toEqual(['call-4', 'call-3', 'call-2'])
      expect((await ledger.calls({ from: 1_780_000_002, to: 1_780_000_004, limit: 10 })).map((call) => call.callId)).toEqual(['call-3', 'call-2'])
    })

    it('keeps every attempt of a request', async () => {
      const ledger = await open()
      await ledger.recordCall(callRecord({ callId: 'first', attempt: 1, end: 'failed', status: 503 }))
      await ledger.recordCall(callRecord({ callId: 'second', attempt: 2 }))
      await ledger.recordCall(callRecord({ callId: 'other', requestId: 'request-2' }))
      expect((await ledger.calls({ requestId: 'request-1', limit: 10 })).map((call) => call.callId)).toEqual(['second', 'first'])
    })

    it('finds calls by key, and by key and request together', async () => {
      const ledger = await open()
      await ledger.recordCall(callRecord({ callId: 'a1' }))
      await ledger.recordCall(callRecord({ callId: 'b1', key: 'key-b' }))
      await ledger.recordCall(callRecord({ callId: 'a2', requestId: 'request-2' }))
      expect((await ledger.calls({ key: 'key-a', limit: 10 })).map((call) => call.callId)).toEqual(['a2', 'a1'])
      expect((await ledger.calls({ key: 'key-a', requestId: 'request-2', limit: 10 })).map((call) => call.callId)).toEqual(['a2'])
      expect(await ledger.calls({ key: 'nobody', limit: 10 })).toEqual([])
    })

    it('sums usage and cost exactly, for a key and for all', async () => {
      const ledger = await open()
      // A tenth of a cent and a picodollar: their sum has no exact double.
      const dear = { ...callRecord().cost, usd: picoUsd(9_007_199_254_740_993n) }
      await ledger.recordCall(callRecord({ cost: dear }))
      await ledger.recordCall(callRecord({ cost: { ...dear, usd: picoUsd(1) } }))
      await ledger.recordCall(callRecord({ key: 'key-b', cost: { ...dear, usd: picoUsd(2) } }))
      const own = await ledger.totals({ key: 'key-a' })
      expect(own.calls).toBe(2)
      expect(own.cost.usd).toBe(9_007_199_254_740_994n)
      expect(own.usage).toEqual({ ...noUsage, inputTokens: 20, outputTokens: 10 })
      expect(own.cost.seconds).toBe(1)
      expect(own.cost.joules).toBe(4)
      const all = await ledger.totals({})
      expect(all.calls).toBe(3)
      expect(all.cost.usd).toBe(9_007_199_254_740_996n)
    })

    it('sums every bucket of a usage', async () => {
      const ledger = await open()
      const names = Object.keys(noUsage) as (keyof Usage)[]
      const usage: { -readonly [bucket in keyof Usage]: number } = { ...noUsage }
      names.forEach((bucket, index) => (usage[bucket] = index + 1))
      await ledger.recordCall(callRecord({ usage }))
      await ledger.recordCall(callRecord({ usage }))
      const { usage: sum } = await ledger.totals({})
      names.forEach((bucket, index) => expect(sum[bucket], bucket).toBe(2 * (index + 1)))
    })

    it('counts calls of unknown price and sums the others', async () => {
      const ledger = await open()
      await ledger.recordCall(callRecord())
      await ledger.recordCall(callRecord({ cost: { usd: null, seconds: 1, joules: null, gramsCO2e: null } }))
      const totals = await ledger.totals({ key: 'key-a' })
      expect(totals).toMatchObject({ calls: 2, unpriced: 1 })
      expect(totals.cost.usd).toBe(12_500_000n)
      expect(totals.cost.joules).toBeNull()
      expect(totals.cost.gramsCO2e).toBeNull()
    })

    it('has totals of nothing for a key that made no calls', async () => {
      const ledger = await open()
      expect(await ledger.totals({ key: 'nobody' })).toEqual({ calls: 0, unpriced: 0, usage: noUsage, cost: { usd: zeroMoney, seconds: 0, joules: 0, gramsCO2e: 0 } })
    })

    it('does not let a later call change totals that were given out', async () => {
      const ledger = await open()
      await ledger.recordCall(callRecord())
      const before = await ledger.totals({})
      await ledger.recordCall(callRecord())
      expect(before.calls).toBe(1)
      expect(before.usage.inputTokens).toBe(10)
    })

    it('finds a decision by its id', async () => {
      const ledger = await open()
      const decision = decisionRecord({ propensity: 0.25 })
      ledger.recordDecision(decision)
      expect(await ledger.decision('decision-1')).toEqual(decision)
      expect(await ledger.decision('decision-2')).toBeUndefined()
    })

    it('lists decisions and outcomes by key and time, the newest first', async () => {
      const ledger = await open()
      for (let index = 0; index < 6; index++) {
        const at = 1_780_000_000 + index
        ledger.recordDecision(decisionRecord({ decisionId: `decision-${index}`, at, key: index % 2 === 0 ? 'key-a' : 'key-b' }))
        await ledger.recordOutcome({ outcomeId: `outcome-${index}`, at, decisionId: `decision-${index}`, key: index % 2 === 0 ? 'key-a' : 'key-b', source: 'user', score: 1 })
      }
      const range = { from: 1_780_000_001, to: 1_780_000_005 }
      expect((await ledger.decisions({ ...range, limit: 10 })).map(({ decisionId }) => decisionId)).toEqual(['decision-4', 'decision-3', 'decision-2', 'decision-1'])
      expect((await ledger.decisions({ key: 'key-a', limit: 2 })).map(({ decisionId }) => decisionId)).toEqual(['decision-4', 'decision-2'])
      expect((await ledger.outcomes({ ...range, limit: 3 })).map(({ outcomeId }) => outcomeId)).toEqual(['outcome-4', 'outcome-3', 'outcome-2'])
      expect((await ledger.outcomes({ ...range, key: 'key-b', limit: 10 })).map(({ outcomeId }) => outcomeId)).toEqual(['outcome-3', 'outcome-1'])
      expect(await ledger.decisions({ limit: 0 })).toEqual([])
    })

    it('loses nothing of what is recorded at once', async () => {
      const ledger = await open()
      await Promise.all(Array.from({ length: 200 }, (_, index) => ledger.recordCall(callRecord({ callId: `call-${index}`, key: `key-${index % 3}` }))))
      expect((await ledger.totals({})).calls).toBe(200)
      expect((await ledger.totals({ key: 'key-0' })).calls).toBe(67)
      expect(new Set((await ledger.calls({ limit: 1000 })).map((call) => call.callId)).size).toBe(200)
    })
  })
}
