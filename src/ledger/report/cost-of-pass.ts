import { toDollars, zeroMoney, addMoney, type Money } from '../../quantities/index.js'
import { costPerSuccess, type RatioEstimate } from '../../statistics/index.js'
import type { LedgerReader } from '../ledger.js'
import type { CallRecord, OutcomeRecord } from '../record.js'
import { valueOf } from './aggregate.js'
import type { Dimension } from './contract.js'
import { eachPage } from './pages.js'
import { daySeconds } from './spending.js'

export interface CostOfPassQuery {
  /** What an attempt is: an agent run, or one decision (a request). */
  readonly unit: 'run' | 'decision'
  /** Unix seconds between which outcomes were told, inclusive and exclusive. */
  readonly from: number
  readonly to: number
  readonly key?: string | undefined
  /** Whose word counts (`user`, `verifier:json_schema`, …); everybody's unless given, and of one attempt always the last. */
  readonly source?: string | undefined
  /** From which score on an attempt passed; 0.5 unless told otherwise. */
  readonly passAt?: number | undefined
  /** What attempts are grouped by. */
  readonly by: readonly Dimension[]
  readonly level?: number | undefined
}

export interface CostOfPassRow {
  readonly group: Readonly<Record<string, string>>
  readonly attempts: number
  readonly passed: number
  /** Dollars of the attempts whose price is known: those that the estimate rests on. */
  readonly usd: Money
  /** Attempts left out, because some price in them is unknown. */
  readonly unpriced: number
  /** Dollars for one success. */
  readonly estimate: RatioEstimate
}

export interface CostOfPass {
  /** The cheapest success first. */
  readonly rows: readonly CostOfPassRow[]
  /** Attempts with an outcome whose calls are no longer kept. */
  readonly forgotten: number
}

/** A run may have begun this long before its outcome was told. */
const longestRunSeconds = 7 * daySeconds

interface Attempted {
  readonly score: number
  usd: Money | null
  group: Readonly<Record<string, string>> | undefined
}

/**
 * Dollars for one success: what attempts with a known outcome cost, over the share of them that passed (paper 026). Every call of
 * an attempt counts, also failed ones. O(outcomes and calls of the period); memory grows with the attempts that have outcomes.
 */
export async function costOfPass(
  reader: LedgerReader,
  { unit, from, to, key, source, passAt = 0.5, by, level = 0.95 }: CostOfPassQuery,
): Promise<CostOfPass> {
  const attempts = new Map<string, Attempted>()
  for await (const page of eachPage(
    (before, limit) => reader.outcomes({ key, from, to: before, limit }),
    ({ outcomeId }) => outcomeId,
    to,
  ))
    for (const outcome of page) {
      const name = nameOfOutcome(outcome, unit)
      // The newest come first, and the last word counts.
      if (name !== undefined && (source === undefined || outcome.source === source) && !attempts.has(name))
        attempts.set(name, { score: outcome.score, usd: zeroMoney, group: undefined })
    }
  if (attempts.size > 0)
    for await (const page of eachPage(
      (before, limit) => reader.calls({ key, from: from - longestRunSeconds, to: before, limit }),
      ({ callId }) => callId,
      to,
    ))
      for (const call of page) {
        const attempt = attempts.get(nameOfCall(call, unit) ?? '')
        if (attempt === undefined) continue
        attempt.usd = attempt.usd === null || call.cost.usd === null ? null : addMoney(attempt.usd, call.cost.usd)
        if (attempt.group === undefined || call.end === 'complete')
          attempt.group = Object.fromEntries(by.map((dimension) => [dimension, valueOf(call, dimension)]))
      }
  const groups = new Map<string, Attempted[]>()
  for (const attempt of attempts.values()) {
    if (attempt.group === undefined) continue
    const name = JSON.stringify(attempt.group)
    const known = groups.get(name)
    if (known) known.push(attempt)
    else groups.set(name, [attempt])
  }
  const rows = [...groups.values()].map((group) => rowOf(group, passAt, level))
  rows.sort((a, b) => comparable(a.estimate.value) - comparable(b.estimate.value))
  return { rows, forgotten: [...attempts.values()].filter(({ group }) => group === undefined).length }
}

function rowOf(attempts: readonly Attempted[], passAt: number, level: number): CostOfPassRow {
  const priced = attempts.flatMap(({ usd, score }) =>
    usd === null ? [] : [{ usd, success: score >= passAt ? (1 as const) : (0 as const) }],
  )
  return {
    group: attempts[0]?.group ?? {},
    attempts: priced.length,
    passed: priced.filter(({ success }) => success === 1).length,
    usd: priced.reduce((total, { usd }) => addMoney(total, usd), zeroMoney),
    unpriced: attempts.length - priced.length,
    estimate: costPerSuccess(
      priced.map(({ usd, success }) => ({ cost: toDollars(usd), success })),
      level,
    ),
  }
}

function nameOfOutcome({ key, run, decisionId, arm }: OutcomeRecord, unit: CostOfPassQuery['unit']): string | undefined {
  // A word about an answer that nobody was given.
  if (arm !== undefined) return undefined
  if (unit === 'run') return run === undefined ? undefined : `${key}\n${run}`
  return decisionId
}

function nameOfCall({ key, run, decisionId }: CallRecord, unit: CostOfPassQuery['unit']): string | undefined {
  if (unit === 'run') return run === undefined ? undefined : `${key}\n${run}`
  return decisionId
}

/** What is unknown or infinite comes last. */
function comparable(value: number): number {
  return Number.isNaN(value) ? Number.MAX_VALUE : Math.min(value, Number.MAX_VALUE)
}
