import { daySeconds, hourSeconds } from './spans.js'
import type { BulkTarget, ColumnKind, Value } from './bulk.js'
import type { ApplyContext } from './context.js'
import { facetKinds, type FacetKind } from './dictionary.js'
import { timeInRange } from './ranges.js'
import { realColumns, sumColumns, type SumColumn } from './sum-columns.js'
import { Sums } from './sums.js'
import type { Tx } from './transaction.js'

/** Something that counts: a call, or what is added to or taken from one. */
export interface Entry {
  readonly at: number
  readonly series: number
  readonly run: number | null
  readonly session: number | null
  /** Facets of its tags. */
  readonly tags: readonly number[]
  readonly sums: Sums
}

const sumKinds = sumColumns.map((name): readonly [string, ColumnKind] => [name, (realColumns as readonly SumColumn[]).includes(name) ? 'double precision' : 'bigint'])
const added = (table: string) => sumColumns.map((name) => `${name} = case when excluded.${name} is null then ${table}.${name} else coalesce(${table}.${name}, 0) + excluded.${name} end`).join(', ')

const spendTarget: BulkTarget = {
  table: 'spend',
  columns: [['span', 'integer'], ['start', 'bigint'], ['series', 'integer'], ...sumKinds],
  conflict: `on conflict (span, start, series) do update set ${added('spend')}`,
}
const facetTarget: BulkTarget = {
  table: 'facet_days',
  columns: [['kind', 'integer'], ['day', 'bigint'], ['facet', 'integer'], ['series', 'integer'], ...sumKinds],
  conflict: `on conflict (kind, day, facet, series) do update set ${added('facet_days')}`,
}

interface Bucket {
  readonly place: readonly number[]
  readonly sums: Sums
}

/** Sums of one transaction, which are added to those of the database at its end. O(entries); one row for each place that changes. */
export class Rollup {
  private readonly spend = new Map<string, Bucket>()
  private readonly facets = new Map<string, Bucket>()

  add({ at, series, run, session, tags, sums }: Entry): void {
    const seconds = timeInRange(at)
    const hour = Math.floor(seconds / hourSeconds) * hourSeconds
    const day = dayOf(at)
    bucket(this.spend, [hourSeconds, hour, series]).add(sums)
    const facet = (kind: FacetKind, id: number) => bucket(this.facets, [facetKinds[kind], day, id, series]).add(sums)
    if (run !== null) facet('run', run)
    if (session !== null) facet('session', session)
    for (const tag of tags) facet('tag', tag)
  }

  async write(tx: Tx, { bulk }: ApplyContext): Promise<void> {
    // Days and all time are sums of hours.
    for (const { place, sums } of [...this.spend.values()]) {
      const [, hour = 0, series = 0] = place
      bucket(this.spend, [daySeconds, dayOf(hour), series]).add(sums)
      bucket(this.spend, [0, 0, series]).add(sums)
    }
    await bulk.write(tx, spendTarget, rowsOf(this.spend))
    await bulk.write(tx, facetTarget, rowsOf(this.facets))
  }
}

/** The start of the day (UTC) that a time lies in. */
export function dayOf(at: number): number {
  return Math.floor(timeInRange(at) / daySeconds) * daySeconds
}

function bucket(buckets: Map<string, Bucket>, place: readonly number[]): Sums {
  const name = place.join(' ')
  let found = buckets.get(name)
  if (found === undefined) buckets.set(name, (found = { place, sums: new Sums() }))
  return found.sums
}

/** In the order of the primary key, so that neighbours are written together. */
function rowsOf(buckets: ReadonlyMap<string, Bucket>): Value[][] {
  const sorted = [...buckets.values()].sort((a, b) => a.place.reduce((order, value, index) => order || value - (b.place[index] ?? 0), 0))
  return sorted.map(({ place, sums }) => [...place, ...sums.values()])
}
