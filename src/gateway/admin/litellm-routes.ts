import type { Context, Hono } from 'hono'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import type { Account, CallRecord, KeyAccount, LevelSettings, LedgerReader, ReportQuery } from '../../ledger/index.js'
import { addMoney, formatUsd, picoUsd, totalInputTokens, totalOutputTokens, zeroMoney, type Money } from '../../quantities/index.js'
import { accountId, endpointPattern, keyName } from '../config/accounts-schema.js'
import { hashKey } from '../keys.js'
import type { Administration, MadeKey } from './administration.js'
import { readObject } from './body.js'
import { actorOf, requireAdmin, type AdminParts } from './caller.js'
import {
  booleanOf,
  expiryFrom,
  levelChange,
  levelNames,
  mainBudget,
  refuseOthers,
  softBudget,
  textOf,
  textsOf,
  type Fields,
} from './litellm-fields.js'
import { makeAccountId, makeKeyId } from './secret.js'
import { momentJson, statusOf } from './views.js'

type Json = Readonly<Record<string, unknown>>

const keyNames = ['key_alias', 'team_id', 'user_id', 'organization_id', 'duration', 'allowed_routes', ...levelNames]
/** Most records of one answer of `/spend/logs`. */
const MAX_LOGS = 1000
const DAY = 86_400

/** LiteLLM's calls for keys, users, teams and spending, in its shapes, over the same accounts. */
export function addLiteLlmRoutes(app: Hono, administration: Administration, parts: AdminParts): void {
  const admin = (path: string, method: 'get' | 'post', handle: (c: Context, body: Fields) => Promise<Json | readonly Json[]>) =>
    app[method](path, async (c) => {
      requireAdmin(c, parts.keyring())
      return c.json(await handle(c, method === 'post' ? await readObject(c.req.raw) : c.req.query()))
    })
  /** A key by its text, its hash, its id or its name. */
  const find = async (reference: string, path: string): Promise<KeyAccount> => {
    const hash =
      reference.startsWith('bk-') || reference.startsWith('sk-')
        ? hashKey(reference)
        : /^[0-9a-f]{64}$/.test(reference)
          ? reference
          : undefined
    const found =
      hash === undefined
        ? undefined
        : (parts
            .keyring()
            .keysOfConfiguration()
            .find((key) => key.hash === hash) ?? (await administration.store.keyByHash(hash)))
    if (found !== undefined) return found
    if (hash === undefined) return administration.key(reference)
    throw new BursarError('There is no such key.', { code: 'not_found', status: 404, path })
  }
  const generate = async (body: Fields, c: Context, user?: string): Promise<Json> => {
    const { warnings, ...level } = levelChange(body, { rules: [] })
    const made = await administration.createKey(
      {
        name: nameOf(textOf(body, 'key_alias') ?? makeKeyId()),
        team: textOf(body, 'team_id'),
        user: user ?? textOf(body, 'user_id'),
        organisation: textOf(body, 'organization_id'),
        ...settingsOf(level),
        blocked: level.blocked ?? undefined,
        endpoints: endpointsFrom(body) ?? undefined,
        expiresAt: expiryFrom(body, parts.now()) ?? undefined,
      },
      actorOf(c),
    )
    return madeJson(made, parts.now(), warnings)
  }
  const setBlocked = async (body: Fields, c: Context, blocked: boolean): Promise<Json> => {
    refuseOthers(body, ['key'])
    const { id } = await find(required(body, 'key'), 'key')
    return infoJson(await administration.updateKey(id, () => ({ blocked: blocked ? true : null }), actorOf(c)), parts.now())
  }

  admin('/key/generate', 'post', async (c, body) => {
    refuseOthers(body, keyNames)
    return generate(body, c)
  })
  admin('/key/info', 'get', async (_, query) => {
    refuseOthers(query, ['key'])
    const key = await find(required(query, 'key'), 'key')
    const { cost } = await parts.ledger().totals({ key: key.name })
    return { key: key.id, info: { ...infoJson(key, parts.now()), spend: dollars(cost.usd) } }
  })
  admin('/key/update', 'post', async (c, body) => {
    refuseOthers(body, ['key', ...keyNames])
    const key = await find(required(body, 'key'), 'key')
    const alias = textOf(body, 'key_alias')
    if (alias !== undefined && alias !== key.name)
      throw new InvalidRequest('key_alias: the name of a key never changes, since records go by it.', { path: 'key_alias' })
    const parent = (field: string) => (body[field] === undefined ? undefined : (textOf(body, field) ?? null))
    let warnings: readonly string[] = []
    const updated = await administration.updateKey(
      key.id,
      (now) => {
        const { warnings: told, ...level } = levelChange(body, now)
        warnings = told
        return {
          ...level,
          team: parent('team_id'),
          user: parent('user_id'),
          organisation: parent('organization_id'),
          endpoints: endpointsFrom(body),
          expiresAt: expiryFrom(body, parts.now()),
        }
      },
      actorOf(c),
    )
    return { key: updated.id, ...infoJson(updated, parts.now()), ...warned(warnings) }
  })
  admin('/key/delete', 'post', async (c, body) => {
    refuseOthers(body, ['keys', 'key_aliases'])
    const references = [...textsOf(body, 'keys'), ...textsOf(body, 'key_aliases')]
    if (references.length === 0) throw new InvalidRequest('keys: expected a list of keys, or key_aliases.', { path: 'keys' })
    // All are found before one is gone.
    const keys: KeyAccount[] = []
    for (const reference of references) keys.push(await find(reference, 'keys'))
    for (const key of keys) await administration.revokeKey(key.id, actorOf(c))
    return { deleted_keys: references.map((reference, index) => (reference.startsWith('bk-') ? (keys[index]?.id ?? '') : reference)) }
  })
  admin('/key/block', 'post', (c, body) => setBlocked(body, c, true))
  admin('/key/unblock', 'post', (c, body) => setBlocked(body, c, false))
  admin('/key/regenerate', 'post', async (c, body) => {
    refuseOthers(body, ['key'])
    const { id } = await find(required(body, 'key'), 'key')
    return madeJson(await administration.rotateKey(id, 0, actorOf(c)), parts.now(), [])
  })

  admin('/user/new', 'post', async (c, body) => {
    const accountFields = [
      'user_id',
      'user_alias',
      'user_email',
      'user_role',
      'team_id',
      'organization_id',
      'auto_create_key',
      'key_alias',
      'duration',
      ...levelNames,
    ]
    refuseOthers(body, accountFields)
    const role = textOf(body, 'user_role')
    if (role !== undefined && role !== 'internal_user')
      throw new InvalidRequest(
        `user_role: users have no roles here; whoever has the admin key manages. Leave it out, or send "internal_user".`,
        { path: 'user_role' },
      )
    refuseBlocked(body)
    const id = idOf(textOf(body, 'user_id') ?? makeAccountId('user'), 'user_id')
    const { warnings, ...level } = levelChange(body, { rules: [] })
    const account = await administration.createAccount(
      {
        kind: 'user',
        id,
        name: textOf(body, 'user_alias') ?? textOf(body, 'user_email') ?? id,
        team: textOf(body, 'team_id'),
        organisation: textOf(body, 'organization_id'),
        ...settingsOf(level),
      },
      actorOf(c),
    )
    const keyBody = { key_alias: body['key_alias'], duration: body['duration'] }
    const key = booleanOf(body, 'auto_create_key') === false ? {} : await generate(keyBody, c, id)
    return { ...key, user_id: id, user_alias: account.name, team_id: account.team ?? null, ...levelJson(account), ...warned(warnings) }
  })
  admin('/team/new', 'post', async (c, body) => {
    refuseOthers(body, ['team_id', 'team_alias', 'organization_id', ...levelNames])
    refuseBlocked(body)
    const id = idOf(textOf(body, 'team_id') ?? makeAccountId('team'), 'team_id')
    const { warnings, ...level } = levelChange(body, { rules: [] })
    const account = await administration.createAccount(
      { kind: 'team', id, name: textOf(body, 'team_alias') ?? id, organisation: textOf(body, 'organization_id'), ...settingsOf(level) },
      actorOf(c),
    )
    return {
      team_id: id,
      team_alias: account.name,
      organization_id: account.organisation ?? null,
      ...levelJson(account),
      ...warned(warnings),
    }
  })

  admin('/spend/logs', 'get', async (_, query) => {
    refuseOthers(query, ['api_key', 'user_id', 'request_id', 'start_date', 'end_date', 'summarize'])
    const reference = textOf(query, 'api_key')
    const key = reference === undefined ? undefined : (await find(reference, 'api_key')).name
    const [from, to] = [dateOf(query, 'start_date'), dateOf(query, 'end_date')]
    if ((from === undefined) !== (to === undefined))
      throw new InvalidRequest('start_date and end_date go together.', { path: from === undefined ? 'start_date' : 'end_date' })
    const user = textOf(query, 'user_id')
    if (from !== undefined && to !== undefined && query['summarize'] !== 'false')
      return summary(parts.ledger(), from, to + DAY, { key, user })
    if (user !== undefined)
      throw new InvalidRequest('user_id: single calls are found by api_key or request_id; for sums by user give start_date and end_date.', {
        path: 'user_id',
      })
    const requestId = textOf(query, 'request_id')
    // Their request id is the call's here.
    const asked = requestId === undefined ? {} : requestId.startsWith('call_') ? { callId: requestId } : { requestId }
    const calls = await parts
      .ledger()
      .calls({ key, ...asked, ...(from === undefined || to === undefined ? {} : { from, to: to + DAY }), limit: MAX_LOGS })
    return calls.map(logJson)
  })
}

function settingsOf({ rules, rates, models, tags }: Omit<ReturnType<typeof levelChange>, 'warnings'>): LevelSettings {
  return { rules: rules ?? [], rates: rates ?? undefined, models: models ?? undefined, tags: tags ?? undefined }
}

function madeJson({ key, text }: MadeKey, now: number, warnings: readonly string[]): Json {
  return { key: text, ...infoJson(key, now), ...warned(warnings) }
}

/** A key as LiteLLM shows one. */
function infoJson(key: KeyAccount, now: number): Json {
  return {
    key_name: `${key.prefix}...`,
    key_alias: key.name,
    token: key.id,
    token_id: key.id,
    expires: momentJson(key.expiresAt),
    user_id: key.user ?? null,
    team_id: key.team ?? null,
    organization_id: key.organisation ?? null,
    ...levelJson(key),
    allowed_routes: key.endpoints ?? [],
    blocked: key.blocked === true || key.revokedAt !== undefined,
    status: statusOf(key, now),
    created_at: momentJson(key.createdAt),
    created_by: key.createdBy,
  }
}

function levelJson({ rules, rates, models, tags }: Account | KeyAccount): Json {
  const [main, soft] = [mainBudget(rules), softBudget(rules)]
  return {
    models: models ?? [],
    max_budget: main === undefined ? null : dollars(main.limit),
    soft_budget: soft === undefined ? null : dollars(soft.limit),
    budget_duration: { total: null, minute: '60s', day: '1d', month: '1mo' }[(main ?? soft)?.per ?? 'total'],
    rpm_limit: rates?.requestsPerMinute ?? null,
    tpm_limit: rates?.tokensPerMinute ?? null,
    max_parallel_requests: rates?.parallel ?? null,
    metadata: tags ?? {},
  }
}

function warned(warnings: readonly string[]): Json {
  return warnings.length === 0 ? {} : { warnings }
}

/** One row of `/spend/logs`: a call. */
function logJson(call: CallRecord): Json {
  const [input, output] = [totalInputTokens(call.usage), totalOutputTokens(call.usage)]
  return {
    request_id: call.callId,
    call_type: call.operation === 'embed' ? 'aembedding' : 'acompletion',
    api_key: call.key,
    spend: dollars(call.cost.usd),
    total_tokens: input + output,
    prompt_tokens: input,
    completion_tokens: output,
    startTime: momentJson(call.at),
    endTime: momentJson(call.at + call.cost.seconds),
    model: call.model,
    model_group: call.requestedModel,
    custom_llm_provider: call.provider,
    user: call.user ?? '',
    team_id: call.team ?? null,
    end_user: call.user ?? '',
    session_id: call.session ?? null,
    metadata: call.tags ?? {},
    status: call.end === 'complete' ? 'success' : 'failure',
  }
}

/** By day, as LiteLLM sums it: dollars by key, user and model. */
async function summary(
  ledger: LedgerReader,
  from: number,
  to: number,
  { key, user }: { readonly key?: string | undefined; readonly user?: string | undefined },
): Promise<readonly Json[]> {
  const where: NonNullable<ReportQuery['where']> = { ...(key === undefined ? {} : { key }), ...(user === undefined ? {} : { user }) }
  const { rows } = await ledger.report({ from, to, by: ['day', 'key', 'user', 'model'], where, order: 'group' })
  const days = new Map<string, Record<'spend' | 'keys' | 'users' | 'models', Map<string, Money>>>()
  for (const { group, totals } of rows) {
    const day = days.get(group['day'] ?? '') ?? { spend: new Map(), keys: new Map(), users: new Map(), models: new Map() }
    days.set(group['day'] ?? '', day)
    const spent = totals.cost.usd ?? zeroMoney
    for (const [sums, name] of [
      [day.spend, ''],
      [day.keys, group['key']],
      [day.users, group['user']],
      [day.models, group['model']],
    ] as const)
      if (name !== undefined) sums.set(name, addMoney(sums.get(name) ?? zeroMoney, spent))
  }
  const plain = (sums: ReadonlyMap<string, Money>) =>
    Object.fromEntries([...sums].filter(([name]) => name !== '').map(([name, sum]) => [name, dollars(sum)]))
  return [...days].map(([day, { spend, keys, users, models }]) => ({
    startTime: day,
    spend: dollars(spend.get('') ?? zeroMoney),
    users: plain(users),
    models: plain(models),
    keys: plain(keys),
  }))
}

/** What isn't known stays `null`. */
function dollars(amount: bigint | null): number | null {
  return amount === null ? null : Number(formatUsd(picoUsd(amount)))
}

function dateOf(query: Fields, field: string): number | undefined {
  const text = textOf(query, field)
  if (text === undefined) return undefined
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) throw new InvalidRequest(`${field}: expected a date such as 2027-01-31.`, { path: field })
  return at / 1000
}

function required(body: Fields, field: string): string {
  const text = textOf(body, field)
  if (text === undefined) throw new InvalidRequest(`${field}: this field is required.`, { path: field })
  return text
}

function nameOf(text: string): string {
  const result = keyName().safeParse(text)
  if (!result.success) throw new InvalidRequest(`key_alias: ${result.error.issues[0]?.message ?? 'not a name'}.`, { path: 'key_alias' })
  return text
}

function idOf(text: string, path: string): string {
  const result = accountId().safeParse(text)
  if (!result.success) throw new InvalidRequest(`${path}: ${result.error.issues[0]?.message ?? 'not an id'}.`, { path })
  return text
}

/** Accounts have no switch: their keys do. */
function refuseBlocked(body: Fields): void {
  if (booleanOf(body, 'blocked') === true)
    throw new InvalidRequest('blocked: accounts can’t be blocked; block their keys.', { path: 'blocked' })
}

/** `/chat/completions`, `/v1/chat/completions` or `llm_api_routes`, which are all. */
function endpointsFrom(body: Fields): readonly string[] | null | undefined {
  if (body['allowed_routes'] === undefined) return undefined
  const routes = textsOf(body, 'allowed_routes')
  if (routes.every((route) => route === 'llm_api_routes')) return null
  return routes.map((route, index) => {
    const path = route.startsWith('/v1/') ? route : `/v1${route}`
    const result = endpointPattern().safeParse(path)
    if (!result.success)
      throw new InvalidRequest(`allowed_routes[${index}]: ${result.error.issues[0]?.message ?? 'not an endpoint'}.`, {
        path: `allowed_routes[${index}]`,
      })
    return path
  })
}
