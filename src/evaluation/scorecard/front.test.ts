import { describe, expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import {
  averageQuality,
  costAtQuality,
  efficiencyQualityArea,
  frontMembership,
  hypervolume,
  mixtureHull,
  paretoFront,
  qualityAtCost,
  type CostQuality,
} from './front.js'

const at = (cost: number, quality: number): CostQuality => ({ cost, quality })
const points = (seed: number, count = 12) => {
  const random = childRandom(seed, 'points')
  return Array.from({ length: count }, () => at(random.next(), random.next()))
}

describe('the front of cost and quality', () => {
  it('keeps exactly the points that nothing beats', () => {
    for (let seed = 0; seed < 50; seed++) {
      const all = points(seed)
      const front = paretoFront(all)
      for (const point of all) {
        const beaten = all.some((other) => other !== point && other.cost <= point.cost && other.quality >= point.quality)
        expect(front.includes(point)).toBe(!beaten)
      }
    }
  })

  it('hypervolume by hand, and never lower for one point more', () => {
    expect(hypervolume([at(1, 0.5), at(2, 1)], at(3, 0))).toBeCloseTo(0.5 + 1, 12)
    expect(hypervolume([at(4, 1), at(1, -1)], at(3, 0))).toBe(0)
    for (let seed = 0; seed < 50; seed++) {
      const all = points(seed)
      expect(hypervolume(all, at(1, 0))).toBeGreaterThanOrEqual(hypervolume(all.slice(1), at(1, 0)) - 1e-12)
    }
  })

  it('the hull of mixtures is above every point, rises, and bends down', () => {
    for (let seed = 0; seed < 50; seed++) {
      const all = points(seed)
      const hull = mixtureHull(all)
      for (const { cost, quality } of all) expect(qualityAtCost(hull, cost) ?? -1).toBeGreaterThanOrEqual(quality - 1e-9)
      const slopes = hull
        .slice(1)
        .map((point, index) => (point.quality - (hull[index]?.quality ?? 0)) / (point.cost - (hull[index]?.cost ?? 0)))
      for (const [index, slope] of slopes.entries()) {
        expect(slope).toBeGreaterThan(0)
        if (index > 0) expect(slope).toBeLessThanOrEqual((slopes[index - 1] ?? 0) + 1e-12)
      }
    }
  })

  it('reads the hull both ways', () => {
    const hull = mixtureHull([at(1, 0.4), at(3, 0.8)])
    expect(qualityAtCost(hull, 2)).toBeCloseTo(0.6, 12)
    expect(costAtQuality(hull, 0.6)).toBeCloseTo(2, 12)
    expect(qualityAtCost(hull, 0.5)).toBeNull()
    expect(costAtQuality(hull, 0.9)).toBeNull()
    expect(qualityAtCost(hull, 9)).toBe(0.8)
    expect(costAtQuality(hull, 0.1)).toBe(1)
    expect(averageQuality([at(1, 0.4), at(3, 0.8)], 1, 3)).toBeCloseTo(0.6, 12)
    expect(averageQuality([at(1, 0.4), at(3, 0.8)], 3, 5)).toBeCloseTo(0.8, 12)
    expect(() => averageQuality([], 1, 1)).toThrow(RangeError)
  })

  it('a system far better than the rest is on the front in every draw', () => {
    const random = childRandom(1, 'items')
    const table = Array.from({ length: 50 }, () => [
      at(1, random.next() < 0.9 ? 1 : 0),
      at(2, random.next() < 0.3 ? 1 : 0),
      at(2, random.next() < 0.95 ? 1 : 0),
    ])
    const [first, beaten, close] = frontMembership(table, childRandom(2, 'draws'), 300)
    expect(first).toBe(1)
    expect(beaten).toBe(0)
    expect(close).toBeGreaterThan(0.3)
    expect(close).toBeLessThan(1)
  })

  it('the area of efficiency and quality never falls when a success gets shorter', () => {
    const budgets = [5, 10, 20, 40]
    expect(
      efficiencyQualityArea(
        [
          { used: 7, success: true },
          { used: 1, success: false },
        ],
        budgets,
      ),
    ).toBeCloseTo(3 / 8, 12)
    expect(efficiencyQualityArea([], budgets)).toBeNull()
    const random = childRandom(4, 'episodes')
    const episodes = Array.from({ length: 30 }, () => ({ used: Math.ceil(random.next() * 50), success: random.next() < 0.6 }))
    const area = efficiencyQualityArea(episodes, budgets) ?? 0
    for (const index of episodes.keys())
      expect(
        efficiencyQualityArea(
          episodes.map((episode, other) => (other === index ? { ...episode, used: episode.used / 2 } : episode)),
          budgets,
        ),
      ).toBeGreaterThanOrEqual(area)
  })
})
