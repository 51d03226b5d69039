import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BudgetExceeded } from '../errors/index.js'
import { MemoryBudget, unlimited, type Limits, type Reservation, type Spend } from './budget.js'
import { picoUsd } from './money.js'

const spend = (pico: number, tokens = 0, calls = 0): Spend => ({ usd: picoUsd(pico), tokens, calls })
const nothing = spend(0)

describe('MemoryBudget', () => {
  it('holds back what is reserved and spends what is settled', async () => {
    const budget = new MemoryBudget('team', { usd: picoUsd(100), tokens: 50, calls: 2 })
    const first = await budget.reserve(spend(60, 30, 1))
    expect(budget.remaining()).toEqual({ usd: 40n, tokens: 20, calls: 1 })
    first.settle(spend(10, 5, 1))
    expect(budget.remaining()).toEqual({ usd: 90n, tokens: 45, calls: 1 })
    expect(budget.settled).toEqual(spend(10, 5, 1))
  })

  it.each([
    ['dollars', { usd: picoUsd(10) }, spend(11)],
    ['tokens', { tokens: 10 }, spend(0, 11)],
    ['calls', { calls: 0 }, spend(0, 0, 1)],
  ] as const)('refuses to overrun %s, and then reserves nothing', async (_unit, limits: Limits, amount) => {
    const budget = new MemoryBudget('key', limits)
    await expect(budget.reserve(amount)).rejects.toThrow(BudgetExceeded)
    expect(budget.remaining()).toEqual(new MemoryBudget('key', limits).remaining())
  })

  it('can be spent to the last picodollar', async () => {
    const budget = new MemoryBudget('key', { usd: picoUsd(10) })
    const whole = await budget.reserve(spend(10))
    whole.settle(spend(10))
    await expect(budget.reserve(spend(1))).rejects.toThrow(BudgetExceeded)
    await expect(budget.reserve(nothing)).resolves.toBeDefined()
  })

  it('is not fooled by a reservation that is closed twice', async () => {
    const budget = new MemoryBudget('key', { usd: picoUsd(100) })
    const one = await budget.reserve(spend(50))
    one.settle(spend(20))
    one.release()
    one.settle(spend(20))
    expect(budget.remaining().usd).toBe(80n)
    const two = await budget.reserve(spend(50))
    two.release()
    two.settle(spend(50))
    expect(budget.remaining().usd).toBe(80n)
  })

  it('holds at every level or at none', async () => {
    const organisation = new MemoryBudget('organisation', { usd: picoUsd(100) })
    const team = new MemoryBudget('team', { usd: picoUsd(80) }, organisation)
    const key = new MemoryBudget('key', { usd: picoUsd(1000) }, team)
    await expect(key.reserve(spend(90))).rejects.toThrow(/"team"/)
    expect(organisation.remaining().usd).toBe(100n)
    const held = await key.reserve(spend(70))
    expect(organisation.remaining().usd).toBe(30n)
    const other = new MemoryBudget('other', {}, organisation)
    await expect(other.reserve(spend(40))).rejects.toThrow(/"organisation"/)
    held.settle(spend(5))
    expect([key, team, organisation].map((level) => level.settled.usd)).toEqual([5n, 5n, 5n])
    expect(key.remaining().usd).toBe(75n)
  })

  it('counts what was really spent when that is more than was reserved, and then refuses', async () => {
    const budget = new MemoryBudget('key', { usd: picoUsd(10) })
    const held = await budget.reserve(spend(5))
    held.settle(spend(30))
    expect(budget.remaining().usd).toBe(-20n)
    await expect(budget.reserve(spend(1))).rejects.toThrow(BudgetExceeded)
  })

  it.each([spend(1, NaN), spend(1, Infinity), spend(-1), spend(0, -1), spend(0, 0, -1), spend(0, 0, NaN)])('refuses to reserve what is no amount', async (amount) => {
    const budget = new MemoryBudget('key', { usd: picoUsd(10), tokens: 10, calls: 10 })
    await expect(budget.reserve(amount)).rejects.toThrow(RangeError)
    expect(budget.remaining()).toEqual({ usd: 10n, tokens: 10, calls: 10 })
  })

  it('settles the whole reservation when the actual is no amount', async () => {
    const budget = new MemoryBudget('key', { usd: picoUsd(10), tokens: 10 })
    const held = await budget.reserve(spend(4, 3))
    held.settle(spend(-5, NaN))
    expect(budget.remaining()).toMatchObject({ usd: 6n, tokens: 7 })
  })

  it('keeps what was spent and reserved when its limits change', async () => {
    const budget = new MemoryBudget('key', { usd: picoUsd(100) })
    ;(await budget.reserve(spend(30))).settle(spend(30))
    await budget.reserve(spend(20))
    budget.adjust({ usd: picoUsd(60) })
    expect(budget.remaining().usd).toBe(10n)
    budget.adjust({})
    expect(budget.remaining().usd).toBeUndefined()
    budget.adjust({ usd: picoUsd(40) })
    await expect(budget.reserve(spend(1))).rejects.toThrow(BudgetExceeded)
  })

  it('lets only as many of a thousand concurrent calls through as fit', async () => {
    const budget = new MemoryBudget('key', { usd: picoUsd(500) })
    const results = await Promise.allSettled(
      Array.from({ length: 1000 }, async () => {
        const held = await budget.reserve(spend(10))
        await Promise.resolve()
        held.settle(spend(10))
      }),
    )
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(50)
    expect(budget.settled.usd).toBe(500n)
  })

  it('is never overrun by any interleaving, at any level of any tree', async () => {
    const amount = fc.record({ usd: fc.nat(60), tokens: fc.nat(60), calls: fc.nat(3) })
    const limits = fc.record({ usd: fc.option(fc.nat(200)), tokens: fc.option(fc.nat(200)), calls: fc.option(fc.nat(10)) })
    const step = fc.oneof(
      fc.record({ do: fc.constant('reserve' as const), leaf: fc.nat(), amount }),
      // A call never takes more than it reserved: `share` is how much of it, in percent.
      fc.record({ do: fc.constant('settle' as const), which: fc.nat(), share: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ do: fc.constant('release' as const), which: fc.nat() }),
    )
    const made = (name: string, { usd, tokens, calls }: { usd: number | null; tokens: number | null; calls: number | null }, parent?: MemoryBudget) =>
      new MemoryBudget(name, { usd: usd === null ? undefined : picoUsd(usd), tokens: tokens ?? undefined, calls: calls ?? undefined }, parent)

    await fc.assert(
      fc.asyncProperty(limits, limits, limits, limits, fc.array(step, { maxLength: 60 }), async (top, left, right, low, steps) => {
        const root = made('root', top)
        const a = made('a', left, root)
        const b = made('b', right, root)
        const c = made('c', low, a)
        const all = [
          { budget: root, limits: top },
          { budget: a, limits: left },
          { budget: b, limits: right },
          { budget: c, limits: low },
        ]
        const leaves = [a, b, c]
        const open: { held: Reservation; amount: Spend }[] = []
        const pending: Promise<void>[] = []
        for (const one of steps) {
          if (one.do === 'reserve') {
            const wanted = spend(one.amount.usd, one.amount.tokens, one.amount.calls)
            const leaf = leaves[one.leaf % leaves.length]
            // Not waited for: the steps after it run before its promise is resolved.
            pending.push(
              leaf!.reserve(wanted).then(
                (held) => void open.push({ held, amount: wanted }),
                (error: unknown) => expect(error).toBeInstanceOf(BudgetExceeded),
              ),
            )
            if (one.leaf % 2 === 0) await Promise.all(pending)
          } else {
            const index = open.length === 0 ? -1 : one.which % open.length
            const [taken] = index < 0 ? [] : open.splice(index, 1)
            if (!taken) continue
            if (one.do === 'release') taken.held.release()
            else taken.held.settle(spend(Math.floor((Number(taken.amount.usd) * one.share) / 100), Math.floor((taken.amount.tokens * one.share) / 100), taken.amount.calls))
          }
          for (const { budget, limits: most } of all) {
            const { usd, tokens, calls } = budget.remaining()
            if (usd !== undefined) expect(usd).toBeGreaterThanOrEqual(0n)
            if (tokens !== undefined) expect(tokens).toBeGreaterThanOrEqual(0)
            if (calls !== undefined) expect(calls).toBeGreaterThanOrEqual(0)
            if (most.usd !== null) expect(budget.settled.usd).toBeLessThanOrEqual(BigInt(most.usd))
          }
        }
        await Promise.all(pending)
        for (const { held } of open) held.release()
        // Everything is closed: what remains is the limit without what was settled, and parents hold their children's sums.
        for (const { budget, limits: most } of all) if (most.tokens !== null) expect(most.tokens - budget.settled.tokens).toBeGreaterThanOrEqual(0)
        expect(root.settled.tokens).toBe(a.settled.tokens + b.settled.tokens)
        expect(c.settled.tokens).toBeLessThanOrEqual(a.settled.tokens)
        if (top.usd !== null) expect(root.remaining().usd).toBe(BigInt(top.usd) - root.settled.usd)
      }),
    )
  })
})

it('the unlimited budget refuses nothing', async () => {
  const held = await unlimited.reserve(spend(Number.MAX_SAFE_INTEGER))
  held.settle(nothing)
  expect(unlimited.remaining()).toEqual({})
})
