export interface Snapshot {
  readonly bytes: Uint8Array
  /** Outcomes learned until then. */
  readonly learned: number
}

/** The last states of a predictor, bounded in number and in bytes; the newest always stays. */
export interface SnapshotRing {
  add(snapshot: Snapshot): void
  newestFirst(): readonly Snapshot[]
  /** Forgets those taken after so many learned outcomes. */
  dropAfter(learned: number): void
}

export function snapshotRing(most: number, mostBytes: number): SnapshotRing {
  if (!Number.isInteger(most) || most < 1) throw new RangeError(`snapshots are a whole number of at least 1, not ${most}`)
  let kept: readonly Snapshot[] = []
  return {
    add(snapshot) {
      let bytes = 0
      kept = [snapshot, ...kept].slice(0, most).filter((one, index) => (bytes += one.bytes.byteLength) <= mostBytes || index === 0)
    },
    newestFirst: () => kept,
    dropAfter(learned) {
      kept = kept.filter((one) => one.learned <= learned)
    },
  }
}
