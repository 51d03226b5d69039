import type { BudgetRule } from '../budgets/contract.js'
import type { Account, AuditEntry, KeyAccount } from './contract.js'
import { plainRule } from './settings.js'

type Described = Readonly<Record<string, unknown>>

/** What of an account or key goes into the audit: everything that can change, and nothing that is secret. */
export function described(subject: Account | KeyAccount): Described {
  const { rules, rates, models, endUserRules, tags, organisation, team } = subject
  const plain = (list: readonly BudgetRule[] | undefined) => list?.map(plainRule)
  const both = { name: subject.name, organisation, team, budgets: plain(rules), rates, models, user_budgets: plain(endUserRules), tags }
  if ('kind' in subject) return both
  const { user, endpoints, runRules, requestRules, objective, blocked, expiresAt, revokedAt, prefix, previous } = subject
  return {
    ...both,
    user,
    endpoints,
    run_budgets: plain(runRules),
    request_budgets: plain(requestRules),
    objective,
    blocked,
    expires_at: expiresAt,
    revoked_at: revokedAt,
    prefix,
    previous_until: previous?.until,
  }
}

/** The fields that differ. */
export function changesBetween(before: Described, after: Described): AuditEntry['changes'] {
  const changes: Record<string, { before?: unknown; after?: unknown }> = {}
  for (const field of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[field], after[field]]
    if (JSON.stringify(old) === JSON.stringify(now)) continue
    changes[field] = { ...(old === undefined ? {} : { before: old }), ...(now === undefined ? {} : { after: now }) }
  }
  return changes
}
