import { setImmediate as soon } from 'node:timers'
import type { LedgerRecord } from '../record.js'
import type { Begun, Journal, JournalPosition } from './contract.js'
import { systemFiles, type FileOperations } from './file-operations.js'
import { makeFolder } from './folder.js'
import { Group } from './group.js'
import { blankLine } from './line.js'
import { headerLine, newSegment, segmentPath } from './segment.js'
import { ledgerUnavailable } from './unavailable.js'

/** `disk`: what was awaited survives a power failure. `process`: it survives the death of the process, and costs no sync. */
export type Durability = 'disk' | 'process'

export interface FileJournalSettings {
  /** This process's own; made when it isn't there. */
  readonly directory: string
  /** Id of this process, never used by another one before. */
  readonly holder: string
  readonly durability: Durability
  /** Size at which a new segment is begun; 64 MiB unless given. */
  readonly segmentBytes?: number | undefined
  /** Most bytes that may wait for the disk; beyond it, records are refused. 16 MiB unless given. */
  readonly maxWaitingBytes?: number | undefined
  readonly files?: FileOperations | undefined
  /** Unix seconds. */
  readonly now?: (() => number) | undefined
}

/** A segment of this journal, as far as it is durable. */
export interface SegmentState extends JournalPosition {
  readonly path: string
  readonly sequence: number
  /** True when nothing is going to be added. */
  readonly sealed: boolean
}

export interface FileJournalObserver {
  /** So many more records are durable, and the segment reaches so far now. */
  onAdvance?(state: SegmentState, records: number): void
  /** Something could not be written. Who waited for it was told; `lostNotes` are records that nobody waited for and that are gone. */
  onFault?(error: Error, lostNotes: number): void
}

interface OpenSegment {
  readonly file: number
  readonly path: string
  readonly segment: string
  readonly sequence: number
  /** Bytes that are durable. */
  offset: number
  /** Bytes that are written. */
  written: number
  /** Takes nothing any more: it is closed when no sync of it is under way. */
  spent: boolean
  /** Until the first sync: the file's name isn't durable either. */
  unnamed: boolean
}

const defaultSegmentBytes = 64 * 1024 * 1024
const defaultMaxWaitingBytes = 16 * 1024 * 1024
/** Notes wait a moment for a record that somebody waits for, so that they share its write. */
const noteMs = 5
/** What was begun waits a moment for a record that somebody waits for, so that they share its sync. */
const lingerMs = 3
/** Groups kept for the next use, with their memory. */
const spareGroups = 4
/** Before notes are tried again that could not be written. */
const retryMs = 250

/** Begins a journal. Throws `ledger_unavailable` when its first segment can't be made. */
export function openFileJournal(settings: FileJournalSettings, observer: FileJournalObserver = {}): FileJournal {
  return new FileJournal(settings, observer)
}

/**
 * The journal in files. What comes in one turn of the event loop is written with one system call at the end of that turn; with
 * `disk`, one sync is under way at a time, and what comes meanwhile makes up the next group; it is written when the sync is over, or at once where
 * somebody waits for that (`begin`). A write or a sync that fails is taken back, so
 * that nothing of it stays in the file, and everybody who waited for it is told. After a sync that failed, the file isn't written to any more.
 */
export class FileJournal implements Journal {
  private readonly files: FileOperations
  private readonly segmentBytes: number
  private readonly maxWaitingBytes: number
  private gathering = this.newGroup()
  private readonly spare: Group[] = []
  /** Groups that are in the file and not in a sync. */
  private unsynced: Group[] = []
  /** Groups whose sync is under way; none when there is no sync. */
  private syncing: Group[] = []
  private current: OpenSegment | undefined
  private sequence = 0
  private last: JournalPosition
  private scheduled = false
  private timer: NodeJS.Timeout | undefined
  private lingering: NodeJS.Timeout | undefined
  private closed = false

  constructor(
    private readonly settings: FileJournalSettings,
    private readonly observer: FileJournalObserver,
  ) {
    this.files = settings.files ?? systemFiles
    this.segmentBytes = settings.segmentBytes ?? defaultSegmentBytes
    this.maxWaitingBytes = settings.maxWaitingBytes ?? defaultMaxWaitingBytes
    const { segment, offset } = this.openSegment()
    this.last = { segment, offset }
  }

  /** Up to where the journal is durable. */
  get end(): JournalPosition {
    return this.last
  }

  /** A note that finds no room is dropped and told of as a fault. */
  note(record: LedgerRecord): void {
    if (this.closed || this.gathering.lines.used > this.maxWaitingBytes) {
      this.observer.onFault?.(this.refusal(), 1)
      return
    }
    this.gathering.note(record)
    if (!this.scheduled) this.flushIn(noteMs)
  }

  append(record: LedgerRecord): Promise<void> {
    if (this.closed || this.gathering.lines.used > this.maxWaitingBytes) return Promise.reject(this.refusal())
    const appended = this.gathering.append(record)
    this.flushSoon()
    return appended
  }

  begin(record: LedgerRecord, soon: boolean): Begun {
    if (this.closed || this.gathering.lines.used > this.maxWaitingBytes) throw this.refusal()
    const fate = this.gathering.begin(record)
    this.flushSoon()
    if (soon) void fate.durable()
    return fate
  }

  /** Writes what was noted. Resolves when all that came before is durable, or has failed. */
  flush(): Promise<void> {
    const last = this.gathering.isEmpty ? (this.unsynced.at(-1) ?? this.syncing.at(-1)) : this.gathering
    if (last === undefined) return Promise.resolve()
    const settled = last.settled()
    if (last === this.gathering) this.flushSoon()
    else this.syncNow()
    return settled
  }

  /** Writes what is left. Later records are refused. Waits as long as the disk does. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.flush()
    clearTimeout(this.timer)
    clearTimeout(this.lingering)
    this.seal()
  }

  private newGroup(): Group {
    return new Group(() => this.syncNow())
  }

  private refusal(): Error {
    return ledgerUnavailable(
      this.closed ? 'The ledger is closed.' : 'The disk does not keep up with the ledger: too much waits to be written.',
    )
  }

  private flushSoon(): void {
    if (this.scheduled || !this.mayWrite) return
    this.scheduled = true
    soon(() => this.write())
  }

  private flushIn(milliseconds: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.flushSoon()
    }, milliseconds).unref()
  }

  /** While a sync is under way only what somebody wants written is, and only into the same file. */
  private get mayWrite(): boolean {
    if (this.syncing.length === 0) return true
    return this.gathering.isBegun && this.current !== undefined && !this.isSpent(this.current)
  }

  private isSpent({ spent, written }: OpenSegment): boolean {
    return spent || written >= this.segmentBytes
  }

  private write(): void {
    this.scheduled = false
    const group = this.gathering
    if (group.isEmpty || !this.mayWrite) return
    this.gathering = this.spare.pop() ?? this.newGroup()
    let segment: OpenSegment
    try {
      segment = this.current ?? this.openSegment()
    } catch (error) {
      return this.giveUp([group], error)
    }
    try {
      this.writeAll(segment.file, group.lines.bytes, group.lines.used, segment.written)
    } catch (error) {
      if (!this.takeBack(segment, segment.written)) this.retire(segment)
      return this.giveUp([group], error)
    }
    segment.written += group.lines.used
    group.wasWritten()
    if (this.settings.durability === 'process') return this.settle(segment, [group], segment.written)
    this.unsynced.push(group)
    if (group.isAwaited || !group.isBegun || this.isSpent(segment)) this.syncNow()
    else this.syncLater()
  }

  private syncLater(): void {
    this.lingering ??= setTimeout(() => {
      this.lingering = undefined
      this.syncNow()
    }, lingerMs).unref()
  }

  /** Makes durable what is written, unless a sync is under way. */
  private syncNow(): void {
    const segment = this.current
    if (segment === undefined || this.syncing.length > 0 || this.unsynced.length === 0) return
    const to = segment.written
    clearTimeout(this.lingering)
    this.lingering = undefined
    this.syncing = this.unsynced
    this.unsynced = []
    this.sync(segment, (error) => {
      const groups = this.syncing
      this.syncing = []
      if (error === null) return this.settle(segment, groups, to)
      const failed = [...groups, ...this.unsynced]
      this.unsynced = []
      // What the system does with pages that it failed to write is anybody's guess: this file is as long as it is durable, and no longer.
      this.takeBack(segment, segment.offset)
      this.seal()
      this.giveUp(failed, error)
    })
  }

  private settle(segment: OpenSegment, groups: readonly Group[], to: number): void {
    let records = 0
    for (const group of groups) records += group.records
    segment.offset = to
    this.last = { segment: segment.segment, offset: to }
    this.observer.onAdvance?.({ ...this.last, path: segment.path, sequence: segment.sequence, sealed: false }, records)
    if (to === segment.written && this.isSpent(segment)) this.seal()
    for (const group of groups) {
      group.succeed()
      this.keep(group)
    }
    this.rest()
  }

  private keep(group: Group): void {
    if (this.spare.length < spareGroups) this.spare.push(group)
  }

  /** Tells those who waited, and keeps the rest for another try. */
  private giveUp(groups: readonly Group[], error: unknown): void {
    const failure = ledgerUnavailable('The ledger can not write to its journal, so nothing may be spent now.', error)
    const left: Buffer[] = []
    let records = 0
    for (const group of groups) {
      const more = group.fail(failure)
      left.push(more.lines)
      records += more.records
      this.keep(group)
    }
    const lines = Buffer.concat(left)
    const kept = !this.closed && lines.length + this.gathering.lines.used <= this.maxWaitingBytes
    if (records > 0 && kept) {
      this.gathering.prepend(lines, records)
      this.flushIn(retryMs)
    }
    this.observer.onFault?.(error instanceof Error ? error : failure, kept ? 0 : records)
    this.rest()
  }

  /** After a group: the next one, where somebody waits for it. */
  private rest(): void {
    if (this.gathering.isAwaited || this.gathering.isBegun) this.flushSoon()
    else if (!this.gathering.isEmpty && !this.closed) this.flushIn(noteMs)
    if (this.unsynced.length === 0) return
    const isWanted = this.unsynced.some((group) => group.isAwaited || !group.isBegun)
    // What is going to be written is synced with it, except where the file takes no more.
    if ((isWanted && !this.gathering.isAwaited) || (this.current !== undefined && this.isSpent(this.current))) this.syncNow()
    else this.syncLater()
  }

  /** Writes no more to a segment, and closes it once what is in it is durable. */
  private retire(segment: OpenSegment): void {
    segment.spent = true
    if (this.syncing.length > 0) return
    if (this.unsynced.length > 0) this.syncNow()
    else this.seal()
  }

  private sync(segment: OpenSegment, done: (error: Error | null) => void): void {
    this.files.sync(segment.file, (error) => {
      if (error !== null || !segment.unnamed) return done(error)
      this.files.syncDirectory(this.settings.directory, (failure) => {
        if (failure === null) segment.unnamed = false
        done(failure)
      })
    })
  }

  private writeAll(file: number, bytes: Uint8Array, length: number, position: number): void {
    let written = 0
    while (written < length) {
      const more = this.files.write(file, bytes, written, length - written, position + written)
      if (more === 0) throw new Error('the disk took nothing')
      written += more
    }
  }

  /**
   * Leaves nothing of a segment after its first `end` bytes: cuts it off, or else makes it blank, ended by a line break, so that a reader skips it.
   * False when the file takes neither; then it must not be written to any more.
   */
  private takeBack(segment: OpenSegment, end: number): boolean {
    const { file } = segment
    try {
      this.files.truncate(file, end)
      segment.written = end
      return true
    } catch {
      try {
        const left = this.files.size(file) - end
        if (left > 0) this.writeAll(file, blankLine(left), left, end)
        segment.written = end
        return true
      } catch {
        return false
      }
    }
  }

  private openSegment(): OpenSegment {
    const { directory, holder, now = () => Date.now() / 1000 } = this.settings
    const header = newSegment(holder, this.sequence + 1, now())
    const path = segmentPath(directory, header)
    try {
      makeFolder(directory, 0o700)
      const file = this.files.create(path)
      const line = headerLine(header)
      try {
        this.writeAll(file, line, line.length, 0)
      } catch (error) {
        this.files.close(file)
        this.files.remove(path)
        throw error
      }
      this.sequence++
      return (this.current = {
        file,
        path,
        segment: header.segment,
        sequence: header.sequence,
        offset: line.length,
        written: line.length,
        spent: false,
        unnamed: true,
      })
    } catch (error) {
      throw ledgerUnavailable(`The ledger can not begin a journal in ${directory}.`, error)
    }
  }

  /** Ends the segment; the next record begins a new one. */
  private seal(): void {
    const segment = this.current
    if (segment === undefined) return
    this.current = undefined
    try {
      this.files.close(segment.file)
    } catch (error) {
      this.observer.onFault?.(error instanceof Error ? error : new Error(String(error)), 0)
    }
    this.observer.onAdvance?.(
      { segment: segment.segment, offset: segment.offset, path: segment.path, sequence: segment.sequence, sealed: true },
      0,
    )
  }
}
