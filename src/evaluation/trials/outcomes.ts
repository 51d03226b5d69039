import type { Outcome, OutcomeRow } from '../../environment/index.js'
import { openaiChat, type Request } from '../../protocol/index.js'
import { toDollars } from '../../quantities/index.js'
import type { Suite } from '../suite/contract.js'
import type { TrialScores, ScoredCell } from './score.js'

/**
 * What an evaluation saw as rows of an outcome table, which replay, score and training read: one row an item that was asked, one
 * outcome a method that answered it. The request is the one that the first of them was sent. Items that nobody was asked about are left
 * out. O(cells).
 */
export function* outcomeRows(suite: Suite, score: TrialScores): Generator<OutcomeRow> {
  const cells = new Map<number, ScoredCell[]>()
  for (const [method] of suite.methods.entries())
    for (const cell of score.cellsOf(method)) {
      const own = cells.get(cell.item)
      if (own) own.push(cell)
      else cells.set(cell.item, [cell])
    }
  for (const [item, { id, category }] of suite.items.entries()) {
    const about = suite.items[item]
    const scored = cells.get(item)
    const asked = scored?.[0] && suite.methods[scored[0].method]
    if (!about || !scored || !asked) continue
    const outcomes = Object.fromEntries(
      scored.flatMap((cell) => (suite.methods[cell.method] ? [[suite.methods[cell.method]?.id ?? '', outcomeOf(cell)]] : [])),
    )
    yield { id, request: { messages: messagesOf(asked.requestOf(about)) }, ...(category === undefined ? {} : { category }), outcomes }
  }
}

/**
 * Rows of the same item as one, with the outcomes of all; the request is that of the first. In the order of first appearance.
 * O(outcomes).
 */
export function mergedRows(rows: Iterable<OutcomeRow>): readonly OutcomeRow[] {
  const merged = new Map<string, OutcomeRow>()
  for (const row of rows) {
    const before = merged.get(row.id)
    merged.set(row.id, before === undefined ? row : { ...before, outcomes: { ...before.outcomes, ...row.outcomes } })
  }
  return [...merged.values()]
}

function outcomeOf({ score, answer }: ScoredCell): Outcome {
  const { usd, seconds, inputTokens, outputTokens, reasoningTokens } = answer
  return {
    quality: score,
    ...(usd === null ? {} : { usd: toDollars(usd) }),
    inputTokens,
    outputTokens: Math.max(0, outputTokens - reasoningTokens),
    reasoningTokens,
    seconds,
    // Half of a surrogate pair has no UTF-8.
    answer: answer.answer.replace(/\p{Surrogate}/gu, '\ufffd'),
  }
}

function messagesOf(request: Request): OutcomeRow['request']['messages'] {
  const { messages } = openaiChat.encodeRequest(request, request.model, { unsupported: () => undefined })
  if (!Array.isArray(messages)) return []
  return (messages as readonly unknown[]).flatMap((message) => (isMessage(message) ? [message] : []))
}

function isMessage(value: unknown): value is OutcomeRow['request']['messages'][number] {
  return typeof value === 'object' && value !== null && 'role' in value && typeof value.role === 'string'
}
