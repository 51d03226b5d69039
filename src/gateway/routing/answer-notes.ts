import { formatUsd, noUsage, toDollars, totalInputTokens, totalOutputTokens, type Money } from '../../quantities/index.js'
import type { Answer } from '../../strategies/index.js'
import type { Routed } from './router.js'

/** Four digits are what an expectation is worth. */
const DIGITS = 4

/** What the headers say of a decision before its answer is there. */
export function decisionHeaders({ decision, reference }: Routed): Record<string, string> {
  const { arm, expected } = decision
  const headers: Record<string, string> = {
    'x-bursar-arm': headerSafe(arm.id),
    'x-bursar-policy': headerSafe(decision.policy),
    'x-bursar-reason': headerSafe(decision.reason),
    'x-bursar-reference': headerSafe(reference.id),
  }
  const { objective } = decision
  if (objective?.name !== undefined) headers['x-bursar-objective'] = headerSafe(objective.name)
  if (expected?.quality) headers['x-bursar-expected-quality'] = short(expected.quality.mean)
  if (expected && expected.cost.usd !== null) headers['x-bursar-expected-cost'] = dollarText(expected.cost.usd)
  const wouldCost = arm.id === reference.id ? undefined : decision.reference?.cost.usd
  if (wouldCost != null) headers['x-bursar-reference-cost'] = dollarText(wouldCost)
  return headers
}

/** The same when the answer is there: what the reference would have cost is known better then. `arm`: what answered in the end. */
export function answerHeaders(routed: Routed, answer: Answer, arm: string): Record<string, string> {
  const wouldCost = referenceCost(routed, answer, arm)
  return {
    ...decisionHeaders(routed),
    'x-bursar-arm': headerSafe(arm),
    'x-bursar-reference-cost': wouldCost === null ? 'null' : dollarText(wouldCost),
  }
}

/** What a body says beside `usage`, where its format lets it: dollars, `null` when unknown. */
export function bodyNote(routed: Routed, answer: Answer, arm: string): Readonly<Record<string, unknown>> {
  const wouldCost = referenceCost(routed, answer, arm)
  return {
    arm,
    reason: routed.decision.reason,
    policy: routed.decision.policy,
    cost: answer.cost.usd === null ? null : Number(formatUsd(answer.cost.usd)),
    reference: routed.reference.id,
    reference_cost: wouldCost === null ? null : toDollars(wouldCost),
  }
}

/**
 * What the reference would have cost, an estimate: its list price for the tokens that were read, and for those that it was learned to
 * write for such requests, else for as many as were written. Where the reference answered, what it did cost.
 */
export function referenceCost({ reference, referenceOutputTokens, decision }: Routed, answer: Answer, arm: string): Money | null {
  if (arm === reference.id && !answer.fellBackFrom.includes(decision.arm.strategy.id)) return answer.cost.usd
  const { usage } = answer.completion
  // Of a strategy of many calls the answering one read what one call of the reference would have.
  const written = referenceOutputTokens ?? totalOutputTokens(usage)
  return reference.card.priceOf?.({ ...noUsage, inputTokens: totalInputTokens(usage), outputTokens: Math.ceil(written) }) ?? null
}

/** A JSON object's bytes with one more field at its end; other bytes as they are. */
export function withField(bytes: Uint8Array, name: string, value: unknown): Uint8Array {
  let end = bytes.length - 1
  while (end >= 0 && isSpace(bytes[end])) end--
  if (bytes[end] !== CLOSING_BRACE) return bytes
  let last = end - 1
  while (last >= 0 && isSpace(bytes[last])) last--
  const comma = bytes[last] === OPENING_BRACE ? '' : ','
  return Buffer.concat([
    bytes.subarray(0, end),
    Buffer.from(`${comma}${JSON.stringify(name)}:${JSON.stringify(value)}`),
    bytes.subarray(end),
  ])
}

const OPENING_BRACE = 0x7b
const CLOSING_BRACE = 0x7d

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function dollarText(money: Money): string {
  const dollars = toDollars(money)
  return dollars === 0 ? '0' : trimmed(dollars.toFixed(Math.min(12, Math.max(0, DIGITS - 1 - Math.floor(Math.log10(Math.abs(dollars)))))))
}

function short(value: number): string {
  return trimmed(value.toFixed(DIGITS))
}

function trimmed(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}

/** A header can't hold line breaks or anything beyond Latin-1. */
function headerSafe(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 1000)
}
