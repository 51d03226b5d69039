import type { ByteReader, ByteWriter } from './bytes.js'

/**
 * A Bayesian logistic regression of few numbers that learns one outcome at a time: normal beliefs about the weights, each outcome taken in by the extended Kalman
 * step (West, Harrison and Migon 1985; the Gaussian approximation that online Laplace gives). Several may add up to one score: the step is then given the
 * probability and the spread of the sum. A step costs O(size²).
 */
export interface OnlineLogistic {
  /** Mean of the score at x. */
  score(x: Float64Array): number
  /** Variance of the score at x. */
  spread(x: Float64Array): number
  /** `probability` and `spread`: of the whole score, before this outcome. `outcome` in [0, 1]; `weight` above 0. */
  step(x: Float64Array, outcome: number, probability: number, weight: number, spread: number): void
  write(to: ByteWriter): void
}

/** `variance`: of each weight before any outcome, with a mean of 0. */
export function createOnlineLogistic(size: number, variance: number, from?: ByteReader): OnlineLogistic {
  const mean = from ? from.f64(size) : new Float64Array(size)
  const covariance = from ? from.f64(size * size) : identity(size, variance)

  function times(x: Float64Array): Float64Array {
    const out = new Float64Array(size)
    for (let row = 0; row < size; row++) {
      let sum = 0
      for (let column = 0; column < size; column++) sum += (covariance[row * size + column] ?? 0) * (x[column] ?? 0)
      out[row] = sum
    }
    return out
  }

  return {
    score: (x) => dot(mean, x),
    spread: (x) => Math.max(0, dot(times(x), x)),
    step(x, outcome, probability, weight, spread) {
      const along = times(x)
      const information = weight * probability * (1 - probability)
      const gain = 1 / (1 + information * spread)
      for (let row = 0; row < size; row++) {
        mean[row] = (mean[row] ?? 0) + gain * weight * (outcome - probability) * (along[row] ?? 0)
        for (let column = 0; column < size; column++)
          covariance[row * size + column] =
            (covariance[row * size + column] ?? 0) - gain * information * (along[row] ?? 0) * (along[column] ?? 0)
      }
    },
    write(to) {
      to.f64(mean)
      to.f64(covariance)
    },
  }
}

function identity(size: number, variance: number): Float64Array {
  const out = new Float64Array(size * size)
  for (let at = 0; at < size; at++) out[at * size + at] = variance
  return out
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at++) sum += (a[at] ?? 0) * (b[at] ?? 0)
  return sum
}
