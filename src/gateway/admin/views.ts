import {
  plainRule,
  type Account,
  type AuditEntry,
  type BudgetLevel,
  type BudgetRule,
  type KeyAccount,
  type RateRules,
  type ReportTotals,
  type RuleUsage,
} from '../../ledger/index.js'
import { formatUsd, inUnit, totalInputTokens, totalOutputTokens } from '../../quantities/index.js'

type Json = Readonly<Record<string, unknown>>

/** A key as the admin API shows it. Never its text, nor its hash. */
export function keyJson(key: KeyAccount, now: number): Json {
  return {
    id: key.id,
    object: 'key',
    name: key.name,
    prefix: key.prefix === '' ? null : key.prefix,
    status: statusOf(key, now),
    source: key.source,
    organisation: key.organisation ?? null,
    team: key.team ?? null,
    user: key.user ?? null,
    ...levelJson(key),
    run_budgets: rulesJson(key.runRules),
    request_budgets: rulesJson(key.requestRules),
    endpoints: key.endpoints ?? null,
    objective: key.objective ?? null,
    expires: momentJson(key.expiresAt),
    previous_works_until: key.previous !== undefined && key.previous.until > now ? momentJson(key.previous.until) : null,
    revoked_at: momentJson(key.revokedAt),
    created_at: key.source === 'store' ? momentJson(key.createdAt) : null,
    created_by: key.createdBy,
  }
}

export function statusOf(key: KeyAccount, now: number): 'active' | 'blocked' | 'revoked' | 'expired' {
  if (key.revokedAt !== undefined) return 'revoked'
  if (key.blocked === true) return 'blocked'
  return key.expiresAt !== undefined && now >= key.expiresAt ? 'expired' : 'active'
}

export function accountJson(account: Account): Json {
  return {
    id: account.id,
    object: 'account',
    kind: account.kind,
    name: account.name,
    source: account.source,
    organisation: account.organisation ?? null,
    team: account.team ?? null,
    ...levelJson(account),
    created_at: account.source === 'store' ? momentJson(account.createdAt) : null,
  }
}

export function auditJson({ revision, at, by, action, subject, name, changes }: AuditEntry): Json {
  return { id: revision, object: 'audit_entry', at: momentJson(at), by, action, kind: subject.kind, subject: subject.id, name, changes }
}

/** Sums of a report. Dollars are of the calls whose price is known; `unpriced` counts the others. */
export function totalsJson({ calls, errors, lost, unpriced, usage, cost }: ReportTotals): Json {
  return {
    usd: cost.usd === null ? null : Number(formatUsd(cost.usd)),
    calls,
    errors,
    lost,
    unpriced,
    input_tokens: totalInputTokens(usage),
    output_tokens: totalOutputTokens(usage),
    seconds: cost.seconds,
    joules: cost.joules,
  }
}

function levelJson({
  rules,
  rates,
  models,
  endUserRules,
  tags,
}: Pick<Account, 'rules' | 'rates' | 'models' | 'endUserRules' | 'tags'>): Json {
  return {
    budgets: rulesJson(rules),
    rates: rates === undefined ? null : ratesJson(rates),
    models: models ?? null,
    user_budgets: rulesJson(endUserRules),
    tags: tags ?? {},
  }
}

function rulesJson(rules: readonly BudgetRule[] | undefined): readonly Json[] {
  return (rules ?? []).map(plainRule)
}

/** How full a limit is. */
export function limitJson(level: Pick<BudgetLevel, 'kind' | 'id'>, { rule, used, windowEnd }: RuleUsage): Json {
  return {
    level: level.kind,
    id: level.id,
    ...plainRule(rule),
    unit: rule.unit,
    limit: inUnit(rule.unit, rule.limit),
    used: inUnit(rule.unit, used),
    left: inUnit(rule.unit, rule.limit > used ? rule.limit - used : 0n),
    resets_at: momentJson(windowEnd),
  }
}

function ratesJson({ requestsPerMinute, tokensPerMinute, parallel }: RateRules): Json {
  return {
    ...(requestsPerMinute === undefined ? {} : { requests_per_minute: requestsPerMinute }),
    ...(tokensPerMinute === undefined ? {} : { tokens_per_minute: tokensPerMinute }),
    ...(parallel === undefined ? {} : { parallel }),
  }
}

export function momentJson(seconds: number | undefined): string | null {
  return seconds === undefined || !Number.isFinite(seconds) ? null : new Date(seconds * 1000).toISOString()
}
