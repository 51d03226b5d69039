import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import { createUnderstanding } from '../../understanding/index.js'
import type { Observation } from '../contracts.js'
import { logistic, ridge } from './linear.js'

const understanding = createUnderstanding({ cacheEntries: 0 })
const arms = [
  { id: 'large', card: {} },
  { id: 'small', card: {} },
]
const words = [
  'river',
  'song',
  'king',
  'city',
  'novel',
  'planet',
  'engine',
  'bird',
  'coin',
  'bridge',
  'lamp',
  'horse',
  'tower',
  'ship',
  'glass',
  'field',
]

/** The same words about large and about small numbers, no number twice: only its size tells whether the small arm can do it. */
function question(hard: boolean, random: { next(): number }): string {
  const noun = () => words[Math.floor(random.next() * words.length)] ?? ''
  const number = Math.floor((hard ? 100_000 : 10) * (1 + 8 * random.next()))
  return `a ${noun()} and a ${noun()} near the ${noun()} cost ${number} and what does the ${noun()} cost?`
}

function observations(requests: number, seed: number): Observation[] {
  const random = seededRandom(seed)
  return Array.from({ length: requests }, () => random.next() < 0.5).flatMap((hard) => {
    const features = understanding.ofText(question(hard, random))
    return [
      { features, arm: 'large', quality: random.next() < 0.9 ? 1 : 0 },
      { features, arm: 'small', quality: random.next() < (hard ? 0.4 : 0.9) ? 1 : 0 },
    ]
  })
}

describe.each([ridge, logistic])('$kind', (kind) => {
  /** How much more is expected of the small arm on easy questions than on hard ones. */
  const apart = (predictor: ReturnType<typeof kind.train>): number => {
    const random = seededRandom(9)
    const mean = (hard: boolean) => {
      let sum = 0
      for (let at = 0; at < 50; at++)
        sum += predictor.predict(understanding.ofText(question(hard, random)), ['small'])[0]?.quality?.mean ?? 0
      return sum / 50
    }
    return mean(false) - mean(true)
  }
  const settings = { sharedPenalty: 10, ownPenalty: 15 }

  it('weighs the traits of a text as heavily as rows held out say, and keeps that', () => {
    const rows = observations(400, 1)
    const chosen = kind.train(rows, arms, settings, 1)
    const light = kind.train(rows, arms, { ...settings, scales: { traits: 0.1 } }, 1)
    const heavy = kind.train(rows, arms, { ...settings, scales: { traits: 0.5 } }, 1)
    expect(apart(heavy)).toBeGreaterThan(apart(light))
    expect(apart(chosen)).toBeCloseTo(apart(heavy), 9)
    expect(apart(kind.load(chosen.serialize(), arms, settings))).toBeCloseTo(apart(heavy), 9)
  })

  it('refuses a scale that is none', () => {
    expect(() => kind.train(observations(10, 1), arms, { ...settings, scales: { traits: -1 } }, 1)).toThrow(/scales.traits/)
  })
})
