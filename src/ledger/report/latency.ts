import { latencyEdges, type ReportTotals } from './contract.js'

/**
 * Seconds within which this share of the calls ended, interpolated on a logarithmic scale inside a bucket of the histogram; buckets
 * double, so it may be off by up to the width of its bucket. `null` without calls. In the last, open bucket its lower edge: at least that much. O(buckets).
 */
export function latencyQuantile({ latency }: Pick<ReportTotals, 'latency'>, share: number): number | null {
  const calls = latency.reduce((sum, count) => sum + count, 0)
  if (calls === 0) return null
  let left = share * calls
  for (const [bucket, count] of latency.entries()) {
    if (left > count || count === 0) {
      left -= count
      continue
    }
    const upper = latencyEdges[bucket]
    if (upper === undefined) break
    // The first bucket begins at 0, which has no logarithm; its contents are taken as spread evenly.
    return bucket === 0 ? (upper * left) / count : upper * 2 ** (left / count - 1)
  }
  return latencyEdges.at(-1) ?? null
}
