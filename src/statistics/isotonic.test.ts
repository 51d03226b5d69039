import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { brierScore, calibrationError, curveAt, fitIsotonic, fitPlatt, plattAt, poolAdjacent, seededRandom } from './index.js'

describe('poolAdjacent', () => {
  it('leaves what rises and pools what falls, by weight', () => {
    expect(poolAdjacent([1, 2, 3], [1, 1, 1])).toEqual([1, 2, 3])
    expect(poolAdjacent([3, 1, 2], [1, 1, 1])).toEqual([2, 2, 2])
    expect(poolAdjacent([0, 3, 0, 5], [1, 1, 2, 1])).toEqual([0, 1, 1, 5])
  })

  it('never falls, keeps the weighted sum, and is no worse than any constant', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.double({ min: -5, max: 5, noNaN: true }), fc.double({ min: 0.1, max: 9, noNaN: true })), { minLength: 1 }),
        (pairs) => {
          const [values, weights] = [pairs.map(([value]) => value), pairs.map(([, weight]) => weight)]
          const fitted = poolAdjacent(values, weights)
          const weighted = (list: readonly number[]) => list.reduce((sum, value, index) => sum + value * (weights[index] ?? 0), 0)
          const loss = (list: readonly number[]) =>
            list.reduce((sum, value, index) => sum + (weights[index] ?? 0) * (value - (values[index] ?? 0)) ** 2, 0)
          fitted.forEach((value, index) => expect(value).toBeGreaterThanOrEqual((fitted[index - 1] ?? -Infinity) - 1e-12))
          expect(weighted(fitted)).toBeCloseTo(weighted(values), 6)
          const middle = weighted(values) / weights.reduce((sum, weight) => sum + weight, 0)
          expect(loss(fitted)).toBeLessThanOrEqual(loss(values.map(() => middle)) + 1e-9)
        },
      ),
    )
  })
})

describe('fitIsotonic', () => {
  it('gives the pooled means and what lies between them', () => {
    const curve = fitIsotonic([
      { x: 0, y: 0 },
      { x: 2, y: 1 },
      { x: 1, y: 0, weight: 2 },
    ])
    expect(curveAt(curve, -1)).toBe(0)
    expect(curveAt(curve, 9)).toBe(1)
    expect(curveAt(curve, 4 / 3)).toBeCloseTo(0.5)
    expect(
      fitIsotonic([
        { x: 1, y: 0 },
        { x: 1, y: 1 },
      ]),
    ).toEqual({ x: [1], y: [0.5] })
  })

  it('refuses what is no point', () => {
    expect(() => fitIsotonic([])).toThrow(RangeError)
    expect(() => fitIsotonic([{ x: NaN, y: 0 }])).toThrow(RangeError)
    expect(() => fitIsotonic([{ x: 0, y: 0, weight: 0 }])).toThrow(RangeError)
    expect(curveAt({ x: [], y: [] }, 1)).toBeNaN()
  })
})

describe('calibration', () => {
  it('finds the curve that outcomes were drawn from', () => {
    const random = seededRandom(3)
    const scores = Array.from({ length: 4000 }, () => {
      const score = 4 * random.next() - 2
      return { score, outcome: random.next() < 1 / (1 + Math.exp(-(1.5 * score - 0.5))) ? 1 : 0 }
    })
    const curve = fitPlatt(scores)
    expect(curve.slope).toBeCloseTo(1.5, 0)
    expect(curve.intercept).toBeCloseTo(-0.5, 0)
    const forecasts = scores.map(({ score, outcome }) => ({ probability: plattAt(curve, score), outcome }))
    expect(calibrationError(forecasts)).toBeLessThan(0.03)
    expect(brierScore(forecasts)).toBeLessThan(brierScore(scores.map(({ outcome }) => ({ probability: 0.5, outcome }))))
  })

  it('stays finite where scores separate the outcomes, and where there is only one of them', () => {
    const apart = fitPlatt([
      { score: -1, outcome: 0 },
      { score: 1, outcome: 1 },
    ])
    expect(plattAt(apart, 1)).toBeLessThan(0.99)
    const always = fitPlatt([
      { score: 1, outcome: 1 },
      { score: 2, outcome: 1 },
    ])
    expect(plattAt(always, 1.5)).toBeGreaterThan(0.5)
    expect(plattAt(always, 1.5)).toBeLessThan(1)
    expect(() => fitPlatt([])).toThrow(RangeError)
    expect(() => fitPlatt([{ score: NaN, outcome: 1 }])).toThrow(RangeError)
  })

  it('knows the error of a forecast that is off by a constant', () => {
    expect(
      calibrationError(
        [
          { probability: 0.9, outcome: 1 },
          { probability: 0.9, outcome: 0 },
        ],
        1,
      ),
    ).toBeCloseTo(0.4)
    expect(brierScore([{ probability: 0.5, outcome: 1 }])).toBe(0.25)
    expect(brierScore([])).toBeNaN()
  })
})
