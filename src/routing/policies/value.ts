import { toDollars, type Regime } from '../../quantities/index.js'
import type { Estimate, Objective } from '../contracts.js'
import type { Option } from './feasible-arms.js'
import { secondsOf } from './sound-estimates.js'

/** What a unit of each thing is worth in dollars: the λ, κe and κt of 0.2. */
export interface Exchange {
  /** Dollars a right answer is worth more than a wrong one; `Infinity`: quality alone counts. */
  readonly lambda: number
  readonly usdPerJoule: number
  readonly usdPerSecond: number
}

/** How much less quality is worth when the budget nears its end, so that what is left lasts. */
export const regimeFactor: Readonly<Record<Regime, number>> = { ample: 1, tight: 0.5, last_call: 0.1 }

/** λ relative to the reference where the objective says nothing at all: that of `balanced`. */
const balancedRelativeLambda = 20

/** Near the budget's end quality alone can't count any more: then a right answer is worth so many reference calls, less the regime's factor. */
const boundedRelativeLambda = 200

/**
 * An objective in dollars. `relativeLambda` is multiplied by the reference arm's expected dollars; where those are unknown, by the dearest
 * known among the options; where no price is known, quality alone counts.
 */
export function exchangeOf(
  objective: Objective,
  reference: Estimate | undefined,
  options: readonly Option[],
  regime: Regime = 'ample',
): Exchange {
  const kappas = { usdPerJoule: atLeastZero(objective.usdPerJoule), usdPerSecond: atLeastZero(objective.usdPerSecond) }
  const factor = regimeFactor[regime]
  const lambda = told(objective.lambda)
  if (lambda !== undefined && (lambda !== Number.POSITIVE_INFINITY || regime === 'ample'))
    return { lambda: atLeastZero(lambda) * factor, ...kappas }
  const relative =
    lambda !== undefined
      ? boundedRelativeLambda
      : (told(objective.relativeLambda) ?? effortLambda(objective.effort) ?? balancedRelativeLambda)
  const yardstick = reference?.cost.usd ?? dearest(options)
  if (yardstick === null) return { lambda: relative === 0 ? 0 : Number.POSITIVE_INFINITY, ...kappas }
  if (relative === Number.POSITIVE_INFINITY)
    return { lambda: regime === 'ample' ? relative : boundedRelativeLambda * toDollars(yardstick) * factor, ...kappas }
  return { lambda: atLeastZero(relative) * toDollars(yardstick) * factor, ...kappas }
}

/**
 * λ from a relative effort e in (0, 1] (0.2: "expose only two knobs … derive λ from them"): 2·100ᵉ reference calls a right answer, so 1 is
 * `best` (200) and 0.5 `balanced` (20).
 */
export function effortLambda(effort: number | undefined): number | null {
  return effort !== undefined && effort > 0 && effort <= 1 ? 2 * 100 ** effort : null
}

/**
 * CARROT (069) decides by argmax (1 − μ)·q̂ − μ·s·ĉ, with s = 100 in its released plots. Divided by μ·s that is λ·q̂ − ĉ with
 * λ = (1 − μ)/(μ·s): the same rule, λ in dollars. `Infinity` for μ = 0. Throws `RangeError` outside [0, 1].
 */
export function lambdaOfTradeoff(mu: number, s = 100): number {
  if (!(mu >= 0 && mu <= 1) || !(s > 0)) throw new RangeError(`a trade-off is in [0, 1] with a positive scale, not ${mu} and ${s}`)
  return (1 - mu) / (mu * s)
}

/** Everything an arm takes, in dollars: usd + κe·joules + κt·seconds; `null` where a part that counts is unknown. */
export function costInDollars({ cost }: Estimate, { usdPerJoule, usdPerSecond }: Exchange, seconds: number | null): number | null {
  if (cost.usd === null || (usdPerJoule > 0 && cost.joules === null) || (usdPerSecond > 0 && seconds === null)) return null
  return toDollars(cost.usd) + usdPerJoule * (cost.joules ?? 0) + usdPerSecond * (seconds ?? 0)
}

/** An option with its quality and cost as the rule compares them; `null` is unknown. */
export interface Valued {
  readonly option: Option
  readonly quality: number | null
  readonly cost: number | null
}

export function valued(option: Option, exchange: Exchange): Valued {
  return {
    option,
    quality: option.estimate.quality?.mean ?? null,
    cost: costInDollars(option.estimate, exchange, secondsOf(option.estimate)),
  }
}

/** True where all that this exchange compares is known of the option. */
export function comparable({ quality, cost }: Valued, { lambda }: Exchange): boolean {
  return (lambda === 0 || quality !== null) && (lambda === Number.POSITIVE_INFINITY || cost !== null)
}

/**
 * λ·(quality of a − quality of b) − (cost of a − cost of b), in dollars: how much better a is (0.2 with b for "now"). Taken as differences, so that a large
 * λ doesn't swallow small costs. With λ = ∞ any difference in quality is infinite and none is nothing. Both must be `comparable`.
 */
export function advantage(a: Valued, b: Valued, { lambda }: Exchange): number {
  const gain = (a.quality ?? 0) - (b.quality ?? 0)
  const quality = lambda === 0 || gain === 0 ? 0 : lambda * gain
  return lambda === Number.POSITIVE_INFINITY ? quality : quality - ((a.cost ?? 0) - (b.cost ?? 0))
}

/**
 * Orders comparable options, the best first: by advantage; ties go to the cheaper, then to the better, then to the one that stands first.
 * An unknown cost is dearer than any known.
 */
export function byAdvantage(exchange: Exchange): (a: Valued, b: Valued) => number {
  return (a, b) => {
    const advance = advantage(a, b, exchange)
    if (advance !== 0) return advance > 0 ? -1 : 1
    const [costA, costB] = [a.cost ?? Number.POSITIVE_INFINITY, b.cost ?? Number.POSITIVE_INFINITY]
    if (costA !== costB) return costA - costB
    return (b.quality ?? 0) - (a.quality ?? 0) || a.option.index - b.option.index
  }
}

function dearest(options: readonly Option[]): Estimate['cost']['usd'] {
  return options.reduce<Estimate['cost']['usd']>((most, { estimate }) => {
    const { usd } = estimate.cost
    return usd !== null && (most === null || usd > most) ? usd : most
  }, null)
}

function told(value: number | undefined): number | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : value
}

function atLeastZero(value: number | undefined): number {
  return value !== undefined && value > 0 ? value : 0
}
