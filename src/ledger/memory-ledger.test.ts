import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { picoUsd } from '../quantities/index.js'
import { callRecord, decisionRecord, ledgerContract } from './ledger-contract.js'
import { createMemoryLedger } from './memory-ledger.js'
import { Ring } from './ring.js'

ledgerContract('memory ledger', () => createMemoryLedger())

describe('memory ledger', () => {
  it('forgets the oldest records and keeps their totals', async () => {
    const ledger = createMemoryLedger({ rememberCalls: 3 })
    for (let index = 0; index < 10; index++) await ledger.recordCall(callRecord({ callId: `call-${index}` }))
    expect((await ledger.calls({ limit: 100 })).map((call) => call.callId)).toEqual(['call-9', 'call-8', 'call-7'])
    const totals = await ledger.totals({ key: 'key-a' })
    expect(totals.calls).toBe(10)
    expect(totals.cost.usd).toBe(125_000_000n)
  })

  it('forgets the oldest decisions', async () => {
    const ledger = createMemoryLedger({ rememberDecisions: 2 })
    const decision = { requestId: 'r', at: 1, key: 'k', requestedModel: 'm', arm: 'a', policy: 'p', propensity: 1, reason: '' }
    for (const decisionId of ['one', 'two', 'one', 'three']) ledger.recordDecision({ ...decision, decisionId })
    expect(await ledger.decision('two')).toBeUndefined()
    expect(await ledger.decision('one')).toBeDefined()
    expect(await ledger.decision('three')).toBeDefined()
  })

  it('can keep no records at all', async () => {
    const ledger = createMemoryLedger({ rememberCalls: 0 })
    await ledger.recordCall(callRecord())
    ledger.recordDecision(decisionRecord({ decisionId: 'd' }))
    expect(await ledger.calls({ limit: 10 })).toEqual([])
    expect(await ledger.decision('d')).toBeUndefined()
    expect((await ledger.totals({})).calls).toBe(1)
  })

  it.each([-1, 1.5, NaN])('refuses to keep %s records', (rememberCalls) => {
    expect(() => createMemoryLedger({ rememberCalls })).toThrow(RangeError)
  })

  it('has totals that are the sum over the keys, whatever was forgotten', async () => {
    const call = fc.record({ key: fc.constantFrom('a', 'b', 'c'), pico: fc.option(fc.bigInt({ min: 0n, max: 10n ** 20n })) })
    await fc.assert(
      fc.asyncProperty(fc.array(call), fc.nat(5), async (calls, rememberCalls) => {
        const ledger = createMemoryLedger({ rememberCalls })
        for (const { key, pico } of calls)
          await ledger.recordCall(
            callRecord({ key, cost: { usd: pico === null ? null : picoUsd(pico), seconds: 0, joules: 0, gramsCO2e: 0 } }),
          )
        const parts = await Promise.all(['a', 'b', 'c'].map((key) => ledger.totals({ key })))
        const all = await ledger.totals({})
        const known = calls.reduce((sum, { pico }) => sum + (pico ?? 0n), 0n)
        expect(all.cost.usd).toBe(known)
        expect(parts.reduce((sum, part) => sum + (part.cost.usd ?? 0n), 0n)).toBe(known)
        expect(parts.reduce((sum, part) => sum + part.calls, 0)).toBe(calls.length)
        expect(all.unpriced).toBe(calls.filter(({ pico }) => pico === null).length)
        expect(await ledger.calls({ limit: 1000 })).toHaveLength(Math.min(rememberCalls, calls.length))
      }),
    )
  })
})

describe('Ring', () => {
  it('holds the newest items of any sequence, newest first', () => {
    fc.assert(
      fc.property(fc.nat(6), fc.array(fc.integer()), (capacity, items) => {
        const ring = new Ring<number>(capacity)
        for (const item of items) ring.push(item)
        expect([...ring.newestFirst()]).toEqual(capacity === 0 ? [] : items.slice(-capacity).reverse())
      }),
    )
  })
})
