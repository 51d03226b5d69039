import { describe, expect, it } from 'vitest'
import { childRandom, ConfidenceSequence, normalDraw } from '../../statistics/index.js'
import { UnitMoments } from './unit-moments.js'

describe('UnitMoments', () => {
  it('is the plain confidence sequence where every request is a unit', () => {
    const random = childRandom(1, 'plain')
    const plain = new ConfidenceSequence(0.9, 300, 1)
    const moments = new UnitMoments(0.9, 300)
    for (let index = 0; index < 500; index++) {
      const value = 3 + normalDraw(random)
      plain.add(value)
      moments.add(value)
    }
    const [expected, found] = [plain.interval(0.5), moments.interval(0.5)]
    expect(found.value).toBeCloseTo(expected.value, 10)
    expect(found.low).toBeCloseTo(expected.low, 10)
    expect(found.high).toBeCloseTo(expected.high, 10)
    expect(moments.requestsFor(0.05)).toBeCloseTo(plain.countFor(0.05), -1)
  })

  it('has the ratio and the cluster-robust variance of few units, worked out by hand', () => {
    const moments = new UnitMoments(0.95, 10)
    // Z = 1·2 + 3·1 = 5 with W = 3; Z = 4·1 = 4 with W = 1; Z = -1·2 = -2 with W = 2: θ = 7/6.
    expect(moments.add(1, 'a', 2)).toBe(true)
    expect(moments.add(4)).toBe(true)
    expect(moments.add(3, 'a')).toBe(false)
    expect(moments.add(-1, 'b', 2)).toBe(true)
    expect(moments.mean).toBeCloseTo(7 / 6, 12)
    expect([moments.requests, moments.units, moments.meanWeight]).toEqual([4, 3, 1.5])
    // Residuals 5 - 3.5, 4 - 7/6, -2 - 7/3.
    expect(moments.variance).toBeCloseTo((1.5 ** 2 + (17 / 6) ** 2 + (13 / 3) ** 2) / 2, 12)
  })

  it('is the same whether a unit comes at once or piece by piece, and gives a level the p-value of its own bound', () => {
    const [apart, together] = [new UnitMoments(0.95, 100), new UnitMoments(0.95, 100)]
    for (let turn = 0; turn < 4; turn++) for (let unit = 0; unit < 50; unit++) apart.add((unit % 7) + turn, `u${unit}`)
    for (let unit = 0; unit < 50; unit++) for (let turn = 0; turn < 4; turn++) together.add((unit % 7) + turn, `u${unit}`)
    expect(apart.interval().low).toBeCloseTo(together.interval().low, 10)
    expect(apart.pValue(apart.interval().low)).toBeCloseTo(0.05, 10)
    expect(new UnitMoments(0.95, 100).pValue(0)).toBe(1)
  })

  it.each([
    [NaN, 1],
    [1, 0],
    [1, Infinity],
  ])('refuses a score of %s with weight %s', (score, weight) => {
    const moments = new UnitMoments(0.95, 10)
    expect(() => moments.add(score, undefined, weight)).toThrow(RangeError)
    expect(moments.requests).toBe(0)
  })
})
