import type { Account, AccountKind, BudgetRule, KeyAccount, LevelSettings, RateRules } from '../ledger/index.js'
import { grainsOfLimit, units, usd } from '../quantities/index.js'
import type { Config, KeyConfig } from './config/index.js'
import { hashKey, type ConfiguredAccounts } from './keys.js'

type RuleConfig = NonNullable<KeyConfig['budgets']>[number]
type RateConfig = NonNullable<KeyConfig['rates']>
type LevelConfig = Pick<KeyConfig, 'budget_usd' | 'budgets' | 'rates' | 'models' | 'tags' | 'user_budgets'>

/** Accounts and keys as the configuration has them. */
export function configuredAccounts(config: Config): ConfiguredAccounts {
  const accounts: Account[] = []
  const add = (kind: AccountKind, id: string, { name, organisation, team, ...level }: AccountConfig) =>
    accounts.push({ kind, id, name: name ?? id, organisation, team, ...levelSettings(level), createdAt: 0, source: 'configuration' })
  for (const [id, entry] of Object.entries(config.organisations)) add('organisation', id, entry)
  for (const [id, entry] of Object.entries(config.teams)) add('team', id, entry)
  for (const [id, entry] of Object.entries(config.users)) add('user', id, entry)
  return {
    accounts,
    keys: config.keys.map(keyAccount),
    adminHash: config.admin && hashOf(config.admin),
  }
}

interface AccountConfig extends LevelConfig {
  readonly name?: string | undefined
  readonly organisation?: string | undefined
  readonly team?: string | undefined
}

function keyAccount(key: KeyConfig): KeyAccount {
  return {
    // Records go by the name, so it is as stable as an id.
    id: key.name,
    name: key.name,
    hash: hashOf(key),
    prefix: '',
    organisation: key.organisation,
    team: key.team,
    user: key.user,
    ...levelSettings(key),
    runRules: key.run_budgets && rulesOf(key.run_budgets),
    requestRules: key.request_budgets && rulesOf(key.request_budgets),
    endpoints: key.endpoints,
    objective: key.objective,
    blocked: key.blocked,
    expiresAt: key.expires === undefined ? undefined : Date.parse(key.expires) / 1000,
    createdAt: 0,
    createdBy: 'configuration',
    source: 'configuration',
  }
}

function hashOf({ key, key_hash }: Pick<KeyConfig, 'key' | 'key_hash'>): string {
  return key === undefined ? (key_hash ?? '').replace(/^sha256:/, '') : hashKey(key.reveal())
}

function levelSettings({ budget_usd, budgets, rates, models, tags, user_budgets }: LevelConfig): LevelSettings {
  return {
    rules: [...(budget_usd === undefined ? [] : rulesOf([{ usd: budget_usd, per: 'total', hard: true }])), ...rulesOf(budgets ?? [])],
    rates: rates && ratesOf(rates),
    models,
    tags,
    endUserRules: user_budgets && rulesOf(user_budgets),
  }
}

/** Limits in dollars, tokens, calls, joules or seconds, as rules in grains. */
export function rulesOf(rules: readonly RuleConfig[]): readonly BudgetRule[] {
  return rules.flatMap((rule) =>
    units.flatMap((unit) => {
      const limit = rule[unit]
      return limit === undefined
        ? []
        : [{ unit, limit: grainsOfLimit(unit, unit === 'usd' ? usd(limit) : limit), per: rule.per, hard: rule.hard }]
    }),
  )
}

export function ratesOf({ requests_per_minute, tokens_per_minute, parallel }: RateConfig): RateRules {
  return { requestsPerMinute: requests_per_minute, tokensPerMinute: tokens_per_minute, parallel }
}
