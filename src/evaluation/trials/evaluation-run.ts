import { BursarError } from '../../errors/index.js'
import type { Request } from '../../protocol/index.js'
import type { Cell, Search } from '../best-arm/search.js'
import { NoVerdict } from '../grading/judge/ask-judge.js'
import type { Method, Suite, TestItem } from '../suite/contract.js'
import { answerKey } from './cell-key.js'
import type { Cells, KeptAnswer } from './cells.js'
import { Decider, type DecisionRule, type Standing } from './decision.js'
import { Durations } from './durations.js'
import { failureKind } from './failure-kind.js'
import type { RateGate } from './rate-gate.js'
import { TrialScores, type ScoredCell } from './score.js'
import type { Lane, Stage } from './stage.js'
import { answerTrial, gradeTrial } from './trial-work.js'
import type { TrialWorld } from './world.js'

/** Why an evaluation ended. */
export type StopReason = 'decided' | 'budget' | 'time' | 'exhausted' | 'interrupted' | 'failing'

/** Parts that evaluations of one process share. */
export interface TrialStages {
  readonly generation: Stage
  readonly grading: Stage
  readonly gate: RateGate
}

export interface EvaluationOptions {
  readonly suite: Suite
  readonly world: TrialWorld
  readonly cells: Cells
  readonly search: Search
  readonly stages: TrialStages
  readonly rule: DecisionRule
  /** No cell is begun after so many seconds. */
  readonly seconds?: number | undefined
  /** Cells that may wait for a slot: few where what comes back decides what is asked next. */
  readonly ahead: number
  /** Whether cells that will take long go first; else the one that was asked for first does. */
  readonly longestFirst: boolean
  /** Further tries of a cell that failed for a reason that may pass. */
  readonly retries: number
  readonly seed: number
  /** Ends it softly: nothing is begun any more, what is under way is paid for and is waited for. */
  readonly stop: AbortSignal
  /** Ends it at once. */
  readonly signal: AbortSignal
  readonly onCell?: ((cell: ScoredCell) => void) | undefined
}

export interface EvaluationEnd {
  readonly stop: StopReason
  readonly standing: Standing
  readonly score: TrialScores
  /** The last failure, where there was one. */
  readonly failure: BursarError | undefined
  readonly seconds: number
}

/** Seconds to wait for a cell that another process is at, and the first wait before a failed cell is tried again. */
const TAKEN_SECONDS = 0.5
const RETRY_SECONDS = 1
/** Refusals for the rate that a cell takes before it counts as failed. */
const MOST_REFUSALS = 20
/** Cells given up, with no answer between them, at which it is no use going on. */
const FAILURES_IN_A_ROW = 5
/** A method that failed so often and never answered gets no more calls. */
const DEAD_AFTER = 3

interface Asked extends Cell {
  readonly method: number
  readonly item: number
  readonly asks: Method
  readonly about: TestItem
  readonly request: Request
  readonly key: string
  tries: number
  refusals: number
}

/**
 * Runs one evaluation to its end: asks the search for cells, has them answered and graded at the shared stages, tells the search, and
 * stops when the rule says so, a limit is reached or nothing is left. Throws `InvalidRequest` where a method can't say what it sends.
 * Memory: methods × items scores, plus what is under way.
 */
export function runEvaluation(options: EvaluationOptions): Promise<EvaluationEnd> {
  return new EvaluationRun(options).run()
}

class EvaluationRun {
  private readonly score: TrialScores
  private readonly decider: Decider
  private readonly durations = new Durations()
  private readonly generation: Lane
  private readonly grading: Lane
  private readonly startedAt: number
  /** Cells that were asked for and are neither scored nor given up. */
  private open = 0
  /** Of these, those that wait for money which other calls hold. */
  private readonly parked: Asked[] = []
  /** Of these, those waiting for a slot or in one. */
  private generating = 0
  private readonly successes: Int32Array
  private readonly failures: Int32Array
  private stopped: StopReason | undefined
  private fault: Error | undefined
  private failure: BursarError | undefined
  /** Cells given up since the last answer. */
  private inARow = 0
  /** Answers without a judge's verdict since the last grade. */
  private unjudgedInARow = 0
  private end: (() => void) | undefined

  constructor(private readonly options: EvaluationOptions) {
    const { suite, stages, world } = options
    this.score = new TrialScores(suite)
    this.decider = new Decider(suite, options.search, options.rule, options.seed)
    this.generation = stages.generation.lane()
    this.grading = stages.grading.lane()
    this.startedAt = world.clock.monotonic()
    this.successes = new Int32Array(suite.methods.length)
    this.failures = new Int32Array(suite.methods.length)
  }

  async run(): Promise<EvaluationEnd> {
    const { stop, signal, world } = this.options
    const onStop = () => this.stopFor('interrupted')
    const ended = new Promise<void>((resolve) => (this.end = resolve))
    stop.addEventListener('abort', onStop, { once: true })
    signal.addEventListener('abort', onStop, { once: true })
    const timer = new AbortController()
    if (this.options.seconds !== undefined)
      void world.clock.sleep(this.options.seconds, timer.signal).then(
        () => this.stopFor('time'),
        () => undefined,
      )
    try {
      if (stop.aborted || signal.aborted) this.stopFor('interrupted')
      this.fill()
      this.endIfDone()
      await ended
    } finally {
      timer.abort(new Error('over'))
      stop.removeEventListener('abort', onStop)
      signal.removeEventListener('abort', onStop)
      this.generation.leave()
      this.grading.leave()
    }
    if (this.fault !== undefined) throw this.fault
    const standing = this.decider.standing(this.score)
    return {
      stop: this.stopped ?? (standing.decided ? 'decided' : 'exhausted'),
      standing,
      score: this.score,
      failure: this.failure,
      seconds: world.clock.monotonic() - this.startedAt,
    }
  }

  /** Asks for cells as long as there is room for them. */
  private fill(): void {
    const { search, ahead } = this.options
    const slots = this.options.stages.gate.parallel
    try {
      while (this.stopped === undefined && this.parked.length === 0) {
        const room = slots + ahead - this.generating
        if (room <= 0) return
        const cells = search.next(room)
        if (cells.length === 0) return
        for (const cell of cells) this.begin(cell)
      }
    } catch (thrown) {
      this.fail(thrown)
    }
  }

  private begin({ method, item }: Cell): void {
    const { suite, world } = this.options
    const asks = suite.methods[method]
    const about = suite.items[item]
    if (!asks || !about) throw new RangeError(`the search asks for cell ${method}, ${item}, which isn't there`)
    this.decider.asked(item)
    if (this.isDead(method)) {
      // No points, and no more calls.
      this.withoutAnswer(method, item)
      return
    }
    const request = asks.requestOf(about)
    this.open += 1
    this.submit({
      method,
      item,
      asks,
      about,
      request,
      key: answerKey(asks, request, world.identityOf(asks, request)),
      tries: 0,
      refusals: 0,
    })
  }

  private submit(cell: Asked): void {
    this.generating += 1
    const run = async () => {
      try {
        await this.generate(cell)
      } catch (thrown) {
        this.fail(thrown)
      } finally {
        this.generating -= 1
        this.fill()
        this.endIfDone()
      }
    }
    // Where what comes back decides what is asked next, no cell may be overtaken for ever by longer ones: then the first goes first.
    const expectedSeconds = this.options.longestFirst ? this.durations.expected(cell.method, cell.item) : 0
    this.generation.submit({ expectedSeconds, run }).catch((thrown: unknown) => this.fail(thrown))
  }

  /** In a slot of generation: the answer, by whoever has it. Ends when the grading has taken the answer over. */
  private async generate(cell: Asked): Promise<void> {
    const { world, cells, signal, stages } = this.options
    if (this.stopped !== undefined) return this.letGo(cell)
    const claim = cells.claim(cell.key)
    if (claim.state === 'taken') return void this.later(cell, TAKEN_SECONDS)
    if (claim.state === 'answered') return this.toGrading(cell, claim.answer, null, false)
    try {
      const { quality, ...answer } = await answerTrial(world, { method: cell.asks, item: cell.about, request: cell.request, signal })
      if (world.keeps) cells.keepAnswer(cell.key, { method: cell.asks.id, item: cell.about.id }, answer)
      else cells.giveBack(cell.key)
      stages.gate.succeeded()
      this.inARow = 0
      this.durations.observe(cell.method, cell.item, answer.seconds)
      this.score.paid(answer.usd, answer.calls)
      this.unpark()
      await this.toGrading(cell, answer, quality, true)
    } catch (thrown) {
      cells.giveBack(cell.key)
      this.afterFailure(cell, thrown, false)
    }
  }

  private async toGrading(cell: Asked, answer: KeptAnswer, quality: number | null, paid: boolean): Promise<void> {
    const run = async () => {
      try {
        await this.grade(cell, answer, quality, paid)
      } catch (thrown) {
        this.fail(thrown)
      } finally {
        this.fill()
        this.endIfDone()
      }
    }
    await this.grading.submit({ expectedSeconds: 0, run }, this.options.signal)
  }

  private async grade(cell: Asked, answer: KeptAnswer, quality: number | null, paid: boolean): Promise<void> {
    const { world, cells, signal, search } = this.options
    const { method, item } = cell
    try {
      const graded = await gradeTrial(cell.about, cell.request, cell.key, answer, quality, cells, () => world.forGrading(signal))
      this.score.paid(graded.usd, 0)
      this.successes[method] = (this.successes[method] ?? 0) + 1
      this.unjudgedInARow = 0
      search.observe({ method, item }, graded.score)
      this.decider.observe(method, item, graded.score)
      const scored: ScoredCell = { method, item, score: graded.score, passed: graded.passed, reasons: graded.reasons, answer, paid }
      this.score.add(scored)
      this.open -= 1
      this.unpark()
      this.options.onCell?.(scored)
      if (this.stopped === undefined && this.decider.decided(this.score)) this.stopFor('decided')
    } catch (thrown) {
      this.afterFailure(cell, thrown, true)
    }
  }

  private afterFailure(cell: Asked, thrown: unknown, grading: boolean): void {
    const { signal, stages, retries } = this.options
    if (signal.aborted) return this.letGo(cell)
    const kind = failureKind(thrown)
    // A fault of ours, or of the configuration, is not the method's; nor is one of the grader.
    if (kind === 'bug' || kind === 'setup' || (grading && kind === 'final')) throw withMethod(thrown, cell.asks)
    if (this.stopped !== undefined) return this.letGo(cell)
    if (kind === 'budget') return this.park(cell, thrown)
    this.failure = BursarError.is(thrown) ? thrown : undefined
    if (thrown instanceof NoVerdict) return this.leaveOut(cell)
    if (kind === 'final') return this.noPoints(cell)
    if (kind === 'rate') {
      stages.gate.refused(BursarError.is(thrown) ? thrown.retryAfterSeconds : undefined)
      cell.refusals += 1
      if (cell.refusals <= MOST_REFUSALS) return this.submit(cell)
    } else if (cell.tries < retries) {
      cell.tries += 1
      return void this.later(cell, RETRY_SECONDS * 2 ** (cell.tries - 1))
    }
    this.giveUp(cell)
  }

  /** Waits for money that other calls hold; when nobody holds any, there is none for this call. */
  private park(cell: Asked, thrown: unknown): void {
    const { generation, grading } = this.options.stages
    this.parked.push(cell)
    if (this.open > this.parked.length) return
    const others = generation.inUse + grading.inUse - this.generation.running - this.grading.running
    if (others > 0) void this.unparkLater()
    else {
      this.failure = BursarError.is(thrown) ? thrown : undefined
      this.stopFor('budget')
    }
  }

  /** It failed again and again for reasons that may pass: the search may ask for it again, unless everything fails. */
  private giveUp(cell: Asked): void {
    this.score.failed(cell.method)
    this.letGo(cell)
    this.inARow += 1
    if (this.inARow >= FAILURES_IN_A_ROW) this.stopFor('failing')
    // It holds no money any more, and nobody else may be left who could wake those that wait for some.
    this.unpark()
  }

  /**
   * The judge was asked and asked again, and said nothing that can be read: that is no fault of the method, so its cell has no score, and
   * isn't asked for again in this run.
   */
  private leaveOut(cell: Asked): void {
    this.score.failed(cell.method)
    this.open -= 1
    this.unjudgedInARow += 1
    if (this.unjudgedInARow >= FAILURES_IN_A_ROW) this.stopFor('failing')
    this.unpark()
  }

  /** The method can't answer this: nothing for it, as its users would get. */
  private noPoints(cell: Asked): void {
    const { method, item } = cell
    this.open -= 1
    this.score.failed(method)
    this.failures[method] = (this.failures[method] ?? 0) + 1
    this.withoutAnswer(method, item)
    if (this.options.suite.methods.every((_, index) => this.isDead(index))) this.stopFor('failing')
    this.unpark()
  }

  private withoutAnswer(method: number, item: number): void {
    this.options.search.observe({ method, item }, 0)
    this.decider.observe(method, item, 0)
    this.score.unanswered(method, item)
  }

  private isDead(method: number): boolean {
    return this.successes[method] === 0 && (this.failures[method] ?? 0) >= DEAD_AFTER
  }

  /** Tries again after a while, without keeping a slot. */
  private async later(cell: Asked, seconds: number): Promise<void> {
    const { world, signal } = this.options
    try {
      await world.clock.sleep(seconds, signal)
    } catch {
      // Cancelled: it is let go below.
    }
    if (this.stopped !== undefined) this.letGo(cell)
    else this.submit(cell)
    this.endIfDone()
  }

  /** Something was settled, so there may be money again for those that wait for it. */
  private unpark(): void {
    if (this.stopped === undefined) for (const cell of this.parked.splice(0)) this.submit(cell)
  }

  /** Other evaluations hold money: whether it has come back is looked at after a while. */
  private async unparkLater(): Promise<void> {
    const { world, signal } = this.options
    await world.clock.sleep(TAKEN_SECONDS, signal).catch(() => undefined)
    this.unpark()
  }

  private letGo(cell: Asked): void {
    this.open -= 1
    this.options.search.forget(cell)
  }

  private stopFor(reason: StopReason): void {
    if (this.stopped !== undefined) return
    this.stopped = reason
    for (const cell of this.parked.splice(0)) this.letGo(cell)
    this.endIfDone()
  }

  private fail(thrown: unknown): void {
    this.fault ??= thrown instanceof Error ? thrown : new Error(String(thrown))
    this.stopped ??= 'failing'
    this.end?.()
  }

  private endIfDone(): void {
    if (this.open > 0 || this.generating > 0) return
    if (this.stopped === 'decided' && this.fault === undefined && !this.decider.isMet(this.score)) {
      // What was still under way has changed the picture.
      this.stopped = undefined
      this.fill()
      if (this.open > 0) return
    }
    this.end?.()
  }
}

/** Says whose trial it was that nothing can be done about. */
function withMethod(thrown: unknown, { id }: Method): unknown {
  if (!BursarError.is(thrown) || thrown.code === 'internal_error') return thrown
  return new BursarError(`Method "${id}": ${thrown.message}`, {
    code: thrown.code,
    status: thrown.status,
    path: thrown.path,
    cause: thrown,
  })
}
