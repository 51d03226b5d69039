import { describe, expect, it } from 'vitest'
import { callRecord } from '../ledger-contract.js'
import type { LedgerRecord } from '../record.js'
import { LateRecords } from './late-records.js'
import { ledgerUnavailable } from './unavailable.js'

const call = (callId: string): LedgerRecord => ({ type: 'call', record: callRecord({ callId }) })
const idOf = (entry: LedgerRecord) => (entry.type === 'call' ? entry.record.callId : '')

/** A journal that takes only so many records at a time. */
function lateOver(journal: { takes: number }, maxRecords = 100) {
  const taken: string[] = []
  const dropped: number[] = []
  const late = new LateRecords({
    maxRecords,
    append: (entry) => {
      if (journal.takes-- <= 0) return Promise.reject(ledgerUnavailable('full'))
      taken.push(idOf(entry))
      return Promise.resolve()
    },
    onDropped: (records) => dropped.push(records),
  })
  return { late, taken, dropped }
}

describe('records that come late', () => {
  it('are tried again by themselves until each is taken, in order', async () => {
    const journal = { takes: 0 }
    const { late, taken } = lateOver(journal)
    const added = ['a', 'b', 'c'].map((id) => late.add(call(id)))
    await late.retry()
    expect([late.size, taken]).toEqual([3, []])
    journal.takes = 2
    await Promise.all(added.slice(0, 2))
    expect([late.size, taken]).toEqual([1, ['a', 'b']])
    journal.takes = 10
    await Promise.all(added)
    expect([late.size, taken]).toEqual([0, ['a', 'b', 'c']])
  })

  it('are kept up to a bound, and those beyond are told of', async () => {
    const { late, dropped } = lateOver({ takes: 0 }, 2)
    const kept = [late.add(call('a')), late.add(call('b'))]
    await expect(late.add(call('c'))).rejects.toMatchObject({ code: 'ledger_unavailable' })
    expect([late.size, dropped]).toEqual([2, [1]])
    late.giveUp()
    for (const one of kept) await expect(one).rejects.toMatchObject({ code: 'ledger_unavailable' })
    expect([late.size, dropped]).toEqual([0, [1, 2]])
  })

  it('are tried once at a time', async () => {
    let under = 0
    let most = 0
    const late = new LateRecords({
      maxRecords: 10,
      append: async () => {
        most = Math.max(most, ++under)
        await new Promise((resolve) => setTimeout(resolve, 5))
        under--
      },
      onDropped: () => undefined,
    })
    const added = late.add(call('a'))
    await Promise.all([late.retry(), late.retry(), late.retry(), added])
    expect(most).toBe(1)
  })
})
