import { describe, expect, it } from 'vitest'
import { noUsage, picoUsd } from '../../quantities/index.js'
import { callRecord } from '../ledger-contract.js'
import type { IntentRecord, LedgerRecord } from '../record.js'
import { openStore } from './index.js'

const cost = { usd: picoUsd(100n), seconds: 1, joules: null, gramsCO2e: null }
const intent = (callId: string): IntentRecord => {
  const { end: _end, status: _status, usageEstimated: _estimated, settled: _settled, ...plan } = callRecord({ callId })
  return {
    ...plan,
    usage: { ...noUsage, outputTokens: 10 },
    cost,
    held: [
      { counter: 'k', amount: 100n },
      { counter: 'places', amount: 1n, transient: true },
    ],
  }
}

describe('expireHolds of single calls', () => {
  it('makes just these lost, whoever holds them; what comes in late puts sums and balances right', async () => {
    const store = await openStore({ file: ':memory:' })
    let at = 0
    const apply = (...records: LedgerRecord[]) => store.apply({ segment: 's', from: at, to: ++at, holder: 'me', records })
    try {
      await apply({ type: 'intent', record: intent('gone') }, { type: 'intent', record: intent('mine') })
      expect(await store.expireHolds({ calls: ['gone', 'nobody’s'] })).toBe(1)
      expect(await store.expireHolds({ calls: [] })).toBe(0)
      expect((await store.calls({ end: 'lost', limit: 10 })).map(({ callId }) => callId)).toEqual(['gone'])
      expect(await store.balances(['k', 'places'])).toEqual([200n, 1n])
      // The same intent once more (another replica was told too) reserves nothing.
      await apply({ type: 'intent', record: intent('gone') })
      expect(await store.balances(['k'])).toEqual([200n])
      await apply({ type: 'call', record: callRecord({ callId: 'gone', cost: { ...cost, usd: picoUsd(7n) }, settled: [7n, 0n] }) })
      expect(await store.balances(['k', 'places'])).toEqual([107n, 1n])
      expect((await store.totals({})).cost.usd).toBe(7n)
    } finally {
      await store.close()
    }
  })
})
