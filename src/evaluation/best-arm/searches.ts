import { successiveHalving, ucbE, uniform } from './bandits.js'
import { eliminationSearch, type EliminationOptions } from './elimination-search.js'
import { lowRank } from './low-rank.js'
import { bayesianRacing } from './racing.js'
import type { Search, SearchSize } from './search.js'

/** A way of searching as people name it. */
export interface SearchKind {
  /** One line for `--help`. */
  readonly about: string
  /**
   * `cells`: the whole budget of cells; ways that plan ahead (successive halving) need it, the others don't look at it. `options`: how
   * sure is enough, for ways that go by it (elimination).
   */
  make(size: SearchSize, cells: number, options?: EliminationOptions): Search
}

/** All ways to search, by name. A new one is a file of its own and a line here. */
export const searches = {
  racing: { about: 'Bayesian racing; tells how probable the leader is the best', make: (size) => bayesianRacing(size) },
  elimination: {
    about: 'drops whoever is proven to lose; the proof holds at every look',
    make: (size, _cells, options?: EliminationOptions) => eliminationSearch(size, options),
  },
  'ucb-e': { about: 'upper confidence bounds (UCB-E)', make: (size) => ucbE(size) },
  'ucb-e-lrf': {
    about: 'low-rank predictions with upper confidence bounds (UCB-E-LRF); slow on large test sets',
    make: (size) => lowRank(size),
  },
  'successive-halving': {
    about: 'rounds of equal budget; the worse half goes after each',
    make: (size, cells) => successiveHalving(size, { cells }),
  },
  uniform: { about: 'every method as often as every other', make: (size) => uniform(size) },
} as const satisfies Readonly<Record<string, SearchKind>>

export type SearchName = keyof typeof searches
