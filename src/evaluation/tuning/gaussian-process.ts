import { gammaDraw, normalDraw, type Random } from '../../statistics/index.js'
import { cholesky, logDeterminant, solve, solveLower } from './cholesky.js'

/** A point of the unit cube. */
export type Point = readonly number[]

/** ln of the parameters: length scales ℓ by dimension, signal variance s², noise variance. */
export interface GpParameters {
  readonly lengths: readonly number[]
  readonly signal: number
  readonly noise: number
}

/** Features of a sampled path, and jitter on the diagonal. */
const FEATURES = 500
const JITTER = 1e-8

/**
 * A Gaussian process with a Matérn-5/2 kernel and a length scale a dimension: k(x, x') = s² (1 + √5 r + 5r²/3) exp(-√5 r), r² = Σ ((x_d
 * - x'_d)/ℓ_d)² (Rasmussen and Williams 2006, equation 4.17). Values are standardised inside. A prediction costs O(n·d), its variance
 * O(n²), a fit O(n³).
 */
export class GaussianProcess {
  private readonly lower: Float64Array
  private readonly alpha: Float64Array
  private readonly centre: number
  private readonly scale: number

  private constructor(
    private readonly points: readonly Point[],
    values: readonly number[],
    readonly parameters: GpParameters,
    lower: Float64Array,
  ) {
    ;[this.centre, this.scale] = centreAndScale(values)
    this.lower = lower
    this.alpha = solve(lower, points.length, this.standardised(values))
    this.values = values
  }
  private readonly values: readonly number[]

  /**
   * Fits the parameters by maximum a posteriori (log-normal priors that keep length scales within the cube and noise small), by
   * coordinate steps that grow where they help and shrink where they don't (a pattern search; Hooke and Jeeves 1961). `from`: where to
   * begin. `sweeps`: each O(d·n³). Throws `RangeError` for no points.
   */
  static fit(points: readonly Point[], values: readonly number[], from: GpParameters | undefined, sweeps: number): GaussianProcess {
    const dimensions = points[0]?.length ?? 0
    if (points.length === 0 || points.length !== values.length)
      throw new RangeError('a Gaussian process needs as many values as points, and one at least')
    const [centre, scale] = centreAndScale(values)
    const y = values.map((value) => (value - centre) / scale)
    let theta = from
      ? [...from.lengths, from.signal, from.noise]
      : [...Array.from({ length: dimensions }, () => Math.log(0.5)), 0, Math.log(1e-3)]
    const steps = theta.map(() => 0.5)
    let best = posterior(points, y, theta)
    for (let sweep = 0; sweep < sweeps; sweep++)
      for (let place = 0; place < theta.length; place++) {
        const step = steps[place] ?? 0
        let moved = false
        for (const sign of [1, -1]) {
          const other = theta.map((value, index) => (index === place ? value + sign * step : value))
          const score = posterior(points, y, other)
          if (score <= best) continue
          ;[theta, best, moved] = [other, score, true]
          break
        }
        steps[place] = moved ? step * 1.3 : step / 2
      }
    return GaussianProcess.with(points, values, {
      lengths: theta.slice(0, dimensions),
      signal: theta[dimensions] ?? 0,
      noise: theta[dimensions + 1] ?? -7,
    })
  }

  /** The same with parameters that are known. */
  static with(points: readonly Point[], values: readonly number[], parameters: GpParameters): GaussianProcess {
    let { noise } = parameters
    for (let tries = 0; tries < 12; tries++, noise += Math.log(10)) {
      const lower = cholesky(covariance(points, [...parameters.lengths, parameters.signal, noise]), points.length)
      if (lower) return new GaussianProcess(points, values, { ...parameters, noise }, lower)
    }
    throw new RangeError('the points of a Gaussian process can not be told apart')
  }

  mean(point: Point): number {
    let sum = 0
    for (const [index, other] of this.points.entries()) sum += this.kernel(point, other) * (this.alpha[index] ?? 0)
    return this.centre + this.scale * sum
  }

  /** Of the function, without noise; in the values' units squared. */
  variance(point: Point): number {
    const crossed = solveLower(
      this.lower,
      this.points.length,
      this.points.map((other) => this.kernel(point, other)),
    )
    let explained = 0
    for (const value of crossed) explained += value * value
    return this.scale * this.scale * Math.max(0, Math.exp(this.parameters.signal) - explained)
  }

  /**
   * A function drawn from the posterior: a path of the prior by random Fourier features (Rahimi and Recht 2007; frequencies of
   * Matérn-5/2 are Student-t with 5 degrees of freedom), corrected to pass by the data (Wilson et al., Efficiently sampling functions
   * from Gaussian process posteriors, 2020). O(n²) to draw, O(d·(features + n)) to ask.
   */
  samplePath(random: Random): (point: Point) => number {
    const { lengths, signal, noise } = this.parameters
    const waves = Array.from({ length: FEATURES }, () => {
      const spread = Math.sqrt(5 / (2 * gammaDraw(random, 2.5)))
      return {
        frequency: lengths.map((length) => (normalDraw(random) * spread) / Math.exp(length)),
        phase: 2 * Math.PI * random.next(),
        weight: normalDraw(random),
      }
    })
    const size = Math.sqrt((2 * Math.exp(signal)) / FEATURES)
    const prior = (point: Point) => {
      let sum = 0
      for (const { frequency, phase, weight } of waves) {
        let angle = phase
        for (const [place, value] of point.entries()) angle += (frequency[place] ?? 0) * value
        sum += weight * Math.cos(angle)
      }
      return size * sum
    }
    const deviation = Math.sqrt(Math.exp(noise))
    const missed = this.standardised(this.values).map(
      (value, index) => value - prior(this.points[index] ?? []) - deviation * normalDraw(random),
    )
    const weights = solve(this.lower, this.points.length, missed)
    return (point) => {
      let sum = prior(point)
      for (const [index, other] of this.points.entries()) sum += this.kernel(point, other) * (weights[index] ?? 0)
      return this.centre + this.scale * sum
    }
  }

  private standardised(values: readonly number[]): readonly number[] {
    return values.map((value) => (value - this.centre) / this.scale)
  }

  private kernel(a: Point, b: Point): number {
    return matern(a, b, this.parameters.lengths, Math.exp(this.parameters.signal))
  }
}

/** Matérn-5/2; `lengths` are logarithms. */
function matern(a: Point, b: Point, lengths: readonly number[], variance: number): number {
  let squared = 0
  for (let place = 0; place < a.length; place++) squared += (((a[place] ?? 0) - (b[place] ?? 0)) / Math.exp(lengths[place] ?? 0)) ** 2
  const root = Math.sqrt(5 * squared)
  return variance * (1 + root + (5 * squared) / 3) * Math.exp(-root)
}

function covariance(points: readonly Point[], theta: readonly number[]): Float64Array {
  const n = points.length
  const dimensions = theta.length - 2
  const lengths = theta.slice(0, dimensions)
  const signal = Math.exp(theta[dimensions] ?? 0)
  const noise = Math.exp(theta[dimensions + 1] ?? 0)
  const matrix = new Float64Array(n * n)
  for (const [row, a] of points.entries())
    for (let column = 0; column <= row; column++) {
      const value = row === column ? signal + noise + JITTER : matern(a, points[column] ?? a, lengths, signal)
      matrix[row * n + column] = value
      matrix[column * n + row] = value
    }
  return matrix
}

/** ln of likelihood times prior, up to a constant; -Infinity where the covariance can't be factored. */
function posterior(points: readonly Point[], y: readonly number[], theta: readonly number[]): number {
  const n = points.length
  const lower = cholesky(covariance(points, theta), n)
  if (!lower) return -Infinity
  const half = solveLower(lower, n, y)
  let fit = 0
  for (const value of half) fit += value * value
  const dimensions = theta.length - 2
  let prior = 0
  for (let place = 0; place < dimensions; place++) prior -= ((theta[place] ?? 0) - Math.log(0.5)) ** 2 / 2
  prior -= (theta[dimensions] ?? 0) ** 2 / 2
  prior -= ((theta[dimensions + 1] ?? 0) - Math.log(1e-3)) ** 2 / (2 * 4)
  return -0.5 * fit - 0.5 * logDeterminant(lower, n) + prior
}

function centreAndScale(values: readonly number[]): readonly [number, number] {
  const centre = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length
  return [centre, variance > 0 ? Math.sqrt(variance) : 1]
}
