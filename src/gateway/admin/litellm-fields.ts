import { InvalidRequest } from '../../errors/index.js'
import type { BudgetRule, KeySettings, RateRules } from '../../ledger/index.js'
import { usd } from '../../quantities/index.js'
import { didYouMean } from '../config/closest.js'

export type Fields = Readonly<Record<string, unknown>>

/** Fields of LiteLLM that mean nothing here, with the values that change nothing (beside null and everything empty). */
const withoutCounterpart: Readonly<Record<string, readonly unknown[]>> = {
  access_group_ids: [],
  aliases: [],
  allowed_cache_controls: [],
  allowed_passthrough_routes: [],
  allowed_vector_store_indexes: [],
  admins: [],
  auto_rotate: [false],
  budget_fallbacks: [],
  budget_id: [],
  budget_limits: [],
  config: [],
  default_team_member_models: [],
  disable_global_guardrails: [false],
  enforced_params: [],
  guardrails: [],
  key_type: ['default', 'llm_api'],
  members: [],
  members_with_roles: [],
  model_aliases: [],
  model_max_budget: [],
  model_rpm_limit: [],
  model_tpm_limit: [],
  object_permission: [],
  permissions: [],
  policies: [],
  project_id: [],
  prompts: [],
  rotation_interval: [],
  router_settings: [],
  rpm_limit_type: ['best_effort_throughput'],
  send_invite_email: [false],
  spend: [0],
  sso_user_id: [],
  team_member_budget: [],
  team_member_permissions: [],
  tpm_limit_type: ['best_effort_throughput'],
}

/** Fields that every level has. */
export const levelNames = [
  'max_budget',
  'budget_duration',
  'soft_budget',
  'rpm_limit',
  'tpm_limit',
  'max_parallel_requests',
  'models',
  'metadata',
  'tags',
  'blocked',
] as const

/**
 * Throws `InvalidRequest` with the field's path for a field that is not in `known` and would change something. What can't be
 * mapped is refused rather than dropped: a limit that is dropped is money spent.
 */
export function refuseOthers(body: Fields, known: readonly string[]): void {
  for (const [field, value] of Object.entries(body)) {
    if (known.includes(field) || isEmpty(value)) continue
    const harmless = Object.hasOwn(withoutCounterpart, field) ? withoutCounterpart[field] : undefined
    if (harmless?.includes(value)) continue
    throw new InvalidRequest(
      harmless === undefined
        ? `${field}: unknown field${didYouMean(field, [...known, ...Object.keys(withoutCounterpart)])}.`
        : `${field}: Bursar has nothing that corresponds to this, so it is refused rather than ignored.`,
      { path: field },
    )
  }
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || value === '' || (typeof value === 'object' && Object.keys(value).length === 0)
}

/** What the LiteLLM fields of a level say, over the settings that are there already. */
export interface LevelChange {
  readonly rules?: readonly BudgetRule[] | undefined
  readonly rates?: RateRules | null | undefined
  readonly models?: readonly string[] | null | undefined
  readonly tags?: Readonly<Record<string, string>> | null | undefined
  readonly blocked?: boolean | null | undefined
  /** What was mapped to something near. */
  readonly warnings: readonly string[]
}

/** Reads `levelNames`. `before` is what the level has; fields that are absent leave it as it is. */
export function levelChange(body: Fields, before: Pick<KeySettings, 'rules' | 'rates' | 'tags'>): LevelChange {
  const warnings: string[] = []
  return {
    rules: rulesFrom(body, before.rules, warnings),
    rates: ratesFrom(body, before.rates),
    models: modelsFrom(body['models']),
    tags: tagsFrom(body),
    blocked: body['blocked'] === undefined ? undefined : booleanOf(body, 'blocked') ? true : null,
    warnings,
  }
}

type Window = BudgetRule['per']

/** The hard limit in dollars that LiteLLM's `max_budget` is about: the one that there is, if there is one. */
export function mainBudget(rules: readonly BudgetRule[]): BudgetRule | undefined {
  return rules.find(({ unit, hard }) => unit === 'usd' && hard)
}

export function softBudget(rules: readonly BudgetRule[]): BudgetRule | undefined {
  return rules.find(({ unit, hard }) => unit === 'usd' && !hard)
}

function rulesFrom(body: Fields, before: readonly BudgetRule[], warnings: string[]): readonly BudgetRule[] | undefined {
  if (!['max_budget', 'soft_budget', 'budget_duration'].some((field) => body[field] !== undefined)) return undefined
  const [main, soft] = [mainBudget(before), softBudget(before)]
  const per = body['budget_duration'] === undefined ? (main?.per ?? soft?.per ?? 'total') : windowFrom(body['budget_duration'], warnings)
  const limitOf = (field: string, old: BudgetRule | undefined): bigint | undefined => {
    if (body[field] === undefined) return old?.limit
    const dollars = numberOf(body, field)
    return dollars === undefined ? undefined : usd(dollars)
  }
  const rule = (limit: bigint | undefined, hard: boolean): readonly BudgetRule[] =>
    limit === undefined ? [] : [{ unit: 'usd', limit, per, hard }]
  const made = [...rule(limitOf('max_budget', main), true), ...rule(limitOf('soft_budget', soft), false)]
  if (typeof body['budget_duration'] === 'string' && made.length === 0)
    throw new InvalidRequest('budget_duration: there is no budget that it could be for; set max_budget too.', { path: 'budget_duration' })
  return [...made, ...before.filter((one) => one !== main && one !== soft)]
}

const exact: Readonly<Record<string, Window>> = {
  '60s': 'minute',
  '1m': 'minute',
  '1d': 'day',
  '24h': 'day',
  daily: 'day',
  '1mo': 'month',
  monthly: 'month',
}

/** Only windows that mean the same here. Thirty days become a calendar month, and a warning says so. */
function windowFrom(value: unknown, warnings: string[]): Window {
  if (value === null || value === '') return 'total'
  const window = typeof value === 'string' && Object.hasOwn(exact, value) ? exact[value] : undefined
  if (window !== undefined) return window
  if (value === '30d') {
    warnings.push('budget_duration: "30d" became a calendar month (UTC); the budget starts anew on the first of each month.')
    return 'month'
  }
  throw new InvalidRequest(
    'budget_duration: budgets are per minute ("60s"), day ("1d"), month ("1mo" or "30d") or in total (null); no other length can be kept exactly.',
    {
      path: 'budget_duration',
    },
  )
}

function ratesFrom(body: Fields, before: RateRules | undefined): RateRules | null | undefined {
  const names = { rpm_limit: 'requestsPerMinute', tpm_limit: 'tokensPerMinute', max_parallel_requests: 'parallel' } as const
  const fields = (['rpm_limit', 'tpm_limit', 'max_parallel_requests'] as const).filter((field) => body[field] !== undefined)
  if (fields.length === 0) return undefined
  const rates: { requestsPerMinute?: number | undefined; tokensPerMinute?: number | undefined; parallel?: number | undefined } = {
    ...before,
  }
  for (const field of fields) {
    const limit = numberOf(body, field)
    if (limit !== undefined && !(Number.isSafeInteger(limit) && limit > 0))
      throw new InvalidRequest(`${field}: expected a whole number above 0, or null for no limit; to stop a key, block it.`, { path: field })
    rates[names[field]] = limit
  }
  return Object.values(rates).every((limit) => limit === undefined) ? null : rates
}

function modelsFrom(value: unknown): readonly string[] | null | undefined {
  if (value === undefined) return undefined
  if (value === null) return null
  if (!Array.isArray(value) || !value.every((name) => typeof name === 'string' && /^(?:[^\s\p{Cc}*]{1,200}\*?|\*)$/u.test(name)))
    throw new InvalidRequest('models: expected a list of model names; a "*" may stand at the end.', { path: 'models' })
  const names: readonly string[] = value
  // There an empty list means all models, and so do these words, since every level has to allow a model here.
  if (names.every((name) => name === 'all-proxy-models' || name === 'all-team-models')) return null
  if (names.includes('no-default-models')) throw new InvalidRequest('models: "no-default-models" has no counterpart.', { path: 'models' })
  return names
}

/** `metadata` of plain values and `tags`, which are words. */
function tagsFrom(body: Fields): Readonly<Record<string, string>> | null | undefined {
  const { metadata, tags } = body
  if (metadata === undefined && tags === undefined) return undefined
  const made: Record<string, string> = {}
  if (metadata !== undefined && metadata !== null) {
    if (typeof metadata !== 'object' || Array.isArray(metadata))
      throw new InvalidRequest('metadata: expected an object.', { path: 'metadata' })
    for (const [name, value] of Object.entries(metadata)) {
      if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
        throw new InvalidRequest(`metadata.${name}: tags are texts, numbers or booleans; lists and objects have no counterpart.`, {
          path: `metadata.${name}`,
        })
      made[tagName(name, `metadata.${name}`)] = tagValue(String(value), `metadata.${name}`)
    }
  }
  if (tags !== undefined && tags !== null) {
    if (!Array.isArray(tags)) throw new InvalidRequest('tags: expected a list of texts.', { path: 'tags' })
    for (const [index, tag] of tags.entries()) made[tagName(typeof tag === 'string' ? tag : '', `tags[${index}]`)] = 'true'
  }
  return Object.keys(made).length === 0 ? null : made
}

function tagName(name: string, path: string): string {
  if (name === '' || name.length > 64) throw new InvalidRequest(`${path}: a tag has a name of 1 to 64 characters.`, { path })
  return name
}

function tagValue(value: string, path: string): string {
  if (value.length > 256) throw new InvalidRequest(`${path}: a tag has at most 256 characters.`, { path })
  return value
}

/** A text field; absent, null and empty are `undefined`. */
export function textOf(body: Fields, field: string): string | undefined {
  const value = body[field]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string' || value.length > 500) throw new InvalidRequest(`${field}: expected a text.`, { path: field })
  return value
}

export function textsOf(body: Fields, field: string): readonly string[] {
  const value = body[field]
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.length > 1000 || !value.every((item) => typeof item === 'string' && item !== ''))
    throw new InvalidRequest(`${field}: expected a list of at most 1000 texts.`, { path: field })
  return value
}

export function booleanOf(body: Fields, field: string): boolean | undefined {
  const value = body[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') throw new InvalidRequest(`${field}: expected true or false.`, { path: field })
  return value
}

function numberOf(body: Fields, field: string): number | undefined {
  const value = body[field]
  if (value === null || value === '') return undefined
  if (typeof value !== 'number' || !(value >= 0 && value <= 1e15))
    throw new InvalidRequest(`${field}: expected a number, not below 0, or null.`, { path: field })
  if (field.endsWith('budget') && value > 1e6) throw new InvalidRequest(`${field}: expected at most 1000000 dollars.`, { path: field })
  return value
}

/** When a key made (or changed) now expires: `null` never, `undefined` as it was. Months are calendar months. */
export function expiryFrom(body: Fields, now: number): number | null | undefined {
  const value = body['duration']
  if (value === undefined) return undefined
  if (value === null || value === '' || value === '-1' || value === 'permanent') return null
  const [, count, unit] = (typeof value === 'string' && /^(\d{1,6})(s|m|h|d|w|mo)$/.exec(value)) || []
  if (count === undefined || unit === undefined)
    throw new InvalidRequest('duration: expected a length of time such as "30m", "24h", "30d" or "1mo", or null.', { path: 'duration' })
  if (unit === 'mo') {
    const date = new Date(now * 1000)
    const day = date.getUTCDate()
    date.setUTCDate(1)
    date.setUTCMonth(date.getUTCMonth() + Number(count))
    // The last of January and a month is the last of February.
    date.setUTCDate(Math.min(day, new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()))
    return date.getTime() / 1000
  }
  return now + Number(count) * ({ s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 }[unit] ?? 0)
}
