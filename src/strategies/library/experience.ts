import { gammaDraw, type Random } from '../../statistics/index.js'

/** What a strategy did on one kind of question: weighted counts, and dollars over the runs whose cost is known. */
export interface ClusterStats {
  /** Runs whose quality was told, weak evidence counting less. */
  readonly n: number
  /** Of these, the sum of qualities. */
  readonly ok: number
  /** Runs whose cost is known, and their dollars. */
  readonly priced: number
  readonly usd: number
}

export const noStats: ClusterStats = { n: 0, ok: 0, priced: 0, usd: 0 }

export function addStats(a: ClusterStats, b: ClusterStats): ClusterStats {
  return { n: a.n + b.n, ok: a.ok + b.ok, priced: a.priced + b.priced, usd: a.usd + b.usd }
}

/** Of a strategy in a cluster: probability of success as Beta(α, β), and mean dollars; `null` where no run had a known cost. */
export interface Belief {
  readonly alpha: number
  readonly beta: number
  readonly usd: number | null
}

/** Prior runs that a cluster starts from, with the strategy's own rate elsewhere; and that this rate starts from, with even odds. */
const CLUSTER_PRIOR = 2
const OVERALL_PRIOR = 2

/** Beliefs of a cluster, drawn towards what the strategy does elsewhere while the cluster has few runs. */
export function belief(here: ClusterStats, everywhere: ClusterStats): Belief {
  const rate = (everywhere.ok + OVERALL_PRIOR / 2) / (everywhere.n + OVERALL_PRIOR)
  const elsewhere = everywhere.priced > 0 ? everywhere.usd / everywhere.priced : null
  return {
    alpha: here.ok + CLUSTER_PRIOR * rate,
    beta: here.n - here.ok + CLUSTER_PRIOR * (1 - rate),
    usd: here.priced > 0 && elsewhere !== null ? (here.usd + elsewhere) / (here.priced + 1) : elsewhere,
  }
}

export function meanOf({ alpha, beta }: Belief): number {
  return alpha / (alpha + beta)
}

/** A draw from Beta(α, β): Thompson's way to try what may be better. */
export function drawOf({ alpha, beta }: Belief, random: Random): number {
  const a = gammaDraw(random, alpha)
  const b = gammaDraw(random, beta)
  return a + b > 0 ? a / (a + b) : alpha / (alpha + beta)
}

/** Runs from which on a strategy can be found dominated. */
export const LEAST_RUNS = 5

/** Whether `other` is at least as good and at most as dear, and better in one of the two; both known well enough. */
export function dominates(other: ClusterStats, one: ClusterStats): boolean {
  if (other.n < LEAST_RUNS || one.n < LEAST_RUNS || other.priced === 0 || one.priced === 0) return false
  const quality = other.ok / other.n - one.ok / one.n
  const saved = one.usd / one.priced - other.usd / other.priced
  return quality >= 0 && saved >= 0 && (quality > 0 || saved > 0)
}
