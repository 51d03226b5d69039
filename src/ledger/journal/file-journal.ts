import { mkdirSync } from 'node:fs'
import { setImmediate as soon } from 'node:timers'
import type { LedgerRecord } from '../record.js'
import type { Journal, JournalPosition } from './contract.js'
import { systemFiles, type FileOperations } from './file-operations.js'
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
  /** Until the first sync: the file's name isn't durable either. */
  unnamed: boolean
}

const defaultSegmentBytes = 64 * 1024 * 1024
const defaultMaxWaitingBytes = 16 * 1024 * 1024
/** Notes wait a moment for a record that somebody waits for, so that they share its write. */
const noteMs = 5
/** Before notes are tried again that could not be written. */
const retryMs = 250

/** Begins a journal. Throws `ledger_unavailable` when its first segment can't be made. */
export function openFileJournal(settings: FileJournalSettings, observer: FileJournalObserver = {}): FileJournal {
  return new FileJournal(settings, observer)
}

/**
 * The journal in files. What comes in one turn of the event loop is written with one system call at the end of that turn; with
 * `disk`, one sync is under way at a time, and what comes meanwhile makes up the next group. A write or a sync that fails is taken back, so
 * that nothing of it stays in the file, and everybody who waited for it is told. After a sync that failed, the file isn't written to any more.
 */
export class FileJournal implements Journal {
  private readonly files: FileOperations
  private readonly segmentBytes: number
  private readonly maxWaitingBytes: number
  private gathering = new Group()
  private spare = new Group()
  /** The group whose sync is under way. */
  private syncing: Group | undefined
  private current: OpenSegment | undefined
  private sequence = 0
  private last: JournalPosition
  private scheduled = false
  private timer: NodeJS.Timeout | undefined
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

  /** Writes what was noted. Resolves when all that came before is durable, or has failed. */
  flush(): Promise<void> {
    if (this.gathering.isEmpty) return this.syncing?.settled() ?? Promise.resolve()
    this.flushSoon()
    return this.gathering.settled()
  }

  /** Writes what is left. Later records are refused. Waits as long as the disk does. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    await this.flush()
    clearTimeout(this.timer)
    this.seal()
  }

  private refusal(): Error {
    return ledgerUnavailable(this.closed ? 'The ledger is closed.' : 'The disk does not keep up with the ledger: too much waits to be written.')
  }

  private flushSoon(): void {
    if (this.scheduled || this.syncing !== undefined) return
    this.scheduled = true
    soon(() => this.write())
  }

  private flushIn(milliseconds: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.flushSoon()
    }, milliseconds).unref()
  }

  private write(): void {
    this.scheduled = false
    if (this.syncing !== undefined) return
    const group = this.gathering
    if (group.isEmpty) return
    this.gathering = this.spare
    this.spare = group
    let segment: OpenSegment
    try {
      segment = this.current ?? this.openSegment()
    } catch (error) {
      return this.giveUp(group, error)
    }
    try {
      this.writeAll(segment.file, group.lines.bytes, group.lines.used, segment.offset)
    } catch (error) {
      if (!this.takeBack(segment)) this.seal()
      return this.giveUp(group, error)
    }
    if (this.settings.durability === 'process') return this.settle(segment, group)
    this.syncing = group
    this.sync(segment, (error) => {
      this.syncing = undefined
      if (error === null) return this.settle(segment, group)
      // What the system does with pages that it failed to write is anybody's guess: this file is as long as it is now, and no longer.
      this.takeBack(segment)
      this.seal()
      this.giveUp(group, error)
    })
  }

  private settle(segment: OpenSegment, group: Group): void {
    const { records } = group
    segment.offset += group.lines.used
    this.last = { segment: segment.segment, offset: segment.offset }
    this.observer.onAdvance?.({ ...this.last, path: segment.path, sequence: segment.sequence, sealed: false }, records)
    if (segment.offset >= this.segmentBytes) this.seal()
    group.succeed()
    this.rest()
  }

  /** Tells those who waited, and keeps for another try what nobody waits for. */
  private giveUp(group: Group, error: unknown): void {
    const failure = ledgerUnavailable('The ledger can not write to its journal, so nothing may be spent now.', error)
    const { lines, records } = group.fail(failure)
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
    if (this.gathering.isAwaited) this.flushSoon()
    else if (!this.gathering.isEmpty && !this.closed) this.flushIn(noteMs)
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
   * Leaves nothing after the durable end: cuts it off, or else makes it blank, ended by a line break, so that a reader skips it.
   * False when the file takes neither; then it must not be written to any more.
   */
  private takeBack({ file, offset }: OpenSegment): boolean {
    try {
      this.files.truncate(file, offset)
      return true
    } catch {
      try {
        const left = this.files.size(file) - offset
        if (left > 0) this.writeAll(file, blankLine(left), left, offset)
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
      mkdirSync(directory, { recursive: true, mode: 0o700 })
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
      return (this.current = { file, path, segment: header.segment, sequence: header.sequence, offset: line.length, unnamed: true })
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
    this.observer.onAdvance?.({ segment: segment.segment, offset: segment.offset, path: segment.path, sequence: segment.sequence, sealed: true }, 0)
  }
}
