import { normalQuantile, shareInterval, type Interval } from '../../statistics/index.js'

/** Sums of pairs: weight, means, and centred squares and products (Welford's updates, West 1979 with weights). */
interface Moments {
  weight: number
  policy: number
  reference: number
  policySquares: number
  referenceSquares: number
  together: number
}

/** A `Paired` as plain numbers: what a checkpoint keeps. */
export interface PairedState {
  readonly pairs: number
  readonly plain: readonly number[]
  readonly squared: readonly number[]
}

/**
 * What a policy and the reference gave or took on the same requests, pair by pair: the mean difference, and the share that the policy saved of the
 * reference's sum. O(1) a pair.
 *
 * Pairs of a sample carry the weight 1/π with which the request was drawn. Means are then Σwx/Σw (Hájek 1971) and the variance of such a mean is
 * n/(n − 1)·Σw²(x − mean)²/(Σw)², by linearising it as if pairs were drawn independently: a little too wide for a sample drawn within strata, and the plain
 * s²/n where all weights are the same.
 */
export class Paired {
  private n = 0
  /** Weighted by w: the means. */
  private readonly plain: Moments = empty()
  /** Weighted by w²: the variance of the means. */
  private readonly squared: Moments = empty()

  get pairs(): number {
    return this.n
  }

  /** Throws `RangeError` for what isn't finite, and for a weight that isn't above 0. */
  add(policy: number, reference: number, weight = 1): void {
    if (!Number.isFinite(policy) || !Number.isFinite(reference)) throw new RangeError('a pair is of finite numbers')
    if (!(weight > 0 && weight < Infinity)) throw new RangeError('a weight is a finite number above 0')
    this.n += 1
    update(this.plain, policy, reference, weight)
    update(this.squared, policy, reference, weight * weight)
  }

  /** Mean of the policy's; `NaN` of nothing. */
  policy(): number {
    return this.n === 0 ? NaN : this.plain.policy
  }

  reference(): number {
    return this.n === 0 ? NaN : this.plain.reference
  }

  /** The policy's mean with a normal interval. */
  policyInterval(level = 0.95): Interval {
    return this.around(this.plain.policy, this.spread(1, 0), level, 'normal')
  }

  /** Policy less reference, with a paired normal interval. */
  difference(level = 0.95): Interval {
    return this.around(this.plain.policy - this.plain.reference, this.spread(1, -1), level, 'paired normal')
  }

  /** `policyInterval` of qualities in [0, 1], not beyond these; where all are alike, as when a policy never failed, the exact one. */
  policyQuality(level = 0.95): Interval {
    return this.cautious(this.policyInterval(level), 0, level)
  }

  /**
   * `difference` of qualities in [0, 1], within [-1, 1]. Where no pair differs from the others the normal interval has no width, however few they are; then the share of
   * requests that may differ is bounded exactly (Clopper & Pearson 1934, of none among n; n after Kish with weights), and those as much as can be.
   */
  qualityDifference(level = 0.95): Interval {
    return this.cautious(this.difference(level), -1, level)
  }

  /** 1 - Σ policy / Σ reference, by linearising the ratio (Cochran 1977, 6.3). `NaN` where the reference took nothing. */
  saved(level = 0.95): Interval {
    const ratio = this.plain.reference === 0 ? NaN : this.plain.policy / this.plain.reference
    return this.around(
      1 - ratio,
      this.spread(1, -ratio) / (this.plain.reference * this.plain.reference),
      level,
      'ratio of paired means, normal',
    )
  }

  state(): PairedState {
    return { pairs: this.n, plain: Object.values(this.plain), squared: Object.values(this.squared) }
  }

  static from({ pairs, plain, squared }: PairedState): Paired {
    const paired = new Paired()
    paired.n = pairs
    fill(paired.plain, plain)
    fill(paired.squared, squared)
    return paired
  }

  private cautious(interval: Interval, least: number, level: number): Interval {
    const { value, low, high } = interval
    if (this.n === 0) return interval
    if (this.n > 1 && high - low > 1e-9) return { ...interval, low: Math.max(least, low), high: Math.min(1, high) }
    const others = shareInterval(0, this.plain.weight ** 2 / this.squared.weight, level).high
    const method = `exact share of requests that may differ, ${Math.round(level * 100)} %`
    return { ...interval, low: value - others * (value - least), high: value + others * (1 - value), method }
  }

  /** Variance of the weighted mean of a·policy + b·reference. */
  private spread(a: number, b: number): number {
    const { plain, squared } = this
    if (this.n < 2) return 0
    const centred = Math.max(0, a * a * squared.policySquares + 2 * a * b * squared.together + b * b * squared.referenceSquares)
    // The mean under w² isn't the mean under w: Σw²(x − m)² = Σw²(x − m₂)² + Σw²·(m₂ − m)².
    const offset = a * (squared.policy - plain.policy) + b * (squared.reference - plain.reference)
    return ((this.n / (this.n - 1)) * (centred + squared.weight * offset * offset)) / (plain.weight * plain.weight)
  }

  private around(value: number, variance: number, level: number, name: string): Interval {
    const reach = this.n < 2 ? Infinity : normalQuantile((1 + level) / 2) * Math.sqrt(variance)
    return {
      value: this.n === 0 ? NaN : value,
      low: value - reach,
      high: value + reach,
      n: this.n,
      method: `${name}, ${Math.round(level * 100)} %`,
    }
  }
}

function empty(): Moments {
  return { weight: 0, policy: 0, reference: 0, policySquares: 0, referenceSquares: 0, together: 0 }
}

function fill(
  moments: Moments,
  [weight = 0, policy = 0, reference = 0, policySquares = 0, referenceSquares = 0, together = 0]: readonly number[],
): void {
  Object.assign(moments, { weight, policy, reference, policySquares, referenceSquares, together })
}

function update(moments: Moments, policy: number, reference: number, weight: number): void {
  moments.weight += weight
  const share = weight / moments.weight
  const offPolicy = policy - moments.policy
  const offReference = reference - moments.reference
  moments.policy += offPolicy * share
  moments.reference += offReference * share
  moments.policySquares += weight * offPolicy * (policy - moments.policy)
  moments.referenceSquares += weight * offReference * (reference - moments.reference)
  moments.together += weight * offPolicy * (reference - moments.reference)
}
