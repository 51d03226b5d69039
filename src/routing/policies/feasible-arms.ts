import { BudgetExceeded, BursarError, InvalidRequest } from '../../errors/index.js'
import { formatUsd, picoUsd, toDollars, type Money } from '../../quantities/index.js'
import type { Arm, ArmId, Estimate, Exclusion, Situation } from '../contracts.js'
import { secondsOf, soundEstimates, textUsage } from './sound-estimates.js'

/** An arm that may be chosen, with what is expected of it. */
export interface Option {
  readonly arm: Arm
  readonly estimate: Estimate
  /** Its place among the situation's arms. */
  readonly index: number
}

export interface FeasibleArms {
  /** Never empty. */
  readonly options: readonly [Option, ...Option[]]
  /** Sound estimates of all arms, in the situation's order. */
  readonly estimates: readonly Estimate[]
  readonly excluded: readonly Exclusion[]
  /** Absent where the reference arm is no arm of this situation. */
  readonly reference: Estimate | undefined
  readonly referenceOption: Option | undefined
  /** True: no arm meets the ceilings on seconds or joules or the floor, so these were set aside; `options` are the rest. */
  readonly relaxed: boolean
}

export interface FeasibilityOptions {
  /**
   * How sure one must be that an arm keeps the quality floor, in standard deviations of its expected quality (z); 1.645 is 19 times in 20.
   */
  readonly floorDeviations?: number | undefined
  /** Output tokens of the worst case relative to those expected, where the request sets no limit; 4 by default. */
  readonly worstOutputRatio?: number | undefined
}

type Kind = 'capability' | 'context' | 'place' | 'money' | 'wish'

/**
 * Which arms may answer. Hard, since nothing may break them: what the arm can do (context, tools, images, JSON), where it may run, the remaining
 * budget (the expected *and* the worst case must fit), ceilings on dollars and on list prices; an arm of unknown price never fits one of
 * these. Soft, since a refusal would help nobody: ceilings on seconds and joules, and the quality floor (kept by the lower bound mean − z·sd against
 * the reference's mean; the reference keeps its own floor). Where no arm meets the soft ones they are set aside and `relaxed` says so.
 *
 * Throws `BudgetExceeded` when money is what is missing, `InvalidRequest` when no arm can do what the request needs, `BursarError`
 * (`no_deployment_available`) when none may run here. O(arms).
 */
export function feasibleArms(
  situation: Situation,
  { floorDeviations = 1.645, worstOutputRatio = 4 }: FeasibilityOptions = {},
): FeasibleArms {
  const { arms } = situation
  const estimates = soundEstimates(situation)
  const referenceIndex = arms.findIndex((arm) => arm.id === situation.reference)
  const reference = estimates[referenceIndex]
  const excluded: Excluded[] = []
  const hard: Option[] = []
  const all: Option[] = []
  for (const [index, arm] of arms.entries()) {
    const estimate = estimates[index]
    if (!estimate) continue
    const option = { arm, estimate, index }
    const fault = hardFault(option, situation, worstOutputRatio)
    if (fault) {
      excluded.push(new Excluded(arm.id, fault.kind, fault.why))
      continue
    }
    hard.push(option)
    const why = softFault(option, situation, reference, floorDeviations)
    if (why === null) all.push(option)
    else excluded.push(new Excluded(arm.id, 'wish', why))
  }
  const [first, ...rest] = all.length > 0 ? all : hard
  if (!first) throw nothingFits(excluded)
  const options: FeasibleArms['options'] = [first, ...rest]
  const referenceOption = options.find(({ index }) => index === referenceIndex)
  return new Found(options, estimates, excluded, reference, referenceOption, all.length === 0)
}

/** An arm that may not answer, and why: in words only where somebody reads them. */
class Excluded implements Exclusion {
  constructor(
    readonly arm: ArmId,
    readonly kind: Kind,
    private readonly words: string | (() => string),
  ) {}

  get why(): string {
    return typeof this.words === 'string' ? this.words : this.words()
  }
}

class Found implements FeasibleArms {
  constructor(
    readonly options: FeasibleArms['options'],
    readonly estimates: readonly Estimate[],
    private readonly faults: readonly Excluded[],
    readonly reference: Estimate | undefined,
    readonly referenceOption: Option | undefined,
    readonly relaxed: boolean,
  ) {}

  get excluded(): readonly Exclusion[] {
    return this.faults.map(({ arm, why }) => ({ arm, why }))
  }
}

function hardFault(option: Option, situation: Situation, worstOutputRatio: number): { readonly kind: Kind; readonly why: string } | null {
  const { card } = option.arm
  const { traits } = situation.features
  if (traits.tools && card.tools === false) return { kind: 'capability', why: 'it takes no tools' }
  if (traits.images && card.images === false) return { kind: 'capability', why: 'it takes no images' }
  if (traits.structured && card.structured === false) return { kind: 'capability', why: 'it gives no JSON on demand' }
  // 116: an agentic mode without anything to act with only costs more.
  if (card.mode === 'agentic' && !traits.tools && card.tools !== true)
    return { kind: 'capability', why: 'it is agentic and there are no tools' }
  if (card.contextTokens !== undefined && traits.inputTokens + (situation.outputLimit ?? 0) > card.contextTokens)
    return { kind: 'context', why: `its context holds ${card.contextTokens} tokens` }
  if ((situation.offline || situation.objective.private) && card.place !== 'device')
    return { kind: 'place', why: situation.offline ? 'there is no network' : 'the request must stay on the device' }
  const why = moneyFault(option, situation, worstOutputRatio)
  return why === null ? null : { kind: 'money', why }
}

function moneyFault(
  { arm, estimate }: Option,
  { budget, objective, features, outputLimit }: Situation,
  worstOutputRatio: number,
): string | null {
  if (unlimited(budget) && objective.maxPrice === undefined && objective.maxUsd === undefined) return null
  const calls = arm.strategy.plan.reduce((sum, { most }) => sum + most, 0)
  const outputs = arm.strategy.plan.reduce((sum, { most, outputRatio }) => sum + most * (outputRatio ?? 1), 0)
  if (budget.calls !== undefined && calls > budget.calls)
    return `it may make ${calls} calls and the budget has room for ${Math.max(0, budget.calls)}`
  const inputTokens = Number.isFinite(features.traits.inputTokens) ? features.traits.inputTokens : 0
  const output = outputLimit ?? (estimate.outputTokens === null ? null : estimate.outputTokens * worstOutputRatio)
  if (budget.tokens !== undefined && inputTokens * calls + (output ?? 0) * outputs > budget.tokens)
    return 'its worst case needs more tokens than are left'
  const seconds = secondsOf(estimate)
  if (budget.seconds !== undefined && (budget.seconds <= 0 || (seconds !== null && seconds > budget.seconds)))
    return 'it takes longer than the seconds that are left'
  if (budget.joules !== undefined && (budget.joules <= 0 || (estimate.cost.joules !== null && estimate.cost.joules > budget.joules)))
    return 'it takes more joules than are left'
  const priceFault = listPriceFault(arm, objective.maxPrice)
  if (priceFault !== null) return priceFault

  if (budget.usd === undefined && objective.maxUsd === undefined) return null
  const expected = estimate.cost.usd
  if (expected === null) return 'its price is unknown, and dollars are limited'
  if (objective.maxUsd !== undefined && expected > objective.maxUsd)
    return `it is expected to cost $${formatUsd(expected)}, above the ceiling of $${formatUsd(objective.maxUsd)}`
  const worst =
    output === null ? null : (arm.card.priceOf?.(textUsage(Math.ceil(inputTokens * calls), Math.ceil(output * outputs))) ?? null)
  const most = worst !== null && worst > expected ? worst : expected
  if (budget.usd !== undefined && most > budget.usd)
    return `it may cost $${formatUsd(most)} and $${formatUsd(budget.usd > 0n ? budget.usd : picoUsd(0n))} are left`
  return null
}

function unlimited({ calls, tokens, seconds, joules, usd }: Situation['budget']): boolean {
  return calls === undefined && tokens === undefined && seconds === undefined && joules === undefined && usd === undefined
}

/** Priced by a thousand tokens each way, since a million would be in the tier of long contexts. */
function listPriceFault({ card }: Arm, ceiling: Situation['objective']['maxPrice']): string | null {
  if (ceiling?.input === undefined && ceiling?.output === undefined) return null
  const aMillion = (price: Money | null | undefined) => (price == null ? null : toDollars(price) * 1000)
  const input = aMillion(card.priceOf?.(textUsage(1000, 0)))
  const output = aMillion(card.priceOf?.(textUsage(0, 1000)))
  if (input === null || output === null) return 'its price is unknown, and prices are limited'
  if (ceiling.input !== undefined && input > ceiling.input)
    return `its input costs $${input} a million tokens, above the ceiling of $${ceiling.input}`
  if (ceiling.output !== undefined && output > ceiling.output)
    return `its output costs $${output} a million tokens, above the ceiling of $${ceiling.output}`
  return null
}

function softFault(
  { arm, estimate }: Option,
  { objective, reference: referenceId }: Situation,
  reference: Estimate | undefined,
  deviations: number,
): string | (() => string) | null {
  const { maxSeconds, maxJoules, qualityFloor } = objective
  if (maxSeconds !== undefined) {
    const seconds = secondsOf(estimate)
    if (seconds === null) return 'nobody knows how long it takes, and seconds are limited'
    if (seconds > maxSeconds) return () => `it is expected to take ${seconds.toPrecision(2)} s, above the ceiling of ${maxSeconds} s`
  }
  if (maxJoules !== undefined) {
    if (estimate.cost.joules === null) return 'nobody knows its joules, and joules are limited'
    const { joules } = estimate.cost
    if (joules > maxJoules) return () => `it is expected to take ${joules.toPrecision(2)} J, above the ceiling of ${maxJoules} J`
  }
  if (qualityFloor === undefined || qualityFloor <= 0 || arm.id === referenceId) return null
  if (estimate.quality === null) return 'nothing is known of its quality, and there is a floor on it'
  if (!reference?.quality) return 'nothing is known of the quality of the reference arm, which the floor is set by'
  const least = estimate.quality.mean - deviations * Math.sqrt(estimate.quality.variance)
  const floor = qualityFloor * reference.quality.mean
  if (least >= floor) return null
  return () => `its quality may be as low as ${Math.max(0, least).toFixed(2)}, below the floor of ${floor.toFixed(2)}`
}

/** The kind that comes first in this list is what the caller is told of: what money or a place could mend comes before what nothing can. */
function nothingFits(excluded: readonly Excluded[]): BursarError {
  const of = (kind: Kind) => excluded.filter((one) => one.kind === kind)
  const told = (list: readonly { readonly arm: ArmId; readonly why: string }[]) => {
    const shown = list.slice(0, 3).map(({ arm, why }) => `${arm}: ${why}`)
    return shown.join('; ') + (list.length > 3 ? `; and ${list.length - 3} more` : '')
  }
  const money = of('money')
  if (money.length > 0)
    return new BudgetExceeded(
      `No arm fits what may be spent (${told(money)}). Raise the budget or the ceiling, or ask for a shorter answer.`,
    )
  const place = of('place')
  if (place.length > 0)
    return new BursarError(`No arm may run here (${told(place)}). Configure an arm with "place: device".`, {
      code: 'no_deployment_available',
      status: 503,
    })
  const context = of('context')
  if (context.length > 0)
    return new InvalidRequest(
      `The request is too long for every arm (${told(context)}). Shorten it, or configure a model with a longer context.`,
      {
        code: 'context_length_exceeded',
      },
    )
  return new InvalidRequest(`No arm can do what the request asks for (${told(excluded)}). Configure a model that can, or leave it out.`, {
    code: 'unsupported_parameter',
  })
}
