import { InvalidRequest } from '../../errors/index.js'
import { cutPeriod, isFacet, mostGroups, reportOf } from '../report/aggregate.js'
import type { Report, ReportQuery } from '../report/contract.js'
import type { Connection } from './connect.js'
import { facetReport } from './facet-report.js'
import { reportOfRecords } from './report-records.js'
import {
  countGroups,
  cut,
  groupsOf,
  plainDimensions,
  reportRow,
  spendSource,
  totalOf,
  usedColumns,
  whereOf,
  type Asked,
} from './report-source.js'
import { inSnapshot, type Tx } from './transaction.js'

/**
 * Sums from the roll-ups: of hours and days by whom and what calls are for, and of days by one tag, run or session. What these can't tell (two tags, a tag
 * by hour) is summed from records, as long as all of them are kept. Throws `invalid_request` for what can't be told exactly any more.
 */
export async function findReport(connection: Connection, query: ReportQuery): Promise<Report> {
  const facets = [...new Set([...query.by, ...whereOf(query).map(([dimension]) => dimension)].filter(isFacet))]
  for (const dimension of [...query.by, ...whereOf(query).map(([name]) => name)])
    if (!isFacet(dimension) && !(dimension in plainDimensions) && dimension !== 'day' && dimension !== 'hour')
      throw new InvalidRequest(`"${dimension}" is nothing that a report can be grouped by.`, { path: 'by' })
  if (!(query.from <= query.to))
    throw new InvalidRequest('A report is for the time from `from` to `to`, and these are not in that order.', { path: 'to' })
  const asked: Omit<Asked, 'columns'> = {
    engine: connection.engine,
    query,
    limit: Math.max(0, Math.min(query.limit ?? mostGroups, mostGroups)),
    ...cutPeriod(query),
    facet: facets[0],
  }
  const byHour = [...query.by, ...whereOf(query).map(([dimension]) => dimension)].includes('hour')
  if (facets.length > 1 || (facets.length === 1 && byHour)) return reportOfRecords(connection, query)
  const answer = await inSnapshot(connection.engine, connection.db, async (db) => {
    const inUse = { ...asked, columns: await usedColumns(db) }
    return asked.facet === undefined ? plainReport(db, inUse) : facetReport(db, inUse, asked.facet)
  })
  return answer ?? reportOfRecords(connection, query)
}

async function plainReport(db: Tx, asked: Asked): Promise<Report> {
  const { query, limit } = asked
  const source = await spendSource(db, asked)
  const rows = await groupsOf(db, asked, source, query.by, limit + 1)
  if (rows.length <= limit)
    return reportOf(
      rows.map((row) => reportRow(row, query.by)),
      query,
    )
  // All groups together are few rows where nothing but the groups tells callers or models apart.
  const total = await totalOf(
    db,
    asked,
    await spendSource(db, { ...asked, query: { ...query, by: query.by.filter((dimension) => dimension === 'hour') } }),
  )
  return cut(asked, rows.slice(0, limit), total, await countGroups(db, asked, source, query.by))
}
