import { describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { childRandom } from '../../statistics/index.js'
import type { Observation } from '../contracts.js'
import { armFacts, madeRequests } from './fixtures/made.js'
import { predictorKinds } from './index.js'

const arms = armFacts.map(({ id }) => id)
const kind = predictorKinds['preference']
if (!kind) throw new Error('no predictor preference')
const base = { base: { kind: 'domain' } }

/** `sums` costs ten times what `prose` does and is a little better at everything; thrifty users mind, others don't. */
function heard(count: number, seed: number): Observation[] {
  const random = childRandom(seed, 'users')
  return madeRequests(count, seed).map(({ features }, at): Observation => {
    const arm = arms[at % 2] ?? ''
    const user = at % 4 < 2 ? 'thrifty' : 'lavish'
    const right = arm === 'sums' ? (user === 'thrifty' ? 0.3 : 0.9) : user === 'thrifty' ? 0.8 : 0.6
    return {
      features,
      arm,
      user,
      quality: random.next() < right ? 1 : 0,
      usd: arm === 'sums' ? 0.01 : 0.001,
      outputTokens: 100,
      seconds: 1,
    }
  })
}

describe('preference', () => {
  const learned = kind.train(heard(400, 1), armFacts, base, 1)
  const [{ features }] = madeRequests(1, 2) as [ReturnType<typeof madeRequests>[number]]
  const gain = (user?: string) => {
    const [prose, sums] = learned.predict(features, arms, user).map(({ quality }) => quality?.mean ?? NaN)
    return (sums ?? NaN) - (prose ?? NaN)
  }

  it('tells users apart, and gives a new one what all get', () => {
    expect(gain('thrifty')).toBeLessThan(-0.2)
    expect(gain('lavish')).toBeGreaterThan(0.1)
    expect(gain('nobody yet')).toBe(gain())
    expect(gain()).toBeGreaterThan(gain('thrifty'))
  })

  it('expects a user to mind the price of an arm that only others have met', () => {
    const facts = [...armFacts, { id: 'dear', card: {} }]
    const known = kind.load(learned.serialize(), facts, base)
    for (const one of heard(60, 3)) known.update({ ...one, arm: 'dear', user: 'somebody', quality: 0.7, usd: 0.01 })
    const of = (user: string) => known.predict(features, ['dear'], user)[0]?.quality?.mean ?? NaN
    expect(of('thrifty')).toBeLessThan(of('lavish'))
  })

  it('keeps users when saved, and is surer of a user that it has heard', () => {
    const loaded = kind.load(learned.serialize(), armFacts, base)
    for (const user of ['thrifty', 'lavish', 'nobody yet'])
      expect(loaded.predict(features, arms, user)).toEqual(learned.predict(features, arms, user))
    const once = kind.train(
      [...heard(100, 4).map(({ user: _user, ...rest }) => rest), { ...(heard(1, 5)[0] as Observation), user: 'new' }],
      armFacts,
      base,
      1,
    )
    const variance = (user: string) => once.predict(features, ['prose'], user)[0]?.quality?.variance ?? NaN
    const more = kind.load(once.serialize(), armFacts, base)
    for (const one of heard(100, 6)) more.update({ ...one, arm: 'prose', user: 'new' })
    expect(more.predict(features, ['prose'], 'new')[0]?.quality?.variance ?? NaN).toBeLessThan(variance('new'))
  })

  it('refuses a base that there is not', () => {
    expect(() => kind.train([], armFacts, { base: { kind: 'preference' } }, 1)).toThrow(BursarError)
  })
})
