import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { costPerSuccess, type Attempt } from './index.js'

const attempts = (costs: readonly number[], successes: readonly (0 | 1)[]): Attempt[] =>
  costs.map((cost, index) => ({ cost, success: successes[index] ?? 0 }))

describe('costPerSuccess', () => {
  it('is the mean cost over the success rate', () => {
    const { value, low, high, n } = costPerSuccess(attempts([1, 2, 3, 2], [1, 0, 1, 0]))
    expect(value).toBe(4)
    expect(n).toBe(4)
    expect(low).toBeLessThan(4)
    expect(high).toBeGreaterThan(4)
  })

  it('is infinite without a success, and says from where on', () => {
    const estimate = costPerSuccess(attempts([2, 2, 2, 2, 2, 2, 2, 2, 2, 2], []))
    expect(estimate).toMatchObject({ value: Infinity, high: Infinity })
    // The largest success rate that ten failures leave is 0.3085.
    expect(estimate.low).toBeCloseTo(2 / 0.3084971, 4)
  })

  it('says nothing of nothing, and little of one', () => {
    expect(costPerSuccess([]).value).toBeNaN()
    expect(costPerSuccess(attempts([3], [1]))).toMatchObject({ value: 3, low: 0, high: Infinity })
  })

  it('does not take five successes of five for certainty', () => {
    const { low, high } = costPerSuccess(attempts([2, 2, 2, 2, 2], [1, 1, 1, 1, 1]))
    expect(low).toBeLessThan(1.7)
    expect(high).toBeGreaterThan(2.4)
  })

  it('holds its value between its ends, and grows with its unit', () => {
    const some = fc.array(fc.record({ cost: fc.double({ min: 0, max: 100, noNaN: true }), success: fc.constantFrom<0 | 1>(0, 1) }), {
      minLength: 1,
    })
    fc.assert(
      fc.property(some, (list) => {
        const { value, low, high } = costPerSuccess(list)
        expect(low).toBeLessThanOrEqual(value)
        expect(high).toBeGreaterThanOrEqual(value)
        const doubled = costPerSuccess(list.map(({ cost, success }) => ({ cost: cost * 2, success })))
        if (Number.isFinite(value)) expect(doubled.value).toBeCloseTo(value * 2, 6)
      }),
    )
  })
})
