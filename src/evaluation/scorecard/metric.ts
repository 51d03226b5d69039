import type { OutcomeSample } from '../../environment/index.js'

/** What an arm gave and took on one request, as metrics see it. What wasn't measured is absent, never 0. */
export interface ScoredOutcome {
  /** In [0, 1]; of several samples their mean. */
  readonly quality?: number | undefined
  readonly usd?: number | undefined
  readonly seconds?: number | undefined
  readonly joules?: number | undefined
  readonly toolCalls?: number | undefined
  readonly inputTokens?: number | undefined
  /** Visible and reasoning tokens that the model wrote. */
  readonly generatedTokens?: number | undefined
  readonly answer?: string | undefined
  readonly samples?: readonly OutcomeSample[] | undefined
}

/** A field of an outcome that a metric may need. */
export type ScoredField = keyof ScoredOutcome

/** What may be taken for the cost of an answer. */
export type CostField = 'usd' | 'generatedTokens' | 'seconds' | 'joules'

export interface ScoreSettings {
  /** The arm that others are held against. */
  readonly reference?: string | undefined
  /** Samples that eff@k and pass@k may draw. */
  readonly k: number
  /** Budgets of generated tokens for the efficiency–quality area. */
  readonly budgets: readonly number[]
  readonly cost: CostField
}

/** A request with what all arms did on it. */
export interface ScoredRow {
  readonly outcomes: ReadonlyMap<string, ScoredOutcome>
}

/** What a reader must know of a metric, whatever it is computed from. */
export interface MetricCard {
  /** What `--metric` calls it. */
  readonly id: string
  readonly title: string
  /** `''` where it has none. */
  readonly unit: string
  /** With the symbols of its source. */
  readonly formula: string
  /** Paper and its number. */
  readonly source: string
  readonly better: 'higher' | 'lower' | 'neither'
}

/**
 * A metric of an arm as a function of means over requests, so that a table of any length takes the memory of a few sums, and a
 * bootstrap that of a few sums a draw. One file a metric, and one line in `metrics/registry.ts`.
 */
export interface Metric extends MetricCard {
  /** The fields of an outcome without which a request can't count. */
  readonly needs: readonly ScoredField[]
  /** What else must be said: without it the metric isn't computed. */
  readonly asks?: 'reference' | undefined
  /**
   * The numbers of one request whose means `of` takes, always as many; `null` where this request can't tell. Called with all of `needs`
   * there.
   */
  terms(outcome: ScoredOutcome, arm: string, row: ScoredRow, settings: ScoreSettings): readonly number[] | null
  /** How many numbers `terms` gives. */
  readonly width: number
  /** The metric of the means; `null` where it has no meaning, such as a division by nothing. */
  of(means: readonly number[]): number | null
  /** Bounds of an interval where all draws of the bootstrap are alike, as without any failure, which is no certainty. */
  alike?(means: readonly number[], n: number): { readonly low: number; readonly high: number }
}

/** Top by bottom, `null` where the bottom is nothing. */
export function ratioOf(top: number | undefined, bottom: number | undefined): number | null {
  return top === undefined || bottom === undefined || bottom === 0 ? null : top / bottom
}

/** The inside of a metric that takes an arm's quality beside that of the reference, request by request where both are known. */
export function besideReference(term: (quality: number, reference: number) => number): Pick<Metric, 'needs' | 'asks' | 'width' | 'terms'> {
  return {
    needs: ['quality'],
    asks: 'reference',
    width: 1,
    terms({ quality = NaN }, arm, row, settings) {
      const other = row.outcomes.get(settings.reference ?? '')
      return arm === settings.reference || other?.quality === undefined ? null : [term(quality, other.quality)]
    },
  }
}
