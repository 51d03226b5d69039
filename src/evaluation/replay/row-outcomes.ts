import { recordedAnswers, type Outcome, type OutcomeRow } from '../../environment/index.js'
import type { ArmId } from '../../routing/index.js'

/** Dollars of an outcome whose row tells none; `null` where the price isn't known. */
export type PriceOf = (arm: ArmId, outcome: Outcome) => number | null

/**
 * What a row measured, by the place of the arm: `NaN` for what it didn't. One object is filled again for every row, so that a million rows leave nothing to
 * collect. An arm without quality or dollars has no part in a row; several samples of an arm count as their mean.
 */
export class RowOutcomes {
  readonly quality: Float64Array
  readonly usd: Float64Array
  readonly seconds: Float64Array
  /** See `OutcomeRow.weight`. */
  weight = 1
  private readonly places: ReadonlyMap<ArmId, number>
  /** Outcomes of arms that aren't among these, in all rows read. */
  others = 0

  constructor(arms: readonly ArmId[]) {
    this.places = new Map(arms.map((arm, place) => [arm, place]))
    this.quality = new Float64Array(arms.length)
    this.usd = new Float64Array(arms.length)
    this.seconds = new Float64Array(arms.length)
  }

  /** O(arms and samples). */
  read(row: OutcomeRow, priceOf: PriceOf): void {
    this.quality.fill(NaN)
    this.usd.fill(NaN)
    this.seconds.fill(NaN)
    this.weight = row.weight ?? 1
    for (const arm in row.outcomes) {
      const outcome = row.outcomes[arm]
      const place = this.places.get(arm)
      if (outcome === undefined || place === undefined) {
        this.others += 1
        continue
      }
      const quality = outcome.quality ?? meanOf(outcome, 'quality')
      const usd = outcome.usd ?? meanOf(outcome, 'usd') ?? priceOf(arm, outcome)
      if (quality === undefined || usd === null) continue
      this.quality[place] = quality
      this.usd[place] = usd
      this.seconds[place] = outcome.seconds ?? NaN
    }
  }

  /** Whether the row has an outcome of the arm at this place. */
  has(place: number): boolean {
    return !Number.isNaN(this.quality[place])
  }
}

/** Mean of a measure over the samples with answers; `undefined` where one of them doesn't tell it. */
function meanOf(outcome: Outcome, measure: 'quality' | 'usd'): number | undefined {
  if (outcome.samples === undefined) return undefined
  const answers = recordedAnswers(outcome)
  let sum = 0
  for (const answer of answers) {
    const value = answer[measure]
    if (value === undefined) return undefined
    sum += value
  }
  return answers.length === 0 ? undefined : sum / answers.length
}
