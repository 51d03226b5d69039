import { describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import type { Budget } from '../../quantities/index.js'
import { seededRandom } from '../../statistics/index.js'
import { textOf } from '../calls.js'
import { asking, played, scriptedEnvironment, wordsOf } from '../planning/fixtures/scripted-environment.js'
import { buildStrategy, canonical, describeSpec, modelsOf, mostCalls, parseStrategy, specHash, strategyKinds } from './index.js'
import { nestedType } from './spec.js'
import { examples } from './fixtures/examples.js'

function faultOf(value: unknown, path = ''): BursarError {
  try {
    parseStrategy(value, path)
  } catch (thrown) {
    if (BursarError.is(thrown)) return thrown
    throw thrown
  }
  throw new Error('was not refused')
}

describe('a declared strategy', () => {
  it('is the name of a model, or a mapping with its kind', () => {
    expect(parseStrategy('a/b')).toEqual({ kind: 'single', model: 'a/b' })
    expect(parseStrategy({ kind: 'fallback', strategies: ['a', { kind: 'single', model: 'b' }] })).toEqual({
      kind: 'fallback',
      strategies: [
        { kind: 'single', model: 'a' },
        { kind: 'single', model: 'b' },
      ],
    })
  })

  it.each([
    [undefined, 'arms[0].strategy', /is missing/],
    [null, 'arms[0].strategy', /expected a strategy/],
    [[], 'arms[0].strategy', /expected a strategy/],
    [{}, 'arms[0].strategy.kind', /is missing; expected one of single, fallback/],
    [{ kind: 'cascde' }, 'arms[0].strategy.kind', /no kind of strategy named "cascde"/],
    [{ kind: 'single' }, 'arms[0].strategy.model', /is missing; expected a string/],
    [{ kind: 'single', model: '' }, 'arms[0].strategy.model', /name of a model/],
    [{ kind: 'single', model: 'a', temprature: 1 }, 'arms[0].strategy.temprature', /no such field/],
    [{ kind: 'single', model: 'a', temperature: 3 }, 'arms[0].strategy.temperature', /at most 2/],
    [{ kind: 'single', model: 'a', temperature: Number.NaN }, 'arms[0].strategy.temperature', /not a finite number/],
    [{ kind: 'fallback', strategies: ['a'] }, 'arms[0].strategy.strategies', /at least 2 entries/],
    [{ kind: 'fallback', strategies: ['a', { kind: 'single', model: 7 }] }, 'arms[0].strategy.strategies[1].model', /expected a string/],
    [{ kind: 'if', when: { any: [{ level: 3 }] }, then: 'a', else: 'b' }, 'arms[0].strategy.when.any[0]', /expected one of level_at_least/],
    [{ kind: 'if', when: { level_at_least: 3 }, then: 'a' }, 'arms[0].strategy.else', /is missing; expected a strategy/],
    [{ kind: 'cascade', rungs: [{ strategy: 'a' }, { strategy: 'b' }] }, 'arms[0].strategy.rungs[0].accept', /is missing/],
    [
      { kind: 'cascade', rungs: [{ strategy: 'a', accept: [{ evidence: 2 }] }, { strategy: 'b' }] },
      'arms[0].strategy.rungs[0].accept[0].evidence',
      /at most 1/,
    ],
    [
      { kind: 'cascade', rungs: [{ strategy: 'a', accept: { check: 'form' } }, { strategy: 'a' }] },
      'arms[0].strategy',
      /never asked twice/,
    ],
    [{ kind: 'vote', strategies: ['a', 'b'], weights: [1] }, 'arms[0].strategy.weights', /as many weights/],
    [{ kind: 'best_of_n', model: 'a' }, 'arms[0].strategy.judge', /either a judge or a check/],
    [
      { kind: 'guided', direction: 'small-plans', small: { model: 'a', efort: 'low' }, large: 'b' },
      'arms[0].strategy.small.efort',
      /no such field/,
    ],
    [{ kind: 'styled', style: 'baroque', strategy: 'a' }, 'arms[0].strategy.style', /"direct" or "concise"/],
    [{ kind: 'effort', effort: 0, strategy: 'a' }, 'arms[0].strategy.effort', /more than 0/],
    [{ kind: 'repeat', strategy: 'a', until: { number: true }, most: 99 }, 'arms[0].strategy.most', /at most 10/],
  ])('is refused with its path: %j', (value, path, message) => {
    const fault = faultOf(value, 'arms[0].strategy')
    expect(fault.code).toBe('invalid_configuration')
    expect(fault.path).toBe(path)
    expect(fault.message).toMatch(message)
  })

  it('is bounded in depth, number and size, also where branches are shared', () => {
    let deep: unknown = 'a'
    for (let level = 0; level < 10; level++) deep = { kind: 'repeat', strategy: deep, until: { number: true } }
    expect(faultOf(deep).message).toMatch(/deep/)
    let wide: unknown = { kind: 'fallback', strategies: ['a', 'b'] }
    for (let level = 0; level < 8; level++) wide = { kind: 'fallback', strategies: [wide, wide, wide, wide] }
    expect(faultOf(wide).message).toMatch(/at most 2000 values/)
    expect(
      faultOf({
        kind: 'fallback',
        strategies: Array.from({ length: 9 }, () => ({ kind: 'fallback', strategies: Array.from({ length: 9 }, () => 'a') })),
      }).message,
    ).toMatch(/at most 64/)
    expect(faultOf({ kind: 'single', model: 'x'.repeat(5000) }).message).toMatch(/longer/)
    expect(faultOf({ kind: 'single', model: 'a', toString: () => 'b' }).message).toMatch(/not a value of JSON/)
  })

  it('has one hash for one meaning, whatever the order of fields and with defaults said or not', () => {
    const short = parseStrategy({ kind: 'repeat', strategy: 'a', until: { number: true } })
    const long = parseStrategy({ most: 2, until: { number: true }, strategy: { model: 'a', kind: 'single' }, kind: 'repeat' })
    expect(specHash(short)).toBe(specHash(long))
    expect(specHash(short)).toMatch(/^[0-9a-f]{64}$/)
    expect(specHash(parseStrategy({ kind: 'repeat', strategy: 'a', until: { number: true }, most: 3 }))).not.toBe(specHash(short))
    expect(canonical({ b: [1, { d: undefined, c: 'x' }], a: null })).toBe('{"a":null,"b":[1,{"c":"x"}]}')
  })

  it('is built once a context, and not at all when it could call too often', () => {
    const spec = parseStrategy({ kind: 'repeat', strategy: 'a', until: { number: true }, most: 10 })
    const context = {}
    expect(buildStrategy(spec, strategyKinds, context)).toBe(buildStrategy({ ...spec }, strategyKinds, context))
    expect(buildStrategy(spec, strategyKinds, {})).not.toBe(buildStrategy(spec, strategyKinds, context))
    expect(() => buildStrategy(spec, strategyKinds, { maxCalls: 9 })).toThrow(/may take 10 calls/)
    const twice = parseStrategy({ kind: 'repeat', strategy: spec, until: { number: true }, most: 10 })
    expect(() => buildStrategy(twice)).toThrow(/may take 100 calls/)
  })

  it('chooses by what the request is like', async () => {
    const spec = parseStrategy({ kind: 'if', when: { any: [{ level_at_least: 4 }, { says: ['Prove'] }] }, then: 'large', else: 'small' })
    const strategy = buildStrategy(spec, strategyKinds, { difficultyOf: () => ({ value: 0.3, level: 2, source: 'told' }) })
    const env = scriptedEnvironment(({ model }) => model)
    expect((await played(strategy.run(asking('Please PROVE it', { stream: true }), env))).text).toBe('large')
    expect((await played(strategy.run(asking('What is it?', { stream: true }), env))).text).toBe('small')
    const hard = buildStrategy(spec, strategyKinds, { difficultyOf: () => ({ value: 0.9, level: 5, source: 'told' }) })
    expect((await played(hard.run(asking('What is it?', { stream: true }), env))).text).toBe('large')
    expect(describeSpec(spec)).toBe('When the difficulty is at least 4 of 5 or the question says "Prove", asks large; else asks small.')
  })

  it('repeats until the answer passes, and hands out only that one', async () => {
    const strategy = buildStrategy(parseStrategy({ kind: 'repeat', strategy: 'a', until: { number: true }, most: 4 }))
    const env = scriptedEnvironment(({ count }) => (count === 3 ? 'it is 7' : 'who knows'))
    const { text, starts, finishes, answer } = await played(strategy.run(asking('?', { stream: true, temperature: 0, seed: 4 }), env))
    expect([text, starts, finishes]).toEqual(['it is 7', 1, 1])
    expect(answer.usage.inputTokens).toBe(30)
    expect(answer.steps?.map(({ note }) => note)).toEqual(['did not pass', 'did not pass', 'passed'])
    expect(env.heard.map(({ request }) => request.temperature)).toEqual([0, 0.6, 0.6])
    expect(env.heard.map(({ request }) => request.seed)).toEqual([4, undefined, undefined])
  })

  it('gives out the last try as it is, and says so; at the end of a budget the first is the last', async () => {
    const strategy = buildStrategy(parseStrategy({ kind: 'repeat', strategy: 'a', until: { number: true }, most: 2 }))
    const all = await played(
      strategy.run(
        asking('?'),
        scriptedEnvironment(() => 'none'),
      ),
    )
    expect(all.answer.evidence).toEqual({ source: 'check', probability: null, signal: 0 })
    expect(all.answer.steps?.at(-1)?.note).toMatch(/last try/)
    const budget: Budget = { name: 'b', remaining: () => ({}), regime: () => 'last_call' }
    const env = scriptedEnvironment(() => 'none', { budget })
    expect(textOf((await played(strategy.run(asking('?'), env))).answer.completion)).toBe('none')
    expect(env.heard).toHaveLength(1)
  })

  it('edits what a single call is told', async () => {
    const strategy = buildStrategy(
      parseStrategy({ kind: 'single', model: 'a', effort: 'low', temperature: 0.5, max_output_tokens: 100, instruction: 'Be brief.' }),
    )
    const env = scriptedEnvironment(() => 'x')
    await played(strategy.run(asking('Why?', { maxOutputTokens: 40 }), env))
    const told = env.heard[0]?.request
    expect(told).toMatchObject({ reasoning: { effort: 'low' }, temperature: 0.5, maxOutputTokens: 40 })
    expect(told === undefined ? '' : wordsOf(told)).toMatch(/^Why\?\n\s*Be brief\.$/)
  })

  it('of every kind: is read again as it was written, is described, hashed and built, and says how often it calls', () => {
    expect(examples.map(({ kind }) => kind).toSorted()).toEqual([...strategyKinds.keys()].toSorted())
    for (const example of examples) {
      const spec = parseStrategy(example)
      expect(parseStrategy(spec)).toEqual(spec)
      expect(parseStrategy(JSON.parse(JSON.stringify(spec)))).toEqual(spec)
      expect(nestedType(strategyKinds).parse(spec)).toEqual(spec)
      const strategy = buildStrategy(spec)
      expect(strategy.plan.length).toBeGreaterThan(0)
      for (const use of strategy.plan) {
        expect(use.most).toBeGreaterThanOrEqual(1)
        expect(use.expected).toBeLessThanOrEqual(use.most)
      }
      expect(mostCalls(strategy)).toBeLessThanOrEqual(64)
      expect(modelsOf(strategy).every((model) => describeSpec(spec).includes(model))).toBe(true)
      expect(describeSpec(spec)).toMatch(/^[A-Z].*\.$/)
    }
  })

  it('calls no more than its plan says and leaves the same answer in the stream and the completion, whatever its kind', async () => {
    const random = seededRandom(7)
    for (const example of examples)
      for (const stream of [false, true])
        for (let run = 0; run < 5; run++) {
          const strategy = buildStrategy(parseStrategy(example))
          const env = scriptedEnvironment(
            () => ['The answer is 4.', 'The answer is 5.', '{"level": 4}', 'no idea', '[1, 2'][Math.floor(random.next() * 5)] ?? '',
          )
          const { text, starts, finishes, answer } = await played(strategy.run(asking('How many are two and two?', { stream }), env))
          expect(env.heard.length).toBeLessThanOrEqual(mostCalls(strategy))
          expect(answer.usage.inputTokens).toBe(10 * env.heard.length)
          if (stream) {
            expect([starts, finishes]).toEqual([1, 1])
            expect(text).toBe(textOf(answer.completion))
          }
        }
  })

  it('stops when the caller goes away, whatever its kind', async () => {
    for (const example of examples) {
      const gone = new AbortController()
      const env = scriptedEnvironment(
        () => {
          gone.abort(new Error('gone'))
          return 'The answer is 4.'
        },
        { signal: gone.signal },
      )
      const running = buildStrategy(parseStrategy(example)).run(asking('How many?', { stream: true }), env)
      const first = await running.next().catch((thrown: unknown) => thrown)
      await running.return(undefined as never)
      // Calls that were begun together may all have been heard; none may follow.
      expect(first).toBeDefined()
      const heard = env.heard.length
      await Promise.resolve()
      expect(env.heard.length).toBe(heard)
    }
  })
})
