import type { BudgetAlert } from '../../ledger/index.js'
import { describeGrains, formatGrains } from '../../quantities/index.js'

/**
 * What a webhook receives, as JSON. Amounts are exact decimals in their unit (`"9.98"` dollars, `"1.5"` seconds). Never holds content.
 */
export interface AlertPayload {
  /** The same when a delivery is tried again. */
  readonly id: string
  readonly type: `budget.${BudgetAlert['kind']}`
  /** When it happened, ISO 8601. */
  readonly at: string
  /** In plain words. */
  readonly text: string
  readonly level: { readonly kind: string; readonly id: string; readonly name: string }
  readonly unit: string
  readonly per: string
  readonly hard: boolean
  readonly limit: string
  readonly used: string
  /** The share that was reached, of alerts `budget.share_reached`. */
  readonly share?: number | undefined
  /** The window of the limit, ISO 8601; absent for a total. */
  readonly window?: { readonly start: string; readonly end: string } | undefined
}

/** Routed traffic that went back to the reference, because its quality was proven worse. */
export interface RollBackAlert {
  readonly kind: 'rolled_back'
  /** `all`, or `organisation:<id>`. */
  readonly scope: string
  /** Unix seconds. */
  readonly at: number
  /** In plain words. */
  readonly text: string
  /** Quality of routing less the reference's, with its interval; and what was to be kept at most. */
  readonly difference: { readonly value: number; readonly low: number; readonly high: number }
  readonly margin: number
}

/** What a webhook receives of a roll-back. Differences are shares: -0.05 is five points of a hundred less. */
export interface RollBackPayload {
  readonly id: string
  readonly type: 'proof.rolled_back'
  readonly at: string
  readonly text: string
  readonly scope: string
  readonly difference: RollBackAlert['difference']
  readonly margin: number
}

export function rollBackPayloadOf(
  { scope, at, text, difference: { value, low, high }, margin }: RollBackAlert,
  id: string,
): RollBackPayload {
  return { id, type: 'proof.rolled_back', at: iso(at), text, scope, difference: { value, low, high }, margin }
}

export function payloadOf(alert: BudgetAlert, id: string): AlertPayload {
  const { kind, level, rule, share, used, window, at } = alert
  return {
    id,
    type: `budget.${kind}`,
    at: iso(at),
    text: alertText(alert),
    level: { kind: level.kind, id: level.id, name: level.name },
    unit: rule.unit,
    per: rule.per,
    hard: rule.hard,
    limit: formatGrains(rule.unit, rule.limit),
    used: formatGrains(rule.unit, used),
    share,
    window: Number.isFinite(window.end) ? { start: iso(window.start), end: iso(window.end) } : undefined,
  }
}

/** An alert in one plain sentence, for logs and people. */
export function alertText({ kind, level, rule: { unit, per, limit }, share, used }: BudgetAlert): string {
  const budget = `The ${adjective[per]}${kind === 'soft_limit_overrun' ? 'soft limit' : 'budget'} of ${level.kind} "${level.name}"`
  const amounts = `${describeGrains(unit, used)} of ${describeGrains(unit, limit)} ${unit === 'calls' ? 'made' : 'used'}`
  switch (kind) {
    case 'soft_limit_overrun':
      return `${budget} is overrun: ${amounts}.`
    case 'share_reached':
      return `${budget} has reached ${Number(((share ?? 1) * 100).toFixed(2))} %: ${amounts}.`
    case 'refused':
      return `${budget} refuses calls: ${amounts}, and what isn't reserved of the rest is too little for them.`
  }
}

const adjective = { minute: 'minute ', day: 'daily ', month: 'monthly ', total: '' } as const

function iso(seconds: number): string {
  return Number.isFinite(seconds) && Math.abs(seconds) <= 8.64e12 ? new Date(seconds * 1000).toISOString() : ''
}
