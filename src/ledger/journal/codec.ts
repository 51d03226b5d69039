import { noUsage, picoUsd, type Cost, type Usage } from '../../quantities/index.js'
import type { CallRecord, CorrectionRecord, DecisionRecord, IntentRecord, LedgerRecord, OutcomeRecord, Weighed } from '../record.js'

/** What JSON holds of a value: big integers are decimal strings there. A new bigint in a record doesn't compile until it is converted here. */
type Wire<Value> = Value extends bigint
  ? string
  : Value extends readonly (infer Item)[]
    ? readonly Wire<Item>[]
    : Value extends object
      ? { readonly [Field in keyof Value]: Wire<Value[Field]> }
      : Value

/** Buckets of a usage that aren't 0. */
type SparseUsage = Partial<Usage>

type WireIntent = Omit<Wire<IntentRecord>, 'usage'> & { readonly usage: SparseUsage }
type WireCall = Omit<Wire<CallRecord>, 'usage'> & { readonly usage: SparseUsage }
type WireCorrection = Omit<Wire<CorrectionRecord>, 'usage'> & { readonly usage: SparseUsage }

const bucketNames = Object.keys(noUsage) as readonly (keyof Usage)[]

/** A record as one line of text: its type, a space, and `jsonOfRecord`. */
export function encodeRecord(entry: LedgerRecord): string {
  return `${entry.type} ${jsonOfRecord(entry)}`
}

/**
 * A record as JSON, without its type. Throws a `RangeError` for a number that JSON has no word for (NaN,
 * infinity): it would come back as something else, and the sums of the ledger must not take it in.
 */
export function jsonOfRecord(entry: LedgerRecord): string {
  switch (entry.type) {
    case 'call':
      return JSON.stringify(wireOfCall(entry.record))
    case 'intent':
      return JSON.stringify(wireOfIntent(entry.record))
    case 'decision':
      finite(entry.record.at + entry.record.propensity)
      if (entry.record.weighed) finiteInside(entry.record.weighed)
      if (entry.record.trial) finite(entry.record.trial.holdout)
      return JSON.stringify(entry.record)
    case 'outcome':
      finite(entry.record.at + entry.record.score + (entry.record.sought ?? 0))
      return JSON.stringify(entry.record)
    case 'correction':
      return JSON.stringify(wireOfCorrection(entry.record))
  }
}

/** What `encodeRecord` made a line of; a field that was absent may come back as `undefined`. Throws for anything else. */
export function decodeRecord(line: string): LedgerRecord {
  const space = line.indexOf(' ')
  const type = line.slice(0, space)
  const json = line.slice(space + 1)
  switch (type) {
    case 'call':
      return { type, record: callOfWire(JSON.parse(json) as WireCall) }
    case 'intent':
      return { type, record: intentOfWire(JSON.parse(json) as WireIntent) }
    case 'decision':
      return { type, record: JSON.parse(json) as DecisionRecord }
    case 'outcome':
      return { type, record: JSON.parse(json) as OutcomeRecord }
    case 'correction': {
      const wire = JSON.parse(json) as WireCorrection
      return { type, record: { ...wire, usage: usageOfWire(wire.usage), cost: costOfWire(wire.cost) } }
    }
    default:
      throw new RangeError(`not a type of record: ${type.slice(0, 40)}`)
  }
}

function wireOfCall(record: CallRecord): WireCall {
  const { cacheSavings, composition, settled } = record
  finite(record.at + record.attempt + record.status + (record.firstTokenSeconds ?? 0))
  if (composition !== undefined) for (const count of Object.values(composition)) finite(count)
  return {
    ...record,
    usage: wireOfUsage(record.usage),
    cost: wireOfCost(record.cost),
    cacheSavings: typeof cacheSavings === 'bigint' ? String(cacheSavings) : cacheSavings,
    settled: settled?.map(String),
  }
}

function callOfWire(wire: WireCall): CallRecord {
  const { cacheSavings, settled } = wire
  return {
    ...wire,
    usage: usageOfWire(wire.usage),
    cost: costOfWire(wire.cost),
    cacheSavings: typeof cacheSavings === 'string' ? picoUsd(BigInt(cacheSavings)) : cacheSavings,
    settled: settled?.map(BigInt),
  }
}

function wireOfIntent(record: IntentRecord): WireIntent {
  finite(record.at + record.attempt)
  return {
    ...record,
    usage: wireOfUsage(record.usage),
    cost: wireOfCost(record.cost),
    held: record.held.map(({ counter, amount, transient }) => ({ counter, amount: String(amount), transient })),
  }
}

function intentOfWire(wire: WireIntent): IntentRecord {
  return {
    ...wire,
    usage: usageOfWire(wire.usage),
    cost: costOfWire(wire.cost),
    held: wire.held.map((line) => ({ ...line, amount: BigInt(line.amount) })),
  }
}

function wireOfCorrection(record: CorrectionRecord): WireCorrection {
  finite(record.at)
  return { ...record, usage: wireOfUsage(record.usage), cost: wireOfCost(record.cost) }
}

/** Most buckets of most calls are 0: leaving them out halves the line. */
function wireOfUsage(usage: Usage): SparseUsage {
  const sparse: { -readonly [Bucket in keyof SparseUsage]: number } = {}
  for (const name of bucketNames) {
    const count = usage[name]
    if (count !== 0) sparse[name] = finite(count)
  }
  return sparse
}

function usageOfWire(sparse: SparseUsage): Usage {
  return { ...noUsage, ...sparse }
}

function wireOfCost({ usd, seconds, joules, gramsCO2e }: Cost): Wire<Cost> {
  finite(seconds + (joules ?? 0) + (gramsCO2e ?? 0))
  return { usd: usd === null ? null : String(usd), seconds, joules, gramsCO2e }
}

function costOfWire({ usd, seconds, joules, gramsCO2e }: Wire<Cost>): Cost {
  return { usd: usd === null ? null : picoUsd(BigInt(usd)), seconds, joules, gramsCO2e }
}

/** Refuses numbers that aren't finite anywhere in what was weighed. */
function finiteInside({ objective, familiarity, arms }: Weighed): void {
  finite(familiarity)
  for (const value of Object.values(objective)) if (typeof value === 'number') finite(value)
  for (const arm of arms) for (const value of Object.values(arm) as (string | number | null)[]) if (typeof value === 'number') finite(value)
}

/** Sums of a few numbers are checked at once: one that isn't finite makes the sum so (two that overflow together are refused as well). */
function finite(value: number): number {
  if (!Number.isFinite(value)) throw new RangeError('a record holds a number that is not finite')
  return value
}
