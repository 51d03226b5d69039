import type { LedgerRecord } from '../record.js'
import { ledgerUnavailable } from './unavailable.js'

export interface LateRecordsSettings {
  /** Most records kept; those beyond are dropped (their calls then end as `lost`, at what was reserved for them). */
  readonly maxRecords: number
  append(record: LedgerRecord): Promise<void>
  onDropped(records: number): void
}

interface Late {
  readonly record: LedgerRecord
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

const firstRetryMs = 50
const longestRetryMs = 1000

/** Records that the journal could not take when they came: kept in memory, in order, and tried again until it takes them. */
export class LateRecords {
  private waiting: Late[] = []
  private timer: NodeJS.Timeout | undefined
  private trying: Promise<void> | undefined
  private pause = firstRetryMs

  constructor(private readonly settings: LateRecordsSettings) {}

  get size(): number {
    return this.waiting.length
  }

  /** Resolves when the record is in the journal; rejects with `ledger_unavailable` when there is no room to keep it, or at `giveUp`. */
  add(record: LedgerRecord): Promise<void> {
    if (this.waiting.length >= this.settings.maxRecords) {
      this.settings.onDropped(1)
      return Promise.reject(ledgerUnavailable('The ledger can not write, and has no room to keep more records until it can.'))
    }
    this.schedule()
    return new Promise((resolve, reject) => this.waiting.push({ record, resolve, reject }))
  }

  /** Tries everything that waits once more, now. Costs O(records that wait). */
  async retry(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    this.trying ??= this.tryAll().finally(() => (this.trying = undefined))
    await this.trying
    if (this.waiting.length > 0) this.schedule()
  }

  /** Rejects what still waits. */
  giveUp(): void {
    clearTimeout(this.timer)
    const left = this.waiting.splice(0)
    if (left.length > 0) this.settings.onDropped(left.length)
    for (const { reject } of left) reject(ledgerUnavailable('The ledger was closed before it could write.'))
  }

  private schedule(): void {
    this.timer ??= setTimeout(() => void this.retry(), this.pause).unref()
  }

  private async tryAll(): Promise<void> {
    const tried = [...this.waiting]
    const results = await Promise.allSettled(tried.map(({ record }) => this.settings.append(record)))
    const written = new Set<Late>()
    results.forEach((result, index) => {
      const late = tried[index]
      if (late !== undefined && result.status === 'fulfilled') written.add(late)
    })
    this.waiting = this.waiting.filter((late) => !written.has(late))
    for (const { resolve } of written) resolve()
    this.pause = written.size === tried.length ? firstRetryMs : Math.min(2 * this.pause, longestRetryMs)
  }
}
