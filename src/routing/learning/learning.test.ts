import { describe, expect, it } from 'vitest'
import { usd, zeroMoney } from '../../quantities/index.js'
import { seededRandom } from '../../statistics/index.js'
import {
  importanceWeight,
  learningBudget,
  learningGuard,
  pageHinkley,
  sampledJudge,
  valueOfInformation,
  type LearningGuardOptions,
  type Observation,
  type Predictor,
} from '../index.js'
import { estimateOf, featuresOf, scene } from '../policies/fixtures/scene.js'

/** Means of the arms with a prior of 0.5 that counts as five outcomes: the plainest predictor that the cap's bound is stated for. */
function means(state: Readonly<Record<string, readonly [number, number]>> = {}): Predictor {
  const sums = new Map(Object.entries(state))
  return {
    id: 'means',
    predict: (_features, arms) =>
      arms.map((arm) => {
        const [sum, weight] = sums.get(arm) ?? [0, 0]
        return estimateOf({ id: arm, quality: (sum + 2.5) / (weight + 5), variance: 0.2 / (weight + 5), usd: 0.001 })
      }),
    familiarity: () => 1,
    update({ arm, quality, weight = 1 }) {
      if (quality === undefined) return
      const [sum, total] = sums.get(arm) ?? [0, 0]
      sums.set(arm, [sum + weight * quality, total + weight])
    },
    serialize: () => new TextEncoder().encode(JSON.stringify(Object.fromEntries(sums))),
  }
}

const load = (bytes: Uint8Array): Predictor => means(JSON.parse(new TextDecoder().decode(bytes)))
const still = { now: () => 1000 }
const guarded = (options: Partial<LearningGuardOptions> = {}, predictor: Predictor = means()) =>
  learningGuard(predictor, { load, clock: still, ...options })
const seen = (source: string, quality: number, more: Partial<Observation> = {}): Observation => ({
  features: featuresOf(),
  arm: 'a',
  quality,
  source,
  ...more,
})
const qualityOf = (predictor: Predictor, arm = 'a') => predictor.predict(featuresOf(), [arm])[0]?.quality?.mean ?? NaN

describe('what one source can do', () => {
  it('is bounded by the cap, however much it says and however it weighs it', () => {
    for (const cap of [0.1, 0.2, 0.4]) {
      const guard = guarded({ cap, threshold: 1e9 })
      for (let at = 0; at < 200; at++) guard.update(seen(`user-${at % 20}`, at % 10 < 8 ? 1 : 0))
      const before = qualityOf(guard)
      for (let at = 0; at < 1000; at++) guard.update(seen('attacker', 0, { weight: 1e9 }))
      expect(before - qualityOf(guard)).toBeLessThanOrEqual(cap)
      expect(before - qualityOf(guard)).toBeGreaterThan(cap / 4)
      expect(guard.report().capped).toBeGreaterThan(900)
    }
  })

  it('is bounded for an arm that nobody else has spoken of, and in every category by itself', () => {
    const guard = guarded({ threshold: 1e9 })
    for (let at = 0; at < 500; at++) guard.update(seen('attacker', 1, { arm: 'new' }))
    expect(qualityOf(guard, 'new') - 0.5).toBeLessThanOrEqual(0.2)
  })

  it('begins anew with the next window, and has no cap for who is trusted', () => {
    let now = 0
    const guard = guarded({ threshold: 1e9, clock: { now: () => now }, windowSeconds: 100, trusted: (source) => source === 'verifier' })
    const run = (source: string) => Array.from({ length: 100 }, () => guard.update(seen(source, 1)))
    run('a-key')
    const first = qualityOf(guard)
    run('a-key')
    expect(qualityOf(guard)).toBe(first)
    now = 100
    run('a-key')
    expect(qualityOf(guard)).toBeGreaterThan(first)
    run('verifier')
    expect(qualityOf(guard)).toBeGreaterThan(0.95)
  })

  it('changes no traffic by more: the arm that was far better stays', () => {
    const guard = guarded({ threshold: 1e9 })
    for (let at = 0; at < 400; at++) guard.update(seen(`user-${at % 40}`, at % 40 < 36 ? 1 : 0, { arm: at % 2 === 0 ? 'a' : 'b' }))
    for (let at = 0; at < 400; at++) guard.update(seen(`user-${at % 40}`, 0, { arm: 'b' }))
    const choose = () => {
      const situation = scene([{ id: 'a' }, { id: 'b' }], { objective: { lambda: 1 } })
      return valueOfInformation().choose({ ...situation, estimates: guard.predict(situation.features, ['a', 'b']) }).arm.id
    }
    expect(choose()).toBe('a')
    for (let at = 0; at < 1000; at++) {
      guard.update(seen('attacker', 0, { arm: 'a' }))
      guard.update(seen('attacker', 1, { arm: 'b' }))
    }
    expect(choose()).toBe('a')
  })
})

describe('a signal that flips', () => {
  const noisy = (random: ReturnType<typeof seededRandom>, p: number) => (random.next() < p ? 1 : 0)

  it('goes into quarantine, is undone, and comes back when it is well', () => {
    const random = seededRandom(4)
    const guard = guarded({ trusted: () => true, snapshotEvery: 100, quarantineOutcomes: 100_000 })
    for (let at = 0; at < 1000; at++) for (const source of ['users', 'judge']) guard.update(seen(source, noisy(random, 0.9)))
    const before = qualityOf(guard)
    expect(guard.report().sourcesInQuarantine).toEqual([])
    for (let at = 0; at < 400; at++) {
      guard.update(seen('users', noisy(random, 0.9)))
      guard.update(seen('judge', noisy(random, 0.1)))
    }
    expect(guard.report().sourcesInQuarantine).toEqual(['judge'])
    expect(guard.report().quarantined).toBeGreaterThan(300)
    expect(Math.abs(qualityOf(guard) - before)).toBeLessThan(0.05)
    for (let at = 0; at < 200; at++) guard.update(seen('judge', noisy(random, 0.9)))
    expect(guard.report().sourcesInQuarantine).toEqual([])
  })

  it('is the world when all sources rise, and is learned', () => {
    const random = seededRandom(6)
    const guard = guarded({ trusted: () => true })
    const run = (count: number, p: number) => {
      for (let at = 0; at < count; at++) for (const source of ['x', 'y', 'z']) guard.update(seen(source, noisy(random, p)))
    }
    run(300, 0.95)
    run(1500, 0.05)
    expect(guard.report().drifts).toBeGreaterThan(0)
    expect(qualityOf(guard)).toBeLessThan(0.3)
  })

  it('lets a lone source out after a bounded time: what lasts is taken for the truth', () => {
    const random = seededRandom(8)
    const guard = guarded({ trusted: () => true, quarantineOutcomes: 50 })
    for (let at = 0; at < 500; at++) guard.update(seen('only', noisy(random, 0.95)))
    for (let at = 0; at < 1500; at++) guard.update(seen('only', noisy(random, 0.05)))
    expect(guard.report().quarantined).toBeGreaterThan(0)
    expect(qualityOf(guard)).toBeLessThan(0.4)
  })

  it("rolls back to a snapshot that predicts the others' outcomes better, and names who led astray", () => {
    const random = seededRandom(9)
    const guard = guarded({ trusted: () => true, snapshotEvery: 100, quarantineOutcomes: 10_000 })
    for (let at = 0; at < 50; at++) for (const source of ['u1', 'u2']) guard.update(seen(source, noisy(random, 0.95)))
    // A source never heard of before says the opposite, ten times as often and with ten times the weight.
    let least = 1
    for (let at = 0; at < 100; at++) {
      for (const source of ['u1', 'u2']) guard.update(seen(source, noisy(random, 0.95)))
      for (let times = 0; times < 10; times++) guard.update(seen('flood', 0, { weight: 10 }))
      least = Math.min(least, qualityOf(guard))
    }
    const report = guard.report()
    expect(report.rollbacks).toBeGreaterThan(0)
    expect(report.sourcesInQuarantine).toEqual(['flood'])
    expect(least).toBeLessThan(0.5)
    expect(qualityOf(guard)).toBeGreaterThan(0.8)
  })

  it('can be rolled back by hand, to the newest snapshot', () => {
    const guard = guarded({ trusted: () => true, snapshotEvery: 10, threshold: 1e9, recent: 1 })
    for (let at = 0; at < 10; at++) guard.update(seen('x', 1))
    const at10 = qualityOf(guard)
    for (let at = 0; at < 9; at++) guard.update(seen('x', 0))
    expect(guard.rollBack()).toBe(true)
    // The one outcome that is remembered is learned again.
    expect(qualityOf(guard)).toBeCloseTo((at10 * 15) / 16, 10)
    expect(guard.report().rollbacks).toBe(1)
  })
})

describe('faults', () => {
  it('refuses numbers that are none, counts them, and learns nothing from them', () => {
    const guard = guarded()
    const before = guard.serialize()
    for (const bad of [
      { quality: NaN },
      { quality: 1.1 },
      { quality: -0.1 },
      { weight: NaN },
      { weight: 0 },
      { weight: -1 },
      { usd: NaN },
      { seconds: -1 },
      { joules: Infinity },
      { outputTokens: NaN },
    ])
      guard.update({ ...seen('x', 1), ...bad })
    expect(guard.report().refused).toBe(10)
    expect(guard.serialize()).toEqual(before)
  })

  it('turns a predictor that throws into nothing known, which the reference arm answers', () => {
    const broken: Predictor = {
      id: 'broken',
      predict: () => {
        throw new TypeError('boom')
      },
      familiarity: () => {
        throw new TypeError('boom')
      },
      update: () => {
        throw new TypeError('boom')
      },
      serialize: () => {
        throw new TypeError('boom')
      },
    }
    const guard = guarded({}, broken)
    const situation = scene([{ id: 'reference' }, { id: 'other' }])
    const decision = valueOfInformation().choose({
      ...situation,
      estimates: guard.predict(situation.features, ['reference', 'other']),
      familiarity: guard.familiarity(situation.features),
    })
    expect(decision.arm.id).toBe('reference')
    guard.update(seen('x', 1))
    expect(guard.report().faults).toEqual({ predict: 2, update: 1, familiarity: 1, serialize: 1 })
    expect(guard.rollBack()).toBe(false)
  })

  it("gives estimates in the order asked for even where the predictor doesn't", () => {
    const shuffled: Predictor = {
      ...means(),
      predict: (_features, arms) => arms.map((arm) => estimateOf({ id: arm, quality: 0.9 })).reverse(),
    }
    expect(
      guarded({}, shuffled)
        .predict(featuresOf(), ['a', 'b'])
        .map(({ arm, quality }) => [arm, quality]),
    ).toEqual([
      ['a', null],
      ['b', null],
    ])
  })

  it('is loaded from its bytes as the same', () => {
    const guard = guarded()
    for (let at = 0; at < 50; at++) guard.update(seen(`u${at}`, at % 3 === 0 ? 0 : 1))
    expect(load(guard.serialize()).predict(featuresOf(), ['a'])).toEqual(guard.predict(featuresOf(), ['a']))
    expect(() => guarded({ cap: 1 })).toThrow(RangeError)
    expect(() => guarded({ snapshots: 0 })).toThrow(RangeError)
  })
})

describe('what learning may cost', () => {
  it('has a limit a day that nothing passes', () => {
    let now = 0
    const budget = learningBudget(usd(1), { now: () => now })
    expect([budget.take(usd(0.6)), budget.take(usd(0.6)), budget.take(usd(0.4)), budget.take(usd('0.000000000001'))]).toEqual([
      true,
      false,
      true,
      false,
    ])
    budget.giveBack(usd(0.1))
    expect(budget.remaining()).toBe(usd(0.1))
    now = 86_400
    expect(budget.remaining()).toBe(usd(1))
    budget.giveBack(usd(5))
    expect(budget.remaining()).toBe(usd(1))
    expect(() => budget.take(usd(-1))).toThrow(RangeError)
    expect(learningBudget(zeroMoney, { now: () => now }).take(usd(0.1))).toBe(false)
  })

  it('judges about the share, the uncertain more, and weighs each by one over its probability', () => {
    const decide = sampledJudge({ share: 0.1, random: seededRandom(2), allowance: learningBudget(usd(1000), still) })
    const policy = valueOfInformation()
    const sure = policy.choose(scene([{ id: 'a', quality: 0.9, variance: 0.0001, usd: 0.01 }]))
    const unsure = policy.choose(scene([{ id: 'a', quality: 0.5, variance: 0.04, usd: 0.01 }]))
    const picked = { sure: 0, unsure: 0, weight: 0 }
    const rounds = 5000
    for (let at = 0; at < rounds; at++)
      for (const [name, decision] of [
        ['sure', sure],
        ['unsure', unsure],
      ] as const) {
        const plan = decide(decision, usd(0.001))
        if (!plan.judge) continue
        picked[name]++
        picked.weight += plan.weight
      }
    expect((picked.sure + picked.unsure) / (2 * rounds)).toBeCloseTo(0.1, 1)
    expect(picked.unsure).toBeGreaterThan(4 * picked.sure)
    expect(Math.abs(picked.weight / (2 * rounds) - 1)).toBeLessThan(0.12)
    const never = sampledJudge({ share: 1, random: seededRandom(2), allowance: learningBudget(zeroMoney, still) })
    expect(never(sure, usd(0.1)).judge).toBe(false)
    expect(decide({ ...sure, objective: { explore: false } }, usd(0.001)).probability).toBe(0)
  })

  it('clips importance weights', () => {
    expect([importanceWeight(1), importanceWeight(0.5), importanceWeight(0.001)]).toEqual([1, 2, 10])
    expect(() => importanceWeight(0)).toThrow(RangeError)
  })
})

it('tells a risen mean and lets a steady one pass', () => {
  const random = seededRandom(1)
  const test = pageHinkley({ delta: 0.1, threshold: 10 })
  let early = 0
  for (let at = 0; at < 5000; at++) if (test.add(random.next() < 0.2 ? 1 : 0)) early++
  expect(early).toBe(0)
  let after = 0
  while (!test.add(random.next() < 0.7 ? 1 : 0) && after < 1000) after++
  expect(after).toBeLessThan(60)
})
