import { mixturePValue, mixtureReach, rhoSquaredOf, type Interval } from '../../statistics/index.js'

/** Units that are remembered as open; the one that was quiet longest goes first, and is a new unit should it come back. */
const mostOpen = 10_000

interface Open {
  readonly sum: number
  readonly weight: number
}

/**
 * The weighted mean of scores, θ̂ = Σ w·s / Σ w, where requests of one unit (a conversation) were drawn as one and may not be taken for
 * independent: the variance is that of the units' sums around the mean, Σ(Z_c - θ̂·W_c)²/(m - 1) with Z_c = Σ w·s and W_c = Σ w of unit
 * c, as cluster-robust errors of a ratio have it, and the interval is the confidence sequence over units (see `ConfidenceSequence`)
 * scaled by units per weight. With units of one request of weight 1 it is the plain one. O(1) a score; memory grows with open units, of
 * which the newest 10,000 are known.
 */
export class UnitMoments {
  private readonly open = new Map<string, Open>()
  private readonly rhoSquared: number
  private unitCount = 0
  private count = 0
  private sum = 0
  private squares = 0
  private products = 0
  private weights = 0
  private weightSquares = 0

  /** `tightAt`: units about which the interval is narrowest. */
  constructor(
    private readonly level: number,
    tightAt: number,
  ) {
    this.rhoSquared = rhoSquaredOf(level, tightAt)
  }

  get requests(): number {
    return this.count
  }

  get units(): number {
    return this.unitCount
  }

  /** `NaN` of nothing. */
  get mean(): number {
    return this.count === 0 ? NaN : this.sum / this.weights
  }

  /** The mean weight of a request. */
  get meanWeight(): number {
    return this.weights / this.count
  }

  /**
   * Throws `RangeError` for a score or weight that isn't finite, or a weight that isn't above 0. `unit` absent: a unit of its own.
   * Answers whether the unit is new.
   */
  add(score: number, unit?: string, weight = 1): boolean {
    if (!Number.isFinite(score)) throw new RangeError(`a moment needs finite numbers, not ${score}`)
    if (!(weight > 0 && weight < Infinity)) throw new RangeError(`a weight is above 0, not ${weight}`)
    const before = unit === undefined ? undefined : this.open.get(unit)
    const old = before ?? { sum: 0, weight: 0 }
    const now = { sum: old.sum + weight * score, weight: old.weight + weight }
    if (before === undefined) this.unitCount += 1
    this.count += 1
    this.sum += weight * score
    this.weights += weight
    this.squares += now.sum * now.sum - old.sum * old.sum
    this.products += now.sum * now.weight - old.sum * old.weight
    this.weightSquares += now.weight * now.weight - old.weight * old.weight
    if (unit !== undefined) this.keep(unit, now)
    return before === undefined
  }

  private keep(unit: string, now: Open): void {
    this.open.delete(unit)
    this.open.set(unit, now)
    for (const oldest of this.open.keys()) {
      if (this.open.size <= mostOpen) break
      this.open.delete(oldest)
    }
  }

  /** Of the units' sums around the mean; 0 of fewer than two units. */
  get variance(): number {
    if (this.unitCount < 2) return 0
    const { mean } = this
    return Math.max(0, this.squares - 2 * mean * this.products + mean * mean * this.weightSquares) / (this.unitCount - 1)
  }

  /** `extraVariance`: of a unit's sum, added to the variance seen. */
  interval(extraVariance = 0): Interval {
    const value = this.mean
    const reach = this.reach(this.unitCount, this.variance + extraVariance)
    const method = `asymptotic confidence sequence, ${Math.round(this.level * 1000) / 10} %, valid at every look`
    return { value, low: value - reach, high: value + reach, n: this.count, method }
  }

  /** The anytime-valid p-value of "the mean is `at`"; 1 of nothing. */
  pValue(at: number, extraVariance = 0): number {
    if (this.unitCount < 2) return 1
    const perUnit = (Math.abs(this.mean - at) * this.weights) / this.unitCount
    return mixturePValue(this.unitCount, this.variance + extraVariance, perUnit, this.rhoSquared)
  }

  /** Requests at which, with the variance seen so far, half the width is `reach`. `Infinity` beyond 10¹² units. */
  requestsFor(reach: number): number {
    const { unitCount, count, variance } = this
    if (variance === 0) return count
    if (!(reach > 0)) return Infinity
    let low = 2
    let high = 1e12
    if (this.reach(high, variance) > reach) return Infinity
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.reach(middle, variance) > reach) low = middle
      else high = middle
    }
    return Math.ceil((high * count) / Math.max(1, unitCount))
  }

  /** Of the mean, after so many units that weigh as much as those so far. */
  private reach(units: number, variance: number): number {
    if (units < 2 || this.count === 0) return Infinity
    return (mixtureReach(units, variance, { level: this.level, rhoSquared: this.rhoSquared }) * this.unitCount) / this.weights
  }
}
