import { setImmediate } from 'node:timers/promises'
import { InvalidRequest } from '../../errors/index.js'
import { addTotals, cutPeriod, dayName, noTotals, reportOf, totalsOfCall, totalsOfCorrection, valueOf } from '../report/aggregate.js'
import type { Dimension, Report, ReportQuery, ReportTotals } from '../report/contract.js'
import { callOfRow, lastCounted, rowKinds } from './call-rows.js'
import type { Connection } from './connect.js'
import { selectCalls } from './queries.js'
import { readState } from './state.js'

/** Most records that one report sums. */
const mostRecords = 300_000
const pageSize = 2000

/**
 * Sums from records: for what the roll-ups don't tell. In pages, between which others have their turn. Throws `invalid_request` when
 * records of the period have been removed, or are too many. O(records of the period).
 */
export async function reportOfRecords({ db }: Connection, query: ReportQuery): Promise<Report> {
  const { from, to } = cutPeriod(query)
  const kept = await readState(db, 'raw_from')
  if (from < kept)
    throw new InvalidRequest(
      `This combination is summed from records, which are kept from ${dayName(kept)} on. Ask for a later time, or by fewer of tag, run, session and hour.`,
      { path: 'from' },
    )
  const groups = new Map<string, { readonly group: Record<string, string>; totals: ReportTotals }>()
  const conditions = Object.entries(query.where ?? {})
  let [afterAt, afterSeq] = [from, -1n]
  for (let read = 0; ;) {
    const rows = await selectCalls(db)
      .where('calls.ended', '<=', lastCounted)
      .where('calls.at', '>=', afterAt)
      .where('calls.at', '<', to)
      .where((where) => where.or([where('calls.at', '>', afterAt), where('calls.seq', '>', afterSeq)]))
      .orderBy('calls.at')
      .orderBy('calls.seq')
      .limit(pageSize)
      .execute()
    for (const row of rows) {
      const call = callOfRow(row)
      if (conditions.some(([dimension, value]) => value !== undefined && valueOf(call, dimension as Dimension) !== value)) continue
      const values = query.by.map((dimension) => valueOf(call, dimension))
      const name = JSON.stringify(values)
      const known = groups.get(name) ?? {
        group: Object.fromEntries(query.by.map((dimension, index) => [dimension, values[index] ?? ''])),
        totals: noTotals,
      }
      const own = Number(row.ended) === rowKinds.correction ? totalsOfCorrection(call) : totalsOfCall(call)
      groups.set(name, { ...known, totals: addTotals(known.totals, own) })
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < pageSize) return reportOf([...groups.values()], query)
    afterAt = last.at
    afterSeq = BigInt(last.seq)
    read += rows.length
    if (read >= mostRecords)
      throw new InvalidRequest(
        `This combination is summed from records, and there are more than ${mostRecords} of them. Ask for a shorter time, or by fewer of tag, run, session and hour.`,
        { path: 'to' },
      )
    await setImmediate()
  }
}
