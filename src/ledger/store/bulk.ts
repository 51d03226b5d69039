import { CompiledQuery, sql } from 'kysely'
import type { Engine } from './connect.js'
import type { StoreDatabase } from './schema.js'
import type { Tx } from './transaction.js'

/** PostgreSQL's name of a column's type. */
export type ColumnKind = 'bigint' | 'integer' | 'smallint' | 'double precision' | 'text' | 'bytea'
export type Value = string | number | bigint | Uint8Array | null

export interface BulkTarget {
  readonly table: keyof StoreDatabase
  readonly columns: readonly (readonly [name: string, kind: ColumnKind])[]
  /** What follows the rows: `on conflict …`. */
  readonly conflict?: string | undefined
  /** Columns to answer of the rows that were written. */
  readonly returning?: string | undefined
}

/** Rows of one statement, embedded: as many as there are of these. */
const rowCounts = [50, 10, 1] as const
/** Rows of one statement of PostgreSQL. */
const mostRows = 2000

/**
 * Writes many rows in few statements, whose texts are compiled once for each target: embedded as lists of values, to PostgreSQL as one array
 * a column.
 */
export class BulkWriter {
  private readonly texts = new WeakMap<BulkTarget, Map<number, string>>()

  constructor(private readonly engine: Engine) {}

  /** Rows have their values in the order of the target's columns. Answers the columns of `returning`, where that is asked for. */
  async write<Row = never>(tx: Tx, target: BulkTarget, rows: readonly (readonly Value[])[]): Promise<Row[]> {
    const answers: Row[] = []
    for (let start = 0; start < rows.length; ) {
      const count = this.engine === 'postgresql' ? Math.min(mostRows, rows.length - start) : (rowCounts.find((many) => rows.length - start >= many) ?? 1)
      const parameters = this.engine === 'postgresql' ? byColumn(rows, start, count, target.columns.length) : inRows(rows, start, count)
      const { rows: answered } = await tx.executeQuery<Row>(CompiledQuery.raw(this.textOf(tx, target, this.engine === 'postgresql' ? 0 : count), parameters))
      answers.push(...answered)
      start += count
    }
    return answers
  }

  private textOf(tx: Tx, target: BulkTarget, count: number): string {
    let texts = this.texts.get(target)
    if (texts === undefined) this.texts.set(target, (texts = new Map<number, string>()))
    let text = texts.get(count)
    if (text === undefined) texts.set(count, (text = this.compile(tx, target, count)))
    return text
  }

  private compile(tx: Tx, { table, columns, conflict, returning }: BulkTarget, count: number): string {
    const names = sql.join(columns.map(([name]) => sql.ref(name)))
    const source =
      this.engine === 'postgresql'
        ? sql`select * from unnest(${sql.join(columns.map(([, kind]) => sql`${null}::${sql.raw(kind)}[]`))})`
        : sql`values ${sql.join(Array.from({ length: count }, () => sql`(${sql.join(columns.map(() => sql`${null}`))})`))}`
    // SQLite takes the `on` after a `select` for a part of a join; after `values` it doesn't.
    return sql`insert into ${sql.table(table)} (${names}) ${source} ${sql.raw(conflict ?? '')} ${sql.raw(returning === undefined ? '' : `returning ${returning}`)}`.compile(tx).sql
  }
}

function inRows(rows: readonly (readonly Value[])[], start: number, count: number): Value[] {
  const values: Value[] = []
  for (let index = start; index < start + count; index++) for (const value of rows[index] ?? []) values.push(value)
  return values
}

function byColumn(rows: readonly (readonly Value[])[], start: number, count: number, columns: number): Value[][] {
  return Array.from({ length: columns }, (_, column) => {
    const values: Value[] = []
    for (let index = start; index < start + count; index++) values.push(rows[index]?.[column] ?? null)
    return values
  })
}
