import type { Environment } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import type { Cost } from '../../quantities/index.js'
import type { StrategySpec } from '../../strategies/index.js'

/** One question of a test set, and how its answers are graded. */
export interface TestItem {
  /** Unique within the suite, and stable: the same item of the same file has the same id in every run. */
  readonly id: string
  /** What is asked, before a method has its say: variables are filled in by `Method.requestOf`. */
  readonly variables: Readonly<Record<string, unknown>>
  /** Absent where the suite's methods bring their own prompt. */
  readonly messages?: Request['messages'] | undefined
  /** For reports and stratified samples. */
  readonly category?: string | undefined
  /** All of them are asked; the item's score is their weighted mean: `gradeItem` of `grading/` does it. None: the item can't be scored. */
  readonly checks: readonly Check[]
  /** Least weighted mean that counts as passed, in [0, 1]; absent: every check has to pass. */
  readonly threshold?: number | undefined
}

/** One way to grade an answer, with what it is held against bound. */
export interface Check {
  /** `equals`, `contains`, `numeric`, `regex`, `json_schema`, `code`, `sql`, `judge` … */
  readonly kind: string
  readonly weight: number
  /** Least score that counts as passed, in [0, 1]. */
  readonly threshold: number
  /**
   * Names everything that the grade depends on beside the answer and the item's variables (what it is held against, a judge's model and
   * prompt, code): the same grade is never paid for twice.
   */
  readonly fingerprint: string
  /** Never throws for anything an answer may hold; throws for what isn't the answer's fault (no judge to be had, aborted). */
  grade(answer: string, context: GradingContext): Promise<Grade>
}

export interface GradingContext {
  readonly item: Pick<TestItem, 'id' | 'variables'>
  /** What was asked: judges are shown its last user message. */
  readonly request: Request
  /** Where judges are asked; checks that need no model never touch it. */
  readonly environment: Environment
  /** What the answer took: for checks of cost and latency. */
  readonly taken: { readonly cost: Cost; readonly seconds: number; readonly outputTokens: number }
}

export interface Grade {
  /** In [0, 1]. */
  readonly score: number
  readonly passed: boolean
  /** One plain sentence. */
  readonly reason: string
  /** What grading took: a judge's calls. Nothing for the rest. */
  readonly cost: Cost
}

/** What is compared: a model, a prompt, a strategy, or all of it together, as `auto` is. */
export interface Method {
  /** Unique within the suite: what tables call it. */
  readonly id: string
  /** What is sent for an item. Pure. Throws `InvalidRequest` with the path where a variable is missing. */
  requestOf(item: TestItem): Request
  /**
   * A declared strategy (as `parseStrategy` gives it) that answers the request. Absent: whatever the request's model names in the world
   * that is asked (a model, an arm, `auto:cheap`).
   */
  readonly strategy?: StrategySpec | undefined
  /** Names everything that the answers depend on (model, prompt, settings): cells of one fingerprint are never paid for twice. */
  readonly fingerprint: string
}

/** A test set with what is to be compared on it. */
export interface Suite {
  readonly name: string
  readonly methods: readonly Method[]
  readonly items: readonly TestItem[]
  /**
   * `settings:` of the file as it stands there, for `--tune`: names of settings with their ranges or choices. Checked by the reader of
   * `evaluation/tuning`.
   */
  readonly settings?: unknown
  /** Plain sentences on what the file says and Bursar passed over, such as a field that only says where promptfoo writes its results. */
  readonly notes: readonly string[]
}
