import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  afterSamples,
  coverage,
  fitBetaMixture,
  gammaDraw,
  logBeta,
  logBetaBinomial,
  marginalGain,
  probabilityAhead,
  saturationPoint,
  seededRandom,
  selectorCeiling,
} from './index.js'

const shape = fc.record({ alpha: fc.double({ min: 0.05, max: 20, noNaN: true }), beta: fc.double({ min: 0.05, max: 20, noNaN: true }) })

describe('probabilityAhead', () => {
  it('is the binomial tail with the uniform prior', () => {
    // P(Beta(3, 1) > 1/2) = 1 − 1/8.
    expect(probabilityAhead(2, 0)).toBeCloseTo(0.875, 10)
    expect(probabilityAhead(1, 1)).toBeCloseTo(0.5, 10)
    expect(() => probabilityAhead(-1, 0)).toThrow(RangeError)
    expect(() => probabilityAhead(NaN, 0)).toThrow(RangeError)
  })

  it('grows with the lead, falls with the pursuer, and both orders sum to one', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 40, noNaN: true }), fc.double({ min: 0, max: 40, noNaN: true }), (a, b) => {
        expect(probabilityAhead(a + 1, b)).toBeGreaterThanOrEqual(probabilityAhead(a, b) - 1e-12)
        expect(probabilityAhead(a, b) + probabilityAhead(b, a)).toBeCloseTo(1, 8)
      }),
    )
  })

  it('is bolder with a small prior', () => {
    expect(probabilityAhead(2, 0, 0.2)).toBeGreaterThan(probabilityAhead(2, 0))
  })
})

describe('coverage', () => {
  it('is the sum of the marginal gains', () => {
    fc.assert(
      fc.property(shape, fc.integer({ min: 1, max: 60 }), (mixture, samples) => {
        let sum = 0
        for (let n = 0; n < samples; n++) sum += marginalGain(mixture, n, 0.9)
        expect(coverage(mixture, samples, 0.9)).toBeCloseTo(sum, 8)
      }),
    )
  })

  it('has a gain that falls, and a saturation point where it crosses', () => {
    fc.assert(
      fc.property(shape, fc.double({ min: 1e-4, max: 0.2, noNaN: true }), (mixture, epsilon) => {
        const point = saturationPoint(mixture, epsilon)
        if (point < 1024) expect(marginalGain(mixture, point)).toBeLessThan(epsilon)
        if (point > 0) expect(marginalGain(mixture, point - 1)).toBeGreaterThanOrEqual(epsilon)
      }),
    )
    expect(saturationPoint({ alpha: 0.05, beta: 5 }, 0, { most: 64 })).toBe(64)
  })

  it('of one shared probability is the geometric form', () => {
    const nearlyOne = { alpha: 3e5, beta: 7e5 }
    expect(coverage(nearlyOne, 5)).toBeCloseTo(1 - 0.7 ** 5, 4)
  })
})

describe('fitBetaMixture', () => {
  const questions = (alpha: number, beta: number, count: number, trials: number, seed: number) => {
    const random = seededRandom(seed)
    return Array.from({ length: count }, () => {
      const [a, b] = [gammaDraw(random, alpha), gammaDraw(random, beta)]
      let successes = 0
      for (let trial = 0; trial < trials; trial++) if (random.next() < a / (a + b)) successes++
      return { successes, trials }
    })
  }

  it('foretells coverage at 30 samples from 4, where one shared probability can not', () => {
    const truth = { alpha: 0.4, beta: 0.8 }
    const seen = questions(truth.alpha, truth.beta, 2000, 4, 11)
    const fitted = fitBetaMixture(seen)
    for (const samples of [8, 16, 30]) expect(Math.abs(coverage(fitted, samples) - coverage(truth, samples))).toBeLessThan(0.04)
    const shared = seen.reduce((sum, { successes }) => sum + successes, 0) / (4 * seen.length)
    expect(1 - (1 - shared) ** 16 - coverage(truth, 16)).toBeGreaterThan(0.1)
  })

  it('has no better neighbour', () => {
    const seen = questions(1.2, 2.5, 400, 6, 5)
    const { alpha, beta } = fitBetaMixture(seen)
    const likelihood = (a: number, b: number) =>
      seen.reduce((sum, { successes, trials }) => sum + logBetaBinomial(successes, trials - successes, a, b), 0)
    const best = likelihood(alpha, beta)
    for (const factor of [0.8, 1.25]) expect(likelihood(alpha * factor, beta * factor)).toBeLessThan(best + 0.05)
    for (const factor of [0.8, 1.25]) expect(likelihood(alpha * factor, beta)).toBeLessThan(best)
  })

  it('stays proper where all succeed, none does, or little was seen', () => {
    for (const seen of [
      [{ successes: 4, trials: 4, weight: 500 }],
      [{ successes: 0, trials: 4, weight: 500 }],
      [{ successes: 1, trials: 1 }],
    ]) {
      const { alpha, beta } = fitBetaMixture(seen)
      expect(alpha).toBeGreaterThan(0)
      expect(beta).toBeGreaterThan(0)
      expect(alpha + beta).toBeLessThan(1e6)
    }
    expect(() => fitBetaMixture([])).toThrow(RangeError)
    expect(() => fitBetaMixture([{ successes: 2, trials: 1 }])).toThrow(RangeError)
    expect(() => fitBetaMixture([{ successes: NaN, trials: 1 }])).toThrow(RangeError)
  })

  it('weighs like repeats, and learns from a question', () => {
    expect(fitBetaMixture([{ successes: 1, trials: 3, weight: 2 }])).toEqual(
      fitBetaMixture([
        { successes: 1, trials: 3 },
        { successes: 1, trials: 3 },
      ]),
    )
    expect(afterSamples({ alpha: 1, beta: 2 }, 1, 0)).toEqual({ alpha: 2, beta: 2 })
    expect(selectorCeiling({ alpha: 1, beta: 1 }, [{ samples: 1, accuracy: 0.25 }])).toBeCloseTo(0.5)
    expect(logBeta(1, 1)).toBeCloseTo(0, 10)
  })
})
