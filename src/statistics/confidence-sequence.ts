import { RunningMoments } from './running-moments.js'

export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
  readonly n: number
  /** How the interval was made. */
  readonly method: string
}

/**
 * An interval for a mean that may be looked at after every number, and acted on at any look: with probability 1 - α (asymptotically) it
 * holds the mean at *all* looks from `first` on. The Gaussian-mixture boundary of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas
 * (Time-uniform central limit theory and asymptotic confidence sequences, 2024; theorem 2.2): mean ± σ̂ √( 2(nρ² + 1)/(n²ρ²) · ln(
 * √(nρ² + 1) / α ) ). ρ is set so that the interval is narrowest about `tightAt` numbers (their equation for ρ, appendix B.2). The
 * numbers may depend on what came before, as those of an adaptive policy do, so long as each has the mean given the past. O(1) a
 * number.
 */
export class ConfidenceSequence {
  private readonly moments = new RunningMoments()
  private readonly rhoSquared: number

  /** `level`: 0.95 for 95 %. `tightAt`, `first`: numbers. Throws `RangeError` for a level outside (0, 1) or counts below 1. */
  constructor(
    private readonly level = 0.95,
    tightAt = 1_000,
    private readonly first = 30,
  ) {
    if (!(level > 0 && level < 1)) throw new RangeError(`a level lies between 0 and 1, not at ${level}`)
    if (!(tightAt >= 1) || !(first >= 1)) throw new RangeError('a confidence sequence needs counts of at least 1')
    this.rhoSquared = rhoSquaredOf(level, tightAt)
  }

  get count(): number {
    return this.moments.count
  }

  /** Throws `RangeError` for what isn't finite. */
  add(value: number): void {
    this.moments.add(value)
  }

  /**
   * Without bounds until there are `first` numbers: before, the normal approximation that it rests on may not hold. `extraVariance` is
   * added to that of the numbers, where the caller knows that they can't show all of theirs yet.
   */
  interval(extraVariance = 0): Interval {
    const { count: n, mean } = this.moments
    const variance = this.moments.variance + extraVariance
    const method = `asymptotic confidence sequence, ${Math.round(this.level * 1000) / 10} %, valid at every look`
    if (n < this.first || n < 2) return { value: mean, low: -Infinity, high: Infinity, n, method }
    const reach = this.reachOf(n, variance)
    return { value: mean, low: mean - reach, high: mean + reach, n, method }
  }

  /**
   * Numbers at which, with the variance seen so far, half the width is `reach`; what "needs about N more" rests on. `Infinity` beyond
   * 10¹².
   */
  countFor(reach: number): number {
    const { variance, count } = this.moments
    if (variance === 0) return Math.max(count, this.first)
    if (!(reach > 0)) return Infinity
    let low = 2
    let high = 1e12
    if (this.reachOf(high, variance) > reach) return Infinity
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.reachOf(middle, variance) > reach) low = middle
      else high = middle
    }
    return Math.max(high, this.first)
  }

  private reachOf(n: number, variance: number): number {
    return mixtureReach(n, variance, { level: this.level, rhoSquared: this.rhoSquared })
  }
}

/** The square of ρ with which the boundary at `level` is narrowest about `tightAt` numbers (appendix B.2 of the same paper). */
export function rhoSquaredOf(level: number, tightAt: number): number {
  const alpha = 1 - level
  return (-2 * Math.log(alpha) + Math.log(-2 * Math.log(alpha) + 1)) / tightAt
}

/** Half the width of the confidence sequence after n numbers of this variance, for whoever keeps the sums; see `ConfidenceSequence`. */
export function mixtureReach(
  n: number,
  variance: number,
  { level, rhoSquared }: { readonly level: number; readonly rhoSquared: number },
): number {
  const spread = n * rhoSquared + 1
  return Math.sqrt(((variance * 2 * spread) / (n * n * rhoSquared)) * Math.log(Math.sqrt(spread) / (1 - level)))
}

/**
 * The same boundary solved for α: the least α at which the confidence sequence of level 1 - α leaves out a mean that is `distance` away
 * from the numbers' own. An anytime-valid p-value of "the mean is there": under it the chance that it is ever α or less is at most α
 * (asymptotically). In [0, 1].
 */
export function mixturePValue(n: number, variance: number, distance: number, rhoSquared: number): number {
  if (distance === 0 || n === 0) return 1
  if (variance === 0) return 0
  const spread = n * rhoSquared + 1
  return Math.min(1, Math.sqrt(spread) * Math.exp(-(n * n * distance * distance * rhoSquared) / (2 * variance * spread)))
}
