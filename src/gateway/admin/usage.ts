import type { Account, BudgetLevel, Counters, Dimension, KeyAccount, LedgerReader } from '../../ledger/index.js'
import { chainOf, isBroken, usageOfLevel } from '../../ledger/index.js'
import type { Keyring } from '../keys.js'
import { limitJson, momentJson, totalsJson } from './views.js'

const DAY = 86_400

export interface UsageParts {
  keyring(): Keyring
  ledger(): LedgerReader
  counters(): Pick<Counters, 'used'>
  /** Unix seconds. */
  now(): number
}

/** What a key or an account spent in the last so many days (UTC, today included), by day, and how full the budgets are that hold for it. */
export async function usageJson(
  subject: Account | KeyAccount,
  days: number,
  parts: UsageParts,
): Promise<Readonly<Record<string, unknown>>> {
  const now = parts.now()
  const from = Math.floor(now / DAY) * DAY - (days - 1) * DAY
  const dimension: Dimension = 'kind' in subject ? subject.kind : 'key'
  // Records go by the name of a key and by the id of an account.
  const where = { [dimension]: 'kind' in subject ? subject.id : subject.name }
  const [report, budgets] = await Promise.all([
    parts.ledger().report({ from, to: Math.ceil(now) + 1, by: ['day'], where, order: 'group' }),
    Promise.all(levelsOver(subject, parts.keyring()).map((level) => budgetsJson(level, parts, now))),
  ])
  return {
    object: 'usage',
    kind: dimension,
    id: subject.id,
    name: subject.name,
    from: momentJson(from),
    to: momentJson(now),
    total: totalsJson(report.total),
    days: report.rows.map(({ group, totals }) => ({ day: group['day'] ?? '', ...totalsJson(totals) })),
    budgets: budgets.flat(),
  }
}

async function budgetsJson(
  level: BudgetLevel,
  { counters }: UsageParts,
  now: number,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  if (level.rules.length === 0) return []
  return (await usageOfLevel(level, counters(), now)).map((usage) => limitJson(level, usage))
}

/** The subject's own level, with those above it before it. Of a subject whose accounts are not there only its own. */
export function levelsOver(subject: Account | KeyAccount, keyring: Keyring): readonly BudgetLevel[] {
  const { id, name, rules } = subject
  const own: BudgetLevel = { kind: 'kind' in subject ? subject.kind : 'key', id, name, rules }
  const chain = chainOf(subject, (kind, above) => keyring.account(kind, above))
  return isBroken(chain)
    ? [own]
    : [...chain.map((above): BudgetLevel => ({ kind: above.kind, id: above.id, name: above.name, rules: above.rules })), own]
}
