/**
 * Page and Hinkley's test (Page 1954) for a mean that has risen: Σ (xᵢ − x̄ᵢ − δ) above its own minimum by more than the threshold. A rise of less than δ is let
 * pass; one of r beyond δ is told after about threshold/r values. O(1) a value.
 */
export interface PageHinkley {
  /** True at the value at which the rise is told. */
  add(value: number): boolean
  readonly count: number
  /** Mean of the values so far; `NaN` of none. */
  readonly mean: number
  reset(): void
}

export function pageHinkley({ delta, threshold }: { readonly delta: number; readonly threshold: number }): PageHinkley {
  let count = 0
  let mean = 0
  let sum = 0
  let least = 0
  return {
    add(value) {
      count++
      mean += (value - mean) / count
      sum += value - mean - delta
      least = Math.min(least, sum)
      return sum - least > threshold
    },
    get count() {
      return count
    },
    get mean() {
      return count === 0 ? NaN : mean
    },
    reset() {
      count = 0
      mean = 0
      sum = 0
      least = 0
    },
  }
}
