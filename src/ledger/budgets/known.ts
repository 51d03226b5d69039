import type { CounterId } from '../counters/contract.js'
import { BoundedMap } from './bounded-map.js'
import { counterOf, previousCounterOf, windowOfCount, type Count } from './lines.js'
import type { Window } from './periods.js'
import type { Threshold } from './thresholds.js'

/**
 * What this process last heard of a counter. For headers, regimes and alerts only: what may be spent is for the counters themselves to
 * say, since others count there too.
 */
export interface Known {
  /** Spent and reserved, by anybody. */
  used: bigint
  /** The part of it that calls of this process hold now. */
  reserved: bigint
  /** When `used` was last told by the counters, in monotonic seconds. */
  heardAt: number
  /** Which of the count's thresholds were told, and whether a refusal was. */
  alerted: { readonly thresholds: readonly Threshold[]; next: number } | undefined
  refusalTold: boolean
}

/** Spent, as far as it is known. */
export function spentOf({ used, reserved }: Known): bigint {
  return used > reserved ? used - reserved : 0n
}

/** A count with its counter of the window that it was last asked for: so that a call in the same window makes no texts and looks nothing up. */
export class Place {
  window: Window | undefined
  counter: CounterId = ''
  previousCounter: CounterId | undefined
  private heard: Known | undefined

  constructor(
    readonly count: Count,
    /** Amounts at which somebody is alerted, the smallest first. */
    readonly thresholds: readonly Threshold[],
    private readonly balances: Balances,
  ) {}

  /** Moves to the window of this time. */
  at(now: number): Window {
    const window = windowOfCount(this.count, now)
    if (window === this.window) return window
    // Another object may be the same window: the last ones asked for are all that is remembered.
    if (window.label !== this.window?.label) {
      this.counter = counterOf(this.count, window)
      this.previousCounter = previousCounterOf(this.count, window)
      this.heard = undefined
    }
    return (this.window = window)
  }

  /** What is known of the counter of the window moved to. */
  get known(): Known {
    return (this.heard ??= this.balances.of(this.counter))
  }

  /** What is known to be used of the minute before. */
  get previousUsed(): bigint {
    return this.previousCounter === undefined ? 0n : (this.balances.peek(this.previousCounter)?.used ?? 0n)
  }
}

/** What is known of counters, for the last so many used. */
export class Balances {
  private readonly byCounter: BoundedMap<Known>

  constructor(capacity: number) {
    this.byCounter = new BoundedMap(capacity)
  }

  of(counter: CounterId): Known {
    let known = this.byCounter.get(counter)
    if (!known) {
      known = { used: 0n, reserved: 0n, heardAt: Number.NEGATIVE_INFINITY, alerted: undefined, refusalTold: false }
      this.byCounter.set(counter, known)
    }
    return known
  }

  peek(counter: CounterId): Known | undefined {
    return this.byCounter.get(counter)
  }
}
