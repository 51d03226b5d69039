import { z } from 'zod'
import { accountKinds } from '../../ledger/index.js'
import { accountId, displayName, endUserField, keyFields, keyName, levelFields } from '../config/accounts-schema.js'

/** What may be given to make a key: as in the configuration, without the key itself. */
export const newKeyBody = z.strictObject({ name: keyName(), ...keyFields })

/** What may be changed of a key. `null` takes a setting away. */
export const keyPatchBody = z.strictObject({
  organisation: keyFields.organisation.nullable(),
  team: keyFields.team.nullable(),
  user: keyFields.user.nullable(),
  budget_usd: keyFields.budget_usd.nullable(),
  budgets: keyFields.budgets.nullable(),
  rates: keyFields.rates.nullable(),
  models: keyFields.models.nullable(),
  tags: keyFields.tags.nullable(),
  user_budgets: keyFields.user_budgets.nullable(),
  run_budgets: keyFields.run_budgets.nullable(),
  request_budgets: keyFields.request_budgets.nullable(),
  endpoints: keyFields.endpoints.nullable(),
  objective: keyFields.objective.nullable(),
  expires: keyFields.expires.nullable(),
  blocked: keyFields.blocked.nullable(),
})

export const newAccountBody = z.strictObject({
  kind: z.enum(accountKinds),
  id: accountId().optional(),
  ...displayName,
  organisation: accountId().optional(),
  team: accountId().optional(),
  ...levelFields,
  ...endUserField,
})

export const accountPatchBody = z.strictObject({
  ...displayName,
  organisation: accountId().nullish(),
  team: accountId().nullish(),
  budget_usd: levelFields.budget_usd.nullable(),
  budgets: levelFields.budgets.nullable(),
  rates: levelFields.rates.nullable(),
  models: levelFields.models.nullable(),
  tags: levelFields.tags.nullable(),
  user_budgets: endUserField.user_budgets.nullable(),
})

/** Exactly one unit, and which of its windows where there are several. */
export const topUpBody = z.strictObject({
  usd: z.number().positive().max(1e6).optional(),
  tokens: z.int().positive().max(1e15).optional(),
  calls: z.int().positive().max(1e15).optional(),
  joules: z.number().positive().max(1e12).optional(),
  seconds: z.number().positive().max(1e12).optional(),
  per: z.enum(['minute', 'day', 'month', 'total']).optional(),
})

/** A length of time: seconds, or a number with s, m, h, d or w. */
const duration = z.union([
  z.number().nonnegative().max(31_536_000),
  z.string().regex(/^\d{1,8}[smhdw]$/, 'expected a length of time such as 90s, 30m, 24h or 7d'),
])

export const rotateBody = z.strictObject({ grace: duration.optional() })

const page = { limit: z.coerce.number().int().min(1).max(1000).default(100), after: z.string().optional() }

export const keyListQuery = z.strictObject({
  ...page,
  name: z.string().optional(),
  organisation: z.string().optional(),
  team: z.string().optional(),
  user: z.string().optional(),
  revoked: z.enum(['true', 'false']).optional(),
})

export const accountListQuery = z.strictObject({
  ...page,
  kind: z.enum(accountKinds).optional(),
  organisation: z.string().optional(),
  team: z.string().optional(),
})

export const auditQuery = z.strictObject({
  limit: page.limit,
  kind: z.enum(['key', ...accountKinds]).optional(),
  id: z.string().optional(),
  before: z.coerce.number().int().positive().optional(),
})

export const usageQuery = z.strictObject({ days: z.coerce.number().int().min(1).max(400).default(30) })

export const lostQuery = z.strictObject({
  limit: page.limit,
  key: z.string().optional(),
  from: z.string().max(40).optional(),
  to: z.string().max(40).optional(),
})

/** Dollars as a number, or as a text that keeps every digit. */
const billedUsd = z.union([
  z.number().nonnegative().max(1e6),
  z.string().regex(/^\d{1,7}(?:\.\d{1,30})?$/, 'expected dollars such as 0.0123'),
])

/** What a lost call really cost: dollars, with both counts of tokens or neither; or that the provider never billed it. */
export const reconcileBody = z.strictObject({
  usd: billedUsd.optional(),
  input_tokens: z.int().nonnegative().max(1e12).optional(),
  output_tokens: z.int().nonnegative().max(1e12).optional(),
  not_billed: z.literal(true).optional(),
  note: z.string().max(500).optional(),
})

const secondsOf = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const

/** Seconds of a length of time; `undefined` for a text that is none. */
export function durationSeconds(value: string | number): number | undefined {
  if (typeof value === 'number') return value
  const [, count, unit] = /^(\d{1,8})([smhdw])$/.exec(value) ?? []
  const seconds = secondsOf[unit as keyof typeof secondsOf]
  return count === undefined || seconds === undefined ? undefined : Number(count) * seconds
}
