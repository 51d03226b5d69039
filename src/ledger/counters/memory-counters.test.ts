import { describe, expect, it } from 'vitest'
import { countersContract } from './fixtures/counters-contract.js'
import { aHold } from './fixtures/holds.js'
import { createMemoryCounters, type MemoryCounters } from './memory-counters.js'

/** Stands for the store: what is in it, what was asked of it. */
function store(balances: Record<string, bigint> = {}) {
  const asked: (readonly string[])[] = []
  return {
    asked,
    balances,
    load: async (counters: readonly string[]): Promise<readonly bigint[]> => {
      asked.push([...counters])
      await Promise.resolve()
      return counters.map((counter) => balances[counter] ?? 0n)
    },
  }
}

countersContract('memory counters without a store', () => createMemoryCounters(), { runs: 300 })
countersContract('memory counters with a store', () => createMemoryCounters({ load: store().load, flush: () => Promise.resolve() }), {
  runs: 200,
})

describe('memory counters and their store', () => {
  it('begins at what the store has, asks once for all that is used first in one turn', async () => {
    const { load, asked } = store({ a: 90n, before: 10n })
    const counters = createMemoryCounters({ load })
    const lines = [
      { counter: 'a', amount: 5n, limit: 100n },
      { counter: 'b', amount: 5n, limit: 100n, previous: { counter: 'before', perMille: 1000 } },
    ]
    const outcomes = await Promise.all(['1', '2', '3'].map((id) => counters.hold(aHold(id, lines))))
    expect(outcomes.map(({ granted }) => granted)).toEqual([true, true, false])
    expect(await counters.used(['a', 'b', 'c'])).toEqual([100n, 10n, 0n])
    expect(asked).toEqual([['a', 'b', 'before'], ['c']])
  })

  it('decides in one step once it knows: nothing comes between', async () => {
    const counters = createMemoryCounters({ load: store().load })
    await counters.used(['a'])
    const first = counters.hold(aHold('1', [{ counter: 'a', amount: 5n, limit: 9n }]))
    counters.settle('1', [1n])
    const second = counters.hold(aHold('2', [{ counter: 'a', amount: 8n, limit: 9n }]))
    expect(await Promise.all([first, second])).toMatchObject([{ granted: true }, { granted: true }])
  })

  it('refuses while the store does not answer, and goes on when it does', async () => {
    let fails = true
    const counters = createMemoryCounters({
      loadSeconds: 0.05,
      load: (asked) => (fails ? new Promise(() => undefined) : Promise.resolve(asked.map(() => 3n))),
    })
    await expect(counters.hold(aHold('1', [{ counter: 'a', amount: 1n }]))).rejects.toMatchObject({
      code: 'ledger_unavailable',
      status: 503,
    })
    await expect(counters.used(['a'])).rejects.toMatchObject({ code: 'ledger_unavailable' })
    expect(counters.size).toBe(0)
    fails = false
    expect(await counters.hold(aHold('1', [{ counter: 'a', amount: 1n }]))).toMatchObject({ granted: true, used: [4n] })
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('disk'))],
    [
      'throws',
      () => {
        throw new Error('disk')
      },
    ],
    ['answers something else', () => Promise.resolve([])],
  ])('refuses when the store %s', async (_, load) => {
    const counters = createMemoryCounters({ load })
    await expect(counters.hold(aHold('1', [{ counter: 'a', amount: 1n }]))).rejects.toMatchObject({ code: 'ledger_unavailable' })
    expect(counters.size).toBe(0)
  })

  it('lets no more wait for the store than it was told', async () => {
    const counters = createMemoryCounters({ maxWaiting: 2, loadSeconds: 0.05, load: () => new Promise(() => undefined) })
    const outcomes = await Promise.allSettled(['1', '2', '3'].map((id) => counters.hold(aHold(id, [{ counter: id, amount: 1n }]))))
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && String(outcome.reason).includes('Too many'))).toEqual([
      false,
      false,
      true,
    ])
  })
})

describe('forgetting', () => {
  /** Rounds until a counter that nobody uses is gone. */
  const rounds = async (counters: MemoryCounters, count = 2): Promise<void> => {
    for (let round = 0; round < count; round++) await counters.forgetIdle()
  }

  it('brings back what it forgot from the store', async () => {
    const { load, balances } = store()
    const counters = createMemoryCounters({ load, flush: () => Promise.resolve() })
    await counters.hold(aHold('1', [{ counter: 'a', amount: 5n }]))
    counters.settle('1', [4n])
    await rounds(counters)
    expect(counters.size).toBe(0)
    balances['a'] = 4n
    expect(await counters.hold(aHold('2', [{ counter: 'a', amount: 5n, limit: 8n }]))).toEqual({ granted: false, line: 0, used: [4n] })
  })

  it('keeps what is held, was used since the round before, or has not reached the store', async () => {
    let applied: () => void = () => undefined
    let fails = false
    const counters = createMemoryCounters({
      load: store().load,
      flush: () => (fails ? Promise.reject(new Error('away')) : new Promise((resolve) => (applied = resolve))),
    })
    const round = async (): Promise<number> => {
      const forgotten = counters.forgetIdle()
      applied()
      return forgotten
    }
    await counters.hold(aHold('held', [{ counter: 'held', amount: 5n }]))
    await counters.hold(aHold('done', [{ counter: 'used', amount: 5n }]))
    counters.settle('done', [5n])
    expect(await round()).toBe(0)
    await counters.hold(aHold('again', [{ counter: 'other', amount: 5n, limit: 50n, previous: { counter: 'used', perMille: 10 } }]))
    counters.settle('again', [5n])
    expect(await round()).toBe(0)
    fails = true
    await expect(counters.forgetIdle()).rejects.toThrow('away')
    await expect(counters.forgetIdle()).rejects.toThrow('away')
    expect(counters.size).toBe(3)
    fails = false
    expect(await round()).toBe(2)
    expect(counters.size).toBe(1)
    counters.settle('held', [1n])
    expect(await counters.used(['held'])).toEqual([1n])
  })

  it('never forgets where there is no store, unless it is told that a window is over', async () => {
    const endless = createMemoryCounters()
    await endless.hold(aHold('1', [{ counter: 'a', amount: 5n }]))
    endless.settle('1', [5n])
    await rounds(endless, 4)
    expect(endless.size).toBe(1)
    const counters = createMemoryCounters({ mayForget: (counter) => counter.startsWith('old') })
    for (const counter of ['old', 'new']) {
      await counters.hold(aHold(counter, [{ counter, amount: 5n }]))
      counters.settle(counter, [5n])
    }
    await rounds(counters)
    expect(await counters.used(['old', 'new'])).toEqual([0n, 5n])
  })

  it('stays as small as what is used, however many windows pass', async () => {
    const counters = createMemoryCounters({ load: store().load, flush: () => Promise.resolve() })
    for (let minute = 0; minute < 20; minute++) {
      await Promise.all(
        Array.from({ length: 2000 }, async (_, key) => {
          const id = `${minute}/${key}`
          await counters.hold(aHold(id, [{ counter: `key:${key}/minute:${minute}`, amount: 1n, limit: 9n }]))
          counters.settle(id, [1n])
        }),
      )
      await counters.forgetIdle()
      expect(counters.size).toBeLessThanOrEqual(4000)
    }
  })
})
