import { describe, expect, it } from 'vitest'
import { normalDraw, seededRandom } from '../../../statistics/index.js'
import { acceptThenStop, lineLossAt } from './accept-then-stop.js'
import type { LossCurve, LossPoint } from './loss-curve.js'
import { forecastLosses } from './pooled-forecast.js'
import { fitRectifiedLaw, lossAt, predictLoss, type RectifiedLaw } from './rectified-law.js'
import { pearson, ranks, relativeAccuracy, spearman } from './selection.js'
import { fitVanillaLaw, vanillaLossAt } from './vanilla-law.js'

const sizes = Array.from({ length: 14 }, (_, at) => 200 * 2 ** at)

function curveOf(law: RectifiedLaw, noise = 0, seed = 1, examples: readonly number[] = sizes): LossPoint[] {
  const random = seededRandom(seed)
  return examples.map((size) => ({ examples: size, loss: lossAt(law, size) * Math.exp(noise * normalDraw(random)) }))
}

describe('the rectified law', () => {
  const law: RectifiedLaw = { B: 2_000, preLearned: 500, beta: 0.6, E: 0.4 }

  it('finds the law that made a curve, and forecasts beyond it', () => {
    const fit = fitRectifiedLaw(curveOf(law))
    expect(fit.rootMeanSquare).toBeLessThan(1e-6)
    expect(fit.law.beta).toBeCloseTo(0.6, 3)
    expect(fit.law.preLearned).toBeCloseTo(500, -1)
    expect(fit.law.E).toBeCloseTo(0.4, 3)
    expect(lossAt(fit.law, 1e7)).toBeCloseTo(lossAt(law, 1e7), 4)
  })

  it('follows the slow phase, which the vanilla law cannot', () => {
    const points = curveOf({ B: 5_000, preLearned: 2_000, beta: 0.7, E: 0.2 }, 0.005)
    expect(fitRectifiedLaw(points).rootMeanSquare).toBeLessThan(0.008)
    expect(fitVanillaLaw(points).rootMeanSquare).toBeGreaterThan(0.02)
  })

  it('forecasts with intervals that hold the truth mostly, on curves of the law with noise', () => {
    let inside = 0
    for (let seed = 1; seed <= 12; seed++) {
      const { low, high } = predictLoss(fitRectifiedLaw(curveOf(law, 0.01, seed, sizes.slice(0, 12))), sizes[13] ?? 0, { draws: 40, seed })
      if (low <= lossAt(law, sizes[13] ?? 0) && lossAt(law, sizes[13] ?? 0) <= high) inside += 1
    }
    expect(inside).toBeGreaterThanOrEqual(9)
  })

  it('says that four points leave nothing to tell the scatter by', () => {
    expect(predictLoss(fitRectifiedLaw(curveOf(law).slice(0, 4)), 1e6)).toMatchObject({ low: 0, high: Infinity })
  })

  it('fits a pure power law by the vanilla law', () => {
    const points = sizes.map((examples) => ({ examples, loss: 8 * examples ** -0.2 }))
    expect(vanillaLossAt(fitVanillaLaw(points).parameters, 1e7)).toBeCloseTo(8 * 1e7 ** -0.2, 1)
  })

  it('names the point that is wrong', () => {
    expect(() =>
      fitRectifiedLaw([
        { examples: 100, loss: 2 },
        { examples: 200, loss: -1 },
      ]),
    ).toThrow(expect.objectContaining({ path: 'points[1].loss' }))
    expect(() => fitRectifiedLaw([{ examples: 0, loss: 3 }, ...curveOf(law).slice(0, 3)])).toThrow(/at least 4/)
    expect(() => acceptThenStop([...curveOf(law), { examples: 200, loss: 2 }])).toThrow(/told twice/)
  })
})

describe('Accept-then-Stop', () => {
  /** A slow phase up to 3,200 examples, then a power law with a trace of noise. */
  const points = sizes
    .slice(0, 10)
    .map((examples, at) => ({ examples, loss: examples <= 3_200 ? 3 : 3 * (examples / 3_200) ** -0.3 * (1 + 0.002 * (-1) ** at) }))

  it('stops at the slow phase', () => {
    const line = acceptThenStop(points)
    expect(line.accepted.map(({ examples }) => examples)).toEqual([3_200, 6_400, 12_800, 25_600, 51_200, 102_400])
    expect(line.slope).toBeCloseTo(-0.3, 2)
    const { value, low, high } = lineLossAt(line, 1_638_400)
    const truth = 3 * 512 ** -0.3
    expect(Math.abs(Math.log(value / truth))).toBeLessThan(0.02)
    expect(low).toBeLessThan(truth)
    expect(high).toBeGreaterThan(truth)
  })

  it('takes all points but the smallest of a straight line, as the authors do', () => {
    const straight = sizes.slice(0, 6).map((examples, at) => ({ examples, loss: examples ** -0.1 * (1 + 0.001 * (-1) ** at) }))
    expect(acceptThenStop(straight).accepted).toHaveLength(5)
    expect(acceptThenStop(straight.slice(0, 3)).accepted).toHaveLength(3)
    expect(lineLossAt(acceptThenStop(straight.slice(0, 2)), 1e6)).toMatchObject({ low: 0, high: Infinity })
  })
})

describe('forecasts of many models', () => {
  const random = seededRandom(7)
  const curves: LossCurve[] = Array.from({ length: 12 }, (_, at) => {
    // Families differ in how fast they fall: their curves cross between what is measured and the target.
    const beta = 0.4 + 0.12 * (at % 3)
    const start = 4 + 0.6 * (at % 3) + 0.3 * normalDraw(random)
    const preLearned = 3_000 ** beta
    const law = { B: start * preLearned, preLearned, beta, E: 0.3 }
    return { model: `m${at}`, family: `f${at % 3}`, points: curveOf(law, 0.003, at) }
  })
  const cut = curves.map((curve) => ({ ...curve, points: curve.points.slice(0, 8) }))
  const truth = (model: string) => curves.find((curve) => curve.model === model)?.points.at(-1)?.loss ?? NaN

  it('order models better than their last measured loss does, and cover the truth', () => {
    const forecasts = forecastLosses(cut, 1_638_400)
    const actual = forecasts.map(({ model }) => truth(model))
    const last = forecasts.map(({ model }) => cut.find((curve) => curve.model === model)?.points.at(-1)?.loss ?? NaN)
    expect(
      pearson(
        forecasts.map(({ loss }) => loss.value),
        actual,
      ),
    ).toBeGreaterThan(pearson(last, actual))
    expect(forecasts.filter(({ loss, model }) => loss.low <= truth(model) && truth(model) <= loss.high).length).toBeGreaterThanOrEqual(10)
    expect(forecasts.map(({ rank }) => rank)).toEqual(forecasts.map((_, at) => at + 1))
  })

  it('do not depend on the order of models or points', () => {
    const turned = [...cut].reverse().map((curve) => ({ ...curve, points: [...curve.points].reverse() }))
    const straight = forecastLosses(cut, 1e6)
    for (const [at, forecast] of forecastLosses(turned, 1e6).entries())
      expect(forecast.loss.value).toBeCloseTo(straight[at]?.loss.value ?? 0, 9)
  })

  it('need three points and a target', () => {
    expect(() => forecastLosses([{ model: 'm', points: cut[0]?.points.slice(0, 2) ?? [] }], 1e6)).toThrow(
      expect.objectContaining({ path: 'curves[0].points' }),
    )
    expect(() => forecastLosses(cut, 0)).toThrow(expect.objectContaining({ path: 'target' }))
    expect(forecastLosses([{ model: 'alone', points: cut[0]?.points.slice(0, 3) ?? [] }], 1e6)[0]?.loss.high).toBe(Infinity)
    // Two models of six sizes give a dozen errors: enough for one in two, not for 19 of 20.
    const two = cut.slice(0, 2).map(({ model, points }) => ({ model, points: points.slice(0, 6) }))
    expect(forecastLosses(two, 1e6)[0]?.loss.high).toBe(Infinity)
    expect(forecastLosses(two, 1e6, { level: 0.5 })[0]?.loss.high).toBeLessThan(Infinity)
  })
})

describe('measures of a selection', () => {
  it('by hand', () => {
    expect(pearson([1, 2, 3], [2, 4, 6])).toBeCloseTo(1)
    expect(pearson([1, 2, 3], [1, 0, 1])).toBeCloseTo(0)
    expect(ranks([3, 1, 3, 2])).toEqual([3.5, 1, 3.5, 2])
    expect(spearman([1, 10, 100], [5, 6, 7])).toBeCloseTo(1)
    expect(relativeAccuracy([2, 1, 3], [1, 1.5, 2])).toBeCloseTo(0.5)
  })
})
