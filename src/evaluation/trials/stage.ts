import type { Clock } from '../../quantities/index.js'
import type { RateGate } from './rate-gate.js'

/** One piece of work for a stage. */
export interface StageWork {
  /** How long it will take, as far as is known; seconds. Decides who goes first. */
  readonly expectedSeconds: number
  /** Does it. Must not throw. */
  run(): Promise<void>
}

/** An evaluation's place at a stage. */
export interface Lane {
  /** Resolves when the work is taken into the queue: at once where there is room, else when there is. Rejects with the signal's reason. */
  submit(work: StageWork, signal?: AbortSignal): Promise<void>
  /** Pieces that wait. */
  readonly waiting: number
  /** Pieces in a slot. */
  readonly running: number
  /** Takes out what waits, and tells what it was. */
  drain(): readonly StageWork[]
  /** Nothing of this evaluation will come any more. */
  leave(): void
}

export interface StageOptions {
  /** Pieces of work at the same time. */
  readonly slots: number
  /** Pieces that may wait in a lane; beyond, whoever brings one waits. */
  readonly queue: number
  readonly clock: Clock
  /** Absent: nothing slows this stage down. */
  readonly gate?: RateGate | undefined
}

interface LaneState {
  readonly queue: StageWork[]
  readonly knocking: (() => void)[]
  /** Seconds of slots that this evaluation has had. */
  attained: number
  running: number
}

/**
 * A stage of work that several evaluations share, with so many slots and a bounded queue for each. The next slot goes to the evaluation
 * that has had least (least attained service, counted by expected seconds when a piece begins and corrected when it ends), and in it to
 * the longest piece: the longest processing time first keeps the last pieces short (Graham 1969: makespan at most 4/3 - 1/(3m) of the
 * best). Acme (078) decouples its evaluations in the same way. O(lanes + pieces waiting) a start.
 */
export class Stage {
  private readonly lanes = new Set<LaneState>()
  private running = 0
  private waking = false
  private busy = 0
  private since: number

  constructor(private readonly options: StageOptions) {
    if (!(options.slots >= 1) || !(options.queue >= 1)) throw new RangeError('a stage needs a slot and room for one piece of work')
    this.since = options.clock.monotonic()
  }

  /** Slots that are taken. */
  get inUse(): number {
    return this.running
  }

  /** Seconds of slots used so far, all slots together. */
  get busySeconds(): number {
    this.account()
    return this.busy
  }

  lane(): Lane {
    const state: LaneState = { queue: [], knocking: [], attained: this.leastAttained(), running: 0 }
    this.lanes.add(state)
    return {
      submit: (work, signal) => this.submit(state, work, signal),
      get waiting() {
        return state.queue.length
      },
      get running() {
        return state.running
      },
      drain: () => {
        const taken = state.queue.splice(0)
        for (const knock of state.knocking.splice(0)) knock()
        return taken
      },
      leave: () => void this.lanes.delete(state),
    }
  }

  private async submit(state: LaneState, work: StageWork, signal?: AbortSignal): Promise<void> {
    while (state.queue.length >= this.options.queue) {
      signal?.throwIfAborted()
      await new Promise<void>((resolve) => {
        const enter = () => {
          signal?.removeEventListener('abort', enter)
          resolve()
        }
        signal?.addEventListener('abort', enter, { once: true })
        state.knocking.push(enter)
      })
    }
    signal?.throwIfAborted()
    // Whoever comes back after a rest doesn't make good for it at the others' expense.
    if (state.queue.length === 0 && state.running === 0) state.attained = Math.max(state.attained, this.leastAttained())
    state.queue.push(work)
    this.pump()
  }

  /** The least that an evaluation with work has had; 0 where none has any. */
  private leastAttained(): number {
    let least = Infinity
    for (const lane of this.lanes) if (lane.queue.length > 0 || lane.running > 0) least = Math.min(least, lane.attained)
    return least === Infinity ? 0 : least
  }

  private pump(): void {
    const { slots, gate } = this.options
    while (this.running < Math.min(slots, gate?.parallel ?? slots)) {
      const lane = this.nextLane()
      if (!lane) return
      const wait = gate?.waitSeconds ?? 0
      if (wait > 0) return this.wakeIn(wait)
      void this.start(lane, takeLongest(lane.queue))
    }
  }

  private nextLane(): LaneState | undefined {
    let next: LaneState | undefined
    for (const lane of this.lanes) if (lane.queue.length > 0 && (next === undefined || lane.attained < next.attained)) next = lane
    return next
  }

  private async start(lane: LaneState, work: StageWork): Promise<void> {
    const { clock } = this.options
    this.account()
    this.running += 1
    lane.running += 1
    lane.attained += work.expectedSeconds
    lane.knocking.shift()?.()
    const began = clock.monotonic()
    try {
      await work.run()
    } finally {
      this.account()
      this.running -= 1
      lane.running -= 1
      lane.attained += clock.monotonic() - began - work.expectedSeconds
      this.pump()
    }
  }

  private wakeIn(seconds: number): void {
    if (this.waking) return
    this.waking = true
    void this.options.clock.sleep(seconds).then(() => {
      this.waking = false
      this.pump()
    })
  }

  private account(): void {
    const now = this.options.clock.monotonic()
    this.busy += this.running * (now - this.since)
    this.since = now
  }
}

function takeLongest(queue: StageWork[]): StageWork {
  let at = 0
  for (let index = 1; index < queue.length; index++)
    if ((queue[index]?.expectedSeconds ?? 0) > (queue[at]?.expectedSeconds ?? 0)) at = index
  const [taken] = queue.splice(at, 1)
  if (!taken) throw new RangeError('nothing waits')
  return taken
}
