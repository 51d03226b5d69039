import { sql, type Selectable, type SqlBool } from 'kysely'
import type { DecisionRecord, OutcomeRecord } from '../record.js'
import type { Resolved } from './resolved.js'
import { amongAll } from './among.js'
import type { Engine } from './connect.js'
import { decisionOfPlace, type DecisionChange } from './call-additions.js'
import { lastCounted, rowKinds, usageOfRow, usdOfRow } from './call-rows.js'
import type { BulkTarget, Value } from './bulk.js'
import type { ApplyContext } from './context.js'
import { hex, packId, requestOf, unpackId } from './ids.js'
import { callColumns } from './known-calls.js'
import { anyText, momentInRange, realInRange, textInRange } from './ranges.js'
import { dayOf } from './rollup.js'
import type { OutcomesTable } from './schema.js'
import { takeNumbers } from './state.js'
import { Sums, sumsOfCall, sumsOfCorrection } from './sums.js'
import type { Tx } from './transaction.js'

/** From this score on an outcome is a success. */
export const successScore = 0.5

/**
 * Whether an outcome counts in the sums of its decision's day: not before its decision is known, and the last word of each source counts. `aside`: it is
 * about another arm's answer, and never counts.
 */
export const outcomeStates = { waiting: 0, counted: 1, replaced: 2, aside: 3 } as const

const outcomesTarget: BulkTarget = {
  table: 'outcomes',
  columns: [
    ['seq', 'bigint'],
    ['outcome_id', 'text'],
    ['at', 'double precision'],
    ['decision', 'bytea'],
    ['run', 'integer'],
    ['key', 'integer'],
    ['source', 'integer'],
    ['score', 'double precision'],
    ['comment', 'text'],
    ['state', 'integer'],
    ['sought', 'double precision'],
    ['arm', 'integer'],
  ],
}
const runsTarget: BulkTarget = {
  table: 'run_outcomes',
  columns: [
    ['run', 'integer'],
    ['source', 'integer'],
    ['day', 'bigint'],
    ['score', 'double precision'],
  ],
  conflict: 'on conflict (run, source) do update set day = excluded.day, score = excluded.score',
}
const amounts = ['outcomes', 'successes', 'calls', 'unpriced', 'usd_micro', 'usd_rest', 'input_tokens', 'output_tokens'] as const
const daysTarget: BulkTarget = {
  table: 'outcome_days',
  columns: [
    ['day', 'bigint'],
    ['key', 'integer'],
    ['requested_model', 'integer'],
    ['arm', 'integer'],
    ['source', 'integer'],
    ...amounts.map((name) => [name, 'bigint'] as const),
    ['score', 'double precision'],
    ['seconds', 'double precision'],
  ],
  conflict: `on conflict (day, key, requested_model, arm, source) do update set ${[...amounts, 'score', 'seconds'].map((name) => `${name} = outcome_days.${name} + excluded.${name}`).join(', ')}`,
}

interface Additions {
  readonly outcomes: readonly OutcomeRecord[]
  readonly decisions: readonly DecisionRecord[]
  /** What was added to the calls of decisions, which is in the database by now. */
  readonly changes: readonly DecisionChange[]
}

type Stored = Pick<Selectable<OutcomesTable>, 'seq' | 'decision' | 'source' | 'score' | 'state' | 'outcome_id'>

/**
 * Adds outcomes, and keeps the sums of decisions that have outcomes: whichever comes first, the decision, its calls or what is said of them. Costs a
 * look-up for each decision of the transaction.
 */
export async function addOutcomes(
  tx: Tx,
  context: ApplyContext,
  { outcomes, decisions, changes }: Additions,
  resolved: Resolved,
): Promise<void> {
  const touched = new Map<string, Uint8Array>()
  for (const id of new Set([
    ...outcomes.flatMap(({ decisionId }) => decisionId ?? []),
    ...[...decisions, ...changes].map(({ decisionId }) => decisionId),
  ])) {
    const packed = packId('dec_', id)
    touched.set(hex(packed), packed)
  }
  const stored = await findOutcomes(tx, context.engine, [...touched.values()])
  const fresh = outcomes.filter(
    ({ decisionId, outcomeId }) =>
      decisionId === undefined || stored.get(idOf(decisionId))?.some((row) => row.outcome_id === outcomeId) !== true,
  )
  const counting = fresh.filter(({ arm }) => arm === undefined)
  await addRunOutcomes(tx, context, counting, resolved)
  const states = await count(tx, context, stored, counting, changes, resolved)
  if (fresh.length === 0) return
  const first = await takeNumbers(tx, 'outcome_seq', fresh.length)
  await context.bulk.write(
    tx,
    outcomesTarget,
    fresh.map((outcome, index): Value[] => {
      const { outcomeId, at, decisionId, run, key, source, score, comment, sought, arm } = outcome
      return [
        first + BigInt(index),
        anyText(outcomeId),
        momentInRange(at),
        decisionId === undefined ? null : packId('dec_', decisionId),
        run === undefined ? null : resolved.facet('run', key, run),
        resolved.word(textInRange(key)),
        resolved.word(textInRange(source)),
        realInRange(score),
        comment === undefined ? null : anyText(comment),
        arm === undefined ? (states.get(outcome) ?? outcomeStates.waiting) : outcomeStates.aside,
        sought === undefined ? null : realInRange(sought),
        arm === undefined ? null : resolved.word(textInRange(arm)),
      ]
    }),
  )
}

function idOf(decisionId: string): string {
  return hex(packId('dec_', decisionId))
}

async function findOutcomes(tx: Tx, engine: Engine, ids: readonly Uint8Array[]): Promise<Map<string, Stored[]>> {
  const found = new Map<string, Stored[]>()
  const rows = await amongAll(engine, ['decision', 'bytea'], ids, (among) =>
    tx
      .selectFrom('outcomes')
      .select(['seq', 'decision', 'source', 'score', 'state', 'outcome_id'])
      .where(among)
      // As text, for the partial index.
      .where(sql<SqlBool>`decision is not null`)
      .orderBy('seq')
      .execute(),
  )
  for (const row of rows) if (row.decision !== null) push(found, hex(row.decision), row)
  return found
}

/** Counts what isn't counted yet; answers the states of the new outcomes. */
async function count(
  tx: Tx,
  context: ApplyContext,
  stored: ReadonlyMap<string, readonly Stored[]>,
  fresh: readonly OutcomeRecord[],
  changes: readonly DecisionChange[],
  resolved: Resolved,
): Promise<Map<OutcomeRecord, number>> {
  const states = new Map<OutcomeRecord, number>()
  const said = new Map<string, OutcomeRecord[]>()
  for (const outcome of fresh) if (outcome.decisionId !== undefined) push(said, idOf(outcome.decisionId), outcome)
  const changed = new Map<string, Sums>()
  // Only sums of what is counted already are moved on by what is new.
  for (const { decisionId, sums } of stored.size === 0 ? [] : changes) {
    const id = idOf(decisionId)
    if (!stored.has(id)) continue
    let sum = changed.get(id)
    if (sum === undefined) changed.set(id, (sum = new Sums()))
    sum.add(sums)
  }
  const ids = new Set([...stored.keys(), ...said.keys()])
  const known = await findDecisions(tx, context.engine, [...ids])
  const taken = await sumsOfDecisions(tx, context.engine, known)
  const rows: Amounts[] = []
  for (const id of ids) {
    const decision = known.get(id)
    if (decision === undefined) continue
    const told = (stored.get(id) ?? []).filter(({ state }) => Number(state) !== outcomeStates.aside)
    const sources = new Set([
      ...told.map(({ source }) => Number(source)),
      ...(said.get(id) ?? []).map(({ source }) => resolved.word(textInRange(source))),
    ])
    for (const source of sources) {
      const before = told.filter((row) => Number(row.source) === source)
      const now = (said.get(id) ?? []).filter((outcome) => resolved.word(textInRange(outcome.source)) === source)
      const counted = before.find((row) => Number(row.state) === outcomeStates.counted)
      const last = now.at(-1) ?? before.findLast((row) => Number(row.state) === outcomeStates.waiting) ?? counted
      if (last === undefined) continue
      for (const outcome of now) states.set(outcome, outcome === last ? outcomeStates.counted : outcomeStates.replaced)
      for (const row of before) {
        const state = row === last ? outcomeStates.counted : outcomeStates.replaced
        if (Number(row.state) !== state) await tx.updateTable('outcomes').set({ state }).where('seq', '=', row.seq).execute()
      }
      const sums = counted === undefined ? (taken.get(id) ?? new Sums()) : (changed.get(id) ?? new Sums())
      const success = (score: number) => (score >= successScore ? 1 : 0)
      rows.push([
        dayOf(decision.at),
        decision.key,
        decision.requested_model,
        decision.arm,
        source,
        counted === undefined ? 1 : 0,
        success(last.score) - (counted === undefined ? 0 : success(counted.score)),
        ...sums.outline(),
        realInRange(last.score - (counted?.score ?? 0)),
        sums.real[0] ?? 0,
      ])
    }
  }
  await context.bulk.write(tx, daysTarget, merged(rows))
  return states
}

interface KnownDecision {
  readonly at: number
  readonly key: number
  readonly requested_model: number
  readonly arm: number
  readonly request: Uint8Array
}

/** Decisions by `hex` of their ids; those of this transaction are in the database by now. */
async function findDecisions(tx: Tx, engine: Engine, ids: readonly string[]): Promise<Map<string, KnownDecision>> {
  const packed = ids.map((id) => Buffer.from(id, 'hex'))
  const rows = await amongAll(engine, ['id', 'bytea'], packed, (among) =>
    tx.selectFrom('decisions').select(['id', 'request_id', 'at', 'key', 'requested_model', 'arm']).where(among).execute(),
  )
  return new Map(
    rows.map(({ id, request_id, at, key, requested_model, arm }) => [
      hex(id),
      {
        at,
        key: Number(key),
        requested_model: Number(requested_model),
        arm: Number(arm),
        request: packId('req_', request_id ?? requestOf(unpackId('dec_', id))),
      },
    ]),
  )
}

/** What all calls of each decision took, by `hex` of its id. */
async function sumsOfDecisions(tx: Tx, engine: Engine, decisions: ReadonlyMap<string, KnownDecision>): Promise<Map<string, Sums>> {
  const sums = new Map<string, Sums>()
  const requests = new Map([...decisions.values()].map(({ request }) => [hex(request), request]))
  const rows = await amongAll(engine, ['request', 'bytea'], [...requests.values()], (among) =>
    tx.selectFrom('calls').select(callColumns).where(among).where('ended', '<=', lastCounted).orderBy('seq').execute(),
  )
  for (const row of rows) {
    const id = idOf(decisionOfPlace(row))
    const decision = decisions.get(id)
    if (decision === undefined || hex(decision.request) !== hex(row.request)) continue
    let sum = sums.get(id)
    if (sum === undefined) sums.set(id, (sum = new Sums()))
    const costs = { usage: usageOfRow(row), cost: { usd: usdOfRow(row), seconds: row.seconds, joules: row.joules, gramsCO2e: row.grams } }
    sum.add(Number(row.ended) === rowKinds.correction ? sumsOfCorrection(costs) : sumsOfCall({ ...costs, end: 'complete' }))
  }
  return sums
}

/** The last word of each source about a run counts. */
async function addRunOutcomes(tx: Tx, { bulk }: ApplyContext, outcomes: readonly OutcomeRecord[], resolved: Resolved): Promise<void> {
  const last = new Map<string, Value[]>()
  for (const { run, key, source, at, score } of outcomes) {
    if (run === undefined) continue
    const place = [resolved.facet('run', key, run), resolved.word(textInRange(source))]
    last.set(place.join(' '), [...place, dayOf(at), realInRange(score)])
  }
  await bulk.write(tx, runsTarget, [...last.values()])
}

/** A row of `daysTarget`. */
type Amounts = readonly (number | bigint)[]

/** Rows of one place as one row. */
function merged(rows: readonly Amounts[]): Amounts[] {
  const places = new Map<string, Amounts>()
  for (const row of rows) {
    const place = row.slice(0, 5).join(' ')
    const known = places.get(place)
    places.set(place, known === undefined ? row : row.map((value, index) => (index < 5 ? value : plus(known[index] ?? 0, value ?? 0))))
  }
  return [...places.values()]
}

function plus(a: number | bigint, b: number | bigint): number | bigint {
  return typeof a === 'bigint' || typeof b === 'bigint' ? BigInt(a) + BigInt(b) : a + b
}

function push<Item>(lists: Map<string, Item[]>, name: string, item: Item): void {
  const list = lists.get(name)
  if (list === undefined) lists.set(name, [item])
  else list.push(item)
}
