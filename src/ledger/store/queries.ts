import { sql, type Expression, type SqlBool } from 'kysely'
import type { CallFilter, DecisionFilter, OutcomeFilter } from '../ledger.js'
import type { CallRecord, DecisionRecord, LedgerTotals, OutcomeRecord } from '../record.js'
import { callOfRow, rowKinds, lastCounted } from './call-rows.js'
import { decisionOfRow } from './decision-rows.js'
import { facetName, words, facets } from './dictionary.js'
import { packId, partsOfCall, unpackId } from './ids.js'
import { callColumns } from './known-calls.js'
import { textInRange } from './ranges.js'
import { allSeries } from './rollup.js'
import { sumColumns } from './sum-columns.js'
import { totalsOfRow } from './sums.js'
import type { Tx } from './transaction.js'

/** Reads single records. Each uses an index for the narrowest of its conditions; the newest come first. */

const kinds = {
  complete: rowKinds.complete,
  failed: rowKinds.failed,
  cancelled: rowKinds.cancelled,
  truncated: rowKinds.truncated,
  lost: rowKinds.lost,
} as const

export async function findCallRecords(
  db: Tx,
  { requestId, callId, key, run, end, from, to, limit }: CallFilter,
): Promise<readonly CallRecord[]> {
  if (limit <= 0) return []
  const keyWord = key === undefined ? undefined : await wordOf(db, key)
  if (keyWord === null) return []
  const runs = run === undefined ? undefined : await runsOf(db, keyWord, run)
  if (runs?.length === 0) return []
  let query = selectCalls(db).orderBy('calls.at', 'desc').orderBy('calls.seq', 'desc').limit(limit)
  // As text: a partial index serves only conditions that are known when the statement is prepared.
  if (end === 'lost') query = query.where('calls.ended', '=', sql.lit(rowKinds.lost))
  else if (end !== undefined) query = query.where('calls.ended', '=', kinds[end])
  else query = query.where('calls.ended', '<', lastCounted)
  if (requestId !== undefined) query = query.where('calls.request', '=', packId('req_', requestId))
  if (callId !== undefined) query = query.where(isCall(callId))
  if (keyWord !== undefined) query = query.where('calls.key', '=', keyWord)
  if (runs !== undefined) query = query.where('calls.run', 'in', runs)
  if (from !== undefined) query = query.where('calls.at', '>=', from)
  if (to !== undefined) query = query.where('calls.at', '<', to)
  return (await query.execute()).map(callOfRow)
}

/** Rows of calls, with the texts that their numbers stand for. */
export function selectCalls(db: Tx) {
  return db
    .selectFrom('calls')
    .innerJoin('series', 'series.id', 'calls.series')
    .leftJoin('facets as runs', 'runs.id', 'calls.run')
    .leftJoin('facets as sessions', 'sessions.id', 'calls.session')
    .leftJoin('words as errors', 'errors.id', 'calls.error')
    .leftJoin('words as tiers', 'tiers.id', 'calls.tier')
    .leftJoin('words as sources', 'sources.id', 'calls.price_source')
    .select(callColumns.map((name) => `calls.${name}` as const))
    .select([
      'series.organisation',
      'series.team',
      'series.user_id',
      'series.key as key_name',
      'series.provider',
      'series.deployment',
      'series.model',
      'series.requested_model',
    ])
    .select([
      'runs.value as run_name',
      'sessions.value as session_name',
      'errors.word as error_word',
      'tiers.word as tier_word',
      'sources.word as price_source_word',
    ])
}

function isCall(callId: string): Expression<SqlBool> {
  const parts = partsOfCall(callId)
  const text = textInRange(callId, 512)
  if (parts === undefined) return sql<SqlBool>`calls.call_id = ${text}`
  return sql<SqlBool>`(calls.call_id = ${text} or (calls.request = ${packId('req_', `req_${parts.uuid}`)} and calls.number = ${parts.number}))`
}

const decisionColumns = [
  'decisions.id',
  'decisions.request_id',
  'decisions.at',
  'decisions.propensity',
  'decisions.reason',
  'decisions.weighed',
  'decisions.trial',
] as const

/** Rows of decisions, with the texts that their numbers stand for. */
export function selectDecisions(db: Tx) {
  return db
    .selectFrom('decisions')
    .innerJoin('words as keys', 'keys.id', 'decisions.key')
    .innerJoin('words as models', 'models.id', 'decisions.requested_model')
    .innerJoin('words as arms', 'arms.id', 'decisions.arm')
    .innerJoin('words as policies', 'policies.id', 'decisions.policy')
    .select(decisionColumns)
    .select(['keys.word as key_word', 'models.word as requested_model_word', 'arms.word as arm_word', 'policies.word as policy_word'])
}

export async function findDecision(db: Tx, decisionId: string): Promise<DecisionRecord | undefined> {
  const row = await selectDecisions(db).where('decisions.id', '=', packId('dec_', decisionId)).executeTakeFirst()
  return row && decisionOfRow(row)
}

export async function findDecisionRecords(db: Tx, { key, from, to, limit }: DecisionFilter): Promise<readonly DecisionRecord[]> {
  if (limit <= 0) return []
  const keyWord = key === undefined ? undefined : await wordOf(db, key)
  if (keyWord === null) return []
  let query = selectDecisions(db).orderBy('decisions.at', 'desc').orderBy('decisions.id', 'desc').limit(limit)
  if (keyWord !== undefined) query = query.where('decisions.key', '=', keyWord)
  if (from !== undefined) query = query.where('decisions.at', '>=', from)
  if (to !== undefined) query = query.where('decisions.at', '<', to)
  return (await query.execute()).map(decisionOfRow)
}

export async function findOutcomeRecords(
  db: Tx,
  { decisionId, run, key, from, to, limit }: OutcomeFilter,
): Promise<readonly OutcomeRecord[]> {
  if (limit <= 0) return []
  const keyWord = key === undefined ? undefined : await wordOf(db, key)
  if (keyWord === null) return []
  const runs = run === undefined ? undefined : await runsOf(db, keyWord, run)
  if (runs?.length === 0) return []
  let query = selectOutcomes(db).orderBy('outcomes.at', 'desc').orderBy('outcomes.seq', 'desc').limit(limit)
  if (decisionId !== undefined) query = query.where('outcomes.decision', '=', packId('dec_', decisionId))
  if (keyWord !== undefined) query = query.where('outcomes.key', '=', keyWord)
  if (runs !== undefined) query = query.where('outcomes.run', 'in', runs)
  if (from !== undefined) query = query.where('outcomes.at', '>=', from)
  if (to !== undefined) query = query.where('outcomes.at', '<', to)
  return (await query.execute()).map(outcomeOfRow)
}

/** Rows of outcomes, with the texts that their numbers stand for. */
export function selectOutcomes(db: Tx) {
  return db
    .selectFrom('outcomes')
    .innerJoin('words as keys', 'keys.id', 'outcomes.key')
    .innerJoin('words as sources', 'sources.id', 'outcomes.source')
    .leftJoin('facets as runs', 'runs.id', 'outcomes.run')
    .leftJoin('words as arms', 'arms.id', 'outcomes.arm')
    .select(['outcomes.outcome_id', 'outcomes.at', 'outcomes.decision', 'outcomes.score', 'outcomes.comment', 'outcomes.sought'])
    .select(['keys.word as key_word', 'sources.word as source_word', 'runs.value as run_name', 'arms.word as arm_word'])
}

type NamedOutcomeRow = Awaited<ReturnType<ReturnType<typeof selectOutcomes>['execute']>>[number]

export function outcomeOfRow(row: NamedOutcomeRow): OutcomeRecord {
  return {
    outcomeId: row.outcome_id,
    at: row.at,
    decisionId: row.decision === null ? undefined : unpackId('dec_', row.decision),
    run: row.run_name ?? undefined,
    key: row.key_word,
    source: row.source_word,
    score: row.score,
    comment: row.comment ?? undefined,
    sought: row.sought ?? undefined,
    arm: row.arm_word ?? undefined,
  }
}

/** Sums over all time. */
export async function findTotals(db: Tx, { key }: { readonly key?: string | undefined }): Promise<LedgerTotals> {
  let query = db
    .selectFrom('spend')
    .select(({ fn }) => sumColumns.map((name) => fn.sum(`spend.${name}`).as(name)))
    .where('span', '=', 0)
    .where('start', '=', 0)
  query =
    key === undefined
      ? query.where('spend.series', '=', allSeries)
      : query.innerJoin('series', 'series.id', 'spend.series').where('series.key', '=', textInRange(key))
  const { calls, usage, cost, unpriced } = totalsOfRow((await query.executeTakeFirst()) ?? {})
  return { calls, usage, cost, unpriced }
}

/** The number of a word; `null` when the database doesn't have it. */
export async function wordOf(db: Tx, text: string): Promise<number | null> {
  const [found] = await words.find(db, [textInRange(text)])
  return found?.[1] ?? null
}

/** Numbers of the runs of this name: of one key, or of all. */
async function runsOf(db: Tx, key: number | undefined, run: string): Promise<number[]> {
  if (key !== undefined) return (await facets.find(db, [facetName('run', key, textInRange(run))])).map(([, id]) => id)
  const rows = await db.selectFrom('facets').select('id').where('value', '=', textInRange(run)).where('kind', '=', 0).execute()
  return rows.map(({ id }) => Number(id))
}
