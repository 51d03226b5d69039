import { InvalidRequest } from '../../../errors/index.js'
import { childRandom, normalDraw, quantile, type Interval } from '../../../statistics/index.js'
import { cholesky, inverse, ridgeWeights, type Matrix } from '../fitting/symmetric.js'

/** Accuracy, in [0, 1], with so many examples in the prompt (or passages retrieved). */
export interface ShotPoint {
  readonly shots: number
  readonly accuracy: number
  /** Questions that the accuracy was measured on: points weigh by it, and their scatter is known from it. */
  readonly questions?: number | undefined
}

/** acc(k) = a − b·e^{−c·k} (COSMOS, 044, as noted in the specification): a is what endless examples would give. */
export interface ShotLaw {
  readonly a: number
  readonly b: number
  readonly c: number
}

export interface ShotFit {
  /** The likeliest law. */
  readonly law: ShotLaw
  /** Laws of all rates with their weights, which sum to 1; `root`: Cholesky factor of the covariance of a and b. */
  readonly laws: readonly (ShotLaw & { readonly weight: number; readonly root: Matrix })[]
  readonly points: readonly ShotPoint[]
}

/** Rates that are weighed, from "nothing after 1,000 shots" to "all with the first". */
const rates = Array.from({ length: 25 }, (_, at) => Math.exp(-6 + at / 3))
/** What a point is worth whose questions aren't told. */
const assumedQuestions = 200
/**
 * Beliefs before any point, ours: the rate is about 0.4 a shot, e times off being usual; examples bring about 0.3 at most, either way.
 * They settle what two or three points leave open, and fade as points come.
 */
const belief = { rate: 0.4, rateSpread: 1, gainSpread: 0.3, topSpread: 1 }

/**
 * Fits the law to few points. For each rate c on a grid, a and b are normal given the points (binomial noise, normal approximation) and
 * the beliefs; rates weigh by their likelihood. `law` is the likeliest of all; forecasts average over all. Throws `InvalidRequest` for
 * fewer than 2 different numbers of shots and numbers out of range. O(rates × points).
 */
export function fitShotLaw(points: readonly ShotPoint[], path = 'points'): ShotFit {
  for (const [at, { shots, accuracy, questions = 1 }] of points.entries()) {
    if (!(shots >= 0 && shots < Infinity))
      throw new InvalidRequest(`shots is ${shots}; a number of examples of at least 0 was expected.`, { path: `${path}[${at}].shots` })
    if (!(accuracy >= 0 && accuracy <= 1))
      throw new InvalidRequest(`accuracy is ${accuracy}; a share from 0 to 1 was expected.`, { path: `${path}[${at}].accuracy` })
    if (!(questions >= 1))
      throw new InvalidRequest(`questions is ${questions}; at least 1 was expected.`, { path: `${path}[${at}].questions` })
  }
  if (new Set(points.map(({ shots }) => shots)).size < 2)
    throw new InvalidRequest('The accuracy at two different numbers of shots at least was expected: measure 0 and 4, say.', { path })
  const laws = rates.map((c) => weighed(points, c))
  const most = laws.reduce((best, one) => (one.logWeight > best.logWeight ? one : best))
  const weights = laws.map(({ logWeight }) => Math.exp(logWeight - most.logWeight))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return { law: within(most), points, laws: laws.map(({ a, b, c, root }, at) => ({ a, b, c, root, weight: (weights[at] ?? 0) / total })) }
}

/** a and b for one rate: their mean, the Cholesky factor of their covariance, and the logarithm of the rate's weight, up to a constant. */
function weighed(points: readonly ShotPoint[], c: number): ShotLaw & { readonly root: Matrix; readonly logWeight: number } {
  // Beliefs as rows of their own: a is about ½, b about 0.
  const rows = points.map(({ shots }) => [1, -Math.exp(-c * shots)])
  const precisions = points.map(({ accuracy, questions = assumedQuestions }) => {
    // Agresti and Coull's share keeps 0 and 1 from looking certain.
    const share = (accuracy * questions + 2) / (questions + 4)
    return questions / (share * (1 - share))
  })
  const targets = points.map(({ accuracy }) => accuracy - 0.5)
  const penalties = [belief.topSpread ** -2, belief.gainSpread ** -2]
  const [a = 0, b = 0] = ridgeWeights(rows, targets, penalties, precisions)
  const information = penalties.map((penalty, i) =>
    penalties.map(
      (_, j) => (i === j ? penalty : 0) + rows.reduce((sum, row, at) => sum + (precisions[at] ?? 0) * (row[i] ?? 0) * (row[j] ?? 0), 0),
    ),
  )
  const covariance = inverse(information) ?? [
    [0, 0],
    [0, 0],
  ]
  const root = cholesky(covariance) ?? [
    [0, 0],
    [0, 0],
  ]
  const misses = rows.reduce(
    (sum, row, at) => sum + (precisions[at] ?? 0) * (a * (row[0] ?? 0) + b * (row[1] ?? 0) - (targets[at] ?? 0)) ** 2,
    0,
  )
  const beliefs = a * a * (penalties[0] ?? 0) + b * b * (penalties[1] ?? 0) + (Math.log(c / belief.rate) / belief.rateSpread) ** 2
  // The marginal likelihood of the points given c: the normal's peak times the volume of its covariance.
  return { a: a + 0.5, b, c, root, logWeight: -0.5 * (misses + beliefs) + Math.log((root[0]?.[0] ?? 0) * (root[1]?.[1] ?? 0)) }
}

function within({ a, b, c }: ShotLaw): ShotLaw {
  const top = Math.min(1, Math.max(0, a))
  return { a: top, b: Math.min(top, Math.max(top - 1, b)), c }
}

/** The law's accuracy at so many shots. O(1). */
export function accuracyAt({ a, b, c }: ShotLaw, shots: number): number {
  return Math.min(1, Math.max(0, a - b * Math.exp(-c * shots)))
}

/**
 * The accuracy at so many shots, averaged over all rates by their weight, with the interval of the same mixture (seeded draws). O(draws
 * · log draws).
 */
export function predictAccuracy(
  { laws, points }: ShotFit,
  shots: number,
  { level = 0.95, draws = 1_000, seed = 1 }: { readonly level?: number; readonly draws?: number; readonly seed?: number } = {},
): Interval {
  const random = childRandom(seed, 'shot law')
  const drawn = laws.flatMap(({ a, b, c, root, weight }) =>
    Array.from({ length: Math.round(weight * draws) }, () => {
      const [first, second] = [normalDraw(random), normalDraw(random)]
      return accuracyAt({ a: a + (root[0]?.[0] ?? 0) * first, b: b + (root[1]?.[0] ?? 0) * first + (root[1]?.[1] ?? 0) * second, c }, shots)
    }),
  )
  const value = laws.reduce((sum, law) => sum + law.weight * accuracyAt(law, shots), 0)
  return {
    value,
    low: Math.min(value, quantile(drawn, (1 - level) / 2)),
    high: Math.max(value, quantile(drawn, (1 + level) / 2)),
    n: points.length,
    method: `posterior over ${laws.length} rates, ${draws} draws, ${Math.round(level * 100)} %`,
  }
}
