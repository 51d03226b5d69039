/** Mean and variance of numbers that come one by one (Welford 1962): no sum of squares that cancels. O(1) a number. */
export class RunningMoments {
  private n = 0
  private centre = 0
  private squares = 0

  get count(): number {
    return this.n
  }

  /** `NaN` of nothing. */
  get mean(): number {
    return this.n === 0 ? NaN : this.centre
  }

  /** Of the numbers around their mean, divided by n - 1; 0 of fewer than two. */
  get variance(): number {
    return this.n < 2 ? 0 : Math.max(0, this.squares / (this.n - 1))
  }

  /** Throws `RangeError` for what isn't finite: one such number would spoil all that come after. */
  add(value: number): void {
    if (!Number.isFinite(value)) throw new RangeError(`a moment needs finite numbers, not ${value}`)
    this.n += 1
    const off = value - this.centre
    this.centre += off / this.n
    this.squares += off * (value - this.centre)
  }
}
