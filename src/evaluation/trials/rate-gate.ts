import type { Clock } from '../../quantities/index.js'

/** Shortest and longest wait after a refusal that names none; seconds. */
const LEAST_WAIT = 1
const MOST_WAIT = 60
/** Refusals within so many seconds are one: they were sent before anybody knew. */
const SAME_REFUSAL = 1

/**
 * Slows everyone down together where a provider says that it is too much: nobody begins before the time that it asks for
 * (`Retry-After`), and half as many may call at once as before; each success lets a little more through again (additive increase,
 * multiplicative decrease; Chiu and Jain 1989).
 */
export class RateGate {
  private allowed: number
  private opensAt = -Infinity
  private lastCut = -Infinity
  private refusals = 0

  /** `slots`: most calls at the same time. */
  constructor(
    private readonly slots: number,
    private readonly clock: Pick<Clock, 'monotonic'>,
  ) {
    this.allowed = slots
  }

  /** Calls that may be under way now; at least 1. */
  get parallel(): number {
    return Math.max(1, Math.floor(this.allowed))
  }

  /** Seconds until the next call may begin; 0 when it may now. */
  get waitSeconds(): number {
    return Math.max(0, this.opensAt - this.clock.monotonic())
  }

  /** A provider refused a call for its rate. `retryAfterSeconds`: what it asked for. */
  refused(retryAfterSeconds?: number): void {
    const now = this.clock.monotonic()
    if (now - this.lastCut >= SAME_REFUSAL) {
      this.allowed = Math.max(1, this.allowed / 2)
      this.lastCut = now
      this.refusals += 1
    }
    const wait = retryAfterSeconds ?? Math.min(MOST_WAIT, LEAST_WAIT * 2 ** (this.refusals - 1))
    this.opensAt = Math.max(this.opensAt, now + Math.min(MOST_WAIT * 10, Math.max(0, wait)))
  }

  succeeded(): void {
    this.refusals = 0
    this.allowed = Math.min(this.slots, this.allowed + 1 / this.allowed)
  }
}
