import type { CallOptions, Completion, Environment, ModelId } from '../environment/index.js'
import type { Delta, Request } from '../protocol/index.js'
import type { Cost, Usage } from '../quantities/index.js'

/** What a strategy gave: the completion that answers, and the sum of all calls made on the way. */
export interface Answer {
  readonly completion: Completion
  /** Sums over every call of the strategy, the answering one included. */
  readonly usage: Usage
  readonly cost: Cost
  /** The models that were tried and failed before, in order. */
  readonly fellBackFrom: readonly ModelId[]
}

/**
 * A program of model calls that answers a request. Yields deltas as it goes; returns the answer. It touches the outside only
 * through `env`, so the same code runs live, on recorded outcomes and in simulation.
 */
export interface Strategy {
  readonly id: string
  run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer>
}
