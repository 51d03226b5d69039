import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { IntentRecord } from '../record.js'
import { AccountBook, BookKeeper } from './fixtures/account-book.js'
import { countersContract } from './fixtures/counters-contract.js'
import { eventually } from './fixtures/eventually.js'
import { aHold } from './fixtures/holds.js'
import { createRedisServer, type RedisServer } from './fixtures/redis-server.js'
import { hasRedis, redisUrl } from './fixtures/services.js'
import { openGate, type TcpGate } from './fixtures/tcp-gate.js'
import { createRedisCounters, type RedisCounters } from './redis-counters.js'
import type { RedisCountersSettings } from './redis-settings.js'

const here = await hasRedis()
const prefix = `{test-${randomUUID()}}:`

afterAll(async () => {
  if (!here) return
  const redis = new Redis(redisUrl)
  for await (const keys of redis.scanStream({ match: `${prefix.slice(0, -2)}*`, count: 1000 }))
    if ((keys as string[]).length > 0) await redis.unlink(...(keys as string[]))
  await redis.quit()
})

/** All processes of one book share their counters. */
const prefixOf = (book: AccountBook): string => `${prefix.slice(0, -2)}/${book.id}}:`

/** A process of these tests: its counters and what it does around them. */
interface Replica {
  readonly counters: RedisCounters
  readonly keeper: BookKeeper
}

const opened: RedisCounters[] = []
const gates: TcpGate[] = []
async function open(book: AccountBook, settings: Partial<RedisCountersSettings> = {}): Promise<Replica> {
  const keeper = new BookKeeper(book, settings.holder ?? randomUUID())
  const counters = await createRedisCounters({
    url: redisUrl,
    holder: keeper.holder,
    prefix: prefixOf(book),
    load: book.load,
    snapshot: book.snapshot,
    holders: book.holders,
    flush: keeper.flush,
    pollSeconds: 0.1,
    ...settings,
  })
  opened.push(counters)
  return { counters, keeper }
}
afterEach(async () => {
  for (const counters of opened.splice(0)) await counters.close()
  for (const gate of gates.splice(0)) await gate.close()
})

countersContract(
  'Redis counters (skipped without a server at 127.0.0.1:6379)',
  () =>
    createRedisCounters({
      url: redisUrl,
      holder: randomUUID(),
      prefix,
      load: (counters) => Promise.resolve(counters.map(() => 0n)),
      snapshot: () => Promise.resolve({ holds: [], balances: new Map() }),
      holders: () => Promise.resolve([]),
      flush: () => Promise.resolve(),
    }),
  { runs: 60, skip: !here },
)

describe.skipIf(!here)('Redis counters and what is behind them (skipped without a server at 127.0.0.1:6379)', () => {
  it('begins at what the database has, each counter when it is first used', async () => {
    const book = new AccountBook()
    book.balances.set('a', 90n)
    book.balances.set('before', 10n)
    const { counters } = await open(book)
    const lines = [
      { counter: 'a', amount: 5n, limit: 100n },
      { counter: 'b', amount: 5n, limit: 100n, previous: { counter: 'before', perMille: 1000 } },
    ]
    const outcomes = await Promise.all(['1', '2', '3'].map((id) => counters.hold(aHold(id, lines))))
    expect(outcomes.map(({ granted }) => granted)).toEqual([true, true, false])
    expect(await counters.used(['a', 'b', 'c', 'before'])).toEqual([100n, 10n, 0n, 10n])
  })

  it('lets a counter go some time after its window, and keeps one without end', async () => {
    const book = new AccountBook()
    const { counters } = await open(book, {
      keepSeconds: 60,
      counterEnd: (counter) => (counter === 'total' ? Number.POSITIVE_INFINITY : Date.now() / 1000 + 40),
    })
    await counters.hold(
      aHold(
        '1',
        ['total', 'minute'].map((counter) => ({ counter, amount: 1n })),
      ),
    )
    counters.settle('1', [3n, 3n])
    expect(await counters.used(['total', 'minute'])).toEqual([3n, 3n])
    const redis = new Redis(redisUrl)
    const lives = new Map<string, number>()
    for (const key of await redis.keys(`${prefixOf(book)}g:*:c:*`)) lives.set(key.split(':c:')[1] ?? '', await redis.ttl(key))
    await redis.quit()
    expect(lives.get('total')).toBe(-1)
    expect(lives.get('minute')).toBeGreaterThan(90)
    expect(lives.get('minute')).toBeLessThanOrEqual(101)
  })

  it('adds and takes away exactly, of any size', async () => {
    const { counters } = await open(new AccountBook())
    let sum = 0n
    for (let call = 0; call < 300; call++) {
      // Digits of a multiplicative sequence: every length, every carry.
      const amount = (BigInt(call + 1) * 6_364_136_223_846_793_005n) % 10n ** BigInt(call % 19)
      const actual = (BigInt(call + 7) * 1_442_695_040_888_963_407n) % 10n ** BigInt((call * 7) % 19)
      await counters.hold(aHold(String(call), [{ counter: 'a', amount }]))
      if (call % 3 !== 0) counters.settle(String(call), [actual])
      sum += call % 3 !== 0 ? actual : amount
      if (call % 10 === 0) expect(await counters.used(['a'])).toEqual([sum])
    }
    expect(await counters.used(['a'])).toEqual([sum])
  })

  it('refuses when the database can not tell what was used', async () => {
    const book = new AccountBook()
    let fails = true
    const { counters } = await open(book, { load: (names) => (fails ? Promise.reject(new Error('away')) : book.load(names)) })
    await expect(counters.hold(aHold('1', [{ counter: 'a', amount: 1n }]))).rejects.toMatchObject({
      code: 'ledger_unavailable',
      status: 503,
    })
    await expect(counters.used(['a'])).rejects.toMatchObject({ code: 'ledger_unavailable' })
    fails = false
    expect((await counters.hold(aHold('1', [{ counter: 'a', amount: 1n }]))).granted).toBe(true)
  })

  it('turns what a dead process left open into lost calls, gives its places back, and takes late settlements', async () => {
    const book = new AccountBook()
    const dead = await open(book, { holder: 'dead' })
    const alive = await open(book, { holder: 'alive' })
    const lines = [
      { counter: 'places', amount: 1n, limit: 2n, transient: true },
      { counter: 'spend', amount: 50n, limit: 1000n },
    ]
    const [one, two] = [aHold('one', lines), aHold('two', lines)]
    await dead.counters.hold(one)
    await dead.counters.hold(two)
    expect((await alive.counters.hold(aHold('three', lines))).granted).toBe(false)
    expect(await alive.counters.openHolders()).toEqual(['dead'])
    await expect(alive.counters.expireHolder('alive', () => Promise.resolve())).rejects.toThrow(RangeError)
    await expect(alive.counters.expireHolder('dead', () => Promise.reject(new Error('database away')))).rejects.toThrow('database away')
    expect(await alive.counters.used(['places', 'spend'])).toEqual([2n, 100n])
    const lost: IntentRecord[] = []
    const note = (intents: readonly IntentRecord[]): Promise<void> => {
      lost.push(...intents)
      return Promise.resolve()
    }
    expect(await alive.counters.expireHolder('dead', note)).toBe(2)
    expect(lost.sort((a, b) => (a.callId < b.callId ? -1 : 1))).toEqual([one.intent, two.intent])
    expect(await alive.counters.used(['places', 'spend'])).toEqual([0n, 100n])
    expect(await alive.counters.expireHolder('dead', note)).toBe(0)
    expect(await alive.counters.openHolders()).toEqual([])
    // It wasn't dead after all.
    dead.counters.settle('one', [1n, 20n])
    dead.counters.settle('one', [1n, 10n])
    expect(await dead.counters.used(['places', 'spend'])).toEqual([0n, 70n])
  })

  it('finds the dead by itself, and takes nobody for dead whom the database forgot for a moment', async () => {
    const book = new AccountBook()
    const lost: (readonly [string, readonly IntentRecord[]])[] = []
    const quick: Partial<RedisCountersSettings> = {
      expireSeconds: 0.1,
      lost: (holder, intents) => Promise.resolve(void lost.push([holder, intents])),
    }
    const dead = await open(book, { holder: 'dead' })
    const alive = await open(book, { holder: 'alive', ...quick })
    const hold = aHold('one', [
      { counter: 'places', amount: 1n, limit: 1n, transient: true },
      { counter: 'spend', amount: 50n },
    ])
    await dead.counters.hold(hold)
    book.alive.delete('dead')
    await new Promise((resolve) => setTimeout(resolve, 150))
    book.alive.add('dead')
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(await alive.counters.used(['places', 'spend'])).toEqual([1n, 50n])
    book.alive.delete('dead')
    await eventually(async () => expect(await alive.counters.used(['places', 'spend'])).toEqual([0n, 50n]))
    expect(lost).toEqual([['dead', [hold.intent]]])
  })

  it('refuses while Redis is away, at once when that is known, and goes on by itself', async () => {
    const gate = await openGate({ host: '127.0.0.1', port: Number(new URL(redisUrl).port) })
    gates.push(gate)
    gate.shut()
    const book = new AccountBook()
    const problems: string[] = []
    const { counters } = await open(book, {
      url: `redis://user-secret@127.0.0.1:${gate.port}`,
      waitSeconds: 0.2,
      onProblem: (message) => void problems.push(message),
    })
    await expect(counters.hold(aHold('1', [{ counter: 'a', amount: 1n }]))).rejects.toMatchObject({
      code: 'ledger_unavailable',
      status: 503,
    })
    await eventually(() => Promise.resolve(expect(problems).toHaveLength(1)))
    expect(problems.join()).not.toContain('secret')
    await counters.close()

    gate.open()
    const second = await open(new AccountBook(), { url: `redis://127.0.0.1:${gate.port}`, waitSeconds: 0.3 })
    expect(await second.keeper.hold(second.counters, aHold('held', [{ counter: 'a', amount: 10n }]))).toBe(true)
    gate.shut()
    await expect(second.counters.hold(aHold('2', [{ counter: 'a', amount: 1n }]))).rejects.toMatchObject({ code: 'ledger_unavailable' })
    await expect(second.counters.used(['a'])).rejects.toMatchObject({ code: 'ledger_unavailable' })
    second.keeper.end(second.counters, 'held', [4n])
    gate.open()
    await eventually(async () => expect(await second.counters.used(['a'])).toEqual([4n]))
  })

  it.each(['swallow', 'pass and break', 'break'] as const)(
    'refuses when nobody knows whether it was reserved, and gives it back (%s)',
    async (how) => {
      const gate = await openGate({ host: '127.0.0.1', port: Number(new URL(redisUrl).port) })
      gates.push(gate)
      const { counters } = await open(new AccountBook(), { url: `redis://127.0.0.1:${gate.port}`, waitSeconds: 0.3, pollSeconds: 60 })
      await counters.hold(aHold('1', [{ counter: 'a', amount: 10n, limit: 20n }]))
      let broken = 0
      if (how === 'swallow') gate.swallow()
      else gate.watch((text) => (text.includes('doubtful call') && broken++ === 0 ? how : 'pass'))
      await expect(counters.hold(aHold('doubtful call', [{ counter: 'a', amount: 10n, limit: 20n }]))).rejects.toMatchObject({
        code: 'ledger_unavailable',
      })
      gate.open()
      await eventually(async () => expect(await counters.used(['a'])).toEqual([10n]))
      expect((await counters.hold(aHold('2', [{ counter: 'a', amount: 10n, limit: 20n }]))).granted).toBe(true)
    },
  )

  it('lets no more wait than it was told', async () => {
    const { counters } = await open(new AccountBook(), { maxWaiting: 3 })
    const outcomes = await Promise.allSettled(['1', '2', '3', '4'].map((id) => counters.hold(aHold(id, [{ counter: id, amount: 1n }]))))
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected'])
  })
})

describe.skipIf(!here)('Redis counters when Redis loses its data (skipped without redis-server)', () => {
  const servers: RedisServer[] = []
  const server = async (settings: readonly string[] = []): Promise<RedisServer> => {
    const started = await createRedisServer(settings)
    servers.push(started)
    return started
  }
  afterEach(async () => {
    for (const counters of opened.splice(0)) await counters.close()
    for (const started of servers.splice(0)) await started.remove()
  })

  it.each([
    ['restarted empty', async (redis: RedisServer) => (await redis.kill(), redis.start())],
    ['emptied', async (redis: RedisServer) => void (await redis.command('FLUSHALL'))],
    [
      'restarted from an older copy',
      async (redis: RedisServer) => {
        await redis.kill()
        await redis.start()
      },
    ],
  ])('grants no more than is left, and settles what was held (%s)', async (how, lose) => {
    const redis = await server()
    const book = new AccountBook()
    const [a, b] = [await open(book, { url: redis.url }), await open(book, { url: redis.url })]
    const line = (amount: bigint) => [{ counter: 'a', amount, limit: 100n }]
    if (how.includes('copy')) await redis.save()
    expect(await a.keeper.hold(a.counters, aHold('a1', line(30n)))).toBe(true)
    expect(await b.keeper.hold(b.counters, aHold('b1', line(30n)))).toBe(true)
    expect(await b.keeper.hold(b.counters, aHold('b2', line(20n)))).toBe(true)
    b.keeper.end(b.counters, 'b2', [10n])
    expect(await b.counters.used(['a'])).toEqual([70n])
    // Nothing of it is in the database.
    expect(book.balances.size).toBe(0)
    await lose(redis)
    await eventually(async () => expect(await a.counters.used(['a'])).toEqual([70n]))
    await eventually(async () => expect(await b.counters.used(['a'])).toEqual([70n]))
    expect(a.keeper.behind + b.keeper.behind).toBe(0)
    expect(await a.keeper.hold(a.counters, aHold('a2', line(31n)))).toBe(false)
    expect(await a.keeper.hold(a.counters, aHold('a3', line(30n)))).toBe(true)
    a.keeper.end(a.counters, 'a1', [5n])
    b.keeper.end(b.counters, 'b1', [45n])
    expect(await b.counters.used(['b'])).toEqual([0n])
    expect(await a.counters.used(['a'])).toEqual([90n])
    expect(await b.counters.used(['a'])).toEqual([90n])
    // What was counted before is gone.
    await eventually(async () =>
      expect(new Set(((await redis.command('KEYS', '*:g:*')) as string[]).map((key) => key.split(':')[2])).size).toBe(1),
    )
  })

  it('waits for a process that is alive and silent only so long, and lets it begin anew when it is back', async () => {
    const redis = await server()
    const gate = await openGate({ host: '127.0.0.1', port: Number(new URL(redis.url).port) })
    gates.push(gate)
    const book = new AccountBook()
    const problems: string[] = []
    const a = await open(book, { url: redis.url, fenceSeconds: 0.5, onProblem: (message) => void problems.push(message) })
    const b = await open(book, { url: `redis://127.0.0.1:${gate.port}`, holder: 'cut off', fenceSeconds: 0.5 })
    expect(await b.keeper.hold(b.counters, aHold('b1', [{ counter: 'a', amount: 60n, limit: 100n }]))).toBe(true)
    gate.shut()
    const from = performance.now()
    await redis.command('FLUSHALL')
    await eventually(async () => expect(await a.counters.used(['b'])).toEqual([0n]))
    expect(performance.now() - from).toBeGreaterThan(400)
    expect(problems.join()).toContain('cut off')
    gate.open()
    await eventually(async () => expect(await b.counters.used(['a'])).toEqual([60n]))
    await eventually(async () =>
      expect(await a.keeper.hold(a.counters, aHold('a1', [{ counter: 'a', amount: 41n, limit: 100n }]))).toBe(false),
    )
  })

  it('does not wait for the dead, and counts what they have in the database', async () => {
    const redis = await server()
    const book = new AccountBook()
    const a = await open(book, { url: redis.url })
    const dead = await open(book, { url: redis.url, holder: 'dead' })
    expect(
      await dead.keeper.hold(
        dead.counters,
        aHold('d1', [
          { counter: 'a', amount: 60n, limit: 100n },
          { counter: 'places', amount: 1n, transient: true },
        ]),
      ),
    ).toBe(true)
    await dead.keeper.flush()
    await dead.counters.close()
    book.alive.delete('dead')
    await redis.command('FLUSHALL')
    await eventually(async () => expect(await a.counters.used(['a', 'places'])).toEqual([60n, 1n]))
    expect(await a.counters.expireHolder('dead', () => Promise.resolve())).toBe(1)
    expect(await a.counters.used(['a', 'places'])).toEqual([60n, 0n])
  })

  it('makes the counters anew when it is asked to, from what the database has learned since', async () => {
    const redis = await server()
    const book = new AccountBook()
    const [a, b] = [await open(book, { url: redis.url }), await open(book, { url: redis.url })]
    await a.keeper.hold(a.counters, aHold('a1', [{ counter: 'a', amount: 60n }]))
    a.keeper.end(a.counters, 'a1', [60n])
    await a.keeper.flush()
    book.move('a', -25n)
    expect(await a.counters.used(['a'])).toEqual([60n])
    b.counters.rebuild()
    await eventually(async () => expect(await a.counters.used(['a'])).toEqual([35n]))
    book.move('a', -5n)
    expect(await a.counters.used(['a'])).toEqual([35n])
    const late = await open(book, { url: redis.url, rebuild: true })
    await eventually(async () => expect(await late.counters.used(['a'])).toEqual([30n]))
    await eventually(async () => expect(await a.counters.used(['a'])).toEqual([30n]))
  })

  it('stays closed while the database is away', async () => {
    const redis = await server()
    const book = new AccountBook()
    let away = false
    const { counters } = await open(book, { url: redis.url, snapshot: () => (away ? Promise.reject(new Error('away')) : book.snapshot()) })
    book.balances.set('a', 5n)
    away = true
    await redis.command('FLUSHALL')
    await eventually(async () =>
      expect(counters.hold(aHold('1', [{ counter: 'a', amount: 1n }]))).rejects.toMatchObject({ code: 'ledger_unavailable' }),
    )
    await new Promise((resolve) => setTimeout(resolve, 500))
    await expect(counters.hold(aHold('2', [{ counter: 'a', amount: 1n }]))).rejects.toMatchObject({ code: 'ledger_unavailable' })
    away = false
    await eventually(async () => expect(await counters.used(['a'])).toEqual([5n]))
  })

  it('does not work on a server that throws keys away', async () => {
    const redis = await server(['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'])
    const problems: string[] = []
    const { counters } = await open(new AccountBook(), {
      url: redis.url,
      waitSeconds: 0.2,
      onProblem: (message) => void problems.push(message),
    })
    await expect(counters.hold(aHold('1', [{ counter: 'a', amount: 1n }]))).rejects.toMatchObject({ code: 'ledger_unavailable' })
    expect(problems.join()).toContain('noeviction')
  })

  it('never grants more than the limit, however often Redis is lost under load, and is exact in the end', async () => {
    const redis = await server()
    const book = new AccountBook()
    const limit = 3000n
    const replicas = await Promise.all([1, 2, 3].map(() => open(book, { url: redis.url, waitSeconds: 1 })))
    let truth = 0n
    let most = 0n
    let granted = 0
    let stop = false
    const work = async ({ counters, keeper }: Replica, worker: number): Promise<void> => {
      for (let call = 0; !stop; call++) {
        const id = `${keeper.holder}/${worker}/${call}`
        const amount = BigInt(20 + ((call * 37 + worker * 11) % 180))
        const ok = await keeper.hold(counters, aHold(id, [{ counter: 'a', amount, limit }])).catch(() => false)
        if (!ok) {
          await new Promise((resolve) => setTimeout(resolve, 3))
          continue
        }
        granted++
        truth += amount
        most = most > truth ? most : truth
        await new Promise((resolve) => setTimeout(resolve, 1 + ((call * 7) % 13)))
        // Most of it was not needed in the end.
        const actual = call % 50 === 0 ? 1n : 0n
        truth += actual - amount
        keeper.end(counters, id, [actual])
        if (call % 5 === worker % 5) await keeper.flush()
      }
    }
    const working = replicas.flatMap((replica) => Array.from({ length: 12 }, (_, worker) => work(replica, worker)))
    for (let loss = 0; loss < 6; loss++) {
      await new Promise((resolve) => setTimeout(resolve, 400))
      const before = granted
      if (loss % 2 === 0) {
        await redis.kill()
        await redis.start()
      } else await redis.command('FLUSHALL')
      await eventually(() => Promise.resolve(expect(granted).toBeGreaterThan(before)))
    }
    stop = true
    await Promise.all(working)
    expect(most).toBeLessThanOrEqual(limit)
    expect(most).toBeGreaterThan((limit * 97n) / 100n)
    for (const { counters, keeper } of replicas) {
      await keeper.flush()
      await eventually(async () => expect(await counters.used(['a'])).toEqual([truth]))
    }
    expect(book.balances.get('a')).toBe(truth)
  }, 40_000)
})
