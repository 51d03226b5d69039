import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import { createUnderstanding } from '../../understanding/index.js'
import { withField } from './answer-notes.js'
import { conversationOf, Conversations } from './conversations.js'
import { DecisionMemory, type RememberedDecision } from './decision-memory.js'
import { combined, priorOf } from './priors.js'
import { decodeState, encodeState } from './state-file.js'
import { tierOfPrice } from './tiers.js'

const bytes = (...values: number[]) => Uint8Array.from(values)

describe('a state file', () => {
  const state = {
    kind: 'knn',
    base: { bytes: bytes(1, 2, 3), outcomes: new Map([['a/b', 12.5]]) },
    tenants: new Map([
      ['', { bytes: bytes(), outcomes: new Map() }],
      ['örg\n"1"', { bytes: bytes(10, 10), outcomes: new Map([['x', 1]]) }],
    ]),
  }

  it('reads what was written', () => {
    expect(decodeState(encodeState(state), 'f')).toEqual(state)
    expect(decodeState(encodeState({ ...state, base: undefined }), 'f').base).toBeUndefined()
  })

  it('refuses every other text of bytes, and never reads beyond them', () => {
    const whole = encodeState(state)
    for (let length = 0; length < whole.length; length++) expect(() => decodeState(whole.subarray(0, length), 'f')).toThrow(/f is no state/)
    expect(() => decodeState(Buffer.concat([whole, bytes(0)]), 'f')).toThrow(/left over/)
  })
})

describe('priors', () => {
  it('fade with what is learned, and never leave the range', () => {
    const random = seededRandom(3)
    for (let round = 0; round < 500; round++) {
      const prior = priorOf((['small', 'medium', 'large', undefined] as const)[round % 4], round % 5 === 0 ? random.next() : undefined, 0)
      const learned = { mean: random.next(), variance: random.next() * 0.25 }
      const [support, evidence] = [random.next() * 100, random.next() * 1000]
      const { mean, variance } = combined(prior, learned, support, evidence)
      expect(mean).toBeGreaterThanOrEqual(Math.min(prior.mean, learned.mean) - 1e-12)
      expect(mean).toBeLessThanOrEqual(Math.max(prior.mean, learned.mean) + 1e-12)
      expect(variance).toBeGreaterThan(0)
      expect(variance).toBeLessThanOrEqual(0.25)
    }
    const known = combined(priorOf('small', undefined, 0), { mean: 0.2, variance: 1e-4 }, 1e4, 1e6)
    expect(known.mean).toBeCloseTo(0.2, 3)
  })

  it('are all there is where nothing was learned, or nothing that can be', () => {
    const prior = priorOf('large', undefined, 0)
    for (const learned of [null, { mean: Number.NaN, variance: 0 }, { mean: 2, variance: 0 }, { mean: 0.5, variance: Number.NaN }])
      expect(combined(prior, learned, 10, 10).mean).toBeCloseTo(prior.mean, 12)
    expect(combined(prior, { mean: 0, variance: 0 }, Number.NaN, Number.POSITIVE_INFINITY).mean).toBeCloseTo(prior.mean, 12)
  })

  it('keep one source to about its bound', () => {
    // What a guard with cap 0.1 lets past of one source: 0.1/0.9 of the prior's weight.
    const granted = (0.1 / 0.9) * 25
    const prior = priorOf('large', undefined, 0)
    expect(prior.mean - combined(prior, { mean: 0, variance: 0 }, granted, granted).mean).toBeLessThan(0.11)
  })

  it('go by the price', () => {
    expect([0.0001, 0.005, 0.05, null].map(tierOfPrice)).toEqual(['small', 'medium', 'large', undefined])
  })
})

describe('a field more in a body', () => {
  it.each([
    ['{"a":1}', '{"a":1,"x":{"y":2}}'],
    ['{"a":{}}\n', '{"a":{},"x":{"y":2}}\n'],
    ['{}', '{"x":{"y":2}}'],
    [' { \n } ', ' { \n "x":{"y":2}} '],
    ['[1]', '[1]'],
    ['', ''],
  ])('%j', (before, after) => {
    expect(Buffer.from(withField(Buffer.from(before), 'x', { y: 2 })).toString()).toBe(after)
  })
})

describe('conversations', () => {
  it('are remembered for an hour, with what is warm for five minutes, and no more than so many', () => {
    let now = 0
    const conversations = new Conversations(() => now)
    conversations.answered('a', 'arm', 100)
    expect(conversations.session('a')).toEqual({ arm: 'arm', warmTokens: 100, turns: 1 })
    now = 301
    expect(conversations.session('a')).toEqual({ arm: 'arm', warmTokens: 0, turns: 1 })
    now = 3601
    expect(conversations.session('a')).toBeUndefined()
    conversations.answered('first', 'arm', 1)
    for (let index = 0; index < 20_000; index++) conversations.answered(`c${index}`, 'arm', 1)
    expect(conversations.session('first')).toBeUndefined()
    expect(conversations.session('c19999')).toBeDefined()
  })

  it('are told apart by key, by name, and by how they begin', () => {
    const request = (text: string) => ({
      model: 'm',
      messages: [{ role: 'user' as const, parts: [{ type: 'text' as const, text }] }],
      stream: false,
      paths: {},
      extra: [],
    })
    const names = [
      conversationOf('k', {}, request('a')),
      conversationOf('k', {}, request('b')),
      conversationOf('l', {}, request('a')),
      conversationOf('k', { session: 's' }, request('a')),
    ]
    expect(new Set(names).size).toBe(4)
    expect(conversationOf('k', {}, request('a'))).toBe(names[0])
    expect(names.join()).not.toContain('user')
  })
})

describe('the memory of decisions', () => {
  it('is bounded by number and by size, and forgets runs with their decisions', () => {
    const understanding = createUnderstanding()
    const of = (features = understanding.ofText('x')): RememberedDecision => ({
      decision: { propensity: 1 } as RememberedDecision['decision'],
      features,
      tenant: '',
      key: 'k',
      run: 'r',
      answeredBy: 'a',
    })
    const memory = new DecisionMemory()
    for (let index = 0; index < 20_100; index++) memory.remember(`d${index}`, of())
    expect(memory.size).toBeLessThanOrEqual(20_000)
    expect(memory.get('d0')).toBeUndefined()
    expect(memory.ofRun('k', 'r').length).toBe(100)
    const large = understanding.ofText('y')
    for (let index = 0; index < 10; index++) memory.remember(`big${index}`, of({ ...large, dense: new Float32Array(4 * 1024 * 1024) }))
    expect(memory.size).toBeLessThan(10)
    expect(memory.ofRun('other', 'r')).toEqual([])
  })
})
