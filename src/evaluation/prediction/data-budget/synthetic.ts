import { InvalidRequest } from '../../../errors/index.js'
import { leastSquares } from '../fitting/least-squares.js'

/** Ways to make training data with a teacher (085): new answers to the seed questions, the seed questions in other words, new questions. */
export const syntheticStrategies = ['answer_augmentation', 'question_rephrase', 'new_question'] as const
export type SyntheticStrategy = (typeof syntheticStrategies)[number]

/**
 * How much of a teacher's query counts as new: per seed `capacity` · (1 − e^{−efficiency·ρ/capacity}), ρ queries a seed; endless
 * capacity: efficiency·ρ.
 */
export interface Yield {
  readonly efficiency: number
  readonly capacity: number
}

/**
 * Ours: no measurement. Set so that with equal prices answers win below ρ = 4, rephrased questions from 4 to 16, and new questions
 * above, which are the thresholds that the specification proposes for what the paper found in words (answers for few queries a seed,
 * new questions for many, rephrasing robust between).
 */
export const defaultYields: Readonly<Record<SyntheticStrategy, Yield>> = {
  answer_augmentation: { efficiency: 1, capacity: 4 },
  question_rephrase: { efficiency: 0.8, capacity: 6.5 },
  new_question: { efficiency: 0.3495, capacity: Infinity },
}

/** The student's score after training on what so many queries made. */
export interface SyntheticPoint {
  readonly strategy: SyntheticStrategy
  readonly seeds: number
  readonly queries: number
  readonly score: number
}

export interface SyntheticOption {
  readonly strategy: SyntheticStrategy
  readonly queries: number
  /** Queries a seed, ρ. */
  readonly ratio: number
  /** Seeds' worth of distinct information, N_eff. */
  readonly effective: number
  /** a + b·ln(1 + N_eff); `null` where no points were given to fit a and b to. */
  readonly score: number | null
}

export interface SyntheticPlan {
  /** Best first. */
  readonly options: readonly SyntheticOption[]
  readonly yields: Readonly<Record<SyntheticStrategy, Yield>>
  /** From points, or the defaults. */
  readonly measured: boolean
}

/** N_eff, the seeds themselves included. O(1). */
export function effectiveSeeds({ efficiency, capacity }: Yield, seeds: number, queries: number): number {
  const perSeed = (efficiency * queries) / seeds
  return seeds * (1 + (capacity === Infinity ? perSeed : capacity * -Math.expm1(-perSeed / capacity)))
}

/**
 * Which strategy makes most of a budget (085, reconstructed): with the queries that the budget pays for, N_eff of each, the largest
 * first. With measured points the shared score curve a + b·ln(1 + N_eff) is fitted, and each strategy's efficiency by a factor that a
 * prior holds near 1 (standard deviation 0.5 in logarithms: ours). Throws `InvalidRequest` for no seeds, prices not above 0 and points
 * out of range. O(rounds × points).
 */
export function planSynthetic({
  budget,
  seeds,
  usdPerQuery,
  points = [],
  yields = defaultYields,
}: {
  readonly budget: number
  readonly seeds: number
  readonly usdPerQuery: number | Readonly<Record<SyntheticStrategy, number>>
  readonly points?: readonly SyntheticPoint[]
  readonly yields?: Readonly<Record<SyntheticStrategy, Yield>>
}): SyntheticPlan {
  if (!(budget >= 0 && budget < Infinity))
    throw new InvalidRequest(`The budget is ${budget}; dollars of at least 0 were expected.`, { path: 'budget' })
  if (!(seeds >= 1 && seeds < Infinity))
    throw new InvalidRequest(`There are ${seeds} seeds; at least 1 example to begin with was expected.`, { path: 'seeds' })
  for (const [at, { queries, seeds: from, score }] of points.entries())
    if (!(queries >= 0 && from >= 1 && Number.isFinite(score)))
      throw new InvalidRequest(`seeds ${from}, queries ${queries}, score ${score}: at least 1 seed, 0 queries and a score were expected.`, {
        path: `points[${at}]`,
      })
  const fitted = new Set(points.map(({ queries, seeds: from }) => queries / from)).size >= 2 ? fitScores(points, yields) : null
  const used = fitted?.yields ?? yields
  const options = syntheticStrategies.map((strategy): SyntheticOption => {
    const price = typeof usdPerQuery === 'number' ? usdPerQuery : usdPerQuery[strategy]
    if (!(price > 0 && price < Infinity))
      throw new InvalidRequest(`A query for ${strategy} costs ${price}; dollars above 0 were expected.`, { path: 'usdPerQuery' })
    const queries = Math.floor(budget / price + 1e-9)
    const effective = effectiveSeeds(used[strategy], seeds, queries)
    return { strategy, queries, ratio: queries / seeds, effective, score: fitted ? fitted.a + fitted.b * Math.log1p(effective) : null }
  })
  return { options: options.sort((a, b) => b.effective - a.effective), yields: used, measured: fitted !== null }
}

function fitScores(
  points: readonly SyntheticPoint[],
  yields: Readonly<Record<SyntheticStrategy, Yield>>,
): { readonly a: number; readonly b: number; readonly yields: Readonly<Record<SyntheticStrategy, Yield>> } {
  const scores = points.map(({ score }) => score)
  const spread = Math.max(...scores) - Math.min(...scores) || 1
  const scaled = (factors: readonly number[]): Record<SyntheticStrategy, Yield> => {
    const of = (strategy: SyntheticStrategy, at: number) => ({
      ...yields[strategy],
      efficiency: yields[strategy].efficiency * Math.exp(factors[at] ?? 0),
    })
    return {
      answer_augmentation: of('answer_augmentation', 0),
      question_rephrase: of('question_rephrase', 1),
      new_question: of('new_question', 2),
    }
  }
  // Scores in units of their spread, each good to a twentieth of it, so that the prior weighs the same whatever a score's unit.
  const { parameters } = leastSquares(
    ([a = 0, b = 0, ...factors]) => {
      const used = scaled(factors)
      return [
        ...points.map(
          ({ strategy, seeds, queries, score }) =>
            (20 * (a + b * Math.log1p(effectiveSeeds(used[strategy], seeds, queries)) - score)) / spread,
        ),
        ...factors.map((factor) => 2 * factor),
      ]
    },
    [Math.min(...scores), spread / 4, 0, 0, 0],
  )
  const [a = 0, b = 0, ...factors] = parameters
  return { a, b, yields: scaled(factors) }
}
