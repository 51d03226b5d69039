import type { Clock } from '../../quantities/index.js'

/** A clock of a recorded or simulated world: its time moves only when everybody waits. */
export interface VirtualClock extends Clock {
  /** Sleepers that have not woken yet. */
  readonly waiting: number
}

/** One listener a signal, however many sleep under it, and none when nobody does. */
interface Listener {
  readonly cancels: Set<() => void>
  readonly onAbort: () => void
}

interface Sleeper {
  readonly at: number
  /** Who began to wait first wakes first among those of the same time. */
  readonly serial: number
  /** `undefined` once it was cancelled. */
  wake: (() => void) | undefined
}

/**
 * A clock over an event queue: when nothing is left to run, it jumps to the next time at which somebody wants to wake. So what runs at
 * the same time takes the longest of it and not the sum, whole days pass in microseconds, and the order of events depends on nothing
 * but the times. Work that waits for something outside (a file, a timer) is not seen: the time may pass by while it is away.
 *
 * `startsAt`: seconds since the Unix epoch; `monotonic` begins at 0. `sleep` rejects with a `RangeError` for what is no duration. O(log
 * n) a sleep.
 */
export function virtualClock(startsAt = 0): VirtualClock {
  if (!Number.isFinite(startsAt)) throw new RangeError(`not a time to start at: ${startsAt}`)
  let time = 0
  let serial = 0
  let waiting = 0
  let pumping = false
  const queue: Sleeper[] = []
  const listeners = new WeakMap<AbortSignal, Listener>()

  /** Runs when all that could run has run: then time may pass. */
  const pump = () => {
    pumping = false
    discardCancelled(queue)
    const next = pop(queue)
    if (!next) return
    time = next.at
    wake(next)
    for (discardCancelled(queue); queue[0]?.at === time; discardCancelled(queue)) wake(pop(queue))
    if (queue.length > 0) schedule()
  }
  const wake = (sleeper: Sleeper | undefined) => {
    const call = sleeper?.wake
    if (!sleeper || !call) return
    sleeper.wake = undefined
    waiting--
    call()
  }
  const follow = (signal: AbortSignal, cancel: () => void) => {
    let listener = listeners.get(signal)
    if (!listener) {
      const cancels = new Set<() => void>()
      listener = { cancels, onAbort: () => [...cancels].forEach((each) => each()) }
      listeners.set(signal, listener)
    }
    if (listener.cancels.size === 0) signal.addEventListener('abort', listener.onAbort, { once: true })
    listener.cancels.add(cancel)
  }
  const unfollow = (signal: AbortSignal, cancel: () => void) => {
    const listener = listeners.get(signal)
    if (listener?.cancels.delete(cancel) && listener.cancels.size === 0) signal.removeEventListener('abort', listener.onAbort)
  }
  const schedule = () => {
    if (pumping) return
    pumping = true
    setImmediate(pump)
  }

  return {
    now: () => startsAt + time,
    monotonic: () => time,
    get waiting() {
      return waiting
    },
    sleep(seconds, signal) {
      if (!(seconds >= 0 && seconds < Infinity)) return Promise.reject(new RangeError(`not a duration: ${seconds} s`))
      if (signal?.aborted) return Promise.reject(signal.reason as Error)
      return new Promise((resolve, reject) => {
        const sleeper: Sleeper = { at: time + seconds, serial: serial++, wake: undefined }
        const cancel = () => {
          if (!sleeper.wake) return
          sleeper.wake = undefined
          waiting--
          // Long waits that are cancelled again and again (time limits) must not pile up.
          if (queue.length > 64 && waiting < queue.length / 2) keepWaiting(queue)
          reject(signal?.reason as Error)
        }
        sleeper.wake = () => {
          if (signal) unfollow(signal, cancel)
          resolve()
        }
        if (signal) follow(signal, cancel)
        waiting++
        push(queue, sleeper)
        schedule()
      })
    },
  }
}

/** Time doesn't pass for sleepers that nobody waits for any more. */
function discardCancelled(queue: Sleeper[]): void {
  while (queue[0] && !queue[0].wake) pop(queue)
}

/** Lets go of all that were cancelled. A sorted list is a heap. */
function keepWaiting(queue: Sleeper[]): void {
  const awake = queue.filter(({ wake }) => wake !== undefined).sort((a, b) => (isBefore(a, b) ? -1 : 1))
  queue.splice(0, queue.length, ...awake)
}

function isBefore(a: Sleeper, b: Sleeper): boolean {
  return a.at < b.at || (a.at === b.at && a.serial < b.serial)
}

/** Adds to a binary heap. */
function push(heap: Sleeper[], sleeper: Sleeper): void {
  let at = heap.length
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = heap[above]
    if (!parent || !isBefore(sleeper, parent)) break
    heap[at] = parent
    at = above
  }
  heap[at] = sleeper
}

/** Takes the earliest from a binary heap. */
function pop(heap: Sleeper[]): Sleeper | undefined {
  const [first] = heap
  const last = heap.pop()
  if (!first || !last || heap.length === 0) return first
  let at = 0
  for (;;) {
    const left = 2 * at + 1
    const [a, b] = [heap[left], heap[left + 1]]
    if (!a) break
    const child = b && isBefore(b, a) ? b : a
    if (!isBefore(child, last)) break
    heap[at] = child
    at = child === a ? left : left + 1
  }
  heap[at] = last
  return first
}
