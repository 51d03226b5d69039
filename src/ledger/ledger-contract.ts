import { afterEach, describe, expect, it } from 'vitest'
import { noUsage, picoUsd, zeroMoney, type Usage } from '../quantities/index.js'
import { callRecord, decisionRecord, outcomeRecord } from './fixtures/records.js'
import { reportsContract } from './fixtures/reports-contract.js'
import { trialsContract } from './fixtures/trials-contract.js'
import type { CallFilter, Ledger } from './ledger.js'

export { callRecord, decisionRecord, outcomeRecord } from './fixtures/records.js'

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
      const full = callRecord({
        end: 'failed',
        status: 429,
        errorCode: 'upstream_rate_limited',
        usageEstimated: true,
        operation: 'embed',
        stream: false,
        attempt: 3,
        at: 1_780_000_000.123,
        organisation: 'Acme "GmbH" & Söhne',
        team: 'team 🚀',
        user: "o'neill",
        run: 'run 1',
        session: '',
        tags: { team: 'search', 'a b': 'ü/…', empty: '' },
        cacheSavings: picoUsd(-123_456_789_012n),
        composition: { systemTokens: 1, toolSchemaTokens: 2, observationTokens: 3, assistantTokens: 4, userTokens: 5, repeatedTokens: 6 },
        cost: { usd: picoUsd(12_345_678_901_234_567_890n), seconds: 0.1 + 0.2, joules: 1e-7, gramsCO2e: 0 },
      })
      await ledger.recordCall(full)
      expect(await ledger.calls({ limit: 10 })).toEqual([full])
      const bare = callRecord({
        callId: 'call-2',
        at: 1_780_000_001,
        cost: { usd: null, seconds: 0, joules: null, gramsCO2e: null },
        serviceTier: undefined,
        priceSource: undefined,
        firstTokenSeconds: undefined,
        tags: undefined,
        cacheSavings: null,
      })
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
      expect((await ledger.calls({ from: 1_780_000_002, to: 1_780_000_004, limit: 10 })).map((call) => call.callId)).toEqual([
        'call-3',
        'call-2',
      ])
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
      await ledger.recordCall(callRecord({ callId: 'call-1', cost: dear }))
      await ledger.recordCall(callRecord({ callId: 'call-2', cost: { ...dear, usd: picoUsd(1) } }))
      await ledger.recordCall(callRecord({ callId: 'call-3', key: 'key-b', cost: { ...dear, usd: picoUsd(2) } }))
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
      await ledger.recordCall(callRecord({ callId: 'call-1', usage }))
      await ledger.recordCall(callRecord({ callId: 'call-2', usage }))
      const { usage: sum } = await ledger.totals({})
      names.forEach((bucket, index) => expect(sum[bucket], bucket).toBe(2 * (index + 1)))
    })

    it('counts calls of unknown price and sums the others', async () => {
      const ledger = await open()
      await ledger.recordCall(callRecord())
      await ledger.recordCall(callRecord({ callId: 'call-2', cost: { usd: null, seconds: 1, joules: null, gramsCO2e: null } }))
      const totals = await ledger.totals({ key: 'key-a' })
      expect(totals).toMatchObject({ calls: 2, unpriced: 1 })
      expect(totals.cost.usd).toBe(12_500_000n)
      expect(totals.cost.joules).toBeNull()
      expect(totals.cost.gramsCO2e).toBeNull()
    })

    it('has totals of nothing for a key that made no calls', async () => {
      const ledger = await open()
      expect(await ledger.totals({ key: 'nobody' })).toEqual({
        calls: 0,
        unpriced: 0,
        usage: noUsage,
        cost: { usd: zeroMoney, seconds: 0, joules: 0, gramsCO2e: 0 },
      })
    })

    it('does not let a later call change totals that were given out', async () => {
      const ledger = await open()
      await ledger.recordCall(callRecord())
      const before = await ledger.totals({})
      await ledger.recordCall(callRecord({ callId: 'call-2' }))
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

    it('gives back what was weighed for a decision', async () => {
      const ledger = await open()
      const unknown = { quality: null, qualityDeviation: null, usd: null, outputTokens: null, seconds: null, joules: null, support: 0 }
      const decision = decisionRecord({
        weighed: {
          objective: { name: 'my "own" 🚀', lambda: 'infinite', qualityFloor: 0.95, explore: false },
          reference: 'large',
          familiarity: 0.25,
          explored: true,
          excluded: [{ arm: 'tiny', why: 'its context holds 4096 tokens' }],
          arms: [
            {
              arm: 'large',
              quality: 0.9375,
              qualityDeviation: 0.0625,
              usd: 0.00125,
              outputTokens: 250,
              seconds: 1.5,
              joules: 3,
              support: 17.5,
            },
            { arm: 'small', ...unknown },
          ],
        },
      })
      ledger.recordDecision(decision)
      expect(await ledger.decision('decision-1')).toEqual(decision)
      expect(await ledger.decisions({ limit: 1 })).toEqual([decision])
    })

    trialsContract(open)

    it('lists decisions and outcomes by key and time, the newest first', async () => {
      const ledger = await open()
      for (let index = 0; index < 6; index++) {
        const at = 1_780_000_000 + index
        ledger.recordDecision(decisionRecord({ decisionId: `decision-${index}`, at, key: index % 2 === 0 ? 'key-a' : 'key-b' }))
        await ledger.recordOutcome({
          outcomeId: `outcome-${index}`,
          at,
          decisionId: `decision-${index}`,
          key: index % 2 === 0 ? 'key-a' : 'key-b',
          source: 'user',
          score: 1,
        })
      }
      const range = { from: 1_780_000_001, to: 1_780_000_005 }
      expect((await ledger.decisions({ ...range, limit: 10 })).map(({ decisionId }) => decisionId)).toEqual([
        'decision-4',
        'decision-3',
        'decision-2',
        'decision-1',
      ])
      expect((await ledger.decisions({ key: 'key-a', limit: 2 })).map(({ decisionId }) => decisionId)).toEqual(['decision-4', 'decision-2'])
      expect((await ledger.outcomes({ ...range, limit: 3 })).map(({ outcomeId }) => outcomeId)).toEqual([
        'outcome-4',
        'outcome-3',
        'outcome-2',
      ])
      expect((await ledger.outcomes({ ...range, key: 'key-b', limit: 10 })).map(({ outcomeId }) => outcomeId)).toEqual([
        'outcome-3',
        'outcome-1',
      ])
      expect(await ledger.decisions({ limit: 0 })).toEqual([])
    })

    it('gives back ids as they were, those of the gateway and any other', async () => {
      const ledger = await open()
      const uuid = '019aa000-1234-7abc-8def-0123456789ab'
      const ids = [
        { requestId: `req_${uuid}`, decisionId: `dec_${uuid}`, callId: `call_${uuid}_1` },
        { requestId: `req_${uuid}`, decisionId: `dec_${uuid}`, callId: `call_${uuid}_12` },
        { requestId: `req_${uuid}`, decisionId: 'dec_other', callId: `call_${uuid.replace('0', '1')}_1` },
        { requestId: `req_${uuid.toUpperCase()}`, decisionId: `dec_${uuid}`, callId: `call_${uuid}_01` },
        // Sixteen bytes with the mark of an id that is written as it is.
        { requestId: 'fifteen letters', decisionId: '=', callId: '' },
        { requestId: '=fifteen letters', decisionId: '', callId: '=' },
      ]
      for (const [index, id] of ids.entries()) await ledger.recordCall(callRecord({ ...id, at: 1_780_000_000 - index }))
      expect((await ledger.calls({ limit: 10 })).map(({ requestId, decisionId, callId }) => ({ requestId, decisionId, callId }))).toEqual(
        ids,
      )
      for (const { callId } of ids)
        expect(
          (await ledger.calls({ callId, limit: 10 })).map((call) => call.callId),
          callId,
        ).toEqual([callId])
      expect(await ledger.calls({ requestId: `req_${uuid}`, limit: 10 })).toHaveLength(3)
      expect(await ledger.calls({ requestId: 'fifteen letters', limit: 10 })).toHaveLength(1)
      expect(await ledger.calls({ callId: `call_${uuid}_2`, limit: 10 })).toEqual([])
      for (const decisionId of [`dec_${uuid}`, 'dec_other', ''])
        ledger.recordDecision(decisionRecord({ decisionId, requestId: `req_${uuid}` }))
      for (const decisionId of [`dec_${uuid}`, 'dec_other', ''])
        expect(await ledger.decision(decisionId)).toEqual(decisionRecord({ decisionId, requestId: `req_${uuid}` }))
    })

    it('finds calls by run, end and time, and by all of them together', async () => {
      const ledger = await open()
      const at = 1_780_000_000
      await ledger.recordCall(callRecord({ callId: 'a', at, run: 'r' }))
      await ledger.recordCall(callRecord({ callId: 'b', at: at + 1, run: 'r', end: 'lost' }))
      await ledger.recordCall(callRecord({ callId: 'c', at: at + 2, run: 'r', key: 'key-b' }))
      await ledger.recordCall(callRecord({ callId: 'd', at: at + 3, end: 'cancelled' }))
      const found = async (filter: Omit<CallFilter, 'limit'>) =>
        (await ledger.calls({ ...filter, limit: 10 })).map(({ callId }) => callId).join('')
      expect(await found({ run: 'r' })).toBe('cba')
      expect(await found({ run: 'r', key: 'key-a' })).toBe('ba')
      expect(await found({ run: 'r', key: 'nobody' })).toBe('')
      expect(await found({ run: 'other' })).toBe('')
      expect(await found({ end: 'lost' })).toBe('b')
      expect(await found({ end: 'cancelled' })).toBe('d')
      expect(await found({ end: 'complete', key: 'key-a' })).toBe('a')
      expect(await found({ from: at + 1, to: at + 3 })).toBe('cb')
      expect(await found({ from: at + 1 })).toBe('dcb')
      expect(await found({ to: at + 1 })).toBe('a')
      expect(await found({ run: 'r', key: 'key-a', end: 'complete', from: at, to: at + 10, requestId: 'request-1', callId: 'a' })).toBe('a')
      expect(await found({ run: 'r', key: 'key-a', end: 'complete', from: at, to: at + 10, requestId: 'request-1', callId: 'b' })).toBe('')
    })

    it('gives the newest first, though it was not recorded last', async () => {
      const ledger = await open()
      for (const [index, at] of [3, 1, 4, 2].entries()) {
        await ledger.recordCall(callRecord({ callId: `c${at}`, at }))
        ledger.recordDecision(decisionRecord({ decisionId: `d${at}`, at }))
        await ledger.recordOutcome(outcomeRecord({ outcomeId: `o${index}`, decisionId: `d${at}`, at }))
      }
      expect((await ledger.calls({ limit: 3 })).map(({ at }) => at)).toEqual([4, 3, 2])
      expect((await ledger.decisions({ limit: 3 })).map(({ at }) => at)).toEqual([4, 3, 2])
      expect((await ledger.outcomes({ limit: 3 })).map(({ at }) => at)).toEqual([4, 3, 2])
    })

    it('lists decisions by key and time', async () => {
      const ledger = await open()
      for (let index = 0; index < 4; index++)
        ledger.recordDecision(
          decisionRecord({ decisionId: `d${index}`, at: 1_780_000_000 + index, key: index % 2 === 0 ? 'key-a' : 'key-b' }),
        )
      expect((await ledger.decisions({ limit: 10 })).map(({ decisionId }) => decisionId)).toEqual(['d3', 'd2', 'd1', 'd0'])
      expect((await ledger.decisions({ key: 'key-a', limit: 10 })).map(({ decisionId }) => decisionId)).toEqual(['d2', 'd0'])
      expect((await ledger.decisions({ from: 1_780_000_001, to: 1_780_000_003, limit: 10 })).map(({ decisionId }) => decisionId)).toEqual([
        'd2',
        'd1',
      ])
      expect(await ledger.decisions({ key: 'nobody', limit: 10 })).toEqual([])
      expect(await ledger.decisions({ limit: 0 })).toEqual([])
    })

    it('gives back outcomes of decisions and runs, every field of them', async () => {
      const ledger = await open()
      const ofDecision = outcomeRecord({ comment: 'wrong "answer" 😀\nsecond line' })
      const ofRun = outcomeRecord({
        outcomeId: 'outcome-2',
        at: 1_780_000_101,
        decisionId: undefined,
        run: 'run-1',
        source: 'verifier:tests',
        score: 1,
      })
      const ofOther = outcomeRecord({ outcomeId: 'outcome-3', at: 1_780_000_102, key: 'key-b', run: 'run-1', score: 0 })
      for (const outcome of [ofDecision, ofRun, ofOther]) await ledger.recordOutcome(outcome)
      expect(await ledger.outcomes({ limit: 10 })).toEqual([ofOther, ofRun, ofDecision])
      expect(await ledger.outcomes({ limit: 1 })).toEqual([ofOther])
      expect(await ledger.outcomes({ decisionId: 'decision-1', key: 'key-a', limit: 10 })).toEqual([ofDecision])
      expect(await ledger.outcomes({ run: 'run-1', limit: 10 })).toEqual([ofOther, ofRun])
      expect(await ledger.outcomes({ run: 'run-1', key: 'key-a', limit: 10 })).toEqual([ofRun])
      expect(await ledger.outcomes({ from: 1_780_000_101, to: 1_780_000_102, limit: 10 })).toEqual([ofRun])
      expect(await ledger.outcomes({ decisionId: 'decision-2', limit: 10 })).toEqual([])
    })

    it('adds corrections to sums, for the key of their call and for all, and leaves the call as it was', async () => {
      const ledger = await open()
      await ledger.recordCall(callRecord())
      await ledger.recordCall(callRecord({ callId: 'call-2', key: 'key-b' }))
      const usage = { ...noUsage, inputTokens: -4, outputTokens: -1 }
      await ledger.recordCorrection({
        correctionId: 'c-1',
        at: 1_780_100_000,
        callId: 'call-1',
        usage,
        cost: { usd: picoUsd(-2_500_000), seconds: 0, joules: -1, gramsCO2e: 0 },
        reason: 'the bill says less',
      })
      const own = await ledger.totals({ key: 'key-a' })
      expect(own).toMatchObject({ calls: 1, unpriced: 0, cost: { usd: 10_000_000n, joules: 1 } })
      expect(own.usage).toMatchObject({ inputTokens: 6, outputTokens: 4 })
      expect((await ledger.totals({ key: 'key-b' })).cost.usd).toBe(12_500_000n)
      expect((await ledger.totals({})).cost.usd).toBe(22_500_000n)
      expect(await ledger.calls({ callId: 'call-1', limit: 10 })).toEqual([callRecord()])
      const { rows } = await ledger.report({ from: 1_780_000_000, to: 1_780_000_001, by: ['key', 'day', 'tag:team'] })
      expect(rows.map(({ group, totals }) => [group, totals.calls, totals.cost.usd])).toEqual([
        [{ key: 'key-b', day: '2026-05-28', 'tag:team': 'search' }, 1, 12_500_000n],
        [{ key: 'key-a', day: '2026-05-28', 'tag:team': 'search' }, 1, 10_000_000n],
      ])
    })

    reportsContract(open)

    it('loses nothing of what is recorded at once', async () => {
      const ledger = await open()
      await Promise.all(
        Array.from({ length: 200 }, (_, index) => ledger.recordCall(callRecord({ callId: `call-${index}`, key: `key-${index % 3}` }))),
      )
      expect((await ledger.totals({})).calls).toBe(200)
      expect((await ledger.totals({ key: 'key-0' })).calls).toBe(67)
      expect(new Set((await ledger.calls({ limit: 1000 })).map((call) => call.callId)).size).toBe(200)
    })
  })
}
