import type { Completion, Environment } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import type { Clock } from '../../quantities/index.js'
import type { Strategy } from '../../strategies/index.js'
import type { Method, TestItem } from '../suite/contract.js'

/** One method on one item, about to be answered. */
export interface Trial {
  readonly method: Method
  readonly item: TestItem
  /** `method.requestOf(item)`. */
  readonly request: Request
  readonly signal: AbortSignal
}

/** A trial that may begin: what answers it, and the environment that it is answered and graded in. */
export interface OpenTrial {
  readonly environment: Environment
  readonly strategy: Strategy
  /** What is to be answered, where the world's routing changes it; else the trial's own. */
  readonly request?: Request | undefined
  /** The quality that the world itself knows of an answer, in [0, 1]: for items without checks. */
  qualityOf?(completion: Completion): number | null
}

/**
 * Where cells are answered: a gateway in this process, a gateway elsewhere, a table of recorded outcomes, a simulation. It holds the
 * budget: its environments refuse a call with `BudgetExceeded` before what is left could be overrun.
 */
export interface TrialWorld {
  readonly clock: Clock
  /** Whether answers cost something and are worth keeping. */
  readonly keeps: boolean
  /**
   * Names everything that a method's answers depend on in this world beside method and request: the provider behind a model's name, the
   * routing. Kept answers of another identity are not used.
   */
  identityOf(method: Method, request: Request): string
  /** Throws `BursarError` for a model that isn't there, and `BudgetExceeded`. */
  open(trial: Trial): OpenTrial | Promise<OpenTrial>
  /** Where judges are asked about an answer that is there already. */
  forGrading(signal: AbortSignal): Environment
}

/** What an evaluation may take in all, whatever it is for: answers, judges, retries. */
export interface TrialLimits {
  /** Dollars. */
  readonly usd?: number | undefined
  readonly calls?: number | undefined
  /** From the start to the end of the last cell that is begun; seconds. */
  readonly seconds?: number | undefined
}
