import { describe, expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import { Comparison, correctedQuality, type Trial } from './comparison.js'
import { nonInferiority } from './verdict.js'

/**
 * Traffic of two strata whose mixture drifts; the policy is worse by `worse` in the hard one. Answers the trials and the true mean
 * difference.
 */
function traffic(seed: number, requests: number, worse: number, informed = 1): { readonly trials: Trial[]; readonly truth: number } {
  const random = childRandom(seed, 'traffic')
  let truth = 0
  const trials = Array.from({ length: requests }, (_, index): Trial => {
    const hard = random.next() < 0.2 + (0.5 * index) / requests
    const reference = hard ? 0.6 : 0.9
    const policy = reference - (hard ? worse : 0)
    truth += policy - reference
    const heldOut = random.next() < 0.1
    const outcome = random.next() < (heldOut ? reference : policy) ? 1 : 0
    const hint = informed * (reference - 0.75)
    return { heldOut, holdout: 0.1, outcome, stratum: hard ? 'hard' : 'easy', expectedOfPolicy: hint, expectedOfReference: hint }
  })
  return { trials, truth: truth / requests }
}

function compared(trials: readonly Trial[]): Comparison {
  const comparison = new Comparison()
  for (const trial of trials) comparison.add(trial)
  return comparison
}

describe('Comparison', () => {
  it('holds the true difference of drifting traffic', () => {
    let held = 0
    for (let seed = 0; seed < 200; seed++) {
      const { trials, truth } = traffic(seed, 1_500, 0.2)
      const { low, high } = compared(trials).interval()
      if (low <= truth && truth <= high) held += 1
    }
    expect(held / 200).toBeGreaterThan(0.94)
  })

  it('is narrower where something is known beforehand, and no wronger where that is nonsense', () => {
    const width = (trials: readonly Trial[]) => {
      const { low, high } = compared(trials).interval()
      return high - low
    }
    const { trials } = traffic(1, 6_000, 0)
    const blind = trials.map(({ stratum: _, expectedOfPolicy: _p, expectedOfReference: _r, ...rest }) => rest)
    expect(width(trials)).toBeLessThan(width(blind))
    const nonsense = compared(
      trials.map((trial, index) => ({ ...trial, expectedOfPolicy: Math.sin(index) * 5, expectedOfReference: Math.cos(index) * 5 })),
    )
    const { low, high } = nonsense.interval()
    expect(low).toBeLessThan(0)
    expect(high).toBeGreaterThan(0)
  })

  it('counts a conversation once: turns that are drawn as one and answered alike say no more than the first', () => {
    let [clustered, alone] = [0, 0]
    const runs = 60
    for (let seed = 0; seed < runs; seed++) {
      const random = childRandom(seed, 'conversations')
      const units = new Comparison({ range: 1 })
      const requests = new Comparison({ range: 1 })
      for (let conversation = 0; conversation < 300; conversation++) {
        const heldOut = random.next() < 0.4
        const outcome = random.next() < 0.5 ? 1 : 0
        for (let turn = 0; turn < 8; turn++) {
          units.add({ heldOut, holdout: 0.4, outcome, unit: `c${conversation}` })
          requests.add({ heldOut, holdout: 0.4, outcome })
        }
      }
      if (Math.abs(units.interval().value) <= (units.interval().high - units.interval().low) / 2) clustered += 1
      if (Math.abs(requests.interval().value) <= (requests.interval().high - requests.interval().low) / 2) alone += 1
    }
    expect(clustered / runs).toBeGreaterThanOrEqual(0.95)
    expect(alone / runs).toBeLessThan(0.9)
  })

  it('weighs what was looked at by how seldom it is looked at', () => {
    const random = childRandom(3, 'sought')
    const weighted = new Comparison({ range: 1 })
    const unweighted = new Comparison({ range: 1 })
    for (let index = 0; index < 40_000; index++) {
      // Of hard requests, where the policy is worse by 0.4, four times as many are looked at.
      const hard = random.next() < 0.5
      const sought = hard ? 0.4 : 0.1
      if (random.next() >= sought) continue
      const heldOut = random.next() < 0.5
      const outcome = random.next() < 0.9 - (hard && !heldOut ? 0.4 : 0) ? 1 : 0
      weighted.add({ heldOut, holdout: 0.5, outcome, sought })
      unweighted.add({ heldOut, holdout: 0.5, outcome })
    }
    expect(weighted.interval().value).toBeCloseTo(-0.2, 1)
    expect(weighted.interval().low).toBeGreaterThan(-0.27)
    expect(unweighted.interval().high).toBeLessThan(-0.27)
  })

  it('knows that nothing differs where both arms are one, and no more than there is elsewhere', () => {
    const same = new Comparison({ range: 1 })
    for (let index = 0; index < 200; index++) same.add({ heldOut: index % 10 === 0, holdout: 0.1, outcome: index % 2, same: true })
    expect(same.interval()).toMatchObject({ value: 0, low: 0, high: 0, n: 200 })
    for (let index = 0; index < 10; index++) same.add({ heldOut: index === 0, holdout: 0.1, outcome: 1 })
    expect(same.interval().high).toBeCloseTo(10 / 210, 12)
    expect(same.pValue(-0.1)).toBe(0)
    expect(same.pValue(-0.01)).toBe(1)
  })

  it.each([0, 1, NaN])('refuses a holdout of %s', (holdout) => {
    expect(() => new Comparison().add({ heldOut: true, holdout, outcome: 1 })).toThrow(RangeError)
  })

  it('refuses an outcome that is no number, and counts nothing', () => {
    const comparison = new Comparison()
    expect(() => comparison.add({ heldOut: true, holdout: 0.1, outcome: NaN })).toThrow(RangeError)
    expect(comparison.requests).toBe(0)
  })
})

describe('correctedQuality', () => {
  it('has the mean of people, whatever the judge says', () => {
    const random = childRandom(9, 'judge')
    let sum = 0
    const items = 40_000
    for (let item = 0; item < items; item++) {
      const label = random.next() < 0.7 ? 1 : 0
      const asked = random.next() < 0.2
      sum += correctedQuality({ judged: 0.9, labelShare: 0.2, ...(asked ? { label } : {}) })
    }
    expect(sum / items).toBeCloseTo(0.7, 1)
    expect(() => correctedQuality({ judged: 1, labelShare: 0 })).toThrow(RangeError)
  })
})

describe('nonInferiority', () => {
  it('proves what is as good, tells what is worse, and says how much is missing', () => {
    expect(nonInferiority(compared(traffic(2, 20_000, 0).trials), 0.05).verdict).toBe('proven')
    expect(nonInferiority(compared(traffic(2, 20_000, 0.6).trials), 0.05).verdict).toBe('worse')
    const early = nonInferiority(compared(traffic(2, 500, 0).trials), 0.05)
    expect(early.verdict).toBe('not yet')
    if (early.verdict === 'not yet') expect(early.more).toBeGreaterThan(500)
    expect(nonInferiority(new Comparison(), 0.05)).toMatchObject({ verdict: 'not yet' })
    expect(() => nonInferiority(new Comparison(), 0)).toThrow(RangeError)
  })

  it('has no bounds for a margin before there is enough, unless the arms alone settle it', () => {
    const few = (differing: number) => {
      const quality = new Comparison({ range: 1 })
      for (let index = 0; index < 400; index++)
        quality.add({ heldOut: index % 20 === 0, holdout: 0.05, outcome: index % 2, same: index >= differing })
      return quality
    }
    expect(few(400).intervalAt(0.02)).toMatchObject({ low: -Infinity, high: Infinity })
    expect(few(4).intervalAt(0.02)).toMatchObject({ low: -0.01, high: 0.01 })
    expect(nonInferiority(few(4), 0.02).verdict).toBe('proven')
    expect(nonInferiority(few(400), 0.02).verdict).toBe('not yet')
  })
})
