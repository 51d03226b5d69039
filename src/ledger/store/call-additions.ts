import { addCost, addUsage, noCost, noUsage, picoUsd, type Cost, type Usage } from '../../quantities/index.js'
import type { CallRecord, CorrectionRecord } from '../record.js'
import type { Resolved } from './resolved.js'
import type { Value } from './bulk.js'
import {
  callIdOfRow,
  callsTarget,
  placeOfCall,
  rowKinds,
  rowOfCall,
  rowOfCorrection,
  savingsOfRow,
  seriesOf,
  tagsOf,
  usageOfRow,
  usdOfRow,
  type CallPlace,
  type CallRow,
} from './call-rows.js'
import type { ApplyContext } from './context.js'
import { padded } from './dictionary.js'
import { decisionOf, unpackId } from './ids.js'
import { textInRange } from './ranges.js'
import type { Rollup } from './rollup.js'
import { Sums, sumsOfCall, sumsOfCorrection } from './sums.js'
import type { Tx } from './transaction.js'

export interface CorrectionAddition {
  readonly kind: 'correction'
  /** What it corrects: in the database, or added by the same transaction. */
  readonly of: CallRow | CallRecord
  readonly record: CorrectionRecord
  /** Taken back in the same transaction. */
  supplanted: boolean
}

/**
 * What a transaction adds to `calls`: a call; a correction of one; or the end of a lost call, whose real one has come in: all that was said of
 * it, corrections too, is taken back.
 */
export type Addition =
  | { readonly kind: 'call'; readonly call: CallRecord }
  | CorrectionAddition
  | {
      readonly kind: 'takenBack'
      readonly lost: CallRow
      readonly corrections: readonly CallRow[]
      readonly since: readonly CorrectionAddition[]
    }

/** What an addition means for the sums of its decision. */
export interface DecisionChange {
  readonly decisionId: string
  readonly sums: Sums
}

/** Writes additions under the numbers from `first` on, and adds them to the sums. */
export async function addCallRows(
  tx: Tx,
  context: ApplyContext,
  additions: readonly Addition[],
  first: bigint,
  resolved: Resolved,
  rollup: Rollup,
): Promise<DecisionChange[]> {
  const rows: Value[][] = []
  const supplanted: bigint[] = []
  const changes: DecisionChange[] = []
  const count = (place: CallPlace, decisionId: string, sums: Sums) => {
    rollup.add({
      ...placeInSums(place),
      tags: resolved.tags({ at: place.at, tags: place.tags === null ? undefined : tagsOf(place.tags) }),
      sums,
    })
    changes.push({ decisionId, sums })
  }
  let seq = first
  for (const addition of additions) {
    switch (addition.kind) {
      case 'call': {
        const names = namesOf(addition.call, resolved)
        rows.push(rowOfCall(seq, addition.call, names))
        count(placeOfCall(addition.call, names), addition.call.decisionId, sumsOfCall(addition.call))
        break
      }
      case 'correction': {
        const { of, record } = addition
        const place = 'callId' in of ? placeOfCall(of, namesOf(of, resolved)) : of
        rows.push(rowOfCorrection(seq, place, addition.supplanted ? 'supplanted' : 'correction', record))
        count(place, 'callId' in of ? of.decisionId : decisionOfPlace(of), sumsOfCorrection(record))
        break
      }
      case 'takenBack': {
        const { lost, corrections } = addition
        rows.push(rowOfCorrection(seq, lost, 'takenBack', recordOf(addition)))
        count(lost, decisionOfPlace(lost), sumsTakenBack(addition))
        supplanted.push(...[lost, ...corrections].map((row) => BigInt(row.seq)))
        break
      }
    }
    seq++
  }
  if (supplanted.length > 0)
    await tx.updateTable('calls').set({ ended: rowKinds.supplanted }).where('seq', 'in', padded(supplanted)).execute()
  await context.bulk.write(tx, callsTarget, rows)
  return changes
}

/** Id of the decision that a row's call was made for. */
export function decisionOfPlace({ decision_id, request }: Pick<CallPlace, 'decision_id' | 'request'>): string {
  return decision_id ?? decisionOf(unpackId('req_', request))
}

type TakenBack = Extract<Addition, { kind: 'takenBack' }>

/** The sums of everything said of a lost call, the other way round. */
function sumsTakenBack({ lost, corrections, since }: TakenBack): Sums {
  const sums = new Sums()
  sums.add(
    sumsOfCall({
      ...costsOf(lost),
      end: 'lost',
      cacheSavings: savingsOfRow(lost),
      firstTokenSeconds: lost.first_token_seconds ?? undefined,
    }),
    -1,
  )
  for (const row of corrections) sums.add(sumsOfCorrection(costsOf(row)), -1)
  for (const { record } of since) sums.add(sumsOfCorrection(record), -1)
  return sums
}

function recordOf({ lost, corrections, since }: TakenBack): CorrectionRecord {
  const total = [...[lost, ...corrections].map(costsOf), ...since.map(({ record }) => record)].reduce(sumOf, {
    usage: noUsage,
    cost: noCost,
  })
  const usage: { -readonly [bucket in keyof Usage]: number } = { ...noUsage }
  for (const bucket of Object.keys(noUsage) as (keyof Usage)[]) usage[bucket] = 0 - total.usage[bucket]
  const negative = (amount: number | null) => (amount === null ? null : 0 - amount)
  const { usd, seconds, joules, gramsCO2e } = total.cost
  const cost: Cost = {
    usd: usd === null ? null : picoUsd(-usd),
    seconds: 0 - seconds,
    joules: negative(joules),
    gramsCO2e: negative(gramsCO2e),
  }
  const callId = callIdOfRow(lost)
  return { correctionId: `late ${callId}`, callId, at: lost.at, usage, cost, reason: 'how the call ended has come in after all' }
}

interface Costs {
  readonly usage: Usage
  readonly cost: Cost
}

function costsOf(row: CallRow): Costs {
  return { usage: usageOfRow(row), cost: { usd: usdOfRow(row), seconds: row.seconds, joules: row.joules, gramsCO2e: row.grams } }
}

function sumOf(a: Costs, b: Costs): Costs {
  return { usage: addUsage(a.usage, b.usage), cost: addCost(a.cost, b.cost) }
}

function namesOf(call: CallRecord, resolved: Resolved) {
  const { key, run, session } = call
  return {
    series: resolved.series(seriesOf(call)),
    key: resolved.word(textInRange(key)),
    run: run === undefined ? null : resolved.facet('run', key, run),
    session: session === undefined ? null : resolved.facet('session', key, session),
    word: (text: string) => resolved.word(text),
  }
}

function placeInSums({ at, series, run, session }: CallPlace) {
  return { at, series: Number(series), run: run === null ? null : Number(run), session: session === null ? null : Number(session) }
}
