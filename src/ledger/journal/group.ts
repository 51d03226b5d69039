import type { LedgerRecord } from '../record.js'
import { jsonOfRecord } from './codec.js'
import { Awaitable, Fate } from './fate.js'
import { LineBuffer } from './line.js'

/** Where a record lies in the group. */
interface Line {
  readonly from: number
  readonly to: number
}

/** What is written at once and made durable together. */
export class Group {
  readonly lines = new LineBuffer()
  records = 0
  /** Records that somebody waits for, and what they all wait for. */
  private awaited: Line[] = []
  private appended = new Awaitable()
  private begun: Line[] = []
  private watchers: (() => void)[] = []
  private fate: Fate
  private isWritten = false

  /** `onWanted`: somebody waits for the disk to have what was begun and is written. */
  constructor(private readonly onWanted: () => void = () => undefined) {
    this.fate = new Fate(onWanted)
  }

  get isEmpty(): boolean {
    return this.records === 0
  }

  /** A record that nobody waits for. Throws a `RangeError` for one that can't be written down. */
  note(record: LedgerRecord): void {
    this.lines.push(record.type, jsonOfRecord(record))
    this.records++
  }

  append(record: LedgerRecord): Promise<void> {
    const from = this.lines.used
    try {
      this.note(record)
    } catch (error) {
      return Promise.reject(error as Error)
    }
    this.awaited.push({ from, to: this.lines.used })
    return this.appended.promise
  }

  /** A record whose owner goes on when it is written. Throws a `RangeError` for one that can't be written down. */
  begin(record: LedgerRecord): Fate {
    const from = this.lines.used
    this.note(record)
    this.begun.push({ from, to: this.lines.used })
    return this.fate
  }

  /** Whether somebody waits for it to be durable. */
  get isAwaited(): boolean {
    return this.awaited.length > 0 || this.watchers.length > 0 || this.fate.isWanted
  }

  /** Whether somebody waits for it to be written. */
  get isBegun(): boolean {
    return this.begun.length > 0
  }

  /** Resolves when this group has succeeded or failed. */
  settled(): Promise<void> {
    return new Promise((resolve) => this.watchers.push(resolve))
  }

  /** The system has it. */
  wasWritten(): void {
    this.isWritten = true
    if (this.isBegun) this.fate.wasWritten()
  }

  succeed(): void {
    if (this.awaited.length > 0) this.appended.resolve()
    if (this.isBegun) this.fate.succeed()
    this.clear()
  }

  /**
   * Rejects those who wait. Returns what is to be tried again, its lines and their number: what nobody waits for, and what was said to be
   * written, since its owner went on.
   */
  fail(reason: unknown): { readonly lines: Buffer; readonly records: number } {
    const { bytes, used } = this.lines
    const left: Buffer[] = []
    const dropped = this.isWritten ? this.awaited : [...this.awaited, ...this.begun].sort((a, b) => a.from - b.from)
    let start = 0
    for (const { from, to } of dropped) {
      left.push(bytes.subarray(start, from))
      start = to
    }
    left.push(bytes.subarray(start, used))
    const kept = { lines: Buffer.concat(left), records: this.records - dropped.length }
    if (this.awaited.length > 0) this.appended.reject(reason)
    if (this.isBegun) this.fate.fail(reason)
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
    const moved = ({ from, to }: Line): Line => ({ from: from + lines.length, to: to + lines.length })
    this.awaited = this.awaited.map(moved)
    this.begun = this.begun.map(moved)
  }

  private clear(): void {
    this.lines.clear()
    this.records = 0
    // What is waited for is the end of one writing.
    if (this.awaited.length > 0) this.appended = new Awaitable()
    this.awaited = []
    if (this.isBegun) this.fate = new Fate(this.onWanted)
    this.begun = []
    this.isWritten = false
    for (const resolve of this.watchers.splice(0)) resolve()
  }
}
