import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Counters } from './contract.js'
import { countersContract } from './fixtures/counters-contract.js'
import { eventually } from './fixtures/eventually.js'
import { aHold } from './fixtures/holds.js'
import { createDatabase, hasPostgres, type TestDatabase } from './fixtures/services.js'
import { openGate, type TcpGate } from './fixtures/tcp-gate.js'
import { createPostgresCounters, type PostgresCountersSettings } from './postgres-counters.js'
import { decodeIntent } from './stored-hold.js'

const here = await hasPostgres()
let database: TestDatabase
beforeAll(async () => {
  if (here) database = await createDatabase()
}, 60_000)
afterAll(async () => {
  if (here) await database.drop()
}, 60_000)

countersContract(
  'PostgreSQL counters (skipped without a server at 127.0.0.1:5432)',
  () => createPostgresCounters({ url: database.url, holder: randomUUID() }),
  {
    runs: 25,
    skip: !here,
    settlesLater: true,
  },
)

describe.skipIf(!here)('PostgreSQL counters in the database (skipped without a server at 127.0.0.1:5432)', () => {
  const opened: Counters[] = []
  const gates: TcpGate[] = []
  const open = async (settings: Partial<PostgresCountersSettings> = {}) => {
    const counters = await createPostgresCounters({ url: database.url, holder: 'replica-a', ...settings })
    opened.push(counters)
    return counters
  }
  const gate = async (): Promise<TcpGate & { readonly url: string }> => {
    const way = await openGate({ host: '127.0.0.1', port: 5432 })
    gates.push(way)
    return { ...way, url: Object.assign(new URL(database.url), { port: String(way.port) }).href }
  }
  afterEach(async () => {
    for (const counters of opened.splice(0)) await counters.close()
    for (const way of gates.splice(0)) await way.close()
  })
  const rowsOf = (id: string) =>
    database.query<{ holder: string; at: number; lines: string; intent: string; expired: number }>('SELECT * FROM holds WHERE id = $1', [
      id,
    ])
  const balanceOf = async (counter: string) =>
    BigInt((await database.query<{ used: string }>('SELECT used FROM balances WHERE counter = $1', [counter]))[0]?.used ?? '0')

  it('writes a hold with its lines and intent, and what it was settled to', async () => {
    const counters = await open()
    const [id, counter, places] = [randomUUID(), randomUUID(), randomUUID()]
    const hold = aHold(id, [
      { counter, amount: 2n ** 60n + 1n, limit: 2n ** 61n },
      { counter: places, amount: 1n, limit: 4n, transient: true },
    ])
    expect(await counters.hold(hold)).toEqual({ granted: true, used: [2n ** 60n + 1n, 1n], durable: true })
    const [row] = await rowsOf(id)
    expect(row).toMatchObject({ holder: 'replica-a', at: hold.intent.at, expired: 0 })
    expect(JSON.parse(row?.lines ?? '')).toEqual([
      { counter, amount: '1152921504606846977' },
      { counter: places, amount: '1', transient: true },
    ])
    expect(decodeIntent(row?.intent ?? '', row?.lines ?? '')).toEqual(hold.intent)
    expect(row?.intent).not.toContain('held')
    counters.settle(id, [7n, 1n])
    await counters.used([counter])
    expect(JSON.parse((await rowsOf(id))[0]?.lines ?? '')).toEqual([
      { counter, amount: '7' },
      { counter: places, amount: '0', transient: true },
    ])
    expect([await balanceOf(counter), await balanceOf(places)]).toEqual([7n, 0n])
  })

  it('leaves to the store what the store has applied or expired already', async () => {
    const counters = await open()
    const [applied, expired, counter] = [randomUUID(), randomUUID(), randomUUID()]
    for (const id of [applied, expired]) await counters.hold(aHold(id, [{ counter, amount: 10n }]))
    await database.query('DELETE FROM holds WHERE id = $1', [applied])
    await database.query('UPDATE holds SET expired = 1 WHERE id = $1', [expired])
    counters.settle(applied, [1n])
    counters.settle(expired, [1n])
    expect(await counters.used([counter])).toEqual([20n])
  })

  it('settles by itself what the store has not settled for a while, and forgets what it has', async () => {
    const counters = await open()
    const [behind, applied, counter, other] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
    await counters.hold(aHold(behind, [{ counter, amount: 10n }]))
    await counters.hold(aHold(applied, [{ counter: other, amount: 10n }]))
    counters.settle(behind, [3n])
    counters.settle(applied, [3n])
    await database.query('DELETE FROM holds WHERE id = $1', [applied])
    expect([await balanceOf(counter), await balanceOf(other)]).toEqual([10n, 10n])
    await eventually(async () => expect(await balanceOf(counter)).toBe(3n))
    // Its record is applied now, and finds nothing left to move.
    expect(JSON.parse((await rowsOf(behind))[0]?.lines ?? '')).toEqual([{ counter, amount: '3' }])
    expect(await counters.used([other])).toEqual([10n])
  })

  it('settles without waiting for the store where little is left of a limit, so that other processes are not refused for it', async () => {
    const counters = await open()
    const [id, counter] = [randomUUID(), randomUUID()]
    await counters.hold(aHold(id, [{ counter, amount: 90n, limit: 100n }]))
    counters.settle(id, [10n])
    // Waits for what is being settled, and doesn't ask for it to be.
    await counters.used([randomUUID()])
    expect(await balanceOf(counter)).toBe(10n)
  })

  it('does not wait for a reservation whose record is being applied', async () => {
    const counters = await open()
    const [id, counter] = [randomUUID(), randomUUID()]
    await counters.hold(aHold(id, [{ counter, amount: 10n }]))
    const applier = new pg.Client({ connectionString: database.url, application_name: 'the test itself' })
    await applier.connect()
    try {
      await applier.query('BEGIN')
      await applier.query('DELETE FROM holds WHERE id = $1', [id])
      counters.settle(id, [1n])
      expect((await counters.hold(aHold(randomUUID(), [{ counter, amount: 5n }]))).granted).toBe(true)
      await applier.query('UPDATE balances SET used = used - 9 WHERE counter = $1', [counter])
      await applier.query('COMMIT')
    } finally {
      await applier.end()
    }
    expect(await counters.used([counter])).toEqual([6n])
  })

  it('shares limits between processes, and survives those that lock in another order', async () => {
    const replicas = await Promise.all(['a', 'b', 'c'].map((holder) => open({ holder })))
    const [one, two] = [randomUUID(), randomUUID()]
    let stop = false
    const stranger = new pg.Client({ connectionString: database.url, application_name: 'the test itself' })
    await stranger.connect()
    const disorder = (async () => {
      // Locks the rows in the order that the counters don't: somebody has to be told to try again.
      while (!stop) {
        for (const counter of [one, two].sort().reverse()) {
          await stranger.query(counter === [one, two].sort()[1] ? 'BEGIN' : 'SELECT pg_sleep(0.01)')
          await stranger.query('UPDATE balances SET used = used WHERE counter = $1', [counter]).catch(() => stranger.query('ROLLBACK'))
        }
        await stranger.query('COMMIT')
      }
    })()
    const outcomes = await Promise.all(
      replicas.flatMap((counters) =>
        Array.from({ length: 100 }, () =>
          counters.hold(
            aHold(randomUUID(), [
              { counter: one, amount: 7n, limit: 1000n },
              { counter: two, amount: 5n, limit: 800n },
            ]),
          ),
        ),
      ),
    )
    stop = true
    await disorder
    await stranger.end()
    expect(outcomes.filter(({ granted }) => granted)).toHaveLength(142)
    expect([await balanceOf(one), await balanceOf(two)]).toEqual([994n, 710n])
  })

  it('refuses only the one that can not be written', async () => {
    const counters = await open()
    const counter = randomUUID()
    const outcomes = await Promise.allSettled([
      counters.hold(aHold(randomUUID(), [{ counter, amount: 5n }])),
      counters.hold(aHold(randomUUID(), [{ counter: `nul \0 in ${counter}`, amount: 5n }])),
      counters.hold(aHold(randomUUID(), [{ counter: `alone \ud800 in ${counter}`, amount: 5n }])),
      counters.hold(aHold(randomUUID(), [{ counter: `${counter}/big`, amount: 2n ** 63n }])),
      counters.hold(aHold(randomUUID(), [{ counter, amount: 5n }])),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled'])
    expect(await counters.used([counter])).toEqual([10n])
  })

  it('refuses while the database is away, at once when that is known, and goes on by itself', async () => {
    const way = await gate()
    const counters = await open({ url: way.url, connectSeconds: 0.3 })
    const [id, counter] = [randomUUID(), randomUUID()]
    await counters.hold(aHold(id, [{ counter, amount: 10n, limit: 20n }]))
    way.shut()
    await expect(counters.hold(aHold(randomUUID(), [{ counter, amount: 1n }]))).rejects.toMatchObject({
      code: 'ledger_unavailable',
      status: 503,
    })
    await expect(counters.used([counter])).rejects.toMatchObject({ code: 'ledger_unavailable' })
    // Taken now, made later.
    counters.settle(id, [4n])
    const refused = await Promise.allSettled(
      Array.from({ length: 50 }, () => counters.hold(aHold(randomUUID(), [{ counter, amount: 1n }]))),
    )
    expect(refused.every(({ status }) => status === 'rejected')).toBe(true)
    way.open()
    await eventually(async () => expect(await balanceOf(counter)).toBe(4n))
    await eventually(async () =>
      expect(await counters.hold(aHold(randomUUID(), [{ counter, amount: 16n, limit: 20n }]))).toMatchObject({
        granted: true,
        used: [20n],
      }),
    )
  })

  it('refuses when nothing comes back, and grants again when the way is free', async () => {
    const way = await gate()
    const counters = await open({ url: way.url, connectSeconds: 0.3, transactionSeconds: 0.5, lockSeconds: 0.2 })
    const counter = randomUUID()
    await counters.hold(aHold(randomUUID(), [{ counter, amount: 10n }]))
    way.swallow()
    await expect(counters.hold(aHold(randomUUID(), [{ counter, amount: 10n }]))).rejects.toMatchObject({ code: 'ledger_unavailable' })
    way.open()
    await eventually(async () =>
      expect((await counters.hold(aHold(randomUUID(), [{ counter, amount: 10n, limit: 20n }]))).granted).toBe(true),
    )
    expect(await balanceOf(counter)).toBe(20n)
  })

  it('waits for a locked balance only so long', async () => {
    const counters = await open({ lockSeconds: 0.2 })
    const counter = randomUUID()
    await counters.hold(aHold(randomUUID(), [{ counter, amount: 10n }]))
    const locker = new pg.Client({ connectionString: database.url, application_name: 'the test itself' })
    await locker.connect()
    await locker.query('BEGIN')
    await locker.query('SELECT 1 FROM balances WHERE counter = $1 FOR UPDATE', [counter])
    await expect(counters.hold(aHold(randomUUID(), [{ counter, amount: 10n }]))).rejects.toMatchObject({ code: 'ledger_unavailable' })
    await locker.query('COMMIT')
    await locker.end()
    expect((await counters.hold(aHold(randomUUID(), [{ counter, amount: 10n, limit: 20n }]))).granted).toBe(true)
  })

  it.each([
    ['came through', 'pass and break'],
    ['did not come through', 'break'],
  ] as const)('refuses when nobody knows whether the commit came through, and gives back what was reserved (it %s)', async (_, verdict) => {
    const way = await gate()
    const counters = await open({ url: way.url })
    const [id, counter] = [randomUUID(), randomUUID()]
    await counters.hold(aHold(randomUUID(), [{ counter, amount: 10n, limit: 20n }]))
    let broken = 0
    way.watch((text) => (/COMMIT(?!TED)/.test(text) && broken++ === 0 ? verdict : 'pass'))
    await expect(counters.hold(aHold(id, [{ counter, amount: 10n, limit: 20n }]))).rejects.toMatchObject({ code: 'ledger_unavailable' })
    expect(broken).toBe(1)
    expect(await rowsOf(id)).toHaveLength(verdict === 'break' ? 0 : 1)
    await eventually(async () => expect(await balanceOf(counter)).toBe(10n))
    await eventually(async () => expect(await rowsOf(id)).toEqual([]))
    // It never held: settling it does nothing.
    counters.settle(id, [3n])
    await eventually(async () =>
      expect((await counters.hold(aHold(randomUUID(), [{ counter, amount: 10n, limit: 20n }]))).granted).toBe(true),
    )
    expect(await balanceOf(counter)).toBe(20n)
  })

  it('outlives connections that the server ends, over and over', async () => {
    const counters = await open()
    const counter = randomUUID()
    let granted = 0n
    let stop = false
    const cutting = (async () => {
      while (!stop) {
        await database.cut()
        await new Promise((resolve) => setTimeout(resolve, 30))
      }
    })()
    const until = performance.now() + 2500
    while (performance.now() < until) {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 5 }, () => counters.hold(aHold(randomUUID(), [{ counter, amount: 1n }]))),
      )
      for (const outcome of outcomes) if (outcome.status === 'fulfilled' && outcome.value.granted) granted++
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    stop = true
    await cutting
    expect(granted).toBeGreaterThan(0n)
    await eventually(async () => expect(await balanceOf(counter)).toBe(granted))
  })

  it('lets no more wait than it was told', async () => {
    const counters = await open({ maxWaiting: 3 })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 5 }, () => counters.hold(aHold(randomUUID(), [{ counter: randomUUID(), amount: 1n }]))),
    )
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'])
  })
})
