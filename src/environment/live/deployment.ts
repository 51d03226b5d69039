import type { ModelFacts } from '../../catalog/index.js'
import type { Clock } from '../../quantities/index.js'
import type { Random } from '../../statistics/index.js'
import type { CallLimits, Provider } from '../provider.js'

/** When a deployment rests after faults, and for how long. */
export interface CooldownSettings {
  readonly afterFaults: number
  readonly seconds: number
}

/** One call's place at a deployment. */
export interface Place {
  /** Whether the call tries out a deployment that has rested. */
  readonly probe: boolean
  open: boolean
}

export type CallOutcome = 'ok' | 'fault' | 'limited' | 'neutral'

const awake = { wentToRest: false } as const

/** One provider's offer of one model, with what has been learned of its health. Not shared between processes. */
export class Deployment {
  inFlight = 0
  private consecutiveFaults = 0
  private restUntil = 0
  private limitedUntil = 0
  private probing = false
  /** Peak-sensitive moving average of the time to the first token, in seconds; `undefined` before the first call. */
  private latency: number | undefined
  private latencyAt = 0

  constructor(
    readonly id: string,
    readonly provider: Provider,
    /** The provider's own name of the model. */
    readonly model: string,
    readonly weight: number,
    readonly facts: ModelFacts,
    readonly limits: CallLimits,
    private readonly cooldown: CooldownSettings,
    private readonly clock: Clock,
  ) {}

  /** `ready`; `resting` until its cooldown ends; then `probe`: one call may try it. */
  state(): 'ready' | 'probe' | 'resting' {
    if (this.consecutiveFaults < this.cooldown.afterFaults) return 'ready'
    return this.clock.monotonic() < this.restUntil || this.probing ? 'resting' : 'probe'
  }

  /** True while the provider has asked for patience (429): other deployments go first, but this one isn't given up. */
  limited(): boolean {
    return this.clock.monotonic() < this.limitedUntil
  }

  /** Seconds until a probe may be made, 0 when it may now. */
  restSeconds(): number {
    return this.state() === 'ready' ? 0 : Math.max(0, this.restUntil - this.clock.monotonic())
  }

  /** Takes a place for one call. To be called in the same step as the choice, so that only one call becomes the probe; `finish` gives the place back. */
  begin(): Place {
    const probe = this.state() === 'probe'
    if (probe) this.probing = true
    this.inFlight++
    return { probe, open: true }
  }

  /** The provider answers: a probe needn't be over, which may take minutes, before others may follow. */
  answers(place: Place): void {
    this.consecutiveFaults = 0
    if (place.probe) this.probing = false
  }

  /**
   * Notes how a call ended; only the first time for each place. `limited`: the provider asked for patience. `neutral`: nothing is
   * learned of its health (the caller left, or the request was at fault).
   */
  finish(
    place: Place,
    outcome: CallOutcome,
    seconds?: { readonly firstToken?: number | undefined; readonly retryAfter?: number | undefined },
  ): { readonly wentToRest: boolean } {
    if (!place.open) return awake
    place.open = false
    this.inFlight--
    if (place.probe) this.probing = false
    if (outcome === 'ok') this.consecutiveFaults = 0
    if (seconds?.firstToken !== undefined) this.learnLatency(seconds.firstToken)
    const now = this.clock.monotonic()
    if (outcome === 'limited') this.limitedUntil = now + (seconds?.retryAfter ?? 1)
    if (outcome !== 'fault') return awake
    this.consecutiveFaults++
    if (this.consecutiveFaults < this.cooldown.afterFaults) return awake
    // Calls that were under way when it went to rest say nothing new.
    if (!place.probe && now < this.restUntil) return awake
    this.restUntil = now + Math.max(this.cooldown.seconds, seconds?.retryAfter ?? 0)
    return { wentToRest: true }
  }

  /** Expected wait of one more call: latency times the queue before it, divided by the weight. Unknown latency counts as fast, so that a new deployment gets tried. */
  load(): number {
    return ((this.latency ?? 0.001) * (this.inFlight + 1)) / this.weight
  }

  private learnLatency(seconds: number): void {
    const now = this.clock.monotonic()
    const { latency } = this
    // Peak EWMA: jumps up at once, comes down over about ten seconds, so a slow deployment is left quickly.
    if (latency === undefined || seconds > latency) this.latency = seconds
    else {
      const keep = Math.exp(-(now - this.latencyAt) / 10)
      this.latency = latency * keep + seconds * (1 - keep)
    }
    this.latencyAt = now
  }
}

export type Balance = 'weighted' | 'latency'

/**
 * Chooses among deployments that may be tried: `weighted` at random by weight; `latency` by the power of two choices (two
 * drawn by weight, the less loaded one wins). A deployment due for a probe gets the call with a chance of its fair share.
 */
export function chooseDeployment(candidates: readonly Deployment[], balance: Balance, random: Random): Deployment | undefined {
  if (candidates.length <= 1) return candidates[0]
  const patient = candidates.filter((candidate) => !candidate.limited())
  if (patient.length > 0 && patient.length < candidates.length) return chooseDeployment(patient, balance, random)
  const first = drawByWeight(candidates, random)
  if (balance === 'weighted') return first
  const second = drawByWeight(
    candidates.filter((candidate) => candidate !== first),
    random,
  )
  return second && first && second.load() < first.load() ? second : first
}

function drawByWeight(candidates: readonly Deployment[], random: Random): Deployment | undefined {
  let total = 0
  for (const candidate of candidates) total += candidate.weight
  let point = random.next() * total
  for (const candidate of candidates) {
    point -= candidate.weight
    if (point < 0) return candidate
  }
  return candidates[candidates.length - 1]
}
