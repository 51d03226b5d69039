import { z } from 'zod'
import { BudgetExceeded } from '../../errors/index.js'
import { picoUsd, usd, toDollars, type Remaining } from '../../quantities/index.js'
import type { Decision, Estimate, Observation, Policy, PolicyMemory, Situation } from '../contracts.js'
import { feasibleArms, type FeasibilityOptions, type Option } from './feasible-arms.js'
import { dollars } from './plain-figures.js'
import { decoded, encoded } from './policy-memory.js'
import { secondsOf } from './sound-estimates.js'
import { decided } from './value-of-information.js'

/** What a conversation, or a window of requests without one, may take over `turns` turns. */
export interface ResourceLimits {
  readonly usd?: number | undefined
  readonly seconds?: number | undefined
  readonly joules?: number | undefined
}

export interface ConstrainedOptions extends FeasibilityOptions {
  readonly limits: ResourceLimits
  /** Turns that the limits are for. */
  readonly turns: number
  /** η of the dual ascent; 0.05 by default (158). */
  readonly step?: number | undefined
  /** Prices to begin with, such as those of a policy that has run on earlier requests (`state().prices`); 0 by default. */
  readonly start?: Partial<Record<Resource, number>> | undefined
  /** Conversations that are remembered at most; 10,000 by default. The one not seen for longest is forgotten. */
  readonly mostConversations?: number | undefined
}

/** What is kept of a conversation. Read-only: an observation makes a new one. */
export interface DualState {
  readonly turns: number
  readonly spent: Readonly<Record<Resource, number>>
  /** λ of each resource: quality that the yardstick's amount of it is worth. */
  readonly prices: Readonly<Record<Resource, number>>
}

const resources = ['usd', 'seconds', 'joules'] as const
type Resource = (typeof resources)[number]
const amounts = z.object({ usd: z.number().nonnegative(), seconds: z.number().nonnegative(), joules: z.number().nonnegative() })
const savedForm = z.object({
  version: z.literal(2),
  policy: z.string(),
  tenants: z.array(z.tuple([z.string(), z.object({ prices: amounts, scales: amounts, seen: z.int().nonnegative() })])),
  conversations: z.array(z.tuple([z.string(), z.object({ turns: z.int().nonnegative(), spent: amounts, prices: amounts })])),
})
/** What all turns of one tenant have led to. */
interface TenantState {
  readonly prices: Readonly<Record<Resource, number>>
  /** Running means of what the reference arm was expected to take. */
  readonly scales: Readonly<Record<Resource, number>>
  readonly seen: number
}

/** Tenants that are remembered; the one not heard of for longest is forgotten. */
const mostTenants = 1_024

const nothing: Readonly<Record<Resource, number>> = { usd: 0, seconds: 0, joules: 0 }

export interface ConstrainedPolicy extends Policy {
  /** What is known of a conversation now; for tests and the explanation. */
  state(conversation?: string, tenant?: string): DualState
}

/**
 * Choice under long-run limits (158): argmax q̂ − Σ λᵣ·cᵣ/sᵣ over the feasible arms, with a dual price λᵣ for each limited resource. After every turn
 * λᵣ ← max(0, λᵣ + η·(spent − allowed)/sᵣ), allowed = remaining/turns left (pacing). sᵣ, the scale, is the running mean of what the reference arm is expected to take, so that η means the
 * same for dollars, seconds and joules. A conversation starts at the prices that all turns of its tenant so far have led to; a request without one belongs to its
 * tenant's window of `turns` requests, after which the limits are fresh and the prices stay.
 *
 * Limits of dollars and joules are hard: an arm that doesn't fit what is left isn't feasible, and `BudgetExceeded` is thrown when none is. Of what is left, the cheapest arm's cost is
 * kept back for each turn to come, so that the last turns can be answered at all; only where nothing fits beside that it may be used. Seconds only have a price, since how long
 * a call takes isn't in anybody's hand. Where the reference's cost is unknown the policy can't set a scale and takes the arm's own. An unknown amount counts as what was expected.
 * The objective's λ isn't used; its ceilings and its floor are. Throws `RangeError` for settings out of range. O(arms).
 */
export function constrained(options: ConstrainedOptions): ConstrainedPolicy {
  const { limits, turns, step = 0.05, start = {}, mostConversations = 10_000 } = options
  if (!Number.isInteger(turns) || turns < 1 || !(step > 0 && step <= 1))
    throw new RangeError(`turns are a whole number of at least 1 and η in (0, 1], not ${turns} and ${step}`)
  for (const resource of resources) {
    const limit = limits[resource]
    if (limit !== undefined && !(limit >= 0 && limit < Number.POSITIVE_INFINITY))
      throw new RangeError(`a limit of ${resource} is at least 0, not ${limit}`)
  }
  const limited = resources.filter((resource) => limits[resource] !== undefined)
  const states = new Map<string, DualState>()
  const tenants = new Map<string, TenantState>()
  const fresh: TenantState = { prices: each((resource) => finite(start[resource]) ?? 0), scales: nothing, seen: 0 }

  const tenantOf = (tenant = '') => tenants.get(tenant) ?? fresh
  const stateOf = (conversation?: string, tenant?: string): DualState =>
    states.get(nameOf(conversation, tenant)) ?? { turns: 0, spent: nothing, prices: tenantOf(tenant).prices }
  const left = (state: DualState, resource: Resource) => Math.max(0, (limits[resource] ?? 0) - state.spent[resource])
  const scaleOf = (resource: Resource, reference: Estimate | undefined, tenant: string | undefined) => {
    const mean = tenantOf(tenant).scales[resource]
    return mean > 0 ? mean : (amountOf(reference, resource) ?? 0)
  }

  const score = (option: Option, state: DualState, reference: Estimate | undefined, tenant: string | undefined): number | null => {
    const quality = option.estimate.quality?.mean
    if (quality === undefined) return null
    let total = quality
    for (const resource of limited) {
      const amount = amountOf(option.estimate, resource)
      if (amount === null) return null
      const scale = scaleOf(resource, reference, tenant)
      if (scale > 0) total -= (state.prices[resource] * amount) / scale
    }
    return total
  }

  /** Feasible beside a reserve for the turns to come; where nothing is, feasible at all. */
  const feasibleWithin = (situation: Situation, state: DualState) => {
    const later = Math.max(0, turns - state.turns - 1)
    const reserve = (resource: Resource) =>
      later *
      situation.estimates.reduce(
        (least, estimate) => Math.min(least, finite(amountOf(estimate, resource) ?? undefined) ?? least),
        Number.POSITIVE_INFINITY,
      )
    const within = (kept: (resource: Resource) => number) =>
      feasibleArms(
        { ...situation, budget: narrowed(situation.budget, limits, (resource) => Math.max(0, left(state, resource) - kept(resource))) },
        options,
      )
    const reserved = (resource: Resource) => {
      const amount = reserve(resource)
      return amount < Number.POSITIVE_INFINITY ? amount : 0
    }
    try {
      return within(reserved)
    } catch (thrown) {
      if (thrown instanceof BudgetExceeded) return within(() => 0)
      throw thrown
    }
  }

  const id = 'constrained'
  const memory: PolicyMemory = {
    serialize: () => encoded({ version: 2, policy: id, tenants: [...tenants], conversations: [...states] }),
    load(bytes) {
      const saved = decoded(bytes, savedForm, id)
      tenants.clear()
      for (const [tenant, state] of saved.tenants.slice(-mostTenants)) tenants.set(tenant, state)
      states.clear()
      for (const [conversation, state] of saved.conversations.slice(-mostConversations)) states.set(conversation, state)
    },
  }
  return {
    id,
    memory,
    state: stateOf,
    choose(situation: Situation) {
      const state = stateOf(situation.conversation, situation.tenant)
      const feasible = feasibleWithin(situation, state)
      const choice = (option: Option, why: string) =>
        decided(id, situation, { option, why, feasible, exchange: { lambda: 1, usdPerJoule: 0, usdPerSecond: 0 } })
      const scored = feasible.options
        .map((option) => ({ option, score: score(option, state, feasible.reference, situation.tenant) }))
        .filter((one): one is { option: Option; score: number } => one.score !== null)
      const [first, ...rest] = scored
      if (!first) return choice(feasible.referenceOption ?? feasible.options[0], 'too little is known of the arms to compare them')
      const best = rest.reduce(
        (champion, one) =>
          one.score > champion.score || (one.score === champion.score && cheaper(one.option, champion.option)) ? one : champion,
        first,
      )
      const room = limited
        .map((resource) => (resource === 'usd' ? dollars(left(state, resource)) : `${left(state, resource).toPrecision(3)} ${resource}`))
        .join(', ')
      return choice(
        best.option,
        `at what ${limited.join(', ') || 'nothing limited'} is worth now it promises the most; ${room || 'no limit'} left for ${Math.max(1, turns - state.turns)} turns`,
      )
    },
    observe(decision: Decision, observation: Observation) {
      // A word on an answer is no further turn.
      const { quality, usd: paid, seconds, joules, outputTokens } = observation
      if (quality !== undefined && (paid ?? seconds ?? joules ?? outputTokens) === undefined) return
      const { conversation, tenant, reference } = decision
      const state = stateOf(conversation, tenant)
      const before = tenantOf(tenant)
      const seen = before.seen + 1
      const scales = each((resource) => {
        const amount = amountOf(reference, resource)
        return amount === null
          ? before.scales[resource]
          : before.scales[resource] + (amount - before.scales[resource]) / Math.min(seen, 1000)
      })
      const took = each((resource) => finite(observation[resource]) ?? amountOf(decision.expected, resource) ?? scales[resource])
      const moved = (prices: Readonly<Record<Resource, number>>) =>
        each((resource) => {
          const scale = scales[resource]
          if (limits[resource] === undefined || scale <= 0) return prices[resource]
          const allowed = left(state, resource) / Math.max(1, turns - state.turns)
          // A single outlier mustn't shut an arm out for a hundred turns.
          const excess = Math.min(2, Math.max(-2, (took[resource] - allowed) / scale))
          return Math.max(0, prices[resource] + step * excess)
        })
      remember(tenants, tenant ?? '', { prices: moved(before.prices), scales, seen }, mostTenants)
      const next = {
        turns: state.turns + 1,
        spent: each((resource) => state.spent[resource] + took[resource]),
        prices: moved(state.prices),
      }
      const windowIsOver = conversation === undefined && next.turns >= turns
      remember(
        states,
        nameOf(conversation, tenant),
        windowIsOver ? { turns: 0, spent: nothing, prices: next.prices } : next,
        mostConversations,
      )
    },
  }
}

/** What a state is kept under. Names of conversations are unique over all tenants; what belongs to none belongs to its tenant. */
function nameOf(conversation: string | undefined, tenant = ''): string {
  return conversation ?? (tenant === '' ? '' : `\0${tenant}`)
}

/** Puts a value last, and forgets the first of too many. */
function remember<Value>(kept: Map<string, Value>, name: string, value: Value, most: number): void {
  kept.delete(name)
  kept.set(name, value)
  const oldest = kept.keys().next()
  if (kept.size > most && !oldest.done) kept.delete(oldest.value)
}

/** The request's own budget, and what is left of the limits in dollars and joules. */
function narrowed(budget: Remaining, limits: ResourceLimits, left: (resource: Resource) => number): Remaining {
  const usdLeft = limits.usd === undefined ? undefined : floorUsd(left('usd'))
  const joulesLeft = limits.joules === undefined ? undefined : left('joules')
  return {
    ...budget,
    usd: usdLeft === undefined || (budget.usd !== undefined && budget.usd < usdLeft) ? budget.usd : usdLeft,
    joules: joulesLeft === undefined || (budget.joules !== undefined && budget.joules < joulesLeft) ? budget.joules : joulesLeft,
  }
}

/** `usd` rounds up, and what is left must never be more than it is. */
function floorUsd(amount: number) {
  const exact = usd(amount)
  return toDollars(exact) > amount ? picoUsd(exact - 1n) : exact
}

function amountOf(estimate: Estimate | undefined, resource: Resource): number | null {
  if (!estimate) return null
  if (resource === 'usd') return estimate.cost.usd === null ? null : toDollars(estimate.cost.usd)
  return resource === 'seconds' ? secondsOf(estimate) : estimate.cost.joules
}

function cheaper(a: Option, b: Option): boolean {
  return (a.estimate.cost.usd ?? Number.POSITIVE_INFINITY) < (b.estimate.cost.usd ?? Number.POSITIVE_INFINITY)
}

function finite(value: number | undefined): number | undefined {
  return value !== undefined && value >= 0 && value < Number.POSITIVE_INFINITY ? value : undefined
}

function each(of: (resource: Resource) => number): Readonly<Record<Resource, number>> {
  return { usd: of('usd'), seconds: of('seconds'), joules: of('joules') }
}
