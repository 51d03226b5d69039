import type { CallOptions, Completion, Environment, ModelId } from '../environment/index.js'
import type { Delta, Request } from '../protocol/index.js'
import type { Cost, Usage } from '../quantities/index.js'
import type { Lesson } from './lessons.js'

/** What a strategy gave: the completion that answers, and the sum of all calls made on the way. */
export interface Answer {
  readonly completion: Completion
  /** Sums over every call of the strategy, the answering one included. */
  readonly usage: Usage
  readonly cost: Cost
  /** The models that were tried and failed before, in order. */
  readonly fellBackFrom: readonly ModelId[]
  /** What the strategy learned about its answer's quality on the way: agreement, a verifier's or judge's word. Absent where it learned nothing. */
  readonly evidence?: Evidence | undefined
  /** What it did, for the explanation of the decision; without content. Absent for a single call. */
  readonly steps?: readonly Step[] | undefined
  /** What an outcome of this answer can teach strategies (`learnFrom`). Absent where there is nothing. */
  readonly lessons?: readonly Lesson[] | undefined
}

/** A signal of an answer's quality, and what it is worth. */
export interface Evidence {
  /** Such as `agreement`, `verifier:json_schema`, `judge:openai/gpt-5-mini`. */
  readonly source: string
  /** Probability that the answer is right; `null` while the signal is not calibrated. */
  readonly probability: number | null
  /** The signal itself, in [0, 1]: share of samples that agree, the verifier's score. */
  readonly signal: number
}

/** One unit of a strategy's work. */
export interface Step {
  /** Such as `sample 2`, `judge`, `plan`, `escalate`. */
  readonly name: string
  readonly model: ModelId
  readonly usage: Usage
  readonly cost: Cost
  /** One plain clause on what followed from it; no content. */
  readonly note?: string | undefined
}

/** How often a strategy calls a model. */
export interface PlannedUse {
  readonly model: ModelId
  /** Calls expected, and the most there can be, a request. */
  readonly expected: number
  readonly most: number
  /** Output tokens of these calls relative to a plain single call's; 1 when absent. */
  readonly outputRatio?: number | undefined
}

/**
 * A program of model calls that answers a request. Yields deltas as it goes; returns the answer. It touches the outside only
 * through `env`, so the same code runs live, on recorded outcomes and in simulation.
 */
export interface Strategy {
  readonly id: string
  /** The models that it may call: what must exist, and what it costs before anything has been learned. */
  readonly plan: readonly PlannedUse[]
  run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer>
}
