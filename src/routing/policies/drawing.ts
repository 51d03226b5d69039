import type { Random } from '../../statistics/index.js'

/**
 * The nearest distribution to `wanted` that leaves at most `share` to arms other than `greedy`: what the others want beyond that is cut in
 * proportion and given to `greedy`. Sums to one as far as `wanted` does; entries that aren't finite or are negative count as 0. O(arms).
 */
export function boundedDistribution(wanted: readonly number[], greedy: number, share: number): readonly number[] {
  const sound = wanted.map((probability) => (probability > 0 && probability < Number.POSITIVE_INFINITY ? probability : 0))
  const total = sound.reduce((sum, probability) => sum + probability, 0)
  const others = total === 0 ? 0 : (total - (sound[greedy] ?? 0)) / total
  const factor = others > share ? share / others : 1
  const rest = sound.map((probability, index) => (index === greedy || total === 0 ? 0 : (probability / total) * factor))
  const left = 1 - rest.reduce((sum, probability) => sum + probability, 0)
  return rest.map((probability, index) => (index === greedy ? left : probability))
}

/** An index, drawn with these probabilities, which sum to one. What rounding leaves over goes to the last that is possible. */
export function drawIndex(probabilities: readonly number[], random: Random): number {
  let left = random.next()
  let last = 0
  for (const [index, probability] of probabilities.entries()) {
    if (probability <= 0) continue
    last = index
    left -= probability
    if (left < 0) return index
  }
  return last
}
