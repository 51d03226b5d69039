import { addCost, addUsage, noCost, noUsage, zeroMoney, type Cost, type Usage } from '../quantities/index.js'
import type { CallRecord, DecisionRecord, Ledger, LedgerTotals } from './record.js'
import { Ring } from './ring.js'

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
  private readonly decisions: Ring<DecisionRecord>
  private readonly byKey = new Map<string, Totals>()
  private readonly all = new Totals()

  constructor(options: MemoryLedgerOptions = {}) {
    const calls = options.rememberCalls ?? defaultRemembered
    this.remembered = new Ring(calls)
    this.decisions = new Ring(options.rememberDecisions ?? calls)
  }

  recordCall(record: CallRecord): Promise<void> {
    this.remembered.push(record)
    this.all.add(record)
    let totals = this.byKey.get(record.key)
    if (!totals) this.byKey.set(record.key, (totals = new Totals()))
    totals.add(record)
    return done
  }

  recordDecision(record: DecisionRecord): Promise<void> {
    this.decisions.push(record)
    return done
  }

  decision(decisionId: string): Promise<DecisionRecord | undefined> {
    // A scan: looking a decision up is rare, and an index would cost every request.
    for (const record of this.decisions.newestFirst()) if (record.decisionId === decisionId) return Promise.resolve(record)
    return Promise.resolve(undefined)
  }

  calls(filter: { readonly requestId?: string; readonly key?: string; readonly limit: number }): Promise<readonly CallRecord[]> {
    const { requestId, key, limit } = filter
    const found: CallRecord[] = []
    if (limit > 0) {
      for (const record of this.remembered.newestFirst()) {
        if (requestId !== undefined && record.requestId !== requestId) continue
        if (key !== undefined && record.key !== key) continue
        found.push(record)
        if (found.length >= limit) break
      }
    }
    return Promise.resolve(found)
  }

  totals(filter: { readonly key?: string }): Promise<LedgerTotals> {
    const totals = filter.key === undefined ? this.all : this.byKey.get(filter.key)
    return Promise.resolve((totals ?? new Totals()).snapshot())
  }

  close(): Promise<void> {
    return done
  }
}

const done = Promise.resolve()

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

  snapshot(): LedgerTotals {
    return { calls: this.calls, usage: this.usage, cost: this.cost, unpriced: this.unpriced }
  }
}
