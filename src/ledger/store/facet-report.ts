import { sql, type SqlBool } from 'kysely'
import { InvalidRequest } from '../../errors/index.js'
import { mostGroups, reportOf } from '../report/aggregate.js'
import type { Dimension, Report } from '../report/contract.js'
import { facetKinds, words } from './dictionary.js'
import { textInRange } from './ranges.js'
import { bySeries, countGroups, cut, groupsOf, joinSeries, plainConditions, reportRow, spendSource, timesOf, totalOf, whereOf, type Asked, type GroupRow, type Source } from './report-source.js'
import { allSeries } from './rollup.js'
import { sumColumns } from './sum-columns.js'
import { isSomething, minusRow, plusRow, type SumRow } from './sums.js'
import type { Tx } from './transaction.js'

/** Values of a tag that had too many in a day, together. */
export const otherTagValues = '(other values)'

/** `undefined` when the roll-ups don't have it. */
export async function facetReport(db: Tx, asked: Asked, facet: Dimension): Promise<Report | undefined> {
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
