import type { Clock } from '../../quantities/index.js'
import type { CallLimits } from '../provider.js'
import { UpstreamFailure } from '../upstream-failure.js'

/** Waits shorter than this are not slept but carried over: timers are no finer, and a schedule keeps the average right. */
const SHORTEST_SLEEP_SECONDS = 0.001
/** Timers overflow at 2^31 milliseconds. */
const LONGEST_SLEEP_SECONDS = 1_000_000

/**
 * The timing of one call of an in-process provider: keeps to a schedule (so that late timers don't add up), holds the
 * call's limits as a network provider's deadlines do, and stops when the caller goes away.
 */
export class Pace {
  private readonly start: number
  private due: number
  private lastPiece: number
  private streaming = false

  constructor(
    private readonly clock: Clock,
    private readonly limits: CallLimits,
    private readonly signal: AbortSignal,
    private readonly provider: string,
  ) {
    this.start = this.due = this.lastPiece = clock.monotonic()
  }

  /** Seconds since the call began. */
  get elapsed(): number {
    return this.clock.monotonic() - this.start
  }

  /** Notes that a piece of the answer went out: from here on silence is measured against `idleSeconds`. */
  sent(): void {
    this.streaming = true
    this.lastPiece = this.clock.monotonic()
  }

  /**
   * Moves the schedule on by `seconds` and waits for it. Throws `UpstreamFailure` (`upstream_timeout`) when a limit runs
   * out first, and the signal's reason when the caller has gone.
   */
  async wait(seconds: number): Promise<void> {
    if (this.signal.aborted) throw this.signal.reason as Error
    if (seconds <= 0) return
    this.due += seconds
    for (;;) {
      const now = this.clock.monotonic()
      const remaining = this.due - now
      if (remaining < SHORTEST_SLEEP_SECONDS) return
      const silence = this.streaming ? this.lastPiece + this.limits.idleSeconds : this.start + this.limits.firstTokenSeconds
      const total = this.start + this.limits.totalSeconds
      const limit = Math.min(silence, total)
      if (limit <= now) throw this.expired(total <= silence ? 'total' : this.streaming ? 'idle' : 'first_token')
      await this.clock.sleep(Math.min(remaining, limit - now, LONGEST_SLEEP_SECONDS), this.signal)
    }
  }

  private expired(limit: 'first_token' | 'idle' | 'total'): UpstreamFailure {
    return new UpstreamFailure(`The provider "${this.provider}" ${EXPIRED[limit]}.`, {
      code: 'upstream_timeout',
      status: 504,
      upstreamStatus: 0,
      retryable: limit !== 'total',
      phase: this.streaming ? 'stream' : 'first_token',
    })
  }
}

const EXPIRED = {
  first_token: 'sent no token within timeouts.first_token_seconds',
  idle: 'fell silent in the middle of the stream for longer than timeouts.idle_seconds',
  total: 'did not finish within timeouts.total_seconds',
} as const
