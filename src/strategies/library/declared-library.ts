import { BursarError } from '../../errors/index.js'
import { UpstreamFailure, type CallOptions, type Environment } from '../../environment/index.js'
import type { Delta, Request } from '../../protocol/index.js'
import { toDollars } from '../../quantities/index.js'
import { Tally } from '../calls.js'
import {
  buildStrategy,
  describeSpec,
  modelsOf,
  mostCalls,
  specHash,
  strategyKinds,
  type BuildContext,
  type LibraryUse,
  type StrategyRegistry,
} from '../declared/index.js'
import type { Answer, Strategy } from '../strategy.js'
import { meanOf } from './experience.js'
import { totalOf, type LibraryEntry, type StrategyLibrary } from './strategy-library.js'

/** What a declared library is lent. */
export interface LibraryParts {
  /** The library of this use, as it is now. */
  library(): StrategyLibrary
  /** The kind of a question; short, and no content. */
  cluster(request: Request): string
  /** False: nothing is tried out. */
  readonly explore: boolean
  /** For the strategies in it. */
  readonly context: BuildContext
  readonly registry?: StrategyRegistry | undefined
  /** Told when a strategy failed at its provider: weak evidence against it. */
  failed(hash: string, cluster: string, code: string): void
}

/**
 * Answers by the strategy of a declared library that is worth most on such questions (109), streaming as that does. Of what is in the library it takes only what this use of it
 * named, and proposals of a guide that stay within the models and calls that it lets them. It records nothing itself: the answer's lesson says what an outcome is
 * to be told to the library, so that each word counts as much as its source may.
 */
export function declaredLibrary(use: LibraryUse, parts: LibraryParts): Strategy {
  const { registry = strategyKinds, context } = parts
  const own = new Set(use.seeds.map((spec) => specHash(spec)))
  /** By hash: what a proposal would call can't change. */
  const fits = new Map<string, boolean>()
  const among = (entry: LibraryEntry): boolean => {
    if (own.has(entry.hash)) return true
    if (entry.source !== 'guide' || use.guide === undefined) return false
    let known = fits.get(entry.hash)
    if (known === undefined) {
      if (fits.size > 1000) fits.clear()
      const { models, mostCalls: most } = use.guide
      const plan = parts.library().planOf(entry)
      fits.set(entry.hash, (known = mostCalls({ plan }) <= most && modelsOf({ plan }).every((model) => models.includes(model))))
    }
    return known
  }
  return {
    id: `library(${use.name})`,
    plan: use.plan,
    async *run(request: Request, env: Environment, options?: CallOptions): AsyncGenerator<Delta, Answer> {
      const library = parts.library()
      const cluster = parts.cluster(request)
      const chosen = library.draw(cluster, use.lambda, env.random, parts.explore ? use.explore : 0, among)
      if (chosen === undefined) throw new BursarError(`The library "${use.name}" is empty.`, { code: 'internal_error', status: 500 })
      const { entry, belief, propensity, tried } = chosen
      const strategy = buildStrategy(entry.spec, registry, context)
      const { n } = totalOf(entry)
      const known =
        n === 0
          ? 'nobody has said yet how good it is'
          : `${Math.round(100 * meanOf(belief))} % right are expected of it on "${cluster}", by ${n.toFixed(1)} outcomes in all`
      const tally = new Tally()
      tally.note(
        'library',
        strategy.plan[0]?.model ?? strategy.id,
        `"${use.name}" chose among ${library.entries.filter(among).length} strategies, with probability ${propensity.toFixed(2)}${tried ? ', in order to learn' : ''}: ${describeSpec(entry.spec, registry)} ${known[0]?.toUpperCase() ?? ''}${known.slice(1)}`,
      )
      try {
        const answer = yield* strategy.run(request, env, options)
        const { evidence, cost } = answer
        tally.addAnswer('answer', answer)
        tally.teach({
          kind: 'library',
          library: use.name,
          cluster,
          hash: entry.hash,
          usd: cost.usd === null ? null : toDollars(cost.usd),
          ...(evidence === undefined ? {} : { found: Math.min(1, Math.max(0, evidence.probability ?? evidence.signal)) }),
        })
        return tally.answer(answer.completion, { evidence, fellBackFrom: answer.fellBackFrom })
      } catch (thrown) {
        // What the caller cancelled or asked for wrongly, or the budget had no room for, says nothing of the strategy.
        if (!env.signal.aborted && thrown instanceof UpstreamFailure && thrown.retryable) parts.failed(entry.hash, cluster, thrown.code)
        throw thrown
      }
    },
  }
}
