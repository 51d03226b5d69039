export interface InfluenceOptions {
  /** Largest share of what is known of an arm in a category that one source may be, in (0, 1). */
  readonly cap: number
  /** Weight that prior knowledge has in a prediction: what the predictor's shrinkage counts as (a of 069). */
  readonly priorWeight: number
  readonly windowSeconds: number
  /** Distinct sources × arms × categories remembered a window; beyond that all further ones count as one source. */
  readonly mostEntries: number
}

/**
 * How much weight each source has had within the window, and how much it may still have. Source s may have at most
 *
 *     W_s ≤ cap/(1 − cap) · (priorWeight + W_others)
 *
 * of weight for an arm in a category, so that its share W_s/(W_s + W_others + priorWeight) never passes `cap`. A prediction that is a mean of outcomes weighted so, with
 * qualities in [0, 1], is therefore moved by at most `cap` by all that one source says in a window. Several keys that act together are several sources.
 */
export interface Influence {
  /** The part of the weight that still fits, which may be 0; it counts as used. */
  grant(source: string, arm: string, category: string, weight: number, now: number): number
}

export function influenceLedger({ cap, priorWeight, windowSeconds, mostEntries }: InfluenceOptions): Influence {
  let window = Number.NaN
  const bySource = new Map<string, number>()
  const totals = new Map<string, number>()
  const overflow = '\u0001others'
  return {
    grant(source, arm, category, weight, now) {
      const current = Math.floor(now / windowSeconds)
      if (current !== window) {
        bySource.clear()
        totals.clear()
        window = current
      }
      const where = totals.has(place(arm, category)) || totals.size < mostEntries ? place(arm, category) : overflow
      const own = `${source}\u0000${where}`
      const key = bySource.has(own) || bySource.size < mostEntries ? own : `${overflow}\u0000${where}`
      const had = bySource.get(key) ?? 0
      const total = totals.get(where) ?? 0
      const allowed = (cap / (1 - cap)) * (priorWeight + total - had)
      const granted = Math.max(0, Math.min(weight, allowed - had))
      if (granted > 0) {
        bySource.set(key, had + granted)
        totals.set(where, total + granted)
      }
      return granted
    },
  }
}

function place(arm: string, category: string): string {
  return `${arm}\u0000${category}`
}
