import { describe, expect, it } from 'vitest'
import {
  betaQuantile,
  gammaDraw,
  logGamma,
  mean,
  median,
  normalDraw,
  normalQuantile,
  quantile,
  regularizedBeta,
  robustDeviation,
  seededRandom,
  shareInterval,
  studentQuantile,
  studentTail,
  theilSenSlope,
} from './index.js'

// Expected values are those of R 4 (qnorm, lgamma, pbeta, qbeta, pt, qt, binom.test, quantile, mad).
describe('distributions', () => {
  it.each([
    [0.5, 0],
    [0.975, 1.959963984540054],
    [0.001, -3.090232306167814],
    [1e-9, -5.997807015007773],
  ])('normal quantile of %d', (share, value) => expect(normalQuantile(share)).toBeCloseTo(value, 7))

  it('log gamma', () => {
    expect(logGamma(5)).toBeCloseTo(Math.log(24), 12)
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.sqrt(Math.PI)), 12)
    expect(logGamma(100)).toBeCloseTo(359.1342053695754, 9)
  })

  it('beta', () => {
    expect(regularizedBeta(0.3, 2, 5)).toBeCloseTo(0.579825, 6)
    expect(regularizedBeta(0.5, 3, 3)).toBeCloseTo(0.5, 12)
    expect(betaQuantile(0.579825, 2, 5)).toBeCloseTo(0.3, 6)
  })

  it.each([
    [0.975, 1, 12.7062047],
    [0.975, 5, 2.5705818],
    [0.95, 30, 1.6972609],
    [0.1, 3, -1.6377444],
  ])('student quantile of %d with %d degrees of freedom', (share, freedom, value) => {
    expect(studentQuantile(share, freedom)).toBeCloseTo(value, 5)
    expect(studentTail(value, freedom)).toBeCloseTo(1 - share, 7)
  })

  it('exact interval of a share', () => {
    expect(shareInterval(7, 20).low).toBeCloseTo(0.1539092, 6)
    expect(shareInterval(7, 20).high).toBeCloseTo(0.5921885, 6)
    expect(shareInterval(0, 10)).toEqual({ low: 0, high: expect.closeTo(0.3084971, 6) as number })
    expect(shareInterval(10, 10)).toEqual({ low: expect.closeTo(0.6915029, 6) as number, high: 1 })
  })

  it('draws have the mean and variance of their distribution', () => {
    const random = seededRandom(5)
    const moments = (draw: () => number) => {
      const values = Array.from({ length: 40_000 }, draw)
      const centre = mean(values)
      return { centre, variance: mean(values.map((value) => (value - centre) ** 2)) }
    }
    const normal = moments(() => normalDraw(random))
    expect(Math.abs(normal.centre)).toBeLessThan(0.02)
    expect(Math.abs(normal.variance - 1)).toBeLessThan(0.03)
    for (const shape of [0.5, 2.5]) {
      const gamma = moments(() => gammaDraw(random, shape))
      expect(Math.abs(gamma.centre / shape - 1)).toBeLessThan(0.03)
      expect(Math.abs(gamma.variance / shape - 1)).toBeLessThan(0.06)
    }
  })
})

describe('order statistics', () => {
  it('quantiles lie between neighbours', () => {
    expect(quantile([4, 1, 3, 2], 0.25)).toBe(1.75)
    expect(median([3, 1, 2])).toBe(2)
    expect(median([])).toBeNaN()
    expect(quantile([7], 0.9)).toBe(7)
  })

  it('robust deviation', () => {
    expect(robustDeviation([1, 2, 3, 4, 100])).toBeCloseTo(1.4826, 4)
  })

  it('slope through outliers', () => {
    expect(theilSenSlope([0, 2, 4, 900, 8, 10, 12])).toBe(2)
    expect(theilSenSlope([5])).toBeNaN()
    expect(theilSenSlope(Array.from({ length: 2000 }, (_, index) => index * 3))).toBeCloseTo(3, 9)
  })
})
