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
const mostRows = 5000
/** Texts kept of one target. Sets of columns are few; should they ever be many, they are made anew. */
const mostTexts = 100

/**
 * Writes many rows in few statements, whose texts are compiled once for each target: embedded as lists of values, to PostgreSQL as one array
 * a column. Columns in which no row has a value are left out: each costs, and calls have many that are hardly ever used.
 */
export class BulkWriter {
  private readonly texts = new WeakMap<BulkTarget, Map<string, string>>()

  constructor(private readonly engine: Engine) {}

  /** Rows have their values in the order of the target's columns. Answers the columns of `returning`, where that is asked for. */
  async write<Row = never>(tx: Tx, target: BulkTarget, rows: readonly (readonly Value[])[]): Promise<Row[]> {
    if (rows.length === 0) return []
    const answers: Row[] = []
    const used = usedColumns(rows, target.columns.length)
    for (let start = 0; start < rows.length;) {
      const count =
        this.engine === 'postgresql'
          ? Math.min(mostRows, rows.length - start)
          : (rowCounts.find((many) => rows.length - start >= many) ?? 1)
      const parameters = this.engine === 'postgresql' ? byColumn(target, rows, start, count, used) : inRows(rows, start, count, used)
      const { rows: answered } = await tx.executeQuery<Row>(
        CompiledQuery.raw(this.textOf(tx, target, used, this.engine === 'postgresql' ? 0 : count), parameters),
      )
      for (const row of answered) answers.push(row)
      start += count
    }
    return answers
  }

  private textOf(tx: Tx, target: BulkTarget, used: readonly number[], count: number): string {
    let texts = this.texts.get(target)
    if (texts === undefined) this.texts.set(target, (texts = new Map<string, string>()))
    const name = `${count} ${used.join(' ')}`
    let text = texts.get(name)
    if (text === undefined) {
      if (texts.size >= mostTexts) texts.clear()
      texts.set(name, (text = this.compile(tx, target, used, count)))
    }
    return text
  }

  private compile(tx: Tx, { table, columns, conflict, returning }: BulkTarget, used: readonly number[], count: number): string {
    const written = used.flatMap((index) => (columns[index] === undefined ? [] : [columns[index]]))
    const names = sql.join(written.map(([name]) => sql.ref(name)))
    const source =
      this.engine === 'postgresql'
        ? sql`select * from unnest(${sql.join(written.map(([, kind]) => sql`${null}::${sql.raw(kind)}[]`))})`
        : sql`values ${sql.join(Array.from({ length: count }, () => sql`(${sql.join(written.map(() => sql`${null}`))})`))}`
    // SQLite takes the `on` after a `select` for a part of a join; after `values` it doesn't.
    return sql`insert into ${sql.table(table)} (${names}) ${source} ${sql.raw(conflict ?? '')} ${sql.raw(returning === undefined ? '' : `returning ${returning}`)}`.compile(
      tx,
    ).sql
  }
}

/** Places of the columns in which some row has a value. */
function usedColumns(rows: readonly (readonly Value[])[], columns: number): number[] {
  const used: number[] = []
  for (let column = 0; column < columns; column++) if (rows.some((row) => row[column] !== null)) used.push(column)
  return used
}

function inRows(rows: readonly (readonly Value[])[], start: number, count: number, used: readonly number[]): Value[] {
  const values: Value[] = []
  for (let index = start; index < start + count; index++) {
    const row = rows[index]
    for (const column of used) values.push(row?.[column] ?? null)
  }
  return values
}

/** Each column as the text of an array: the driver's own way of writing arrays takes several times as long. */
function byColumn(
  { columns }: BulkTarget,
  rows: readonly (readonly Value[])[],
  start: number,
  count: number,
  used: readonly number[],
): string[] {
  return used.map((column) => {
    const plain = columns[column]?.[1] !== 'text'
    let text = '{'
    for (let index = start; index < start + count; index++) {
      const value = rows[index]?.[column] ?? null
      if (index > start) text += ','
      if (value === null) text += 'NULL'
      else if (typeof value === 'string') text += plain ? value : `"${escaped(value)}"`
      else if (typeof value === 'object') text += `"\\\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}"`
      else text += String(value)
    }
    return `${text}}`
  })
}

function escaped(text: string): string {
  return special.test(text) ? text.replace(/["\\]/g, '\\$&') : text
}
const special = /["\\]/
