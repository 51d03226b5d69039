import { normalQuantile, type Interval } from '../../statistics/index.js'

/**
 * What a policy and the reference gave or took on the same requests, pair by pair: the mean difference, and the share that the policy saved of the
 * reference's sum. O(1) a pair.
 */
export class Paired {
  private n = 0
  private meanPolicy = 0
  private meanReference = 0
  private policySquares = 0
  private referenceSquares = 0
  private together = 0

  get pairs(): number {
    return this.n
  }

  /** Throws `RangeError` for what isn't finite. */
  add(policy: number, reference: number): void {
    if (!Number.isFinite(policy) || !Number.isFinite(reference)) throw new RangeError('a pair is of finite numbers')
    this.n += 1
    const offPolicy = policy - this.meanPolicy
    const offReference = reference - this.meanReference
    this.meanPolicy += offPolicy / this.n
    this.meanReference += offReference / this.n
    this.policySquares += offPolicy * (policy - this.meanPolicy)
    this.referenceSquares += offReference * (reference - this.meanReference)
    this.together += offPolicy * (reference - this.meanReference)
  }

  /** Mean of the policy's; `NaN` of nothing. */
  policy(): number {
    return this.n === 0 ? NaN : this.meanPolicy
  }

  reference(): number {
    return this.n === 0 ? NaN : this.meanReference
  }

  /** Policy less reference, with a paired normal interval. */
  difference(level = 0.95): Interval {
    const variance = Math.max(0, this.policySquares + this.referenceSquares - 2 * this.together) / Math.max(1, this.n - 1)
    return this.around(this.meanPolicy - this.meanReference, variance, level, 'paired normal')
  }

  /** 1 - Σ policy / Σ reference, by linearising the ratio (Cochran 1977, 6.3). `NaN` where the reference took nothing. */
  saved(level = 0.95): Interval {
    const ratio = this.meanPolicy / this.meanReference
    const residual = Math.max(0, this.policySquares - 2 * ratio * this.together + ratio * ratio * this.referenceSquares) / Math.max(1, this.n - 1)
    return this.around(1 - ratio, residual / (this.meanReference * this.meanReference), level, 'ratio of paired means, normal')
  }

  private around(value: number, variance: number, level: number, name: string): Interval {
    const reach = this.n < 2 ? Infinity : normalQuantile((1 + level) / 2) * Math.sqrt(variance / this.n)
    return { value: this.n === 0 ? NaN : value, low: value - reach, high: value + reach, n: this.n, method: `${name}, ${Math.round(level * 100)} %` }
  }
}
