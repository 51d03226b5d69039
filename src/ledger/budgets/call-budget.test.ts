import { describe, expect, it } from 'vitest'
import { BudgetExceeded, BursarError } from '../../errors/index.js'
import { picoUsd, usd } from '../../quantities/index.js'
import type { HoldOutcome } from '../counters/contract.js'
import { durablyNoted } from '../ledger.js'
import { createCallBudget } from './call-budget.js'
import { budgetWorld, hard, level, needing, planned, soft, taking } from './fixtures/budget-world.js'
import { settled } from './fixtures/hand-clock.js'
import { SharedBudgets } from './shared.js'

const at = (text: string) => Date.parse(text) / 1000

async function refusalOf(promise: Promise<unknown>): Promise<BursarError> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!BursarError.is(thrown)) throw new Error(`expected a refusal, got ${String(thrown)}`)
  return thrown
}

describe('a budget without limits', () => {
  it('notes the call as about to be made, and asks no counters', async () => {
    const world = budgetWorld()
    const budget = world.budget([level('organisation', 'o'), level('key', 'k')])
    const plan = planned()
    const held = await budget.hold(plan, needing(null, 5))
    expect(world.intents).toEqual([{ ...plan, usage: needing(null, 5).usage, cost: needing(null, 5).cost, held: [] }])
    expect(held.settled(taking(1))).toEqual([])
    held.settle([])
    expect(world.counters.size).toBe(0)
    expect([budget.remaining(), budget.regime(), budget.headers(), budget.warnings(), budget.limited.size]).toEqual([
      {},
      'ample',
      {},
      [],
      0,
    ])
  })
})

describe('hold', () => {
  it('reserves at every level, makes the intent durable, and settles the actual', async () => {
    const world = budgetWorld()
    const budget = world.budget([
      level('organisation', 'o', [hard('usd', usd(10))]),
      level('key', 'k', [hard('usd', usd(1), 'day'), hard('tokens', 100n, 'total')]),
    ])
    const held = await budget.hold(planned(), needing(0.4, 60))
    expect(world.intents[0]?.held).toEqual([
      { counter: 'organisation:o/usd/month:2026-11', amount: usd(0.4) },
      { counter: 'key:k/usd/day:2026-11-21', amount: usd(0.4) },
      { counter: 'key:k/tokens/total:all', amount: 60n },
    ])
    expect(budget.remaining()).toEqual({ usd: usd(0.6), tokens: 40 })
    const amounts = held.settled(taking(0.1, 30))
    expect(amounts).toEqual([usd(0.1), usd(0.1), 30n])
    held.settle(amounts)
    held.settle([0n, 0n, 0n])
    expect(await world.counters.used(['organisation:o/usd/month:2026-11', 'key:k/usd/day:2026-11-21', 'key:k/tokens/total:all'])).toEqual(
      amounts,
    )
    expect(budget.remaining()).toEqual({ usd: usd(0.9), tokens: 70 })
  })

  it('reserves on no level when one refuses', async () => {
    const world = budgetWorld()
    const budget = world.budget([
      level('organisation', 'o', [hard('usd', usd(10))]),
      level('team', 't', [hard('usd', usd(1))]),
      level('key', 'k', [hard('calls', 5n)]),
    ])
    await expect(budget.hold(planned(), needing(2))).rejects.toThrow(BudgetExceeded)
    expect(
      await world.counters.used(['organisation:o/usd/month:2026-11', 'team:t/usd/month:2026-11', 'key:k/calls/month:2026-11']),
    ).toEqual([0n, 0n, 0n])
    expect(world.intents).toEqual([])
  })

  it('gives everything back when the intent can not be made durable', async () => {
    const fault = new BursarError('full', { code: 'ledger_unavailable', status: 503 })
    const world = budgetWorld({}, () => Promise.reject(fault))
    const budget = world.budget([
      level('key', 'k', [hard('usd', usd(1))], { parallel: 1, requestsPerMinute: 1 }),
      level('request', 'r', [hard('usd', usd(1))]),
    ])
    await expect(budget.hold(planned(), needing(1))).rejects.toBe(fault)
    await expect(budget.hold(planned(), needing(1))).rejects.toBe(fault)
    expect(budget.remaining()).toEqual({ usd: usd(1) })
  })

  it('does not note an intent that the counters have made durable already', async () => {
    const world = budgetWorld()
    const durable = {
      hold: (): Promise<HoldOutcome> => Promise.resolve({ granted: true, used: [usd(0.2)], durable: true }),
      settle: () => {},
      used: () => Promise.resolve([]),
      close: () => Promise.resolve(),
    }
    const shared = new SharedBudgets({
      counters: durable,
      ledger: { recordIntent: () => Promise.reject(new Error('not to be called')) },
      clock: world.clock,
    })
    await expect(
      createCallBudget([level('key', 'k', [hard('usd', usd(1))])], { shared }).hold(planned(), needing(0.2)),
    ).resolves.toBeDefined()
  })

  it('refuses when the counters can not be asked', async () => {
    const world = budgetWorld()
    await world.counters.close()
    const refusal = await refusalOf(world.budget([level('key', 'k', [hard('usd', usd(1))])]).hold(planned(), needing(0.1)))
    expect(refusal).toMatchObject({ code: 'ledger_unavailable', status: 503 })
  })

  it('refuses a call of unknown price where dollars are limited, and says what to do', async () => {
    const world = budgetWorld()
    const refusal = await refusalOf(
      world.budget([level('team', 'research', [hard('usd', usd(10))])]).hold(planned({ deployment: 'local/llama' }), needing(null)),
    )
    expect(refusal).toMatchObject({ code: 'budget_exceeded', status: 429 })
    expect(refusal.message).toBe(
      'The price of "local/llama" is unknown, so the monthly budget of team "research" ($10) can\'t be checked. Set prices for this model in the configuration.',
    )
    const energy = world.budget([level('key', 'k', [hard('joules', 1000n)])])
    const bound = { ...needing(1), cost: { ...needing(1).cost, joules: null } }
    await expect(energy.hold(planned(), bound)).rejects.toThrow(/how many joules/)
    await expect(
      world.budget([level('key', 'k', [soft('usd', usd(1)), hard('calls', 9n)])]).hold(planned(), needing(null)),
    ).resolves.toBeDefined()
  })

  it.each([NaN, -1, Infinity])('throws RangeError for a bound of %s tokens, and reserves nothing', async (tokens) => {
    const world = budgetWorld()
    const budget = world.budget([
      level('key', 'k', [hard('usd', usd(1)), hard('tokens', 100n)]),
      level('request', 'r', [hard('usd', usd(1))]),
    ])
    await expect(budget.hold(planned(), needing(0.1, tokens))).rejects.toThrow(RangeError)
    expect(budget.remaining()).toEqual({ usd: usd(1), tokens: 100 })
  })

  it('settles to the reservation what is not known of the end, or is no amount', async () => {
    const world = budgetWorld()
    const held = await world.budget([level('key', 'k', [hard('usd', usd(1)), hard('tokens', 100n)])]).hold(planned(), needing(0.4, 60))
    expect(held.settled(taking(null, 10))).toEqual([usd(0.4), 10n])
    expect(held.settled(taking(-5n, NaN))).toEqual([usd(0.4), 60n])
    expect(held.settled({ ...taking(0.1, 1), sent: false })).toEqual([0n, 0n])
  })

  it('counts what a soft limit alone counts, and never refuses for it', async () => {
    const world = budgetWorld()
    const budget = world.budget([level('key', 'k', [soft('usd', usd(1))])])
    for (let call = 0; call < 3; call++) {
      const held = await budget.hold(planned(), needing(5))
      held.settle(held.settled(taking(0.5)))
    }
    expect(budget.warnings()).toEqual(['the monthly soft limit of key "k" is overrun: $1.5 used, $1 set'])
    expect(budget.limited.size).toBe(0)
    expect(budget.remaining()).toEqual({})
  })
})

describe('limits of a request', () => {
  it('hold for all its calls together, without a counter', async () => {
    const world = budgetWorld()
    const levels = [level('key', 'k'), level('request', 'r', [hard('usd', usd(0.1), 'day'), hard('calls', 3n, 'total')])]
    const budget = world.budget(levels)
    const held = await budget.hold(planned(), needing(0.08))
    expect(budget.remaining()).toEqual({ usd: usd(0.02), calls: 2 })
    await expect(budget.hold(planned(), needing(0.08))).rejects.toThrow(
      /budget of this request doesn't allow this call: it may need up to \$0\.08, and of \$0\.1 only \$0\.02 is left/,
    )
    held.settle(held.settled(taking(0.01)))
    expect(budget.remaining()).toEqual({ usd: usd(0.09), calls: 2 })
    await expect(budget.hold(planned(), needing(0.08))).resolves.toBeDefined()
    expect(world.counters.size).toBe(0)
    // Another request has its own.
    expect(world.budget(levels).remaining()).toEqual({ usd: usd(0.1), calls: 3 })
  })

  it('are given back when an outer level refuses', async () => {
    const world = budgetWorld()
    const budget = world.budget([level('key', 'k', [hard('usd', usd(0.05))]), level('request', 'r', [hard('usd', usd(0.1))])])
    await expect(budget.hold(planned(), needing(0.08))).rejects.toThrow(/key "k"/)
    await expect(budget.hold(planned(), needing(0.05))).resolves.toBeDefined()
  })
})

describe('refusals', () => {
  it('say which budget, what is left, what was needed, when it begins anew and what to do', async () => {
    const world = budgetWorld()
    const budget = world.budget([level('team', 'research', [hard('usd', usd(10), 'day')])])
    await budget.hold(planned(), needing(9.98))
    const refusal = await refusalOf(budget.hold(planned(), needing(0.05)))
    expect(refusal).toMatchObject({
      code: 'budget_exceeded',
      status: 429,
      retryAfterSeconds: at('2026-11-22T00:00:00Z') - at('2026-11-21T07:07:00Z'),
    })
    expect(refusal.message).toBe(
      'The daily budget of team "research" doesn\'t allow this call: it may need up to $0.05, and of $10 only $0.02 is left. It begins anew at 2026-11-22T00:00Z. Set max_tokens lower, name a cheaper model, or have the budget raised.',
    )
  })

  it.each([
    ['month', '2026-11-21T07:07:00Z', undefined],
    ['month', '2026-11-30T23:00:00Z', 3600],
    ['minute', '2026-11-21T07:07:18Z', 42],
    ['total', '2026-11-21T07:07:00Z', undefined],
  ] as const)('tell when to come back only within a day: a %s at %s', async (per, now, seconds) => {
    const world = budgetWorld()
    world.clock.set(at(now))
    const budget = world.budget([level('key', 'k', [hard('calls', 1n, per)])])
    await budget.hold(planned(), needing(0))
    expect((await refusalOf(budget.hold(planned(), needing(0)))).retryAfterSeconds).toBe(seconds)
  })

  it('of a call that is larger than the whole budget tell of no time', async () => {
    const budget = budgetWorld().budget([level('key', 'k', [hard('tokens', 1000n, 'minute')])])
    const refusal = await refusalOf(budget.hold(planned(), needing(0, 1200)))
    expect(refusal.retryAfterSeconds).toBeUndefined()
    expect(refusal.message).toContain('may need up to 1,200 tokens, more than the whole budget of 1,000 tokens. Set max_tokens lower')
  })
})

describe('remaining and regime', () => {
  it('are the least over all levels', async () => {
    const world = budgetWorld()
    const levels = [level('organisation', 'o', [hard('usd', usd(5)), hard('seconds', 2500n)]), level('key', 'k', [hard('usd', usd(7))])]
    await world
      .budget([levels[0] ?? level('key', 'x'), level('key', 'other')])
      .hold(planned(), { ...needing(1), cost: { ...needing(1).cost, seconds: 1 } })
    expect(world.budget(levels).remaining()).toEqual({ usd: usd(4), seconds: 1.5 })
    expect(world.budget(levels).name).toBe('key "k"')
  })

  it('get tight below a fifth, and tell the last call by what calls of this key usually take', async () => {
    const world = budgetWorld()
    const budget = world.budget([level('key', 'k', [hard('usd', usd(10))])])
    const regimes: string[] = [budget.regime()]
    for (let call = 0; call < 9; call++) {
      const held = await budget.hold(planned(), needing(1))
      held.settle(held.settled(taking(1)))
      regimes.push(budget.regime())
    }
    // Two dollars hold one call more and the reservation of another; a dollar doesn't.
    expect(regimes).toEqual(['ample', 'ample', 'ample', 'ample', 'ample', 'ample', 'ample', 'ample', 'ample', 'last_call'])
    const small = world.budget([level('key', 'small', [hard('usd', usd(10))])])
    for (let call = 0; call < 9; call++) {
      const held = await small.hold(planned(), needing(0.95))
      held.settle(held.settled(taking(call === 8 ? 0.55 : 0.95)))
    }
    expect(small.remaining()).toEqual({ usd: usd(1.85) })
    expect(small.regime()).toBe('last_call')
    for (let call = 0; call < 60; call++) (await small.hold(planned(), needing(0.01))).settle([usd(0.001)])
    expect(small.regime()).toBe('tight')
  })

  it('of a budget that is used up is the last call, also when nothing is known of calls', () => {
    expect(
      budgetWorld()
        .budget([level('key', 'k', [hard('usd', 0n)])])
        .regime(),
    ).toBe('last_call')
  })
})

describe('headers', () => {
  it('are those that clients of OpenAI read, and ours', async () => {
    const world = budgetWorld()
    world.clock.set(at('2026-11-21T07:06:30Z'))
    const budget = () =>
      world.budget([
        level('team', 't', [], { requestsPerMinute: 1000 }),
        level('key', 'k', [hard('usd', usd(2)), hard('tokens', 5000n)], { requestsPerMinute: 10, tokensPerMinute: 600 }),
      ])
    await budget().hold(planned(), needing(0.5, 100))
    await world.clock.pass(45)
    await budget().hold(planned(), needing(0.25, 50))
    expect(budget().headers()).toEqual({
      'x-ratelimit-limit-requests': '10',
      'x-ratelimit-remaining-requests': '8',
      'x-ratelimit-reset-requests': '1m45s',
      'x-ratelimit-limit-tokens': '600',
      // 50 of this minute, and three quarters of the hundred of the one before.
      'x-ratelimit-remaining-tokens': '475',
      'x-ratelimit-reset-tokens': '1m45s',
      'x-bursar-budget-remaining-usd': '1.25',
      'x-bursar-budget-remaining-tokens': '4850',
      'x-bursar-budget-regime': 'ample',
    })
    expect(budget().limited).toEqual(new Set(['usd', 'tokens', 'calls']))
  })
})

describe('alerts', () => {
  it('come once a window at 80 % and 100 % of a hard limit, and beyond a soft one', async () => {
    const world = budgetWorld()
    const levels = [level('team', 't', [hard('usd', usd(10), 'day'), soft('usd', usd(5), 'day')])]
    const spend = async (dollars: number) => {
      const held = await world.budget(levels).hold(planned(), needing(dollars))
      held.settle(held.settled(taking(dollars)))
      return world.alerts.splice(0).map(({ kind, share, used }) => [kind, share, used])
    }
    expect(await spend(5)).toEqual([])
    expect(await spend(1)).toEqual([['soft_limit_overrun', undefined, usd(6)]])
    expect(await spend(1)).toEqual([])
    expect(await spend(1)).toEqual([['share_reached', 0.8, usd(8)]])
    expect(await spend(2)).toEqual([['share_reached', 1, usd(10)]])
    for (let call = 0; call < 2; call++) await refusalOf(world.budget(levels).hold(planned(), needing(1)))
    expect(world.alerts.splice(0)).toMatchObject([
      {
        kind: 'refused',
        level: { kind: 'team', id: 't' },
        rule: hard('usd', usd(10), 'day'),
        window: { start: at('2026-11-21T00:00:00Z'), end: at('2026-11-22T00:00:00Z') },
      },
    ])
    world.clock.set(at('2026-11-22T00:00:01Z'))
    expect(await spend(9)).toHaveLength(2)
    // Back to the day before: that one was told of already.
    world.clock.set(at('2026-11-21T10:00:00Z'))
    expect(await spend(0)).toEqual([])
  })

  it('go by what is spent, not by what is reserved', async () => {
    const world = budgetWorld()
    const budget = world.budget([level('key', 'k', [hard('usd', usd(10))])])
    const [one, two] = [await budget.hold(planned(), needing(5)), await budget.hold(planned(), needing(5))]
    one.settle(one.settled(taking(0.1)))
    two.settle(two.settled(taking(0.1)))
    expect(world.alerts).toEqual([])
  })

  it('are not repeated when the level is read anew, but when its limit is another', async () => {
    const world = budgetWorld()
    const spend = async (limit: number) => {
      const held = await world.budget([level('key', 'k', [hard('usd', usd(limit))])]).hold(planned(), needing(1))
      held.settle(held.settled(taking(1)))
      return world.alerts.splice(0).length
    }
    for (let call = 0; call < 7; call++) expect(await spend(10)).toBe(0)
    expect(await spend(10)).toBe(1)
    expect(await spend(10)).toBe(0)
    expect(await spend(20)).toBe(0)
    expect(await spend(12.5)).toBe(1)
  })

  it('are not given for a tentative bound, a rate, a minute or a request', async () => {
    const world = budgetWorld({ queueSeconds: 0 })
    const budget = world.budget([
      level('key', 'k', [hard('usd', usd(1)), hard('calls', 2n, 'minute')], { requestsPerMinute: 1 }),
      level('request', 'r', [hard('tokens', 10n)]),
    ])
    await expect(budget.hold(planned(), needing(2), { tentative: true })).rejects.toThrow(BudgetExceeded)
    await expect(budget.hold(planned(), needing(0.1, 11))).rejects.toThrow(BudgetExceeded)
    for (let call = 0; call < 2; call++) (await budget.hold(planned(), needing(0))).settle([0n, 1n, 1n])
    await expect(budget.hold(planned(), needing(0))).rejects.toThrow(/minute budget/)
    await expect(world.budget([level('key', 'k', [], { requestsPerMinute: 1 })]).hold(planned(), needing(0))).rejects.toThrow(/rate limit/)
    expect(world.alerts).toEqual([])
    await expect(budget.hold(planned(), needing(2))).rejects.toThrow(BudgetExceeded)
    expect(world.alerts.map(({ kind }) => kind)).toEqual(['refused'])
  })

  it('that can not be given break no call', async () => {
    const world = budgetWorld()
    const shared = new SharedBudgets({
      counters: world.counters,
      ledger: { recordIntent: () => Promise.resolve(durablyNoted) },
      clock: world.clock,
      alert: () => {
        throw new Error('receiver is gone')
      },
    })
    const held = await createCallBudget([level('key', 'k', [hard('usd', usd(1))])], { shared }).hold(planned(), needing(1))
    expect(() => held.settle(held.settled(taking(1)))).not.toThrow()
  })
})

it('settings that make no sense are refused', () => {
  for (const settings of [{ queueSeconds: -1 }, { queueSeconds: NaN }, { maxWaiting: 0 }])
    expect(() => budgetWorld(settings)).toThrow(RangeError)
  expect(() => budgetWorld({ alertShares: [80] }).budget([level('key', 'k', [hard('usd', picoUsd(1))])])).toThrow(/share/)
})

it('a clock that steps forth and back finds what was used', async () => {
  const world = budgetWorld()
  const budget = world.budget([level('key', 'k', [hard('calls', 2n, 'day')])])
  await budget.hold(planned(), needing(0))
  world.clock.set(at('2026-11-25T00:00:00Z'))
  await budget.hold(planned(), needing(0))
  world.clock.set(at('2026-11-21T08:00:00Z'))
  await budget.hold(planned(), needing(0))
  await expect(budget.hold(planned(), needing(0))).rejects.toThrow(BudgetExceeded)
  world.clock.set(NaN)
  await expect(budget.hold(planned(), needing(0))).resolves.toBeDefined()
  await settled()
})
