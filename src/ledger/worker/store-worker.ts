import { Worker } from 'node:worker_threads'
import type { SegmentState } from '../journal/file-journal.js'
import { ledgerUnavailable } from '../journal/unavailable.js'
import { errorOf, type Failure } from './failure.js'
import {
  journalGroup,
  type FromWorker,
  type JournalMethods,
  type LedgerFault,
  type MethodCall,
  type ToWorker,
  type WorkerSettings,
} from './messages.js'
import { Progress } from './progress.js'
import { within } from '../within.js'

/** The methods of a group, as they can be called from another thread. */
export type Remote<Methods> = {
  readonly [Name in keyof Methods as Methods[Name] extends (...given: never[]) => Promise<unknown> ? Name : never]: Methods[Name]
}

export interface StoreWorkerSettings extends WorkerSettings {
  /** How long a call of a method may take. */
  readonly callSeconds?: number | undefined
  /** Most calls that may be waiting for their answers. */
  readonly maxCalls?: number | undefined
}

export interface StoreWorkerObserver {
  onFault(fault: LedgerFault): void
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: Error) => void
}

const defaultCallSeconds = 10
const defaultMaxCalls = 10_000
/**
 * How long records may gather before the worker hears of them: one transaction for all of them, and often a call's note and its end together, of
 * which no hold needs to be opened. Who asks the store for something that must include them doesn't wait for it (`caughtUp`).
 */
const tellMs = 200
const firstPauseMs = 100
const longestPauseMs = 5000
/** A thread that ran so long was well; the next start is made at once again. */
const wellMs = 60_000
/** Most memory of the thread. New objects live shortly here: a small nursery is collected sooner and stays in the processor's cache. */
const memory = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 512 }

/**
 * The main thread's side of the worker that owns the store. A worker that dies is started again, and goes on from where the store
 * is; calls that it was to answer are rejected with `ledger_unavailable`.
 */
export class StoreWorker {
  private readonly progress = new Progress()
  private readonly pending = new Map<number, Pending>()
  private readonly told = new Map<string, SegmentState>()
  private worker: Worker | undefined
  private calls = 0
  private timer: NodeJS.Timeout | undefined
  private restart: NodeJS.Timeout | undefined
  private pause = firstPauseMs
  private closed = false
  private left = { segments: 0, bytes: 0 }
  private leftChanged: () => void = () => undefined
  private readonly opened: Promise<void>
  private onReady: () => void = () => undefined
  private onRefused: (reason: Error) => void = () => undefined
  /** Code of the last fault of the database, for whoever waits in vain for it to be open. */
  private lastFault: string | undefined

  constructor(
    private readonly settings: StoreWorkerSettings,
    private readonly observer: StoreWorkerObserver,
  ) {
    this.opened = new Promise((resolve, reject) => {
      this.onReady = resolve
      this.onRefused = reject
    })
    this.opened.catch(() => undefined)
    this.start()
  }

  /** Resolves when the store is open; rejects when it refused its settings, or with `ledger_unavailable` when the time is over. */
  ready(seconds: number): Promise<void> {
    return within(seconds, this.opened, () =>
      ledgerUnavailable(
        `The ledger’s database could not be opened in time${this.lastFault === undefined ? '' : ` (${this.lastFault})`}. Is it running, and is its address right?`,
      ),
    )
  }

  /** The journal reaches so far now, by so many records more. */
  advance(state: SegmentState, records: number): void {
    this.progress.advance(state, records)
    this.told.set(state.segment, state)
    this.timer ??= setTimeout(() => this.tellNow(), tellMs)
  }

  /** Resolves when everything written up to now is in the store. Rejects with `ledger_unavailable` when that takes too long. */
  async caughtUp(seconds: number): Promise<void> {
    const done = this.progress.caughtUp()
    if (done === undefined) return
    this.tellNow()
    await within(seconds, done, () =>
      ledgerUnavailable('The ledger’s database has not taken in yet what was recorded. Try again in a moment.'),
    )
  }

  get lag(): { readonly records: number; readonly bytes: number } {
    return this.progress.lag
  }

  /**
   * Takes over the journals of dead processes, and resolves to their holders when all is in the store. Rejects with
   * `ledger_unavailable` when there was no progress for so many seconds.
   */
  async adopt(seconds: number): Promise<readonly string[]> {
    const holders = await this.group<JournalMethods>(journalGroup).adopt()
    while (this.left.segments > 0) {
      const changed = new Promise<void>((resolve) => (this.leftChanged = resolve))
      await within(seconds, changed, () =>
        ledgerUnavailable('The ledger’s database does not take in what processes before this one have left in their journals.'),
      )
    }
    return holders
  }

  /** Methods of a group, called in the worker. `seconds` says how long a call of each may take, where it isn't the usual time. */
  group<Methods extends object>(name: string, seconds: { readonly [Method in keyof Methods]?: number } = {}): Remote<Methods> {
    const { callSeconds = defaultCallSeconds } = this.settings
    const limits = new Map<string, unknown>(Object.entries(seconds))
    const methodOf = (_: object, method: string | symbol): unknown => {
      // A group must not look like a promise to whoever awaits it.
      if (typeof method !== 'string' || method === 'then') return undefined
      const limit = limits.get(method)
      return (...given: unknown[]) => this.call(name, method, given, typeof limit === 'number' ? limit : callSeconds)
    }
    // The type stands for what the worker answers; a method that it doesn't have is rejected there.
    return new Proxy<Remote<Methods>>({} as Remote<Methods>, { get: methodOf })
  }

  /**
   * Brings what was written into the store, as far as it takes it within so many seconds, and ends the thread. Resolves to the segments
   * of this process that have to be applied at the next start; `undefined` when that isn't known.
   */
  async close(seconds: number): Promise<readonly string[] | undefined> {
    if (this.closed) return undefined
    const until = performance.now() + seconds * 1000
    const left = () => Math.max(0.1, (until - performance.now()) / 1000)
    await this.caughtUp(left()).catch((error: Error) =>
      this.observer.onFault({
        kind: 'store',
        message: 'closed before the database had all of the journal; the rest is applied at the next start',
        error,
      }),
    )
    this.tellNow()
    this.closed = true
    clearTimeout(this.restart)
    const finished =
      this.worker === undefined
        ? undefined
        : await within(left(), this.call(journalGroup, 'finish', [], left()), () =>
            ledgerUnavailable('The ledger’s database did not close in time.'),
          ).catch((error: Error) => void this.observer.onFault({ kind: 'store', message: 'the database was not closed in order', error }))
    await this.worker?.terminate()
    return finished as readonly string[] | undefined
  }

  /** Ends the thread, whatever it does. */
  async kill(): Promise<void> {
    this.closed = true
    clearTimeout(this.restart)
    clearTimeout(this.timer)
    await this.worker?.terminate()
  }

  private call(group: string, method: string, given: readonly unknown[], seconds: number): Promise<unknown> {
    const { maxCalls = defaultMaxCalls } = this.settings
    const { worker } = this
    if (worker === undefined || this.pending.size >= maxCalls)
      return Promise.reject(ledgerUnavailable('The ledger’s database can not be asked now. Try again in a moment.'))
    const id = ++this.calls
    const answered = new Promise<unknown>((resolve, reject) => {
      this.pending.set(id, { resolve, reject })
      worker.postMessage({ kind: 'call', id, group, method, arguments: given } satisfies MethodCall)
    })
    return within(seconds, answered, () => ledgerUnavailable('The ledger’s database did not answer in time.')).finally(() =>
      this.pending.delete(id),
    )
  }

  private start(): void {
    const { store, storeModule, journals, own, holder, leaseSeconds } = this.settings
    const begun = performance.now()
    const worker = new Worker(workerFile, {
      workerData: { store, storeModule, journals, own, holder, leaseSeconds } satisfies WorkerSettings,
      resourceLimits: memory,
      execArgv: [],
    })
    this.worker = worker
    worker.on('message', (message: FromWorker) => this.receive(message))
    worker.on('error', (error) => this.observer.onFault({ kind: 'worker', message: 'the ledger’s worker failed', error }))
    worker.on('exit', () => {
      this.worker = undefined
      for (const { reject } of this.pending.values()) reject(ledgerUnavailable('The ledger’s worker died. Try again in a moment.'))
      if (this.closed) return
      if (performance.now() - begun > wellMs) this.pause = firstPauseMs
      this.restart = setTimeout(() => this.start(), this.pause)
      this.pause = Math.min(2 * this.pause, longestPauseMs)
    })
    for (const state of this.progress.open) this.send({ kind: 'advance', state })
  }

  private receive(message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        return this.onReady()
      case 'refused':
        return this.onRefused(errorOf(message.failure))
      case 'answer':
        return this.pending.get(message.id)?.resolve(message.value)
      case 'failed':
        return this.pending.get(message.id)?.reject(errorOf(message.failure))
      case 'applied':
        return this.progress.onApplied(message)
      case 'removed':
        return this.progress.onRemoved(message.segment)
      case 'left':
        this.left = message
        return this.leftChanged()
      case 'fault':
        if (message.fault.kind === 'store') this.lastFault = systemCode(message.failure?.cause)
        return this.observer.onFault({ ...message.fault, error: message.failure === undefined ? undefined : causeOf(message.failure) })
    }
  }

  private tellNow(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    for (const state of this.told.values()) this.send({ kind: 'advance', state })
    this.told.clear()
  }

  private send(message: ToWorker): void {
    this.worker?.postMessage(message)
  }
}

/** Run from source (tests, tsx), the worker needs a loader of its own. */
const workerFile = new URL(import.meta.url.endsWith('.ts') ? './start-from-source.mjs' : './worker.js', import.meta.url)

/** `ECONNREFUSED` of a driver's words; the words themselves may hold an address with a password. */
function systemCode(cause: string | undefined): string | undefined {
  return cause === undefined ? undefined : /\bE[A-Z]{4,}\b/.exec(cause)?.[0]
}

/** For a fault's log line: what really was thrown. */
function causeOf(failure: Failure): Error {
  const error = errorOf(failure)
  return error.code === 'ledger_unavailable' && error.cause instanceof Error ? error.cause : error
}
