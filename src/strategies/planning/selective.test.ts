import { describe, expect, it } from 'vitest'
import { UpstreamFailure } from '../../environment/index.js'
import { toDollars, type Budget, type Regime } from '../../quantities/index.js'
import { asking, played, scriptedEnvironment, wordsOf, type Said } from './fixtures/scripted-environment.js'
import { difficultiesOf, readOutline, readVote, resultOf } from './outline.js'
import { selective, type SelectiveOptions } from './selective.js'

const outline = (...difficulties: readonly unknown[]) =>
  JSON.stringify({ given: 'two trains', steps: difficulties.map((difficulty, index) => ({ task: `Find part ${index + 1}.`, difficulty })) })
const failure = new UpstreamFailure('down', { code: 'upstream_error', status: 502, upstreamStatus: 500, retryable: true, phase: 'request' })
const question = 'When do they meet?'

async function run(
  script: Readonly<Record<string, readonly Said[]>>,
  changes: Partial<SelectiveOptions> = {},
  request = asking(question, { stream: true }),
  environment: Parameters<typeof scriptedEnvironment>[1] = {},
) {
  const env = scriptedEnvironment(
    ({ model, count }) => script[model]?.[count - 1] ?? new Error(`nothing left to say for ${model}`),
    environment,
  )
  const strategy = selective({
    outliner: { model: 'outliner' },
    cheap: { model: 'cheap' },
    strong: { model: 'strong' },
    outlines: 1,
    ...changes,
  })
  const { answer, text, starts } = await played(strategy.run(request, env))
  return { answer, text, starts, env, models: env.heard.map(({ model }) => model), notes: answer.steps?.map(({ note }) => note) ?? [] }
}

function regime(...regimes: readonly Regime[]): Budget {
  let asked = 0
  return { name: 'b', remaining: () => ({}), regime: () => regimes[Math.min(asked++, regimes.length - 1)] ?? 'ample' }
}

describe('selective allocation', () => {
  it('gives easy steps to the cheap model, hard ones and the last to the strong one, and streams only the last', async () => {
    const { text, starts, models, answer, env } = await run({
      outliner: [outline(0.2, 0.8, 0.1)],
      cheap: ['First I add.\nResult: 7'],
      strong: ['Long thought.\nResult: 9', 'They meet at noon.'],
    })
    expect(models).toEqual(['outliner', 'cheap', 'strong', 'strong'])
    expect([text, starts]).toEqual(['They meet at noon.', 1])
    expect(env.heard.map(({ request }) => request.stream)).toEqual([false, false, false, true])
    const last = env.heard.at(-1)
    const told = last === undefined ? '' : wordsOf(last.request)
    // Results are passed on, the way to them isn't.
    expect(told).toMatch(/Given: two trains[^]*Result: 7[^]*Result: 9[^]*last step: Find part 3/)
    expect(told).not.toMatch(/I add|Long thought/)
    expect(answer.usage.inputTokens).toBe(40)
    expect(toDollars(answer.cost.usd ?? (0n as never))).toBeCloseTo(0.004, 9)
  })

  it('follows the outline that is voted for', async () => {
    const { models, env } = await run(
      {
        outliner: [outline(0.1, 0.1), 'no outline', outline(0.1, 0.1).replace('two trains', 'three trains'), '{"best": 2}'],
        cheap: ['Result: 1'],
        strong: ['Noon.'],
      },
      { outlines: 3 },
    )
    expect(models).toEqual(['outliner', 'outliner', 'outliner', 'outliner', 'cheap', 'strong'])
    const asked = env.heard.find(({ model }) => model === 'cheap')
    expect(asked === undefined ? '' : wordsOf(asked.request)).toContain('three trains')
  })

  it('makes one outline only while the budget is tight', async () => {
    const { models } = await run(
      { outliner: [outline(0.1, 0.1)], cheap: ['Result: 1'], strong: ['Noon.'] },
      { outlines: 3 },
      asking(question),
      { budget: regime('tight') },
    )
    expect(models).toEqual(['outliner', 'cheap', 'strong'])
  })

  it('checks steps that are nearly hard, and does them again where samples differ', async () => {
    const differ = await run(
      { outliner: [outline(0.5, 0.9)], cheap: ['Result: 7', 'Result: 8'], strong: ['Result: 9', 'Noon.'] },
      { verify: true },
    )
    expect(differ.models).toEqual(['outliner', 'cheap', 'cheap', 'strong', 'strong'])
    expect(differ.notes).toContain('easy; two samples differ')
    const agree = await run(
      { outliner: [outline(0.5, 0.9)], cheap: ['Result: 7', 'It is 7.\nResult: 7.0'], strong: ['Noon.'] },
      { verify: true },
    )
    expect(agree.models).toEqual(['outliner', 'cheap', 'cheap', 'strong'])
    expect((await run({ outliner: [outline(0.1, 0.9)], cheap: ['Result: 7'], strong: ['Noon.'] }, { verify: true })).models).toEqual([
      'outliner',
      'cheap',
      'strong',
    ])
  })

  it.each([
    ['fails', failure],
    ['is cut', { text: 'Result: 7', finish: 'length' } as const],
    ['says nothing', ' '],
  ])('lets the strong model do a step at which the cheap one %s', async (_what, said) => {
    const { models } = await run({ outliner: [outline(0.1, 0.9)], cheap: [said], strong: ['Result: 9', 'Noon.'] })
    expect(models).toEqual(['outliner', 'cheap', 'strong', 'strong'])
  })

  it('does all that is left in one call where a step can not be done, or the budget nears its end', async () => {
    const failed = await run({ outliner: [outline(0.9, 0.9, 0.9)], strong: [failure, 'Noon.'] })
    expect(failed.text).toBe('Noon.')
    const told = failed.env.heard.at(-1)
    expect(told === undefined ? '' : wordsOf(told.request)).toMatch(/Find part 1\. Then: Find part 2\. Then: Find part 3\./)
    // Asked at the start, for the outlines, before each step, and before the last.
    const poor = await run({ outliner: [outline(0.1, 0.1, 0.1)], cheap: ['Result: 7', 'Noon.'] }, {}, asking(question), {
      budget: regime('ample', 'ample', 'ample', 'last_call'),
    })
    expect(poor.models).toEqual(['outliner', 'cheap', 'cheap'])
  })

  it.each([
    ['no outline', ['Let me think.']],
    ['a failure', [failure]],
    ['an empty outline', ['{"given": "x", "steps": []}']],
  ])('answers plainly where the outliner gives %s', async (_what, outliner) => {
    const { text, models, notes } = await run({ outliner, strong: ['Noon.'] })
    expect([text, models]).toEqual(['Noon.', ['outliner', 'strong']])
    expect(notes.at(-1)).toMatch(/no outline to follow/)
  })

  it('leaves requests alone that steps would change', async () => {
    const request = asking(question, { tools: [{ type: 'function', name: 'f' }] })
    const { env } = await run({ strong: ['Noon.'] }, {}, request)
    expect(env.heard).toEqual([{ model: 'strong', request }])
  })

  it('stops with the request', async () => {
    const gone = new AbortController()
    const env = scriptedEnvironment(({ model }) => (model === 'outliner' ? outline(0.1, 0.9) : (gone.abort(new Error('gone')), failure)), {
      signal: gone.signal,
    })
    const strategy = selective({ outliner: { model: 'outliner' }, cheap: { model: 'cheap' }, strong: { model: 'strong' }, outlines: 1 })
    await expect(played(strategy.run(asking(question), env))).rejects.toBe(failure)
    expect(env.heard.map(({ model }) => model)).toEqual(['outliner', 'cheap'])
  })
})

it('takes difficulties that can not be used for hard, and forces the last to 0.9', () => {
  const read = readOutline(outline(0.3, 7, 'easy', null, 0))
  expect(read === null ? null : difficultiesOf(read)).toEqual([0.3, 0.9, 0.9, 0.9, 0.9])
  expect(readOutline(outline(...Array.from({ length: 9 }, () => 0.5)))).toBeNull()
  expect(readVote('{"best": 4}', 3)).toBeNull()
  expect(readVote('I like {"best": 2}', 3)).toBe(1)
  expect(resultOf('Result: 1\nno\n**Result:** 2 ')).toBe('2')
  expect(resultOf('just words')).toBe('just words')
  expect(resultOf(' \n')).toBeNull()
})
