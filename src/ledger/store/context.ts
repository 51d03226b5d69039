import { BulkWriter } from './bulk.js'
import type { Engine } from './connect.js'
import { rollupTargets, type RollupTargets } from './rollup.js'
import { Dictionary, facets, series, words } from './dictionary.js'

/** What transactions that apply share: remembered numbers of names, and compiled statements. */
export class ApplyContext {
  readonly bulk: BulkWriter
  readonly words = new Dictionary(words)
  readonly series = new Dictionary(series)
  readonly facets = new Dictionary(facets)
  /** `day facet` of values of tags that the sums of that day have. */
  readonly taggedDays = new Dictionary(noNames)

  readonly targets: RollupTargets = rollupTargets()

  constructor(readonly engine: Engine) {
    this.bulk = new BulkWriter(engine)
  }
}

/** Remembers only. */
const noNames = { table: 'facets' as const, find: () => Promise.resolve([]), make: () => Promise.resolve([]) }
