import { describe, expect, it } from 'vitest'
import { noSpend, usd, type Spend } from '../../quantities/index.js'
import { seededRandom } from '../../statistics/index.js'
import { memoryBudget } from './memory-budget.js'

const spend = (more: Partial<Spend>): Spend => ({ ...noSpend, calls: 1, ...more })

describe('memory budget', () => {
  it('without limits is ample, whatever is spent', () => {
    const budget = memoryBudget()
    budget.reserve(spend({ usd: null, tokens: 1e9 })).settle(spend({ usd: null, tokens: 1e9 }))
    expect([budget.remaining(), budget.regime()]).toEqual([{}, 'ample'])
  })

  it('holds what is reserved until it is settled, once', () => {
    const budget = memoryBudget({ usd: 1, seconds: 10 })
    const held = budget.reserve(spend({ usd: usd('0.6'), seconds: 4 }))
    expect(budget.remaining()).toEqual({ usd: usd('0.4'), seconds: 6 })
    expect(() => budget.reserve(spend({ usd: usd('0.5') }))).toThrow(/only \$0\.4 is left/)
    held.settle(spend({ usd: usd('0.1'), seconds: 1.5 }))
    held.settle(spend({ usd: usd('0.9'), seconds: 9 }))
    expect(budget.remaining()).toEqual({ usd: usd('0.9'), seconds: 8.5 })
  })

  it('refuses what it does not know where it is limited', () => {
    expect(() => memoryBudget({ usd: 1 }).reserve(spend({ usd: null }))).toThrow(
      expect.objectContaining({ code: 'budget_exceeded' }) as Error,
    )
    expect(() => memoryBudget({ tokens: 1 }).reserve(spend({ usd: null }))).not.toThrow()
  })

  it('says how much room there is', () => {
    const budget = memoryBudget({ tokens: 100 })
    const regimes = Array.from({ length: 9 }, () => {
      budget.reserve(spend({ tokens: 10 })).settle(spend({ tokens: 10 }))
      return budget.regime()
    })
    expect(regimes).toEqual([...Array<string>(8).fill('ample'), 'last_call'])
    const fine = memoryBudget({ tokens: 1_000 })
    for (let call = 0; call < 85; call++) fine.reserve(spend({ tokens: 10 })).settle(spend({ tokens: 10 }))
    expect(fine.regime()).toBe('tight')
    expect(memoryBudget({ calls: 0 }).regime()).toBe('last_call')
  })

  it('a child never exceeds its parents, and none its limit, whatever is reserved and settled', () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seededRandom(seed)
      const parent = memoryBudget({ tokens: 100, calls: 9 }, { name: 'parent' })
      const children = [memoryBudget({ tokens: 80 }, { parent }), memoryBudget({}, { parent })]
      let spent = 0
      for (let call = 0; call < 30; call++) {
        const child = children[call % 2]
        const tokens = Math.floor(random.next() * 30)
        try {
          const held = child?.reserve(spend({ tokens }))
          const used = Math.floor(random.next() * (tokens + 1))
          held?.settle(spend({ tokens: used }))
          spent += used
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'budget_exceeded' })
        }
        for (const budget of [parent, ...children]) expect(budget.remaining().tokens).toBeGreaterThanOrEqual(0)
        expect(parent.remaining().tokens).toBe(100 - spent)
        expect(children[0]?.remaining().tokens).toBeLessThanOrEqual(100 - spent)
      }
    }
  })

  it.each([NaN, -1, Infinity])('takes no %s for a limit', (tokens) =>
    expect(() => memoryBudget({ tokens })).toThrow(expect.objectContaining({ code: 'invalid_request', path: 'tokens' }) as Error),
  )
})
