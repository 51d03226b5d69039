import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { noUsage, picoUsd, usd } from '../quantities/index.js'
import { countedBy, counterPrefix } from './budgets/periods.js'
import { createMemoryCounters } from './counters/memory-counters.js'
import { hasPostgres } from './counters/fixtures/services.js'
import { openDurableLedger, type DurableLedger } from './durable-ledger.js'
import { intentRecord } from './journal/fixtures/records.js'
import { callRecord } from './ledger-contract.js'
import { serverDatabase } from './store/fixtures/databases.js'
import { Reconciliation, reconciledCall } from './reconcile.js'

const bound = {
  usage: { ...noUsage, inputTokens: 900, outputTokens: 100 },
  cost: { usd: usd('0.5'), seconds: 60, joules: 30, gramsCO2e: null },
}
const lost = callRecord({ callId: 'c', end: 'lost', usageEstimated: true, ...bound })

describe('what the lines of a lost call are settled to', () => {
  const held = [
    { counter: 'key:k/usd/day:2026-11-21', amount: 500_000_000_000n },
    { counter: 'key:k/tokens/total:all', amount: 1000n },
    { counter: 'team:t/calls/month:2026-11', amount: 1n },
    { counter: 'team:t/joules/day:2026-11-21', amount: 30_000n },
    { counter: 'team:t/seconds/day:2026-11-21', amount: 60_000n },
    { counter: 'key:k/calls/sliding:2026-11-21T07:07', amount: 1n },
    { counter: 'key:k/tokens/sliding:2026-11-21T07:07', amount: 400n },
    { counter: 'key:k/calls/parallel:all', amount: 0n, transient: true },
    { counter: 'somebody-elses', amount: 7n },
  ]

  it('by the units that are told; what nobody knows stays reserved', () => {
    const call = reconciledCall(lost, { usd: usd('0.0123'), tokens: { input: 40, output: 2 } }, held)
    expect(call.settled).toEqual([12_300_000_000n, 42n, 1n, 30_000n, 60_000n, 1n, 42n, 0n, 7n])
    expect(call).toMatchObject({
      end: 'complete',
      usageEstimated: false,
      priceSource: 'reconciled',
      usage: { inputTokens: 40, outputTokens: 2 },
      cost: { usd: usd('0.0123'), seconds: 60, joules: 30 },
    })
  })

  it('with dollars alone, tokens stay at their bound, and say so', () => {
    const call = reconciledCall(lost, { usd: picoUsd(1n) }, held)
    expect(call.settled).toEqual([1n, 1000n, 1n, 30_000n, 60_000n, 1n, 400n, 0n, 7n])
    expect(call).toMatchObject({ end: 'complete', usageEstimated: true, usage: bound.usage })
  })

  it('of a call that was never billed, nothing stays but the request that was made', () => {
    const call = reconciledCall(lost, 'nothing', held)
    expect(call.settled).toEqual([0n, 0n, 0n, 0n, 0n, 1n, 0n, 0n, 7n])
    expect(call).toMatchObject({ end: 'failed', usage: noUsage, cost: { usd: 0n, seconds: 0 } })
  })

  it('may be more than was reserved', () => {
    expect(reconciledCall(lost, { usd: usd(2) }, held).settled?.[0]).toBe(2_000_000_000_000n)
  })

  it('reads any counter that budgets make, whatever the id is', () => {
    const kinds = fc.constantFrom('organisation', 'team', 'user', 'key', 'run' as const)
    const unit = fc.constantFrom('usd', 'tokens', 'calls', 'joules', 'seconds')
    const counting = fc.constantFrom('minute', 'day', 'month', 'total', 'sliding', 'parallel' as const)
    fc.assert(
      fc.property(kinds, fc.string({ unit: 'binary', minLength: 1 }), unit, counting, (kind, id, named, how) => {
        for (const window of ['all', '2026-11', '2026-11-21T07:07'])
          expect(countedBy(counterPrefix(kind, id, named, how) + window)).toEqual({ unit: named, counting: how })
      }),
    )
    for (const other of ['', 'c', 'key:k/usd', 'key:k/euros/day:2026-11-21', 'key:k/usd/week:1', 'key:k/usd/day:', 'x key:k/usd/day:a'])
      expect(countedBy(other)).toBeUndefined()
  })
})

let directory: string
const opened: DurableLedger[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'bursar-reconcile-'))
})
afterEach(async () => {
  for (const ledger of opened.splice(0)) await ledger.close()
  rmSync(directory, { recursive: true, force: true })
})

const day = 'key:k/usd/day:2026-11-21'
const held = [
  { counter: day, amount: 500n },
  { counter: 'key:k/tokens/total:all', amount: 1000n },
]
const intent = (callId: string) =>
  intentRecord({
    callId,
    key: 'k',
    held,
    usage: { ...noUsage, inputTokens: 1000 },
    cost: { usd: picoUsd(500n), seconds: 1, joules: null, gramsCO2e: null },
  })
const billed = { usd: picoUsd(42n), tokens: { input: 5, output: 1 } }

async function open(
  store: { file: string } | { url: string } = { file: join(directory, 'bursar.db') },
  journals = 'journals',
): Promise<DurableLedger> {
  const ledger = await openDurableLedger({ journals: join(directory, journals), store, durability: 'process' })
  opened.push(ledger)
  return ledger
}

/** A ledger whose predecessor left these calls without an end. */
async function withLost(...ids: string[]): Promise<DurableLedger> {
  const before = await open()
  for (const id of ids) await before.recordIntent(intent(id))
  await before.close()
  return open()
}

describe('reconciling over an embedded database', () => {
  it('puts sums, balances and counters in memory right, once', async () => {
    const ledger = await withLost('lost-1', 'lost-2')
    const counters = createMemoryCounters({ load: (asked) => ledger.balances(asked), flush: () => ledger.caughtUp() })
    const reconciliation = new Reconciliation({ ledger, counters })
    expect((await reconciliation.lost({ limit: 10 })).map(({ callId }) => callId).sort()).toEqual(['lost-1', 'lost-2'])
    expect(await counters.used([day])).toEqual([1000n])
    const outcomes = await Promise.allSettled([
      reconciliation.reconcile('lost-1', billed),
      reconciliation.reconcile('lost-1', billed),
      reconciliation.reconcile('lost-2', 'nothing'),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({ reason: { code: 'not_found', status: 404 } })
    expect(outcomes[0]).toMatchObject({ value: { budgets: 'now', lost: { end: 'lost' }, call: { end: 'complete' } } })
    expect(await counters.used([day, 'key:k/tokens/total:all'])).toEqual([42n, 6n])
    expect(await ledger.balances([day, 'key:k/tokens/total:all'])).toEqual([42n, 6n])
    expect((await ledger.totals({ key: 'k' })).cost.usd).toBe(42n)
    expect(await reconciliation.lost({ limit: 10 })).toEqual([])
    await expect(reconciliation.reconcile('nobody', billed)).rejects.toMatchObject({ code: 'not_found' })
    // What came later stays beside it, and the next start finds the same.
    await ledger.recordIntent(intent('later'))
    await ledger.recordCall(
      callRecord({ callId: 'later', key: 'k', cost: { usd: picoUsd(7n), seconds: 0, joules: null, gramsCO2e: null }, settled: [7n, 1n] }),
    )
    await ledger.close()
    const again = await open()
    expect(await again.balances([day])).toEqual([49n])
    await expect(new Reconciliation({ ledger: again, counters: 'database' }).reconcile('lost-1', billed)).rejects.toMatchObject({
      status: 404,
    })
  })

  it('counters in memory equal the balances whatever holds and settlements go on meanwhile', async () => {
    const ids = Array.from({ length: 20 }, (_, index) => `lost-${index}`)
    const ledger = await withLost(...ids)
    const counters = createMemoryCounters({ load: (asked) => ledger.balances(asked), flush: () => ledger.caughtUp() })
    const reconciliation = new Reconciliation({ ledger, counters })
    const call = async (index: number): Promise<void> => {
      const id = `call-${index}`
      await counters.hold({ id, lines: held, intent: intent(id) })
      await ledger.recordIntent(intent(id))
      const settled = [BigInt(index), 3n]
      await ledger.recordCall(callRecord({ callId: id, key: 'k', settled }))
      counters.settle(id, settled)
      if (index % 7 === 0) await counters.forgetIdle()
    }
    await Promise.all([...ids.map((id) => reconciliation.reconcile(id, billed)), ...Array.from({ length: 60 }, (_, index) => call(index))])
    const expected = 20n * 42n + 1770n
    expect(await ledger.balances([day])).toEqual([expected])
    expect(await counters.used([day])).toEqual([expected])
    await counters.close()
  })

  it('a record that can not be written leaves the larger count, and can be told again', async () => {
    const ledger = await withLost('lost-1')
    const counters = createMemoryCounters({ load: (asked) => ledger.balances(asked) })
    let fails = true
    const faulty = {
      store: ledger.store,
      calls: ledger.calls.bind(ledger),
      recordCall: (record: Parameters<typeof ledger.recordCall>[0]) =>
        fails ? Promise.reject(new Error('disk')) : ledger.recordCall(record),
    }
    const reconciliation = new Reconciliation({ ledger: faulty, counters })
    await expect(reconciliation.reconcile('lost-1', billed)).rejects.toThrow('disk')
    expect(await counters.used([day])).toEqual([500n])
    fails = false
    await reconciliation.reconcile('lost-1', billed)
    expect(await counters.used([day])).toEqual([42n])
  })

  it('makes the files of the database for their owner alone', async () => {
    await open()
    const files = readdirSync(directory).filter((name) => /^bursar\.db(-wal|-shm)?$/.test(name))
    expect(files.sort()).toEqual(['bursar.db', 'bursar.db-shm', 'bursar.db-wal'])
    for (const name of files) expect(statSync(join(directory, name)).mode & 0o777, name).toBe(0o600)
  })
})

describe.skipIf(!(await hasPostgres()))('reconciling over PostgreSQL (skipped without a server at 127.0.0.1:5432)', () => {
  it('takes a process that closed in order off the list at once, with what it left open', { timeout: 60_000 }, async () => {
    const database = await serverDatabase()
    try {
      const first = await open(database.settings as { url: string }, 'first')
      const second = await open(database.settings as { url: string }, 'second')
      const names = async () => (await second.store.holders()).map(({ holder }) => holder).sort()
      expect(await names()).toEqual([first.holder, second.holder].sort())
      await first.recordIntent(intent('open'))
      await first.close()
      expect(await names()).toEqual([second.holder])
      expect(await second.calls({ end: 'lost', limit: 10 })).toMatchObject([{ callId: 'open' }])
      // Two gateways are told at the same moment: one of them counts, and nothing counts twice.
      const third = await open(database.settings as { url: string }, 'third')
      const both = await Promise.allSettled([
        new Reconciliation({ ledger: second, counters: 'database' }).reconcile('open', billed),
        new Reconciliation({ ledger: third, counters: 'database' }).reconcile('open', { usd: picoUsd(43n) }),
      ])
      expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const counted = both[0]?.status === 'fulfilled' ? 42n : 43n
      expect(await second.balances([day])).toEqual([counted])
      expect((await third.totals({ key: 'k' })).cost.usd).toBe(counted)
      for (const ledger of opened.splice(0)) await ledger.close()
    } finally {
      for (const ledger of opened.splice(0)) await ledger.close()
      await database.drop()
    }
  })
})
