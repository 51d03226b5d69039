/** Weighted sums of the terms of requests, for the table and for every draw of a bootstrap at once. */
export class WeightedSums {
  /** By draw: the sum of weights, then that of each term. */
  private readonly sums: Float64Array
  private rows = 0

  /** `draws` without the table itself. Memory: 8 bytes × draws × (width + 1). */
  constructor(
    private readonly width: number,
    draws: number,
  ) {
    this.sums = new Float64Array((draws + 1) * (width + 1))
  }

  /** Requests. */
  get count(): number {
    return this.rows
  }

  /** O(draws × width). */
  add(terms: readonly number[], weights: Float64Array): void {
    const { sums, width } = this
    this.rows += 1
    for (let draw = 0, at = 0; draw < weights.length; draw++, at += width + 1) {
      const weight = weights[draw] ?? 0
      if (weight === 0) continue
      sums[at] = (sums[at] ?? 0) + weight
      for (let term = 0; term < width; term++) sums[at + 1 + term] = (sums[at + 1 + term] ?? 0) + weight * (terms[term] ?? NaN)
    }
  }

  /** Means of a draw, 0 the table's own; `null` where it took no request. */
  means(draw: number): readonly number[] | null {
    const at = draw * (this.width + 1)
    const weight = this.sums[at] ?? 0
    return weight === 0 ? null : Array.from({ length: this.width }, (_, term) => (this.sums[at + 1 + term] ?? NaN) / weight)
  }
}
