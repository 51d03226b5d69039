import { BursarError } from '../../errors/index.js'
import type { Cancellation } from '../cancellation.js'
import type { ModelId } from '../environment.js'
import { UpstreamFailure } from '../upstream-failure.js'
import { chooseDeployment, type Deployment } from './deployment.js'
import type { LiveWorld, Route } from './live-world.js'

/** Which deployments were tried, and when the next try may be made. */
export class Attempts {
  made = 0
  private tried: Set<Deployment> | undefined
  /** Deployments that this request shall not try again at all. */
  private ruledOut: Set<Deployment> | undefined
  private last: BursarError | undefined

  constructor(
    private readonly world: LiveWorld,
    private readonly route: Route,
    private readonly cancellation: Cancellation,
    /** When the request began, in monotonic seconds. */
    private readonly startedAt: number,
  ) {}

  /** What `timeouts.total_seconds` of a deployment leaves. */
  secondsLeft({ limits }: Deployment): number {
    return limits.totalSeconds - (this.world.clock.monotonic() - this.startedAt)
  }

  next(): Deployment {
    if (this.cancellation.reason) throw this.cancellation.reason
    const open = this.candidates()
    const fresh = this.tried ? open.filter((deployment) => !this.tried?.has(deployment)) : open
    const chosen = chooseDeployment(fresh.length > 0 ? fresh : open, this.route.balance, this.world.random)
    if (!chosen) throw this.last ?? this.noneAvailable()
    if (this.secondsLeft(chosen) <= 0) throw this.last ?? outOfTime(this.route.model)
    if (this.route.deployments.length > 1) (this.tried ??= new Set()).add(chosen)
    this.made++
    return chosen
  }

  /** Returns when another attempt may be made, after its wait; else throws the failure. */
  async afterFailure(deployment: Deployment, failure: BursarError, yielded: boolean): Promise<void> {
    if (yielded || !(failure instanceof UpstreamFailure) || !failure.retryable || this.cancellation.cancelled) throw failure
    if (failure.upstreamStatus === 401 || failure.upstreamStatus === 403 || failure.upstreamStatus === 404)
      (this.ruledOut ??= new Set()).add(deployment)
    this.last = failure
    const open = this.candidates()
    const elsewhere = open.some((other) => other !== deployment && !this.tried?.has(other))
    if (open.length === 0 || (!elsewhere && this.made > this.world.retries.attempts)) throw failure
    const { baseSeconds, maxWaitSeconds } = this.world.retries
    const backoff = baseSeconds * 2 ** (this.made - 1) * (0.5 + this.world.random.next() / 2)
    const wait = elsewhere ? 0 : (failure.retryAfterSeconds ?? backoff)
    if (wait > maxWaitSeconds || open.every((other) => this.secondsLeft(other) <= wait)) throw failure
    this.world.observer.retried(deployment, failure)
    if (wait > 0) await this.world.clock.sleep(wait, this.cancellation.signal)
  }

  /** Deployments that may be tried now. The usual case, where all may, makes no new list. */
  private candidates(): readonly Deployment[] {
    const may = (deployment: Deployment) => !this.ruledOut?.has(deployment) && deployment.state() !== 'resting'
    const { deployments } = this.route
    return deployments.every(may) ? deployments : deployments.filter(may)
  }

  private noneAvailable(): BursarError {
    if (this.route.deployments.length === 0)
      return new BursarError(`The model "${this.route.model}" has no deployment.`, { code: 'model_not_found', status: 404, path: 'model' })
    const wait = Math.min(...this.route.deployments.map((deployment) => deployment.restSeconds()))
    return new BursarError(
      `Every deployment of "${this.route.model}" rests after repeated faults; the next may be tried in ${Math.ceil(wait)} s.`,
      {
        code: 'no_deployment_available',
        status: 503,
        retryAfterSeconds: Math.max(1, Math.ceil(wait)),
      },
    )
  }
}

/** The whole time that a deployment allows is over. */
export function outOfTime(model: ModelId): BursarError {
  return new BursarError(`The request for "${model}" did not finish within timeouts.total_seconds.`, {
    code: 'upstream_timeout',
    status: 504,
  })
}
