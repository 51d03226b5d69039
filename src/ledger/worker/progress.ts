import type { SegmentState } from '../journal/file-journal.js'

interface Place {
  readonly sequence: number
  readonly offset: number
}

interface Waiter {
  readonly place: Place
  readonly resolve: () => void
}

/** What this process wrote and what of it is in the store. */
export class Progress {
  private readonly segments = new Map<string, SegmentState & { applied: number }>()
  private written: Place = { sequence: 0, offset: 0 }
  private applied: Place = { sequence: 0, offset: 0 }
  private writtenRecords = 0
  private appliedRecords = 0
  private waiters: Waiter[] = []

  /** The journal reaches so far now, by so many records more. */
  advance(state: SegmentState, records: number): void {
    this.segments.set(state.segment, { ...state, applied: this.segments.get(state.segment)?.applied ?? 0 })
    this.writtenRecords += records
    if (records > 0) this.written = { sequence: state.sequence, offset: state.offset }
  }

  onApplied({
    segment,
    sequence,
    offset,
    records,
  }: {
    readonly segment: string
    readonly sequence: number
    readonly offset: number
    readonly records: number
  }): void {
    const known = this.segments.get(segment)
    if (known !== undefined) known.applied = offset
    this.appliedRecords += records
    if (isBefore(this.applied, { sequence, offset })) this.applied = { sequence, offset }
    // A worker that died had perhaps applied records that it could not tell of any more.
    if (!isBefore(this.applied, this.written)) this.appliedRecords = this.writtenRecords
    if (this.waiters.length > 0) this.wake()
  }

  onRemoved(segment: string): void {
    this.segments.delete(segment)
  }

  /** Segments that the store may not have whole, the oldest first. */
  get open(): readonly SegmentState[] {
    return [...this.segments.values()].map(({ applied: _, ...state }) => state)
  }

  get lag(): { readonly records: number; readonly bytes: number } {
    if (!isBefore(this.applied, this.written)) return { records: 0, bytes: 0 }
    let bytes = 0
    for (const { offset, applied } of this.segments.values()) bytes += Math.max(0, offset - applied)
    return { records: this.writtenRecords - this.appliedRecords, bytes }
  }

  /** Resolves when everything that was written up to now is in the store. `undefined` when it is already. */
  caughtUp(): Promise<void> | undefined {
    const place = this.written
    if (!isBefore(this.applied, place)) return undefined
    return new Promise((resolve) => this.waiters.push({ place, resolve }))
  }

  private wake(): void {
    const waiting = this.waiters
    this.waiters = []
    for (const waiter of waiting) {
      if (isBefore(this.applied, waiter.place)) this.waiters.push(waiter)
      else waiter.resolve()
    }
  }
}

function isBefore(a: Place, b: Place): boolean {
  return a.sequence < b.sequence || (a.sequence === b.sequence && a.offset < b.offset)
}
