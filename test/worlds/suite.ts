import { describe, expect, it } from 'vitest'
import { BursarError } from '../../src/errors/index.js'
import { ReplyCollector, type Delta, type Request } from '../../src/protocol/index.js'
import type { Answer, Strategy } from '../../src/strategies/index.js'
import { strategies } from './strategies.js'
import { asking, type OpenWorld, type WorldOptions } from './worlds.js'

interface Run {
  readonly deltas: readonly Delta[]
  readonly answer: Answer
}

async function run(strategy: Strategy, { env }: OpenWorld, request: Request = asking()): Promise<Run> {
  const deltas: Delta[] = []
  const running = strategy.run(request, env)
  for (;;) {
    const step = await running.next()
    if (step.done) return { deltas, answer: step.value }
    deltas.push(step.value)
  }
}

/** Lets everything run that can. */
const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

/** Most calls that a strategy says it may make. */
const mostCalls = (strategy: Strategy) => strategy.plan.reduce((sum, { most }) => sum + most, 0)

/** When work is cancelled, in virtual seconds: while the first call is on its way, and in the middle of later ones. */
const CANCELLED_AT = [0.02, 0.4, 1.1, 2.3]

/** What every strategy keeps to in a world. */
export function strategiesIn(open: (options?: WorldOptions) => OpenWorld): void {
  describe.each(Object.entries(strategies))('%s', (_id, make) => {
    it('streams one answer, from its start to its finish', async () => {
      const { deltas, answer } = await run(make(), open())
      expect(deltas[0]?.type).toBe('start')
      expect(deltas.filter(({ type }) => type === 'start')).toHaveLength(1)
      expect(deltas.filter(({ type }) => type === 'finish')).toHaveLength(1)
      const finish = deltas.findIndex(({ type }) => type === 'finish')
      for (const { type } of deltas.slice(finish + 1)) expect(type).toBe('usage')
      const collector = new ReplyCollector()
      for (const delta of deltas) collector.push(delta)
      const { reported: _told, ...said } = collector.reply()
      expect(answer.completion.answer).toMatchObject({ kind: 'reply', reply: said })
    })

    it('gives a whole answer where none is streamed', async () => {
      const { deltas, answer } = await run(make(), open(), asking({ stream: false }))
      expect(deltas).toEqual([])
      expect(
        answer.completion.answer.kind === 'reply' && answer.completion.answer.reply.choices.map(({ parts }) => parts.at(-1)?.type),
      ).toEqual(['text'])
    })

    it.each([true, false])('counts all of its calls, of the models and as many as it said (streaming: %s)', async (stream) => {
      const strategy = make()
      const world = open()
      const { answer } = await run(strategy, world, asking({ stream }))
      const { usage, cost, calls, models } = world.spent()
      expect(answer.usage).toEqual(usage)
      expect(answer.cost.usd).toBe(cost.usd)
      expect(calls).toBeGreaterThan(0)
      for (const model of new Set(models)) {
        const planned = strategy.plan.filter((use) => use.model === model).reduce((sum, { most }) => sum + most, 0)
        expect(models.filter((called) => called === model).length).toBeLessThanOrEqual(planned)
      }
      expect(world.inFlight()).toBe(0)
    })

    it('does the same again by the same seed', async () => {
      const [once, again] = [await run(make(), open({ seed: 5 })), await run(make(), open({ seed: 5 }))]
      expect(again).toEqual(once)
    })

    it('stops when it is cancelled', async () => {
      for (const at of CANCELLED_AT) {
        const world = open()
        const running = run(make(), world)
        void world.clock.sleep(at).then(() => world.cancel())
        const ended = await running.then(
          () => world.clock.monotonic(),
          (thrown: unknown) => thrown,
        )
        if (typeof ended === 'number') {
          // It was over before.
          expect(at).not.toBe(CANCELLED_AT[0])
          expect(ended).toBeLessThanOrEqual(at)
          return
        }
        expect(ended).toMatchObject({ code: 'client_closed_request' })
        const { calls } = world.spent()
        await settled()
        expect([world.inFlight(), world.clock.waiting, world.spent().calls]).toEqual([0, 0, calls])
        await expect(run(make(), world)).rejects.toMatchObject({ code: 'client_closed_request' })
        expect(world.spent().calls).toBe(calls)
      }
    })

    it('leaves nothing running when its reader leaves', async () => {
      const world = open()
      for await (const delta of make().run(asking(), world.env)) if (delta.type === 'text') break
      const { calls } = world.spent()
      await settled()
      expect(calls).toBeGreaterThan(0)
      expect([world.inFlight(), world.clock.waiting, world.spent().calls]).toEqual([0, 0, calls])
    })

    it('never exceeds a budget, and says when there is none left', async () => {
      const strategy = make()
      const most = mostCalls(strategy)
      for (const calls of new Set([0, 1, 2, 3, most - 1, most].filter((count) => count >= 0 && count <= most))) {
        const world = open({ calls })
        const refused = await run(make(), world).then(
          () => undefined,
          (thrown: unknown) => thrown,
        )
        // A call that fails without an answer may or may not count, so `calls` of them is the most that is let through.
        expect(world.spent().models.filter((model) => model !== 'broken').length).toBeLessThanOrEqual(calls)
        expect(world.env.budget.remaining().calls).toBeGreaterThanOrEqual(0)
        if (refused !== undefined) expect(BursarError.is(refused) && refused.code).toBe('budget_exceeded')
        if (calls === 0) expect(refused).toBeDefined()
        if (calls === most) expect(refused).toBeUndefined()
        expect(world.inFlight()).toBe(0)
      }
    })
  })
}
