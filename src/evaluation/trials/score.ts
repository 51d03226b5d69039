import { addMoney, toDollars, zeroMoney, type Money } from '../../quantities/index.js'
import { mean, median, RunningMoments, shareInterval, studentQuantile, type Interval } from '../../statistics/index.js'
import type { Suite } from '../suite/contract.js'
import type { KeptAnswer } from './cells.js'

/** A cell with its score. */
export interface ScoredCell {
  readonly method: number
  readonly item: number
  readonly score: number
  readonly passed: boolean
  /** Why checks weren't passed. */
  readonly reasons: readonly string[]
  readonly answer: KeptAnswer
  /** Whether this run called for it; else it was kept. */
  readonly paid: boolean
}

/** What is known of a method so far. */
export interface MethodScore {
  readonly cells: number
  readonly failures: number
  /** Mean score, with an interval for questions like these (the items as a sample of them); `NaN` of no cells. */
  readonly score: Interval
  /** Mean dollars of an answer, graders left out; `null` where a price isn't known, or nothing is. */
  readonly usd: number | null
  /** Median seconds of an answer, input and output tokens of an answer on average; `null` of no cells. */
  readonly seconds: number | null
  readonly inputTokens: number | null
  readonly outputTokens: number | null
}

/** How far one method is ahead of another on the items that both were scored on. */
export interface Lead extends Interval {
  readonly over: number
}

/** All scores of an evaluation, and what it took. Memory: one number a cell, and one record a cell that was scored. */
export class TrialScores {
  private readonly rows: readonly Float64Array[]
  private readonly cells: ScoredCell[][]
  private readonly failed_: Int32Array
  private usd: Money | null = zeroMoney
  private madeCalls = 0
  private keptCells = 0
  private scored = 0

  constructor(private readonly suite: Pick<Suite, 'methods' | 'items'>) {
    this.rows = suite.methods.map(() => new Float64Array(suite.items.length).fill(NaN))
    this.cells = suite.methods.map(() => [])
    this.failed_ = new Int32Array(suite.methods.length)
  }

  add(cell: ScoredCell): void {
    const row = this.rows[cell.method]
    if (row) row[cell.item] = cell.score
    this.cells[cell.method]?.push(cell)
    this.scored += 1
    if (!cell.paid) this.keptCells += 1
  }

  /** A method had no answer: no points for this item. */
  unanswered(method: number, item: number): void {
    const row = this.rows[method]
    if (row) row[item] = 0
    this.scored += 1
  }

  /** What this run was billed for. */
  paid(usd: Money | null, calls: number): void {
    this.usd = this.usd === null || usd === null ? null : addMoney(this.usd, usd)
    this.madeCalls += calls
  }

  failed(method: number): void {
    this.failed_[method] = (this.failed_[method] ?? 0) + 1
  }

  /** Dollars that this run was billed; `null` where some price isn't known. */
  get dollars(): number | null {
    return this.usd === null ? null : toDollars(this.usd)
  }
  get calls(): number {
    return this.madeCalls
  }
  /** Cells with a score, of `of`; `kept` of them without a call. */
  get progress(): { readonly scored: number; readonly of: number; readonly kept: number; readonly failed: number } {
    return {
      scored: this.scored,
      of: this.suite.methods.length * this.suite.items.length,
      kept: this.keptCells,
      failed: this.failed_.reduce((sum, count) => sum + count, 0),
    }
  }

  /** Scores of a method by item; `NaN` where there is none. */
  row(method: number): Float64Array {
    return this.rows[method] ?? new Float64Array(0)
  }

  cellsOf(method: number): readonly ScoredCell[] {
    return this.cells[method] ?? []
  }

  methodScore(method: number, level = 0.95): MethodScore {
    const cells = this.cellsOf(method)
    const scores = Array.from(this.row(method)).filter((score) => !Number.isNaN(score))
    const answers = cells.map(({ answer }) => answer)
    const dollars = answers.flatMap(({ usd }) => (usd === null ? [] : [toDollars(usd)]))
    return {
      cells: scores.length,
      failures: this.failed_[method] ?? 0,
      score: meanInterval(scores, level, [0, 1]),
      usd: dollars.length < answers.length || answers.length === 0 ? null : mean(dollars),
      seconds: answers.length === 0 ? null : median(answers.map(({ seconds }) => seconds)),
      inputTokens: answers.length === 0 ? null : mean(answers.map(({ inputTokens }) => inputTokens)),
      outputTokens: answers.length === 0 ? null : mean(answers.map(({ outputTokens }) => outputTokens)),
    }
  }

  /** Mean difference on common items, with an interval for questions like these. */
  lead(method: number, over: number, level = 0.95): Lead {
    const [own, theirs] = [this.row(method), this.row(over)]
    const differences: number[] = []
    for (const [item, score] of own.entries()) {
      const difference = score - (theirs[item] ?? NaN)
      if (!Number.isNaN(difference)) differences.push(difference)
    }
    return { over, ...meanInterval(differences, level, [-1, 1]) }
  }
}

/** The mean of scores with a t interval; of rights and wrongs alone with Clopper and Pearson's, which is honest at the ends too. */
function meanInterval(values: readonly number[], level: number, [least, most]: readonly [number, number]): Interval {
  const n = values.length
  if (n === 0) return { value: NaN, low: least, high: most, n, method: 'nothing was seen' }
  const value = mean(values)
  if (least === 0 && values.every((one) => one === 0 || one === 1))
    return { value, ...shareInterval(Math.round(value * n), n, level), n, method: 'Clopper-Pearson' }
  if (n < 2) return { value, low: least, high: most, n, method: 'one value' }
  const moments = new RunningMoments()
  for (const one of values) moments.add(one)
  // Values that are all the same say that others are rare, not that there are none: the rule of three is about as wide.
  const reach = studentQuantile((1 + level) / 2, n - 1) * Math.sqrt(Math.max(moments.variance, 1 / n) / n)
  return { value, low: Math.max(least, value - reach), high: Math.min(most, value + reach), n, method: 't' }
}
