import type { LedgerRecord } from '../record.js'
import { encodeRecord } from './codec.js'
import { LineBuffer } from './line.js'

/** A record that somebody waits for, and where its line lies in the group. */
interface Awaited {
  readonly from: number
  readonly to: number
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** What is written at once and made durable together. */
export class Group {
  readonly lines = new LineBuffer()
  records = 0
  private awaited: Awaited[] = []
  private watchers: (() => void)[] = []

  get isEmpty(): boolean {
    return this.records === 0
  }

  /** A record that nobody waits for. Throws a `RangeError` for one that can't be written down. */
  note(record: LedgerRecord): void {
    this.lines.push(encodeRecord(record))
    this.records++
  }

  append(record: LedgerRecord): Promise<void> {
    const from = this.lines.used
    try {
      this.note(record)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    return new Promise((resolve, reject) => this.awaited.push({ from, to: this.lines.used, resolve, reject }))
  }

  /** Whether somebody waits for it. */
  get isAwaited(): boolean {
    return this.awaited.length > 0 || this.watchers.length > 0
  }

  /** Resolves when this group has succeeded or failed. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.watchers.push(resolve))
  }

  succeed(): void {
    for (const { resolve } of this.awaited) resolve()
    this.clear()
  }

  /** Rejects those who wait. Returns what nobody waits for, to be tried again: its lines and their number. */
  fail(reason: unknown): { readonly lines: Buffer; readonly records: number } {
    const { bytes, used } = this.lines
    const left: Buffer[] = []
    let start = 0
    for (const { from, to, reject } of this.awaited) {
      left.push(bytes.subarray(start, from))
      start = to
      reject(reason)
    }
    left.push(bytes.subarray(start, used))
    const kept = { lines: Buffer.concat(left), records: this.records - this.awaited.length }
    this.clear()
    return kept
  }

  /** Puts lines before those that are here. Grows with what is here: for the rare group that failed. */
  prepend(lines: Buffer, records: number): void {
    const behind = Buffer.from(this.lines.bytes.subarray(0, this.lines.used))
    this.lines.used = 0
    this.lines.pushLines(lines)
    this.lines.pushLines(behind)
    this.records += records
    this.awaited = this.awaited.map((one) => ({ ...one, from: one.from + lines.length, to: one.to + lines.length }))
  }

  private clear(): void {
    this.lines.clear()
    this.records = 0
    this.awaited = []
    for (const resolve of this.watchers.splice(0)) resolve()
  }
}
