import { addCost, addUsage, noCost, noUsage, picoUsd, totalInputTokens, totalOutputTokens, zeroMoney } from '../../quantities/index.js'
import type { CallRecord, CorrectionRecord } from '../record.js'
import { latencyEdges, type Dimension, type Report, type ReportQuery, type ReportRow, type ReportTotals } from './contract.js'

export const noTotals: ReportTotals = {
  calls: 0,
  errors: 0,
  lost: 0,
  unpriced: 0,
  usage: noUsage,
  cost: noCost,
  cacheSavings: zeroMoney,
  latency: new Array<number>(latencyEdges.length + 1).fill(0),
  firstTokenSeconds: 0,
  firstTokens: 0,
}

/** Sums over one call. */
export function totalsOfCall({ end, usage, cost, cacheSavings, firstTokenSeconds }: CallRecord): ReportTotals {
  const latency = [...noTotals.latency]
  latency[latencyBucket(cost.seconds)] = 1
  return {
    calls: 1,
    errors: end === 'complete' ? 0 : 1,
    lost: end === 'lost' ? 1 : 0,
    unpriced: cost.usd === null ? 1 : 0,
    usage,
    cost: cost.usd === null ? { ...cost, usd: zeroMoney } : cost,
    cacheSavings: cacheSavings ?? zeroMoney,
    latency,
    firstTokenSeconds: firstTokenSeconds ?? 0,
    firstTokens: firstTokenSeconds === undefined ? 0 : 1,
  }
}

/** A correction changes amounts, not the number of calls. */
export function totalsOfCorrection({ usage, cost }: Pick<CorrectionRecord, 'usage' | 'cost'>): ReportTotals {
  return { ...noTotals, usage, cost: cost.usd === null ? { ...cost, usd: zeroMoney } : cost }
}

/** What a correction counts for when the ledger doesn't have its call (any more): nobody's, at the time of the correction. */
export function nobodysCall({ callId, at }: CorrectionRecord): CallRecord {
  return {
    callId,
    requestId: callId,
    decisionId: '',
    at,
    key: '',
    requestedModel: '',
    provider: '',
    deployment: '',
    model: '',
    operation: 'generate',
    stream: false,
    attempt: 0,
    end: 'lost',
    status: 0,
    usage: noUsage,
    usageEstimated: false,
    cost: noCost,
  }
}

export function addTotals(a: ReportTotals, b: ReportTotals): ReportTotals {
  return {
    calls: a.calls + b.calls,
    errors: a.errors + b.errors,
    lost: a.lost + b.lost,
    unpriced: a.unpriced + b.unpriced,
    usage: addUsage(a.usage, b.usage),
    cost: addCost(a.cost, b.cost),
    cacheSavings: picoUsd(a.cacheSavings + b.cacheSavings),
    latency: a.latency.map((count, bucket) => count + (b.latency[bucket] ?? 0)),
    firstTokenSeconds: a.firstTokenSeconds + b.firstTokenSeconds,
    firstTokens: a.firstTokens + b.firstTokens,
  }
}

/** Index of the bucket that so many seconds fall into. */
export function latencyBucket(seconds: number): number {
  const bucket = latencyEdges.findIndex((edge) => seconds <= edge)
  return bucket === -1 ? latencyEdges.length : bucket
}

/** A call's value of a dimension; `''` where it has none. */
export function valueOf(call: CallRecord, dimension: Dimension): string {
  if (dimension.startsWith('tag:')) return call.tags?.[dimension.slice(4)] ?? ''
  switch (dimension as Exclude<Dimension, `tag:${string}`>) {
    case 'requested_model':
      return call.requestedModel
    case 'day':
      return dayName(call.at)
    case 'hour':
      return hourName(call.at)
    case 'organisation':
      return call.organisation ?? ''
    case 'team':
      return call.team ?? ''
    case 'user':
      return call.user ?? ''
    case 'run':
      return call.run ?? ''
    case 'session':
      return call.session ?? ''
    case 'key':
      return call.key
    case 'model':
      return call.model
    case 'provider':
      return call.provider
    case 'deployment':
      return call.deployment
  }
}

/** The day (UTC) of a time, such as `2026-11-21`. */
export function dayName(seconds: number): string {
  return iso(seconds).slice(0, 10)
}

/** The hour (UTC) of a time, such as `2026-11-21T07:00Z`. */
export function hourName(seconds: number): string {
  return `${iso(seconds).slice(0, 13)}:00Z`
}

function iso(seconds: number): string {
  return new Date(Math.max(0, Math.min(latest, seconds)) * 1000).toISOString()
}

/** Times beyond count as the end of the year 9999. */
const latest = 253_402_300_799
const hourSeconds = 3600
const daySeconds = 86_400

/** Dimensions that have sums by day only. */
export function isFacet(dimension: string): boolean {
  return dimension === 'run' || dimension === 'session' || dimension.startsWith('tag:')
}

/** What a query is for: the whole hours that its period touches (days with a tag, a run or a session). */
export function cutPeriod({ from, to, by, where }: Pick<ReportQuery, 'from' | 'to' | 'by' | 'where'>): {
  readonly from: number
  readonly to: number
} {
  const span = [...by, ...Object.keys(where ?? {})].some(isFacet) ? daySeconds : hourSeconds
  const within = (seconds: number) => Math.max(0, Math.min(latest + 1, seconds))
  return { from: Math.floor(within(from) / span) * span, to: Math.ceil(within(to) / span) * span }
}

/** Most groups of one report; those beyond count as left out by its limit. */
export const mostGroups = 10_000

/** Puts groups into the order of the query and sums those beyond its limit. Groups that come to nothing (all of it was taken back) aren't told of. */
export function reportOf(
  groups: readonly ReportRow[],
  { by, order = 'usd', limit = mostGroups }: Pick<ReportQuery, 'by' | 'order' | 'limit'>,
): Report {
  const rows = groups.filter(({ totals }) => isSomething(totals)).sort((a, b) => compare(a, b, order) || byGroup(a, b, by))
  const most = Math.min(limit, mostGroups)
  const kept = rows.slice(0, most)
  const left = rows.slice(most)
  const sum = (some: readonly ReportRow[]) => some.reduce((total, { totals }) => addTotals(total, totals), noTotals)
  return { rows: kept, total: sum(rows), others: { groups: left.length, totals: sum(left) } }
}

function isSomething({ calls, usage, cost, cacheSavings, firstTokenSeconds }: ReportTotals): boolean {
  return [calls, cost.usd, cost.seconds, cost.joules, cost.gramsCO2e, cacheSavings, firstTokenSeconds, ...Object.values(usage)].some(
    (amount) => amount !== 0 && amount !== 0n,
  )
}

function compare(a: ReportRow, b: ReportRow, order: NonNullable<ReportQuery['order']>): number {
  switch (order) {
    case 'usd':
      return compareMoney(b.totals.cost.usd ?? 0n, a.totals.cost.usd ?? 0n)
    case 'calls':
      return b.totals.calls - a.totals.calls
    case 'tokens':
      return tokensOf(b) - tokensOf(a)
    case 'group':
      return 0
  }
}

function compareMoney(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function tokensOf({ totals: { usage } }: ReportRow): number {
  return totalInputTokens(usage) + totalOutputTokens(usage)
}

function byGroup(a: ReportRow, b: ReportRow, by: readonly Dimension[]): number {
  for (const dimension of by) {
    const [left, right] = [a.group[dimension] ?? '', b.group[dimension] ?? '']
    if (left !== right) return left < right ? -1 : 1
  }
  return 0
}
