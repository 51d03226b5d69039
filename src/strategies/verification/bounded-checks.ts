import { Worker } from 'node:worker_threads'
import type { CheckResult } from './schema.js'

/** One text that is to hold a schema; both as JSON text. `broken`: it isn't JSON, or doesn't hold the schema. `not_checked`: nobody can tell. */
export interface SchemaCheck {
  readonly schema: string
  readonly text: string
}
/** One text in which a JavaScript regular expression is to be found. `not_checked`: the pattern is none, or took too long. */
export interface PatternCheck {
  readonly pattern: string
  readonly flags: string
  readonly text: string
}
export type BoundedCheck = SchemaCheck | PatternCheck

export interface CheckQuestion {
  readonly id: number
  readonly checks: readonly BoundedCheck[]
}
export interface CheckAnswer {
  readonly id: number
  readonly results: readonly CheckResult[]
}

export interface BoundedCheckSettings {
  /** For all checks of one answer; then the thread is ended and the answer is not checked. */
  readonly timeoutSeconds?: number | undefined
  /** For the thread to start. */
  readonly startSeconds?: number | undefined
  /** Without anything to check, after which the thread is ended. */
  readonly idleSeconds?: number | undefined
  /** Answers that wait; further ones are not checked. */
  readonly maxWaiting?: number | undefined
  /** Characters that wait: schemas, patterns and texts together. */
  readonly maxWaitingLength?: number | undefined
}

interface Job {
  readonly question: CheckQuestion
  readonly owner: string
  readonly length: number
  done(results: readonly CheckResult[]): void
}

/** How long nothing of an owner is checked after a check of theirs took too long. */
const PENALTY_SECONDS = 60
const MAX_PENALTIES = 1_000
const THREAD_MEMORY_MB = 128

/**
 * Checks texts against JSON schemas and patterns in a thread of its own: a schema comes from a caller, and compiling it or matching its
 * patterns may take for ever. One answer at a time, each within a time; the thread is started with the first check and ended
 * when nothing comes for a while. Never throws and never waits without a bound.
 */
export class BoundedChecks {
  private readonly waiting: Job[] = []
  private waitingLength = 0
  private running: { readonly job: Job; readonly timer: NodeJS.Timeout } | undefined
  private thread: Worker | undefined
  private ready = false
  private idle: NodeJS.Timeout | undefined
  private closed = false
  private asked = 0
  /** Owners whose checks took too long, with the time (monotonic, ms) until which nothing of theirs is checked. */
  private readonly penalties = new Map<string, number>()
  private readonly settings: { readonly [Name in keyof BoundedCheckSettings]-?: number }

  /** `onFault` is told of a thread that broke off or could not be started. */
  constructor(
    settings: BoundedCheckSettings,
    private readonly onFault: (fault: unknown) => void,
  ) {
    this.settings = {
      timeoutSeconds: settings.timeoutSeconds ?? 1,
      startSeconds: settings.startSeconds ?? 20,
      idleSeconds: settings.idleSeconds ?? 60,
      maxWaiting: settings.maxWaiting ?? 256,
      maxWaitingLength: settings.maxWaitingLength ?? 16 * 1024 * 1024,
    }
  }

  /** Whether the thread is there: for tests. */
  get started(): boolean {
    return this.thread !== undefined
  }

  /** One result for each check. `owner` is who asked for them: one whose checks take too long is left out for a minute. */
  check(owner: string, checks: readonly BoundedCheck[]): Promise<readonly CheckResult[]> {
    const length = checks.reduce((sum, check) => sum + check.text.length + ('schema' in check ? check.schema : check.pattern).length, 0)
    if (
      this.closed ||
      this.punished(owner) ||
      this.waiting.length >= this.settings.maxWaiting ||
      this.waitingLength + length > this.settings.maxWaitingLength
    )
      return Promise.resolve(notChecked(checks))
    return new Promise((done) => {
      this.waiting.push({ question: { id: ++this.asked, checks }, owner, length, done })
      this.waitingLength += length
      this.next()
    })
  }

  /** What waits is not checked any more. */
  async close(): Promise<void> {
    this.closed = true
    await this.end()
  }

  private next(): void {
    if (this.running) return
    const job = this.waiting.shift()
    clearTimeout(this.idle)
    if (!job) {
      // A thread that has nothing to do keeps no process alive; one that has does, since somebody waits for its word.
      this.thread?.unref()
      if (this.thread) this.idle = setTimeout(() => void this.end(), this.settings.idleSeconds * 1000).unref()
      return
    }
    this.waitingLength -= job.length
    if (this.punished(job.owner)) {
      job.done(notChecked(job.question.checks))
      return this.next()
    }
    const thread = this.ensureThread()
    thread.ref()
    this.running = { job, timer: setTimeout(() => this.tookTooLong(job), this.settings.startSeconds * 1000).unref() }
    // Its time begins when the thread can work on it.
    if (this.ready) this.ask(thread, job)
  }

  private ask(thread: Worker, job: Job): void {
    clearTimeout(this.running?.timer)
    this.running = { job, timer: setTimeout(() => this.tookTooLong(job), this.settings.timeoutSeconds * 1000).unref() }
    thread.postMessage(job.question)
  }

  private ensureThread(): Worker {
    if (this.thread) return this.thread
    const thread = new Worker(threadFile, { execArgv: [], env: {}, resourceLimits: { maxOldGenerationSizeMb: THREAD_MEMORY_MB } })
    thread.on('message', (message: CheckAnswer | 'ready') => {
      if (this.thread !== thread) return
      if (message === 'ready') {
        this.ready = true
        if (this.running) this.ask(thread, this.running.job)
      } else if (this.running?.job.question.id === message.id) this.finish(message.results)
    })
    // Out of memory, or ended: what it was at is not checked, the next check starts another.
    const gone = () => {
      if (this.thread !== thread) return
      this.thread = undefined
      if (this.ready && this.running) this.punish(this.running.job.owner)
      this.ready = false
      if (this.running) this.finish(notChecked(this.running.job.question.checks))
    }
    thread.on('error', (fault: unknown) => {
      gone()
      this.onFault(fault)
    })
    thread.on('exit', gone)
    this.thread = thread
    return thread
  }

  private finish(results: readonly CheckResult[]): void {
    const { running } = this
    if (!running) return
    clearTimeout(running.timer)
    this.running = undefined
    running.job.done(results)
    this.next()
  }

  private tookTooLong(job: Job): void {
    if (this.running?.job !== job) return
    if (this.ready) this.punish(job.owner)
    const { thread } = this
    this.thread = undefined
    this.ready = false
    void thread?.terminate()
    this.finish(notChecked(job.question.checks))
  }

  private async end(): Promise<void> {
    clearTimeout(this.idle)
    const { thread, running } = this
    this.thread = undefined
    this.ready = false
    for (const job of this.waiting.splice(0)) job.done(notChecked(job.question.checks))
    this.waitingLength = 0
    if (running) {
      clearTimeout(running.timer)
      this.running = undefined
      running.job.done(notChecked(running.job.question.checks))
    }
    await thread?.terminate()
  }

  private punished(owner: string): boolean {
    const until = this.penalties.get(owner)
    if (until === undefined) return false
    if (performance.now() < until) return true
    this.penalties.delete(owner)
    return false
  }

  private punish(owner: string): void {
    this.penalties.delete(owner)
    this.penalties.set(owner, performance.now() + PENALTY_SECONDS * 1000)
    for (const oldest of this.penalties.keys()) {
      if (this.penalties.size <= MAX_PENALTIES) break
      this.penalties.delete(oldest)
    }
  }
}

/** Run from source (tests, tsx), the thread needs a loader of its own. */
const threadFile = new URL(import.meta.url.endsWith('.ts') ? './start-from-source.mjs' : './check-thread.js', import.meta.url)

function notChecked(checks: readonly BoundedCheck[]): readonly CheckResult[] {
  return checks.map(() => 'not_checked')
}
