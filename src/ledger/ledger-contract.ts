import { afterEach, describe, expect, it } from 'vitest'
import { addMoney, noUsage, picoUsd, zeroMoney, type Usage } from '../quantities/index.js'
import type { CallFilter, Ledger } from './ledger.js'
import type { CallRecord, DecisionRecord, OutcomeRecord, TrialRecord, WeighedArm } from './record.js'
import { eachTrial, type TrialEvidence } from './trial.js'
import { addTotals, noTotals, totalsOfCall } from './report/aggregate.js'
import type { Dimension, Report, ReportQuery, ReportTotals } from './report/contract.js'

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

export function outcomeRecord(fields: Partial<OutcomeRecord> = {}): OutcomeRecord {
  return { outcomeId: 'outcome-1', at: 1_780_000_100, decisionId: 'decision-1', key: 'key-a', source: 'user', score: 0.5, ...fields }
}

export function decisionRecord(fields: Partial<DecisionRecord> = {}): DecisionRecord {
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

    describe('trials', () => {
      const noon = 1_780_000_000
      const trial: TrialRecord = { heldOut: false, holdout: 0.05, policyArm: 'small' }
      const weighedArm = (arm: string, quality: number): WeighedArm => ({
        arm,
        quality,
        qualityDeviation: 0.125,
        usd: 0.5,
        outputTokens: 10,
        seconds: 2,
        joules: null,
        support: 4,
      })
      const weighed = {
        objective: { name: 'balanced' },
        reference: 'large',
        familiarity: 0.5,
        explored: false,
        excluded: [],
        arms: [weighedArm('small', 0.75), weighedArm('large', 0.875)],
      }
      const all = async (ledger: Ledger, filter: Parameters<typeof eachTrial>[1] = {}, page?: number) => {
        const found: TrialEvidence[] = []
        for await (const one of eachTrial(ledger, filter, page)) found.push(one)
        return found
      }

      it('are kept with every field, and how outcomes were come by', async () => {
        const ledger = await open()
        const full = decisionRecord({
          trial: { heldOut: true, holdout: 0.1 / 3, policyArm: 'cascade "x"', stratum: 'code/ü', unit: 'conv 🚀' },
          weighed,
        })
        const bare = decisionRecord({ decisionId: 'decision-2', at: noon + 1, trial })
        ledger.recordDecision(full)
        ledger.recordDecision(bare)
        expect(await ledger.decision('decision-1')).toEqual(full)
        expect(await ledger.decision('decision-2')).toEqual(bare)
        const outcome = outcomeRecord({ source: 'judge:openai/gpt-5', sought: 0.1 / 3, arm: 'large' })
        await ledger.recordOutcome(outcome)
        expect(await ledger.outcomes({ limit: 1 })).toEqual([outcome])
      })

      it('come with what was expected, what their calls took and what was said of them', async () => {
        const ledger = await open()
        ledger.recordDecision(decisionRecord({ trial, weighed }))
        ledger.recordDecision(decisionRecord({ decisionId: 'decision-2', requestId: 'request-2', at: noon + 1 }))
        ledger.recordDecision(
          decisionRecord({ decisionId: 'decision-3', requestId: 'request-3', at: noon + 2, trial: { ...trial, heldOut: true } }),
        )
        const cost = { usd: picoUsd(100n), seconds: 0.5, joules: 2, gramsCO2e: null }
        await ledger.recordCall(callRecord({ callId: 'a', end: 'failed', cost }))
        await ledger.recordCall(callRecord({ callId: 'b', cost }))
        // A judge's call: for another key, though about the same decision.
        await ledger.recordCall(callRecord({ callId: 'judge', key: 'bursar:learning', cost: { ...cost, usd: picoUsd(7000n) } }))
        await ledger.recordCall(callRecord({ callId: 'other', decisionId: 'decision-2', requestId: 'request-2', cost }))
        await ledger.recordCall(callRecord({ callId: 'c', decisionId: 'decision-3', requestId: 'request-3', cost }))
        await ledger.recordCall(
          callRecord({
            callId: 'd',
            decisionId: 'decision-3',
            requestId: 'request-3',
            cost: { usd: null, seconds: 0.25, joules: null, gramsCO2e: null },
          }),
        )
        await ledger.recordCorrection({
          correctionId: 'k',
          at: noon + 9,
          callId: 'b',
          usage: noUsage,
          cost: { usd: picoUsd(-30n), seconds: 0, joules: -1, gramsCO2e: null },
          reason: 'the bill says less',
        })
        const told = [
          outcomeRecord({ score: 0.25 }),
          outcomeRecord({ outcomeId: 'outcome-2', at: noon + 200, source: 'judge:x', sought: 0.5, score: 1 }),
        ]
        for (const outcome of told) await ledger.recordOutcome(outcome)
        await ledger.recordOutcome(outcomeRecord({ outcomeId: 'of-a-run', decisionId: undefined, run: 'r' }))
        const [first, second, ...none] = await all(ledger)
        expect(none).toEqual([])
        expect(first).toMatchObject({
          decision: { decisionId: 'decision-1' },
          trial,
          cost: { calls: 2, usd: 170n, seconds: 1, joules: 3 },
          outcomes: told,
        })
        expect(first?.expected).toEqual({ policy: weighed.arms[0], reference: weighed.arms[1] })
        expect(second).toMatchObject({
          decision: { decisionId: 'decision-3' },
          trial: { heldOut: true },
          cost: { calls: 2, usd: null, seconds: 0.75, joules: null },
          outcomes: [],
        })
        expect(second?.expected).toEqual({ policy: undefined, reference: undefined })
      })

      it('stream in order of time, each once, whatever the size of a page', async () => {
        const ledger = await open()
        for (let index = 0; index < 23; index++) {
          const number = (index * 7) % 23
          ledger.recordDecision(
            decisionRecord({
              decisionId: `d${String(number).padStart(2, '0')}`,
              at: noon + Math.floor(number / 4) + 0.1,
              key: number % 2 === 0 ? 'key-a' : 'key-b',
              trial: number % 3 === 2 ? undefined : trial,
            }),
          )
        }
        const names = Array.from({ length: 23 }, (_, number) => number).filter((number) => number % 3 !== 2)
        const expected = (wanted: (number: number) => boolean) =>
          names.filter(wanted).map((number) => `d${String(number).padStart(2, '0')}`)
        for (const page of [1, 3, 100])
          expect((await all(ledger, {}, page)).map(({ decision }) => decision.decisionId)).toEqual(expected(() => true))
        expect((await all(ledger, { key: 'key-b' }, 2)).map(({ decision }) => decision.decisionId)).toEqual(
          expected((number) => number % 2 === 1),
        )
        expect((await all(ledger, { from: noon + 2.1, to: noon + 4.1 }, 2)).map(({ decision }) => decision.decisionId)).toEqual(
          expected((number) => number >= 8 && number < 16),
        )
        expect(await all(ledger, { key: 'nobody' })).toEqual([])
        expect(await ledger.trials({ limit: 0 })).toEqual([])
      })
    })

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
      for (const { callId } of ids) expect((await ledger.calls({ callId, limit: 10 })).map((call) => call.callId), callId).toEqual([callId])
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

    describe('reports', () => {
      const hour = 3600
      const noon = 1_780_012_800 + 8 * hour // 2026-05-29T08:00Z
      const calls: readonly Partial<CallRecord>[] = [
        { at: noon, key: 'a', team: 't1', user: 'u1', organisation: 'o', run: 'r1', session: 's1', tags: { feature: 'chat', env: 'prod' } },
        {
          at: noon + hour - 1,
          key: 'a',
          team: 't1',
          user: 'u2',
          run: 'r1',
          session: 's2',
          tags: { feature: 'chat' },
          end: 'failed',
          model: 'other',
          provider: 'x',
        },
        {
          at: noon + hour,
          key: 'a',
          team: 't1',
          run: 'r2',
          tags: { feature: 'search' },
          cost: { usd: null, seconds: 3, joules: null, gramsCO2e: null },
        },
        {
          at: noon + 20 * hour,
          key: 'b',
          team: 't2',
          run: 'r1',
          end: 'lost',
          tags: undefined,
          requestedModel: 'auto',
          cost: { usd: picoUsd(10n ** 13n), seconds: 500, joules: 1, gramsCO2e: 1 },
        },
        {
          at: noon + 21 * hour,
          key: 'b',
          team: 't2',
          tags: { feature: '' },
          deployment: 'd2',
          firstTokenSeconds: undefined,
          cacheSavings: picoUsd(7),
        },
      ]
      const filled = async () => {
        const ledger = await open()
        for (const [index, call] of calls.entries()) await ledger.recordCall(callRecord({ callId: `call-${index}`, ...call }))
        return ledger
      }
      const from = noon
      const to = noon + 48 * hour
      /** Groups with their calls, as text. */
      const counts = ({ rows }: Report) => rows.map(({ group, totals }) => `${Object.values(group).join('/')}=${totals.calls}`).join(' ')

      it.each<[string, readonly Dimension[], string]>([
        ['nothing', [], '=5'],
        ['key', ['key'], 'a=3 b=2'],
        ['team', ['team'], 't1=3 t2=2'],
        ['user', ['user'], '=3 u1=1 u2=1'],
        ['organisation', ['organisation'], '=4 o=1'],
        ['model', ['model'], 'gpt-5-mini=4 other=1'],
        ['provider', ['provider'], 'openai=4 x=1'],
        ['deployment', ['deployment'], 'd2=1 openai/gpt-5-mini=4'],
        ['requested model', ['requested_model'], 'auto=1 openai/gpt-5-mini=4'],
        ['day', ['day'], '2026-05-29=3 2026-05-30=2'],
        ['hour', ['hour'], '2026-05-29T08:00Z=2 2026-05-29T09:00Z=1 2026-05-30T04:00Z=1 2026-05-30T05:00Z=1'],
        ['day and key', ['day', 'key'], '2026-05-29/a=3 2026-05-30/b=2'],
        ['key and hour', ['key', 'hour'], 'a/2026-05-29T08:00Z=2 a/2026-05-29T09:00Z=1 b/2026-05-30T04:00Z=1 b/2026-05-30T05:00Z=1'],
        ['run', ['run'], '=1 r1=3 r2=1'],
        ['key and run', ['key', 'run'], 'a/r1=2 a/r2=1 b/=1 b/r1=1'],
        ['session', ['session'], '=3 s1=1 s2=1'],
        ['a tag', ['tag:feature'], '=2 chat=2 search=1'],
        ['a tag that hardly any has', ['tag:env'], '=4 prod=1'],
        ['a tag that none has', ['tag:nothing'], '=5'],
        ['a tag, key and day', ['tag:feature', 'key', 'day'], '/b/2026-05-30=2 chat/a/2026-05-29=2 search/a/2026-05-29=1'],
        ['two tags', ['tag:feature', 'tag:env'], '/=2 chat/=1 chat/prod=1 search/=1'],
        [
          'a tag by hour',
          ['hour', 'tag:env'],
          '2026-05-29T08:00Z/=1 2026-05-29T08:00Z/prod=1 2026-05-29T09:00Z/=1 2026-05-30T04:00Z/=1 2026-05-30T05:00Z/=1',
        ],
        ['run and session', ['run', 'session'], '/=1 r1/=1 r1/s1=1 r1/s2=1 r2/=1'],
      ])('group by %s', async (_, by, expected) => {
        const ledger = await filled()
        const report = await ledger.report({ from, to, by, order: 'group' })
        expect(counts(report)).toBe(expected)
        expect(report.total.calls).toBe(5)
        expect(report.total.cost).toEqual({ usd: 10n ** 13n + 3n * 12_500_000n, seconds: 504.5, joules: null, gramsCO2e: null })
        expect(report.others).toEqual({ groups: 0, totals: noTotals })
      })

      it.each<[string, ReportQuery['where'], string]>([
        ['a key', { key: 'a' }, 'a=3'],
        ['no user', { user: '' }, 'a=1 b=2'],
        ['a key and a model', { key: 'a', model: 'other' }, 'a=1'],
        ['a run', { run: 'r1' }, 'a=2 b=1'],
        ['no run', { run: '' }, 'b=1'],
        ['a tag', { 'tag:feature': 'chat' }, 'a=2'],
        ['no tag', { 'tag:feature': '' }, 'b=2'],
        ['two tags', { 'tag:feature': 'chat', 'tag:env': '' }, 'a=1'],
        ['a day', { day: '2026-05-30' }, 'b=2'],
        ['an hour', { hour: '2026-05-29T08:00Z' }, 'a=2'],
        ['a day and a tag', { day: '2026-05-29', 'tag:feature': 'search' }, 'a=1'],
        ['what there is not', { key: 'nobody' }, ''],
        ['a day that is none', { day: 'yesterday' }, ''],
      ])('of calls with %s', async (_, where, expected) => {
        const ledger = await filled()
        const report = await ledger.report({ from, to, by: ['key'], where, order: 'group' })
        expect(counts(report)).toBe(expected)
        expect(report.total.calls).toBe(report.rows.reduce((sum, { totals }) => sum + totals.calls, 0))
      })

      it('have all sums', async () => {
        const ledger = await filled()
        const { rows } = await ledger.report({ from, to, by: ['key'], order: 'group' })
        const expected = new Map<string, ReportTotals>()
        for (const [index, call] of calls.entries()) {
          const record = callRecord({ callId: `call-${index}`, ...call })
          expected.set(record.key, addTotals(expected.get(record.key) ?? noTotals, totalsOfCall(record)))
        }
        expect(rows).toEqual([...expected].map(([key, totals]) => ({ group: { key }, totals })))
        expect(rows[1]?.totals).toMatchObject({ calls: 2, errors: 1, lost: 1, unpriced: 0, cacheSavings: 7n, firstTokens: 1 })
        expect(rows[0]?.totals).toMatchObject({ calls: 3, errors: 1, unpriced: 1, cost: { usd: 25_000_000n, joules: null } })
        expect(rows[1]?.totals.latency.at(-1)).toBe(1)
      })

      it.each<[NonNullable<ReportQuery['order']>, string, number]>([
        ['usd', 'r1=3', 2],
        ['calls', 'r1=3', 2],
        ['tokens', 'r1=3', 2],
        ['group', '=1', 4],
      ])('show the largest by %s, and what the others come to', async (order, expected, left) => {
        const ledger = await filled()
        const report = await ledger.report({ from, to, by: ['run'], order, limit: 1 })
        expect(counts(report)).toBe(expected)
        expect(report.total.calls).toBe(5)
        expect(report.others.groups).toBe(2)
        expect(report.others.totals.calls).toBe(left)
        expect(addMoney(report.others.totals.cost.usd ?? zeroMoney, report.rows[0]?.totals.cost.usd ?? zeroMoney)).toBe(
          report.total.cost.usd,
        )
        expect((await ledger.report({ from, to, by: ['run'], order, limit: 0 })).others.totals.calls).toBe(5)
      })

      it.each<[string, number, number, readonly Dimension[], number]>([
        ['hours it touches', noon + 1, noon + 2, [], 2],
        ['days it touches, by a tag', noon + 1, noon + 2, ['tag:env'], 3],
        ['nothing, where it is empty', noon - 3 * 24 * hour, noon - 2 * 24 * hour, ['key'], 0],
        ['one hour of many', noon + hour, noon + hour + 1, ['key'], 1],
        ['everything', 0, 1e300, ['key'], 5],
      ])('are for the whole %s', async (_, start, end, by, expected) => {
        const ledger = await filled()
        expect((await ledger.report({ from: start, to: end, by })).total.calls).toBe(expected)
      })
    })

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
