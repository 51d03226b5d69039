interface Waiting {
  /** Monotonic milliseconds. */
  readonly until: number
  readonly reject: (reason: Error) => void
}

const sweepMs = 50

/**
 * The same limit in time for many promises: one timer looks after all of them, so that a promise costs none of its own. Kept to within 50 ms; a
 * promise that was given up goes on all the same.
 */
export class TimeLimit {
  /** In the order in which their time is over. */
  private readonly waiting = new Set<Waiting>()
  private timer: NodeJS.Timeout | undefined
  private readonly milliseconds: number

  constructor(
    seconds: number,
    private readonly late: () => Error,
  ) {
    this.milliseconds = seconds * 1000
  }

  /** What the promise comes to, or the rejection with `late()` when that takes longer than the limit. */
  on<Value>(promise: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { until: performance.now() + this.milliseconds, reject }
      this.waiting.add(waiting)
      this.timer ??= setInterval(() => this.sweep(), sweepMs).unref()
      promise.then(
        (value) => {
          this.waiting.delete(waiting)
          resolve(value)
        },
        (reason: unknown) => {
          this.waiting.delete(waiting)
          reject(reason as Error)
        },
      )
    })
  }

  private sweep(): void {
    const now = performance.now()
    for (const waiting of this.waiting) {
      if (waiting.until > now) break
      this.waiting.delete(waiting)
      waiting.reject(this.late())
    }
    if (this.waiting.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }
}
