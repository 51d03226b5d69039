import { describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { usd } from '../../quantities/index.js'
import type { CallBudget, Held } from './contract.js'
import { budgetWorld, hard, level, needing, planned, taking, type BudgetWorld } from './fixtures/budget-world.js'
import { settled } from './fixtures/hand-clock.js'
import { durationText } from './headers.js'

/** What became of a hold that may wait. */
interface Watched {
  state: 'waiting' | 'granted' | 'refused'
  held?: Held
  error?: unknown
}

function watch(promise: Promise<Held>, onEnd: () => void = () => {}): Watched {
  const watched: Watched = { state: 'waiting' }
  void promise.then(
    (held) => {
      Object.assign(watched, { state: 'granted', held })
      onEnd()
    },
    (error: unknown) => {
      Object.assign(watched, { state: 'refused', error })
      onEnd()
    },
  )
  return watched
}

const ask = (budget: CallBudget, tokens = 1) => budget.hold(planned(), needing(0, tokens))

/** Uses up a rate of requests. */
async function useUp(world: BudgetWorld, levels: Parameters<BudgetWorld['budget']>[0], times: number): Promise<void> {
  for (let time = 0; time < times; time++) await ask(world.budget(levels))
}

describe('a rate', () => {
  const levels = [level('key', 'k', [], { requestsPerMinute: 10 })]

  it('refuses with the seconds after which it has room', async () => {
    const world = budgetWorld()
    world.clock.set(world.clock.now() + 20)
    await useUp(world, levels, 10)
    const watched = watch(ask(world.budget(levels)))
    await settled()
    // Until this minute ends, and a tenth of the next one has worn off.
    expect(watched).toMatchObject({ state: 'refused', error: { code: 'rate_limited', status: 429, retryAfterSeconds: 46 } })
    expect((watched.error as Error).message).toBe(
      'The rate limit of 10 requests a minute for key "k" is reached. Send the request again in 46 s.',
    )
    await world.clock.pass(46)
    await expect(ask(world.budget(levels))).resolves.toBeDefined()
  })

  it('is waited for when the wait is short', async () => {
    const world = budgetWorld({ queueSeconds: 2 })
    await useUp(world, levels, 10)
    await world.clock.pass(64.5)
    const watched = watch(ask(world.budget(levels)))
    await settled()
    expect(watched.state).toBe('waiting')
    await world.clock.pass(1.4)
    expect(watched.state).toBe('waiting')
    await world.clock.pass(0.2)
    expect(watched.state).toBe('granted')
    expect(world.shared.queues.of('key:k')).toBeUndefined()
  })

  it('is not waited for beyond a budget: that has no room in a moment either', async () => {
    const world = budgetWorld({ queueSeconds: 60 })
    const both = [level('key', 'k', [hard('calls', 1n)], { requestsPerMinute: 1 })]
    await ask(world.budget(both))
    await expect(ask(world.budget(both))).rejects.toMatchObject({ code: 'budget_exceeded' })
  })

  it('counts a request once, however many calls it makes, also at the same time', async () => {
    const world = budgetWorld({ queueSeconds: 0 })
    const one = [level('key', 'k', [], { requestsPerMinute: 1 })]
    const budget = world.budget(one)
    await Promise.all(Array.from({ length: 5 }, () => ask(budget)))
    await ask(budget)
    expect(budget.headers()['x-ratelimit-remaining-requests']).toBe('0')
    await expect(ask(world.budget(one))).rejects.toMatchObject({ code: 'rate_limited' })
  })

  it('counts a request anew when it was refused before', async () => {
    const world = budgetWorld({ queueSeconds: 0 })
    const one = [level('key', 'k', [hard('tokens', 10n)], { requestsPerMinute: 1 })]
    const budget = world.budget(one)
    const results = await Promise.allSettled([ask(budget, 99), ask(budget, 1), ask(budget, 1)])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled'])
    expect(await world.counters.used(['key:k/calls/sliding:2026-11-21T07:07'])).toEqual([1n])
  })

  it('of tokens takes those that are likely, and settles those that were', async () => {
    const world = budgetWorld()
    const budget = world.budget([level('key', 'k', [], { tokensPerMinute: 1000 })])
    const held = await budget.hold(planned(), { ...needing(0, 90_000), likelyTokens: 400 })
    expect(budget.headers()['x-ratelimit-remaining-tokens']).toBe('600')
    held.settle(held.settled(taking(0, 700)))
    expect(budget.headers()['x-ratelimit-remaining-tokens']).toBe('300')
  })

  it('says so when a call alone is more than it', async () => {
    const budget = budgetWorld({ queueSeconds: 60 }).budget([level('key', 'k', [], { tokensPerMinute: 1000 })])
    const watched = watch(ask(budget, 1200))
    await settled()
    expect(watched).toMatchObject({ state: 'refused', error: { code: 'rate_limited', retryAfterSeconds: undefined } })
    expect((watched.error as Error).message).toContain(
      'may need up to 1,200 tokens, more than the rate limit of 1,000 tokens a minute for key "k". Set max_tokens lower',
    )
  })
})

describe('waiting', () => {
  const levels = [level('key', 'k', [], { parallel: 2 })]

  async function full(queueSeconds: number, maxWaiting = 64) {
    const world = budgetWorld({ queueSeconds, maxWaiting })
    const running = [await ask(world.budget(levels)), await ask(world.budget(levels))]
    return { world, running }
  }

  it('for a place ends when a call of this process gives one back', async () => {
    const { world, running } = await full(5)
    const watched = watch(ask(world.budget(levels)))
    await settled()
    expect(watched.state).toBe('waiting')
    running[0]?.settle([0n])
    await settled()
    expect(watched.state).toBe('granted')
  })

  it('for a place ends when another process gives one back', async () => {
    const { world } = await full(5)
    const elsewhere = await world.counters.used(['key:k/calls/parallel:all'])
    expect(elsewhere).toEqual([2n])
    const watched = watch(ask(world.budget(levels)))
    await settled()
    world.counters.settle(world.intents[0]?.callId ?? '', [0n])
    await world.clock.pass(0.2)
    expect(watched.state).toBe('granted')
  })

  it('ends with a refusal when the time is up', async () => {
    const { world } = await full(1)
    const watched = [watch(ask(world.budget(levels))), watch(ask(world.budget(levels)))]
    await world.clock.pass(0.9)
    expect(watched.map(({ state }) => state)).toEqual(['waiting', 'waiting'])
    await world.clock.pass(0.2)
    for (const one of watched)
      expect(one).toMatchObject({ state: 'refused', error: { code: 'rate_limited', status: 429, retryAfterSeconds: 1 } })
    expect((watched[0]?.error as Error).message).toBe(
      'As many calls of key "k" as may run at once (2) are under way. Send the request again when one of them has ended.',
    )
    expect([world.clock.sleeping, world.shared.queues.of('key:k')]).toEqual([0, undefined])
  })

  it('is first come, first served, and nobody who comes later overtakes', async () => {
    const { world, running } = await full(5)
    const order: number[] = []
    const held: Watched[] = []
    for (let caller = 0; caller < 4; caller++) held.push(watch(ask(world.budget(levels)), () => order.push(caller)))
    await settled()
    for (let step = 0; step < 4; step++) {
      ;(step < 2 ? running[step] : held[step - 2]?.held)?.settle([0n])
      held.push(watch(ask(world.budget(levels)), () => order.push(4 + step)))
      await settled()
    }
    expect(order).toEqual([0, 1, 2, 3])
  })

  it('is for so many of a key; further ones are refused at once', async () => {
    const { world } = await full(5, 3)
    const watched = Array.from({ length: 5 }, () => watch(ask(world.budget(levels))))
    await settled()
    expect(watched.map(({ state }) => state)).toEqual(['waiting', 'waiting', 'waiting', 'refused', 'refused'])
    expect(watched[4]?.error).toMatchObject({ code: 'rate_limited' })
  })

  it('of one key does not keep another key of the team waiting behind it', async () => {
    const world = budgetWorld({ queueSeconds: 5, maxWaiting: 2 })
    const team = level('team', 't', [], { parallel: 1 })
    const [greedy, modest] = [
      [team, level('key', 'greedy', [], { parallel: 9 })],
      [team, level('key', 'modest', [], { parallel: 9 })],
    ]
    const running = await ask(world.budget(greedy))
    const order: string[] = []
    const waiting = [
      watch(ask(world.budget(greedy)), () => order.push('greedy')),
      watch(ask(world.budget(greedy)), () => order.push('greedy')),
      watch(ask(world.budget(modest)), () => order.push('modest')),
    ]
    await settled()
    running.settle([0n, 0n])
    await settled()
    expect(order).toEqual(['greedy'])
    waiting[0]?.held?.settle([0n, 0n])
    await settled()
    expect(order).toHaveLength(2)
    expect(order).toContain('modest')
  })

  it('ends when the caller goes away, and lets the next one through', async () => {
    const { world, running } = await full(5)
    const gone = new AbortController()
    const reason = new BursarError('The client has gone.', { code: 'client_closed_request', status: 499 })
    const [first, second] = [watch(world.budget(levels, gone.signal).hold(planned(), needing(0))), watch(ask(world.budget(levels)))]
    await settled()
    gone.abort(reason)
    await settled()
    expect(first).toMatchObject({ state: 'refused', error: reason })
    running[1]?.settle([0n])
    await settled()
    expect(second.state).toBe('granted')
  })

  it('behind others ends when the caller goes away', async () => {
    const { world } = await full(5)
    const gone = new AbortController()
    watch(ask(world.budget(levels)))
    await settled()
    const behind = watch(world.budget(levels, gone.signal).hold(planned(), needing(0)))
    await settled()
    gone.abort(new Error('gone'))
    await settled()
    expect(behind.state).toBe('refused')
    expect(world.shared.queues.of('key:k')?.length).toBe(1)
  })

  it('is over when counters fail, for everybody in turn', async () => {
    const { world } = await full(5)
    const watched = [watch(ask(world.budget(levels))), watch(ask(world.budget(levels)))]
    await settled()
    await world.counters.close()
    await world.clock.pass(0.2)
    for (const one of watched) expect(one).toMatchObject({ state: 'refused', error: { code: 'ledger_unavailable' } })
    expect(world.shared.queues.of('key:k')).toBeUndefined()
  })
})

it('money is counted by the time a call got its turn, not by the time it came', async () => {
  const world = budgetWorld({ queueSeconds: 5 })
  world.clock.set(Date.parse('2026-11-21T23:59:58Z') / 1000)
  const levels = [level('key', 'k', [hard('usd', usd(1), 'day')], { parallel: 1 })]
  const running = await world.budget(levels).hold(planned(), needing(1))
  running.settle([usd(1), 1n])
  const busy = await world.budget(levels).hold(planned(), needing(0))
  const watched = watch(world.budget([level('key', 'k', [], { parallel: 1 })]).hold(planned(), needing(1)))
  await world.clock.pass(3)
  busy.settle(busy.settled(taking(0)))
  await settled()
  expect(watched.state).toBe('granted')
  expect(await world.counters.used(['key:k/usd/day:2026-11-21', 'key:k/usd/day:2026-11-22'])).toEqual([usd(1), 0n])
})

it.each([
  [0, '0s'],
  [-3, '0s'],
  [0.0171, '18ms'],
  [1, '1s'],
  [8.64, '8.64s'],
  [360, '6m0s'],
  [105.5, '1m45.5s'],
  [3723, '1h2m3s'],
])('%s seconds are written as OpenAI does: %s', (seconds, text) => expect(durationText(seconds)).toBe(text))
