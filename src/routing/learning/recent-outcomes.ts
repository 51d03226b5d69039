import type { Observation } from '../contracts.js'

/** An outcome that was predicted before it was learned. */
export interface RecentOutcome {
  /** As it was learned: with the weight that was granted, without quality where none was. */
  readonly observation: Observation
  readonly quality: number
  readonly source: string
  /** Squared error of the prediction made before. */
  readonly loss: number
  /** How many outcomes had been learned with it. */
  readonly number: number
}

/** The last outcomes, at most `most` and of one source at most a quarter of that, so that a loud source doesn't push out the others. */
export interface RecentOutcomes {
  add(outcome: RecentOutcome): void
  all(): readonly RecentOutcome[]
}

export function recentOutcomes(most: number): RecentOutcomes {
  if (!Number.isInteger(most) || most < 1) throw new RangeError(`the recent outcomes are a whole number of at least 1, not ${most}`)
  const mostOfOne = Math.max(1, Math.ceil(most / 4))
  const kept: RecentOutcome[] = []
  return {
    add(outcome) {
      kept.push(outcome)
      const ofOne = kept.reduce((count, { source }) => count + Number(source === outcome.source), 0)
      if (ofOne > mostOfOne)
        kept.splice(
          kept.findIndex(({ source }) => source === outcome.source),
          1,
        )
      else if (kept.length > most) kept.shift()
    },
    all: () => kept,
  }
}

/** Mean loss of each source by this measure; a `null` isn't counted. */
export function lossBySource(
  outcomes: readonly RecentOutcome[],
  measure: (outcome: RecentOutcome) => number | null,
): ReadonlyMap<string, { readonly mean: number; readonly count: number }> {
  const losses = new Map<string, { mean: number; count: number }>()
  for (const outcome of outcomes) {
    const loss = measure(outcome)
    if (loss === null) continue
    const { mean, count } = losses.get(outcome.source) ?? { mean: 0, count: 0 }
    losses.set(outcome.source, { mean: mean + (loss - mean) / (count + 1), count: count + 1 })
  }
  return losses
}
