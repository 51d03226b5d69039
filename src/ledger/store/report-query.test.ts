import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { noUsage, picoUsd } from '../../quantities/index.js'
import { callRecord } from '../ledger-contract.js'
import type { CallRecord, LedgerRecord } from '../record.js'
import type { Connection } from './connect.js'
import { empty, engines, type TestDatabase } from './fixtures/databases.js'
import { openDatabase, SqlStore } from './index.js'

const hour = 1_780_012_800
const always = { from: 0, to: 4e9 }
const asCall = (fields: Partial<CallRecord>): LedgerRecord => ({ type: 'call', record: callRecord({ at: hour, ...fields }) })
const cost = (usd: bigint) => ({ usd: picoUsd(usd), seconds: 0.5, joules: 2, gramsCO2e: 0.25 })

describe.each(engines.filter(({ there }) => there))('reports: $name', ({ make }) => {
  let database: TestDatabase | undefined
  let connection: Connection
  let store: SqlStore
  beforeEach(async () => {
    database ??= await make()
    connection = await openDatabase(database.settings)
    await empty(connection)
    store = new SqlStore(connection)
  })
  afterEach(() => store.close())
  afterAll(() => database?.drop())

  const apply = (...records: LedgerRecord[]) => store.apply({ segment: 'one', from: 0, to: records.length, holder: 'h', records })

  it('tell amounts that add up to nothing over all time', async () => {
    const back = {
      correctionId: 'c',
      at: hour + 7200,
      callId: 'unknown',
      usage: { ...noUsage, webSearches: -5 },
      cost: cost(0n),
      reason: 'the bill',
    }
    await apply(asCall({ callId: 'a', usage: { ...noUsage, webSearches: 5 } }), { type: 'correction', record: back })
    const { rows } = await store.report({ ...always, by: ['hour'], order: 'group' })
    expect(rows.map(({ totals }) => totals.usage.webSearches)).toEqual([5, -5])
  })

  const runs = (...named: readonly (readonly [run: string | undefined, key: string, usd: bigint])[]) =>
    apply(...named.map(([run, key, usd], index) => asCall({ callId: `call-${index}`, run, key, cost: cost(usd) })))
  const largest = async (limit: number, where?: { readonly key: string }) => {
    const { rows, total, others } = await store.report({ ...always, by: ['run'], limit, where })
    return {
      rows: rows.map(({ group, totals }) => [group['run'], totals.cost.usd]),
      total: total.cost.usd,
      others: [others.groups, others.totals.cost.usd],
    }
  }

  it('tell the dearest runs beside all others, and what was in none', async () => {
    await runs(['a', 'k1', 10n], ['b', 'k1', 30n], ['c', 'k2', 20n], [undefined, 'k1', 25n], ['', 'k1', 4n])
    expect(await largest(2)).toEqual({
      rows: [
        ['b', 30n],
        ['', 29n],
      ],
      total: 89n,
      others: [2, 30n],
    })
    expect(await largest(1, { key: 'k2' })).toEqual({ rows: [['c', 20n]], total: 20n, others: [0, 0n] })
  })

  it('tell runs apart by name where many come to the same', async () => {
    await runs(...Array.from({ length: 40 }, (_, index) => [`r${String(39 - index).padStart(2, '0')}`, 'k1', 5n] as const))
    expect(await largest(2)).toEqual({
      rows: [
        ['r00', 5n],
        ['r01', 5n],
      ],
      total: 200n,
      others: [38, 190n],
    })
  })

  it('take runs of two keys with one name together', async () => {
    await runs(['a', 'k1', 10n], ['a', 'k2', 10n], ['b', 'k1', 15n])
    expect(await largest(1)).toEqual({ rows: [['a', 20n]], total: 35n, others: [1, 15n] })
  })
})
