import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import type { Environment, ModelId } from '../../environment/index.js'
import type { Request } from '../../protocol/index.js'
import { toDollars } from '../../quantities/index.js'
import { ask, jsonIn, textOf, type ModelUse } from '../calls.js'
import {
  buildStrategy,
  describeSpec,
  modelsOf,
  parseStrategy,
  strategyKinds,
  type BuildContext,
  type StrategyRegistry,
} from '../declared/index.js'
import { meanOf } from './experience.js'
import type { StrategyLibrary } from './strategy-library.js'

export interface GuideSettings {
  readonly use: ModelUse
  /** Models that proposed strategies may call. */
  readonly models: readonly ModelId[]
  /** Runs that must have gone wrong since it was asked last; 20 when absent (109: not for every question). */
  readonly everyFailures?: number | undefined
  /** Dollars that a call may cost, as far as is known; what the library's share must have room for. */
  readonly expectedUsd: number
  readonly context?: BuildContext | undefined
  readonly registry?: StrategyRegistry | undefined
}

export interface GuideReport {
  /** Hashes of strategies that are new in the library. */
  readonly added: readonly string[]
  /** Proposals that were none, or call models that they may not. */
  readonly refused: number
  /** Why it was not asked, where it wasn't. */
  readonly left?: string | undefined
}

const GUIDE_TOKENS = 1500
const MOST_PROPOSALS = 5

/**
 * Asks a model for new strategies of a kind of question (the guide of EGuR, 109), when enough went wrong and its share of the spending has room. It is told what
 * kinds of strategies there are and how those in the library did; never what anybody asked. What it proposes is data: read, bounded and refused like any
 * other spec. Also tidies the library up first. One call. Throws only when the request is cancelled.
 */
export async function askGuide(library: StrategyLibrary, cluster: string, env: Environment, settings: GuideSettings): Promise<GuideReport> {
  const { use, models, everyFailures = 20, expectedUsd, context = {}, registry = strategyKinds } = settings
  if (library.failures < everyFailures) return { added: [], refused: 0, left: `${library.failures} of ${everyFailures} failures` }
  if (!library.mayGuide(expectedUsd)) return { added: [], refused: 0, left: 'its share of the spending is used up' }
  library.consolidate()
  let said: string
  try {
    const completion = await ask(env, use, EMPTY, {
      messages: [{ role: 'user', parts: [{ type: 'text', text: guidePrompt(library, cluster, models, registry) }] }],
      maxOutputTokens: GUIDE_TOKENS,
    })
    library.guided(completion.cost.usd === null ? null : toDollars(completion.cost.usd))
    said = textOf(completion)
  } catch (thrown) {
    if (env.signal.aborted || !BursarError.is(thrown)) throw thrown
    // What a failed call cost is not known here.
    library.guided(null)
    return { added: [], refused: 0, left: `it failed (${thrown.code})` }
  }
  const read = proposals.safeParse(jsonIn(said))
  if (!read.success) return { added: [], refused: 1 }
  const before = new Set(library.entries.map(({ hash }) => hash))
  const added: string[] = []
  let refused = 0
  for (const { strategy, tags } of read.data.strategies) {
    try {
      const built = buildStrategy(parseStrategy(strategy, '', registry), registry, context)
      if (modelsOf(built).some((model) => !models.includes(model))) refused++
      else {
        const hash = library.add(strategy, { tags: tags ?? [], source: 'guide' })
        if (!before.has(hash) && library.entries.some((entry) => entry.hash === hash)) added.push(hash)
      }
    } catch (thrown) {
      if (!BursarError.is(thrown)) throw thrown
      refused++
    }
  }
  return { added, refused }
}

const proposals = z.object({
  strategies: z
    .array(z.object({ strategy: z.unknown(), tags: z.array(z.string().max(40)).max(5).optional().catch(undefined) }))
    .max(MOST_PROPOSALS),
})

const EMPTY: Request = { model: 'guide', messages: [], stream: false, paths: {}, extra: [] }

function guidePrompt(library: StrategyLibrary, cluster: string, models: readonly ModelId[], registry: StrategyRegistry): string {
  const known = library.entries
    .map((entry) => {
      const found = library.beliefOf(entry, cluster)
      const notes = entry.notes.length === 0 ? '' : ` Notes: ${entry.notes.join('; ')}`
      return `- ${JSON.stringify(entry.spec)}\n  ${describeSpec(entry.spec, registry)} About ${Math.round(100 * meanOf(found))} % right, ${found.usd === null ? 'cost unknown' : `$${found.usd.toPrecision(2)}`} a question.${notes}`
    })
    .join('\n')
  return `You improve a library of strategies for questions of the kind "${cluster}". A strategy is data that says how language models are asked.
Kinds: ${[...registry.values()].map(({ kind, about }) => `${kind} (${about})`).join(' ')}
Models: ${models.join(', ')}. The name of a model alone is also a strategy: one call.
In the library, with their share of right answers and cost:
${known === '' ? '(nothing yet)' : known}
Propose 3 to ${MOST_PROPOSALS} new strategies that may be better or cheaper for this kind: among them the cheapest that could work, and one that tries something else. A "single" may have an "instruction" on how to go about such questions.
Reply with JSON only: {"strategies": [{"strategy": {"kind": "…"}, "tags": ["…"]}]}`
}
