import { describe, expect, it } from 'vitest'
import { gapRecovered, pairMeasures, ranking } from './gap-recovery.js'

const order = (...rows: number[]) => Uint32Array.from(rows)
const gains = (...values: number[]) => Float64Array.from(values)

describe('gap recovery, by hand', () => {
  it('PGR', () => {
    expect(gapRecovered(0.7, 0.6, 0.8)).toBeCloseTo(0.5, 12)
    expect(gapRecovered(0.9, 0.6, 0.8)).toBeCloseTo(1.5, 12)
    expect(gapRecovered(0.7, 0.8, 0.8)).toBeNull()
  })

  it('APGR and CPT of the best, the worst and a middling order', () => {
    // Of four requests one gains: asked first, the whole gap is recovered at a quarter of the calls. Area: 1/4 · 1/2 + 3/4.
    expect(pairMeasures(gains(0, 1, 0, 0), order(1, 0, 2, 3))).toEqual({ apgr: 0.875, cpt50: 0.25, cpt80: 0.25 })
    expect(pairMeasures(gains(0, 1, 0, 0), order(0, 2, 3, 1))).toEqual({ apgr: 0.125, cpt50: 1, cpt80: 1 })
    // Evenly spread gains give a straight line, whatever the order.
    expect(pairMeasures(gains(1, 1, 1, 1, 1), order(3, 1, 0, 4, 2))).toEqual({ apgr: 0.5, cpt50: 0.6, cpt80: 0.8 })
    // Where the weak arm is better the curve rises above the whole gap.
    expect(pairMeasures(gains(1, -0.5), order(0, 1)).apgr).toBeCloseTo((0.5 * (1 / 2) + 0.5 * (3 / 4)) / 0.5, 12)
    expect(pairMeasures(gains(0, 0), order(0, 1)).apgr).toBeNaN()
  })

  it('counts requests as often as a bootstrap drew them', () => {
    const doubled = pairMeasures(gains(1, 0, 0), order(0, 1, 2), Uint16Array.of(2, 1, 0))
    expect(doubled.apgr).toBeCloseTo(pairMeasures(gains(1, 1, 0), order(0, 1, 2)).apgr, 12)
  })

  it('ranks by falling score and breaks ties by chance alone', () => {
    expect([...ranking(gains(0.1, 0.9, 0.5), 1)]).toEqual([1, 2, 0])
    const tied = Array.from({ length: 40 }, (_, seed) => ranking(gains(0, 0), seed)[0])
    expect(new Set(tied)).toEqual(new Set([0, 1]))
  })
})
