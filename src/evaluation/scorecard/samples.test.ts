import { describe, expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import { costClusters, differentialPerformance, effAtK, sampleEfficiency } from './samples.js'

/** The mean of the best over all subsets of k. */
function bruteForce(values: readonly number[], k: number): number {
  const best: number[] = []
  const choose = (from: number, left: number, most: number) => {
    if (left === 0) return void best.push(most)
    for (let index = from; index <= values.length - left; index++) choose(index + 1, left - 1, Math.max(most, values[index] ?? 0))
  }
  choose(0, k, -Infinity)
  return best.reduce((sum, value) => sum + value, 0) / best.length
}

describe('eff@k', () => {
  it('is the mean of the best over all subsets', () => {
    const random = childRandom(3, 'eff')
    for (let trial = 0; trial < 40; trial++) {
      const values = Array.from({ length: 1 + Math.floor(random.next() * 8) }, () => Math.round(random.next() * 12) / 10)
      for (let k = 1; k <= values.length; k++) expect(effAtK(values, k)).toBeCloseTo(bruteForce(values, k), 10)
    }
  })

  it('is pass@k where samples are right or wrong', () => {
    expect(effAtK([1, 0, 0, 0], 2)).toBeCloseTo(0.5, 12)
    expect(effAtK([0, 0], 2)).toBe(0)
  })

  it.each([0, 4, 1.5, NaN])('refuses k = %s of 3', (k) => expect(() => effAtK([1, 1, 1], k)).toThrow(RangeError))
  it('refuses what is no number', () => expect(() => effAtK([NaN, 1], 1)).toThrow(RangeError))
})

describe('sampleEfficiency', () => {
  const level = (seconds: number | null, reference = 1) => ({ seconds, reference })
  it('weighs levels by hardness and counts nothing from where it ran out', () => {
    expect(sampleEfficiency(true, [level(1), level(1)], [3, 1])).toBe(1)
    expect(sampleEfficiency(true, [level(1.5), level(1)], [3, 1])).toBeCloseTo((3 * 0.5 + 1) / 4, 12)
    expect(sampleEfficiency(true, [level(null), level(1)], [3, 1])).toBe(0)
    expect(sampleEfficiency(true, [level(0.5)], [1])).toBeCloseTo(1.5, 12)
    expect(sampleEfficiency(false, [level(1)], [1])).toBe(0)
    expect(() => sampleEfficiency(true, [level(1)], [])).toThrow(RangeError)
  })
})

describe('differential performance', () => {
  it('places a cost among clusters of costs', () => {
    const clusters = costClusters([100, 98, 50, 49, 48, 10])
    expect(clusters).toEqual([
      { cost: 100, share: 2 / 6 },
      { cost: 50, share: 5 / 6 },
      { cost: 10, share: 1 },
    ])
    expect(differentialPerformance(9, clusters)).toEqual({ score: 1, normalised: 1 })
    expect(differentialPerformance(11, clusters)).toEqual({ score: 5 / 6, normalised: 2 / 3 })
    expect(differentialPerformance(100, clusters)).toEqual({ score: 2 / 6, normalised: 1 / 3 })
    expect(differentialPerformance(101, clusters)).toEqual({ score: 0, normalised: 0 })
    expect(differentialPerformance(null, clusters)).toEqual({ score: 0, normalised: 0 })
  })

  it('needs a wider gap where costs are noisy', () => {
    expect(costClusters([100, 85], { noise: 0 })).toHaveLength(2)
    expect(costClusters([100, 85], { noise: 1 })).toHaveLength(1)
    expect(costClusters([])).toEqual([])
    expect(() => costClusters([1, -1])).toThrow(RangeError)
  })
})
