import { describe, expect, it } from 'vitest'
import { buildStrategy, finish, parseStrategy, strategyKinds, type Answer } from '../../strategies/index.js'
// Simulated models for strategies' own tests.
import { asking, scriptedEnvironment } from '../../strategies/planning/fixtures/scripted-environment.js'
import { createUnderstanding } from '../../understanding/index.js'
import { StrategyMemory, TenantLearning } from './index.js'

const memoryWith = (trusted: (source: string) => boolean, cap = 0.2) => {
  const memory = new StrategyMemory({ understanding: createUnderstanding(), clock: { now: () => 1000 } })
  memory.configure({ cap, trusted })
  return memory
}

const QUESTION = 'What is 2 + 2? Give a number.'
const kindOf = (memory: StrategyMemory) => memory.contextOf('one').categoryOf?.(asking(QUESTION))
const vote = parseStrategy({ kind: 'self_consistency', model: 'small', most: 3, stop: 'never' })
const voters = 'single(small)'

/** An answer that so many of three samples gave. */
const pooled = (memory: StrategyMemory, agreeing: number, tenant = 'one'): Promise<Answer> =>
  finish(
    buildStrategy(vote, strategyKinds, memory.contextOf(tenant)).run(
      asking(QUESTION),
      scriptedEnvironment(({ count }) => (count <= agreeing ? 'The answer is 4.' : 'The answer is 5.5.')),
    ),
  )

/** Where agreement is not lent by the memory, since the samples' name is of no interest here. */
const arm = async (memory: StrategyMemory) => {
  const [lesson] = (await pooled(memory, 3)).lessons ?? []
  return lesson?.kind === 'pool' ? lesson.arm : voters
}
const probability = async (memory: StrategyMemory, tenant = 'one') =>
  memory.contextOf(tenant).calibration?.probability({ arm: await arm(memory), category: kindOf(memory) }, { top: 3, total: 3 }) ?? null

async function tell(memory: StrategyMemory, score: number, times: number, source = 'key:a', answer?: Answer): Promise<void> {
  const lessons = memory.answered('one', answer ?? (await pooled(memory, 3)), source, true)
  for (let time = 0; time < times; time++) memory.told('one', lessons, { score, weight: 1, source })
}

describe('what strategies learn from words on their answers', () => {
  it('is what agreement is worth, which answers are plausible and how far sampling carries, of one tenant', async () => {
    const memory = memoryWith(() => true)
    await tell(memory, 1, 40)
    const good = await probability(memory)
    await tell(memory, 0, 60)
    expect(good).toBeGreaterThan(0.85)
    expect(await probability(memory)).toBeLessThan(0.6)
    expect(await probability(memory, 'two')).toBeNull()
    const { saturation, shapes } = memory.contextOf('one')
    expect(saturation?.profile([await arm(memory), kindOf(memory)].filter((part) => part !== undefined).join('\0'))?.questions).toBe(100)
    await tell(memory, 1, 30, 'key:a', await pooled(memory, 2))
    expect(shapes?.weight('n:5.5', kindOf(memory))).toBeLessThan(0.5)
  })

  it('says of another answer than the one that went out that it was wrong only where that was right', async () => {
    const memory = memoryWith(() => true)
    const answer = await pooled(memory, 3)
    const elsewhere = await finish(
      buildStrategy(parseStrategy('small'), strategyKinds, memory.contextOf('one')).run(
        asking(QUESTION),
        scriptedEnvironment(() => 'The answer is 5.'),
      ),
    )
    const other: Answer = { ...answer, completion: elsewhere.completion }
    await tell(memory, 0, 40, 'key:a', other)
    expect(await probability(memory)).toBeNull()
    await tell(memory, 1, 40, 'key:a', other)
    expect(await probability(memory)).toBeLessThan(0.2)
  })

  it.each([0.1, 0.2, 0.4])(
    'moves by no more than the bound of %d with all that one key says in a day, however much that is',
    async (cap) => {
      const memory = memoryWith((source) => source.startsWith('key:good'), cap)
      await tell(memory, 1, 30, 'key:good')
      const before = (await probability(memory)) ?? Number.NaN
      await tell(memory, 0, 2000, 'key:bad')
      expect(before - ((await probability(memory)) ?? Number.NaN)).toBeLessThanOrEqual(cap)
      expect(await probability(memory)).toBeLessThan(before)
    },
  )

  it('is kept and read again, and goes back with the predictor without what sources in quarantine said', async () => {
    const memory = memoryWith(() => true)
    await tell(memory, 1, 40)
    const kept = JSON.parse(JSON.stringify(memory.state())) as readonly (readonly [string, unknown])[]
    expect(memory.dirty).toBe(false)
    const again = memoryWith(() => true)
    for (const [tenant, saved] of kept) again.load(tenant, saved)
    expect(await probability(again)).toBe(await probability(memory))
    expect(() => again.load('x', { calibration: 1 })).toThrow()
    expect(() => TenantLearning.read({})).toThrow()

    const { snapshot, goBack } = memory.alongside('one')
    snapshot(40)
    const before = (await probability(memory)) ?? Number.NaN
    const context = memory.contextOf('one')
    await tell(memory, 0, 50, 'key:bad')
    await tell(memory, 1, 5, 'key:a')
    expect(await probability(memory)).toBeLessThan(before)
    goBack(40, (source) => source === 'key:bad')
    expect(await probability(memory)).toBeGreaterThanOrEqual(before)
    expect(memory.contextOf('one')).not.toBe(context)
    expect(memory.contextOf('one')).toBe(memory.contextOf('one'))
  })

  it('lets a switch of models accept what it would have passed on, and pass on what it would have accepted', async () => {
    const memory = memoryWith(() => true)
    const spec = parseStrategy({ kind: 'model_switch', models: ['small', 'large'], samples: 2, threshold: 0.7 })
    const asked = async () => {
      const env = scriptedEnvironment(() => 'The answer is 4.')
      const answer = await finish(buildStrategy(spec, strategyKinds, memory.contextOf('one')).run(asking(QUESTION), env))
      return { models: new Set(env.heard.map(({ model }) => model)), answer }
    }
    const first = await asked()
    expect(first.models).toEqual(new Set(['small']))
    await tell(memory, 0, 40, 'key:a', first.answer)
    const second = await asked()
    expect(second.models).toEqual(new Set(['small', 'large']))
    await tell(memory, 1, 400, 'key:a', first.answer)
    expect((await asked()).models).toEqual(new Set(['small']))
  })
})

describe('a library that learns', () => {
  const spec = parseStrategy({ kind: 'library', strategies: ['small', 'large'], lambda: 1, explore: 0 })
  const run = async (memory: StrategyMemory, tenant = 'one', explore = true) => {
    const env = scriptedEnvironment(() => 'The answer is 4.')
    const answer = await finish(buildStrategy(spec, strategyKinds, memory.contextOf(tenant, explore)).run(asking(QUESTION), env))
    return { model: env.heard[0]?.model, answer }
  }

  it('chooses by what was said of its strategies, tells why, and is another of another tenant', async () => {
    const memory = memoryWith(() => true)
    const first = await run(memory)
    await tell(memory, 0, 10, 'key:a', first.answer)
    const second = await run(memory)
    expect(second.model).not.toBe(first.model)
    expect(second.answer.steps?.[0]).toMatchObject({
      name: 'library',
      note: expect.stringMatching(/^"library" chose among 2 strategies, with probability 1\.00: Asks \w+\./) as string,
    })
    expect((await run(memory, 'two')).model).toBe(first.model)
    const again = memoryWith(() => true)
    for (const [tenant, saved] of JSON.parse(JSON.stringify(memory.state())) as readonly (readonly [string, unknown])[])
      again.load(tenant, saved)
    expect((await run(again)).model).toBe(second.model)
  })

  it('takes only what this use of it names, also where others have put more in', async () => {
    const memory = memoryWith(() => true)
    const other = parseStrategy({ kind: 'library', strategies: ['third'], lambda: 1 })
    await finish(
      buildStrategy(other, strategyKinds, memory.contextOf('one')).run(
        asking(QUESTION),
        scriptedEnvironment(() => '4'),
      ),
    )
    for (let time = 0; time < 30; time++) expect(['small', 'large']).toContain((await run(memory)).model)
  })

  it('is moved by no more than the bound by one key', async () => {
    const memory = memoryWith(() => false, 0.2)
    const { answer } = await run(memory)
    const lesson = answer.lessons?.[0]
    if (lesson?.kind !== 'library') throw new Error('no lesson')
    await tell(memory, 0, 1000, 'key:bad', answer)
    const [, learned] = memory.state()[0] ?? []
    const again = new TenantLearning(learned)
    const entry = again.library('library').entries.find(({ hash }) => hash === lesson.hash)
    if (entry === undefined) throw new Error('no entry')
    const { alpha, beta } = again.library('library').beliefOf(entry, lesson.cluster)
    expect(alpha / (alpha + beta)).toBeGreaterThanOrEqual(0.5 - 0.2)
    expect(alpha / (alpha + beta)).toBeLessThan(0.5)
  })

  it('draws with the probability that it tells', async () => {
    const memory = memoryWith(() => true)
    const wide = parseStrategy({ kind: 'library', name: 'wide', strategies: ['small', 'large'], lambda: 1, explore: 0.5 })
    const env = scriptedEnvironment(() => 'The answer is 4.')
    const strategy = buildStrategy(wide, strategyKinds, memory.contextOf('one'))
    let [inverse, tried] = [0, 0]
    const runs = 400
    for (let time = 0; time < runs; time++) {
      const note = (await finish(strategy.run(asking(QUESTION), env))).steps?.[0]?.note ?? ''
      const propensity = Number(/probability (\d\.\d\d)/.exec(note)?.[1])
      if (!note.includes('in order to learn')) continue
      tried++
      inverse += 1 / propensity
    }
    // Each of what could be tried weighs as many runs as there were: a Horvitz-Thompson count.
    expect(tried).toBeGreaterThan(0.1 * runs)
    expect(tried).toBeLessThan(0.5 * runs)
    expect(inverse).toBeGreaterThan(0.6 * runs)
    expect(inverse).toBeLessThan(1.4 * runs)
    const settledOnly = buildStrategy(wide, strategyKinds, memory.contextOf('one', false))
    for (let time = 0; time < 20; time++)
      expect((await finish(settledOnly.run(asking(QUESTION), env))).steps?.[0]?.note).not.toContain('in order to learn')
  })
})
