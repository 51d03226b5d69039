import { BursarError } from '../../errors/index.js'
import type { CallOptions, Environment } from '../../environment/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import { toDollars } from '../../quantities/index.js'
import { buildStrategy, eitherPlan, strategyKinds, type BuildContext, type StrategyRegistry } from '../declared/index.js'
import type { Answer, Strategy } from '../strategy.js'
import type { LibraryEntry, StrategyLibrary } from './strategy-library.js'

export interface FromLibraryOptions {
  readonly library: StrategyLibrary
  /** The kind of a question: a category, a task. Short, and no content. */
  readonly cluster: (request: Request) => string
  /** Dollars that a right answer is worth more than a wrong one. */
  readonly lambda: number
  /** Whether strategies may be tried that are not known to be the best; true when absent. */
  readonly explore?: boolean | undefined
  /** Told which entry answers a request, so that feedback that comes later can be recorded (`StrategyLibrary.record`). */
  readonly onChosen?: ((choice: { readonly cluster: string; readonly hash: string; readonly request: Request }) => void) | undefined
  readonly context?: BuildContext | undefined
  readonly registry?: StrategyRegistry | undefined
}

/**
 * Answers by the library's strategy for the kind of question (109), streaming as that does, and records what it took and, as weak evidence, what it found of its
 * own answer. A failure of a strategy counts as a wrong answer and is thrown. Throws `invalid_configuration` for an empty library.
 */
export function fromLibrary({
  library,
  cluster,
  lambda,
  explore = true,
  onChosen,
  context = NO_CONTEXT,
  registry = strategyKinds,
}: FromLibraryOptions): Strategy {
  const built = (entry: LibraryEntry) => buildStrategy(entry.spec, registry, context)
  return {
    id: 'library',
    get plan() {
      return eitherPlan(library.entries.map((entry) => library.planOf(entry)))
    },
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const kind = cluster(request)
      const { entry } = library.choose(kind, lambda, explore ? env.random : undefined) ?? {}
      if (entry === undefined) throw new BursarError('The library of strategies is empty.', { code: 'invalid_configuration', status: 500 })
      const { hash } = entry
      onChosen?.({ cluster: kind, hash, request })
      try {
        const answer = yield* built(entry).run(request, env, options)
        const { evidence, cost } = answer
        library.record({
          cluster: kind,
          hash,
          usd: cost.usd === null ? null : toDollars(cost.usd),
          weak: true,
          ...(evidence === undefined ? {} : { quality: Math.min(1, Math.max(0, evidence.probability ?? evidence.signal)) }),
        })
        return answer
      } catch (thrown) {
        // What the caller cancelled, or the budget had no room for, says nothing of the strategy.
        if (!env.signal.aborted && BursarError.is(thrown) && thrown.code !== 'budget_exceeded') {
          library.record({ cluster: kind, hash, quality: 0, weak: true })
          library.note(hash, `failed with ${thrown.code}`)
        }
        throw thrown
      }
    },
  }
}

const NO_CONTEXT: BuildContext = {}
