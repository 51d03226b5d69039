import { describe, expect, it } from 'vitest'
import { BudgetExceeded, BursarError, InvalidRequest } from '../../errors/index.js'
import { noUsage, toDollars, usd } from '../../quantities/index.js'
import { seededRandom } from '../../statistics/index.js'
import { explainDecision, lambdaOfTradeoff, namedObjectives, valueOfInformation, type Situation } from '../index.js'
import { featuresOf, priceOf, randomArms, scene } from './fixtures/scene.js'

const policy = valueOfInformation()
const large = { id: 'large', quality: 0.9, usd: 0.01, seconds: 8, joules: 400 }
const middle = { id: 'middle', quality: 0.87, usd: 0.002, seconds: 4, joules: 100 }
const small = { id: 'small', quality: 0.6, usd: 0.0002, seconds: 1, joules: 10 }
const chosen = (situation: Situation) => policy.choose(situation).arm.id

describe('value of information', () => {
  it('takes the arm that is worth most at the price of a right answer', () => {
    const at = (lambda: number) => chosen(scene([large, middle, small], { objective: { lambda } }))
    expect(at(0)).toBe('small')
    // middle − small: 0.0018 dollars for 0.27, so from 0.00667 on; large − middle: 0.008 for 0.03, so from 0.267 on.
    expect([at(0.0066), at(0.0067), at(0.266), at(0.267), at(Number.POSITIVE_INFINITY)]).toEqual([
      'small',
      'middle',
      'middle',
      'large',
      'large',
    ])
  })

  it('is CARROT for a trade-off of money and quality', () => {
    const random = seededRandom(5)
    for (let round = 0; round < 200; round++) {
      const arms = randomArms(random, 6, 0)
      const mu = 0.01 + 0.98 * random.next()
      const best = [...arms].sort((a, b) => (1 - mu) * ((b.quality ?? 0) - (a.quality ?? 0)) - mu * 100 * ((b.usd ?? 0) - (a.usd ?? 0)))[0]
      expect(chosen(scene(arms, { objective: { lambda: lambdaOfTradeoff(mu) } }))).toBe(best?.id)
    }
    expect(lambdaOfTradeoff(0)).toBe(Number.POSITIVE_INFINITY)
    expect(lambdaOfTradeoff(1)).toBe(0)
  })

  it('weighs λ by the reference where no dollars are given', () => {
    expect(chosen(scene([large, middle, small], { objective: namedObjectives.best }))).toBe('large')
    expect(chosen(scene([large, middle, small], { objective: namedObjectives.balanced }))).toBe('middle')
    const cheapened = [large, { ...middle, quality: 0.7 }, { ...small, quality: 0.68 }] as const
    expect(chosen(scene(cheapened, { objective: namedObjectives.cheap }))).toBe('small')
    // The same trade-off whatever the size: all costs times a hundred change nothing.
    const dear = [large, middle, small].map((arm) => ({ ...arm, usd: arm.usd * 100 })) as [typeof large, typeof middle, typeof small]
    expect(chosen(scene(dear, { objective: namedObjectives.balanced }))).toBe('middle')
  })

  it('counts seconds and joules at their worth, and waiting as seconds', () => {
    expect(chosen(scene([large, middle, small], { objective: { lambda: 0.3, usdPerSecond: 0.01 } }))).toBe('middle')
    expect(chosen(scene([large, middle, small], { objective: { lambda: 0.3, usdPerSecond: 0.1 } }))).toBe('small')
    expect(chosen(scene([large, middle, small], { objective: { lambda: 0.2, usdPerJoule: 0.001 } }))).toBe('small')
    const busy = { inFlight: (arm: string) => (arm === 'small' ? 30 : 0) }
    expect(
      chosen(scene([large, middle, { ...small, place: 'device' }], { objective: { lambda: 0.3, usdPerSecond: 0.1 }, load: busy })),
    ).toBe('middle')
  })

  it('reads seconds off the card where nobody measured them', () => {
    const situation = scene([large, { ...middle, seconds: 0, firstTokenSeconds: 1, tokensPerSecond: 50, outputTokens: 100 }], {
      objective: { maxSeconds: 4, lambda: 1 },
    })
    const decision = policy.choose(situation)
    expect(decision.arm.id).toBe('middle')
    expect(decision.expected?.cost.seconds).toBe(3)
  })

  it('breaks ties for the cheaper, then the better, then the first', () => {
    expect(
      chosen(
        scene(
          [
            { id: 'a', quality: 0.9, usd: 0.02 },
            { id: 'b', quality: 0.9, usd: 0.01 },
          ],
          { objective: { lambda: Number.POSITIVE_INFINITY } },
        ),
      ),
    ).toBe('b')
    expect(
      chosen(
        scene(
          [
            { id: 'a', quality: 0.5, usd: 0 },
            { id: 'b', quality: 0.9, usd: 0 },
          ],
          { objective: { relativeLambda: 20 } },
        ),
      ),
    ).toBe('b')
    expect(
      chosen(
        scene([
          { id: 'a', quality: 0.5, usd: 0.01 },
          { id: 'b', quality: 0.5, usd: 0.01 },
        ]),
      ),
    ).toBe('a')
  })

  it('never prefers the unknown to the known', () => {
    const unpriced = { id: 'unpriced', quality: 0.99 }
    const unseen = { id: 'unseen', usd: 0.000001 }
    expect(chosen(scene([large, unpriced, unseen, small], { objective: { lambda: 1 } }))).toBe('large')
    expect(chosen(scene([unpriced, small], { objective: { lambda: 1 } }))).toBe('small')
    expect(chosen(scene([{ id: 'reference' }, unpriced, unseen]))).toBe('reference')
    expect(chosen(scene([large, unseen], { objective: { lambda: 0 } }))).toBe('unseen')
  })

  it('answers what is like nothing seen with the reference arm', () => {
    for (const familiarity of [0, 0.01, NaN])
      expect(chosen(scene([large, middle, small], { familiarity, objective: { lambda: 0.001 } }))).toBe('large')
  })

  it('keeps the quality floor by a lower bound, and the reference always does', () => {
    const objective = { lambda: 0.001, qualityFloor: 0.95 }
    expect(chosen(scene([large, middle, small], { objective }))).toBe('large')
    expect(chosen(scene([large, { ...middle, quality: 0.88 }, small], { objective }))).toBe('middle')
    expect(chosen(scene([large, { ...middle, quality: 0.88, variance: 0.01 }, small], { objective }))).toBe('large')
    expect(chosen(scene([large, { ...middle, quality: null }, small], { objective }))).toBe('large')
  })

  it("leaves out arms that can't", () => {
    const able = { id: 'able', quality: 0.7, usd: 0.01, tools: true, images: true, structured: true, contextTokens: 100_000 }
    const unable = { id: 'unable', quality: 0.9, usd: 0.001, tools: false, images: false, structured: false, contextTokens: 1000 }
    const of = (traits: Parameters<typeof featuresOf>[0], outputLimit?: number) =>
      chosen(scene([unable, able], { features: featuresOf(traits), outputLimit, objective: { lambda: 1 } }))
    expect(of({})).toBe('unable')
    for (const traits of [{ tools: true }, { images: true }, { structured: true }, { inputTokens: 1001 }]) expect(of(traits)).toBe('able')
    expect(of({ inputTokens: 900 }, 200)).toBe('able')
    expect(chosen(scene([able, { ...unable, mode: 'agentic', tools: undefined }], { objective: { lambda: 1 } }))).toBe('able')
    expect(() => policy.choose(scene([unable], { features: featuresOf({ tools: true }) }))).toThrow(InvalidRequest)
    expect(() => policy.choose(scene([unable], { features: featuresOf({ inputTokens: 5000 }) }))).toThrow(
      expect.objectContaining({ code: 'context_length_exceeded' }),
    )
  })

  it('keeps private and offline requests on the device', () => {
    const local = { ...small, place: 'device' as const }
    expect(chosen(scene([large, middle, local], { objective: { lambda: 1, private: true } }))).toBe('small')
    expect(chosen(scene([large, middle, local], { objective: { lambda: 1 }, offline: true }))).toBe('small')
    expect(() => policy.choose(scene([large, middle], { offline: true }))).toThrow(
      expect.objectContaining({ code: 'no_deployment_available' }),
    )
  })

  it('holds ceilings on dollars and prices hard, and those on seconds and joules as far as they can be met', () => {
    const priced = [
      { ...large, priceOf: priceOf(1e-5, 3e-5) },
      { ...middle, priceOf: priceOf(1e-6, 2e-6) },
      { ...small, usd: null },
    ] as const
    expect(chosen(scene(priced, { objective: { lambda: 10, maxUsd: usd(0.005) } }))).toBe('middle')
    expect(chosen(scene(priced, { objective: { lambda: 10, maxPrice: { output: 2.5 } } }))).toBe('middle')
    expect(() => policy.choose(scene(priced, { objective: { maxUsd: usd(0.0001) } }))).toThrow(BudgetExceeded)
    expect(() => policy.choose(scene(priced, { objective: { maxPrice: { input: 0.5 } } }))).toThrow(/ceiling of \$0.5/)
    expect(chosen(scene([large, middle, small], { objective: { lambda: 10, maxSeconds: 5 } }))).toBe('middle')
    expect(chosen(scene([large, middle, small], { objective: { lambda: 10, maxJoules: 50 } }))).toBe('small')
    const impossible = policy.choose(scene([large, middle, small], { objective: { lambda: 10, maxSeconds: 0.1 } }))
    expect([impossible.arm.id, impossible.reason]).toEqual(['small', expect.stringContaining('quickest')])
    expect(chosen(scene([large, middle, small], { objective: { lambda: 10, maxJoules: 1 } }))).toBe('large')
  })

  it('saves near the end of a budget', () => {
    const at = (regime: Situation['regime'], lambda: number) => chosen(scene([large, middle, small], { objective: { lambda }, regime }))
    expect([at('ample', 0.3), at('tight', 0.3), at('last_call', 0.05)]).toEqual(['large', 'middle', 'small'])
    expect(at('last_call', Number.POSITIVE_INFINITY)).toBe('middle')
  })

  it('never exceeds a budget, expected or worst case', () => {
    const random = seededRandom(11)
    let refused = 0
    for (let round = 0; round < 250; round++) {
      const arms = randomArms(random, 1 + Math.floor(random.next() * 6))
      const left = usd((10 ** (-5 + 3 * random.next())).toFixed(9))
      const situation = scene(arms, {
        budget: { usd: left, tokens: 2000, calls: 1 },
        outputLimit: 300,
        objective: { lambda: random.next() },
      })
      try {
        const { arm, expected } = policy.choose(situation)
        expect(expected?.cost.usd !== null && (expected?.cost.usd ?? left) <= left).toBe(true)
        const worst = arm.card.priceOf?.({ ...noUsage, inputTokens: 100, outputTokens: 300 })
        expect(worst != null && worst <= left).toBe(true)
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(BudgetExceeded)
        refused++
      }
    }
    expect(refused).toBeGreaterThan(10)
    expect(refused).toBeLessThan(240)
    expect(() => policy.choose(scene([small], { budget: { usd: usd(0) } }))).toThrow(BudgetExceeded)
    expect(() => policy.choose(scene([small], { budget: { calls: 0 } }))).toThrow(BudgetExceeded)
    expect(() => policy.choose(scene([small], { budget: { tokens: 50 } }))).toThrow(BudgetExceeded)
    expect(() => policy.choose(scene([small], { budget: { seconds: 0.5 } }))).toThrow(BudgetExceeded)
    expect(() => policy.choose(scene([small], { budget: { joules: 1 } }))).toThrow(BudgetExceeded)
  })

  // The λ is a price of money; here λ is dollars for quality, so the law runs the other way: more λ, never less quality and never less cost.
  it('never lowers expected quality or cost when λ rises', () => {
    const random = seededRandom(3)
    for (let round = 0; round < 100; round++) {
      const situation = scene(randomArms(random, 8, 0), { objective: {} })
      let before = { quality: -1, usd: -1 }
      for (const lambda of [0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 100, 1e9, Number.POSITIVE_INFINITY]) {
        const { expected } = policy.choose({ ...situation, objective: { lambda } })
        const now = { quality: expected?.quality?.mean ?? NaN, usd: toDollars(expected?.cost.usd ?? usd(-1)) }
        expect(now.quality).toBeGreaterThanOrEqual(before.quality)
        expect(now.usd).toBeGreaterThanOrEqual(before.usd)
        before = now
      }
    }
  })

  it('is the same for the same situation and certain of itself', () => {
    const random = seededRandom(23)
    for (let round = 0; round < 50; round++) {
      const situation = scene(randomArms(random, 5), { objective: { lambda: 0.01 } })
      const [once, again] = [policy.choose(situation), policy.choose(situation)]
      expect(again).toEqual(once)
      expect(once.propensity).toBe(1)
      expect(once.alternatives.map(({ arm }) => arm)).toEqual(situation.arms.map(({ id }) => id))
    }
  })

  it('takes a figure that is none for unknown', () => {
    const spoilers: ((situation: Situation) => Situation['estimates'])[] = [
      ({ estimates }) => estimates.map((one, index) => (index === 1 ? { ...one, quality: { mean: NaN, variance: 0 } } : one)),
      ({ estimates }) => estimates.map((one, index) => (index === 1 ? { ...one, quality: { mean: 0.99, variance: NaN } } : one)),
      ({ estimates }) =>
        estimates.map((one, index) => (index === 1 ? { ...one, quality: { mean: Number.POSITIVE_INFINITY, variance: 0 } } : one)),
      ({ estimates }) => estimates.map((one, index) => (index === 1 ? { ...one, quality: { mean: 1.2, variance: 0 } } : one)),
      ({ estimates }) => estimates.filter((_, index) => index !== 1),
    ]
    for (const spoil of spoilers) {
      const situation = scene([large, middle, small], { objective: { lambda: 0.1 } })
      expect(chosen(situation)).toBe('middle')
      const decision = policy.choose({ ...situation, estimates: spoil(situation) })
      expect(decision.arm.id).not.toBe('middle')
      expect(decision.alternatives[1]?.quality).toBeNull()
    }
    const odd = scene([large, { ...middle, seconds: NaN, joules: NaN }], { objective: { lambda: 0.1, usdPerSecond: 0.001 } })
    expect(chosen(odd)).toBe('large')
    for (const lambda of [NaN, -1]) expect(BursarError.is(policy.choose(scene([large, small], { objective: { lambda } })))).toBe(false)
  })

  it('takes the only arm whatever is known of it', () => {
    expect(chosen(scene([{ id: 'alone' }]))).toBe('alone')
    expect(
      chosen(scene([{ id: 'alone' }], { objective: { qualityFloor: 1, maxSeconds: 1, maxJoules: 1 }, reference: 'gone', familiarity: 0 })),
    ).toBe('alone')
  })

  it('is explained in words, at 80 columns', () => {
    const lines = explainDecision(
      policy.choose(
        scene([large, middle, small, { id: 'blind', quality: 0.99, usd: 0.001, images: false }], {
          objective: { lambda: 0.1 },
          features: featuresOf({ images: true }),
        }),
      ),
    )
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    const text = lines.join('\n')
    for (const part of [
      '"middle" answers',
      'quality 0.87',
      '$0.002',
      'reference "large"',
      '80 %',
      '3.0 points',
      '- "small"',
      '"blind": it takes no images',
      'certain',
    ])
      expect(text).toContain(part)
    expect(text).not.toContain('a question')
  })
})
