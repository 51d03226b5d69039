import { describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { toDollars } from '../../quantities/index.js'
import { createUnderstanding } from '../../understanding/index.js'
import type { Estimate, Observation, Predictor } from '../contracts.js'
import { armFacts, madeObservations, madeRequests } from './fixtures/made.js'
import { predictorKinds } from './index.js'
import { measuresRecall } from './knn.js'

const arms = armFacts.map(({ id }) => id)
const learned = madeObservations(150, 1)
const asked = madeRequests(40, 2)
const trained = new Map<string, Predictor>()

function kind(name: string) {
  const found = predictorKinds[name]
  if (!found) throw new Error(`no predictor ${name}`)
  return found
}

function predictor(name: string): Predictor {
  const known = trained.get(name) ?? kind(name).train(learned, armFacts, {}, 1)
  trained.set(name, known)
  return known
}

function qualityOf(estimates: readonly Estimate[], arm: string): number {
  return estimates.find((one) => one.arm === arm)?.quality?.mean ?? NaN
}

describe.each(Object.keys(predictorKinds))('predictor %s', (name) => {
  it('expects more of the arm that is better at the kind of request', () => {
    const right = asked.filter(({ features, kind: own }) => {
      const estimates = predictor(name).predict(features, arms)
      return qualityOf(estimates, own) > qualityOf(estimates, own === 'prose' ? 'sums' : 'prose')
    })
    expect(right.length).toBeGreaterThan(0.85 * asked.length)
  })

  it('gives means in [0, 1], variances from 0 to a quarter, and costs near those seen', () => {
    for (const { features } of asked)
      for (const { quality, cost, outputTokens } of predictor(name).predict(features, arms)) {
        expect(quality?.mean).toBeGreaterThanOrEqual(0)
        expect(quality?.mean).toBeLessThanOrEqual(1)
        expect(quality?.variance).toBeGreaterThanOrEqual(0)
        expect(quality?.variance).toBeLessThanOrEqual(0.25)
        expect(cost.usd === null ? NaN : toDollars(cost.usd)).toBeGreaterThan(0.0009)
        expect(cost.usd === null ? NaN : toDollars(cost.usd)).toBeLessThan(0.0023)
        expect(cost.joules).toBeNull()
        expect(outputTokens).toBeGreaterThan(20)
        expect(outputTokens).toBeLessThan(500)
      }
  })

  it('predicts the same after saving and loading, and goes on learning the same', () => {
    const first = kind(name).train(learned, armFacts, {}, 1)
    const second = kind(name).load(first.serialize(), armFacts, {})
    const compare = () => {
      for (const { features } of asked.slice(0, 10)) {
        expect(second.predict(features, [...arms, 'new'])).toEqual(first.predict(features, [...arms, 'new']))
        expect(second.familiarity(features)).toBe(first.familiarity(features))
      }
    }
    compare()
    for (const observation of madeObservations(10, 3)) {
      first.update(observation)
      second.update(observation)
    }
    compare()
    expect(Buffer.from(second.serialize()).equals(Buffer.from(first.serialize()))).toBe(true)
  })

  it('learns from its first outcome on, also when it was saved before there was any', () => {
    const first = kind(name).train([], armFacts, {}, 1)
    const second = kind(name).load(first.serialize(), armFacts, {})
    for (const observation of madeObservations(30, 3)) {
      first.update(observation)
      second.update(observation)
    }
    for (const { features } of asked.slice(0, 5)) expect(second.predict(features, arms)).toEqual(first.predict(features, arms))
  })

  it('is the same for the same observations and seed', () => {
    expect(Buffer.from(kind(name).train(learned, armFacts, {}, 1).serialize()).equals(Buffer.from(predictor(name).serialize()))).toBe(true)
  })

  it('refuses bytes of others, of another version, cut or changed', () => {
    const bytes = predictor(name).serialize()
    const changed = bytes.slice()
    changed[100] = (changed[100] ?? 0) ^ 1
    const other = kind(name === 'knn' ? 'domain' : 'knn')
      .train([], armFacts, {}, 1)
      .serialize()
    for (const wrong of [new Uint8Array(0), new Uint8Array(64), bytes.slice(0, bytes.length - 5), changed, other])
      expect(() => kind(name).load(wrong, armFacts, {})).toThrow(BursarError)
  })

  it('refuses numbers out of their range and learns nothing from them', () => {
    const own = kind(name).train(madeObservations(30, 5), armFacts, {}, 1)
    const before = Buffer.from(own.serialize())
    const [good] = madeObservations(1, 6) as [Observation]
    const lexical = { indices: good.features.lexical.indices, weights: good.features.lexical.weights.map(() => NaN) }
    const wrong: Partial<Observation>[] = [
      { quality: NaN },
      { quality: 1.01 },
      { quality: -0.1 },
      { usd: -1 },
      { usd: Infinity },
      { seconds: NaN },
      { outputTokens: NaN },
      { joules: -1 },
      { inputTokens: Infinity },
      { weight: 0 },
      { weight: NaN },
      { features: { ...good.features, lexical } },
      { features: { ...good.features, dense: Float32Array.of(NaN, 1) } },
    ]
    for (const part of wrong) expect(() => own.update({ ...good, ...part })).toThrow(RangeError)
    expect(Buffer.from(own.serialize()).equals(before)).toBe(true)
  })

  it('knows nothing without outcomes', () => {
    const empty = kind(name).train([], armFacts, {}, 1)
    const [{ features }] = asked as [(typeof asked)[number]]
    expect(empty.predict(features, arms).map(({ quality }) => quality)).toEqual([null, null])
    expect(empty.predict(features, arms).map(({ cost }) => cost.usd)).toEqual([null, null])
    expect(empty.predict(features, [])).toEqual([])
    expect(empty.familiarity(features)).toBe(0)
  })

  it('expects of a new arm what its tier gives, and of no arm anything that hangs on which others are asked about', () => {
    const [{ features }] = asked as [(typeof asked)[number]]
    const facts = [...armFacts, { id: 'new', card: { tier: 'small' as const } }]
    const own = kind(name).load(predictor(name).serialize(), facts, {})
    const all = own.predict(features, [...arms, 'new'])
    expect(qualityOf(all, 'new')).toBeGreaterThan(0.2)
    expect(qualityOf(all, 'new')).toBeLessThan(0.9)
    expect(own.predict(features, ['prose'])[0]?.quality).toEqual(all[0]?.quality)
  })

  it('refuses settings that it does not have', () => {
    expect(() => kind(name).train([], armFacts, { nonsense: 1 }, 1)).toThrow(BursarError)
  })
})

describe('familiarity', () => {
  it('is near 0 for words that were never seen and not for those that were', () => {
    const own = predictor('knn')
    const [strange] = madeRequests(1, 9) as [(typeof asked)[number]]
    const features = { ...strange.features, lexical: { indices: Uint32Array.of(3, 5, 7), weights: Float32Array.of(0.6, 0.6, 0.52) } }
    expect(own.familiarity(features)).toBeLessThan(0.05)
    const usual = asked.map((one) => own.familiarity(one.features)).sort((a, b) => a - b)
    expect(usual[usual.length >> 1]).toBeGreaterThan(0.3)
  })

  it.each(['knn', 'ridge', 'topic'])('is as high for new requests of the same kind where each was answered by many arms (%s)', (name) => {
    const once = createUnderstanding()
    const texts = Array.from(
      { length: 400 },
      (_, at) =>
        `Which of the ${at * 7919} ${['red', 'green', 'blue', 'grey'][at % 4]} stones from quarry ${(at * 104_729) % 9973} weighs most?`,
    )
    const many = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
    const observations = texts.slice(0, 300).flatMap((text) => {
      const features = once.ofText(text)
      return many.map((arm) => ({ features, arm, quality: 1 }))
    })
    const own = kind(name).train(
      observations,
      many.map((id) => ({ id, card: {} })),
      {},
      1,
    )
    const strange = texts.slice(300).filter((text) => own.familiarity(once.ofText(text)) < 0.05)
    expect(strange.length).toBeLessThan(15)
  })
})

describe('k-NN', () => {
  it('keeps to its capacity, and to the latest of it', () => {
    const own = kind('knn').train([], armFacts, { capacity: 50 }, 1)
    const observations = madeObservations(300, 4)
    for (const observation of observations.slice(0, 400)) own.update(observation)
    const half = own.serialize().length
    for (const observation of observations.slice(400)) own.update(observation)
    expect(Math.abs(own.serialize().length - half)).toBeLessThan(20_000)
    const right = asked.filter(({ features, kind: own_ }) => {
      const estimates = own.predict(features, arms)
      return qualityOf(estimates, own_) > qualityOf(estimates, own_ === 'prose' ? 'sums' : 'prose')
    })
    expect(right.length).toBeGreaterThan(0.8 * asked.length)
  })

  it('finds nearly all of the nearest that comparing everything finds', () => {
    const own = predictor('knn')
    if (!measuresRecall(own)) throw new Error('k-NN measures its recall')
    const shares = asked.map(({ features }) => own.recall(features))
    expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeGreaterThan(0.9)
  })

  it('expects nearly what comparing everything expects', () => {
    const bytes = predictor('knn').serialize()
    const exact = kind('knn').load(bytes, armFacts, { exact: true })
    for (const { features } of asked) {
      const found = predictor('knn').predict(features, arms)
      exact
        .predict(features, arms)
        .forEach((estimate, at) => expect(Math.abs((estimate.quality?.mean ?? 0) - (found[at]?.quality?.mean ?? 0))).toBeLessThan(0.2))
    }
  })
})
