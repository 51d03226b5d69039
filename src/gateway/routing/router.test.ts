import { describe, expect, it } from 'vitest'
import { BudgetExceeded } from '../../errors/index.js'
import { openaiChat } from '../../protocol/index.js'
import { noUsage, picoUsd, systemClock, toDollars, unlimited, type Remaining } from '../../quantities/index.js'
import { valueOfInformation, type Policy } from '../../routing/index.js'
import { single } from '../../strategies/index.js'
import { createUnderstanding, type Understanding } from '../../understanding/index.js'
import { parseConfig } from '../config/index.js'
import type { Key } from '../keys.js'
import type { ArmSet, ArmSource, LiveArm } from './arms.js'
import type { Belief } from './beliefs.js'
import { Conversations } from './conversations.js'
import { priorOf } from './priors.js'
import { Router, type Question, type RoutingFault } from './router.js'

const key: Key = { id: 'k', name: 'k', source: 'none', modelLists: [], levels: [], endUsers: [], runRules: [], requestRules: [] }

/** A model of this price, in dollars a million tokens. */
function arm(id: string, dollars: number, tier: 'small' | 'large'): LiveArm {
  const priceOf = ({ inputTokens, outputTokens }: typeof noUsage) => picoUsd(Math.round((inputTokens + 4 * outputTokens) * dollars * 1e6))
  return {
    id,
    model: id,
    strategy: single(id),
    strategyFor: () => single(id),
    card: { tier, priceOf },
    prior: priorOf(tier, undefined, 0),
    prices: [priceOf],
    routes: [],
  }
}

const small = arm('small', 0.1, 'small')
const large = arm('large', 5, 'large')
const none: Belief = { estimates: [], familiarity: 1, evidence: new Map() }

function router(
  parts: {
    readonly about?: () => Belief
    readonly policy?: Policy
    readonly understanding?: Understanding
    readonly arms?: readonly LiveArm[]
    readonly reference?: LiveArm
  } = {},
) {
  const faults: RoutingFault[] = []
  const arms = parts.arms ?? [small, large]
  const set: ArmSet = { arms, byId: new Map(arms.map((one) => [one.id, one])), reference: parts.reference ?? large, facts: [] }
  const source: ArmSource = {
    route: () => undefined,
    strategyOf: () => undefined,
    listed: () => [],
    aliases: new Set(),
    price: () => ({ report: { usd: null, details: {} } }),
  }
  const { routing } = parseConfig('{}', {}).config
  const made = new Router(
    routing,
    source,
    {
      understanding: parts.understanding ?? createUnderstanding(),
      conversations: new Conversations(() => systemClock.monotonic()),
      about: parts.about ?? (() => none),
      fault: (kind) => void faults.push(kind),
    },
    parts.policy ?? valueOfInformation(),
    { next: () => 0.5 },
    set,
  )
  return { made, faults }
}

function question(body: Record<string, unknown> = {}, remaining: Remaining = {}): Question {
  return {
    request: openaiChat.decodeRequest({
      model: 'auto:cheap',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
      ...body,
    }),
    headers: {},
    key,
    labels: {},
    budget: { ...unlimited, remaining: () => remaining, regime: () => 'ample' },
    signal: new AbortController().signal,
  }
}

const fails = (): never => {
  throw new Error('out of order')
}

describe('the router', () => {
  it('picks by what is believed where nothing was learned', async () => {
    const { made, faults } = router()
    const { decision, reference } = await made.decide(question({ bursar: { lambda: 0, quality_floor: 0 } }))
    expect([decision.arm.id, reference.id]).toEqual(['large', 'large'])
    const { decision: thrifty } = await made.decide(question({ model: 'auto', bursar: { lambda: 0 } }))
    expect(thrifty.arm.id).toBe('small')
    expect(faults).toEqual([])
  })

  it.each([
    ['predictor', { about: fails }],
    ['policy', { policy: { id: 'broken', choose: fails } }],
    ['understanding', { understanding: { ...createUnderstanding(), of: () => Promise.reject(new Error('out of order')) } }],
  ] as const)('gives the reference when the %s fails, and counts it', async (kind, parts) => {
    const { made, faults } = router(parts)
    const { decision, weighed } = await made.decide(question())
    expect(decision.arm.id).toBe('large')
    expect(decision.policy).toBe('fault')
    expect(decision.propensity).toBe(1)
    expect(weighed.reference).toBe('large')
    expect(faults).toEqual([kind])
  })

  it('fails closed for money: a budget that no arm fits is told, not made good', async () => {
    const { made, faults } = router()
    await expect(made.decide(question({}, { usd: picoUsd(1) }))).rejects.toBeInstanceOf(BudgetExceeded)
    expect(faults).toEqual([])
  })

  it('takes numbers that are none for unknown', async () => {
    const broken = {
      quality: { mean: Number.NaN, variance: Number.NaN },
      cost: { usd: null, seconds: Number.NaN, joules: Number.POSITIVE_INFINITY, gramsCO2e: null },
      outputTokens: Number.NaN,
      support: Number.NaN,
    }
    const { made } = router({
      about: () => ({
        estimates: [
          { arm: 'small', ...broken },
          { arm: 'large', ...broken },
        ],
        familiarity: Number.NaN,
        evidence: new Map([['small', Number.NaN]]),
      }),
    })
    const { decision, weighed } = await made.decide(question({ model: 'auto' }))
    expect(decision.arm.id).toBe('large')
    for (const one of weighed.arms)
      for (const value of Object.values(one)) if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true)
  })

  it('has one arm, or none', async () => {
    const { made } = router({ arms: [small] })
    expect((await made.decide(question())).decision.arm.id).toBe('small')
    await expect(router({ arms: [] }).made.decide(question())).rejects.toMatchObject({ code: 'model_not_found' })
  })

  it('needs no look at a name that is a model’s', () => {
    const { made } = router()
    expect(['auto', 'auto:cheap', 'openrouter/auto'].map((name) => made.decidesFor(name))).toEqual([true, true, true])
    expect(['gpt-5', 'automatic', 'small', ''].map((name) => made.decidesFor(name))).toEqual([false, false, false, false])
  })

  it('ends with the caller', async () => {
    const aborted = AbortSignal.abort(new Error('gone'))
    const { made, faults } = router({
      understanding: { ...createUnderstanding(), of: (_, signal) => Promise.reject(signal?.reason as Error) },
    })
    await expect(made.decide({ ...question(), signal: aborted })).rejects.toThrow('gone')
    expect(faults).toEqual([])
  })

  it('falls back to the reference, but not where that may not answer', async () => {
    const { made } = router()
    const free = await made.decide(question({ model: 'auto', bursar: { lambda: 0 } }))
    expect(free.strategy.plan.map(({ model }) => model)).toEqual(['small', 'large'])
    const dear = toDollars(large.card.priceOf?.({ ...noUsage, outputTokens: 300 }) ?? picoUsd(0))
    const bound = await made.decide(question({ model: 'auto', bursar: { lambda: 0, max_cost: dear / 10 } }))
    expect(bound.strategy.plan.map(({ model }) => model)).toEqual(['small'])
  })
})
