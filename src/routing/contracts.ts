import type { ModelId } from '../environment/index.js'
import type { Cost, Money, Remaining } from '../quantities/index.js'
import type { Random } from '../statistics/index.js'
import type { Strategy } from '../strategies/index.js'

export type ArmId = string

/** A strategy with its settings bound, that a policy may choose. */
export interface Arm {
  readonly id: ArmId
  readonly strategy: Strategy
  /** The model that answers in the usual case. */
  readonly model: ModelId
}

/** What a predictor expects of an arm for a request. */
export interface Estimate {
  readonly arm: ArmId
  /** Expected quality in [0, 1] and the variance of that expectation; `null` when nothing is known. */
  readonly quality: { readonly mean: number; readonly variance: number } | null
  readonly cost: Cost
}

/** What the caller wants: a price for quality, a floor on it, ceilings on cost or latency, or a mix. */
export interface Objective {
  /** Dollars that one point of quality is worth. */
  readonly lambda?: number | undefined
  /** Least quality relative to the reference arm, in [0, 1]. */
  readonly qualityFloor?: number | undefined
  readonly maxUsd?: Money | undefined
  readonly maxSeconds?: number | undefined
}

/** How busy an arm's deployments are. */
export interface Load {
  inFlight(arm: ArmId): number
}

export interface Policy {
  readonly id: string
  choose(input: {
    readonly arms: readonly [Arm, ...Arm[]]
    readonly estimates: readonly Estimate[]
    readonly objective: Objective
    readonly budget: Remaining
    readonly load: Load
    readonly random: Random
  }): Decision
}

/** The chosen arm, the alternatives, how probable the choice was, and why. */
export interface Decision {
  readonly arm: Arm
  readonly alternatives: readonly Estimate[]
  /** Probability with which this arm was chosen. */
  readonly propensity: number
  readonly policy: string
  /** One plain sentence. */
  readonly reason: string
}
