import { closeSync, fstatSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { SegmentState } from '../journal/file-journal.js'
import { readPiece, type PieceLimits, type ReadPiece } from '../journal/reader.js'
import type { FoundSegment } from '../journal/segment.js'
import type { Store } from '../store/contract.js'
import { Signal } from './signal.js'

export interface ApplierSettings {
  readonly store: Pick<Store, 'apply' | 'appliedTo'>
  readonly holder: string
  /** Where segments go that held spoilt lines, once the rest of them is applied. */
  readonly spoiltDirectory: string
  /** Before a segment is removed: makes what the store took from it as durable as the segment is. */
  makeDurable(): Promise<void>
  readonly pieces?: PieceLimits | undefined
  /** First and longest pause after a failure; milliseconds. */
  readonly pauses?: { readonly first: number; readonly longest: number } | undefined
}

export interface ApplierObserver {
  onApplied(state: { readonly segment: string; readonly sequence: number; readonly offset: number; readonly records: number }): void
  onRemoved(segment: string): void
  onLeft(left: { readonly segments: number; readonly bytes: number }): void
  onFault(kind: 'store' | 'journal' | 'spoilt', message: string, error?: unknown): void
}

interface Source {
  readonly path: string
  readonly segment: string
  readonly sequence: number
  readonly holder: string
  /** Written by this process. */
  readonly own: boolean
  end: number
  sealed: boolean
  /** What the store says it has; not known before it was asked, and after a failure. */
  applied: number | undefined
  file: number | undefined
  spoilt: boolean
}

/**
 * What one transaction takes at most. Pieces are as large as what is waiting: small ones while the store keeps up, large ones when it is behind, and those cost
 * less a record, since many calls are added to the same sums.
 */
export const wholePieces: PieceLimits = { maxRecords: 5000, maxBytes: 8 * 1024 * 1024 }
const defaultPauses = { first: 100, longest: 5000 }

/**
 * Brings journals into the store, each segment in the order it was written, those of dead processes before our own. What fails is
 * tried again for ever, in the same order, from where the store says it is, since only the store knows whether a transaction
 * that failed on the way back was done. Pieces are made smaller while they fail, so that everything before one that can't be taken gets in.
 */
export class Applier {
  private readonly left: Source[] = []
  private readonly own: Source[] = []
  private readonly wake = new Signal()
  private readonly stopping = new AbortController()
  private running: Promise<void> | undefined
  private limits: PieceLimits
  private failures = 0
  private drains: (() => void)[] = []

  constructor(
    private readonly settings: ApplierSettings,
    private readonly observer: ApplierObserver,
  ) {
    this.limits = settings.pieces ?? wholePieces
  }

  start(): void {
    this.running ??= this.run()
  }

  /** Our own journal reaches so far now. Segments come in their order. */
  advance(state: SegmentState): void {
    const known = this.own.find(({ segment }) => segment === state.segment)
    if (known === undefined) {
      const { path, segment, sequence, offset, sealed } = state
      this.own.push({
        path,
        segment,
        sequence,
        holder: this.settings.holder,
        own: true,
        end: offset,
        sealed,
        applied: undefined,
        file: undefined,
        spoilt: false,
      })
    } else {
      known.end = state.offset
      known.sealed = state.sealed
    }
    this.wake.notify()
  }

  /** Segments that dead processes left, in the order to apply them. Those that are known already do nothing. */
  adopt(segments: readonly FoundSegment[]): void {
    for (const { path, segment, sequence, holder } of segments) {
      if (this.left.some((source) => source.segment === segment)) continue
      this.left.push({
        path,
        segment,
        sequence,
        holder,
        own: false,
        end: Number.POSITIVE_INFINITY,
        sealed: true,
        applied: undefined,
        file: undefined,
        spoilt: false,
      })
    }
    this.tellLeft()
    this.wake.notify()
  }

  /** Resolves when nothing is left to do, or it fails. */
  drained(): Promise<void> {
    if (this.failures > 0 || this.stopped) return Promise.resolve()
    this.wake.notify()
    return new Promise((resolve) => this.drains.push(resolve))
  }

  /** Ends after the piece that is under way. */
  async stop(): Promise<void> {
    this.stopping.abort()
    this.wake.notify()
    await this.running
    this.endDrains()
    for (const source of [...this.left, ...this.own]) this.shut(source)
  }

  /** Own segments that are in the store to their end, and those that aren't. Asked after `stop`. */
  ownSegments(): { readonly applied: readonly { readonly segment: string; readonly path: string }[]; readonly open: readonly string[] } {
    const isApplied = ({ applied, end, spoilt }: Source) => applied === end && !spoilt
    return { applied: this.own.filter(isApplied), open: this.own.filter((source) => !isApplied(source)).map(({ segment }) => segment) }
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const source = this.left[0] ?? this.own.find(({ sealed, applied, end }) => sealed || applied === undefined || applied < end)
      if (source === undefined) {
        this.endDrains()
        await this.wake.wait()
        continue
      }
      try {
        await this.step(source)
        this.recovered()
      } catch (error) {
        await this.failed(source, error)
      }
      // An embedded database answers at once, so that a long journal would leave no turn to anything else.
      await nextTurn()
    }
  }

  /** Applies one piece, or removes a segment that has no more. */
  private async step(source: Source): Promise<void> {
    if (!this.openFile(source)) return
    const { store } = this.settings
    if (source.applied === undefined) {
      source.applied = await store.appliedTo(source.segment)
      this.tellApplied(source, 0)
    }
    const from = source.applied
    if (from >= source.end) return source.sealed ? this.remove(source) : undefined
    const piece = this.read(source, from)
    await store.apply({ segment: source.segment, from, to: piece.to, holder: source.holder, records: piece.records })
    source.applied = piece.to
    for (const { offset, bytes } of piece.spoilt) {
      source.spoilt = true
      this.observer.onFault('spoilt', `${source.path}: ${bytes} bytes at ${offset} are not what was written; they were skipped`)
    }
    this.tellApplied(source, piece.records.length)
  }

  private read(source: Source, from: number): ReadPiece {
    if (source.file === undefined) throw new Error(`${source.path} is not open`)
    const piece = readPiece(source.file, from, source.end, this.limits)
    if (piece !== undefined) return piece
    // What a dead process was writing when it died counts as never written. What we wrote ourselves ends with a line.
    return { to: source.end, records: [], spoilt: source.own ? [{ offset: from, bytes: source.end - from }] : [] }
  }

  /** False when the file is gone: another process has brought it in, or somebody has deleted it. */
  private openFile(source: Source): boolean {
    if (source.file !== undefined) return true
    try {
      source.file = openSync(source.path, 'r')
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
      this.observer.onFault('journal', `${source.path} is gone before it was applied`, error)
      this.forget(source)
      return false
    }
    if (!source.own) {
      source.end = fstatSync(source.file).size
      this.tellLeft()
    }
    return true
  }

  private async remove(source: Source): Promise<void> {
    await this.settings.makeDurable()
    if (source.spoilt) {
      mkdirSync(this.settings.spoiltDirectory, { recursive: true, mode: 0o700 })
      renameSync(source.path, join(this.settings.spoiltDirectory, `${basename(source.path)}.spoilt`))
    } else rmSync(source.path, { force: true })
    this.forget(source)
  }

  private forget(source: Source): void {
    this.shut(source)
    const list = source.own ? this.own : this.left
    list.splice(list.indexOf(source), 1)
    if (source.own) this.observer.onRemoved(source.segment)
    else this.tellLeft()
  }

  private shut(source: Source): void {
    if (source.file !== undefined) closeSync(source.file)
    source.file = undefined
  }

  private async failed(source: Source, error: unknown): Promise<void> {
    // The store may have done it and failed to say so.
    source.applied = undefined
    this.failures++
    this.endDrains()
    this.limits = { maxRecords: Math.max(1, this.limits.maxRecords >> 1), maxBytes: Math.max(1024, this.limits.maxBytes >> 1) }
    this.observer.onFault('store', `the journal ${source.segment} could not be applied (try ${this.failures})`, error)
    const { first, longest } = this.settings.pauses ?? defaultPauses
    const pause = Math.min(first * 2 ** Math.min(this.failures - 1, 20), longest)
    await sleep(pause * (0.75 + Math.random() / 2), undefined, { signal: this.stopping.signal }).catch(() => undefined)
  }

  private recovered(): void {
    this.failures = 0
    const { maxRecords, maxBytes } = this.settings.pieces ?? wholePieces
    this.limits = { maxRecords: Math.min(2 * this.limits.maxRecords, maxRecords), maxBytes: Math.min(2 * this.limits.maxBytes, maxBytes) }
  }

  private endDrains(): void {
    for (const resolve of this.drains.splice(0)) resolve()
  }

  private tellApplied({ own, segment, sequence, applied }: Source, records: number): void {
    if (own) this.observer.onApplied({ segment, sequence, offset: applied ?? 0, records })
    else this.tellLeft()
  }

  private tellLeft(): void {
    const bytes = this.left.reduce((sum, { end, applied }) => sum + (Number.isFinite(end) ? end - (applied ?? 0) : 0), 0)
    this.observer.onLeft({ segments: this.left.length, bytes })
  }
}
