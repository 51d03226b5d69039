import { daySeconds, hourSeconds } from './spans.js'
import type { BulkTarget, BulkWriter, ColumnKind, Value } from './bulk.js'
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

type Place = readonly (readonly [name: string, kind: ColumnKind])[]
const kindOf = (name: SumColumn): ColumnKind => ((realColumns as readonly SumColumn[]).includes(name) ? 'double precision' : 'bigint')

/**
 * Targets for sums in a table, one for each set of columns that are not all zero: most calls have no audio, no images and no unknown
 * price, and each column of a statement costs.
 */
class SumTargets {
  private readonly targets = new Map<string, { readonly target: BulkTarget; readonly columns: readonly number[] }>()

  constructor(
    private readonly table: 'spend' | 'facet_days',
    private readonly place: Place,
  ) {}

  async write(tx: Tx, bulk: BulkWriter, { rows, used }: SumRows): Promise<void> {
    if (rows.length === 0) return
    const { target, columns } = this.targetOf(used)
    await bulk.write(
      tx,
      target,
      rows.map(({ place, values }): Value[] => {
        const row: Value[] = [...place]
        for (const index of columns) row.push(values[index] ?? null)
        return row
      }),
    )
  }

  private targetOf(columns: readonly number[]) {
    const name = columns.join(' ')
    let known = this.targets.get(name)
    if (known === undefined) {
      const names = columns.flatMap((index) => sumColumns[index] ?? [])
      const place = this.place.map(([column]) => column)
      // A sum that both have; else what one of them has.
      const sets = names.map(
        (column) => `${column} = coalesce(${this.table}.${column} + excluded.${column}, ${this.table}.${column}, excluded.${column})`,
      )
      const conflict = `on conflict (${place.join(', ')}) do ${sets.length === 0 ? 'nothing' : `update set ${sets.join(', ')}`}`
      known = {
        columns,
        target: { table: this.table, columns: [...this.place, ...names.map((column) => [column, kindOf(column)] as const)], conflict },
      }
      // Sets of columns are few; should they ever be many, they are made anew.
      if (this.targets.size >= mostTargets) this.targets.clear()
      this.targets.set(name, known)
    }
    return known
  }
}

const mostTargets = 50

/** Stands for all series together: what isn't asked by caller or model is a few rows then. */
export const allSeries = 0
/** Stands for all runs together, and for all sessions. */
export const allFacets = 0

interface SumRows {
  readonly rows: { readonly place: readonly number[]; readonly values: (number | bigint | null)[] }[]
  /** Places of the columns in which some row has a value. */
  readonly used: readonly number[]
}

function sumRows(buckets: ReadonlyMap<string, Bucket>): SumRows {
  const rows = inOrder(buckets).map(({ place, sums }) => ({ place, values: sums.values() }))
  return { rows, used: sumColumns.flatMap((_, index) => (rows.some(({ values }) => values[index] !== null) ? [index] : [])) }
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

  async write(tx: Tx, { bulk, targets }: { readonly bulk: BulkWriter; readonly targets: RollupTargets }): Promise<void> {
    // Days and all time are sums of hours; all series are the sum of each.
    for (const { place, sums } of [...this.spend.values()]) {
      const [, hour = 0, series = 0] = place
      for (const one of [series, allSeries]) {
        if (one === allSeries) bucket(this.spend, [hourSeconds, hour, one]).add(sums)
        bucket(this.spend, [daySeconds, dayOf(hour), one]).add(sums)
        bucket(this.spend, [0, 0, one]).add(sums)
      }
    }
    for (const { place, sums } of [...this.facets.values()]) {
      const [kind = 0, day = 0, facet = 0] = place
      // Of one run or session there are as few rows as there are series in it.
      bucket(this.facets, [kind, day, kind === facetKinds.tag ? facet : allFacets, allSeries]).add(sums)
    }
    const spend = sumRows(this.spend)
    const facets = sumRows(this.facets)
    // The row of all time tells which columns are in use at all: what adds up to nothing is a zero there.
    const total = spend.rows.find(({ place }) => place.every((value) => value === 0))
    const used = [...new Set([...spend.used, ...facets.used])].sort((a, b) => a - b)
    if (total !== undefined) for (const index of used) total.values[index] ??= 0
    await targets.spend.write(tx, bulk, { rows: spend.rows, used })
    await targets.facets.write(tx, bulk, facets)
  }
}

/** The start of the day (UTC) that a time lies in. */
export function dayOf(at: number): number {
  return Math.floor(timeInRange(at) / daySeconds) * daySeconds
}

function bucket(buckets: Map<string, Bucket>, place: readonly number[]): Sums {
  const [first, second, third, fourth] = place
  const name = `${first} ${second} ${third} ${fourth}`
  let found = buckets.get(name)
  if (found === undefined) buckets.set(name, (found = { place, sums: new Sums() }))
  return found.sums
}

/** In the order of the primary key, so that neighbours are written together. */
function inOrder(buckets: ReadonlyMap<string, Bucket>): Bucket[] {
  return [...buckets.values()].sort((a, b) => {
    for (let index = 0; index < a.place.length; index++) {
      const order = (a.place[index] ?? 0) - (b.place[index] ?? 0)
      if (order !== 0) return order
    }
    return 0
  })
}

export type RollupTargets = ReturnType<typeof rollupTargets>

export function rollupTargets() {
  return {
    spend: new SumTargets('spend', [
      ['span', 'integer'],
      ['start', 'bigint'],
      ['series', 'integer'],
    ]),
    facets: new SumTargets('facet_days', [
      ['kind', 'integer'],
      ['day', 'bigint'],
      ['facet', 'integer'],
      ['series', 'integer'],
    ]),
  }
}
