import { describe, expect, it } from 'vitest'
import { BudgetExceeded } from '../../errors/index.js'
import { textOf } from '../calls.js'
import { ran } from '../fixtures/ran.js'
import { single } from '../single.js'
import { createFeatures } from '../thinking/fixtures/plain-features.js'
import { question, scriptedEnvironment, type Said } from '../thinking/fixtures/scripted-environment.js'
import { createEffortController, withEffort, type EffortController, type EffortTarget } from './index.js'

const features = createFeatures({ category: 'math' })
const target: EffortTarget = { arm: 'm', takes: 'none' }

function known(tokens: number): EffortController {
  const controller = createEffortController()
  for (let index = 0; index < 10; index++)
    controller.observe(features, target, { resolved: controller.resolve(1, features, target), outputTokens: tokens })
  return controller
}

const told = (text: string): Said => ({ text })
const sayings = (request: { readonly messages: readonly { readonly parts: readonly object[] }[] }) => JSON.stringify(request.messages)

describe('withEffort', () => {
  it('tells the budget behind the question, and streams as it comes', async () => {
    const env = scriptedEnvironment(() => told('x'.repeat(200)))
    const controller = known(100)
    const { deltas, answer } = await ran(
      withEffort(single('m'), 0.5, { controller, target, featuresOf: () => features }).run(question('Why?'), env),
    )
    const [call] = env.calls
    expect(call?.request.maxOutputTokens).toBeUndefined()
    expect(call?.request.messages.at(-1)?.parts).toEqual([
      { type: 'text', text: 'Why?' },
      { type: 'text', text: expect.stringContaining('about 37 words') },
    ])
    expect(deltas.filter(({ type }) => type === 'text').length).toBeGreaterThan(10)
    expect(textOf(answer.completion)).toBe('x'.repeat(200))
    expect(controller.table(features, target)).toEqual([{ asked: 0.5, realised: 0.5, quality: null, n: 1 }])
  })

  it('asks again without a budget when a whole answer was cut at the hard cap, and counts both', async () => {
    const env = scriptedEnvironment(() => told('y'.repeat(1000)))
    const { answer } = await ran(
      withEffort(single('m'), 0.5, { controller: known(100), target, featuresOf: () => features }).run(
        question('Why?', { stream: false }),
        env,
      ),
    )
    expect(env.calls.map(({ request }) => request.maxOutputTokens)).toEqual([100, undefined])
    expect(sayings(env.calls[1]?.request ?? question(''))).not.toContain('words')
    expect(textOf(answer.completion)).toBe('y'.repeat(1000))
    expect(answer.usage.outputTokens).toBe(100 + 250)
    expect(answer.steps?.map(({ name }) => name)).toEqual(['under the budget', 'without a budget'])
  })

  it('gives the cut answer, which says that it is cut, when there is no money for another', async () => {
    const env = scriptedEnvironment((_, __, call) => (call === 0 ? told('y'.repeat(1000)) : { fails: new BudgetExceeded('spent') }))
    const { answer } = await ran(
      withEffort(single('m'), 0.5, { controller: known(100), target, featuresOf: () => features }).run(
        question('Why?', { stream: false }),
        env,
      ),
    )
    expect(answer.completion.answer).toMatchObject({ reply: { choices: [{ finish: 'length' }] } })
    expect(answer.steps?.at(-1)?.note).toContain('budget_exceeded')
  })

  it("keeps to the caller's own limit without asking again", async () => {
    const env = scriptedEnvironment(() => told('y'.repeat(1000)))
    await ran(
      withEffort(single('m'), 0.5, { controller: known(100), target, featuresOf: () => features }).run(
        question('Why?', { stream: false, maxOutputTokens: 30 }),
        env,
      ),
    )
    expect(env.calls.map(({ request }) => request.maxOutputTokens)).toEqual([30])
  })

  it.each([
    ['JSON', { responseFormat: { type: 'json_object' as const } }],
    ['tools', { tools: [{ type: 'function' as const, name: 'f' }] }],
    ['several choices', { n: 2 }],
  ])('says nothing to the model about its manner with %s', async (_name, changes) => {
    const env = scriptedEnvironment(() => told('ok'))
    const asked = question('Why?', changes)
    await ran(withEffort(single('m'), 0.2, { controller: known(100), target, featuresOf: () => features }).run(asked, env))
    expect(env.calls[0]?.request).toBe(asked)
  })

  it("sets the provider's own parameter", async () => {
    const env = scriptedEnvironment(() => told('ok'))
    const byName: EffortTarget = { arm: 'm', takes: 'effort' }
    const byBudget: EffortTarget = { arm: 'm', takes: 'budget' }
    await ran(
      withEffort(single('m'), 0.1, { controller: known(1000), target: byName, featuresOf: () => features }).run(question('Why?'), env),
    )
    await ran(
      withEffort(single('m'), 0.5, { controller: known(1000), target: byBudget, featuresOf: () => Promise.resolve(features) }).run(
        question('Why?'),
        env,
      ),
    )
    expect(env.calls.map(({ request }) => request.reasoning)).toEqual([{ effort: 'low' }, { maxTokens: 500 }])
  })

  it('cancels the call of a reader that leaves', async () => {
    const env = scriptedEnvironment(() => told('z'.repeat(700)))
    const running = withEffort(single('m'), 0.5, { controller: known(100), target, featuresOf: () => features }).run(question('Why?'), env)
    await running.next()
    await running.next()
    await running.return(undefined as never)
    expect(env.calls[0]?.ended).toBe('stopped')
    expect(env.calls[0]?.yielded).toBeLessThan(20)
  })

  it('refuses a bad effort when it is built', () => {
    expect(() => withEffort(single('m'), 2, { controller: known(1), target, featuresOf: () => features })).toThrow(
      expect.objectContaining({ path: 'effort' }),
    )
  })
})
