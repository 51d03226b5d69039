import { sql, type Expression, type RawBuilder, type SqlBool } from 'kysely'
import { InvalidRequest } from '../../errors/index.js'
import { cutPeriod, dayName, hourName, isFacet, mostGroups, reportOf } from '../report/aggregate.js'
import type { Dimension, Report, ReportQuery, ReportRow } from '../report/contract.js'
import type { Connection, Engine } from './connect.js'
import { facetKinds, words } from './dictionary.js'
import { textInRange } from './ranges.js'
import { reportOfRecords } from './report-records.js'
import { allSeries } from './rollup.js'
import { daySeconds, hourSeconds } from './spans.js'
import { readState } from './state.js'
import { sumColumns, usageColumnNames } from './sum-columns.js'
import { isSomething, minusRow, plusRow, totalsOfRow, type SumRow } from './sums.js'
import { inSnapshot, type Tx } from './transaction.js'

/** Values of a tag that had too many in a day, together. */
export const otherTagValues = '(other values)'

const plainDimensions = {
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
type GroupRow = SumRow & Readonly<Record<`g${number}`, string | number | bigint | null>>

interface Asked {
  readonly engine: Engine
  readonly query: ReportQuery
  readonly limit: number
  /** Whole hours, or days where there is a facet. */
  readonly from: number
  readonly to: number
  /** The tag, run or session that it is about. */
  readonly facet: Dimension | undefined
}

/**
 * Sums from the roll-ups: of hours and days by whom and what calls are for, and of days by one tag, run or session. What these can't tell (two tags, a tag
 * by hour) is summed from records, as long as all of them are kept. Throws `invalid_request` for what can't be told exactly any more.
 */
export async function findReport(connection: Connection, query: ReportQuery): Promise<Report> {
  const facets = [...new Set([...query.by, ...whereOf(query).map(([dimension]) => dimension)].filter(isFacet))]
  for (const dimension of [...query.by, ...whereOf(query).map(([name]) => name)])
    if (!isFacet(dimension) && !(dimension in plainDimensions) && dimension !== 'day' && dimension !== 'hour')
      throw new InvalidRequest(`"${dimension}" is nothing that a report can be grouped by.`, { path: 'by' })
  if (!(query.from <= query.to)) throw new InvalidRequest('A report is for the time from `from` to `to`, and these are not in that order.', { path: 'to' })
  const asked: Asked = {
    engine: connection.engine,
    query,
    limit: Math.max(0, Math.min(query.limit ?? mostGroups, mostGroups)),
    ...cutPeriod(query),
    facet: facets[0],
  }
  const byHour = [...query.by, ...whereOf(query).map(([dimension]) => dimension)].includes('hour')
  if (facets.length > 1 || (facets.length === 1 && byHour)) return reportOfRecords(connection, query)
  const answer = await inSnapshot(connection.engine, connection.db, (db) => (asked.facet === undefined ? plainReport(db, asked) : facetReport(db, asked, asked.facet)))
  return answer ?? reportOfRecords(connection, query)
}

/** Conditions of the query. */
function whereOf({ where }: ReportQuery): [Dimension, string][] {
  return Object.entries(where ?? {}).flatMap(([dimension, value]) => (value === undefined ? [] : [[dimension as Dimension, value]]))
}

async function plainReport(db: Tx, asked: Asked): Promise<Report> {
  const { query, limit } = asked
  const source = await spendSource(db, asked)
  const rows = await groupsOf(db, asked, source, query.by, limit + 1)
  if (rows.length <= limit) return reportOf(rows.map((row) => reportRow(row, query.by)), query)
  return cut(asked, rows.slice(0, limit), await totalOf(db, source), await countGroups(db, source, query.by))
}

/** The groups that were found, and what all others come to. */
function cut({ query }: Asked, rows: readonly GroupRow[], total: SumRow, groups: number): Report {
  const { rows: kept } = reportOf(rows.map((row) => reportRow(row, query.by)), query)
  const others = minusRow(total, rows.reduce<SumRow>(plusRow, {}))
  return { rows: kept, total: totalsOfRow(total), others: { groups: groups - kept.length, totals: totalsOfRow(others) } }
}

/**
 * A source of rows to group: sums, with `day`, `start` and the columns of the series, and `facet_value` where it has one.
 */
type Source = RawBuilder<unknown>

async function spendSource(db: Tx, asked: Asked): Promise<Source> {
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
  const columns = sql.join(sumColumns.map((name) => sql.ref(name)))
  const selects = (parts.length > 0 ? parts : [{ span: hourSeconds, from: 0, to: 0 }]).map(
    (part) => sql`select series, start, ${columns} from spend where span = ${sql.lit(part.span)} and start >= ${part.from} and start < ${part.to} ${bySeries(query) ? sql`` : sql`and series = ${sql.lit(allSeries)}`}`,
  )
  return sql`(${sql.join(selects, sql` union all `)}) as spent ${joinSeries(query)} where ${plainConditions(query)}`
}

/** The period of the query, also where it is told by a day or an hour. */
function timesOf({ from, to, query }: Asked): { readonly from: number; readonly to: number } {
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
function bySeries(query: ReportQuery): boolean {
  return [...query.by, ...whereOf(query).map(([dimension]) => dimension)].some(isPlain)
}

/** The row of all series has no series. */
function joinSeries(query: ReportQuery): RawBuilder<unknown> {
  return bySeries(query) ? sql`inner join series on series.id = spent.series` : sql``
}

function plainConditions(query: ReportQuery): Expression<SqlBool> {
  const conditions = whereOf(query).flatMap(([dimension, value]) => {
    const column = columnOf(dimension)
    return column === undefined ? [] : [sql<SqlBool>`coalesce(${column}, '') = ${textInRange(value)}`]
  })
  return conditions.length === 0 ? sql<SqlBool>`1 = 1` : sql<SqlBool>`${sql.join(conditions, sql` and `)}`
}

function columnOf(dimension: Dimension): RawBuilder<unknown> | undefined {
  return isPlain(dimension) ? sql.ref(`series.${plainDimensions[dimension]}`) : undefined
}

function isPlain(dimension: string): dimension is PlainDimension {
  return dimension in plainDimensions
}

/** What a dimension is in a source. */
function valueIn(dimension: Dimension): RawBuilder<unknown> {
  if (dimension === 'hour') return sql`start`
  if (dimension === 'day') return sql`start - start % ${sql.lit(daySeconds)}`
  const column = columnOf(dimension)
  return column === undefined ? sql`facet_value` : sql`coalesce(${column}, '')`
}

function groupedBy(by: readonly Dimension[]) {
  return by.length === 0 ? sql`` : sql`group by ${sql.join(by.map((_, index) => sql.lit(index + 1)))}`
}

const allSums = sql.join(sumColumns.map((name) => sql`sum(${sql.ref(name)}) as ${sql.ref(name)}`))

/** The largest groups, at most so many. Several dimensions of the same name are one. */
async function groupsOf(db: Tx, { query, engine }: Pick<Asked, 'query' | 'engine'>, source: Source, by: readonly Dimension[], limit: number): Promise<GroupRow[]> {
  const groups = by.map((dimension, index) => sql`${valueIn(dimension)} as ${sql.ref(`g${index}`)}, `)
  const byName = by.map((dimension, index) => (engine === 'postgresql' && dimension !== 'day' && dimension !== 'hour' ? sql`${valueIn(dimension)} collate "C"` : sql.ref(`g${index}`)))
  const order = [...orderOf(query.order ?? 'usd'), ...byName]
  const { rows } = await sql<GroupRow>`select ${sql.join(groups, sql``)} ${allSums} from ${source} ${groupedBy(by)} ${order.length > 0 && by.length > 0 ? sql`order by ${sql.join(order)}` : sql``} limit ${limit}`.execute(db)
  // What was taken back leaves nothing.
  return rows.filter(isSomething)
}

const tokens = sql.join(
  usageColumnNames.filter((name) => name !== 'web_searches').map((name) => sql`coalesce(${sql.ref(name)}, 0)`),
  sql` + `,
)

function orderOf(order: NonNullable<ReportQuery['order']>): RawBuilder<unknown>[] {
  switch (order) {
    case 'usd':
      return [sql`coalesce(sum(usd_micro), 0) + coalesce(sum(usd_rest), 0) / 1000000.0 desc`]
    case 'calls':
      return [sql`coalesce(sum(calls), 0) desc`]
    case 'tokens':
      return [sql`sum(${tokens}) desc`]
    case 'group':
      return []
  }
}

async function totalOf(db: Tx, source: Source): Promise<SumRow> {
  const { rows } = await sql<SumRow>`select ${allSums} from ${source}`.execute(db)
  return rows[0] ?? {}
}

async function countGroups(db: Tx, source: Source, by: readonly Dimension[]): Promise<number> {
  const { rows } = await sql<{ readonly groups: number | bigint }>`select count(*) as groups from (select ${sql.join(by.map((dimension, index) => sql`${valueIn(dimension)} as ${sql.ref(`g${index}`)}`))} from ${source} ${groupedBy(by)}
    having coalesce(sum(calls), 0) <> 0 or coalesce(sum(usd_micro), 0) <> 0 or coalesce(sum(usd_rest), 0) <> 0 or coalesce(sum(${tokens}), 0) <> 0) as grouped`.execute(db)
  return Number(rows[0]?.groups ?? 0)
}

function reportRow(row: GroupRow, by: readonly Dimension[]): ReportRow {
  const name = (dimension: Dimension, value: string | number | bigint | null | undefined) =>
    dimension === 'day' ? dayName(Number(value)) : dimension === 'hour' ? hourName(Number(value)) : String(value ?? '')
  return { group: Object.fromEntries(by.map((dimension, index) => [dimension, name(dimension, row[`g${index}`])])), totals: totalsOfRow(row) }
}

/** `undefined` when the roll-ups don't have it. */
async function facetReport(db: Tx, asked: Asked, facet: Dimension): Promise<Report | undefined> {
  const { query, limit } = asked
  const wanted = whereOf(query).find(([dimension]) => dimension === facet)?.[1]
  const source = await facetSource(db, asked, facet, wanted)
  if (source === undefined) return undefined
  const spend = await spendSource(db, asked)
  const rest = query.by.filter((dimension) => dimension !== facet)

  const rows = wanted === '' ? [] : await groupsOf(db, asked, source, query.by, limit + 1)
  if (wanted !== undefined && wanted !== '') {
    if (rows.length <= limit) return reportOf(rows.map((row) => reportRow(row, query.by)), query)
    return cut(asked, rows.slice(0, limit), await totalOf(db, source), await countGroups(db, source, query.by))
  }
  // Calls without it are what all calls come to, less those with it.
  const all = await groupsOf(db, asked, spend, rest, mostGroups + 1)
  const having = await groupsOf(db, asked, source, rest, mostGroups + 1)
  if (all.length > mostGroups) throw new InvalidRequest(`These are more than ${mostGroups} groups. Ask for a shorter time, or by less.`, { path: 'by' })
  const without = withoutFacet(all, having, rest.length).map((row) => placed(row, query.by, facet))
  const total = wanted === '' ? without.reduce<SumRow>(plusRow, {}) : all.reduce<SumRow>(plusRow, {})
  if (rows.length <= limit) return reportOf([...rows, ...without].map((row) => reportRow(row, query.by)), query)
  const groups = (await countGroups(db, source, query.by)) + without.length
  const { rows: kept } = reportOf([...rows, ...without].map((row) => reportRow(row, query.by)), { ...query, limit })
  const shown = new Set(kept.map(({ group }) => JSON.stringify(group)))
  return cut(asked, [...rows, ...without].filter((row) => shown.has(JSON.stringify(reportRow(row, query.by).group))), total, groups)
}

/** Groups of the dimensions beside the facet, less what calls with the facet come to. */
function withoutFacet(all: readonly GroupRow[], having: readonly GroupRow[], dimensions: number): GroupRow[] {
  const nameOf = (row: GroupRow) => JSON.stringify(Array.from({ length: dimensions }, (_, index) => String(row[`g${index}`])))
  const known = new Map(having.map((row) => [nameOf(row), row]))
  return all.flatMap((row) => {
    const left = { ...row, ...minusRow(row, known.get(nameOf(row)) ?? {}) }
    return isSomething(left) ? [left] : []
  })
}

/** A row of the other dimensions, with nothing in the facet's place. */
function placed(row: GroupRow, by: readonly Dimension[], facet: Dimension): GroupRow {
  const values: Record<`g${number}`, string | number | bigint | null> = {}
  let other = 0
  by.forEach((dimension, index) => (values[`g${index}`] = dimension === facet ? '' : (row[`g${other++}`] ?? null)))
  return { ...row, ...values }
}

/** Rows of the facet; `undefined` when its values in these days aren't all told apart. */
async function facetSource(db: Tx, asked: Asked, facet: Dimension, wanted: string | undefined): Promise<Source | undefined> {
  const { query } = asked
  const { from, to } = timesOf(asked)
  const kind = facet === 'run' || facet === 'session' ? facet : 'tag'
  // A value that is empty is as good as none: it counts with those that have none.
  const conditions = [sql<SqlBool>`(facets.value <> '' or facets.kind > ${sql.lit(facetKinds.tag)})`]
  if (wanted !== undefined && wanted !== '') conditions.push(sql<SqlBool>`facets.value = ${textInRange(wanted)}`)
  if (kind === 'tag') {
    const [word] = await words.find(db, [textInRange(facet.slice('tag:'.length))])
    const scope = word?.[1] ?? -1
    const hidden = await hiddenTags(db, from, to, scope)
    if (hidden.names || (hidden.values && wanted !== undefined && wanted !== '')) return undefined
    conditions.push(sql<SqlBool>`facets.scope = ${scope}`)
    conditions.push(bySeries(query) ? sql<SqlBool>`facet_days.series <> ${sql.lit(allSeries)}` : sql<SqlBool>`facet_days.series = ${sql.lit(allSeries)}`)
  }
  const value = kind === 'tag' ? sql`case when facets.kind = ${sql.lit(facetKinds.tag)} then facets.value else ${sql.lit(otherTagValues)} end` : sql`facets.value`
  const columns = sql.join(sumColumns.map((name) => sql.ref(`facet_days.${name}`)))
  return sql`(select facet_days.series, facet_days.day as start, ${value} as facet_value, ${columns} from facet_days inner join facets on facets.id = facet_days.facet
    where facet_days.kind = ${sql.lit(facetKinds[kind])} and facet_days.day >= ${from} and facet_days.day < ${to} and ${sql.join(conditions, sql` and `)}) as spent
    ${joinSeries(query)} where ${plainConditions(query)}`
}

/** Whether in these days some names, or some values of this name, had no sums of their own. */
async function hiddenTags(db: Tx, from: number, to: number, scope: number): Promise<{ readonly names: boolean; readonly values: boolean }> {
  const rows = await db
    .selectFrom('facets')
    .select(['id', 'scope'])
    .where('kind', '=', facetKinds.tag + 1)
    .where('value', '=', '')
    .where('scope', 'in', [0, scope])
    .execute()
  const there = async (id: number) =>
    (await db.selectFrom('facet_days').select('facet').where('kind', '=', facetKinds.tag).where('facet', '=', id).where('day', '>=', from).where('day', '<', to).limit(1).executeTakeFirst()) !== undefined
  let [names, values] = [false, false]
  for (const row of rows)
    if (await there(Number(row.id))) {
      if (Number(row.scope) === 0) names = true
      else values = true
    }
  return { names, values }
}
