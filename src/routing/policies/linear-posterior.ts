/**
 * Bayesian linear regression of one arm: y = xᵀw + noise, w ~ N(0, priorVariance·I), noise ~ N(0, noiseVariance). Its mean and spread are
 * what Thompson sampling draws from (Agrawal and Goyal 2013) and what LinUCB adds to the mean (Li et al. 2010). The covariance is kept, not its
 * inverse, by Sherman and Morrison's update: an observation and a prediction are O(d²), memory is d² doubles.
 */
export class LinearPosterior {
  /** Σ, row by row. */
  readonly #covariance: Float64Array
  readonly #mean: Float64Array
  #observations = 0

  constructor(
    readonly dimensions: number,
    priorVariance: number,
    readonly noiseVariance: number,
  ) {
    if (!Number.isInteger(dimensions) || dimensions < 1 || !(priorVariance > 0) || !(noiseVariance > 0))
      throw new RangeError('a posterior needs dimensions and positive variances')
    this.#covariance = new Float64Array(dimensions * dimensions)
    for (let at = 0; at < dimensions; at++) this.#covariance[at * dimensions + at] = priorVariance
    this.#mean = new Float64Array(dimensions)
  }

  get observations(): number {
    return this.#observations
  }

  /** Σ and the mean, row by row, and how many observations they rest on. */
  save(): { readonly observations: number; readonly covariance: Float64Array; readonly mean: Float64Array } {
    return { observations: this.#observations, covariance: this.#covariance.slice(), mean: this.#mean.slice() }
  }

  /** Takes what `save` gave. Throws `RangeError`, and changes nothing, for anything of another size, what isn't finite, and variances below 0. */
  restore({ observations, covariance, mean }: ReturnType<LinearPosterior['save']>): void {
    const sound =
      covariance.length === this.#covariance.length &&
      mean.length === this.dimensions &&
      [...covariance, ...mean].every(Number.isFinite) &&
      Number.isInteger(observations) &&
      observations >= 0
    if (!sound || mean.some((_, at) => (covariance[at * this.dimensions + at] ?? -1) < 0))
      throw new RangeError('not a posterior of this size')
    this.#covariance.set(covariance)
    this.#mean.set(mean)
    this.#observations = observations
  }

  /** xᵀm and xᵀΣx: what is expected at x, and the variance of that expectation. */
  at(x: Float64Array): { readonly mean: number; readonly variance: number } {
    const projected = this.#project(x)
    return { mean: dot(this.#mean, x), variance: Math.max(0, dot(projected, x)) }
  }

  /** Learns that y was seen at x; `weight`: as so many observations would. Throws `RangeError` for what isn't finite and learns nothing from it. */
  update(x: Float64Array, y: number, weight = 1): void {
    if (
      x.length !== this.dimensions ||
      !Number.isFinite(y) ||
      !(weight > 0 && weight < Infinity) ||
      x.some((value) => !Number.isFinite(value))
    )
      throw new RangeError('not an observation')
    const d = this.dimensions
    const projected = this.#project(x)
    const scale = 1 / (this.noiseVariance / weight + dot(projected, x))
    const error = (y - dot(this.#mean, x)) * scale
    for (let row = 0; row < d; row++) {
      const value = projected[row] ?? 0
      this.#mean[row] = (this.#mean[row] ?? 0) + value * error
      for (let column = 0; column < d; column++) {
        const at = row * d + column
        this.#covariance[at] = (this.#covariance[at] ?? 0) - value * (projected[column] ?? 0) * scale
      }
    }
    this.#observations++
  }

  #project(x: Float64Array): Float64Array {
    const d = this.dimensions
    const out = new Float64Array(d)
    for (let row = 0; row < d; row++) {
      let sum = 0
      for (let column = 0; column < d; column++) sum += (this.#covariance[row * d + column] ?? 0) * (x[column] ?? 0)
      out[row] = sum
    }
    return out
  }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0)
  return sum
}
