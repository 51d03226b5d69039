import { describe, expect, it } from 'vitest'
import { ConfidenceSequence, mixturePValue, mixtureReach, rhoSquaredOf } from './confidence-sequence.js'
import { normalDraw } from './distributions.js'
import { childRandom } from './random.js'

/** The share of runs in which the mean was outside the interval at some look. */
function everMissed(runs: number, numbers: number, draw: (random: ReturnType<typeof childRandom>) => number, mean: number): number {
  let missed = 0
  for (let run = 0; run < runs; run++) {
    const random = childRandom(7, `run ${run}`)
    const sequence = new ConfidenceSequence(0.95, 200)
    for (let index = 0; index < numbers; index++) {
      sequence.add(draw(random))
      const { low, high } = sequence.interval()
      if (mean < low || mean > high) {
        missed += 1
        break
      }
    }
  }
  return missed / runs
}

describe('ConfidenceSequence', () => {
  it('holds the mean at every look together as often as it says', () => {
    expect(everMissed(400, 1_000, normalDraw, 0)).toBeLessThan(0.075)
    expect(everMissed(400, 1_000, (random) => (random.next() < 0.3 ? 1 : 0), 0.3)).toBeLessThan(0.075)
  })

  it('gets narrower, and is no wider than twice the interval of a single look where it is to be tight', () => {
    const random = childRandom(1, 'narrow')
    const sequence = new ConfidenceSequence(0.95, 1_000)
    let before = Infinity
    for (let index = 1; index <= 4_000; index++) {
      sequence.add(normalDraw(random))
      if (index % 1_000 !== 0) continue
      const { low, high } = sequence.interval()
      expect(high - low).toBeLessThan(before)
      before = high - low
      if (index === 1_000) expect((high - low) / 2).toBeLessThan((2 * 1.96 * 1.1) / Math.sqrt(1_000))
    }
  })

  it('has no bounds before its first look, and none that are narrower than the count it names', () => {
    const sequence = new ConfidenceSequence(0.9, 100, 10)
    for (let index = 0; index < 9; index++) sequence.add(index % 2)
    expect(sequence.interval()).toMatchObject({ low: -Infinity, high: Infinity, n: 9 })
    sequence.add(1)
    const { low, high } = sequence.interval()
    expect(high - low).toBeLessThan(Infinity)
    const needed = sequence.countFor((high - low) / 20)
    expect(needed).toBeGreaterThan(100)
    expect(sequence.countFor(0)).toBe(Infinity)
  })

  it('has p-values that are α at the edge of the interval of level 1 - α', () => {
    for (const [level, n, variance] of [
      [0.95, 300, 1],
      [0.9, 4_000, 0.02],
      [0.999, 50, 7],
    ] as const) {
      const rhoSquared = rhoSquaredOf(level, 1_000)
      expect(mixturePValue(n, variance, mixtureReach(n, variance, { level, rhoSquared }), rhoSquared)).toBeCloseTo(1 - level, 12)
    }
    expect(mixturePValue(100, 1, 0, 0.01)).toBe(1)
    expect(mixturePValue(100, 0, 0.1, 0.01)).toBe(0)
    expect(mixturePValue(0, 0, 0.1, 0.01)).toBe(1)
  })

  it.each([NaN, Infinity, -Infinity])('refuses %s', (value) => {
    const sequence = new ConfidenceSequence()
    expect(() => sequence.add(value)).toThrow(RangeError)
    expect(sequence.count).toBe(0)
  })

  it.each([
    [0, 10],
    [1, 10],
    [0.95, 0],
  ])('refuses a level of %d tight at %d', (level, tightAt) => {
    expect(() => new ConfidenceSequence(level, tightAt)).toThrow(RangeError)
  })
})
