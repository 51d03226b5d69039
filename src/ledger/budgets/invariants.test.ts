import fc from 'fast-check'
import { expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { noCost, noUsage, picoUsd, units, type Unit } from '../../quantities/index.js'
import type { BudgetLevel, BudgetRule, CallBound, Held, Period } from './contract.js'
import { budgetWorld, level, needing, planned } from './fixtures/budget-world.js'
import { settled } from './fixtures/hand-clock.js'
import { countsOf } from './lines.js'
import { previousPerMille, windowOf } from './periods.js'

/** Amounts of a call in grains; a call is always one call. */
interface Amounts {
  readonly usd: number
  readonly tokens: number
  readonly joules: number
  readonly seconds: number
}

const amounts = fc.record({ usd: fc.nat(60), tokens: fc.nat(60), joules: fc.nat(60), seconds: fc.nat(60) })
const rule = fc.record({
  unit: fc.constantFrom<Unit>(...units),
  limit: fc.bigInt(0n, 150n),
  per: fc.constantFrom<Period>('minute', 'day', 'month', 'total'),
  hard: fc.boolean(),
})
const rules = fc.array(rule, { maxLength: 4 })

function boundOf({ usd, tokens, joules, seconds }: Amounts): CallBound {
  return {
    usage: { ...noUsage, inputTokens: tokens },
    cost: { ...noCost, usd: picoUsd(usd), joules: joules / 1000, seconds: seconds / 1000 },
    likelyTokens: tokens,
  }
}

/** As many of each as a share of what was reserved: a call never takes more than its bound. */
function share({ usd, tokens, joules, seconds }: Amounts, percent: number): Amounts {
  const part = (amount: number) => Math.floor((amount * percent) / 100)
  return { usd: part(usd), tokens: part(tokens), joules: part(joules), seconds: part(seconds) }
}

const grainsOf = (of: Amounts, unit: Unit): bigint => (unit === 'calls' ? 1n : BigInt(of[unit]))

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('hold' as const), leaf: fc.nat(3), amounts, wait: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const), which: fc.nat(), percent: fc.integer({ min: 0, max: 100 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('clock' as const),
      to: fc.constantFrom('2026-11-21T07:07:30Z', '2026-11-21T07:08:10Z', '2026-11-22T01:00:00Z', '2026-12-01T00:00:00Z'),
    }),
  },
)

it('no hard limit is overrun at any level of any tree, whatever the order; when all has settled, what is used is what was taken', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(rules, { minLength: 7, maxLength: 7 }), fc.array(step, { maxLength: 50 }), async (allRules, steps) => {
      const world = budgetWorld()
      const [top, left, right, one, two, three, run] = allRules as [
        BudgetRule[],
        BudgetRule[],
        BudgetRule[],
        BudgetRule[],
        BudgetRule[],
        BudgetRule[],
        BudgetRule[],
      ]
      const organisation = level('organisation', 'o', top)
      const leaves: readonly (readonly BudgetLevel[])[] = [
        [organisation, level('team', 'a', left), level('key', '1', one)],
        [organisation, level('team', 'a', left), level('key', '2', two)],
        [organisation, level('team', 'b', right), level('key', '3', three)],
        [organisation, level('team', 'b', right), level('key', '3', three), level('run', '3/r', run)],
      ]
      // Said again here, so that what is tested isn't what tells.
      const limits = leaves
        .flat()
        .flatMap(({ kind, id, rules: some }) =>
          some
            .filter(({ hard }) => hard)
            .map(({ unit, per, limit }) => ({ prefix: `${kind}:${encodeURIComponent(id)}/${unit}/${per}:`, limit })),
        )
      const seen = new Set<string>()
      /** What was taken and settled of each counter. */
      const taken = new Map<string, bigint>()
      const open: {
        readonly held: Held
        readonly wanted: Amounts
        readonly counters: readonly { readonly counter: string; readonly unit: Unit }[]
      }[] = []
      const pending: Promise<void>[] = []
      const settle = (which: number, percent: number) => {
        const [call] = open.length === 0 ? [] : open.splice(which % open.length, 1)
        if (!call) return
        const actual = share(call.wanted, percent)
        call.held.settle(call.held.settled(boundOf(actual)))
        for (const { counter, unit } of call.counters) taken.set(counter, (taken.get(counter) ?? 0n) + grainsOf(actual, unit))
      }
      for (const one of steps) {
        if (one.do === 'clock') world.clock.set(Date.parse(one.to) / 1000)
        else if (one.do === 'settle') settle(one.which, one.percent)
        else {
          const levels = leaves[one.leaf] ?? []
          const now = world.clock.now()
          const counters = countsOf(levels).map(({ prefix, unit, counting }) => ({
            counter: prefix + windowOf(counting as Period, now).label,
            unit,
          }))
          for (const { counter } of counters) seen.add(counter)
          const onlySoft = levels.every(({ rules: some }) => some.every(({ hard }) => !hard))
          pending.push(
            world
              .budget(levels)
              .hold(planned(), boundOf(one.amounts))
              .then(
                (held) => void open.push({ held, wanted: one.amounts, counters }),
                (error: unknown) => {
                  expect(onlySoft).toBe(false)
                  expect(BursarError.is(error) && error.code).toBe('budget_exceeded')
                },
              ),
          )
          if (one.wait) await Promise.all(pending)
        }
        for (const { prefix, limit } of limits) {
          for (const counter of seen)
            if (counter.startsWith(prefix)) expect((await world.counters.used([counter]))[0]).toBeLessThanOrEqual(limit)
        }
      }
      await Promise.all(pending)
      while (open.length > 0) settle(0, 37)
      for (const counter of seen) expect((await world.counters.used([counter]))[0]).toBe(taken.get(counter) ?? 0n)
    }),
    { numRuns: 150 },
  )
}, 60_000)

it('what a refusal leaves is what it found, on every line', async () => {
  await fc.assert(
    fc.asyncProperty(rules, rules, fc.array(amounts, { minLength: 1, maxLength: 12 }), async (outer, inner, calls) => {
      const world = budgetWorld()
      const levels = [level('team', 't', outer), level('key', 'k', inner)]
      const counters = countsOf(levels).map(({ prefix, counting }) => prefix + windowOf(counting as Period, world.clock.now()).label)
      for (const call of calls) {
        const before = await world.counters.used(counters)
        const granted = await world
          .budget(levels)
          .hold(planned(), boundOf(call))
          .then(
            () => true,
            () => false,
          )
        const after = await world.counters.used(counters)
        if (!granted) expect(after).toEqual(before)
      }
    }),
    { numRuns: 150 },
  )
})

it('a rate never admits more than it allows by its own estimate, however the clock goes', async () => {
  const move = fc.oneof(
    { weight: 8, arbitrary: fc.record({ by: fc.double({ min: 0, max: 25, noNaN: true }), tokens: fc.nat(40) }) },
    { weight: 1, arbitrary: fc.record({ by: fc.double({ min: -130, max: 0, noNaN: true }), tokens: fc.nat(40) }) },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 120 }),
      fc.array(move, { maxLength: 60 }),
      async (requestsPerMinute, tokensPerMinute, moves) => {
        const world = budgetWorld({ queueSeconds: 0 })
        const levels = [level('key', 'k', [], { requestsPerMinute, tokensPerMinute })]
        /** What was admitted, by the minute it was admitted in. */
        const requests = new Map<number, number>()
        const tokens = new Map<number, number>()
        for (const { by, tokens: wanted } of moves) {
          world.clock.set(world.clock.now() + by)
          const now = world.clock.now()
          const window = windowOf('minute', now)
          const estimate = (of: ReadonlyMap<number, number>) =>
            (of.get(window.start) ?? 0) + Math.ceil(((of.get(window.start - 60) ?? 0) * previousPerMille(window, now)) / 1000)
          const admitted = await world
            .budget(levels)
            .hold(planned(), needing(0, wanted))
            .then(
              () => true,
              (error: unknown) => {
                expect(BursarError.is(error) && error.code).toBe('rate_limited')
                return false
              },
            )
          const fits = estimate(requests) + 1 <= requestsPerMinute && (wanted === 0 || estimate(tokens) + wanted <= tokensPerMinute)
          expect(admitted).toBe(fits)
          if (!admitted) continue
          requests.set(window.start, (requests.get(window.start) ?? 0) + 1)
          tokens.set(window.start, (tokens.get(window.start) ?? 0) + wanted)
        }
      },
    ),
    { numRuns: 200 },
  )
})

it('the seconds that a refusal names are enough, when nobody else comes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 8 }),
      fc.array(fc.double({ min: 0, max: 20, noNaN: true }), { minLength: 1, maxLength: 40 }),
      async (requestsPerMinute, pauses) => {
        const world = budgetWorld({ queueSeconds: 0 })
        const levels = [level('key', 'k', [], { requestsPerMinute })]
        for (const pause of pauses) {
          world.clock.set(world.clock.now() + pause)
          const refusal: unknown = await world
            .budget(levels)
            .hold(planned(), needing(0))
            .then(
              () => undefined,
              (error: unknown) => error,
            )
          if (!BursarError.is(refusal)) continue
          expect(refusal.retryAfterSeconds).toBeLessThanOrEqual(120)
          world.clock.set(world.clock.now() + (refusal.retryAfterSeconds ?? 0))
          await expect(world.budget(levels).hold(planned(), needing(0))).resolves.toBeDefined()
        }
      },
    ),
    { numRuns: 100 },
  )
})

it('places are never more than there are, and all are taken when enough wait', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 30 }),
      fc.array(fc.nat(), { maxLength: 60 }),
      async (parallel, callers, ends) => {
        const world = budgetWorld({ queueSeconds: 100 })
        const levels = [level('team', 't', [], { parallel }), level('key', 'k', [], { parallel: 9 })]
        const running: Held[] = []
        for (let caller = 0; caller < callers; caller++)
          void world
            .budget(levels)
            .hold(planned(), needing(0))
            .then((held) => running.push(held))
        await settled()
        let left = callers
        for (const which of [...ends, ...Array.from({ length: callers }, () => 0)]) {
          expect(running.length).toBe(Math.min(parallel, left))
          const [held] = running.length === 0 ? [] : running.splice(which % running.length, 1)
          if (!held) break
          held.settle([0n, 0n])
          left--
          await settled()
        }
        expect(left).toBe(0)
      },
    ),
    { numRuns: 60 },
  )
})
