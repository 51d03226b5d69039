import { z } from 'zod'
import { didYouMean } from './closest.js'
import { modelPattern, moment, secret } from './fields.js'

/** Largest limits: what a counter of picodollars in 64 bits holds, with room. */
const MAX_DOLLARS = 1e6
const MAX_COUNT = 1e15
/** Thousandths of these are counted. */
const MAX_THOUSANDTHS = 1e12

/** Paths that a key can be limited to. */
const endpointPaths = [
  '/v1/chat/completions',
  '/v1/messages',
  '/v1/messages/count_tokens',
  '/v1/responses',
  '/v1/embeddings',
  '/v1/feedback',
  '/v1/usage',
  '/v1/models',
  '/v1/decisions',
]

/** Id of an organisation, a team or a user. Without slashes, since ids are parts of the names of counters. */
export const accountId = () =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@+|:-]{0,99}$/, 'expected letters, digits and ". _ @ + | : -", at most 100')

export const keyName = () =>
  z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._@ -]{0,99}$/, 'expected a name of letters, digits, spaces and ". _ @ -", at most 100 long')

export const endpointPattern = () =>
  z
    .string()
    .regex(/^\/[^\s?#*]{0,200}\*?$/, 'expected a path such as /v1/chat/completions, or the beginning of one and "*"')
    .superRefine((text, context) => {
      const known = text.endsWith('*') ? endpointPaths.some((path) => path.startsWith(text.slice(0, -1))) : endpointPaths.includes(text)
      if (!known) context.addIssue({ code: 'custom', message: `there is no such endpoint${didYouMean(text, endpointPaths)}` })
    })

const amount = (most: number) => z.number().nonnegative().max(most).optional()

/** One limit: exactly one unit. */
export const budgetRule = z
  .strictObject({
    usd: amount(MAX_DOLLARS).describe('Limit in dollars.'),
    tokens: amount(MAX_COUNT).describe('Limit in tokens, input and output together.'),
    calls: amount(MAX_COUNT).describe('Limit in calls of models.'),
    joules: amount(MAX_THOUSANDTHS).describe('Limit in joules.'),
    seconds: amount(MAX_THOUSANDTHS).describe('Limit in seconds that calls take, added up.'),
    per: z
      .enum(['minute', 'day', 'month', 'total'])
      .default('total')
      .describe('The window that the limit is for; days and months are UTC, `total` never ends.'),
    hard: z
      .boolean()
      .default(true)
      .describe('Whether calls that could overrun it are refused. Else it is only told of: header, log, webhook.'),
  })
  .superRefine((value, context) => {
    const given = (['usd', 'tokens', 'calls', 'joules', 'seconds'] as const).filter((unit) => value[unit] !== undefined)
    if (given.length !== 1)
      context.addIssue({
        code: 'custom',
        message:
          given.length === 0
            ? 'expected a limit: one of usd, tokens, calls, joules, seconds'
            : `expected one limit, got ${given.join(' and ')}; write one entry for each`,
      })
  })
  .meta({ title: 'Budget' })

export const budgetRules = () => z.array(budgetRule).max(20)

export const rateRules = z
  .strictObject({
    requests_per_minute: z.int().positive().max(1e9).optional().describe('Requests a minute.'),
    tokens_per_minute: z.int().positive().max(1e12).optional().describe('Tokens a minute, input and output together.'),
    parallel: z.int().positive().max(1e6).optional().describe('Requests under way at once.'),
  })
  .meta({ title: 'Rate limits' })

export const tagMap = () => z.record(z.string().min(1).max(64), z.string().max(256))

const budgetUsd = () => z.number().nonnegative().max(MAX_DOLLARS).optional()

/** What every level may have, organisation to key. */
export const levelFields = {
  budget_usd: budgetUsd().describe('Most that may ever be spent; dollars. Short for `budgets: [{usd: …}]`. Unlimited when left out.'),
  budgets: budgetRules().optional().describe('Limits in dollars, tokens, calls, joules or seconds, per minute, day, month or in total.'),
  rates: rateRules.optional().describe('Limits on requests and tokens a minute, and on requests at once.'),
  models: z
    .array(modelPattern())
    .min(1)
    .optional()
    .describe('Models that may be used, as callers name them; a `*` at the end stands for any ending. All when left out.'),
  tags: tagMap().optional().describe('Written to the record of each call, for reports.'),
}

export const endUserField = {
  user_budgets: budgetRules()
    .optional()
    .describe(
      'Limits of each end user whom callers name (header `x-bursar-user`, body `user`); calls that name none share one. Without it such a name is only a label in records.',
    ),
}

export const displayName = { name: z.string().trim().min(1).max(200).optional().describe('Name for people; the id when left out.') }

export const organisationSchema = z.strictObject({ ...displayName, ...levelFields, ...endUserField }).meta({ title: 'Organisation' })

export const teamSchema = z
  .strictObject({
    ...displayName,
    organisation: accountId().optional().describe('The organisation that the team belongs to, a name in `organisations`.'),
    ...levelFields,
    ...endUserField,
  })
  .meta({ title: 'Team' })

export const userSchema = z
  .strictObject({
    ...displayName,
    team: accountId().optional().describe('The team that the user belongs to, a name in `teams`.'),
    organisation: accountId().optional().describe('The organisation that the user belongs to, where not by a team.'),
    ...levelFields,
  })
  .meta({ title: 'User' })

export const adminSchema = z
  .strictObject({
    key: secret()
      .optional()
      .describe(
        'The admin key, as `${NAME}` from the environment. `BURSAR_ADMIN_KEY` (or `LITELLM_MASTER_KEY`) when the section is left out and that is set.',
      ),
    key_hash: keyHash().optional().describe('SHA-256 of the admin key, as `sha256:` and 64 hexadecimal digits.'),
  })
  .superRefine(requireKey)
  .meta({ title: 'Admin' })

/** What a key may have besides its name and text, in the configuration and in the admin API. */
export const keyFields = {
  organisation: accountId().optional().describe('The organisation that the key belongs to, where not by its team.'),
  team: accountId().optional().describe('The team that the key belongs to, a name in `teams`.'),
  user: accountId().optional().describe('The user whom the key belongs to, a name in `users`.'),
  ...levelFields,
  budget_usd: budgetUsd().describe(
    'Most that may ever be spent with the key; dollars. Short for `budgets: [{usd: …}]`. Unlimited when left out.',
  ),
  ...endUserField,
  run_budgets: budgetRules().optional().describe('Limits of each agent run of the key; a request that names no run is a run of its own.'),
  request_budgets: budgetRules().optional().describe('Limits of each request.'),
  endpoints: z
    .array(endpointPattern())
    .min(1)
    .optional()
    .describe('Paths that the key may call, such as `/v1/embeddings`; a `*` at the end stands for any ending. All when left out.'),
  objective: z.enum(['cheap', 'balanced', 'best']).optional().describe('What requests with the key aim at when they do not say.'),
  expires: moment().optional().describe('When the key stops working: a date (its first moment in UTC), or a date and time with a zone.'),
  blocked: z.boolean().optional().describe('Whether the key is stopped for now.'),
}

export const keySchema = z
  .strictObject({
    name: keyName().describe('Name in records and metrics; unique.'),
    key: secret().optional().describe('The key that callers send, as `${NAME}` from the environment. Either this or `key_hash`.'),
    key_hash: keyHash()
      .optional()
      .describe('SHA-256 of the key, as `sha256:` and 64 hexadecimal digits, so that the file holds no secret.'),
    ...keyFields,
  })
  .superRefine(requireKey)

function keyHash() {
  return z
    .string()
    .regex(/^sha256:[0-9a-fA-F]{64}$/, 'expected sha256: and 64 hexadecimal digits')
    .transform((text) => text.toLowerCase())
}

function requireKey(
  value: { readonly key?: { reveal(): string } | undefined; readonly key_hash?: string | undefined },
  context: z.core.$RefinementCtx,
): void {
  if ((value.key === undefined) === (value.key_hash === undefined))
    context.addIssue({
      code: 'custom',
      message: value.key === undefined ? 'expected either `key` or `key_hash`' : 'expected only one of `key` and `key_hash`',
    })
  if (value.key !== undefined && /\s/.test(value.key.reveal()))
    context.addIssue({ code: 'custom', path: ['key'], message: 'a key with spaces cannot be sent in a header; leave them out' })
  if (value.key !== undefined && value.key.reveal().length < MIN_KEY_LENGTH)
    context.addIssue({
      code: 'custom',
      path: ['key'],
      message: `a key shorter than ${MIN_KEY_LENGTH} characters is too easy to guess; \`openssl rand -hex 24\` makes a good one`,
    })
}

/** Shorter keys are refused. */
export const MIN_KEY_LENGTH = 12
