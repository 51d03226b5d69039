import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BudgetExceeded, BursarError } from '../../errors/index.js'
import { memoryBudget, recordedEnvironment, type Environment, type OutcomeRow, type RecordedOptions } from '../../environment/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import { ran } from '../fixtures/ran.js'
import { answered, request, says } from '../fixtures/recorded-question.js'
import {
  agreementArm,
  AgreementCalibration,
  bestOfN,
  byDifficulty,
  learnLoopTable,
  loopFor,
  modelSwitch,
  readLoopTable,
  revise,
  sampleRequest,
  Saturation,
  selfConsistency,
  single,
  valueOfSample,
  worthwhileSamples,
  type LoopOutcome,
  type Scorer,
  type Strategy,
} from '../index.js'

const run = (strategy: Strategy, env: Environment, asked: Request = request) => ran(strategy.run(asked, env))
const world = (outcomes: OutcomeRow['outcomes'], options?: RecordedOptions) => recordedEnvironment(answered(outcomes), options)
/** The same world, noting what is asked of it. */
function watched(env: Environment): { env: Environment; asked: { model: string; request: Request; sample: number | undefined }[] } {
  const asked: { model: string; request: Request; sample: number | undefined }[] = []
  return {
    asked,
    env: {
      ...env,
      call(model, sent, options) {
        asked.push({ model, request: sent, sample: options?.sample })
        return env.call(model, sent, options)
      },
    },
  }
}
const textIn = (deltas: readonly Delta[]) => deltas.flatMap((delta) => (delta.type === 'text' ? [delta.text] : [])).join('')

describe('selfConsistency', () => {
  it('gives the first sample of the answer that most give, as a whole stream, with sums', async () => {
    const env = world({ m: says([3, 'I think \\boxed{4}', 4, 4, 4]) })
    const { answer, deltas } = await run(selfConsistency({ model: 'm', most: 5, stop: { rule: 'none' } }), env)
    expect(textIn(deltas)).toBe('I think \\boxed{4}')
    expect(deltas[0]?.type).toBe('start')
    expect(deltas.filter(({ type }) => type === 'finish')).toHaveLength(1)
    expect(answer.usage).toEqual(env.spent().usage)
    expect(answer.cost.usd).toEqual(env.spent().cost.usd)
    expect(answer.evidence).toEqual({ source: 'agreement', probability: null, signal: 0.8 })
    expect(answer.steps?.filter(({ name }) => name.startsWith('sample'))).toHaveLength(5)
  })

  it('stops as soon as it is sure, and never draws more than the most', async () => {
    const agreeing = world({ m: says([4, 4, 4, 4, 4, 4, 4, 4]) })
    await run(selfConsistency({ model: 'm', most: 8, stop: { rule: 'beta', confidence: 0.9 } }), agreeing)
    expect(agreeing.spent().calls).toBe(3)
    for (const together of [1, 3, 16]) {
      const split = world({ m: says([1, 2, 3, 4, 5, 6, 7, 8, 9]) })
      await run(selfConsistency({ model: 'm', most: 7, together }), split)
      expect(split.spent().calls).toBe(7)
    }
  })

  it('draws from several samplers in turn, at a temperature and with seeds that let answers differ', async () => {
    const { env, asked } = watched(world({ a: says([1, 1]), b: says([2, 2]) }))
    await run(selfConsistency({ samplers: [{ model: 'a' }, { model: 'b', temperature: null }], most: 4, stop: { rule: 'none' } }), env, {
      ...request,
      temperature: 0,
      seed: 7,
      topK: 1,
    })
    expect(asked.map(({ model }) => model)).toEqual(['a', 'b', 'a', 'b'])
    expect(asked.map(({ sample }) => sample)).toEqual([0, 1, 2, 3])
    expect(asked.map(({ request: sent }) => sent.temperature)).toEqual([0.6, 0, 0.6, 0])
    expect(new Set(asked.map(({ request: sent }) => sent.seed)).size).toBe(4)
    expect(asked.every(({ request: sent }) => !sent.stream && sent.topK === undefined && sent.wire === undefined)).toBe(true)
    expect(sampleRequest({ ...request, temperature: 1.2 }, 0.7, 0).temperature).toBe(1.2)
  })

  it('gives the first answer where none can be compared, and draws no more than needed to see it', async () => {
    const essay = (n: number) =>
      `${n} ${'A long essay about rivers, their banks and the towns beside them. '.repeat(4)}`.replace(/^\d /, '')
    const env = world({ m: says([`First. ${essay(1)}`, `Second. ${essay(2)}`, `Third. ${essay(3)}`, essay(4), essay(5)]) })
    const { answer, deltas } = await run(selfConsistency({ model: 'm', most: 5 }), env)
    expect(textIn(deltas)).toContain('First.')
    expect(answer.evidence).toBeUndefined()
    expect(env.spent().calls).toBe(3)
  })

  it('goes on without samples that fail, and throws the first failure when all do', async () => {
    const env = world({ m: says([4, 4]) })
    const { answer } = await run(selfConsistency({ model: 'm', most: 5, stop: { rule: 'none' } }), env)
    expect(answer.evidence?.signal).toBe(1)
    await expect(run(selfConsistency({ samplers: [{ model: 'gone' }], most: 2 }), world({ m: says([1]) }))).rejects.toMatchObject({
      code: 'model_not_found',
    })
  })

  it('ends at the budget’s last call with the best so far, and throws where there is room for none', async () => {
    const env = world({ m: says([1, 2, 3, 4, 5, 6, 7, 8]) }, { budget: memoryBudget({ usd: 0.0042 }) })
    const { answer } = await run(selfConsistency({ model: 'm', most: 8, stop: { rule: 'none' } }), env)
    expect(env.spent().calls).toBeLessThan(5)
    expect(answer.completion.answer.kind).toBe('reply')
    await expect(
      run(selfConsistency({ model: 'm', most: 3 }), world({ m: says([1, 2, 3]) }, { budget: memoryBudget({ usd: 0.0001 }) })),
    ).rejects.toBeInstanceOf(BudgetExceeded)
  })

  it('stops drawing when it is cancelled', async () => {
    const controller = new AbortController()
    const inner = world({ m: says([1, 2, 3, 4, 5, 6]) }, { signal: controller.signal })
    let calls = 0
    const env: Environment = {
      ...inner,
      call: (model, sent, options) => {
        if (++calls === 2) controller.abort(new BursarError('gone', { code: 'client_closed_request', status: 499 }))
        return inner.call(model, sent, options)
      },
    }
    await expect(run(selfConsistency({ model: 'm', most: 6, stop: { rule: 'none' } }), env)).rejects.toMatchObject({
      code: 'client_closed_request',
    })
    expect(calls).toBe(2)
  })

  it('leaves a request for several choices to the model', async () => {
    const { env, asked } = watched(world({ m: says([1, 2, 3]) }))
    const { answer } = await run(selfConsistency({ model: 'm', most: 3 }), env, { ...request, n: 2 })
    expect(asked).toHaveLength(1)
    expect(answer.completion.answer.kind === 'reply' && answer.completion.answer.reply.choices).toHaveLength(2)
  })

  it('refuses settings out of range, with their path', () => {
    for (const [settings, path] of [
      [{ model: 'm', most: 0 }, 'most'],
      [{ model: 'm', most: NaN }, 'most'],
      [{ most: 3 }, 'samplers.length'],
      [{ samplers: [{ model: 'm', temperature: 0.1 }], most: 3 }, 'samplers[0].temperature'],
      [{ samplers: [{ model: 'm', weight: NaN }], most: 3 }, 'samplers[0].weight'],
      [{ model: 'm', most: 3, stop: { rule: 'beta', confidence: 2 } }, 'stop.confidence'],
    ] as const)
      expect(() => selfConsistency(settings)).toThrow(expect.objectContaining({ path, status: 400 }))
  })

  it('plans at least what it draws', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 12, maxLength: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 5 }),
        async (answers, most, together) => {
          const env = world({ m: says(answers) })
          const strategy = selfConsistency({ model: 'm', most, together })
          await run(strategy, env)
          expect(env.spent().calls).toBeLessThanOrEqual(strategy.plan.reduce((sum, use) => sum + use.most, 0))
        },
      ),
      { numRuns: 30 },
    )
  })
})

describe('modelSwitch', () => {
  const rungs = [
    { model: 'small', samples: 3 },
    { model: 'large', samples: 1 },
  ] as const
  it('ends with the first model that agrees with itself', async () => {
    const env = world({ small: says([4, 4, 4]), large: says([5]) })
    const { answer, deltas } = await run(modelSwitch({ rungs, samplesEach: 3, threshold: 1, stop: { rule: 'none' } }), env)
    expect(textIn(deltas)).toContain('4')
    expect(env.spent().calls).toBe(3)
    expect(answer.completion.model).toBe('small')
  })

  it('asks the next one otherwise, and votes over all by consistency and quality', async () => {
    const env = world({ small: says([4, 3, 6]), large: says([5]) })
    expect((await run(modelSwitch({ rungs, samplesEach: 3, threshold: 1, stop: { rule: 'none' } }), env)).answer.completion.model).toBe(
      'large',
    )
    // Two of three against a large model that is hardly ever right.
    const weighted = modelSwitch({
      rungs: [
        { model: 'small', samples: 3 },
        { model: 'large', samples: 1, quality: 0.1 },
      ],
      samplesEach: 3,
      threshold: 1,
      stop: { rule: 'none' },
    })
    expect((await run(weighted, world({ small: says([4, 4, 6]), large: says([5]) }))).answer.completion.model).toBe('small')
  })

  it('trusts what agreement was found to be worth, not the raw share', async () => {
    const calibration = new AgreementCalibration()
    for (let index = 0; index < 200; index++) {
      calibration.learn({ arm: agreementArm(['small']) }, { top: 3, total: 3 }, index % 2)
      calibration.learn({ arm: agreementArm(['large']) }, { top: 1, total: 1 }, index % 10 === 0 ? 0 : 1)
    }
    const env = world({ small: says([4, 4, 4]), large: says([5]) })
    const { answer } = await run(modelSwitch({ rungs, samplesEach: 3, threshold: 0.8, calibration, stop: { rule: 'none' } }), env)
    expect(answer.completion.model).toBe('large')
    expect(answer.steps?.some(({ name }) => name === 'escalate')).toBe(true)
    // The same samplers' agreement is worth the same to every strategy that draws from them.
    const vote = await run(
      selfConsistency({ model: 'small', most: 3, calibration, stop: { rule: 'none' } }),
      world({ small: says([4, 4, 4]) }),
    )
    expect(vote.answer.evidence?.probability).toBeCloseTo(0.5, 1)
  })

  it('skips a rung that is predicted to fail, passes over one that does, and ends at the budget’s last call', async () => {
    const skipped = world({ small: says([4, 4, 4]), large: says([5]) })
    expect(
      (await run(modelSwitch({ rungs: [{ ...rungs[0], worthAsking: () => false }, rungs[1]], samplesEach: 3, threshold: 1 }), skipped))
        .answer.completion.model,
    ).toBe('large')
    expect(skipped.spent().calls).toBe(1)
    const gone = await run(modelSwitch({ rungs, samplesEach: 3, threshold: 1 }), world({ large: says([5]) }))
    expect(gone.answer).toMatchObject({ fellBackFrom: ['small'] })
    const poor = world({ small: says([4, 3, 4]), large: says([5]) }, { budget: memoryBudget({ calls: 3 }) })
    expect((await run(modelSwitch({ rungs, samplesEach: 3, threshold: 1, stop: { rule: 'none' } }), poor)).answer.completion.model).toBe(
      'small',
    )
  })

  it('refuses the same rung twice and no rung', () => {
    expect(() => modelSwitch({ rungs: [{ model: 'a' }, { model: 'a' }], samplesEach: 2, threshold: 1 })).toThrow(/never asked twice/)
    expect(() => modelSwitch({ rungs: [], samplesEach: 2, threshold: 1 })).toThrow(expect.objectContaining({ path: 'rungs.length' }))
    expect(() => modelSwitch({ rungs, samplesEach: 2, threshold: NaN })).toThrow(expect.objectContaining({ path: 'threshold' }))
  })
})

describe('bestOfN', () => {
  const scorer = (value: (text: string) => number | null): Scorer => ({
    id: 'test',
    plan: [],
    score: (_request, { answer }) => {
      const part = answer.kind === 'reply' ? answer.reply.choices[0]?.parts[0] : undefined
      return Promise.resolve({ value: part?.type === 'text' ? value(part.text) : null, note: '' })
    },
  })
  const outcomes = { m: says([1, 2, 2, 3]) }
  const scores = scorer((text) => (text.includes('3') ? 0.8 : text.includes('2') ? 0.5 : 0.2))
  it('adds scores up over equal answers, or takes the best single one', async () => {
    expect(textIn((await run(bestOfN({ model: 'm', n: 4, scorer: scores }), world(outcomes))).deltas)).toContain('2')
    expect(textIn((await run(bestOfN({ model: 'm', n: 4, scorer: scores, choose: 'best' }), world(outcomes))).deltas)).toContain('3')
  })

  it('stops at a score that is enough, and votes where the scorer knows nothing', async () => {
    const env = world(outcomes)
    await run(bestOfN({ model: 'm', n: 4, scorer: scores, enough: 0.5 }), env)
    expect(env.spent().calls).toBe(2)
    for (const blind of [scorer(() => null), scorer(() => NaN), scorer(() => 7)])
      expect(textIn((await run(bestOfN({ model: 'm', n: 4, scorer: blind }), world(outcomes))).deltas)).toContain('2')
  })

  it('draws only while a sample is worth its price', async () => {
    const saturation = new Saturation()
    for (let index = 0; index < 100; index++) saturation.learn('m', { successes: index < 95 ? 4 : 0, trials: 4 })
    const profile = saturation.profile('m')
    if (profile === undefined) throw new Error('nothing learned')
    const env = world({ m: says([1, 1, 1, 1, 1, 1, 1, 1]) })
    await run(bestOfN({ model: 'm', n: 8, scorer: scorer(() => 0), worth: { profile, lambda: 0.02 } }), env)
    expect(env.spent().calls).toBeLessThan(5)
  })
})

describe('revise', () => {
  it('ends when a revision says the same, and shows the model its answer', async () => {
    const { env, asked } = watched(world({ m: says([3, 4, 4, 4]) }))
    const { answer, deltas } = await run(revise({ model: 'm', rounds: 5 }), env)
    expect(asked).toHaveLength(3)
    expect(asked[1]?.request.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(textIn(deltas)).toContain('4')
    expect(answer.evidence?.signal).toBe(1)
  })

  it('keeps the answer before a revision that fails, and leaves other kinds of requests alone', async () => {
    const { answer } = await run(revise({ model: 'm', rounds: 3 }), world({ m: says([3]) }))
    expect(answer.completion.model).toBe('m')
    const env = world({ m: says([3, 4]) })
    await run(revise({ model: 'm', rounds: 3 }), env, { ...request, tools: [{ type: 'function', name: 'f' }] })
    expect(env.spent().calls).toBe(1)
  })
})

describe('saturation and choice by difficulty', () => {
  it('draws more where more is worth it, and is the same after it was saved', () => {
    const saturation = new Saturation()
    for (let index = 0; index < 200; index++) saturation.learn('a', { successes: index % 5, trials: 4 })
    const profile = saturation.profile('a')
    if (profile === undefined) throw new Error('nothing learned')
    const fixed = [1, 10, 100].map((lambda) => worthwhileSamples(profile, { lambda, price: 0.1 }, 64))
    expect([...fixed].sort((a, b) => a - b)).toEqual(fixed)
    expect(valueOfSample(profile, 3, 0, { lambda: 1, price: 0 })).toBeLessThan(valueOfSample(profile, 0, 0, { lambda: 1, price: 0 }))
    expect(valueOfSample(profile, 3, 1, { lambda: 1, price: 0.01 })).toBeCloseTo(-0.01)
    saturation.learnSelection('a', 4, 0.5)
    expect(Saturation.load(JSON.parse(JSON.stringify(saturation.save()))).profile('a')).toEqual(saturation.profile('a'))
    expect(saturation.profile('b')).toBeUndefined()
    expect(() => saturation.learn('a', { successes: 5, trials: 4 })).toThrow(RangeError)
    expect(() => Saturation.load({ version: 1, profiles: [['a', [{ successes: 3, trials: 1 }], []]] })).toThrow(/saturation/)
  })

  const outcome = (question: number, level: 1 | 2 | 3 | 4 | 5, loop: string, spent: number, quality: number): LoopOutcome => ({
    question: `q${question}`,
    level,
    loop,
    spent,
    quality,
  })
  const outcomes = Array.from({ length: 100 }, (_, question) => {
    const hard = question % 2 === 1
    const level = hard ? 5 : 1
    return [outcome(question, level, 'single', 1, hard ? 0 : 1), outcome(question, level, 'vote', 5, hard ? 1 : 0.9)]
  }).flat()

  it('learns to spend where it helps, within the budget, and says how good that is on other questions', () => {
    const table = learnLoopTable(outcomes, [1, 5])
    expect(loopFor(table, 1, 5)?.loop).toBe('single')
    expect(loopFor(table, 5, 5)?.loop).toBe('vote')
    expect(loopFor(table, 5, 1)?.loop).toBe('single')
    expect(loopFor(table, 5, 0.5)).toBeNull()
    // Levels without questions of their own share their neighbours' choice.
    expect(loopFor(table, 3, 5)).not.toBeNull()
    expect(table.crossValidated[1]?.quality).toBeGreaterThan(table.crossValidated[1]?.bestSingle ?? 1)
    expect(readLoopTable(JSON.parse(JSON.stringify(table)))).toEqual(table)
    expect(() => readLoopTable({ version: 1, budgets: [NaN], cells: [[]], crossValidated: [] })).toThrow(/loop table/)
    expect(() => learnLoopTable([outcome(1, 1, 'a', 1, NaN)], [1])).toThrow(RangeError)
    expect(loopFor(learnLoopTable([], [1]), 1, 9)).toBeNull()
  })

  it('runs the loop of the request’s level', async () => {
    const table = learnLoopTable(outcomes, [5])
    const loops = { single: single('small'), vote: selfConsistency({ model: 'large', most: 3 }) }
    for (const [level, model] of [
      [1, 'small'],
      [5, 'large'],
    ] as const) {
      const { answer } = await run(
        byDifficulty({ loops, table, budget: 5, otherwise: 'single', level: () => level }),
        world({ small: says([1]), large: says([2, 2, 2]) }),
      )
      expect(answer.completion.model).toBe(model)
    }
    expect(() => byDifficulty({ loops, table, budget: 5, otherwise: 'none', level: () => 1 })).toThrow(
      expect.objectContaining({ path: 'otherwise' }),
    )
  })
})
