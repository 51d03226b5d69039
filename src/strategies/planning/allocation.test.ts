import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import { allocate, e3, hardCap, leastUncertain, levelBudgets, schedules, scheduleWeights, tokensOfWords } from './allocation.js'

describe('schedule weights', () => {
  it('are those of the paper', () => {
    expect(scheduleWeights('constant', 3)).toEqual([1, 1, 1])
    expect(scheduleWeights('linear', 3)).toEqual([3, 2, 1])
    expect(scheduleWeights('polynomial', 3)).toEqual([9, 4, 1])
    expect(scheduleWeights('exponential', 3)).toEqual([1, 0.9, expect.closeTo(0.81, 12)])
    expect(scheduleWeights('cosine', 3)).toEqual([1.1, expect.closeTo(0.6, 12), expect.closeTo(0.1, 12)])
    expect(scheduleWeights('cosine', 1)).toEqual([1.1])
  })

  it.each([0, -1, 1.5, Number.NaN, Infinity])('refuse %d parts', (count) => {
    expect(() => scheduleWeights('linear', count)).toThrow(RangeError)
  })
})

describe('allocate', () => {
  it('gives exact shares, with the remainder at the largest', () => {
    // 350 words; 40·3 : 35·2 : 25·1 = 120 : 70 : 25 of 215.
    expect(allocate(350, [40, 35, 25], 'linear')).toEqual([197, 113, 40])
    // 100·⅓ each, and one left over.
    expect(allocate(100, [1, 1, 1], 'constant')).toEqual([34, 33, 33])
    // 50·4 : 50·1 of 250.
    expect(allocate(200, [50, 50], 'polynomial')).toEqual([160, 40])
    // 20·1 : 30·0.9 : 50·0.81 = 20 : 27 : 40.5 of 87.5: the last is the largest.
    expect(allocate(450, [20, 30, 50], 'exponential')).toEqual([102, 138, 210])
    // 60·1.1 : 40·0.1 = 66 : 4 of 70.
    expect(allocate(600, [60, 40], 'cosine')).toEqual([566, 34])
    expect(allocate(200, [7], 'cosine')).toEqual([200])
    expect(allocate(0, [1, 2], 'linear')).toEqual([0, 0])
    expect(allocate(10, [0, 5], 'linear')).toEqual([0, 10])
  })

  it('adds up to the cap, in whole numbers that are never negative, and is linear in no unit of the credits', () => {
    const random = seededRandom(11)
    for (let run = 0; run < 2000; run++) {
      const count = 1 + Math.floor(random.next() * 8)
      const credits: number[] = Array.from({ length: count }, () =>
        random.next() < 0.2 ? 0 : random.next() * 10 ** Math.floor(random.next() * 6),
      )
      if (!credits.some((credit) => credit > 0)) credits[0] = 1
      const total = Math.floor(random.next() * 1000)
      for (const schedule of schedules) {
        const shares = allocate(total, credits, schedule)
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(total)
        expect(shares.every((share) => Number.isSafeInteger(share) && share >= 0)).toBe(true)
        expect(
          allocate(
            total,
            credits.map((credit) => credit * 1024),
            schedule,
          ),
        ).toEqual(shares)
      }
    }
  })

  it.each([
    [10, []],
    [10, [0, 0]],
    [10, [1, -1]],
    [10, [1, Number.NaN]],
    [10, [Infinity]],
    [10, [1e308, 1e308]],
    [1.5, [1]],
    [-1, [1]],
    [Number.NaN, [1]],
  ])('refuses %d among %j', (total, credits) => {
    expect(() => allocate(total, credits, 'linear')).toThrow(RangeError)
  })
})

describe('the split of least uncertainty', () => {
  it('leaves no less uncertainty than any neighbouring split', () => {
    const uncertainty = (c: readonly number[], b: readonly number[], beta: number) =>
      c.reduce((sum, one, j) => sum + one / (b[j] ?? 0) ** beta, 0)
    for (const beta of [0.5, 1, 2]) {
      const c = [9, 4, 1]
      const best = leastUncertain(6000, c, beta)
      for (let from = 0; from < 3; from++)
        for (let to = 0; to < 3; to++)
          if (from !== to)
            expect(uncertainty(c, best, beta)).toBeLessThanOrEqual(
              uncertainty(
                c,
                best.map((b, j) => b + (j === to ? 60 : j === from ? -60 : 0)),
                beta,
              ),
            )
    }
    expect(leastUncertain(600, [9, 4, 1], 1)).toEqual([300, 200, 100])
  })

  it('says why the paper decays budgets: where early parts are less certain, every decaying schedule beats equal shares', () => {
    const c = [16, 9, 4, 1]
    const left = (b: readonly number[]) => c.reduce((sum, one, j) => sum + one / Math.max(1, b[j] ?? 0), 0)
    const equal = left(allocate(400, [1, 1, 1, 1], 'constant'))
    for (const schedule of ['linear', 'exponential'] as const) expect(left(allocate(400, [1, 1, 1, 1], schedule))).toBeLessThan(equal)
    expect(left(leastUncertain(400, c, 1))).toBeLessThanOrEqual(left(allocate(400, [1, 1, 1, 1], 'linear')))
  })
})

it('turns words into tokens in one place, and cuts at twice the soft budget', () => {
  expect(tokensOfWords(100)).toBe(135)
  expect(hardCap(levelBudgets[3])).toBe(946)
  expect(Object.values(levelBudgets)).toEqual([200, 250, 350, 450, 600])
})

it('has an E³ that is unknown where nothing was written', () => {
  expect(e3(0.8, 400)).toBeCloseTo(0.0016, 12)
  expect(e3(0.8, 0)).toBeNull()
  expect(e3(Number.NaN, 10)).toBeNull()
})
