import type { Cost, Money, Usage } from '../../quantities/index.js'

/** What a report can be grouped by. `tag:team` groups by the values of the tag `team`. `day` and `hour` are UTC. */
export type Dimension =
  | 'organisation'
  | 'team'
  | 'user'
  | 'key'
  | 'model'
  | 'provider'
  | 'deployment'
  | 'requested_model'
  | 'day'
  | 'hour'
  | 'run'
  | 'session'
  | `tag:${string}`

export interface ReportQuery {
  /** Unix seconds, inclusive; cut to whole hours (days with a tag, a run or a session). */
  readonly from: number
  /** Unix seconds, exclusive. */
  readonly to: number
  readonly by: readonly Dimension[]
  /** Only calls with these values. */
  readonly where?: Readonly<Partial<Record<Dimension, string>>> | undefined
  /** Largest groups first by `order`; those beyond are left out and counted in `others`. */
  readonly limit?: number | undefined
  readonly order?: 'usd' | 'calls' | 'tokens' | 'group' | undefined
}

/** Upper edges of the latency histogram, seconds; the last bucket is open. Steps of a factor of two. */
export const latencyEdges = [0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128] as const

/** Sums over calls. They add up: the totals of a day are those of its hours. */
export interface ReportTotals {
  readonly calls: number
  /** Calls that ended in any way but `complete`. */
  readonly errors: number
  readonly lost: number
  /** Calls whose price is unknown: their dollars are in no sum. */
  readonly unpriced: number
  readonly usage: Usage
  /** Known dollars; seconds that calls took; joules and grams where every call knows them, else `null`. */
  readonly cost: Cost
  readonly cacheSavings: Money
  /** Calls by latency, one bucket more than `latencyEdges`. */
  readonly latency: readonly number[]
  readonly firstTokenSeconds: number
  /** Calls that `firstTokenSeconds` sums over. */
  readonly firstTokens: number
}

export interface ReportRow {
  /** A value for each dimension of the query; `''` where a call has none. */
  readonly group: Readonly<Record<string, string>>
  readonly totals: ReportTotals
}

export interface Report {
  readonly rows: readonly ReportRow[]
  readonly total: ReportTotals
  /** Groups left out by `limit`, and what they sum to. */
  readonly others: { readonly groups: number; readonly totals: ReportTotals }
}
