import { setMaxListeners } from 'node:events'
import { childRandom } from '../../statistics/index.js'
import { searches, type SearchName } from '../best-arm/searches.js'
import type { Suite } from '../suite/contract.js'
import type { Cells } from './cells.js'
import type { DecisionRule } from './decision.js'
import { runEvaluation, type EvaluationEnd, type TrialStages } from './evaluation-run.js'
import { RateGate } from './rate-gate.js'
import type { ScoredCell } from './score.js'
import { Stage } from './stage.js'
import type { TrialWorld } from './world.js'

/** How evaluations are run. */
export interface EvaluateOptions {
  readonly world: TrialWorld
  readonly cells: Cells
  readonly search: SearchName
  readonly rule: DecisionRule
  /** Calls of methods at the same time, over all evaluations together. */
  readonly parallel: number
  /** Answers graded at the same time; the same number where absent. */
  readonly grading?: number | undefined
  readonly seconds?: number | undefined
  /** Further tries of a failed cell; 2 when absent. */
  readonly retries?: number | undefined
  readonly seed: number
  readonly stop: AbortSignal
  readonly signal: AbortSignal
  readonly onCell?: ((suite: Suite, cell: ScoredCell) => void) | undefined
  /** Told once before anything is asked, so that progress can be shown. */
  readonly onStart?: ((stages: TrialStages) => void) | undefined
}

/** One suite and how it ended. */
export interface Evaluated extends EvaluationEnd {
  readonly suite: Suite
}

/**
 * Answers that may wait to be graded, for each grading slot: enough that a slow judge doesn't hold up calls for long, few enough for
 * memory.
 */
const WAITING_GRADES = 16
/** Cells asked ahead where all are to be scored anyway: so that the longest of many can go first. */
const WHOLE_AHEAD = 4_096

/**
 * Evaluates one suite or several at once. They share the slots fairly, slow down together, and are kept in one place; a fault of one
 * ends all. Cells of one `Cells` are paid for once, whoever asks for them. Throws `InvalidRequest` where a suite holds nothing to
 * compare.
 */
export async function evaluateSuites(suites: readonly Suite[], options: EvaluateOptions): Promise<readonly Evaluated[]> {
  const { world, parallel, grading = parallel, search, rule, seed } = options
  const fault = new AbortController()
  const signal = AbortSignal.any([options.signal, fault.signal])
  // Every call under way listens to it.
  setMaxListeners(0, signal, options.stop)
  const gate = new RateGate(parallel, world.clock)
  // A search that looks at what came back is asked as late as may be.
  const adaptive = search !== 'uniform' && rule.kind !== 'never'
  const ahead = adaptive ? Math.max(1, Math.ceil(parallel / 2)) : WHOLE_AHEAD
  const stages: TrialStages = {
    gate,
    generation: new Stage({ slots: parallel, queue: Number.MAX_SAFE_INTEGER, clock: world.clock, gate }),
    grading: new Stage({ slots: grading, queue: WAITING_GRADES * grading, clock: world.clock }),
  }
  options.onStart?.(stages)
  const running = suites.map(async (suite): Promise<Evaluated> => {
    const [methods, items] = [suite.methods.length, suite.items.length]
    const size = { methods, items, random: childRandom(seed, `search\0${suite.name}`) }
    const end = await runEvaluation({
      suite,
      world,
      cells: options.cells,
      search: searches[search].make(size, methods * items, rule),
      stages,
      rule,
      seconds: options.seconds,
      ahead,
      longestFirst: !adaptive,
      retries: options.retries ?? 2,
      seed,
      stop: options.stop,
      signal,
      onCell: (cell) => options.onCell?.(suite, cell),
    })
    return { ...end, suite }
  })
  try {
    return await Promise.all(running)
  } catch (thrown) {
    fault.abort(thrown)
    await Promise.allSettled(running)
    throw thrown
  }
}
