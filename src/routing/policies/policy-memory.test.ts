import { describe, expect, it } from 'vitest'
import { auctioned, configuredPolicy, constrained, linUcb, thompson, type Policy, type Situation } from '../index.js'
import { banditFeatures } from './bandit-features.js'
import { scene } from './fixtures/scene.js'
import { LinearPosterior } from './linear-posterior.js'

const large = { id: 'large', quality: 0.8, usd: 0.01, seconds: 8 }
const small = { id: 'small', quality: 0.7, usd: 0.0002, seconds: 1 }

/** Lets the arm that is chosen turn out so good, so many times. */
function live(policy: Policy, situation: Situation, quality: number, rounds: number, weight = 1): void {
  for (let round = 0; round < rounds; round++) {
    const decision = policy.choose(situation)
    policy.observe?.(decision, { features: situation.features, arm: decision.arm.id, quality, weight })
  }
}

describe('the memory of a policy', () => {
  const makers: readonly [string, () => Policy][] = [
    ['thompson', () => thompson({ share: 0 })],
    ['linucb', () => linUcb({ share: 0 })],
    ['one from a configuration', () => configuredPolicy({ kind: 'lin_ucb', places: true, sticky: true, share: 0, leastFamiliarity: 0 })],
  ]
  it.each(makers)('of %s makes another choose the same, and is refused where it was spoilt', (_, make) => {
    const situation = scene([large, small], { objective: { lambda: 1 } })
    const policy = make()
    expect(policy.choose(situation).arm.id).toBe('large')
    live(policy, situation, 0, 30)
    expect(policy.choose(situation).arm.id).toBe('small')
    const bytes = policy.memory?.serialize() ?? new Uint8Array()
    const other = make()
    other.memory?.load(bytes)
    expect(other.choose(situation).arm.id).toBe('small')
    expect(other.memory?.serialize()).toEqual(bytes)
    const text = Buffer.from(bytes).toString()
    const spoilt = [
      text.slice(0, 40),
      text.replace('"version":1', '"version":2'),
      text.replace(/"policy":"\w+"/, '"policy":"x"'),
      text.replace(/",\d+,"\w{8}/, '",1,"AAAAAAAA/////w'),
    ]
    for (const bad of spoilt)
      expect(() => make().memory?.load(Buffer.from(bad))).toThrow(expect.objectContaining({ code: 'invalid_configuration' }))
  })

  it('of a bandit is each tenant’s own', () => {
    const policy = thompson({ share: 0 })
    const one = { ...scene([large, small], { objective: { lambda: 1 } }), tenant: 'one' }
    live(policy, one, 0, 30)
    expect(policy.choose(one).arm.id).toBe('small')
    expect(policy.choose({ ...one, tenant: 'two' }).arm.id).toBe('large')
  })

  it('of long-run limits goes on with what was spent, and a word on an answer is no turn', () => {
    const limits = { limits: { usd: 0.05 }, turns: 5 }
    const policy = constrained(limits)
    const situation = scene([large, small], { conversation: 'c' })
    for (let turn = 0; turn < 2; turn++) {
      const decision = policy.choose(situation)
      policy.observe?.(decision, { features: situation.features, arm: decision.arm.id, usd: 0.01, seconds: 2 })
      policy.observe?.(decision, { features: situation.features, arm: decision.arm.id, quality: 1 })
    }
    const other = constrained(limits)
    other.memory?.load(policy.memory?.serialize() ?? new Uint8Array())
    expect(other.state('c')).toEqual(policy.state('c'))
    expect(other.state('c')).toMatchObject({ turns: 2, spent: { usd: 0.02 } })
    expect(() => other.memory?.load(thompson().memory?.serialize() ?? new Uint8Array())).toThrow(
      expect.objectContaining({ code: 'invalid_configuration' }),
    )
  })

  it('is moved at a request by no more than the share that a word’s weight has beside the prior', () => {
    const { features } = scene([large, small])
    for (const cap of [0.1, 0.2, 0.5]) {
      const x = banditFeatures(features, 24)
      const posterior = new LinearPosterior(x.length, 0.04, 0.2)
      // What one source is granted in all, in small pieces: cap/(1 − cap) of the five outcomes that the prior is worth.
      for (let word = 0; word < 100; word++) posterior.update(x, -1, (cap / (1 - cap)) * 5 * 0.01)
      expect(posterior.at(x).mean).toBeGreaterThanOrEqual(-cap - 1e-9)
      expect(posterior.at(x).mean).toBeLessThan(0)
    }
  })
})

describe('an auction’s place among the arms', () => {
  it('is never tried out: only the policy around the others can tell where it belongs', () => {
    const arms = [large, small, { id: 'auction', quality: 0.9, usd: 0.0003 }] as const
    const policy = configuredPolicy({
      kind: 'value_of_information',
      places: false,
      sticky: true,
      share: 0.5,
      leastFamiliarity: 0,
      around: { arm: 'auction', policy: (inner) => auctioned(inner, { arm: 'auction', bidders: ['large', 'small'], timesPlans: 1e9 }) },
    })
    const situation = scene(arms, { objective: { lambda: 1 } })
    for (let round = 0; round < 200; round++) {
      const decision = policy.choose(situation)
      expect(decision.arm.id).not.toBe('auction')
      expect(decision.propensities?.reduce((sum, one) => sum + one, 0) ?? 1).toBeCloseTo(1, 9)
    }
  })
})
