import type { ProcessMark } from '../journal/process-mark.js'
import type { Store } from '../store/contract.js'
import type { LedgerFault } from './messages.js'
import type { Remote, StoreWorker } from './store-worker.js'

export interface RetentionSettings {
  /** Raw records older than this are removed; seconds. */
  readonly maxAgeSeconds?: number | undefined
  /** The oldest raw records are removed beyond this size of the database. */
  readonly maxBytes?: number | undefined
  /** How often; ten minutes unless given. */
  readonly everySeconds?: number | undefined
}

export interface HousekeepingSettings {
  readonly holder: string
  /** Marks that say that this process is there. */
  readonly marks: readonly ProcessMark[]
  /** Whether other processes share the database. */
  readonly shared: boolean
  readonly leaseSeconds: number
  readonly heartbeatSeconds: number
  readonly retention?: RetentionSettings | undefined
}

export interface HousekeepingObserver {
  onFault(fault: LedgerFault): void
  /** A mark is gone: another process has taken over. */
  onFenced(): void
}

const defaultRetentionSeconds = 600
/** Between two steps of a removal: whoever reads or writes meanwhile isn't kept waiting. */
const stepMs = 50
const maxSteps = 10_000

/** What a ledger does beside recording: it says that it is alive, turns into spend what dead processes held, and removes old records. */
export class Housekeeping {
  private readonly timers = new Set<NodeJS.Timeout>()
  private readonly underWay = new Set<Promise<void>>()
  private stopped = false
  /** Since when this process has reached the database without a break. */
  private reachedSince: number | undefined

  constructor(
    private readonly worker: StoreWorker,
    private readonly store: Remote<Store>,
    private readonly settings: HousekeepingSettings,
    private readonly observer: HousekeepingObserver,
  ) {
    const { heartbeatSeconds, leaseSeconds, shared, retention } = settings
    this.every(heartbeatSeconds, 'journal', 'this process could not say that it is alive', () => this.touch())
    if (shared) {
      this.every(heartbeatSeconds, 'store', 'the database did not take a heartbeat', () => this.heartbeat())
      this.every(Math.max(leaseSeconds / 3, heartbeatSeconds), 'store', 'what dead processes held could not be turned into spend', () =>
        this.expireDead(),
      )
    }
    if (retention?.maxAgeSeconds !== undefined || retention?.maxBytes !== undefined)
      this.every(retention.everySeconds ?? defaultRetentionSeconds, 'retention', 'old records could not be removed', () =>
        this.retain(retention),
      )
  }

  /** Resolves when what is under way has ended, so that nothing of it comes after what is done next. Waits as long as that takes. */
  async stop(): Promise<void> {
    this.stopped = true
    for (const timer of this.timers) clearTimeout(timer)
    await Promise.all(this.underWay)
  }

  private async touch(): Promise<void> {
    const there = await Promise.all(this.settings.marks.map((mark) => mark.touch()))
    if (there.includes(false) && !this.stopped) this.observer.onFenced()
  }

  private async heartbeat(): Promise<void> {
    try {
      await this.store.heartbeat(this.settings.holder)
      this.reachedSince ??= performance.now()
    } catch (error) {
      this.reachedSince = undefined
      throw error
    }
  }

  /**
   * Processes whose journals we could take over are dead for sure; others are when they have said nothing for the lease. After the
   * database was away they couldn't say anything: they get a few heartbeats' time first.
   */
  private async expireDead(): Promise<void> {
    const { holder: own, leaseSeconds, heartbeatSeconds } = this.settings
    const adopted = await this.worker.adopt(leaseSeconds)
    if (adopted.length > 0) await this.store.expireHolds({ holders: adopted })
    const reached = this.reachedSince === undefined ? 0 : (performance.now() - this.reachedSince) / 1000
    if (reached < Math.min(leaseSeconds, 3 * heartbeatSeconds)) return
    const silent = (await this.store.holders()).filter(
      ({ holder, heartbeatAgeSeconds }) => holder !== own && heartbeatAgeSeconds >= leaseSeconds,
    )
    if (silent.length > 0) await this.store.expireHolds({ holders: silent.map(({ holder }) => holder) })
  }

  private async retain({ maxAgeSeconds, maxBytes }: RetentionSettings): Promise<void> {
    const before = maxAgeSeconds === undefined ? undefined : Date.now() / 1000 - maxAgeSeconds
    for (let step = 0; step < maxSteps && !this.stopped; step++) {
      if ((await this.store.retain({ before, maxBytes })) === 0) return
      await new Promise((resolve) => setTimeout(resolve, stepMs))
    }
  }

  /** Does something again and again, one after the other, with the same pause after each. */
  private every(seconds: number, kind: LedgerFault['kind'], message: string, work: () => Promise<void>): void {
    const later = () => {
      if (this.stopped) return
      const timer = setTimeout(() => {
        this.timers.delete(timer)
        const done: Promise<void> = work()
          .catch((error: unknown) => {
            if (!this.stopped) this.observer.onFault({ kind, message, error: error instanceof Error ? error : new Error(String(error)) })
          })
          .finally(() => {
            this.underWay.delete(done)
            later()
          })
        this.underWay.add(done)
      }, seconds * 1000).unref()
      this.timers.add(timer)
    }
    later()
  }
}
