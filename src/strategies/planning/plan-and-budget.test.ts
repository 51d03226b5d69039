import { describe, expect, it } from 'vitest'
import { UpstreamFailure } from '../../environment/index.js'
import type { Budget } from '../../quantities/index.js'
import type { Difficulty } from '../../understanding/index.js'
import { textOf } from '../calls.js'
import { asking, played, scriptedEnvironment, wordsOf, type Said } from './fixtures/scripted-environment.js'
import { readPlan } from './plan.js'
import { planAndBudget, type PlanAndBudgetOptions } from './plan-and-budget.js'

const plan = JSON.stringify({
  level: 3,
  steps: [
    { ask: 'Which numbers?', hint: 'read', credits: 40 },
    { ask: 'Add them', credits: 35 },
    { ask: 'Check', credits: 25 },
  ],
})
const options: PlanAndBudgetOptions = { planner: { model: 'cheap' }, solver: { model: 'strong' } }
const question = 'How much is it?'
const failure = new UpstreamFailure('down', { code: 'upstream_error', status: 502, upstreamStatus: 500, retryable: true, phase: 'request' })

/** Runs the strategy where the planner and the solver (by the number of its call) say this. */
async function run(
  planner: Said,
  solver: Said | readonly Said[],
  changes: Partial<PlanAndBudgetOptions> = {},
  request = asking(question),
  environment: Parameters<typeof scriptedEnvironment>[1] = {},
) {
  const env = scriptedEnvironment(
    ({ model, count }) =>
      model === 'cheap' ? planner : typeof solver === 'object' && 'length' in solver ? (solver[count - 1] ?? '') : solver,
    environment,
  )
  const { text, starts, finishes, answer } = await played(planAndBudget({ ...options, ...changes }).run(request, env))
  return {
    text,
    starts,
    finishes,
    answer,
    env,
    told: env.heard.filter(({ model }) => model === 'strong').map(({ request: heard }) => heard),
    notes: answer.steps?.map(({ note }) => note),
  }
}

describe('plan and budget', () => {
  it('plans in one cheap call and answers in one, with the words allotted', async () => {
    const { answer, env, told } = await run(`Sure!\n\`\`\`json\n${plan}\n\`\`\``, '42')
    expect(env.heard.map(({ model }) => model)).toEqual(['cheap', 'strong'])
    const [asked] = told
    if (asked === undefined) throw new Error('not asked')
    expect(wordsOf(asked)).toContain(question)
    // 350 words by 40·3, 35·2, 25·1: see the test of the allocation.
    for (const words of [197, 113, 40]) expect(wordsOf(asked)).toContain(`use up to ${words} words`)
    expect(wordsOf(asked)).toContain('Hint: read')
    expect(asked.maxOutputTokens).toBe(946)
    expect(textOf(answer.completion)).toBe('42')
    expect(answer.usage.inputTokens).toBe(20)
    expect(answer.steps?.map(({ name, note }) => [name, note])).toEqual([
      ['plan', 'level 3, 3 parts'],
      ['answer', undefined],
    ])
  })

  it('leaves what stands before the question as it was, for the prompt cache', async () => {
    const request = asking(question)
    const { told } = await run(
      plan,
      '42',
      {},
      { ...request, messages: [{ role: 'system', parts: [{ type: 'text', text: 'Be kind.' }] }, ...request.messages] },
    )
    expect(told[0]?.messages[0]).toEqual({ role: 'system', parts: [{ type: 'text', text: 'Be kind.' }] })
    expect(told[0]?.messages[1]?.parts[0]).toEqual({ type: 'text', text: question })
  })

  it.each([
    ['planned_uniform', /up to 118 words[^]*up to 116 words[^]*up to 116 words/, 946],
    ['planned_global', /Use up to 350 words in all/, 946],
    ['planned', /Add them/, undefined],
  ] as const)('as %s', async (variant, words, cap) => {
    const { told } = await run(plan, '42', { variant })
    expect(told[0] === undefined ? '' : wordsOf(told[0])).toMatch(words)
    expect(told[0]?.maxOutputTokens).toBe(cap)
  })

  it.each([1, 2] as const)('needs no plan at level %d', async (level) => {
    const difficulty: Difficulty = { value: 0.1, level, source: 'lexical' }
    const { env, told } = await run(plan, '42', { difficultyOf: () => difficulty })
    expect(env.heard.map(({ model }) => model)).toEqual(['strong'])
    expect(told[0] === undefined ? '' : wordsOf(told[0])).toContain(`up to ${level === 1 ? 200 : 250} words in all`)
  })

  it.each([
    ['prose', 'I would first add, then check.'],
    ['a level that is none', plan.replace('"level":3', '"level":9')],
    ['no credits', plan.replace(/"credits":\d+/g, '"credits":0')],
    ['negative credits', plan.replace('40', '-40')],
    ['no steps', '{"level": 3, "steps": []}'],
    ['six steps', JSON.stringify({ level: 3, steps: Array.from({ length: 6 }, () => ({ ask: 'x', credits: 1 })) })],
    ['half a plan', plan.slice(0, 60)],
    ['a failure', failure],
  ])('answers with one budget for the whole where the planner gives %s', async (_what, said) => {
    const { answer, told, notes } = await run(said, '42')
    expect(textOf(answer.completion)).toBe('42')
    expect(told[0] === undefined ? '' : wordsOf(told[0])).toContain('up to 350 words in all')
    expect(notes?.[0]).toMatch(/one budget for the whole/)
  })

  it('finds a plan that the planner calls easy too dear to use', async () => {
    const { told } = await run(plan.replace('"level":3', '"level":2'), '42')
    expect(told[0] === undefined ? '' : wordsOf(told[0])).toContain('up to 250 words in all')
  })

  it('asks a cut answer again without the budget, and tells', async () => {
    const { answer, told, notes } = await run(plan, [{ text: 'The answer', finish: 'length' }, 'The answer is 42'])
    expect(textOf(answer.completion)).toBe('The answer is 42')
    expect(told[1]?.maxOutputTokens).toBeUndefined()
    expect(told[1] === undefined ? '' : wordsOf(told[1])).toBe(question)
    expect(answer.usage.inputTokens).toBe(30)
    expect(notes?.[1]).toMatch(/hard limit/)
  })

  it('goes on with a cut answer that is out already, as one stream', async () => {
    const { text, starts, finishes, answer, told } = await run(
      plan,
      [{ text: 'The answer ', finish: 'length' }, 'is 42'],
      {},
      asking(question, { stream: true }),
    )
    expect([text, starts, finishes]).toEqual(['The answer is 42', 1, 1])
    expect(textOf(answer.completion)).toBe('The answer is 42')
    expect(answer.completion.answer.kind === 'reply' && answer.completion.answer.reply.choices[0]?.finish).toBe('stop')
    expect(told[1]?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
  })

  it.each([false, true])('says that an answer is cut where the second call fails (stream: %s)', async (stream) => {
    const { finishes, answer, notes } = await run(
      plan,
      [{ text: 'The answer ', finish: 'length' }, failure],
      {},
      asking(question, { stream }),
    )
    expect(finishes).toBe(stream ? 1 : 0)
    expect(answer.completion.answer.kind === 'reply' && answer.completion.answer.reply.choices[0]?.finish).toBe('length')
    expect(notes?.at(-1)).toMatch(/cut answer stands/)
  })

  it("keeps the caller's own limit, and its cut", async () => {
    const { answer, told } = await run(plan, { text: 'The', finish: 'length' }, {}, asking(question, { maxOutputTokens: 100 }))
    expect(told).toHaveLength(1)
    expect(told[0]?.maxOutputTokens).toBe(100)
    expect(answer.completion.answer.kind === 'reply' && answer.completion.answer.reply.choices[0]?.finish).toBe('length')
  })

  it('answers plainly what a plan would change, with the very request', async () => {
    for (const changes of [
      { tools: [{ type: 'function', name: 'f' }] },
      { responseFormat: { type: 'json_object' } },
      { n: 2 },
      { logprobs: { top: 1 } },
      { messages: [] },
    ] as const) {
      const request = asking(question, changes)
      const { env, notes } = await run(plan, '42', {}, request)
      expect(env.heard).toEqual([{ model: 'strong', request }])
      expect(notes?.[0]).toMatch(/answered plainly/)
    }
  })

  it('needs no plan where the budget has room for one call', async () => {
    const budget: Budget = { name: 'b', remaining: () => ({}), regime: () => 'last_call' }
    const { env } = await run(plan, '42', {}, asking(question), { budget })
    expect(env.heard.map(({ model }) => model)).toEqual(['strong'])
  })

  it('lets a budget that is gone stop it, before the answer', async () => {
    await expect(run(plan, '42', {}, asking(question), { mostCalls: 1 })).rejects.toMatchObject({ code: 'budget_exceeded' })
  })

  it('ends the call that is under way when its consumer goes', async () => {
    const env = scriptedEnvironment(({ model }) => (model === 'cheap' ? plan : 'one two'))
    const running = planAndBudget(options).run(asking(question, { stream: true }), env)
    await running.next()
    await running.return(undefined as never)
    expect(env.cancelled()).toBe(1)
    const gone = new AbortController()
    const aborted = scriptedEnvironment(() => (gone.abort(new Error('gone')), failure), { signal: gone.signal })
    await expect(played(planAndBudget(options).run(asking(question), aborted))).rejects.toBe(failure)
    expect(aborted.heard).toHaveLength(1)
  })

  it('limits thinking in tokens where it may, with room for the answer; else lets a solver think without a cap', async () => {
    const solver = { model: 'strong', reasoning: { effort: 'low' } } as const
    const { told } = await run(plan, '42', { limitThinking: true, solver })
    expect(told[0]).toMatchObject({ reasoning: { effort: 'low', maxTokens: 1024 }, maxOutputTokens: 946 + 1024 })
    expect((await run(plan, '42', { solver })).told[0]?.maxOutputTokens).toBeUndefined()
    expect((await run(plan, '42', {}, asking(question, { reasoning: { effort: 'high' } }))).told[0]?.maxOutputTokens).toBeUndefined()
    expect((await run(plan, '42', {}, asking(question, { reasoning: { effort: 'none' } }))).told[0]?.maxOutputTokens).toBe(946)
  })

  it('is one of several samples in all of its calls', async () => {
    const env = scriptedEnvironment(({ model }) => (model === 'cheap' ? plan : '42'))
    await played(planAndBudget(options).run(asking(question), env, { sample: 2, wire: 'openai-chat' }))
    expect(env.heard.map(({ options: told }) => told)).toEqual([{ sample: 128 }, { sample: 128 }])
  })

  it('refuses budgets that are none', () => {
    for (const words of [0, Number.NaN, Infinity])
      expect(() => planAndBudget({ ...options, words: { 1: 200, 2: 250, 3: words, 4: 450, 5: 600 } })).toThrow(/words\.3/)
  })
})

it('reads plans out of whatever stands around them, in bounded time', () => {
  expect(readPlan(`{not json} and then ${plan}`)?.steps).toHaveLength(3)
  expect(readPlan('{'.repeat(200_000))).toBeNull()
  expect(readPlan('')).toBeNull()
})
