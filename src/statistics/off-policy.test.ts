import { describe, expect, it } from 'vitest'
import { doublyRobust, doublyRobustScore, inversePropensity, selfNormalised, type Logged } from './off-policy.js'
import { childRandom } from './random.js'

/** Two arms with rates 0.2 and 0.7; logged with 0.9 and 0.1; the other policy takes the second three times of four: its value is 0.575. */
function log(seed: number, decisions: number, model: (arm: 0 | 1) => number): Logged[] {
  const random = childRandom(seed, 'log')
  const rates = [0.2, 0.7] as const
  const logging = [0.9, 0.1] as const
  const target = [0.25, 0.75] as const
  return Array.from({ length: decisions }, () => {
    const arm = random.next() < logging[0] ? 0 : 1
    return {
      propensity: logging[arm],
      target: target[arm],
      reward: random.next() < rates[arm] ? 1 : 0,
      expected: model(arm),
      expectedOfTarget: target[0] * model(0) + target[1] * model(1),
    }
  })
}
const truth = 0.575
const good = (arm: 0 | 1) => (arm === 0 ? 0.25 : 0.65)
const bad = (arm: 0 | 1) => (arm === 0 ? 0.9 : 0.1)

describe('off-policy estimates', () => {
  it('hold the true value as often as they say, with a good model and with a bad one', () => {
    const covers = (estimate: (decisions: Logged[]) => { low: number; high: number }, model: (arm: 0 | 1) => number) => {
      let held = 0
      for (let seed = 0; seed < 300; seed++) {
        const { low, high } = estimate(log(seed, 800, model))
        if (low <= truth && truth <= high) held += 1
      }
      return held / 300
    }
    for (const estimate of [doublyRobust, inversePropensity, selfNormalised]) expect(covers(estimate, good)).toBeGreaterThan(0.91)
    expect(covers(doublyRobust, bad)).toBeGreaterThan(0.91)
  })

  it('are narrower with a good model than without', () => {
    const decisions = log(1, 5_000, good)
    const width = ({ low, high }: { low: number; high: number }) => high - low
    expect(width(doublyRobust(decisions))).toBeLessThan(0.8 * width(inversePropensity(decisions)))
    expect(width(selfNormalised(decisions))).toBeLessThan(width(inversePropensity(decisions)))
  })

  it('are the mean of what was seen where both policies do the same', () => {
    const decisions = [0.2, 0.4, 0.9].map((reward) => ({ propensity: 0.5, target: 0.5, reward }))
    for (const estimate of [doublyRobust, inversePropensity, selfNormalised]) expect(estimate(decisions).value).toBeCloseTo(0.5, 12)
  })

  it('know nothing of what was never done', () => {
    expect(selfNormalised([{ propensity: 1, target: 0, reward: 1 }])).toMatchObject({ value: NaN, low: -Infinity, high: Infinity })
    expect(doublyRobust([]).value).toBeNaN()
  })

  it.each([
    { propensity: 0, target: 1, reward: 1 },
    { propensity: NaN, target: 1, reward: 1 },
    { propensity: 1.1, target: 1, reward: 1 },
    { propensity: 0.5, target: -0.1, reward: 1 },
    { propensity: 0.5, target: 1, reward: NaN },
    { propensity: 0.5, target: 1, reward: 1, expected: Infinity },
  ])('refuse %j', (decision) => {
    expect(() => doublyRobustScore(decision)).toThrow(RangeError)
    expect(() =>
      selfNormalised([
        { propensity: 1, target: 1, reward: 1 },
        { ...decision, expected: 0, reward: decision.expected === undefined ? decision.reward : NaN },
      ]),
    ).toThrow(RangeError)
  })
})
