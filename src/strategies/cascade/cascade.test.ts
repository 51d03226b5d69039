import { describe, expect, it } from 'vitest'
import { memoryBudget, recordedEnvironment, type Environment, type OutcomeRow, type RecordedOptions } from '../../environment/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import { ran } from '../fixtures/ran.js'
import { answered, request, says } from '../fixtures/recorded-question.js'
import {
  acceptanceThreshold,
  acceptByAll,
  acceptByCheck,
  acceptByEvidence,
  acceptByPrediction,
  acceptByScore,
  cascade,
  judge,
  jsonCheck,
  logprobScorer,
  selfConsistency,
  single,
  type Scorer,
  type Strategy,
} from '../index.js'

const world = (outcomes: OutcomeRow['outcomes'], options?: RecordedOptions) => recordedEnvironment(answered(outcomes), options)

const run = (strategy: Strategy, env: Environment, asked: Request = request) => ran(strategy.run(asked, env))
const textIn = (deltas: readonly Delta[]) => deltas.flatMap((delta) => (delta.type === 'text' ? [delta.text] : [])).join('')
const vote = (model: string) => selfConsistency({ model, most: 3, stop: { rule: 'none' } })
const two = (accept = acceptByEvidence(1)) => cascade({ rungs: [{ strategy: vote('small'), accept }, { strategy: single('large') }] })
const scoring = (value: number | null): Scorer => ({ id: 'test', plan: [], score: () => Promise.resolve({ value, note: '' }) })

describe('cascade', () => {
  it('gives an accepted answer and asks nobody else', async () => {
    const env = world({ small: says(['4', '4', '4']), large: says(['5']) })
    const { answer, deltas } = await run(two(), env)
    expect(textIn(deltas)).toBe('4')
    expect(env.spent().calls).toBe(3)
    expect(answer.usage).toEqual(env.spent().usage)
    expect(answer.evidence).toMatchObject({ source: 'agreement', signal: 1 })
  })

  it('lets no byte of an answer out that isn’t accepted, and streams the last rung', async () => {
    const env = world({ small: says(['4', '3', '4']), large: says(['The long and certain answer is 5, as anybody may see by counting.']) })
    const { answer, deltas } = await run(two(), env)
    expect(textIn(deltas)).toMatch(/^The long and certain/)
    // Pieces, not one block: it was not held back.
    expect(deltas.filter(({ type }) => type === 'text').length).toBeGreaterThan(1)
    expect(deltas.filter(({ type }) => type === 'start')).toHaveLength(1)
    expect(answer.completion.model).toBe('large')
    expect(answer.usage).toEqual(env.spent().usage)
    expect(answer.steps?.map(({ name }) => name)).toContain('escalate')
  })

  it('passes over a rung that fails, and falls back to the best answer where the last one does', async () => {
    expect((await run(two(), world({ large: says(['5']) }))).answer).toMatchObject({ fellBackFrom: ['small'] })
    const { answer, deltas } = await run(two(), world({ small: says(['4', '3', '4']) }))
    expect(textIn(deltas)).toBe('4')
    expect(answer.fellBackFrom).toEqual(['large'])
    await expect(run(two(), world({}))).rejects.toMatchObject({ code: 'model_not_found' })
  })

  it('takes the best so far when the budget holds one more call, or has no room for the next', async () => {
    const last = world({ small: says(['4', '3', '4']), large: says(['5']) }, { budget: memoryBudget({ calls: 4 }) })
    expect((await run(two(), last)).answer.completion.model).toBe('small')
    expect(last.spent().calls).toBe(3)
    const dear = world(
      { small: says(['4', '3', '4']), large: { samples: [{ answer: '5', usd: 1 }] } },
      { budget: memoryBudget({ usd: 0.5 }) },
    )
    expect((await run(two(), dear)).answer.completion.model).toBe('small')
  })

  it('skips a rung that is predicted not to be right', async () => {
    const env = world({ small: says(['4']), large: says(['5']) })
    await run(
      cascade({
        rungs: [{ strategy: single('small'), accept: acceptByEvidence(1), worthAsking: () => false }, { strategy: single('large') }],
      }),
      env,
    )
    expect(env.spent().calls).toBe(1)
  })

  it('stops when it is cancelled between rungs, and when its reader leaves', async () => {
    const controller = new AbortController()
    const env = world({ small: says(['4', '3', '4']), large: says(['5']) }, { signal: controller.signal })
    const accept = {
      ...acceptByEvidence(1),
      test: (...args: Parameters<ReturnType<typeof acceptByEvidence>['test']>) => (
        controller.abort(new Error('gone')),
        acceptByEvidence(1).test(...args)
      ),
    }
    await expect(run(two(accept), env)).rejects.toThrow('gone')
    expect(env.spent().calls).toBe(3)
    const left = world({
      small: says(['4', '3', '4']),
      large: says(['A long answer that is never read to its end, since its reader has left long ago.']),
    })
    const running = two().run(request, left)
    for (let step = await running.next(); !step.done && step.value.type !== 'text'; step = await running.next());
    await running.return(undefined as never)
    expect(left.spent().calls).toBe(4)
    expect(left.spent().usage.outputTokens).toBeLessThan(40)
  })

  it('refuses no rungs and the same one twice', () => {
    expect(() => cascade({ rungs: [] })).toThrow(expect.objectContaining({ path: 'rungs' }))
    expect(() => cascade({ rungs: [{ strategy: single('a') }, { strategy: single('a') }] })).toThrow(/never asked twice/)
  })
})

describe('accept tests', () => {
  const answerOf = async (text: string) => (await run(single('m'), world({ m: says([text]) }))).answer
  const asking: Request = { ...request, responseFormat: { type: 'json_schema', schema: { type: 'object', required: ['a'] } } }

  it('by check: broken isn’t accepted, unchecked as wished', async () => {
    const env = world({})
    expect(await acceptByCheck(jsonCheck).test(asking, await answerOf('{"b": 1}'), env)).toMatchObject({ accepted: false, signal: 0 })
    expect(await acceptByCheck(jsonCheck).test(asking, await answerOf('{"a": 1}'), env)).toMatchObject({ accepted: true, signal: 1 })
    expect(await acceptByCheck(jsonCheck).test(request, await answerOf('x'), env)).toMatchObject({ accepted: true, signal: null })
    expect(await acceptByCheck(jsonCheck, 'escalate').test(request, await answerOf('x'), env)).toMatchObject({ accepted: false })
  })

  it('by score, calibrated or not; what is unknown or no score is escalated', async () => {
    const answer = await answerOf('x')
    expect(await acceptByScore({ scorer: scoring(0.7), threshold: 0.6 }).test(request, answer, world({}))).toMatchObject({
      accepted: true,
      probability: null,
      signal: 0.7,
    })
    expect(
      await acceptByScore({ scorer: scoring(0.7), threshold: 0.6, calibrated: (score) => score / 2 }).test(request, answer, world({})),
    ).toMatchObject({ accepted: false, probability: 0.35 })
    for (const value of [null, NaN, 3])
      expect(await acceptByScore({ scorer: scoring(value), threshold: 0 }).test(request, answer, world({}))).toMatchObject({
        accepted: false,
        signal: null,
      })
  })

  it('by a judge, whose call is counted, whose failure is not fatal', async () => {
    const env = world({ small: says(['4']), judge: says(['Grade: 9']), large: says(['5']) })
    const strategy = cascade({
      rungs: [
        { strategy: single('small'), accept: acceptByScore({ scorer: judge({ model: 'judge' }), threshold: 0.8 }) },
        { strategy: single('large') },
      ],
    })
    const { answer } = await run(strategy, env)
    expect(answer.completion.model).toBe('small')
    expect(env.spent().calls).toBe(2)
    expect(answer.usage).toEqual(env.spent().usage)
    expect(answer.evidence).toMatchObject({ signal: 0.9, probability: null })
    expect(strategy.plan.map(({ model }) => model)).toContain('judge')
    const mute = world({ small: says(['4']), judge: { samples: [] as never[] }, large: says(['5']) })
    expect((await run(strategy, mute)).answer.completion.model).toBe('large')
  })

  it('by prediction, and all of several', async () => {
    const answer = await answerOf('x')
    for (const [predicted, accepted] of [
      [0.9, true],
      [0.5, false],
      [null, false],
      [NaN, false],
    ] as const)
      expect(await acceptByPrediction(() => predicted, 0.8).test(request, answer, world({}))).toMatchObject({ accepted })
    const both = acceptByAll([acceptByPrediction(() => 0.9, 0.8), acceptByScore({ scorer: scoring(0.3), threshold: 0.5 })])
    expect(await both.test(request, answer, world({}))).toMatchObject({ accepted: false, probability: 0.9, signal: 0.3 })
    expect(await acceptByScore({ scorer: logprobScorer, threshold: 0.5 }).test(request, answer, world({}))).toMatchObject({
      accepted: false,
      signal: null,
    })
    expect(() => acceptByAll([])).toThrow(expect.objectContaining({ path: 'accept' }))
    expect(() => acceptByEvidence(NaN)).toThrow(expect.objectContaining({ path: 'threshold' }))
  })

  it('accepts earlier the less a right answer is worth', () => {
    const thresholds = [0.001, 0.01, 0.1, 1, Infinity].map((lambda) => acceptanceThreshold(0.9, 0.005, lambda))
    expect([...thresholds].sort((a, b) => a - b)).toEqual(thresholds)
    expect(thresholds[0]).toBe(0)
    expect(thresholds.at(-1)).toBe(0.9)
    expect(acceptanceThreshold(0.9, 0.005, 0)).toBe(0)
  })
})
