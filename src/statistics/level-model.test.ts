import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitLevelModel, normalDraw, quantile, seededRandom } from './index.js'

/** Totals of the next `steps` amounts, drawn. */
function totals(amounts: readonly number[], steps: number, draws = 1000): number[] {
  const model = fitLevelModel(amounts)
  const random = seededRandom(1)
  const path = new Float64Array(steps)
  return Array.from({ length: draws }, () => {
    model.draw(random, path)
    return path.reduce((sum, amount) => sum + amount, 0)
  })
}

describe('fitLevelModel', () => {
  it('goes on as it was where nothing ever changed', () => {
    const drawn = totals(new Array<number>(60).fill(10), 10)
    expect(quantile(drawn, 0.5)).toBeCloseTo(100, -0.7)
    expect(quantile(drawn, 0.95) - quantile(drawn, 0.05)).toBeLessThan(40)
  })

  it('is less sure the less it has seen', () => {
    const random = seededRandom(7)
    const amounts = Array.from({ length: 60 }, () => 10 * Math.exp(0.3 * normalDraw(random)))
    const widths = [2, 7, 21, 60].map((days) => {
      const drawn = totals(amounts.slice(0, days), 10)
      return quantile(drawn, 0.95) - quantile(drawn, 0.05)
    })
    expect([...widths].sort((a, b) => b - a)).toEqual(widths)
  })

  it('learns the days of the week from three weeks on', () => {
    const week = [10, 11, 9, 10, 10, 1, 1]
    const amounts = Array.from({ length: 28 }, (_, day) => week[day % 7] ?? 0)
    const model = fitLevelModel(amounts)
    expect(model.cyclic).toBe(true)
    expect(fitLevelModel(amounts.slice(0, 20)).cyclic).toBe(false)
    const random = seededRandom(1)
    const path = new Float64Array(7)
    const sums = new Float64Array(7)
    for (let draw = 0; draw < 500; draw++) {
      model.draw(random, path)
      path.forEach((amount, day) => (sums[day] = (sums[day] ?? 0) + amount / 500))
    }
    for (const day of [5, 6]) expect(sums[day]).toBeLessThan(3)
    for (const day of [0, 1, 2, 3, 4]) expect(sums[day]).toBeGreaterThan(7)
  })

  it('follows a level that has moved', () => {
    const amounts = [...new Array<number>(20).fill(5), ...new Array<number>(20).fill(20)].map(
      (amount, day) => amount * (1 + 0.1 * ((day * 7) % 3)),
    )
    expect(quantile(totals(amounts, 5), 0.5)).toBeGreaterThan(80)
  })

  it('refuses a history without any amount', () => {
    expect(() => fitLevelModel([0, 0])).toThrow(RangeError)
    expect(() => fitLevelModel([])).toThrow(RangeError)
  })

  it('draws finite amounts that are not negative, and scales with its unit', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 1e6, noNaN: true })), { minLength: 1, maxLength: 40 }),
        (amounts) => {
          fc.pre(amounts.some((amount) => amount > 0))
          const drawn = totals(amounts, 5, 20)
          for (const total of drawn) {
            expect(Number.isFinite(total)).toBe(true)
            expect(total).toBeGreaterThanOrEqual(0)
          }
          const scaled = totals(
            amounts.map((amount) => amount * 1024),
            5,
            20,
          )
          drawn.forEach((total, index) => expect((scaled[index] ?? 0) / 1024).toBeCloseTo(total, total > 1 ? -Math.log10(total) + 5 : 5))
        },
      ),
      { numRuns: 40 },
    )
  })
})
