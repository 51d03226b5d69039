import { BursarError } from '../../errors/index.js'
import type { CallBudget, CallRecord } from '../../ledger/index.js'
import type { Delta, EmbeddingRequest, Request } from '../../protocol/index.js'
import type { Clock } from '../../quantities/index.js'
import type { Random } from '../../statistics/index.js'
import type { CallOptions, Completion, Environment, ModelId } from '../environment.js'
import { Attempt } from './attempt.js'
import { Attempts } from './attempts.js'
import type { CallScope, LiveWorld, Route, Serving } from './live-world.js'

/** The live world: providers over the network, the wall clock, the ledger. One a request. */
export class LiveEnvironment implements Environment {
  private attempt: Attempt | undefined
  private calls = 0
  private readonly startedAt: number

  constructor(
    private readonly world: LiveWorld,
    private readonly scope: CallScope,
  ) {
    this.startedAt = world.clock.monotonic()
  }

  get budget(): CallBudget {
    return this.scope.budget
  }
  get clock(): Clock {
    return this.world.clock
  }
  get random(): Random {
    return this.world.random
  }
  get signal(): AbortSignal {
    return this.scope.cancellation.signal
  }

  /** What is known of the attempt under way: for headers that go out before the answer is complete. */
  get serving(): Serving | undefined {
    return this.attempt?.serving()
  }

  /**
   * Calls a model: chooses a deployment, reserves, sends, retries elsewhere or later while nothing has been yielded, meters,
   * settles and records each attempt. `timeouts.total_seconds` counts from the beginning of the request, whatever was tried
   * before. Throws `UpstreamFailure`, `BudgetExceeded`, or the abort signal's reason.
   */
  async *call(model: ModelId, request: Request, options: CallOptions = {}): AsyncGenerator<Delta, Completion> {
    const attempts = new Attempts(this.world, this.routeOf(model), this.scope.cancellation, this.startedAt)
    for (;;) {
      const attempt = this.next(attempts, request, 'generate')
      const { deployment } = attempt
      try {
        await attempt.hold()
        const stream = deployment.provider.generate(attempt.providerCall(request, options.wire))
        return yield* attempt.relay(stream)
      } catch (thrown) {
        const failure = await attempt.failed(thrown)
        await attempts.afterFailure(deployment, failure, attempt.yielded)
      } finally {
        const taken = await attempt.close()
        if (taken) options.onCut?.(taken)
      }
    }
  }

  async embed(model: ModelId, request: EmbeddingRequest): Promise<Completion> {
    const attempts = new Attempts(this.world, this.routeOf(model), this.scope.cancellation, this.startedAt)
    for (;;) {
      const attempt = this.next(attempts, request, 'embed')
      const { deployment } = attempt
      try {
        await attempt.hold()
        return await attempt.succeeded(await deployment.provider.embed({ ...attempt.common(), request }))
      } catch (thrown) {
        const failure = await attempt.failed(thrown)
        await attempts.afterFailure(deployment, failure, false)
      } finally {
        await attempt.close()
      }
    }
  }

  private next(attempts: Attempts, request: Request | EmbeddingRequest, operation: CallRecord['operation']): Attempt {
    const deployment = attempts.next()
    return (this.attempt = new Attempt(
      this.world,
      this.scope,
      deployment,
      request,
      attempts.made,
      operation,
      ++this.calls,
      attempts.secondsLeft(deployment),
    ))
  }

  private routeOf(model: ModelId): Route {
    const route = this.world.route(model)
    if (route) return route
    throw new BursarError(`The model "${model}" doesn't exist here. GET /v1/models lists those that do.`, {
      code: 'model_not_found',
      status: 404,
      path: 'model',
    })
  }
}
