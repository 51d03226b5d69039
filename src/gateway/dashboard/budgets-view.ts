import { usageOfLevel, type Account, type BudgetLevel, type KeyAccount, type RuleUsage } from '../../ledger/index.js'
import { inUnit } from '../../quantities/index.js'
import { levelsOver } from '../admin/usage.js'
import { limitJson, momentJson, statusOf } from '../admin/views.js'
import type { GatewayState } from '../state.js'

export interface BudgetsAsked {
  readonly kind: 'key' | 'account'
  readonly limit: number
  readonly after?: string | undefined
}

type Parts = Pick<GatewayState, 'keyring' | 'accounts' | 'counters' | 'budgets' | 'clock'>

/**
 * Keys, or accounts, with how full every limit is that holds for them; those of the configuration stand on the first page. Throws
 * `ledger_unavailable` where the counters can't be asked. O(keys of the page × levels above them); each level is asked for once.
 */
export async function budgetsJson(parts: Parts, { kind, limit, after }: BudgetsAsked) {
  const now = parts.clock.now()
  const { keyring, accounts } = parts
  const configured: readonly (Account | KeyAccount)[] =
    after !== undefined ? [] : kind === 'key' ? keyring.keysOfConfiguration() : keyring.accountsOfConfiguration()
  const page =
    kind === 'key' ? await accounts?.store.keys({ limit, after, revoked: false }) : await accounts?.store.accounts({ limit, after })
  const known = new Map<string, Promise<readonly RuleUsage[]>>()
  const usageOf = (level: BudgetLevel): Promise<readonly RuleUsage[]> => {
    const id = `${level.kind}:${level.id}`
    const asked = known.get(id) ?? usageOfLevel(level, parts.counters, now)
    known.set(id, asked)
    return asked
  }
  const rows = [...configured, ...(page?.items ?? [])].map(async (subject) => {
    const levels = levelsOver(subject, keyring).filter(({ rules }) => rules.length > 0)
    const owner: Pick<BudgetLevel, 'kind' | 'id'> = { kind: 'kind' in subject ? subject.kind : 'key', id: subject.id }
    return {
      ...subjectJson(subject, now),
      budgets: (
        await Promise.all(levels.map(async (level) => (await usageOf(level)).map((usage) => heldLimitJson(level, usage, owner, parts))))
      ).flat(),
    }
  })
  return { object: 'list', read_at: momentJson(now), data: await Promise.all(rows), next: page?.next ?? null }
}

function subjectJson(subject: Account | KeyAccount, now: number) {
  const { id, name, source, organisation = null, team = null, models = null, rates } = subject
  const limits = {
    requests_per_minute: rates?.requestsPerMinute ?? null,
    tokens_per_minute: rates?.tokensPerMinute ?? null,
    parallel: rates?.parallel ?? null,
  }
  const common = { id, name, source, organisation, team, models, rates: limits }
  if ('kind' in subject) return { ...common, kind: subject.kind, user: null, status: 'active', expires: null }
  return { ...common, kind: 'key', user: subject.user ?? null, status: statusOf(subject, now), expires: momentJson(subject.expiresAt) }
}

function heldLimitJson(level: BudgetLevel, usage: RuleUsage, owner: Pick<BudgetLevel, 'kind' | 'id'>, { budgets }: Parts) {
  const { rule, counter, used } = usage
  const left = rule.limit > used ? rule.limit - used : 0n
  const held = budgets.heldHere(counter)
  return {
    ...limitJson(level, usage),
    // What other processes count may have been settled since this one last held.
    held: inUnit(rule.unit, held < used ? held : used),
    regime: rule.hard ? budgets.regimeOf(owner, rule.unit, left, rule.limit) : null,
  }
}
