import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../statistics/index.js'
import { leastSquares } from './least-squares.js'
import { conformalReach, pinballLoss, weightedQuantile } from './quantiles.js'
import { cholesky, inverse, ridgeWeights } from './symmetric.js'

describe('least squares', () => {
  it('solves a line exactly', () => {
    const x = [0, 1, 2, 5]
    const { parameters, loss } = leastSquares(([a = 0, b = 0]) => x.map((value) => a + b * value - (3 - 2 * value)), [0, 0])
    expect(parameters[0]).toBeCloseTo(3, 6)
    expect(parameters[1]).toBeCloseTo(-2, 6)
    expect(loss).toBeLessThan(1e-10)
  })

  it("is not drawn by an outlier with Huber's loss", () => {
    const y = [1, 1, 1, 1, 100]
    expect(leastSquares(([a = 0]) => y.map((value) => a - value), [0]).parameters[0]).toBeCloseTo(20.8, 4)
    expect(leastSquares(([a = 0]) => y.map((value) => a - value), [0], { huber: 0.01 }).parameters[0]).toBeCloseTo(1, 1)
  })

  it('is never worse than its start, even where residuals are not finite', () => {
    const { loss } = leastSquares(([a = 0]) => [Math.log(a) - 2, a > 5 ? NaN : 0], [1])
    expect(loss).toBeLessThanOrEqual(4)
  })
})

describe('symmetric systems', () => {
  it('factor, invert, refuse', () => {
    expect(
      cholesky([
        [4, 2],
        [2, 5],
      ]),
    ).toEqual([
      [2, 0],
      [1, 2],
    ])
    expect(
      cholesky([
        [1, 2],
        [2, 1],
      ]),
    ).toBeNull()
    const [[a, b] = [], [c, d] = []] =
      inverse([
        [4, 2],
        [2, 5],
      ]) ?? []
    expect([a, b, c, d].map((value) => Math.round(16 * (value ?? NaN)))).toEqual([5, -2, -2, 4])
  })

  it('ridge shrinks as its formula says', () => {
    expect(ridgeWeights([[1], [1]], [2, 4], [0])[0]).toBeCloseTo(3)
    expect(ridgeWeights([[1], [1]], [2, 4], [2])[0]).toBeCloseTo(1.5)
    expect(ridgeWeights([[1], [1]], [2, 4], [0], [3, 1])[0]).toBeCloseTo(2.5)
    expect(() => ridgeWeights([[1, 1]], [1], [0, 0])).toThrow(RangeError)
  })
})

describe('quantiles', () => {
  it('by weight', () => {
    const values = [
      { value: 3, weight: 1 },
      { value: 1, weight: 2 },
      { value: 9, weight: 1 },
      { value: 100, weight: 0 },
    ]
    expect([0.5, 0.51, 0.75, 1].map((share) => weightedQuantile(values, share))).toEqual([1, 3, 3, 9])
    expect(weightedQuantile([], 0.5)).toBeNaN()
  })

  it('pinball loss is least at the quantile', () => {
    const values = Array.from({ length: 100 }, (_, at) => at)
    const lossAt = (forecast: number) => values.reduce((sum, value) => sum + pinballLoss(value, forecast, 0.9), 0)
    for (const other of [70, 80, 95]) expect(lossAt(89.5)).toBeLessThan(lossAt(other))
    expect(pinballLoss(10, 4, 0.9)).toBeCloseTo(5.4)
  })

  it('conformal reach covers new numbers as promised', () => {
    expect(conformalReach([1, 2, 3, 4], 0.9)).toBe(Infinity)
    expect(conformalReach([4, 1, 3, 2], 0.6)).toBe(3)
    const random = seededRandom(3)
    let inside = 0
    for (let round = 0; round < 2_000; round++)
      if (
        random.next() <=
        conformalReach(
          Array.from({ length: 39 }, () => random.next()),
          0.9,
        )
      )
        inside += 1
    expect(inside / 2_000).toBeGreaterThan(0.88)
    expect(inside / 2_000).toBeLessThan(0.92)
  })
})
