import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { noUsage, picoUsd } from '../../quantities/index.js'
import { callRecord, decisionRecord, outcomeRecord } from '../ledger-contract.js'
import { dayName } from '../report/aggregate.js'
import type { CallRecord, CorrectionRecord, IntentRecord, LedgerRecord } from '../record.js'
import type { Connection } from './connect.js'
import { embeddedDatabase, empty, engines, type TestDatabase } from './fixtures/databases.js'
import { openDatabase, otherTagValues, SqlStore } from './index.js'
import { Retention } from './retention.js'
import { mostTagValues } from './tag-facets.js'

const cost = (usd: bigint) => ({ usd: picoUsd(usd), seconds: 0.5, joules: 2, gramsCO2e: 0.25 })
const always = { from: 0, to: 4e9 }

function intent(fields: Partial<IntentRecord> = {}): IntentRecord {
  const { end: _end, status: _status, usageEstimated: _estimated, firstTokenSeconds: _first, settled: _settled, ...plan } = callRecord()
  return {
    ...plan,
    usage: { ...noUsage, outputTokens: 100 },
    cost: cost(900n),
    held: [
      { counter: 'a', amount: 900n },
      { counter: 'slots', amount: 1n, transient: true },
    ],
    ...fields,
  }
}
const asIntent = (fields: Partial<IntentRecord> = {}): LedgerRecord => ({ type: 'intent', record: intent(fields) })
const asCall = (fields: Partial<CallRecord> = {}): LedgerRecord => ({
  type: 'call',
  record: callRecord({ cost: cost(400n), settled: [400n, 0n], ...fields }),
})
const asCorrection = (fields: Partial<CorrectionRecord> = {}): LedgerRecord => ({
  type: 'correction',
  record: {
    correctionId: 'c',
    at: 1_780_000_000,
    callId: 'call-1',
    usage: noUsage,
    cost: { usd: picoUsd(-100n), seconds: 0, joules: 0, gramsCO2e: 0 },
    reason: 'the bill',
    ...fields,
  },
})

describe.each(engines.filter(({ there }) => there))('store: $name', ({ name, make }) => {
  let database: TestDatabase | undefined
  let connection: Connection
  let store: SqlStore
  let offset = 0
  beforeEach(async () => {
    database ??= await make()
    connection = await openDatabase(database.settings)
    await empty(connection)
    store = new SqlStore(connection)
    offset = 0
  })
  afterEach(() => store.close())
  afterAll(() => database?.drop())

  /** One piece after the other. */
  const apply = (...records: LedgerRecord[]) => applyFrom('h', ...records)
  const applyFrom = async (holder: string, ...records: LedgerRecord[]) => {
    const from = offset
    offset += records.length
    await store.apply({ segment: 'one', from, to: offset, holder, records })
  }
  const usd = async (key?: string) => (await store.totals({ key })).cost.usd

  describe('pieces of a journal', () => {
    const piece = (from: number, to: number, callId: string, segment = 'one') => ({
      segment,
      from,
      to,
      holder: 'h',
      records: [asCall({ callId })],
    })

    it('count once, however often they are given', async () => {
      await store.apply(piece(0, 10, 'a'))
      await store.apply(piece(0, 10, 'a'))
      await store.apply(piece(0, 5, 'b'))
      expect(await store.appliedTo('one')).toBe(10)
      expect((await store.totals({})).calls).toBe(1)
      expect(await store.appliedTo('two')).toBe(0)
    })

    it('are refused when they do not begin where the last one ended', async () => {
      await store.apply(piece(0, 10, 'a'))
      await expect(store.apply(piece(5, 20, 'b'))).rejects.toThrow(RangeError)
      await expect(store.apply(piece(11, 20, 'b'))).rejects.toThrow(RangeError)
      await expect(store.apply(piece(1, 20, 'b', 'two'))).rejects.toThrow(RangeError)
      expect((await store.totals({})).calls).toBe(1)
      await store.apply(piece(10, 20, 'b'))
      expect((await store.totals({})).calls).toBe(2)
    })

    it('of several journals are applied side by side, with everything in common', async () => {
      const other = new SqlStore(name === 'embedded' ? connection : await openDatabase(database?.settings ?? { file: '' }))
      try {
        const pieces = (segment: string, index: number) =>
          Array.from({ length: 30 }, (_, number) =>
            asCall({ callId: `${segment}-${index}-${number}`, run: `r${number % 3}`, tags: { n: String(number % 5) } }),
          ).concat(
            Array.from({ length: 5 }, (_, number) =>
              asIntent({ callId: `${segment}-${index}-i${number}`, held: ['z', 'a', 'm'].map((counter) => ({ counter, amount: 1n })) }),
            ),
          )
        const run = async (by: SqlStore, segment: string) => {
          for (let index = 0; index < 10; index++)
            await by.apply({ segment, from: index, to: index + 1, holder: segment, records: pieces(segment, index) })
        }
        await Promise.all([run(store, 'x'), run(other, 'y'), run(store, 'z')])
        expect((await store.totals({})).calls).toBe(900)
        expect((await other.report({ ...always, by: ['tag:n', 'run'] })).total.calls).toBe(900)
        expect(await store.balances(['a', 'm', 'z'])).toEqual([150n, 150n, 150n])
      } finally {
        if (name !== 'embedded') await other.close()
      }
    })
  })

  describe('what calls hold', () => {
    it('is in the balances from the intent on, and what was used after the call', async () => {
      await apply(asIntent())
      expect(await store.balances(['a', 'slots', 'unknown'])).toEqual([900n, 1n, 0n])
      expect((await store.totals({})).calls).toBe(0)
      await apply(asCall())
      expect(await store.balances(['a', 'slots'])).toEqual([400n, 0n])
      expect(await store.expireHolds({ allBut: 'me' })).toBe(0)
      await apply(asCall({ callId: 'call-1', settled: [1n, 1n] }))
      expect(await store.balances(['a', 'slots'])).toEqual([400n, 0n])
    })

    it('leaves no trace but what was used when the intent and the call come together', async () => {
      await apply(asIntent(), asCall({ settled: [1000n, 0n] }))
      expect(await store.balances(['a', 'slots'])).toEqual([1000n, 0n])
      expect(await connection.db.selectFrom('holds').selectAll().execute()).toEqual([])
    })

    it('is settled to what was reserved where nobody says more', async () => {
      await apply(asIntent(), asIntent({ callId: 'call-2' }), asCall({ settled: undefined }), asCall({ callId: 'call-2', settled: [] }))
      expect(await store.balances(['a', 'slots'])).toEqual([1800n, 0n])
    })

    it('is not counted again when counters in the database have done it', async () => {
      const lines = JSON.stringify([
        { counter: 'a', amount: '900' },
        { counter: 'slots', amount: '1', transient: true },
      ])
      const { db } = connection
      await db.insertInto('holds').values({ id: 'call-1', holder: 'h', at: 1, lines, intent: '{}', expired: 0 }).execute()
      await db
        .insertInto('balances')
        .values([
          { counter: 'a', used: 900 },
          { counter: 'slots', used: 1 },
        ])
        .execute()
      await apply(asIntent())
      expect(await store.balances(['a', 'slots'])).toEqual([900n, 1n])
      // The counters settle it first, and the call's record comes after.
      await db
        .updateTable('holds')
        .set({ lines: lines.replace('900', '400').replace('"1"', '"0"') })
        .execute()
      await db.updateTable('balances').set({ used: 400 }).where('counter', '=', 'a').execute()
      await db.updateTable('balances').set({ used: 0 }).where('counter', '=', 'slots').execute()
      await apply(asCall())
      expect(await store.balances(['a', 'slots'])).toEqual([400n, 0n])
      expect(await db.selectFrom('holds').selectAll().execute()).toEqual([])
    })

    it('never wraps around', async () => {
      const most = 2n ** 63n - 1n
      for (const callId of ['a', 'b']) await apply(asIntent({ callId, held: [{ counter: 'a', amount: 2n ** 70n }] }))
      expect(await store.balances(['a'])).toEqual([most])
      await apply(asIntent({ callId: 'c', held: [{ counter: 'a', amount: 5n }] }))
      expect(await store.balances(['a'])).toEqual([most])
    })

    it('is found for many counters at once', async () => {
      const counters = Array.from({ length: 1300 }, (_, index) => `counter ${index}`)
      await apply(asIntent({ held: counters.map((counter, index) => ({ counter, amount: BigInt(index) })) }))
      expect(await store.balances(counters)).toEqual(counters.map((_, index) => BigInt(index)))
    })
  })

  describe('lost calls', () => {
    it('are what dead holders had open, at what was reserved', async () => {
      await applyFrom('dead', asIntent(), asIntent({ callId: 'call-2' }))
      await applyFrom('alive', asIntent({ callId: 'call-3' }))
      expect(await store.expireHolds({ holders: [] })).toBe(0)
      expect(await store.expireHolds({ holders: ['nobody'] })).toBe(0)
      expect(await store.expireHolds({ holders: ['dead', 'nobody'] })).toBe(2)
      expect(await store.expireHolds({ holders: ['dead'] })).toBe(0)
      expect(await store.balances(['a', 'slots'])).toEqual([2700n, 1n])
      expect(await usd('key-a')).toBe(1800n)
      const [lost] = await store.calls({ end: 'lost', limit: 1 })
      expect(lost).toMatchObject({ callId: 'call-2', end: 'lost', status: 0, usageEstimated: true, cost: { usd: 900n } })
      expect((await store.report({ ...always, by: ['key'] })).total).toMatchObject({ calls: 2, errors: 2, lost: 2 })
      expect(await store.expireHolds({ allBut: 'alive' })).toBe(0)
      expect(await store.expireHolds({ allBut: 'new' })).toBe(1)
      expect(await store.balances(['a', 'slots'])).toEqual([2700n, 0n])
    })

    it('are as many as there are', async () => {
      await apply(...Array.from({ length: 450 }, (_, index) => asIntent({ callId: `call-${index}` })))
      expect(await store.expireHolds({ allBut: 'me' })).toBe(450)
      expect((await store.totals({})).calls).toBe(450)
      expect(await store.balances(['a', 'slots'])).toEqual([450n * 900n, 0n])
    })

    it('are taken back when they come in after all', async () => {
      await apply(asIntent({ run: 'r', session: 's', cost: { usd: null, seconds: 9, joules: null, gramsCO2e: null } }))
      await store.expireHolds({ allBut: 'me' })
      expect((await store.totals({})).unpriced).toBe(1)
      await apply(asCall({ run: 'r', session: 's' }))
      expect(await store.balances(['a', 'slots'])).toEqual([400n, 0n])
      expect(await store.totals({})).toEqual({ calls: 1, unpriced: 0, usage: callRecord().usage, cost: cost(400n) })
      for (const by of [['key', 'hour'], ['run'], ['session'], ['tag:team'], ['tag:team', 'run']] as const) {
        const { rows, total } = await store.report({ ...always, by })
        expect(rows).toHaveLength(1)
        expect(total).toMatchObject({ calls: 1, errors: 0, lost: 0, unpriced: 0, cost: cost(400n) })
      }
      expect((await store.calls({ callId: 'call-1', limit: 10 })).map(({ end }) => end)).toEqual(['complete'])
      // What was said before can still be told.
      const rows = await connection.db.selectFrom('calls').select(['ended', 'note']).orderBy('seq').execute()
      expect(rows.map(({ ended }) => Number(ended))).toEqual([7, 6, 0])
      expect(rows[1]?.note).toContain('come in after all')
      await apply(asCall({ cost: cost(1n), settled: [0n, 0n] }))
      expect(await usd()).toBe(400n)
    })

    it('and what was said of them since are taken back together', async () => {
      await apply(asIntent())
      await store.expireHolds({ allBut: 'me' })
      await apply(asCorrection({ correctionId: 'one' }))
      expect(await usd('key-a')).toBe(800n)
      await apply(asCorrection({ correctionId: 'two' }), asCall())
      expect(await usd('key-a')).toBe(400n)
      // A correction from then on is one of the call itself.
      await apply(asCorrection({ correctionId: 'three' }))
      expect(await usd('key-a')).toBe(300n)
      expect(await store.totals({ key: 'key-a' })).toMatchObject({ calls: 1, cost: { joules: 2, gramsCO2e: 0.25, seconds: 0.5 } })
    })

    it('count as before when their hold is no longer known', async () => {
      await apply(asIntent())
      await store.expireHolds({ allBut: 'me' })
      await connection.db.deleteFrom('holds').execute()
      await apply(asCall())
      expect(await usd()).toBe(400n)
      expect(await store.balances(['a'])).toEqual([900n])
    })

    it('do not come of holds that nobody can read', async () => {
      await connection.db
        .insertInto('holds')
        .values({ id: 'x', holder: 'h', at: 1, lines: '[]', intent: 'what is this', expired: 0 })
        .execute()
      await apply(asIntent())
      expect(await store.expireHolds({ allBut: 'me' })).toBe(1)
    })
  })

  describe('holders', () => {
    it('are known by their heartbeats and by what they hold', async () => {
      await store.heartbeat('a')
      await applyFrom('b', asIntent())
      await connection.db
        .updateTable('holders')
        .set({ heartbeat_at: sql<number>`heartbeat_at - 60` })
        .execute()
      await store.heartbeat('c')
      const ages = Object.fromEntries((await store.holders()).map(({ holder, heartbeatAgeSeconds }) => [holder, heartbeatAgeSeconds]))
      expect(Object.keys(ages).sort()).toEqual(['a', 'b', 'c'])
      expect(ages['a']).toBeGreaterThanOrEqual(60)
      expect(ages['a']).toBeLessThan(120)
      expect(ages['b']).toBe(Number.POSITIVE_INFINITY)
      expect(ages['c']).toBeLessThan(30)
      await store.heartbeat('a')
      expect((await store.holders()).find(({ holder }) => holder === 'a')?.heartbeatAgeSeconds).toBeLessThan(30)
      await store.expireHolds({ holders: ['a', 'b'] })
      expect((await store.holders()).map(({ holder }) => holder)).toEqual(['c'])
    })
  })

  describe('corrections', () => {
    it('count once', async () => {
      await apply(asCall(), asCorrection(), asCorrection())
      await apply(asCorrection())
      await apply(asCorrection({ correctionId: 'other' }))
      expect(await usd('key-a')).toBe(200n)
    })

    it('of calls that nobody knows count for nobody', async () => {
      await apply(asCorrection({ callId: 'unknown' }), asCorrection({ callId: 'unknown' }))
      await apply(asCorrection({ callId: 'unknown' }))
      expect([await usd(), await usd(''), await usd('key-a')]).toEqual([-100n, -100n, 0n])
      expect(await store.calls({ limit: 10 })).toEqual([])
      await apply(asCall({ callId: 'unknown' }))
      expect([await usd(), await usd('key-a')]).toEqual([300n, 400n])
    })
  })

  describe('whatever is in a record', () => {
    it('is taken in: texts that databases do not like', async () => {
      const odd = ['\0', 'a\0b', '\ud800', 'x\udfff', '😀'.repeat(2000), 'ü'.repeat(3000), "'; drop table calls; --", '', '%_', '\n\t\\']
      for (const [index, text] of odd.entries()) {
        const ids = { callId: `c${index}${text}`, requestId: `r${text}`, decisionId: `d${text}` }
        const fields = {
          ...ids,
          key: text,
          run: text,
          session: text,
          team: text,
          model: text,
          requestedModel: text,
          provider: text,
          deployment: text,
          user: text,
          organisation: text,
          errorCode: text,
          serviceTier: text,
          tags: { [text]: text, k: text },
        }
        await apply(
          { type: 'decision', record: decisionRecord({ ...ids, key: text, arm: text, policy: text, reason: text, requestedModel: text }) },
          asIntent({ ...fields, held: [{ counter: text, amount: 1n }] }),
          asIntent({ ...fields, callId: `other ${index}${text}`, held: [{ counter: `c${index}`, amount: 1n }] }),
          asCall(fields),
          {
            type: 'outcome',
            record: outcomeRecord({ outcomeId: text, decisionId: ids.decisionId, run: text, key: text, source: text, comment: text }),
          },
          asCorrection({ callId: ids.callId, reason: text, correctionId: text }),
        )
        expect((await store.totals({ key: text })).calls, JSON.stringify(text)).toBeGreaterThan(0)
      }
      expect(await store.expireHolds({ allBut: 'me' })).toBe(odd.length)
      expect((await store.totals({})).calls).toBe(2 * odd.length)
      expect((await store.report({ ...always, by: ['key', 'run', 'tag:k'] })).total.calls).toBe(2 * odd.length)
      expect(await store.calls({ limit: 100 })).toHaveLength(2 * odd.length)
      const long = '😀'.repeat(2000)
      expect((await store.report({ ...always, by: [], where: { key: long, 'tag:k': long } })).total.calls).toBe(2)
    })

    it('is taken in: amounts beyond all measure', async () => {
      const huge = { usd: picoUsd(10n ** 40n), seconds: 1e300, joules: Number.MAX_VALUE, gramsCO2e: 5e-324 }
      const usage = { ...noUsage, inputTokens: 1e300, outputTokens: 0.5 }
      for (const callId of ['a', 'b', 'c'])
        await apply(asCall({ callId, cost: huge, usage, at: 1e20, attempt: 1e12, status: -1, cacheSavings: picoUsd(-(10n ** 30n)) }))
      await apply(asCall({ callId: 'd', at: -5, cost: cost(1n) }))
      const totals = await store.totals({})
      expect(totals.calls).toBe(4)
      expect(totals.cost.usd).toBe(3n * 10n ** 21n + 1n)
      expect(await store.calls({ limit: 10 })).toHaveLength(4)
      expect((await store.report({ from: 0, to: 1e300, by: ['day'] })).total.calls).toBe(4)
    })

    it('sums exactly beyond 64 bits', async () => {
      const dear = 10n ** 21n - 1n
      await apply(...Array.from({ length: 20 }, (_, index) => asCall({ callId: `c${index}`, cost: cost(dear) })))
      expect(await usd()).toBe(20n * dear)
      expect((await store.calls({ limit: 1 }))[0]?.cost.usd).toBe(dear)
      expect((await store.report({ ...always, by: ['day'] })).total.cost.usd).toBe(20n * dear)
    })
  })

  describe('tags', () => {
    it('that are new with each call have sums up to a number of them, and records beyond', async () => {
      const count = mostTagValues + 50
      for (let start = 0; start < count; start += 350)
        await apply(
          ...Array.from({ length: Math.min(350, count - start) }, (_, index) =>
            asCall({ callId: `c${start + index}`, tags: { id: `v${start + index}`, same: 'x' } }),
          ),
        )
      const { rows, total } = await store.report({ ...always, by: ['tag:id'], order: 'calls' })
      expect(rows).toHaveLength(mostTagValues + 1)
      expect(rows[0]).toMatchObject({ group: { 'tag:id': otherTagValues }, totals: { calls: 50 } })
      expect(total.calls).toBe(count)
      expect((await store.report({ ...always, by: ['tag:same'] })).rows).toMatchObject([
        { group: { 'tag:same': 'x' }, totals: { calls: count } },
      ])
      for (const value of ['v0', `v${count - 1}`])
        expect((await store.report({ ...always, by: [], where: { 'tag:id': value } })).total.calls).toBe(1)
      // A known value goes on being summed, also by a process that starts anew.
      const other = new SqlStore(connection)
      await other.apply({ segment: 'two', from: 0, to: 1, holder: 'h', records: [asCall({ callId: 'again', tags: { id: 'v0' } })] })
      expect((await store.report({ ...always, by: ['tag:id'], where: { 'tag:same': '' } })).rows).toMatchObject([
        { group: { 'tag:id': 'v0' }, totals: { calls: 1 } },
      ])
    })

    it('of too many names are told from records, or not at all', async () => {
      await apply(...Array.from({ length: 130 }, (_, index) => asCall({ callId: `c${index}`, tags: { [`name ${index}`]: 'x' } })))
      for (const index of [0, 129])
        expect((await store.report({ ...always, by: [], where: { [`tag:name ${index}`]: 'x' } })).total.calls).toBe(1)
      for (let step = 0; step < 5; step++) await store.retain({ before: 1_790_000_000 })
      await expect(store.report({ ...always, by: [], where: { 'tag:name 129': 'x' } })).rejects.toMatchObject({ code: 'invalid_request' })
      expect((await store.report({ ...always, by: [] })).total.calls).toBe(130)
    })
  })

  describe('what outcomes cost', () => {
    const uuid = '019aa000-1234-7abc-8def-0123456789ab'
    const ids = { requestId: `req_${uuid}`, decisionId: `dec_${uuid}` }
    const decision: LedgerRecord = { type: 'decision', record: decisionRecord({ ...ids, arm: 'cascade' }) }
    const calls = [
      asCall({ ...ids, callId: `call_${uuid}_1`, cost: cost(100n) }),
      asCall({ ...ids, callId: `call_${uuid}_2`, cost: cost(200n) }),
      asCall({ ...ids, callId: 'x', decisionId: 'dec_other', cost: cost(5000n) }),
    ]
    const outcome = (score: number, fields = {}): LedgerRecord => ({
      type: 'outcome',
      record: outcomeRecord({ outcomeId: `o${score}`, decisionId: ids.decisionId, score, ...fields }),
    })
    const query = { unit: 'decision', ...always, by: ['arm', 'source', 'key', 'requested_model', 'day'] } as const
    const expected = {
      group: { arm: 'cascade', source: 'user', key: 'key-a', requested_model: 'openai/gpt-5-mini', day: '2026-05-28' },
      outcomes: 1,
      successes: 1,
      meanScore: 1,
      calls: 2,
      unpriced: 0,
      usd: 300n,
      inputTokens: 20,
      outputTokens: 10,
      seconds: 1,
    }

    it.each<[string, readonly (readonly LedgerRecord[])[]]>([
      ['in one piece', [[decision, ...calls, outcome(1)]]],
      ['one after the other', [[decision], ...calls.map((call) => [call]), [outcome(1)]]],
      ['with the outcome first', [[outcome(1)], [decision], calls]],
      ['with the outcome before its decision', [calls, [outcome(1)], [decision]]],
      ['with the outcome between the calls', [[decision], calls.slice(0, 1), [outcome(1)], calls.slice(1)]],
      ['with the outcome given twice', [[decision, ...calls], [outcome(1)], [outcome(1)]]],
      ['with earlier words of the same source', [[decision, outcome(0.2)], [outcome(0.1)], calls, [outcome(1)]]],
      ['with earlier words that waited', [[outcome(0.2)], [outcome(0.1), outcome(1)], calls, [decision]]],
      ['with earlier words in the same piece', [[outcome(0.2), decision, outcome(0.1), ...calls, outcome(1)]]],
    ])('is the same %s', async (_, pieces) => {
      for (const piece of pieces) await apply(...piece)
      expect(await store.outcomeReport(query)).toEqual([expected])
    })

    it('counts each source for itself, and corrections', async () => {
      await apply(decision, ...calls, outcome(1), outcome(0, { source: 'judge:x', outcomeId: 'j' }))
      await apply(asCorrection({ callId: `call_${uuid}_1`, cost: { ...cost(-30n), seconds: 0 } }))
      const rows = await store.outcomeReport({ ...query, by: ['source'] })
      expect(rows.map(({ group, successes, usd: spent }) => [group['source'], successes, spent]).sort()).toEqual([
        ['judge:x', 0, 270n],
        ['user', 1, 270n],
      ])
      expect(await store.outcomeReport({ ...query, by: [], source: 'user' })).toMatchObject([{ outcomes: 1, usd: 270n }])
      expect(await store.outcomeReport({ ...query, by: [], key: 'nobody' })).toEqual([])
      expect(await store.outcomeReport({ ...query, to: 1 })).toEqual([])
    })

    it('is not that of answers nobody was given', async () => {
      await apply(decision, ...calls, outcome(0, { outcomeId: 'before', arm: 'large', source: 'user' }), outcome(1))
      await apply(
        outcome(0, { outcomeId: 'after', arm: 'large', source: 'user' }),
        outcome(0, { outcomeId: 'of a run', arm: 'large', run: 'r' }),
      )
      await apply(asCorrection({ callId: `call_${uuid}_1`, cost: cost(0n) }))
      expect(await store.outcomeReport(query)).toMatchObject([{ outcomes: 1, successes: 1, usd: 300n }])
      expect(await store.outcomeReport({ unit: 'run', ...always, by: [] })).toEqual([])
    })

    it('outlives the records', async () => {
      await apply(decision, ...calls, outcome(1))
      for (let step = 0; step < 5; step++) await store.retain({ before: 1_790_000_000 })
      expect(await store.outcomes({ limit: 10 })).toEqual([])
      expect(await store.outcomeReport(query)).toEqual([expected])
    })

    it('is that of whole runs, whenever their calls were', async () => {
      await apply(
        asCall({ callId: 'a', run: 'r', cost: cost(10n) }),
        asCall({ callId: 'b', run: 'r', cost: cost(20n), at: 1_780_200_000 }),
        asCall({ callId: 'c', run: 'q', cost: cost(7n) }),
      )
      const ofRun = (run: string, score: number, at = 1_780_000_100): LedgerRecord => ({
        type: 'outcome',
        record: outcomeRecord({ outcomeId: randomUUID(), decisionId: undefined, run, score, at }),
      })
      await apply(ofRun('r', 0), ofRun('q', 0.25))
      await apply(ofRun('r', 1, 1_780_000_200))
      await apply(asCall({ callId: 'd', run: 'r', cost: cost(3n) }))
      const rows = await store.outcomeReport({ unit: 'run', ...always, by: ['key', 'source'] })
      expect(rows).toMatchObject([
        { group: { key: 'key-a', source: 'user' }, outcomes: 2, successes: 1, meanScore: 0.625, calls: 4, usd: 40n },
      ])
      await expect(store.outcomeReport({ unit: 'run', ...always, by: ['arm'] })).rejects.toMatchObject({ code: 'invalid_request' })
    })
  })

  describe('retention', () => {
    // Whole days, recent enough for sums of hours to be kept.
    const start = (Math.floor(Date.now() / 86_400_000) - 5) * 86_400
    const filled = async (count = 60) => {
      await apply(
        ...Array.from({ length: count }, (_, index) =>
          asCall({
            callId: `c${index}`,
            at: start + index * 3600,
            run: `r${index % 4}`,
            tags: { n: String(index % 3), m: String(index % 2) },
          }),
        ),
        ...Array.from({ length: count }, (_, index): LedgerRecord => ({
          type: 'decision',
          record: decisionRecord({ decisionId: `d${index}`, at: start + index * 3600 }),
        })),
        ...Array.from({ length: count }, (_, index): LedgerRecord => ({
          type: 'outcome',
          record: outcomeRecord({ outcomeId: `o${index}`, decisionId: `d${index}`, at: start + index * 3600 }),
        })),
      )
    }
    const retained = async (limits: Parameters<SqlStore['retain']>[0]) => {
      let removed = 0
      for (let step = 0; step < 100; step++) {
        const count = await store.retain(limits)
        if (count === 0) return removed
        removed += count
      }
      throw new Error('retention does not come to an end')
    }

    it('removes records of a certain age, and no sum', async () => {
      await filled()
      const queries = [[], ['key', 'day'], ['run'], ['tag:n'], ['hour']] as const
      const before = await Promise.all(queries.map((by) => store.report({ ...always, by })))
      const totals = await store.totals({})
      expect(await retained({})).toBe(0)
      expect(await retained({ before: start + 10 * 3600 })).toBe(30)
      expect(await store.calls({ limit: 100 })).toHaveLength(50)
      expect(await store.decisions({ limit: 100 })).toHaveLength(50)
      expect(await store.outcomes({ limit: 100 })).toHaveLength(50)
      expect(await store.decision('d9')).toBeUndefined()
      expect(await Promise.all(queries.map((by) => store.report({ ...always, by })))).toEqual(before)
      expect(await store.totals({})).toEqual(totals)
      // Two tags are told from records: only where all are there.
      await expect(store.report({ ...always, by: ['tag:n', 'tag:m'] })).rejects.toMatchObject({
        code: 'invalid_request',
        message: expect.stringContaining(dayName(start)) as string,
      })
      expect((await store.report({ from: start + 86_400, to: 4e9, by: ['tag:n', 'tag:m'] })).total.calls).toBe(36)
    })

    it('keeps what is held, and lets go of what lost calls held when they go', async () => {
      await apply(asIntent({ at: start }), asIntent({ callId: 'call-2', at: start }))
      await store.expireHolds({ calls: ['call-1'] })
      expect(await retained({ before: start + 1 })).toBe(2)
      expect((await connection.db.selectFrom('holds').select('id').execute()).map(({ id }) => id)).toEqual(['call-2'])
      expect(await store.balances(['a'])).toEqual([1800n])
    })

    it('removes the oldest records beyond a size', async () => {
      for (let batch = 0; batch < 8; batch++)
        await apply(
          ...Array.from({ length: 1000 }, (_, index) =>
            asCall({ callId: `c${batch}-${index}`, at: start + batch * 1000 + index, tags: { note: 'x'.repeat(100) } }),
          ),
        )
      if (name !== 'embedded') await sql`analyze`.execute(connection.bare)
      expect(await retained({ maxBytes: 1e12 })).toBe(0)
      const removed = await retained({ maxBytes: 1_500_000 })
      expect(removed).toBeGreaterThan(1000)
      const left = await store.calls({ limit: 10_000 })
      expect(left.length + removed).toBe(8000)
      expect(left[0]?.at).toBe(start + 7999)
      expect((await store.totals({})).calls).toBe(8000)
      if (name === 'embedded') expect(await retained({ maxBytes: 1 })).toBe(left.length)
    })

    it('forgets windows that are long over, hours of long ago, and nothing else', async () => {
      const counters = [
        'key:k/usd/minute:2026-05-29T08:00',
        'key:k/usd/day:2026-05-29',
        'key:k/usd/month:2026-05',
        'key:k/usd/month:2026-06',
        'key:k/usd/total:all',
        'key:2026-05-29T08:00',
        'a',
      ]
      await apply(asIntent({ held: counters.map((counter) => ({ counter, amount: 1n })) }))
      const spring = 1_780_012_800
      await apply(...Array.from({ length: 30 }, (_, index) => asCall({ callId: `c${index}`, at: spring + index * 3600 })))
      const day = { from: spring, to: spring + 86_400 }
      const before = await store.report({ ...always, by: ['day', 'key'] })
      const soon = new Retention(connection, () => Date.parse('2026-06-05T00:00Z') / 1000)
      expect(await soon.step({})).toBe(3)
      expect(await store.balances(counters)).toEqual([0n, 0n, 0n, 1n, 1n, 1n, 1n])
      expect(await soon.step({})).toBe(0)
      const late = new Retention(connection, () => Date.parse('2026-08-27T12:00Z') / 1000)
      let removed = 0
      for (let count = await late.step({}); count > 0; count = await late.step({})) removed += count
      expect(removed).toBeGreaterThan(10)
      expect(await store.report({ ...always, by: ['day', 'key'] })).toEqual(before)
      await expect(store.report({ ...day, by: ['hour'] })).rejects.toMatchObject({ code: 'invalid_request' })
      await expect(store.report({ from: spring + 3600, to: spring + 7200, by: [] })).rejects.toMatchObject({ code: 'invalid_request' })
      expect((await store.totals({})).calls).toBe(30)
    })

    it('forgets the runs of keys that were revoked long ago, and of no others', async () => {
      const now = Date.parse('2026-06-05T00:00Z') / 1000
      const revoked: readonly (number | null)[] = [null, now - 86_400, now - 4 * 86_400]
      const ids = ['key_live', 'key_lately', 'key_long']
      for (const [index, id] of ids.entries())
        await sql`insert into keys (id, name, hash, prefix, settings, revoked_at, created_at, created_by, created_revision, revision)
          values (${id}, ${id}, ${id}, 'bk', '{}', ${revoked[index]}, 0, 'test', ${1000 + index}, ${1000 + index})`.execute(connection.db)
      const counters = [...ids, 'key_unknown'].flatMap((id) => [`run:${id}%2Fnightly%2F42/usd/total:all`, `key:${id}/usd/total:all`])
      await apply(asIntent({ held: counters.map((counter) => ({ counter, amount: 1n })) }))
      expect(await new Retention(connection, () => now).step({})).toBe(1)
      expect(await store.balances(counters)).toEqual([1n, 1n, 1n, 1n, 0n, 1n, 1n, 1n])
      await sql`delete from keys where id in (${sql.join(ids)})`.execute(connection.db)
    })
  })

  describe('faults', () => {
    it('of a question are told as such', async () => {
      await expect(store.report({ from: 5, to: 1, by: [] })).rejects.toMatchObject({ code: 'invalid_request', path: 'to' })
      await expect(store.report({ ...always, by: ['colour' as 'key'] })).rejects.toMatchObject({ code: 'invalid_request', path: 'by' })
      await expect(store.report({ from: NaN, to: 1, by: [] })).rejects.toMatchObject({ code: 'invalid_request' })
    })

    it('of a record leave nothing of its piece', async () => {
      await expect(apply(asCall({ callId: 'good' }), asCall({ callId: 'bad', at: Number.NaN }))).rejects.toBeDefined()
      expect((await store.totals({})).calls).toBe(0)
      expect(await store.calls({ limit: 10 })).toEqual([])
      offset = 0
      await apply(asCall({ callId: 'good' }))
      expect((await store.totals({})).calls).toBe(1)
    })

    it.skipIf(name === 'embedded')('of the connection are unavailability, and over when it is back', async () => {
      await apply(asCall())
      const doomed = connection.bare.connection().execute(async (db) => {
        await sql`select pg_terminate_backend(pg_backend_pid())`.execute(db)
      })
      await expect(doomed).rejects.toThrow()
      expect((await store.totals({})).calls).toBe(1)
      await apply(asCall({ callId: 'call-2' }))
      expect((await store.totals({})).calls).toBe(2)
    })
  })
})

for (const { name } of engines.filter(({ there }) => !there))
  describe(`store: ${name}`, () => it.skip('is not there: its tests did not run'))

describe('a full disk', () => {
  it('takes nothing of a piece, and the same piece when there is room again', async () => {
    const database = embeddedDatabase()
    const connection = await openDatabase(database.settings)
    const store = new SqlStore(connection)
    try {
      const piece = (from: number) => ({
        segment: 'one',
        from,
        to: from + 1,
        holder: 'h',
        records: Array.from({ length: 200 }, (_, index) => asCall({ callId: `${from}-${index}`, tags: { note: 'x'.repeat(200) } })),
      })
      await store.apply(piece(0))
      const { rows } = await sql<{ readonly page_count: bigint }>`pragma page_count`.execute(connection.bare)
      await sql`pragma max_page_count = ${sql.lit(Number(rows[0]?.page_count) + 10)}`.execute(connection.bare)
      let applied = 0
      await expect(
        (async () => {
          for (; applied < 50; applied++) await store.apply(piece(applied + 1))
        })(),
      ).rejects.toMatchObject({ code: 'ledger_unavailable', status: 503 })
      expect(await store.appliedTo('one')).toBe(applied + 1)
      expect((await store.totals({})).calls).toBe(200 * (applied + 1))
      expect(await store.calls({ limit: 20_000 })).toHaveLength(200 * (applied + 1))
      await expect(store.apply(piece(applied + 1))).rejects.toMatchObject({ code: 'ledger_unavailable' })
      await sql`pragma max_page_count = 100000`.execute(connection.bare)
      await store.apply(piece(applied + 1))
      expect((await store.totals({})).calls).toBe(200 * (applied + 2))
    } finally {
      await store.close()
      await database.drop()
    }
  })
})
