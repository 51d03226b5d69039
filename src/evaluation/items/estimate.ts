import { normalQuantile, type Interval } from '../../statistics/index.js'
import { inverse } from '../prediction/fitting/symmetric.js'
import type { ItemFit } from './fit.js'

/** One score of the model that is estimated. */
export interface ItemScore {
  readonly item: number
  /** In [0, 1]. */
  readonly score: number
}

/** What is believed of one model: mode and covariance of z = (θ, u_1 … u_C), and how its mean score over all items goes with z. */
export interface ModelBelief {
  readonly mode: Float64Array
  /** (C + 1) × (C + 1), by rows. */
  readonly covariance: Float64Array
  /** ∂(mean score)/∂z at the mode. */
  readonly gradient: Float64Array
  /** P(score 1) of every item at the mode. */
  readonly chance: Float64Array
}

/** Prior deviation of an unseen model's ability: wider than that of the known ones (1), which it may well surpass. */
const ABILITY_SPREAD = 1.2

/** The prior's covariance of z. */
export function priorCovariance(fit: ItemFit): Float64Array {
  const size = fit.categories + 1
  const prior = new Float64Array(size * size)
  prior[0] = ABILITY_SPREAD ** 2
  for (let row = 0; row < fit.categories; row++)
    for (let column = 0; column < fit.categories; column++)
      prior[(row + 1) * size + column + 1] = fit.deviation[row * fit.categories + column] ?? 0
  return prior
}

/** The belief at a given z: chances of all items, and the gradient of their mean. O(items). */
export function beliefAt(fit: ItemFit, mode: Float64Array, covariance: Float64Array): ModelBelief {
  const gradient = new Float64Array(mode.length)
  const chance = new Float64Array(fit.items)
  for (let item = 0; item < fit.items; item++) {
    const a = fit.slope[item] ?? 0
    const place = (fit.categoryOf[item] ?? 0) + 1
    const p = 1 / (1 + Math.exp(-(a * (mode[0] ?? 0) + (fit.ease[item] ?? 0) + (mode[place] ?? 0))))
    chance[item] = p
    const weight = (p * (1 - p)) / fit.items
    gradient[0] = (gradient[0] ?? 0) + a * weight
    gradient[place] = (gradient[place] ?? 0) + weight
  }
  return { mode, covariance, gradient, chance }
}

/**
 * z given the scores seen: the mode of a logistic regression on (a_i, category) with prior N(0, diag(1.2², Σ)), by Newton's steps, and
 * the inverse of the curvature there (Laplace). O(C³ + scores) a step. Throws `RangeError` for an item that isn't there or a score
 * outside [0, 1].
 */
export function beliefOf(fit: ItemFit, observed: readonly ItemScore[]): ModelBelief {
  for (const { item, score } of observed) {
    if (!(item >= 0 && item < fit.items)) throw new RangeError(`item ${item} isn't one of ${fit.items}`)
    if (!(score >= 0 && score <= 1)) throw new RangeError(`item ${item}: a score lies in [0, 1], not at ${score}`)
  }
  const size = fit.categories + 1
  const prior = inverted(priorCovariance(fit), size)
  const mode = new Float64Array(size)
  let covariance = priorCovariance(fit)
  for (let step = 0; step < 15; step++) {
    const curvature = prior.slice()
    const pull = new Float64Array(size)
    for (let row = 0; row < size; row++)
      for (let column = 0; column < size; column++) pull[row] = (pull[row] ?? 0) - (prior[row * size + column] ?? 0) * (mode[column] ?? 0)
    for (const { item, score } of observed) {
      const a = fit.slope[item] ?? 0
      const place = (fit.categoryOf[item] ?? 0) + 1
      const p = 1 / (1 + Math.exp(-(a * (mode[0] ?? 0) + (fit.ease[item] ?? 0) + (mode[place] ?? 0))))
      const weight = p * (1 - p)
      pull[0] = (pull[0] ?? 0) + a * (score - p)
      pull[place] = (pull[place] ?? 0) + score - p
      curvature[0] = (curvature[0] ?? 0) + weight * a * a
      curvature[place] = (curvature[place] ?? 0) + weight * a
      curvature[place * size] = (curvature[place * size] ?? 0) + weight * a
      curvature[place * size + place] = (curvature[place * size + place] ?? 0) + weight
    }
    covariance = inverted(curvature, size)
    let moved = 0
    for (let row = 0; row < size; row++) {
      let move = 0
      for (let column = 0; column < size; column++) move += (covariance[row * size + column] ?? 0) * (pull[column] ?? 0)
      move = Math.min(1, Math.max(-1, move))
      mode[row] = (mode[row] ?? 0) + move
      moved = Math.max(moved, Math.abs(move))
    }
    if (moved < 1e-6) break
  }
  return beliefAt(fit, mode, covariance)
}

/**
 * Mean score over all items of a model that was scored on some: what was seen, and what the fit expects of the rest (p-IRT of Polo et
 * al. 2024, tinyBenchmarks, with a deviation in each category where theirs mixes p-IRT with the plain mean, gp-IRT). The interval is
 * normal, from the doubt about z (delta method) and the scores not yet seen; how often it holds is measured in `bench:evaluation`.
 * O(items + C³).
 */
export function estimateMean(fit: ItemFit, observed: readonly ItemScore[], level = 0.95): Interval {
  const { chance, covariance, gradient } = beliefOf(fit, observed)
  const score = new Float64Array(fit.items).fill(NaN)
  for (const one of observed) score[one.item] = one.score
  let sum = 0
  let noise = 0
  for (let item = 0; item < fit.items; item++) {
    const p = chance[item] ?? 0
    const seen = score[item] ?? NaN
    sum += Number.isNaN(seen) ? p : seen
    if (Number.isNaN(seen)) noise += p * (1 - p)
  }
  const value = sum / fit.items
  const unseen = 1 - new Set(observed.map(({ item }) => item)).size / fit.items
  const variance = quadratic(covariance, gradient) * unseen ** 2 + noise / fit.items ** 2
  const half = normalQuantile((1 + level) / 2) * Math.sqrt(variance)
  return {
    value,
    low: Math.max(0, value - half),
    high: Math.min(1, value + half),
    n: observed.length,
    method: `item response, Laplace, ${Math.round(100 * level)} %`,
  }
}

/** g'Cg. */
export function quadratic(covariance: Float64Array, gradient: Float64Array): number {
  const size = gradient.length
  let sum = 0
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++)
      sum += (gradient[row] ?? 0) * (covariance[row * size + column] ?? 0) * (gradient[column] ?? 0)
  return sum
}

function inverted(matrix: Float64Array, size: number): Float64Array {
  const rows = Array.from({ length: size }, (_, row) => Array.from(matrix.subarray(row * size, (row + 1) * size)))
  const found = inverse(rows)
  if (!found) throw new RangeError('the covariance of the categories is not positive definite')
  return Float64Array.from(found.flat())
}
