import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../statistics/index.js'
import { chooseAdaptation, shotRequestUsd, trainingUsd } from './choice.js'
import { fineTunedAccuracy, proxyGain, transferOf } from './proxy-head.js'
import { accuracyAt, fitShotLaw, predictAccuracy } from './shot-law.js'

describe('the law of shots', () => {
  it('finds the law from four points', () => {
    const law = { a: 0.8, b: 0.3, c: 0.4 }
    const fit = fitShotLaw([0, 1, 3, 8].map((shots) => ({ shots, accuracy: accuracyAt(law, shots), questions: 100_000 })))
    for (const shots of [2, 5, 16, 32]) {
      expect(Math.abs(accuracyAt(fit.law, shots) - accuracyAt(law, shots))).toBeLessThan(0.012)
      expect(Math.abs(predictAccuracy(fit, shots).value - accuracyAt(law, shots))).toBeLessThan(0.012)
    }
    expect(fit.laws.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1)
  })

  it('stays within shares, also where more examples hurt', () => {
    const fit = fitShotLaw([
      { shots: 0, accuracy: 0.9 },
      { shots: 4, accuracy: 0.99 },
      { shots: 8, accuracy: 1 },
    ])
    expect(accuracyAt(fit.law, 1_000)).toBeLessThanOrEqual(1)
    const falling = fitShotLaw([
      { shots: 0, accuracy: 0.5 },
      { shots: 4, accuracy: 0.3 },
    ])
    expect(accuracyAt(falling.law, 8)).toBeLessThanOrEqual(0.33)
    expect(accuracyAt(falling.law, 8)).toBeGreaterThanOrEqual(0)
  })

  it('forecasts with intervals that cover', () => {
    const law = { a: 0.75, b: 0.25, c: 0.5 }
    const random = seededRandom(5)
    let inside = 0
    for (let round = 0; round < 20; round++) {
      const points = [0, 2, 4, 8].map((shots) => ({
        shots,
        questions: 200,
        accuracy:
          Array.from({ length: 200 }, () => (random.next() < accuracyAt(law, shots) ? 1 : 0)).reduce<number>((sum, one) => sum + one, 0) /
          200,
      }))
      const { low, high } = predictAccuracy(fitShotLaw(points), 16, { seed: round })
      if (low <= accuracyAt(law, 16) && accuracyAt(law, 16) <= high) inside += 1
    }
    expect(inside).toBeGreaterThanOrEqual(16)
  })

  it('names what is wrong', () => {
    expect(() =>
      fitShotLaw([
        { shots: 4, accuracy: 0.5 },
        { shots: 4, accuracy: 0.6 },
      ]),
    ).toThrow(/two different numbers/)
    expect(() => fitShotLaw([{ shots: 0, accuracy: 50 }])).toThrow(expect.objectContaining({ path: 'points[0].accuracy' }))
  })
})

describe('the proxy of fine-tuning', () => {
  const texts = Array.from({ length: 60 }, (_, at) =>
    at % 2 === 0
      ? { text: `refund my order number ${at}`, label: 'money' }
      : { text: `the weather in city ${at} please`, label: 'weather' },
  )

  it('learns what the words tell, and nothing where they tell nothing', () => {
    const { accuracy, gain, majority } = proxyGain(texts.slice(0, 40), texts.slice(40))
    expect(majority).toBe(0.5)
    expect(accuracy).toBeGreaterThan(0.95)
    expect(gain).toBeCloseTo((accuracy - 0.5) / 0.5)
    const random = seededRandom(2)
    const shuffled = texts.map((example) => ({ ...example, label: random.next() < 0.5 ? 'money' : 'weather' }))
    expect(Math.abs(proxyGain(shuffled.slice(0, 40), shuffled.slice(40)).gain)).toBeLessThan(0.7)
  })

  it('carries a gain over by what probes showed', () => {
    expect(transferOf([])).toBeCloseTo(0.5)
    const probes = [0.2, 0.5, 0.8].map((gain) => ({ zeroShot: 0.3, proxyGain: gain, fineTuned: fineTunedAccuracy(0.3, gain, 0.9) }))
    expect(transferOf(probes)).toBeCloseTo(0.9, 1)
    expect(fineTunedAccuracy(0.6, 0.5, 0.5)).toBeCloseTo(0.7)
    expect(() => proxyGain([{ text: 'a', label: 'x' }], texts)).toThrow(expect.objectContaining({ path: 'train' }))
  })
})

describe('the choice', () => {
  it('by utility, what the budget allows first', () => {
    const options = [
      { name: 'cheap', accuracy: 0.6, trainingUsd: 0, requestUsd: 0.001 },
      { name: 'dear', accuracy: 0.9, trainingUsd: 100, requestUsd: 0.002 },
    ]
    expect(
      chooseAdaptation(options, { requests: 10_000, worth: 0.1 }).map(({ name, utility, totalUsd }) => [
        name,
        Math.round(utility),
        totalUsd,
      ]),
    ).toEqual([
      ['dear', 780, 120],
      ['cheap', 590, 10],
    ])
    expect(chooseAdaptation(options, { requests: 10_000, worth: 0.1, budget: 50 })[0]?.name).toBe('cheap')
    expect(() => chooseAdaptation([{ name: 'x', accuracy: 2, trainingUsd: 0, requestUsd: 0 }], { requests: 1, worth: 1 })).toThrow(
      expect.objectContaining({ path: 'options[0].accuracy' }),
    )
  })

  it('prices by hand', () => {
    // 6 · 10⁹ · 10⁶ flops at 10¹² a second are 6,000 s.
    expect(
      trainingUsd({ parameters: 1e9, tokens: 1e6, epochs: 1, kind: 'full', peakFlops: 2e12, usdPerHour: 3, utilisation: 0.5 }),
    ).toBeCloseTo(5)
    expect(shotRequestUsd({ fixedTokens: 100, exampleTokens: 50, outputTokens: 10, inputPrice: 1, outputPrice: 10 }, 4)).toBeCloseTo(0.0004)
  })
})
