import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noSpend, picoUsd } from '../../quantities/index.js'
import { hard, level, soft } from './fixtures/budget-world.js'
import { amountOf, counterOf, countsOf, limitedUnits, lineOf, previousCounterOf, secondsUntilFits, windowOfCount } from './lines.js'
import type { BudgetLevel } from './contract.js'
import { previousPerMille, windowOf } from './periods.js'

const now = Date.parse('2026-11-21T07:07:15Z') / 1000
const bound = { ...noSpend, usd: picoUsd(5), tokens: 70, calls: 1, seconds: 2 }

/** Levels + bound + time -> lines, as a call's budget puts them together. */
function linesOf(levels: readonly BudgetLevel[]) {
  return countsOf(levels).map((count) => {
    const window = windowOfCount(count, now)
    return lineOf(count, amountOf(count, bound, 40) ?? 0n, window, now, counterOf(count, window), previousCounterOf(count, window))
  })
}

describe('lines', () => {
  it('reserve at every level, budgets first and rates after them', () => {
    const levels = [
      level('key', 'k', [hard('usd', 10n, 'month')], { requestsPerMinute: 60, tokensPerMinute: 1000.7, parallel: 2 }),
      level('organisation', 'o', [hard('tokens', 100n, 'day'), hard('seconds', 9000n, 'total')]),
    ]
    expect(linesOf(levels)).toEqual([
      { counter: 'organisation:o/tokens/day:2026-11-21', amount: 70n, limit: 100n },
      { counter: 'organisation:o/seconds/total:all', amount: 2000n, limit: 9000n },
      { counter: 'key:k/usd/month:2026-11', amount: 5n, limit: 10n },
      {
        counter: 'key:k/calls/sliding:2026-11-21T07:07',
        amount: 1n,
        limit: 60n,
        previous: { counter: 'key:k/calls/sliding:2026-11-21T07:06', perMille: 750 },
      },
      {
        counter: 'key:k/tokens/sliding:2026-11-21T07:07',
        amount: 40n,
        limit: 1000n,
        previous: { counter: 'key:k/tokens/sliding:2026-11-21T07:06', perMille: 750 },
      },
      { counter: 'key:k/calls/parallel:all', amount: 1n, limit: 2n, transient: true },
    ])
  })

  it('are one for each counter: the smallest hard limit holds, soft ones only count', () => {
    const levels = [
      level('team', 't', [hard('usd', 30n), soft('usd', 5n), hard('usd', 20n), soft('usd', 9n), soft('calls', 3n, 'day')]),
      level('team', 't', [hard('usd', 25n)]),
    ]
    expect(linesOf(levels)).toEqual([
      { counter: 'team:t/usd/month:2026-11', amount: 5n, limit: 20n },
      { counter: 'team:t/calls/day:2026-11-21', amount: 1n, limit: undefined },
    ])
    expect(countsOf(levels)[0]?.soft).toEqual([5n, 9n])
    expect([...limitedUnits(countsOf(levels))]).toEqual(['usd'])
  })

  it('never share a counter between two tenants, whatever they are called', () => {
    const id = fc.array(fc.constantFrom('a', '/', ':', '%', 'usd', 'month'), { maxLength: 5 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(fc.uniqueArray(id, { minLength: 2, maxLength: 6 }), (ids) => {
        const counters = ids.flatMap((one) =>
          linesOf([level('team', one, [hard('usd', 1n), hard('usd', 1n, 'total')], { requestsPerMinute: 1 })]).map(
            ({ counter }) => counter,
          ),
        )
        expect(new Set(counters).size).toBe(ids.length * 3)
      }),
    )
  })

  it.each([
    ['a negative limit', level('key', 'k', [hard('usd', -1n)])],
    ['a rate that is no number', level('key', 'k', [], { requestsPerMinute: NaN })],
    ['a negative rate', level('key', 'k', [], { parallel: -1 })],
    ['an infinite rate', level('key', 'k', [], { tokensPerMinute: Infinity })],
    ['a rate of a request', level('request', 'r', [], { parallel: 1 })],
  ])('are not made of %s', (_what, wrong) => expect(() => countsOf([wrong])).toThrow(RangeError))

  it('do not know what nobody knows', () => {
    const [usd, joules] = countsOf([level('key', 'k', [hard('usd', 1n), hard('joules', 1n)])])
    if (!usd || !joules) throw new Error('two counts expected')
    expect(amountOf(usd, { ...bound, usd: null }, 0)).toBeNull()
    expect(amountOf(joules, { ...bound, joules: null }, 0)).toBeNull()
  })
})

describe('secondsUntilFits', () => {
  it('is when it fits, and not much sooner', () => {
    const amounts = fc.record({
      limit: fc.bigInt(1n, 1000n),
      amount: fc.bigInt(1n, 1000n),
      used: fc.bigInt(0n, 2000n),
      previous: fc.bigInt(0n, 2000n),
      elapsed: fc.double({ min: 0, max: 59.99, noNaN: true }),
    })
    fc.assert(
      fc.property(amounts, ({ limit, amount, used, previous, elapsed }) => {
        const window = windowOf('minute', now)
        const at = window.start + elapsed
        const fits = (seconds: number): boolean => {
          const then = at + seconds
          const later = then >= window.end
          const inWindow = later ? windowOf('minute', window.end) : window
          const [counted, before] = later ? [0n, used] : [used, previous]
          const perMille = then >= window.end + 60 ? 0 : previousPerMille(inWindow, then)
          return counted + (before * BigInt(perMille) + 999n) / 1000n + amount <= limit
        }
        const seconds = secondsUntilFits(limit, amount, used, previous, window, at)
        if (amount > limit) expect(seconds).toBeUndefined()
        else {
          expect(seconds).toBeGreaterThanOrEqual(0)
          expect(fits((seconds ?? 0) + 1e-3)).toBe(true)
          if ((seconds ?? 0) > 0.1) expect(fits((seconds ?? 0) - 0.07)).toBe(false)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
