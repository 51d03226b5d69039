import { createHash } from 'node:crypto'
import {
  memoryBudget,
  readOutcomeTable,
  recordedEnvironment,
  virtualClock,
  type BudgetLimits,
  type Environment,
  type OutcomeRow,
  type VirtualClock,
} from '../../environment/index.js'
import { InvalidRequest } from '../../errors/index.js'
import { openaiChat, type Request } from '../../protocol/index.js'
import type { Clock, Money, Usage } from '../../quantities/index.js'
import { buildStrategy, questionOf, single, strategyKinds } from '../../strategies/index.js'
import type { Method, Suite, TestItem } from '../suite/contract.js'
import type { TrialLimits, TrialWorld } from './world.js'

/** An outcome table in memory, as a world and as a suite. */
export interface RecordedTable {
  readonly rows: readonly OutcomeRow[]
  /** Names the file's content. */
  readonly digest: string
  /** Arms in the order in which they come first. */
  readonly arms: readonly string[]
}

/** Reads a whole outcome table: an evaluation asks for rows in any order. Throws as `readOutcomeTable`, and where there is no outcome. */
export async function readRecordedTable(file: string, limit = Infinity): Promise<RecordedTable> {
  const rows: OutcomeRow[] = []
  const arms = new Set<string>()
  const digest = createHash('sha256')
  for await (const row of readOutcomeTable(file, (bytes) => digest.update(bytes))) {
    rows.push(row)
    for (const arm of Object.keys(row.outcomes)) arms.add(arm)
    if (rows.length >= limit) break
  }
  if (arms.size === 0) throw new InvalidRequest(`The outcome table ${file} has no outcome.`, { path: 'recorded' })
  return { rows, arms: [...arms], digest: digest.digest('hex') }
}

/**
 * The suite that a table is by itself: each arm a method, each row that all of them have a quality on an item, graded by what was
 * recorded.
 */
export function suiteOfTable(name: string, { rows, arms }: RecordedTable): Suite {
  const graded = rows.filter(({ outcomes }) =>
    arms.every((arm) => outcomes[arm]?.quality !== undefined || outcomes[arm]?.samples?.[0]?.quality !== undefined),
  )
  if (graded.length === 0)
    throw new InvalidRequest(
      "No row of the table has a quality of every arm, so they can't be compared on it. Name a suite with checks beside --recorded.",
      { path: 'recorded' },
    )
  const requests = new Map(graded.map((row) => [row.id, requestOf(row)]))
  const methods = arms.map((arm): Method => ({
    id: arm,
    fingerprint: arm,
    requestOf(item) {
      const request = requests.get(item.id)
      if (!request) throw new InvalidRequest(`The table has no row "${item.id}".`, { path: `items.${item.id}` })
      return { ...request, model: arm }
    },
  }))
  const items = graded.map((row): TestItem => ({ id: row.id, variables: {}, category: row.category, checks: [] }))
  const left = rows.length - graded.length
  return { name, methods, items, notes: left === 0 ? [] : [`${left} of ${rows.length} rows lack a quality of some arm and are left out.`] }
}

function requestOf(row: OutcomeRow): Request {
  const { wire: _bytes, ...request } = openaiChat.decodeRequest(
    { ...row.request, model: 'recorded', stream: false },
    { format: 'openai-chat', bytes: new Uint8Array(0), fields: new Map(), json: {} },
  )
  return request
}

/** How recorded costs and times are taken. */
export interface RecordedWorldOptions extends TrialLimits {
  /** Dollars of a usage, where the table has none. */
  readonly price?: ((model: string, usage: Usage) => Money | null) | undefined
  /** Absent: a virtual one, so that nothing waits. */
  readonly clock?: VirtualClock | undefined
  readonly seed?: number | undefined
}

/**
 * A world of recorded outcomes: methods are tried without spending anything. An item's row is the one of its id, else the one that asks
 * the same last question. Time is virtual, as recorded; the budget counts what was paid then. Answers aren't kept, since they cost
 * nothing.
 */
export function recordedWorld(table: RecordedTable, options: RecordedWorldOptions = {}): TrialWorld & { readonly clock: Clock } {
  const { usd, calls, price, seed, clock = virtualClock() } = options
  const limits: BudgetLimits = { usd, calls }
  const budget = memoryBudget(limits, { name: 'evaluation' })
  const byId = new Map(table.rows.map((row) => [row.id, row]))
  const byQuestion = new Map<string, OutcomeRow>()
  const rowOf = (item: TestItem, request: Request): OutcomeRow => {
    const own = byId.get(item.id)
    if (own) return own
    if (byQuestion.size === 0) for (const row of table.rows) byQuestion.set(questionOf(requestOf(row)), row)
    const same = byQuestion.get(questionOf(request))
    if (same) return same
    throw new InvalidRequest(`The table has no row "${item.id}", and none that asks its question.`, { path: `items.${item.id}` })
  }
  const environment = (row: OutcomeRow, signal: AbortSignal) =>
    recordedEnvironment(row, {
      budget,
      signal,
      clock,
      answerless: true,
      ...(price === undefined ? {} : { price }),
      ...(seed === undefined ? {} : { seed }),
    })
  return {
    clock,
    keeps: false,
    identityOf: () => `recorded ${table.digest}`,
    open({ method, item, request, signal }) {
      const env = environment(rowOf(item, request), signal)
      const strategy = method.strategy === undefined ? single(request.model) : buildStrategy(method.strategy, strategyKinds)
      return { environment: env, strategy, qualityOf: (completion) => env.qualityOf(completion) }
    },
    forGrading(signal): Environment {
      const [first] = table.rows
      if (!first) throw new InvalidRequest('The table is empty.', { path: 'recorded' })
      return environment(first, signal)
    },
  }
}
