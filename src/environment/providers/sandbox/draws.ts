import type { Random } from '../../../statistics/index.js'

/** A standard normal draw (Box and Muller). */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())
}

/** A factor around one: its logarithm has the given standard deviation, and its mean is one. */
export function spread(random: Random, deviation: number): number {
  return Math.exp(deviation * normal(random) - (deviation * deviation) / 2)
}

export function pick<T>(list: readonly [T, ...T[]], random: Random): T {
  return list[Math.floor(random.next() * list.length)] ?? list[0]
}

/** A whole number from `least` to `most`, both included. */
export function whole(random: Random, least: number, most: number): number {
  return least + Math.floor(random.next() * (most - least + 1))
}

/** The standard normal quantile (Acklam's rational approximation, relative error below 1.2e-9), with its ends held at ±8. */
export function normalQuantile(probability: number): number {
  if (probability <= 1e-15) return -8
  if (probability >= 1 - 1e-15) return 8
  const tail = 0.02425
  if (probability < tail || probability > 1 - tail) {
    const q = Math.sqrt(-2 * Math.log(Math.min(probability, 1 - probability)))
    const value =
      (((((-7.784894002430293e-3 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q + 4.374664141464968) * q +
        2.938163982698783) /
      ((((7.784695709041462e-3 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1)
    return probability < tail ? value : -value
  }
  const q = probability - 0.5
  const r = q * q
  return (
    ((((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r - 30.66479806614716) * r +
      2.506628277459239) *
      q) /
    (((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r - 13.28068155288572) * r + 1)
  )
}
