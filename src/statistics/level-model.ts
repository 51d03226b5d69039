import { gammaDraw, logGamma, normalDraw } from './distributions.js'
import type { Random } from './random.js'

/**
 * A forecast of amounts that come at even steps (a day's spending), as draws of what may come: a dynamic linear model of
 * log(amount + offset) with a level that may wander, a slope that dies out, and, where the history is long enough, a pattern
 * over a cycle (the days of the week). How much each of them moves is not chosen but averaged over a grid by how well it foretold
 * each amount from those before it, and the unknown variance is integrated out; so a short history gives a wide forecast.
 *
 * Sources: West and Harrison, Bayesian Forecasting and Dynamic Models (2nd ed. 1997), chapters 4 and 7 (closed forms with unknown
 * variance) and 12 (mixtures of models); the dying slope after Gardner and McKenzie (1985).
 */
export interface LevelModelOptions {
  /** Steps of a cycle. Used from three whole cycles of history on. */
  readonly cycle?: number | undefined
}

export interface LevelModel {
  /** Whether the history is long enough to look for a pattern over the cycle. */
  readonly cyclic: boolean
  /** Fills `path` with one future: the amounts of the steps after the history. O(steps). */
  draw(random: Random, path: Float64Array): void
}

/** Steps of history that the pattern of a cycle needs, in cycles. */
const cyclesNeeded = 3

/** One way in which the amounts may move; variances are multiples of the noise's. */
interface Variant {
  /** Added to amounts before the logarithm, as a share of their mean: large where amounts add rather than multiply. */
  readonly offset: number
  readonly levelVariance: number
  readonly slopeVariance: number
  readonly slopePrior: number
  readonly cyclePrior: number
  /** How likely the variant is before anything is seen, relative to others. */
  readonly belief: number
}

const offsets = [0.03, 0.3, 3] as const
const levels = [
  { levelVariance: 0, belief: 3 },
  { levelVariance: 0.01, belief: 3 },
  { levelVariance: 0.05, belief: 2 },
  { levelVariance: 0.25, belief: 1.5 },
  { levelVariance: 1, belief: 0.5 },
] as const
const slopes = [
  { slopePrior: 0, slopeVariance: 0, belief: 2 },
  { slopePrior: 0.01, slopeVariance: 0.0003, belief: 1 },
] as const
const cyclePriors = [0, 4] as const
/** Amounts below this share of the mean are small. */
const smallAmount = 0.5
/** What is left of a slope after one step. */
const slopeKept = 0.94
/** Belief about the noise before any is seen: as much as so many amounts would say, and how large it is. */
const noiseFreedom = 3
const noiseDeviation = 0.45
/** The level before anything is seen lies around the first amount, so widely (in variances of the noise). */
const levelPrior = 25

/** Learns from amounts, the oldest first; at least one of them above zero, else throws `RangeError`. O(steps × 60). */
export function fitLevelModel(amounts: readonly number[], { cycle = 7 }: LevelModelOptions = {}): LevelModel {
  const centre = amounts.reduce((sum, amount) => sum + amount, 0) / amounts.length
  if (!(centre > 0)) throw new RangeError('a level model needs an amount above zero')
  const cyclic = amounts.length >= cyclesNeeded * cycle
  const fitted = offsets.flatMap((offset) =>
    levels.flatMap((level) =>
      slopes.flatMap((slope) =>
        (cyclic ? cyclePriors : cyclePriors.slice(0, 1)).map((cyclePrior) =>
          filter(
            amounts,
            centre,
            { ...level, ...slope, belief: level.belief * slope.belief, offset: offset * centre, cyclePrior },
            cyclePrior === 0 ? 0 : cycle,
          ),
        ),
      ),
    ),
  )
  const best = Math.max(...fitted.map(({ logLikelihood }) => logLikelihood))
  const weights = fitted.map(({ logLikelihood }) => Math.exp(logLikelihood - best))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return {
    cyclic,
    draw(random, path) {
      let left = random.next() * total
      let chosen = 0
      while (chosen < fitted.length - 1 && (left -= weights[chosen] ?? 0) > 0) chosen++
      fitted[chosen]?.draw(random, path)
    },
  }
}

interface Fitted {
  readonly logLikelihood: number
  draw(random: Random, path: Float64Array): void
}

/** The closed-form filter: after each amount, what is known of level (0), slope (1) and the steps of the cycle (2 …). */
function filter(amounts: readonly number[], centre: number, variant: Variant, cycle: number): Fitted {
  const { offset } = variant
  const size = 2 + cycle
  const state = new Float64Array(size)
  const covariance = Array.from({ length: size }, () => new Float64Array(size))
  const row = (index: number): Float64Array => covariance[index] ?? new Float64Array(size)
  const at = (vector: Float64Array, index: number): number => vector[index] ?? 0
  state[0] = Math.log((amounts[0] ?? 0) + offset)
  row(0)[0] = levelPrior
  row(1)[1] = variant.slopePrior
  for (let index = 2; index < size; index++) row(index)[index] = variant.cyclePrior
  let freedom = noiseFreedom
  let scale = noiseDeviation ** 2
  let logLikelihood = Math.log(variant.belief)
  const gain = new Float64Array(size)
  amounts.forEach((amount, step) => {
    if (step > 0) advance(state, covariance, variant)
    const season = cycle === 0 ? -1 : 2 + (step % cycle)
    for (let index = 0; index < size; index++) gain[index] = at(row(index), 0) + (season < 0 ? 0 : at(row(index), season))
    const variance = at(gain, 0) + (season < 0 ? 0 : at(gain, season)) + 1
    const error = Math.log(amount + offset) - at(state, 0) - (season < 0 ? 0 : at(state, season))
    const squared = (error * error) / variance
    // Student's t, and the density of the amount rather than of its logarithm, so that offsets can be compared. How close a small
    // amount was foretold in proportion is no merit: what counts is the sum.
    if (step > 0)
      logLikelihood +=
        logGamma((freedom + 1) / 2) -
        logGamma(freedom / 2) -
        0.5 * Math.log(freedom * scale * variance) -
        ((freedom + 1) / 2) * Math.log1p(squared / (freedom * scale)) -
        Math.log(Math.max(amount, smallAmount * centre) + offset)
    for (let index = 0; index < size; index++) {
      state[index] = at(state, index) + (at(gain, index) * error) / variance
      const target = row(index)
      for (let other = 0; other < size; other++) target[other] = at(target, other) - (at(gain, index) * at(gain, other)) / variance
    }
    scale = (freedom * scale + squared) / (freedom + 1)
    freedom += 1
  })
  const root = cholesky(covariance)
  return {
    logLikelihood,
    draw(random, path) {
      const deviation = Math.sqrt((freedom * scale) / (2 * gammaDraw(random, freedom / 2)))
      const drawn = Float64Array.from(state)
      const noise = Float64Array.from(state, () => deviation * normalDraw(random))
      for (let index = 0; index < size; index++)
        for (let other = 0; other <= index; other++) drawn[index] = at(drawn, index) + at(root[index] ?? noise, other) * at(noise, other)
      let [level, slope] = [at(drawn, 0), at(drawn, 1)]
      const levelDeviation = deviation * Math.sqrt(variant.levelVariance)
      const slopeDeviation = deviation * Math.sqrt(variant.slopeVariance)
      for (let step = 0; step < path.length; step++) {
        level += slope + levelDeviation * normalDraw(random)
        slope = slopeKept * slope + (slopeDeviation === 0 ? 0 : slopeDeviation * normalDraw(random))
        const season = cycle === 0 ? 0 : at(drawn, 2 + ((amounts.length + step) % cycle))
        path[step] = Math.max(0, Math.exp(level + season + deviation * normalDraw(random)) - offset)
      }
    },
  }
}

/** One step on: the level moves by the slope, the slope dies out, both become less sure. */
function advance(state: Float64Array, covariance: readonly Float64Array[], { levelVariance, slopeVariance }: Variant): void {
  const [levels, slopesRow] = covariance
  if (levels === undefined || slopesRow === undefined) return
  const at = (vector: Float64Array, index: number): number => vector[index] ?? 0
  state[0] = at(state, 0) + at(state, 1)
  state[1] = slopeKept * at(state, 1)
  for (let index = 2; index < covariance.length; index++) {
    levels[index] = at(levels, index) + at(slopesRow, index)
    slopesRow[index] = slopeKept * at(slopesRow, index)
    const target = covariance[index]
    if (target !== undefined) [target[0], target[1]] = [at(levels, index), at(slopesRow, index)]
  }
  const [level, both, slope] = [at(levels, 0), at(levels, 1), at(slopesRow, 1)]
  levels[0] = level + 2 * both + slope + levelVariance
  levels[1] = slopesRow[0] = slopeKept * (both + slope)
  slopesRow[1] = slopeKept * slopeKept * slope + slopeVariance
}

/** The lower triangle whose product with its transpose is this matrix; what isn't positive by rounding counts as 0. */
function cholesky(matrix: readonly Float64Array[]): readonly Float64Array[] {
  const root = matrix.map(({ length }) => new Float64Array(length))
  for (const [index, target] of root.entries())
    for (let other = 0; other <= index; other++) {
      const source = root[other] ?? target
      let sum = matrix[index]?.[other] ?? 0
      for (let k = 0; k < other; k++) sum -= (target[k] ?? 0) * (source[k] ?? 0)
      target[other] = index === other ? Math.sqrt(Math.max(0, sum)) : (source[other] ?? 0) > 1e-12 ? sum / (source[other] ?? 1) : 0
    }
  return root
}
