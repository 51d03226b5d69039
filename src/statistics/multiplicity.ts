/**
 * Which of several hypotheses may be called false together, so that the chance of even one mistake is at most `alpha`, whatever depends
 * on what (Holm 1979): p-values in ascending order are held against α/m, α/(m-1) …, up to the first that fails. O(m log m). Throws
 * `RangeError` for a p-value outside [0, 1].
 */
export function holm(pValues: readonly number[], alpha = 0.05): readonly boolean[] {
  const rejected = pValues.map(() => false)
  const order = ascending(pValues)
  for (const [rank, index] of order.entries()) {
    if ((pValues[index] ?? 1) > alpha / (pValues.length - rank)) break
    rejected[index] = true
  }
  return rejected
}

/**
 * The same where a share of mistakes among those called false is allowed (false discovery rate; Benjamini and Hochberg 1995), for
 * independent or positively dependent ones. O(m log m).
 */
export function benjaminiHochberg(pValues: readonly number[], rate = 0.05): readonly boolean[] {
  const order = ascending(pValues)
  const last = order.findLastIndex((index, rank) => (pValues[index] ?? 1) <= (rate * (rank + 1)) / pValues.length)
  const rejected = pValues.map(() => false)
  for (const index of order.slice(0, last + 1)) rejected[index] = true
  return rejected
}

function ascending(pValues: readonly number[]): number[] {
  for (const p of pValues) if (!(p >= 0 && p <= 1)) throw new RangeError(`a p-value lies in [0, 1], not at ${p}`)
  return pValues.map((_, index) => index).sort((a, b) => (pValues[a] ?? 0) - (pValues[b] ?? 0))
}
