/** Strata that are told apart; those beyond share one. */
const maxStrata = 1_000
/** Outcomes that the overall mean counts as in a stratum's: a stratum of few is mostly the whole. */
const shrinkage = 20
/** Outcomes that "predictions say nothing" counts as. */
const doubt = 10
/** Predictions are taken to be no further from their mean than so many deviations: a wild one must not widen the interval. */
const furthest = 3

interface Sums {
  n: number
  outcome: number
  expected: number
}

/** What one outcome added to the sums. */
export interface Lesson {
  readonly sums: Sums | undefined
  readonly outcome: number
  readonly expected: number
  readonly expectedInStratum: number
  readonly off: number
  readonly miss: number
}

/** A missing prediction is taken to be the usual one. */
function usual({ n, expected }: Sums): number {
  return n > 0 ? expected / n : 0
}

function add(sums: Sums, sign: 1 | -1, outcome: number, expected: number): void {
  sums.n += sign
  sums.outcome += sign * outcome
  sums.expected += sign * expected
}

/**
 * What to expect of an outcome, from outcomes before: the stratum's mean, shrunk to the overall one, and as much of the predictor's
 * deviation from its own mean as has proved right (the correlation with outcomes, shrunk to 0). Only a control variate: wrong, it costs
 * width, never truth.
 */
export class OnlineBaseline {
  private readonly strata = new Map<string, Sums>()
  private readonly all: Sums = { n: 0, outcome: 0, expected: 0 }
  private together = 0
  private predictedSquares = 0
  private outcomeSquares = 0

  /** 0 as long as nothing is known. */
  expect(stratum: string | undefined, predicted: number | undefined): number {
    const { all } = this
    if (all.n <= 0) return 0
    const sums = stratum === undefined ? undefined : this.strata.get(stratum)
    const mean = all.outcome / all.n
    const level = sums ? (sums.outcome + shrinkage * mean) / (sums.n + shrinkage) : mean
    if (predicted === undefined || !Number.isFinite(predicted)) return level
    const centre = sums ? (sums.expected + (shrinkage * all.expected) / all.n) / (sums.n + shrinkage) : all.expected / all.n
    return level + this.deviation(predicted, centre)
  }

  /** Answers what was learned, so that it can be left out again. */
  learn(stratum: string | undefined, predicted: number | undefined, outcome: number): Lesson {
    const known = predicted !== undefined && Number.isFinite(predicted) ? predicted : undefined
    const related = known !== undefined && this.all.n > 0
    const off = related ? known - this.all.expected / this.all.n : 0
    const miss = related ? outcome - this.all.outcome / this.all.n : 0
    const sums = this.sumsOf(stratum)
    const lesson: Lesson = {
      sums,
      outcome,
      expected: known ?? usual(this.all),
      expectedInStratum: sums === undefined ? 0 : (known ?? usual(sums)),
      off,
      miss,
    }
    this.count(lesson, 1)
    return lesson
  }

  /** What would be expected had these lessons not been learned: of requests that share their draw with this one. O(lessons). */
  expectWithout(lessons: readonly Lesson[], stratum: string | undefined, predicted: number | undefined): number {
    for (const lesson of lessons) this.count(lesson, -1)
    const expected = this.expect(stratum, predicted)
    for (const lesson of lessons) this.count(lesson, 1)
    return expected
  }

  private count({ sums, outcome, expected, expectedInStratum, off, miss }: Lesson, sign: 1 | -1): void {
    this.together += sign * off * miss
    this.predictedSquares += sign * off * off
    this.outcomeSquares += sign * miss * miss
    add(this.all, sign, outcome, expected)
    if (sums !== undefined) add(sums, sign, outcome, expectedInStratum)
  }

  /** By how much a prediction moves the expectation of the outcome. */
  private deviation(predicted: number, centre: number): number {
    const { all, together, predictedSquares, outcomeSquares } = this
    const spread = Math.sqrt(predictedSquares / all.n)
    // Predictions that differ by rounding only say nothing.
    if (!(spread > 1e-9 * Math.abs(centre)) || !(outcomeSquares > 0)) return 0
    const correlation = together / Math.sqrt(predictedSquares * outcomeSquares)
    const off = Math.max(-furthest, Math.min(furthest, (predicted - centre) / spread))
    return ((correlation * all.n) / (all.n + doubt)) * Math.sqrt(outcomeSquares / all.n) * off
  }

  private sumsOf(stratum: string | undefined): Sums | undefined {
    if (stratum === undefined) return undefined
    let sums = this.strata.get(stratum)
    if (!sums && this.strata.size < maxStrata) this.strata.set(stratum, (sums = { n: 0, outcome: 0, expected: 0 }))
    return sums
  }
}
