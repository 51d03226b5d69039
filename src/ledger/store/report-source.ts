import { sql, type Expression, type RawBuilder, type SqlBool } from 'kysely'
import { InvalidRequest } from '../../errors/index.js'
import { dayName, hourName, reportOf } from '../report/aggregate.js'
import type { Dimension, Report, ReportQuery, ReportRow } from '../report/contract.js'
import type { Engine } from './connect.js'
import { textInRange } from './ranges.js'
import { allSeries } from './rollup.js'
import { daySeconds, hourSeconds } from './spans.js'
import { readState } from './state.js'
import { sumColumns, usageColumnNames, type SumColumn } from './sum-columns.js'
import { isSomething, minusRow, sumOfRows, totalsOfRow, type SumRow } from './sums.js'
import type { Tx } from './transaction.js'

export const plainDimensions = {
  organisation: 'organisation',
  team: 'team',
  user: 'user_id',
  key: 'key',
  provider: 'provider',
  deployment: 'deployment',
  model: 'model',
  requested_model: 'requested_model',
} as const
type PlainDimension = keyof typeof plainDimensions

/** A group as a query answers it: `g0`, `g1` … are its values in the order of `by`. */
export type GroupRow = SumRow & Readonly<Record<`g${number}`, string | number | bigint | null>>

/** A query with what follows from it. */
export interface Asked {
  readonly engine: Engine
  readonly query: ReportQuery
  readonly limit: number
  /** Whole hours, or days where there is a facet. */
  readonly from: number
  readonly to: number
  /** The tag, run or session that it is about. */
  readonly facet: Dimension | undefined
  /** Columns in which any row has a value: the others are nothing to add up. */
  readonly columns: readonly SumColumn[]
}

/** Columns that any row of sums has a value in: the row of all time tells (see `Rollup.write`). */
export async function usedColumns(db: Tx): Promise<readonly SumColumn[]> {
  const row = await db
    .selectFrom('spend')
    .select(sumColumns)
    .where('span', '=', 0)
    .where('start', '=', 0)
    .where('series', '=', allSeries)
    .executeTakeFirst()
  return row === undefined ? [] : sumColumns.filter((name) => row[name] !== null)
}

/** Conditions of the query. */
export function whereOf({ where }: ReportQuery): [Dimension, string][] {
  return Object.entries(where ?? {}).flatMap(([dimension, value]) => (value === undefined ? [] : [[dimension as Dimension, value]]))
}

/** The groups that were found, and what all others come to. */
export function cut({ query }: Asked, rows: readonly GroupRow[], total: SumRow, groups: number): Report {
  const { rows: kept } = reportOf(
    rows.map((row) => reportRow(row, query.by)),
    query,
  )
  const others = minusRow(total, sumOfRows(rows))
  return { rows: kept, total: totalsOfRow(total), others: { groups: groups - kept.length, totals: totalsOfRow(others) } }
}

/**
 * A source of rows to group: sums, with `day`, `start` and the columns of the series, and `facet_value` where it has one.
 */
export type Source = RawBuilder<unknown>

export async function spendSource(db: Tx, asked: Asked): Promise<Source> {
  const { query } = asked
  const { from, to } = timesOf(asked)
  const byHour = query.by.includes('hour')
  const firstDay = byHour ? to : Math.min(to, Math.ceil(from / daySeconds) * daySeconds)
  const lastDay = byHour ? to : Math.max(firstDay, Math.floor(to / daySeconds) * daySeconds)
  const parts = [
    { span: hourSeconds, from, to: firstDay },
    { span: daySeconds, from: firstDay, to: lastDay },
    { span: hourSeconds, from: lastDay, to },
  ].filter((part) => part.from < part.to)
  const kept = await readState(db, 'hours_from')
  if (parts.some((part) => part.span === hourSeconds && part.from < kept))
    throw new InvalidRequest(`Sums of single hours are kept from ${dayName(kept)} on. Ask for whole days before that.`, { path: 'from' })
  // Series are names of texts: what can be added up by their numbers is, before the texts are looked up.
  const byTime = query.by.includes('day') || byHour
  const place = byTime ? sql`series, start` : sql`series`
  const columns = columnsOf(asked)
  const selects = (parts.length > 0 ? parts : [{ span: hourSeconds, from: 0, to: 0 }]).map(
    (part) =>
      sql`select ${place}${sql.join([sql``, ...columns.map((name) => sql.ref(name))])} from spend where span = ${sql.lit(part.span)} and start >= ${part.from} and start < ${part.to} ${bySeries(query) ? sql`` : sql`and series = ${sql.lit(allSeries)}`}`,
  )
  const all = sql`(${sql.join(selects, sql` union all `)})`
  const summed = byTime ? sql`${all} as spent` : sql`(select series${sumsOf(columns)} from ${all} as parts group by series) as spent`
  return sql`${summed} ${joinSeries(query)} where ${plainConditions(query)}`
}

const ranked = ['calls', 'usd_micro', 'usd_rest'] as const satisfies readonly SumColumn[]

/** Columns that a source has: those in use, and those that groups are put in order by. */
export function columnsOf({ columns }: Pick<Asked, 'columns'>): readonly SumColumn[] {
  return [...new Set([...ranked, ...columns])]
}

/** Sums of these columns, each after a comma. */
export function sumsOf(columns: readonly SumColumn[]): RawBuilder<unknown> {
  return sql.join([sql``, ...columns.map((name) => sql`sum(${sql.ref(name)}) as ${sql.ref(name)}`)])
}

/** The period of the query, also where it is told by a day or an hour. */
export function timesOf({ from, to, query }: Asked): { readonly from: number; readonly to: number } {
  for (const [dimension, value] of whereOf(query)) {
    if (dimension !== 'day' && dimension !== 'hour') continue
    const start = Date.parse(value) / 1000
    const seconds = dimension === 'day' ? daySeconds : hourSeconds
    if (!Number.isFinite(start) || (dimension === 'day' ? dayName(start) : hourName(start)) !== value) return { from, to: from }
    from = Math.max(from, start)
    to = Math.max(from, Math.min(to, start + seconds))
  }
  return { from, to }
}

/** Whether callers or models are told apart. */
export function bySeries(query: ReportQuery): boolean {
  return [...query.by, ...whereOf(query).map(([dimension]) => dimension)].some(isPlain)
}

/** The row of all series has no series. */
export function joinSeries(query: ReportQuery): RawBuilder<unknown> {
  return bySeries(query) ? sql`inner join series on series.id = spent.series` : sql``
}

export function plainConditions(query: ReportQuery): Expression<SqlBool> {
  const conditions = whereOf(query).flatMap(([dimension, value]) => {
    const column = textOf(dimension)
    return column === undefined ? [] : [sql<SqlBool>`coalesce(${column}, '') = ${textInRange(value)}`]
  })
  return conditions.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`${sql.join(conditions, sql` and `)}`
}

function textOf(dimension: Dimension): RawBuilder<unknown> | undefined {
  return isPlain(dimension) ? sql.ref(`series.${plainDimensions[dimension]}`) : undefined
}

export function isPlain(dimension: string): dimension is PlainDimension {
  return dimension in plainDimensions
}

/** What a dimension is in a source. */
function valueIn(dimension: Dimension): RawBuilder<unknown> {
  if (dimension === 'hour') return sql`start`
  if (dimension === 'day') return sql`start - start % ${sql.lit(daySeconds)}`
  const column = textOf(dimension)
  return column === undefined ? sql`facet_value` : sql`coalesce(${column}, '')`
}

function groupedBy(by: readonly Dimension[]) {
  return by.length === 0 ? sql`` : sql`group by ${sql.join(by.map((_, index) => sql.lit(index + 1)))}`
}

/** The largest groups, at most so many. Several dimensions of the same name are one. */
export async function groupsOf(db: Tx, asked: Asked, source: Source, by: readonly Dimension[], limit: number): Promise<GroupRow[]> {
  const { query, engine } = asked
  const groups = by.map((dimension, index) => sql`${valueIn(dimension)} as ${sql.ref(`g${index}`)}, `)
  const byName = by.map((dimension, index) =>
    engine === 'postgresql' && dimension !== 'day' && dimension !== 'hour' ? sql`${valueIn(dimension)} collate "C"` : sql.ref(`g${index}`),
  )
  const rank = rankOf(query.order ?? 'usd', asked)
  const order = [
    ...(rank === undefined ? [] : [sql`${rank} desc`]),
    ...(query.order === undefined || query.order === 'usd' ? exactDollars : []),
    ...byName,
  ]
  const sums = sql.join(columnsOf(asked).map((name) => sql`sum(${sql.ref(name)}) as ${sql.ref(name)}`))
  const { rows } =
    await sql<GroupRow>`select ${sql.join(groups, sql``)} ${sums} from ${source} ${groupedBy(by)} ${order.length > 0 && by.length > 0 ? sql`order by ${sql.join(order)}` : sql``} limit ${limit}`.execute(
      db,
    )
  // What was taken back leaves nothing.
  return rows.filter(isSomething)
}

const rest = sql`coalesce(sum(usd_rest), 0)`
/** Which of two is dearer where `rankOf` finds them alike: SQLite divides in floating point, which has no picodollars beyond some thousand dollars. */
const exactDollars = [sql`coalesce(sum(usd_micro), 0) + (${rest} - ${rest} % 1000000) / 1000000 desc`, sql`${rest} % 1000000 desc`]

/** All tokens of a row. */
export function tokensOf(asked: Pick<Asked, 'columns'>): RawBuilder<unknown> {
  const names = usageColumnNames.filter((name) => name !== 'web_searches' && asked.columns.includes(name))
  return names.length === 0
    ? sql`0`
    : sql.join(
        names.map((name) => sql`coalesce(${sql.ref(name)}, 0)`),
        sql` + `,
      )
}

/** What groups are put in order by, the largest first; nothing for the order of their names. */
export function rankOf(order: NonNullable<ReportQuery['order']>, asked: Pick<Asked, 'columns'>): RawBuilder<unknown> | undefined {
  switch (order) {
    case 'usd':
      return sql`coalesce(sum(usd_micro), 0) + coalesce(sum(usd_rest), 0) / 1000000.0`
    case 'calls':
      return sql`coalesce(sum(calls), 0)`
    case 'tokens':
      return sql`sum(${tokensOf(asked)})`
    case 'group':
      return undefined
  }
}

export async function totalOf(db: Tx, asked: Asked, source: Source): Promise<SumRow> {
  const { rows } =
    await sql<SumRow>`select ${sql.join(columnsOf(asked).map((name) => sql`sum(${sql.ref(name)}) as ${sql.ref(name)}`))} from ${source}`.execute(
      db,
    )
  return rows[0] ?? {}
}

export async function countGroups(db: Tx, asked: Asked, source: Source, by: readonly Dimension[]): Promise<number> {
  const { rows } = await sql<{
    readonly groups: number | bigint
  }>`select count(*) as groups from (select ${sql.join(by.map((dimension, index) => sql`${valueIn(dimension)} as ${sql.ref(`g${index}`)}`))} from ${source} ${groupedBy(by)}
    having coalesce(sum(calls), 0) <> 0 or coalesce(sum(usd_micro), 0) * 1000000 + coalesce(sum(usd_rest), 0) <> 0 or coalesce(sum(${tokensOf(asked)}), 0) <> 0) as grouped`.execute(
    db,
  )
  return Number(rows[0]?.groups ?? 0)
}

export function reportRow(row: GroupRow, by: readonly Dimension[]): ReportRow {
  const name = (dimension: Dimension, value: string | number | bigint | null | undefined) =>
    dimension === 'day' ? dayName(Number(value)) : dimension === 'hour' ? hourName(Number(value)) : String(value ?? '')
  return {
    group: Object.fromEntries(by.map((dimension, index) => [dimension, name(dimension, row[`g${index}`])])),
    totals: totalsOfRow(row),
  }
}
