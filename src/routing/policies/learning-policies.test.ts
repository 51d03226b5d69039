import { describe, expect, it } from 'vitest'
import { BudgetExceeded } from '../../errors/index.js'
import { toDollars, usd } from '../../quantities/index.js'
import { seededRandom } from '../../statistics/index.js'
import {
  boundedDistribution,
  constrained,
  exploring,
  learningBudget,
  linUcb,
  placement,
  preferInstant,
  sticky,
  thompson,
  valueOfInformation,
  type Policy,
  type Situation,
} from '../index.js'
import { banditDimensions, banditFeatures } from './bandit-features.js'
import { featuresOf, priceOf, randomArms, scene } from './fixtures/scene.js'
import { LinearPosterior } from './linear-posterior.js'

const large = { id: 'large', quality: 0.9, usd: 0.01, seconds: 8 }
const small = { id: 'small', quality: 0.6, usd: 0.0002, seconds: 1 }
const sum = (values: readonly number[] = []) => values.reduce((total, value) => total + value, 0)

/** How often each arm is chosen from one situation, beside the propensities that were logged. */
function frequencies(policy: Policy, situation: Situation, rounds: number) {
  const counts = situation.arms.map(() => 0)
  const logged = situation.arms.map(() => 0)
  for (let round = 0; round < rounds; round++) {
    const decision = policy.choose(situation)
    const at = situation.arms.findIndex(({ id }) => id === decision.arm.id)
    counts[at] = (counts[at] ?? 0) + 1 / rounds
    ;(decision.propensities ?? situation.arms.map((_, index) => (index === at ? decision.propensity : 0))).forEach((probability, index) => {
      logged[index] = (logged[index] ?? 0) + probability / rounds
    })
  }
  return { counts, logged }
}

describe('policies that draw', () => {
  const makers: readonly [string, () => Policy][] = [
    ['thompson', () => thompson({ share: 0.3 })],
    ['linucb', () => linUcb({ alpha: 2, share: 0.3 })],
    ['exploring', () => exploring(valueOfInformation(), { share: 0.3, dearest: 1000 })],
    ['exploring a sticky one', () => exploring(sticky(valueOfInformation()), { share: 0.3, dearest: 1000 })],
    ['sticky around one that explores', () => sticky(exploring(valueOfInformation(), { share: 0.3, dearest: 1000 }))],
  ]
  for (const [name, make] of makers) {
    it(`${name}: propensities sum to one, name the chosen arm, keep budget and ceilings, and explore within the share`, () => {
      const random = seededRandom(31)
      let others = 0
      for (let round = 0; round < 40; round++) {
        const arms = randomArms(random, 2 + Math.floor(random.next() * 5))
        const left = usd('0.05')
        const situation = scene(
          arms,
          {
            objective: { lambda: 0.01 * random.next(), maxUsd: usd('0.003') },
            budget: { usd: left },
            outputLimit: 200,
            ...(round % 3 === 0 && { session: { arm: 'arm-1', warmTokens: 0, turns: 2 } }),
          },
          random,
        )
        const policy = make()
        try {
          const decision = policy.choose(situation)
          const at = situation.arms.findIndex(({ id }) => id === decision.arm.id)
          expect(decision.expected?.arm).toBe(decision.arm.id)
          expect(decision.expected?.cost.usd != null && decision.expected.cost.usd <= usd('0.003')).toBe(true)
          expect(decision.propensity).toBeGreaterThan(0)
          if (!decision.propensities) continue
          expect(decision.propensities).toHaveLength(arms.length)
          expect(sum(decision.propensities)).toBeCloseTo(1, 9)
          expect(decision.propensities[at]).toBe(decision.propensity)
          expect(Math.max(...decision.propensities)).toBeGreaterThanOrEqual(0.7 - 1e-9)
          if (decision.explored) others++
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(BudgetExceeded)
        }
      }
      expect(others).toBeGreaterThan(0)
    })

    it(`${name}: the logged propensities are how often each arm answers`, () => {
      const situation = scene(
        [
          { ...large, variance: 0.02 },
          { ...small, variance: 0.02, quality: 0.84 },
          { id: 'middle', quality: 0.8, usd: 0.001, variance: 0.08 },
        ],
        { objective: { lambda: 0.1 } },
        seededRandom(12),
      )
      const { counts, logged } = frequencies(make(), situation, 600)
      counts.forEach((share, index) => expect(Math.abs(share - (logged[index] ?? 0))).toBeLessThan(0.07))
      expect(Math.max(...counts)).toBeLessThan(1)
    })

    it(`${name}: never explores where the caller doesn't want to, nor in a tool loop`, () => {
      for (const changes of [
        { objective: { lambda: 0.1, explore: false } },
        { objective: { lambda: 0.1 }, features: featuresOf({ toolLoop: true }) },
      ])
        for (let seed = 0; seed < 10; seed++) {
          const decision = make().choose(scene([large, { ...small, quality: 0.85, variance: 0.05 }], changes, seededRandom(seed)))
          expect([decision.propensity, decision.explored ?? false]).toEqual([1, false])
        }
    })

    it(`${name}: the same random numbers give the same decision`, () => {
      const arms = randomArms(seededRandom(77), 5)
      const choose = () => make().choose(scene(arms, { objective: { lambda: 0.01 } }, seededRandom(5)))
      expect(choose()).toEqual({ ...choose(), arm: expect.anything() as unknown })
    })
  }

  it('forces each arm in turn: what its propensity says is the mass it has', () => {
    expect(boundedDistribution([0.2, 0.5, 0.3], 0, 0.1)).toEqual([0.9, 0.0625, expect.closeTo(0.0375, 12)])
    expect(boundedDistribution([0.95, 0.05], 0, 0.1)).toEqual([0.95, expect.closeTo(0.05, 12)])
    expect(boundedDistribution([NaN, -1, Infinity], 2, 0.5)).toEqual([0, 0, 1])
    expect(boundedDistribution([0, 0], 1, 1)).toEqual([0, 1])
  })
})

describe('bandits', () => {
  it('learn which arm is good for which requests, where the predictor knows nothing', () => {
    for (const make of [() => thompson({ share: 0.5 }), () => linUcb({ share: 0.5 })]) {
      const policy = make()
      const random = seededRandom(40)
      const situationOf = (code: boolean) =>
        scene(
          [
            { id: 'a', usd: 0.001 },
            { id: 'b', usd: 0.001 },
          ],
          { features: featuresOf({ code }, code ? [3, 40] : [7, 90]), familiarity: 0, objective: { lambda: 1 } },
          random,
        )
      for (let round = 0; round < 400; round++) {
        const code = round % 2 === 0
        const decision = policy.choose(situationOf(code))
        const good = (decision.arm.id === 'a') === code
        policy.observe?.(decision, {
          features: situationOf(code).features,
          arm: decision.arm.id,
          quality: random.next() < (good ? 0.9 : 0.3) ? 1 : 0,
        })
      }
      const certain = (code: boolean) => policy.choose({ ...situationOf(code), objective: { lambda: 1, explore: false } }).arm.id
      expect([certain(true), certain(false)]).toEqual(['a', 'b'])
    }
  })

  it('begin with the reference, and ignore outcomes that are none or of another arm', () => {
    const policy = thompson({ share: 0 })
    const situation = scene(
      [
        { id: 'a', usd: 0.01 },
        { id: 'b', usd: 0.001 },
      ],
      { objective: { lambda: 1 } },
    )
    const decision = policy.choose(situation)
    expect(decision.arm.id).toBe('a')
    for (const observation of [{ arm: 'a', quality: NaN }, { arm: 'b', quality: 1 }, { arm: 'a' }])
      policy.observe?.(decision, { features: situation.features, ...observation })
    expect(policy.choose(situation).arm.id).toBe('a')
  })

  it('have a posterior that is ridge regression', () => {
    const posterior = new LinearPosterior(2, 4, 0.5)
    const rows = [
      [1, 0, 1],
      [1, 1, 3],
      [0, 2, 3],
    ] as const
    for (const [x1, x2, y] of rows) posterior.update(Float64Array.of(x1, x2), y)
    // (XᵀX/σ² + I/τ²)⁻¹ with XᵀX = [[2, 1], [1, 5]], Xᵀy = [4, 9]; by hand.
    const [a, b, d] = [2 / 0.5 + 0.25, 1 / 0.5, 5 / 0.5 + 0.25]
    const det = a * d - b * b
    const mean = [(d * 8 - b * 18) / det, (a * 18 - b * 8) / det]
    const at = posterior.at(Float64Array.of(1, 2))
    expect(at.mean).toBeCloseTo((mean[0] ?? 0) + 2 * (mean[1] ?? 0), 10)
    expect(at.variance).toBeCloseTo((d - 4 * b + 4 * a) / det, 10)
    expect(() => posterior.update(Float64Array.of(1, NaN), 1)).toThrow(RangeError)
    expect(posterior.observations).toBe(3)
  })

  it('see a request as a short vector of unit length, whatever is in it', () => {
    for (const features of [featuresOf(), featuresOf({ inputTokens: NaN, numeric: Infinity }), featuresOf({}, [])]) {
      const vector = banditFeatures(features, 16)
      expect(vector).toHaveLength(banditDimensions(16))
      expect(Math.hypot(...vector)).toBeCloseTo(1, 6)
    }
  })
})

describe('exploring', () => {
  it("spends no more than the allowance, and nothing on what it can't price", () => {
    const budget = learningBudget(usd('0.02'), { now: () => 0 })
    const policy = exploring(valueOfInformation(), { share: 1, allowance: budget, dearest: 1000 })
    const random = seededRandom(3)
    let extra = 0
    for (let round = 0; round < 50; round++) {
      const { explored, expected, arm } = policy.choose(
        scene([large, small, { id: 'unpriced', quality: 0.5 }], { objective: { lambda: 0 } }, random),
      )
      expect(arm.id).not.toBe('unpriced')
      if (explored) extra += toDollars(expected?.cost.usd ?? usd(1)) - 0.0002
    }
    expect(extra).toBeGreaterThan(0.009)
    expect(extra).toBeLessThanOrEqual(0.02)
  })

  it('tries an arm of which nothing is known, but none that is known to be below the floor, or out of proportion dear', () => {
    const tried = (other: Parameters<typeof scene>[0][0]) => {
      const policy = exploring(valueOfInformation(), { share: 1 })
      return Array.from(
        { length: 40 },
        (_, seed) => policy.choose(scene([large, other], { objective: { lambda: 1, qualityFloor: 0.9 } }, seededRandom(seed))).arm.id,
      ).includes(other.id)
    }
    expect(tried({ id: 'new', usd: 0.001 })).toBe(true)
    expect(tried({ id: 'poor', quality: 0.3, usd: 0.001 })).toBe(false)
    expect(tried({ id: 'dear', usd: 1 })).toBe(false)
    expect(() => exploring(valueOfInformation(), { share: 2 })).toThrow(RangeError)
  })
})

describe('sticky', () => {
  const policy = sticky(valueOfInformation())
  const priced = [
    { ...large, priceOf: priceOf(1e-5, 3e-5) },
    { ...small, priceOf: priceOf(1e-7, 2e-7) },
  ] as const
  const at = (session: Situation['session'], changes: Partial<Situation> = {}) =>
    policy.choose(scene(priced, { objective: { lambda: 0.01 }, session, ...changes }))

  it('stays while the prompt cache is worth more than the change', () => {
    // The change gains 0.0098 − 0.01 × 0.3 = 0.0068 dollars; the cache is worth 9e-6 a token.
    expect(at(undefined).arm.id).toBe('small')
    expect(at({ arm: 'large', warmTokens: 700, turns: 3 }).arm.id).toBe('small')
    const stays = at({ arm: 'large', warmTokens: 800, turns: 3 })
    expect([stays.arm.id, stays.reason]).toEqual(['large', expect.stringContaining('prompt cache')])
    expect(at({ arm: 'gone', warmTokens: 1e6, turns: 3 }).arm.id).toBe('small')
    expect(at({ arm: 'large', warmTokens: NaN, turns: 3 }).arm.id).toBe('small')
  })

  it('loses nothing between arms of the same model', () => {
    const arms = [
      { ...large, model: 'm', priceOf: priceOf(1e-5, 3e-5) },
      { ...small, model: 'm', priceOf: priceOf(1e-5, 3e-5) },
    ] as const
    expect(policy.choose(scene(arms, { objective: { lambda: 0.01 }, session: { arm: 'large', warmTokens: 1e6, turns: 2 } })).arm.id).toBe(
      'small',
    )
  })

  it('never changes in a tool loop while its arm can answer', () => {
    const random = seededRandom(15)
    for (let round = 0; round < 100; round++) {
      const arms = randomArms(random, 4)
      const decision = sticky(exploring(valueOfInformation(), { share: 1 })).choose(
        scene(
          arms,
          {
            features: featuresOf({ toolLoop: true }),
            session: { arm: 'arm-2', warmTokens: 0, turns: 4 },
            objective: { lambda: random.next(), qualityFloor: 0.9, maxSeconds: 5 },
          },
          random,
        ),
      )
      expect(decision.arm.id).toBe('arm-2')
    }
    const stuck = at({ arm: 'large', warmTokens: 1e6, turns: 3 }, { features: featuresOf({ toolLoop: true }), budget: { usd: usd(0.001) } })
    expect(stuck.arm.id).toBe('small')
  })
})

describe('constrained', () => {
  const run = (policy: ReturnType<typeof constrained>, rounds: number, conversation?: string, tenant?: string) => {
    let spent = 0
    let larges = 0
    for (let round = 0; round < rounds; round++) {
      const situation = scene([large, small], { conversation, tenant })
      const decision = policy.choose(situation)
      const took = toDollars(decision.expected?.cost.usd ?? usd(0))
      spent += took
      if (decision.arm.id === 'large') larges++
      policy.observe?.(decision, { features: situation.features, arm: decision.arm.id, usd: took })
    }
    return { spent, larges }
  }

  it('spends what it may over the turns, and paces it', () => {
    const policy = constrained({ limits: { usd: 0.5 }, turns: 100 })
    const first = run(policy, 50, 'c')
    expect(first.spent).toBeGreaterThan(0.15)
    expect(first.spent).toBeLessThan(0.4)
    const rest = run(policy, 50, 'c')
    expect(first.spent + rest.spent).toBeLessThanOrEqual(0.5)
    expect(first.spent + rest.spent).toBeGreaterThan(0.4)
  })

  it('never exceeds a limit in dollars, and says so when none is left', () => {
    const policy = constrained({ limits: { usd: 0.0105 }, turns: 3 })
    expect(() => run(policy, 100, 'c')).toThrow(BudgetExceeded)
    expect(policy.state('c').spent.usd).toBeLessThanOrEqual(0.0105)
    expect(() => constrained({ limits: { usd: NaN }, turns: 3 })).toThrow(RangeError)
    expect(() => constrained({ limits: {}, turns: 0 })).toThrow(RangeError)
  })

  it('prices seconds as well, without refusing for them', () => {
    const policy = constrained({ limits: { seconds: 100 }, turns: 50 })
    const { larges } = run(policy, 50, 'c')
    expect(larges).toBeGreaterThan(2)
    expect(larges).toBeLessThan(25)
    expect(run(policy, 20, 'c').larges).toBeLessThan(10)
  })

  it('keeps conversations apart, begins them at the common price, and forgets the oldest', () => {
    const policy = constrained({ limits: { usd: 0.2 }, turns: 100, mostConversations: 2 })
    run(policy, 30, 'one')
    expect(policy.state('two').turns).toBe(0)
    expect(policy.state('two').prices.usd).toBeGreaterThan(0)
    run(policy, 1, 'two')
    run(policy, 1, 'three')
    expect([policy.state('one').turns, policy.state('three').turns]).toEqual([0, 1])
  })

  it('keeps the prices and the windows of tenants apart', () => {
    const policy = constrained({ limits: { usd: 0.2 }, turns: 100 })
    run(policy, 30, 'one', 'a')
    expect(policy.state('new', 'a').prices.usd).toBeGreaterThan(0)
    expect(policy.state('new', 'b').prices.usd).toBe(0)
    run(policy, 3, undefined, 'a')
    expect([policy.state(undefined, 'a').turns, policy.state(undefined, 'b').turns, policy.state().turns]).toEqual([3, 0, 0])
    const other = constrained({ limits: { usd: 0.2 }, turns: 100 })
    other.memory?.load(policy.memory?.serialize() ?? new Uint8Array())
    for (const tenant of ['a', 'b']) expect(other.state(undefined, tenant)).toEqual(policy.state(undefined, tenant))
  })

  it('starts a window anew without a conversation', () => {
    const policy = constrained({ limits: { usd: 0.5 }, turns: 100 })
    const { spent } = run(policy, 1000)
    expect(spent).toBeGreaterThan(4)
    expect(spent).toBeLessThanOrEqual(5)
  })
})

describe('placement and modes', () => {
  // 150: no useful answer of a device within 30 s, the cloud's within 10 s, the edge between.
  const device = {
    id: 'device',
    quality: 0.5,
    usd: 0,
    place: 'device' as const,
    firstTokenSeconds: 2,
    tokensPerSecond: 6,
    outputTokens: 200,
  }
  const edge = {
    id: 'edge',
    quality: 0.75,
    usd: 0.0005,
    place: 'edge' as const,
    firstTokenSeconds: 1,
    tokensPerSecond: 15,
    outputTokens: 200,
  }
  const cloud = {
    id: 'cloud',
    quality: 0.8,
    usd: 0.01,
    place: 'cloud' as const,
    firstTokenSeconds: 0.5,
    tokensPerSecond: 60,
    outputTokens: 200,
  }
  const policy = placement(valueOfInformation())
  const at = (changes: Partial<Situation>) => policy.choose(scene([cloud, edge, device], { objective: { relativeLambda: 10 }, ...changes }))

  it('picks the cloud at a deadline of ten seconds, the device when private or offline, else the edge', () => {
    expect(at({}).arm.id).toBe('edge')
    expect(at({ objective: { relativeLambda: 10, maxSeconds: 10 } }).arm.id).toBe('cloud')
    expect(at({ objective: { relativeLambda: 10, private: true } }).arm.id).toBe('device')
    const offline = at({ offline: true })
    expect([offline.arm.id, offline.reason]).toEqual(['device', expect.stringContaining('Degraded')])
    expect(at({ objective: { maxSeconds: 0.1 } }).arm.id).toBe('cloud')
    expect(at({ objective: { relativeLambda: 10, maxSeconds: 10 } }).excluded?.map(({ arm }) => arm)).toEqual(['edge', 'device'])
  })

  it('doubts a dearer mode where the instant one is likely right (116)', () => {
    const instant = { id: 'instant', model: 'm', mode: 'instant' as const, quality: 0.9, usd: 0.001 }
    const reason = { id: 'reason', model: 'm', mode: 'reason' as const, quality: 0.99, usd: 0.005 }
    const objective = { lambda: 0.1 }
    expect(valueOfInformation().choose(scene([instant, reason], { objective })).arm.id).toBe('reason')
    const decision = preferInstant(valueOfInformation()).choose(scene([instant, reason], { objective }))
    expect(decision.arm.id).toBe('instant')
    expect(decision.alternatives[1]?.quality?.mean).toBe(0.99)
    expect(preferInstant(valueOfInformation()).choose(scene([{ ...instant, quality: 0.7 }, reason], { objective })).arm.id).toBe('reason')
  })
})
