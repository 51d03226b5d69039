import { sql, type SqlBool } from 'kysely'
import { picoUsd } from '../../quantities/index.js'
import type { OutcomeRecord } from '../record.js'
import { evidenceOf, type TrialCost, type TrialEvidence, type TrialFilter } from '../trial.js'
import { decisionOfPlace } from './call-additions.js'
import { lastCounted, rowKinds, usdOfRow } from './call-rows.js'
import { decisionOfRow } from './decision-rows.js'
import { padded } from './dictionary.js'
import { hex, packId } from './ids.js'
import { outcomeOfRow, selectDecisions, selectOutcomes, wordOf } from './queries.js'
import type { Tx } from './transaction.js'

/** Decisions of one question for their calls and outcomes. */
const asked = 100
/** Most trials of one answer. */
const mostTrials = 5_000

/** Decisions of the live proof with what they took and what was said of them, the oldest first; at most 5,000. O(log of all trials + trials answered). */
export async function findTrials(db: Tx, { key, from, to, after, limit }: TrialFilter): Promise<readonly TrialEvidence[]> {
  if (limit <= 0) return []
  const keyWord = key === undefined ? undefined : await wordOf(db, key)
  if (keyWord === null) return []
  let query = selectDecisions(db)
    // As text: a partial index serves only conditions that are known when the statement is prepared.
    .where(sql<SqlBool>`decisions.trial is not null`)
    .orderBy('decisions.at')
    .orderBy('decisions.id')
    .limit(Math.min(limit, mostTrials))
  if (keyWord !== undefined) query = query.where('decisions.key', '=', keyWord)
  if (from !== undefined) query = query.where('decisions.at', '>=', from)
  if (to !== undefined) query = query.where('decisions.at', '<', to)
  if (after !== undefined) {
    const id = packId('dec_', after.decisionId)
    query = query
      .where('decisions.at', '>=', after.at)
      .where((where) => where.or([where('decisions.at', '>', after.at), where('decisions.id', '>', id)]))
  }
  const decisions = (await query.execute()).map(decisionOfRow)
  const costs = await costsOf(db, decisions)
  const outcomes = await outcomesOf(
    db,
    decisions.map(({ decisionId }) => packId('dec_', decisionId)),
  )
  return decisions.flatMap((decision) => {
    const id = nameOf(decision.decisionId)
    return evidenceOf(decision, costs.get(`${id} ${decision.key}`) ?? nothing, outcomes.get(id) ?? []) ?? []
  })
}

const nothing: TrialCost = { calls: 0, usd: picoUsd(0n), seconds: 0, joules: 0 }

function nameOf(decisionId: string): string {
  return hex(packId('dec_', decisionId))
}

/** What the calls of each decision took, by its id and the key that they are for. */
async function costsOf(db: Tx, decisions: readonly { readonly requestId: string }[]): Promise<Map<string, TrialCost>> {
  const requests = new Map(decisions.map(({ requestId }) => packId('req_', requestId)).map((packed) => [hex(packed), packed]))
  const costs = new Map<string, TrialCost>()
  const all = [...requests.values()]
  for (let start = 0; start < all.length; start += asked) {
    const rows = await db
      .selectFrom('calls')
      .innerJoin('series', 'series.id', 'calls.series')
      .select([
        'calls.request',
        'calls.decision_id',
        'calls.ended',
        'calls.usd',
        'calls.usd_high',
        'calls.seconds',
        'calls.joules',
        'series.key as key_name',
      ])
      .where('calls.request', 'in', padded(all.slice(start, start + asked)))
      .where('calls.ended', '<=', lastCounted)
      .orderBy('calls.seq')
      .execute()
    for (const row of rows) {
      const id = `${nameOf(decisionOfPlace(row))} ${row.key_name}`
      const correction = Number(row.ended) === rowKinds.correction
      const { calls, usd, seconds, joules } = costs.get(id) ?? nothing
      const own = { usd: usdOfRow(row), joules: row.joules }
      // A correction says what it knows: nothing of dollars leaves them as they were.
      const known = correction ? { usd: own.usd ?? picoUsd(0n), joules: own.joules ?? 0 } : own
      costs.set(id, {
        calls: calls + (correction ? 0 : 1),
        usd: usd === null || known.usd === null ? null : picoUsd(usd + known.usd),
        seconds: seconds + row.seconds,
        joules: joules === null || known.joules === null ? null : joules + known.joules,
      })
    }
  }
  return costs
}

async function outcomesOf(db: Tx, decisions: readonly Uint8Array[]): Promise<Map<string, OutcomeRecord[]>> {
  const found = new Map<string, OutcomeRecord[]>()
  for (let start = 0; start < decisions.length; start += asked) {
    const rows = await selectOutcomes(db)
      .where('outcomes.decision', 'in', padded(decisions.slice(start, start + asked)))
      // As text, for the partial index.
      .where(sql<SqlBool>`outcomes.decision is not null`)
      .orderBy('outcomes.seq')
      .execute()
    for (const row of rows) {
      const outcome = outcomeOfRow(row)
      const id = nameOf(outcome.decisionId ?? '')
      const list = found.get(id)
      if (list === undefined) found.set(id, [outcome])
      else list.push(outcome)
    }
  }
  return found
}
