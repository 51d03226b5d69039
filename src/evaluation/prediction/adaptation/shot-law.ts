import { InvalidRequest } from '../../../errors/index.js'
import { childRandom, normalDraw, quantile, type Interval } from '../../../statistics/index.js'
import { leastSquares } from '../fitting/least-squares.js'

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
  readonly law: ShotLaw
  readonly points: readonly ShotPoint[]
}

/** Rates that are tried, from "nothing after 1,000 shots" to "all with the first". */
const rates = Array.from({ length: 49 }, (_, at) => Math.exp(-6 + at / 6))
/** What a point is worth whose questions aren't told. */
const assumedQuestions = 200
/** Weight, in points, of the belief that the rate is about a half a shot: settles c where two or three points leave it open. Ours. */
const beliefOfRate = 0.05

/**
 * Fits the law to few points: for each rate c on a grid a and b by least squares, clipped so that 0 ≤ a − b·e^{−ck} ≤ 1; then all three together from the best. With
 * two points the rate is the one believed. Throws `InvalidRequest` for fewer than 2 different numbers of shots and numbers out of range. O(rates × points).
 */
export function fitShotLaw(points: readonly ShotPoint[], path = 'points'): ShotFit {
  for (const [at, { shots, accuracy, questions = 1 }] of points.entries()) {
    if (!(shots >= 0 && shots < Infinity)) throw new InvalidRequest(`shots is ${shots}; a number of examples of at least 0 was expected.`, { path: `${path}[${at}].shots` })
    if (!(accuracy >= 0 && accuracy <= 1)) throw new InvalidRequest(`accuracy is ${accuracy}; a share from 0 to 1 was expected.`, { path: `${path}[${at}].accuracy` })
    if (!(questions >= 1)) throw new InvalidRequest(`questions is ${questions}; at least 1 was expected.`, { path: `${path}[${at}].questions` })
  }
  if (new Set(points.map(({ shots }) => shots)).size < 2) throw new InvalidRequest('The accuracy at two different numbers of shots at least was expected: measure 0 and 4, say.', { path })
  return { law: fit(points, true), points }
}

/** Without polishing the rate stays on the grid: near enough where a law is one of many draws. */
function fit(points: readonly ShotPoint[], polish: boolean): ShotLaw {
  const weights = points.map(({ questions = assumedQuestions }) => questions)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const missOf = ({ a, b, c }: ShotLaw) =>
    points.reduce((sum, { shots, accuracy }, at) => sum + ((weights[at] ?? 0) / total) * (a - b * Math.exp(-c * shots) - accuracy) ** 2, 0) + believed(c) ** 2
  let best: { readonly law: ShotLaw; readonly miss: number } | undefined
  for (const c of rates) {
    const law = within(lineThrough(points, weights, total, c))
    const miss = missOf(law)
    if (!best || miss < best.miss) best = { law, miss }
  }
  const start = best?.law ?? { a: 0, b: 0, c: 0.5 }
  if (!polish) return start
  const { parameters: [a = 0, b = 0, lnC = 0] } = leastSquares(
    ([top = 0, drop = 0, rate = 0]) => [...points.map(({ shots, accuracy }, at) => Math.sqrt((weights[at] ?? 0) / total) * (top - drop * Math.exp(-Math.exp(rate) * shots) - accuracy)), believed(Math.exp(rate))],
    [start.a, start.b, Math.log(start.c)],
    { rounds: 30 },
  )
  const polished = within({ a, b, c: Math.exp(lnC) })
  return missOf(polished) < missOf(start) ? polished : start
}

/** a and b of least squares for a given rate: a weighted line of the accuracy on e^{−ck}. */
function lineThrough(points: readonly ShotPoint[], weights: readonly number[], total: number, c: number): ShotLaw {
  let [meanX, meanY, spread, together] = [0, 0, 0, 0]
  for (const [at, { shots, accuracy }] of points.entries()) {
    const weight = (weights[at] ?? 0) / total
    meanX += weight * Math.exp(-c * shots)
    meanY += weight * accuracy
  }
  for (const [at, { shots, accuracy }] of points.entries()) {
    const weight = (weights[at] ?? 0) / total
    const off = Math.exp(-c * shots) - meanX
    spread += weight * off * off
    together += weight * off * (accuracy - meanY)
  }
  const slope = spread < 1e-18 ? 0 : together / spread
  return { a: meanY - slope * meanX, b: -slope, c }
}

/** As a residual of accuracy: a hundredth for a rate e times off. */
function believed(c: number): number {
  return 0.01 * Math.sqrt(beliefOfRate) * (Math.log(c) - Math.log(0.5))
}

function within({ a, b, c }: ShotLaw): ShotLaw {
  const top = Math.min(1, Math.max(0, a))
  return { a: top, b: Math.min(top, Math.max(top - 1, b)), c }
}

/** The law's accuracy at so many shots. O(1). */
export function accuracyAt({ a, b, c }: ShotLaw, shots: number): number {
  return Math.min(1, Math.max(0, a - b * Math.exp(-c * shots)))
}

/** The same with an interval: parametric bootstrap; accuracies are drawn anew as binomial shares (normal approximation) and the law is fitted again. O(draws × rates × points). */
export function predictAccuracy({ law, points }: ShotFit, shots: number, { level = 0.95, draws = 200, seed = 1 }: { readonly level?: number; readonly draws?: number; readonly seed?: number } = {}): Interval {
  const random = childRandom(seed, 'shot law')
  const values = Array.from({ length: draws }, () => {
    const drawn = points.map((point) => {
      const share = accuracyAt(law, point.shots)
      const spread = Math.sqrt(Math.max(share * (1 - share), 0.01) / (point.questions ?? assumedQuestions))
      return { ...point, accuracy: Math.min(1, Math.max(0, share + spread * normalDraw(random))) }
    })
    return accuracyAt(fit(drawn, false), shots)
  })
  const value = accuracyAt(law, shots)
  return { value, low: Math.min(value, quantile(values, (1 - level) / 2)), high: Math.max(value, quantile(values, (1 + level) / 2)), n: points.length, method: `parametric bootstrap, ${draws} draws, ${Math.round(level * 100)} %` }
}
