/** Something whose waiting has an end. Times are monotonic milliseconds (`performance.now()`); `Infinity` means none. */
export interface Expiring {
  readonly waitDeadline: number
  readonly totalDeadline: number
  expire(limit: 'wait' | 'total'): void
}

const SWEEP_MS = 50

/**
 * Expires what waits too long. One timer sweeps all exchanges every 50 ms instead of one timer being set and cleared for
 * every batch of every stream: a limit is then kept to within 50 ms, at O(open exchanges) a sweep.
 */
export class Deadlines {
  private readonly open = new Set<Expiring>()
  private timer: NodeJS.Timeout | undefined

  add(item: Expiring): void {
    this.open.add(item)
    this.timer ??= setInterval(() => this.sweep(), SWEEP_MS).unref()
  }

  delete(item: Expiring): void {
    this.open.delete(item)
  }

  private sweep(): void {
    if (this.open.size === 0) {
      clearInterval(this.timer)
      this.timer = undefined
      return
    }
    const now = performance.now()
    for (const item of this.open) {
      if (item.totalDeadline <= now) item.expire('total')
      else if (item.waitDeadline <= now) item.expire('wait')
    }
  }
}
