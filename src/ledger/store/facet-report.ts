import { sql, type Expression, type SqlBool } from 'kysely'
import { InvalidRequest } from '../../errors/index.js'
import { mostGroups, reportOf } from '../report/aggregate.js'
import type { Dimension, Report } from '../report/contract.js'
import { facetKinds, padded, words, type FacetKind } from './dictionary.js'
import { textInRange } from './ranges.js'
import {
  bySeries,
  columnsOf,
  countGroups,
  cut,
  groupsOf,
  isPlain,
  joinSeries,
  plainConditions,
  rankOf,
  reportRow,
  spendSource,
  sumsOf,
  timesOf,
  totalOf,
  whereOf,
  type Asked,
  type GroupRow,
  type Source,
} from './report-source.js'
import { allFacets, allSeries } from './rollup.js'
import { readState } from './state.js'
import { isSomething, minusRow, sumOfRows } from './sums.js'
import type { Tx } from './transaction.js'

/** Values of a tag that had too many in a day, together. */
export const otherTagValues = '(other values)'

/** `undefined` when the roll-ups don't have it. */
export async function facetReport(db: Tx, asked: Asked, facet: Dimension): Promise<Report | undefined> {
  const { query, limit } = asked
  const wanted = whereOf(query).find(([dimension]) => dimension === facet)?.[1]
  const source = await facetSource(db, asked, facet, wanted)
  if (source === undefined) return undefined
  const rest = query.by.filter((dimension) => dimension !== facet)

  const largest = wanted === undefined ? await largestFacets(db, asked, facet) : undefined
  const rows = largest?.rows ?? (wanted === '' ? [] : await groupsOf(db, asked, source, query.by, limit + 1))
  if (wanted !== undefined && wanted !== '') {
    if (rows.length <= limit)
      return reportOf(
        rows.map((row) => reportRow(row, query.by)),
        query,
      )
    return cut(asked, rows.slice(0, limit), await totalOf(db, asked, source), await countGroups(db, asked, source, query.by))
  }
  // Calls without it are what all calls come to, less those with it.
  const all = await groupsOf(db, asked, await spendSource(db, { ...asked, query: { ...query, by: rest } }), rest, mostGroups + 1)
  if (all.length > mostGroups)
    throw new InvalidRequest(`These are more than ${mostGroups} groups. Ask for a shorter time, or by less.`, { path: 'by' })
  const complete = wanted === undefined && largest === undefined && rows.length <= limit
  const having = largest?.having ?? (complete ? foldFacet(rows, query.by, facet) : await groupsOf(db, asked, source, rest, mostGroups + 1))
  const without = withoutFacet(all, having, rest.length).map((row) => placed(row, query.by, facet))
  const total = wanted === '' ? sumOfRows(without) : sumOfRows(all)
  if (rows.length <= limit)
    return reportOf(
      [...rows, ...without].map((row) => reportRow(row, query.by)),
      query,
    )
  const groups = (largest?.groups ?? (await countGroups(db, asked, source, query.by))) + without.length
  const { rows: kept } = reportOf(
    [...rows, ...without].map((row) => reportRow(row, query.by)),
    { ...query, limit },
  )
  const shown = new Set(kept.map(({ group }) => JSON.stringify(group)))
  return cut(
    asked,
    [...rows, ...without].filter((row) => shown.has(JSON.stringify(reportRow(row, query.by).group))),
    total,
    groups,
  )
}

/** Groups of the dimensions beside the facet, from all groups with it. */
function foldFacet(rows: readonly GroupRow[], by: readonly Dimension[], facet: Dimension): GroupRow[] {
  const others = by.flatMap((dimension, index) => (dimension === facet ? [] : [index]))
  const groups = new Map<string, GroupRow[]>()
  for (const row of rows) {
    const name = JSON.stringify(others.map((index) => String(row[`g${index}`])))
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [row])
    else group.push(row)
  }
  return [...groups.values()].map((group) => ({
    ...sumOfRows(group),
    ...Object.fromEntries(others.map((index, place) => [`g${place}`, group[0]?.[`g${index}`] ?? null] as const)),
  }))
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
  const kind = facet === 'run' || facet === 'session' ? facet : 'tag'
  const value = wanted === undefined || wanted === '' ? undefined : textInRange(wanted)
  const conditions: Expression<SqlBool>[] = []
  if (kind === 'tag') {
    const { from, to } = timesOf(asked)
    const [word] = await words.find(db, [textInRange(facet.slice('tag:'.length))])
    const scope = word?.[1] ?? -1
    const hidden = await hiddenTags(db, from, to, scope)
    if (hidden.names || (hidden.values && value !== undefined)) return undefined
    // A value that is empty is as good as none: it counts with those that have none. Those beyond the bound have one facet of another kind.
    const values = value === undefined ? sql`(value <> '' or kind > ${sql.lit(facetKinds.tag)})` : sql`value = ${value}`
    conditions.push(
      sql<SqlBool>`facet in (select id from facets where kind >= ${sql.lit(facetKinds.tag)} and scope = ${scope} and ${values})`,
    )
    conditions.push(bySeries(query) ? sql<SqlBool>`series <> ${sql.lit(allSeries)}` : sql<SqlBool>`series = ${sql.lit(allSeries)}`)
  } else {
    conditions.push(
      value === undefined
        ? sql<SqlBool>`facet <> ${sql.lit(allFacets)} and not ${withoutName(kind)}`
        : sql<SqlBool>`facet in (select id from facets where value = ${value} and kind = ${sql.lit(facetKinds[kind])})`,
    )
  }
  const name =
    kind === 'tag'
      ? sql`case when facets.kind = ${sql.lit(facetKinds.tag)} then facets.value else ${sql.lit(otherTagValues)} end`
      : sql`facets.value`
  const byDay = query.by.includes('day')
  const place = byDay ? sql`series, facet, day` : sql`series, facet`
  const columns = columnsOf(asked)
  // Facets and series are names of texts: what can be added up by their numbers is, before the texts are looked up.
  const summed = sql`select ${place}${sumsOf(columns)} from facet_days where ${ofDays(asked, kind)} and ${sql.join(conditions, sql` and `)} group by ${place}`
  return sql`(select summed.series, ${byDay ? sql`summed.day as start, ` : sql``}${name} as facet_value${sql.join([sql``, ...columns.map((column) => sql.ref(`summed.${column}`))])}
    from (${summed}) as summed inner join facets on facets.id = summed.facet) as spent
    ${joinSeries(query)} where ${plainConditions(query)}`
}

/** Rows of one kind of facet in the days of the query, of the callers and models that it asks for. */
function ofDays(asked: Asked, kind: FacetKind): Expression<SqlBool> {
  const { from, to } = timesOf(asked)
  const plain = whereOf(asked.query).some(([dimension]) => isPlain(dimension))
  const callers = plain ? sql`and series in (select series.id from series where ${plainConditions(asked.query)})` : sql``
  return sql<SqlBool>`kind = ${sql.lit(facetKinds[kind])} and day >= ${from} and day < ${to} ${callers}`
}

/** Runs or sessions whose name is empty are as good as none. */
function withoutName(kind: 'run' | 'session'): Expression<SqlBool> {
  return sql<SqlBool>`facet in (select id from facets where value = '' and kind = ${sql.lit(facetKinds[kind])})`
}

/** Most groups that are found by what they come to first. */
const mostLargest = 1000
/** Groups beyond those asked for that are looked at, to tell those alike by their names. */
const alike = 20

interface Largest {
  readonly rows: GroupRow[]
  readonly having: GroupRow[]
  readonly groups: number
}

/**
 * The largest of very many runs or sessions: one pass over what they are put in order by, and their other sums for those alone. `undefined` where that
 * doesn't tell: names that several keys have used, groups that are alike at the limit, or that came to nothing.
 */
async function largestFacets(db: Tx, asked: Asked, facet: Dimension): Promise<Largest | undefined> {
  const { query, limit } = asked
  const rank = rankOf(query.order ?? 'usd', asked)
  if (
    (facet !== 'run' && facet !== 'session') ||
    query.by.length !== 1 ||
    query.by[0] !== facet ||
    limit > mostLargest ||
    rank === undefined
  )
    return undefined
  if ((await readState(db, 'shared_names')) !== 0) return undefined
  const { rows: ranked } = await sql<{ readonly facet: Numeric; readonly size: Numeric; readonly without_calls: Numeric }>`
    with sums as materialized (
      select facet, ${rank} as size, case when coalesce(sum(calls), 0) = 0 then 1 else 0 end as without_calls from facet_days where ${allOf(asked, facet)} group by facet)
    select facet, size, without_calls from (select facet, size, without_calls from sums order by size desc limit ${limit + alike}) as largest
    union all select -1, count(*), coalesce(sum(without_calls), 0) from sums`.execute(db)
  const sizes = ranked.filter((row) => Number(row.facet) !== -1)
  const all = ranked.find((row) => Number(row.facet) === -1)
  if (all === undefined || Number(all.without_calls) > 0) return undefined
  const groups = Number(all.size)
  if (groups > sizes.length && Number(sizes[limit - 1]?.size) === Number(sizes.at(-1)?.size)) return undefined
  return {
    rows: await namedFacets(
      db,
      asked,
      facet,
      sizes.map((row) => Number(row.facet)),
    ),
    having: [await sumOfFacets(db, asked, facet)],
    groups,
  }
}

type Numeric = number | bigint | string | null

/** All rows of runs or sessions that have a name. */
function allOf(asked: Asked, kind: 'run' | 'session'): Expression<SqlBool> {
  return sql<SqlBool>`${ofDays(asked, kind)} and facet <> ${sql.lit(allFacets)} and not ${withoutName(kind)}`
}

/** Sums of these runs or sessions, by their names. */
async function namedFacets(db: Tx, asked: Asked, kind: 'run' | 'session', ids: readonly number[]): Promise<GroupRow[]> {
  if (ids.length === 0) return []
  const columns = columnsOf(asked)
  const { rows } =
    await sql<GroupRow>`select facets.value as g0${sql.join([sql``, ...columns.map((column) => sql.ref(`summed.${column}`))])}
    from (select facet${sumsOf(columns)} from facet_days where facet in (${sql.join(padded(ids))}) and ${ofDays(asked, kind)} group by facet) as summed
    inner join facets on facets.id = summed.facet`.execute(db)
  return rows
}

/** What all runs or sessions come to: from the sums of all of them, unless some callers or those without a name are left out. */
async function sumOfFacets(db: Tx, asked: Asked, kind: 'run' | 'session'): Promise<GroupRow> {
  const { rows: nameless } = await sql`select id from facets where value = '' and kind = ${sql.lit(facetKinds[kind])} limit 1`.execute(db)
  const whole = nameless.length === 0 && !whereOf(asked.query).some(([dimension]) => isPlain(dimension))
  const rows = whole ? sql`${ofDays(asked, kind)} and facet = ${sql.lit(allFacets)} and series = ${sql.lit(allSeries)}` : allOf(asked, kind)
  const sums = sql.join(columnsOf(asked).map((name) => sql`sum(${sql.ref(name)}) as ${sql.ref(name)}`))
  const { rows: answered } = await sql<GroupRow>`select ${sums} from facet_days where ${rows}`.execute(db)
  return answered[0] ?? {}
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
    (await db
      .selectFrom('facet_days')
      .select('facet')
      .where('kind', '=', facetKinds.tag)
      .where('facet', '=', id)
      .where('day', '>=', from)
      .where('day', '<', to)
      .limit(1)
      .executeTakeFirst()) !== undefined
  let [names, values] = [false, false]
  for (const row of rows)
    if (await there(Number(row.id))) {
      if (Number(row.scope) === 0) names = true
      else values = true
    }
  return { names, values }
}
