import type { Clock } from '../../quantities/index.js'
import type { Refusal } from './messages.js'

/** A place in a queue. */
export interface Turn {
  /** Whether it is this one's turn to ask. */
  readonly first: boolean
  /** Called once when it has become first. */
  onFirst: (() => void) | undefined
  leave(): void
}

/**
 * Those of one key (or run) who wait for a rate, in the order in which they came: only the first asks, so that nobody is overtaken, and
 * keys that share a team's rate meet there with one request each.
 */
export class Queue {
  private readonly turns: Turn[] = []

  constructor(
    /** Why the first one waits: what those behind it are told when they can't wait any longer. */
    public refusal: Refusal,
    private readonly onEmpty: () => void,
  ) {}

  get length(): number {
    return this.turns.length
  }

  /** Takes the last place. Costs nothing that grows; leaving it grows with the queue, which is short. */
  enter(): Turn {
    const { turns } = this
    const turn: Turn = {
      get first() {
        return turns[0] === turn
      },
      onFirst: undefined,
      leave: () => {
        const index = turns.indexOf(turn)
        if (index === -1) return
        turns.splice(index, 1)
        if (turns.length === 0) this.onEmpty()
        else if (index === 0) turns[0]?.onFirst?.()
      },
    }
    turns.push(turn)
    return turn
  }
}

/** The queues of all keys; one exists only while somebody waits in it. */
export class Queues {
  private readonly byOwner = new Map<string, Queue>()
  /** Calls back those who wait for a place that a call of this process holds, by counter. */
  private readonly places = new Map<string, Set<() => void>>()

  of(owner: string): Queue | undefined {
    return this.byOwner.get(owner)
  }

  /** The owner's queue, made when there is none. */
  open(owner: string, refusal: Refusal): Queue {
    const known = this.byOwner.get(owner)
    if (known) return known
    const queue = new Queue(refusal, () => this.byOwner.delete(owner))
    this.byOwner.set(owner, queue)
    return queue
  }

  /** Calls back once when a place of this counter was given back; the function that it returns takes that back. */
  onPlace(counter: string, callback: () => void): () => void {
    let waiting = this.places.get(counter)
    if (!waiting) this.places.set(counter, (waiting = new Set()))
    waiting.add(callback)
    return () => {
      waiting.delete(callback)
      if (waiting.size === 0 && this.places.get(counter) === waiting) this.places.delete(counter)
    }
  }

  /** A place was given back: whoever has waited longest hears of it. */
  placeFree(counter: string): void {
    const waiting = this.places.get(counter)
    for (const callback of waiting ?? []) {
      waiting?.delete(callback)
      if (waiting?.size === 0) this.places.delete(counter)
      return callback()
    }
  }
}

const woken = Symbol('woken')

/**
 * Waits so many seconds, or less when `subscribe`'s callback is called before; resolves to whether it was. Rejects with the reason of the
 * signal. `subscribe` returns what ends the subscription.
 */
export async function pause(
  clock: Clock,
  seconds: number,
  signal: AbortSignal | undefined,
  subscribe: (wake: () => void) => () => void,
): Promise<boolean> {
  const timer = new AbortController()
  const cancel = () => timer.abort(signal?.reason)
  if (signal?.aborted) cancel()
  signal?.addEventListener('abort', cancel, { once: true })
  const unsubscribe = subscribe(() => timer.abort(woken))
  try {
    await clock.sleep(seconds, timer.signal)
    return false
  } catch (reason) {
    if (reason === woken) return true
    throw reason
  } finally {
    unsubscribe()
    signal?.removeEventListener('abort', cancel)
  }
}
