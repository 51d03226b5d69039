import { picoUsd, toDollars, usd, type Money } from '../../quantities/index.js'
import type { LearningBudget } from '../../routing/index.js'
import { askGuide, type GuideReport } from '../../strategies/index.js'
import type { Environment } from '../../environment/index.js'
import type { GuideWanted } from './strategy-memory.js'

export interface GuideParts {
  /** An environment for a call of Bursar's own, metered like any other. */
  open(model: string, signal: AbortSignal): { readonly env: Environment; end(): void }
  /** Dollars of a call of the guide; `null` where the price isn't known. */
  priceOf(model: string, inputTokens: number, outputTokens: number): Money | null
  /** What learning may cost in a day. */
  budget(): LearningBudget | undefined
  /** Told what came of it: a plain sentence. */
  note(text: string): void
  onFault(thrown: unknown): void
}

/** Tokens that a guide reads and writes, as far as is known before. */
const READ = 4000
const WRITTEN = 1500

/**
 * Asks the guides of libraries (109) in the background, one at a time: never for a question, but after so many answers were found wrong, for at most 5 % of what the library
 * spends, within the dollars a day that learning may cost, and never where the price isn't known.
 */
export class Guides {
  private readonly closing = new AbortController()
  private running: Promise<void> | undefined

  constructor(private readonly parts: GuideParts) {}

  wanted({ use, library, cluster }: GuideWanted): void {
    const { guide, name } = use
    if (this.running !== undefined || guide === undefined || this.closing.signal.aborted) return
    const { model } = guide.model
    const price = this.parts.priceOf(model, READ, WRITTEN)
    if (price === null || !library.mayGuide(toDollars(price)) || this.parts.budget()?.take(price) !== true) return
    const before = library.spent.guide
    this.running = this.ask(model, (env) =>
      askGuide(library, cluster, env, {
        use: guide.model,
        models: guide.models,
        everyFailures: guide.everyFailures,
        expectedUsd: toDollars(price),
        context: { maxCalls: guide.mostCalls },
      }),
    )
      .then(({ added, refused, left }) => {
        const spent = usd(library.spent.guide - before)
        if (spent < price) this.parts.budget()?.giveBack(picoUsd(price - spent))
        this.parts.note(
          left === undefined
            ? `The guide of the library "${name}" proposed ${added.length} new strategies for "${cluster}"; ${refused} were refused.`
            : `The guide of the library "${name}" was not asked: ${left}.`,
        )
      })
      .catch((thrown: unknown) => {
        if (!this.closing.signal.aborted) this.parts.onFault(thrown)
      })
      .finally(() => (this.running = undefined))
  }

  private async ask(model: string, run: (env: Environment) => Promise<GuideReport>): Promise<GuideReport> {
    const { env, end } = this.parts.open(model, this.closing.signal)
    try {
      return await run(env)
    } finally {
      end()
    }
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    await this.running
  }

  async close(): Promise<void> {
    this.closing.abort(new Error('Bursar is shutting down'))
    await this.running
  }
}
