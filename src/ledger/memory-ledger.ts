import { addCost, addMoney, addUsage, noCost, noUsage, zeroMoney, type Cost, type Usage } from '../quantities/index.js'
import { durablyNoted, type CallFilter, type DecisionFilter, type Ledger, type NotedCall, type OutcomeFilter } from './ledger.js'
import type { CallRecord, CorrectionRecord, DecisionRecord, LedgerTotals, OutcomeRecord } from './record.js'
import { addTotals, cutPeriod, nobodysCall, noTotals, reportOf, totalsOfCall, totalsOfCorrection, valueOf } from './report/aggregate.js'
import type { Dimension, Report, ReportQuery, ReportTotals } from './report/contract.js'
import { Ring } from './ring.js'
import { evidenceOf, type TrialCost, type TrialEvidence, type TrialFilter } from './trial.js'

export interface MemoryLedgerOptions {
  /** Call records kept, the newest. */
  readonly rememberCalls?: number | undefined
  /** Decision records kept, the newest; as many as calls unless given. */
  readonly rememberDecisions?: number | undefined
}

const defaultRemembered = 10_000

/** A ledger in this process's memory, for as long as there is no durable one. */
export function createMemoryLedger(options: MemoryLedgerOptions = {}): MemoryLedger {
  return new MemoryLedger(options)
}

/**
 * Keeps a bounded window of records, and totals by key that stay exact when records have left the window. A record is as
 * durable as the process.
 */
export class MemoryLedger implements Ledger {
  private readonly remembered: Ring<CallRecord>
  private readonly decisionsKept: Ring<DecisionRecord>
  private readonly told: Ring<OutcomeRecord>
  private readonly corrections: Ring<{ readonly call: CallRecord; readonly record: CorrectionRecord }>
  private readonly byKey = new Map<string, Totals>()
  private readonly all = new Totals()

  constructor(options: MemoryLedgerOptions = {}) {
    const calls = options.rememberCalls ?? defaultRemembered
    this.remembered = new Ring(calls)
    this.decisionsKept = new Ring(options.rememberDecisions ?? calls)
    this.told = new Ring(calls)
    this.corrections = new Ring(calls)
  }

  recordCall(record: CallRecord): Promise<void> {
    this.remembered.push(record)
    this.all.add(record)
    this.totalsOf(record.key).add(record)
    return done
  }

  recordDecision(record: DecisionRecord): void {
    this.decisionsKept.push(record)
  }

  /** A call that is under way is known to its process, and this ledger knows no more than its process. */
  recordIntent(): Promise<NotedCall> {
    return noted
  }

  recordOutcome(record: OutcomeRecord): Promise<void> {
    this.told.push(record)
    return done
  }

  /** Counts where its call counts; one of a call that is no longer remembered is nobody's, at its own time. */
  recordCorrection(record: CorrectionRecord): Promise<void> {
    const call = first(this.remembered.newestFirst(), ({ callId }) => callId === record.callId)
    this.corrections.push({ record, call: call ?? nobodysCall(record) })
    this.all.correct(record)
    this.totalsOf(call?.key ?? '').correct(record)
    return done
  }

  decision(decisionId: string): Promise<DecisionRecord | undefined> {
    // A scan: looking a decision up is rare, and an index would cost every request.
    return Promise.resolve(first(this.decisionsKept.newestFirst(), (record) => record.decisionId === decisionId))
  }

  calls(filter: CallFilter): Promise<readonly CallRecord[]> {
    return Promise.resolve(take(this.remembered.newestFirst(), filter.limit, (record) => matches(record, filter)))
  }

  decisions({ key, from, to, limit }: DecisionFilter): Promise<readonly DecisionRecord[]> {
    return Promise.resolve(
      take(this.decisionsKept.newestFirst(), limit, (record) => (key === undefined || record.key === key) && within(record.at, from, to)),
    )
  }

  outcomes({ decisionId, run, key, from, to, limit }: OutcomeFilter): Promise<readonly OutcomeRecord[]> {
    const wanted = (record: OutcomeRecord) =>
      (decisionId === undefined || record.decisionId === decisionId) &&
      (run === undefined || record.run === run) &&
      (key === undefined || record.key === key) &&
      within(record.at, from, to)
    return Promise.resolve(take(this.told.newestFirst(), limit, wanted))
  }

  /** O(records remembered). */
  trials({ key, from, to, after, limit }: TrialFilter): Promise<readonly TrialEvidence[]> {
    const chosen = [...this.decisionsKept.newestFirst()]
      .filter(
        (record) =>
          record.trial !== undefined &&
          (key === undefined || record.key === key) &&
          within(record.at, from, to) &&
          (after === undefined || record.at > after.at || (record.at === after.at && record.decisionId > after.decisionId)),
      )
      .sort((a, b) => a.at - b.at || (a.decisionId < b.decisionId ? -1 : 1))
      .slice(0, Math.max(0, limit))
    const costs = new Map(chosen.map(({ decisionId, key: own }) => [`${decisionId}\n${own}`, noTrialCost]))
    const count = (call: CallRecord, cost: Cost, calls: number) => {
      const name = `${call.decisionId}\n${call.key}`
      const known = costs.get(name)
      if (known) costs.set(name, plusCost(known, cost, calls))
    }
    for (const call of this.remembered.newestFirst()) count(call, call.cost, 1)
    for (const { call, record } of this.corrections.newestFirst())
      count(call, { ...record.cost, usd: record.cost.usd ?? zeroMoney, joules: record.cost.joules ?? 0 }, 0)
    const outcomes = new Map<string, OutcomeRecord[]>(chosen.map(({ decisionId }) => [decisionId, []]))
    for (const outcome of this.told.newestFirst()) outcomes.get(outcome.decisionId ?? '')?.push(outcome)
    return Promise.resolve(
      chosen.flatMap(
        (decision) =>
          evidenceOf(
            decision,
            costs.get(`${decision.decisionId}\n${decision.key}`) ?? noTrialCost,
            outcomes.get(decision.decisionId)?.reverse() ?? [],
          ) ?? [],
      ),
    )
  }

  /** Sums over the calls that are still remembered. */
  report(query: ReportQuery): Promise<Report> {
    const { from, to } = cutPeriod(query)
    const groups = new Map<string, { readonly group: Record<string, string>; totals: ReportTotals }>()
    const count = (call: CallRecord, totals: ReportTotals) => {
      if (call.at < from || call.at >= to) return
      if (
        Object.entries(query.where ?? {}).some(
          ([dimension, value]) => value !== undefined && valueOf(call, dimension as Dimension) !== value,
        )
      )
        return
      const values = query.by.map((dimension) => valueOf(call, dimension))
      const name = JSON.stringify(values)
      const known = groups.get(name) ?? {
        group: Object.fromEntries(query.by.map((dimension, index) => [dimension, values[index] ?? ''])),
        totals: noTotals,
      }
      groups.set(name, { ...known, totals: addTotals(known.totals, totals) })
    }
    for (const call of this.remembered.newestFirst()) count(call, totalsOfCall(call))
    for (const { call, record } of this.corrections.newestFirst()) count(call, totalsOfCorrection(record))
    return Promise.resolve(reportOf([...groups.values()], query))
  }

  totals(filter: { readonly key?: string | undefined }): Promise<LedgerTotals> {
    const totals = filter.key === undefined ? this.all : this.byKey.get(filter.key)
    return Promise.resolve((totals ?? new Totals()).snapshot())
  }

  close(): Promise<void> {
    return done
  }

  private totalsOf(key: string): Totals {
    let totals = this.byKey.get(key)
    if (!totals) this.byKey.set(key, (totals = new Totals()))
    return totals
  }
}

const done = Promise.resolve()
const noted = Promise.resolve(durablyNoted)
const noTrialCost: TrialCost = { calls: 0, usd: zeroMoney, seconds: 0, joules: 0 }

function plusCost({ calls, usd, seconds, joules }: TrialCost, cost: Cost, more: number): TrialCost {
  return {
    calls: calls + more,
    usd: usd === null || cost.usd === null ? null : addMoney(usd, cost.usd),
    seconds: seconds + cost.seconds,
    joules: joules === null || cost.joules === null ? null : joules + cost.joules,
  }
}

/** By when they began, the newest first; of those that began together, the last recorded. */
/** Those that are wanted, the newest first. Of equal age the one that was recorded last. */
function take<Item extends { readonly at: number }>(newestFirst: Iterable<Item>, limit: number, wanted: (item: Item) => boolean): Item[] {
  if (limit <= 0) return []
  return [...newestFirst]
    .filter(wanted)
    .sort((a, b) => b.at - a.at)
    .slice(0, limit)
}

function first<Item>(items: Iterable<Item>, wanted: (item: Item) => boolean): Item | undefined {
  for (const item of items) if (wanted(item)) return item
  return undefined
}

function matches(record: CallRecord, { requestId, callId, key, run, end, from, to }: CallFilter): boolean {
  return (
    (requestId === undefined || record.requestId === requestId) &&
    (callId === undefined || record.callId === callId) &&
    (key === undefined || record.key === key) &&
    (run === undefined || record.run === run) &&
    (end === undefined || record.end === end) &&
    within(record.at, from, to)
  )
}

function within(at: number, from: number | undefined, to: number | undefined): boolean {
  return (from === undefined || at >= from) && (to === undefined || at < to)
}

/** Running sums. Dollars that aren't known are counted, not summed; a sum of energy with an unknown part is unknown. */
class Totals {
  private calls = 0
  private unpriced = 0
  private usage: Usage = noUsage
  private cost: Cost = noCost

  add({ usage, cost }: CallRecord): void {
    this.calls++
    if (cost.usd === null) this.unpriced++
    this.usage = addUsage(this.usage, usage)
    this.cost = addCost(this.cost, cost.usd === null ? { ...cost, usd: zeroMoney } : cost)
  }

  correct({ usage, cost }: CorrectionRecord): void {
    this.usage = addUsage(this.usage, usage)
    this.cost = addCost(this.cost, cost.usd === null ? { ...cost, usd: zeroMoney } : cost)
  }

  snapshot(): LedgerTotals {
    return { calls: this.calls, usage: this.usage, cost: this.cost, unpriced: this.unpriced }
  }
}
