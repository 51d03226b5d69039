import { pageHinkley, type PageHinkley } from './page-hinkley.js'

export interface LossWatchOptions {
  /** δ of the test: a rise of the mean loss by less than this is let pass; 0.1 by default. */
  readonly delta: number
  /** Of the test: about how much loss must add up beyond δ; 8 by default. */
  readonly threshold: number
  /**
   * After so many outcomes a source leaves quarantine even when its loss has not gone down, unless most others still find what they always found: what lasts, and nobody
   * contradicts, is taken for the truth; 200 by default.
   */
  readonly quarantineOutcomes: number
  /** Sources watched at most; the one not heard of for longest is forgotten; 10,000 by default. */
  readonly mostSources: number
}

/** Watches the prequential losses of sources, and holds those in quarantine that it is told to. O(1) an outcome. */
export interface LossWatch {
  /** True at the outcome at which the source's mean loss is found to have risen. A source in quarantine only counts towards its release. */
  add(source: string, loss: number): boolean
  quarantine(source: string): void
  quarantined(source: string): boolean
  inQuarantine(): readonly string[]
  /** Median over sources of their mean loss; `null` before there is one. O(sources log sources). */
  typicalLoss(): number | null
  /** Forgets what was typical, for all: the world has changed. */
  reset(): void
}

interface Watched {
  readonly test: PageHinkley
  /** The loss lately: an exponential mean over about 20 outcomes. */
  lately: number
  held?: { readonly before: number; outcomes: number } | undefined
}

const latelyShare = 0.05
/** Outcomes in quarantine before a source can be found well. */
const enough = 20

export function lossWatch({ delta, threshold, quarantineOutcomes, mostSources }: LossWatchOptions): LossWatch {
  const sources = new Map<string, Watched>()

  const watchedOf = (source: string): Watched => {
    const found = sources.get(source) ?? { test: pageHinkley({ delta, threshold }), lately: NaN }
    sources.delete(source)
    sources.set(source, found)
    const oldest = sources.keys().next()
    if (sources.size > mostSources && !oldest.done) sources.delete(oldest.value)
    return found
  }

  const typicalLoss = () => {
    const means = [...sources.values()].flatMap(({ test, held }) => (held || test.count === 0 ? [] : [test.mean])).sort((a, b) => a - b)
    return means[(means.length - 1) >> 1] ?? null
  }

  /** Whether others are heard of who still find what they always found: then it isn't the world that has changed. */
  const othersSteady = (): boolean => {
    const others = [...sources.values()].filter(({ test, held }) => !held && test.count >= enough)
    return others.length > 0 && others.filter(({ lately, test }) => lately <= test.mean + delta).length * 2 > others.length
  }

  return {
    add(source, loss) {
      const watched = watchedOf(source)
      watched.lately = Number.isNaN(watched.lately) ? loss : watched.lately + latelyShare * (loss - watched.lately)
      if (!watched.held) return watched.test.add(loss)
      watched.held.outcomes++
      const well = watched.held.outcomes >= enough && watched.lately <= watched.held.before + delta
      if (!well && watched.held.outcomes >= quarantineOutcomes && othersSteady()) watched.held.outcomes = enough
      if (well || watched.held.outcomes >= quarantineOutcomes) {
        watched.held = undefined
        watched.test.reset()
      }
      return false
    },
    quarantine(source) {
      const watched = watchedOf(source)
      watched.held ??= { before: typicalLoss() ?? 0, outcomes: 0 }
    },
    quarantined: (source) => sources.get(source)?.held !== undefined,
    inQuarantine: () => [...sources].filter(([, { held }]) => held).map(([source]) => source),
    typicalLoss,
    reset() {
      for (const { test } of sources.values()) test.reset()
    },
  }
}
