import type { DataSource } from '../report.js'

/** A data set as a routing problem: texts, and what every arm that was run on each gave and took. */
export interface RoutingProblem {
  readonly name: string
  readonly arms: readonly string[]
  readonly rows: readonly RoutingRow[]
  readonly sources: readonly DataSource[]
  /** What a reader of a figure must know about where its parts come from. */
  readonly notes: readonly string[]
  /** Two arms that a share of calls is chosen between, where that is how the data is measured. */
  readonly pair?: { readonly weak: string; readonly strong: string } | undefined
}

export interface RoutingRow {
  readonly id: string
  readonly text: string
  /** As the data names it. Known of training rows only: a live request carries none. */
  readonly category?: string | undefined
  readonly outcomes: Readonly<Record<string, RoutingOutcome>>
}

export interface RoutingOutcome {
  /** In [0, 1]. */
  readonly quality: number
  readonly usd: number
  readonly outputTokens?: number | undefined
}
