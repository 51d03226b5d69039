import { describe, expect, it } from 'vitest'
import { childRandom } from '../../statistics/index.js'
import { createUnderstanding } from '../../understanding/index.js'
import type { Observation } from '../contracts.js'
import { complexity } from './complexity.js'
import { complexityCues } from './complexity-cues.js'

const understanding = createUnderstanding({ cacheEntries: 0 })
const levels = ['basic', 'full']
const facts = levels.map((id) => ({ id, card: {} }))
const plain = 'Name the customers.\ncustomers(id, name)'
const nested =
  'For each country, what is the average total of orders whose value is higher than the average, sorted by year?\ncustomers(id, name, country)\norders(id, customer, total, day)\nitems(id, order, product)\nproducts(id, price)'

/** The basic pipeline solves plain questions only, the full one most of both. */
function observations(count: number): Observation[] {
  const random = childRandom(3, 'pipelines')
  return Array.from({ length: count }, () => {
    const hard = random.next() < 0.5
    const features = understanding.ofText(hard ? nested : plain)
    const rights = { basic: hard ? 0.2 : 0.9, full: hard ? 0.8 : 0.92 }
    return levels.map((arm): Observation => ({ features, arm, quality: random.next() < rights[arm as keyof typeof rights] ? 1 : 0 }))
  }).flat()
}

const means = (predictor: ReturnType<typeof complexity.train>, text: string) =>
  predictor.predict(understanding.ofText(text), levels).map(({ quality }) => quality?.mean ?? NaN)

describe('complexity', () => {
  it('counts the tables of schemas in several forms', () => {
    const tables = (text: string) => complexityCues(understanding.ofText(text))[0]
    expect(tables('How many?\nCREATE TABLE a (x INT, y INT);\ncreate table b (z INT);')).toBeCloseTo(Math.log2(3) / 3)
    expect(tables('How many?\na(x, y)\nb(z)')).toBeCloseTo(Math.log2(3) / 3)
    expect(tables('How many people (about) live here?')).toBe(0)
  })

  it('learns from two hundred outcomes which questions the simple pipeline suffices for', () => {
    const learned = complexity.train(observations(100), facts, {}, 1)
    const [basicPlain = 0, fullPlain = 0] = means(learned, plain)
    const [basicNested = 1, fullNested = 0] = means(learned, nested)
    expect(basicPlain).toBeGreaterThan(0.7)
    expect(fullPlain - basicPlain).toBeLessThan(0.2)
    expect(fullNested - basicNested).toBeGreaterThan(0.3)
  })

  it('never expects less of a higher level', () => {
    const upside = observations(100).map((one) => ({ ...one, arm: one.arm === 'basic' ? 'full' : 'basic' }))
    const [low = 1, high = 0] = means(complexity.train(upside, facts, { levels }, 1), nested)
    expect(high).toBeGreaterThanOrEqual(low)
    const [without = 0, more = 1] = means(complexity.train(upside, facts, {}, 1), nested)
    expect(more).toBeLessThan(without)
  })

  it('trusts a weak pipeline less where a wrong answer counts more', () => {
    const [usual = 0] = means(complexity.train(observations(100), facts, {}, 1), nested)
    const [wary = 1] = means(complexity.train(observations(100), facts, { falseAccept: 3 }, 1), nested)
    expect(wary).toBeLessThan(usual)
  })
})
