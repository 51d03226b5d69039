import type { Context, Hono } from 'hono'
import { InvalidRequest } from '../../errors/index.js'
import { accountKinds, type AccountKind, type KeyAccount } from '../../ledger/index.js'
import { Administration, type MadeKey } from './administration.js'
import { checked, readObject } from './body.js'
import { actorOf, requireAdmin, type AdminParts } from './caller.js'
import { addLiteLlmRoutes } from './litellm-routes.js'
import { addLostRoutes } from './lost.js'
import {
  accountListQuery,
  accountPatchBody,
  auditQuery,
  durationSeconds,
  keyListQuery,
  keyPatchBody,
  newAccountBody,
  newKeyBody,
  rotateBody,
  topUpBody,
  usageQuery,
} from './schemas.js'
import { makeAccountId } from './secret.js'
import { accountPatch, accountSettings, keyPatch, keyToMake, topUpOf } from './settings.js'
import { usageJson } from './usage.js'
import { accountJson, auditJson, keyJson } from './views.js'

export type { AdminParts } from './caller.js'

/** `/admin/…` for keys, accounts and the audit, and LiteLLM's calls for the same. Everything needs the admin key. */
export function addAdminRoutes(app: Hono, parts: AdminParts): void {
  const administration = new Administration(parts.keyring, parts.accounts)
  app.use('/admin/*', async (c, next) => {
    requireAdmin(c, parts.keyring())
    await next()
  })
  addKeyRoutes(app, administration, parts)
  addAccountRoutes(app, administration, parts)
  app.get('/admin/audit', async (c) => {
    const filter = checked(auditQuery, c.req.query())
    const entries = await administration.store.audit(filter)
    const last = entries.at(-1)
    return c.json({
      object: 'list',
      data: entries.map(auditJson),
      next: entries.length === filter.limit && last ? String(last.revision) : null,
    })
  })
  addLostRoutes(app, parts)
  addLiteLlmRoutes(app, administration, parts)
}

function addKeyRoutes(app: Hono, administration: Administration, parts: AdminParts): void {
  const shown = (key: KeyAccount) => keyJson(key, parts.now())
  const made = ({ key, text }: MadeKey) => ({ ...shown(key), key: text })
  app.post('/admin/keys', async (c) => {
    const body = checked(newKeyBody, await readObject(c.req.raw))
    return c.json(made(await administration.createKey(keyToMake(body), actorOf(c))), 201)
  })
  app.get('/admin/keys', async (c) => {
    const { revoked, ...filter } = checked(keyListQuery, c.req.query())
    const page = await administration.store.keys({ ...filter, revoked: revoked === 'true' })
    const fits = (key: KeyAccount) =>
      (['name', 'organisation', 'team', 'user'] as const).every((field) => filter[field] === undefined || key[field] === filter[field])
    const configured = filter.after === undefined ? parts.keyring().keysOfConfiguration().filter(fits) : []
    return c.json({ object: 'list', data: [...configured, ...page.items].map(shown), next: page.next ?? null })
  })
  app.get('/admin/keys/:id', async (c) => c.json(shown(await administration.key(c.req.param('id')))))
  app.patch('/admin/keys/:id', async (c) => {
    const body = checked(keyPatchBody, await readObject(c.req.raw))
    return c.json(shown(await administration.updateKey(c.req.param('id'), (key) => keyPatch(body, key.rules), actorOf(c))))
  })
  app.post('/admin/keys/:id/rotate', async (c) => {
    const { grace = 0 } = checked(rotateBody, await readObject(c.req.raw))
    return c.json(made(await administration.rotateKey(c.req.param('id'), durationSeconds(grace) ?? 0, actorOf(c))))
  })
  for (const [action, blocked] of [
    ['block', true],
    ['unblock', false],
  ] as const)
    app.post(`/admin/keys/:id/${action}`, async (c) => {
      await requireEmpty(c)
      return c.json(shown(await administration.updateKey(c.req.param('id') ?? '', () => ({ blocked: blocked ? true : null }), actorOf(c))))
    })
  const revoke = async (c: Context) => {
    await requireEmpty(c)
    return c.json(shown(await administration.revokeKey(c.req.param('id') ?? '', actorOf(c))))
  }
  app.post('/admin/keys/:id/revoke', revoke)
  app.delete('/admin/keys/:id', revoke)
  app.post('/admin/keys/:id/top-up', async (c) => {
    const topUp = topUpOf(checked(topUpBody, await readObject(c.req.raw)))
    await administration.topUp({ kind: 'key', id: c.req.param('id') }, topUp, actorOf(c))
    return c.json(shown(await administration.key(c.req.param('id'))))
  })
  app.get('/admin/keys/:id/usage', async (c) => {
    const { days } = checked(usageQuery, c.req.query())
    return c.json(await usageJson(await administration.key(c.req.param('id')), days, parts))
  })
}

function addAccountRoutes(app: Hono, administration: Administration, parts: AdminParts): void {
  app.post('/admin/accounts', async (c) => {
    const body = checked(newAccountBody, await readObject(c.req.raw))
    const id = body.id ?? makeAccountId(body.kind)
    const account = await administration.createAccount({ kind: body.kind, id, name: body.name ?? id, ...accountSettings(body) }, actorOf(c))
    return c.json(accountJson(account), 201)
  })
  app.get('/admin/accounts', async (c) => {
    const filter = checked(accountListQuery, c.req.query())
    const page = await administration.store.accounts(filter)
    const configured =
      filter.after === undefined
        ? parts
            .keyring()
            .accountsOfConfiguration()
            .filter((account) =>
              (['kind', 'organisation', 'team'] as const).every((field) => filter[field] === undefined || account[field] === filter[field]),
            )
        : []
    return c.json({ object: 'list', data: [...configured, ...page.items].map(accountJson), next: page.next ?? null })
  })
  app.get('/admin/accounts/:kind/:id', async (c) => c.json(accountJson(await administration.account(kindOf(c), c.req.param('id')))))
  app.patch('/admin/accounts/:kind/:id', async (c) => {
    const body = checked(accountPatchBody, await readObject(c.req.raw))
    return c.json(
      accountJson(
        await administration.updateAccount(kindOf(c), c.req.param('id'), (account) => accountPatch(body, account.rules), actorOf(c)),
      ),
    )
  })
  app.delete('/admin/accounts/:kind/:id', async (c) => {
    await requireEmpty(c)
    const [kind, id] = [kindOf(c), c.req.param('id')]
    await administration.deleteAccount(kind, id, actorOf(c))
    return c.json({ object: 'account', kind, id, deleted: true })
  })
  app.post('/admin/accounts/:kind/:id/top-up', async (c) => {
    const topUp = topUpOf(checked(topUpBody, await readObject(c.req.raw)))
    const [kind, id] = [kindOf(c), c.req.param('id')]
    await administration.topUp({ kind, id }, topUp, actorOf(c))
    return c.json(accountJson(await administration.account(kind, id)))
  })
  app.get('/admin/accounts/:kind/:id/usage', async (c) => {
    const { days } = checked(usageQuery, c.req.query())
    return c.json(await usageJson(await administration.account(kindOf(c), c.req.param('id')), days, parts))
  })
}

function kindOf(c: Context): AccountKind {
  const text = c.req.param('kind')
  const kind = accountKinds.find((known) => known === text || `${known}s` === text)
  if (kind === undefined) throw new InvalidRequest(`kind: expected ${accountKinds.join(', ')}.`, { path: 'kind' })
  return kind
}

/** For calls that take no fields: one that is sent all the same was meant to do something. */
async function requireEmpty(c: Context): Promise<void> {
  const [field] = Object.keys(await readObject(c.req.raw))
  if (field !== undefined) throw new InvalidRequest(`${field}: this call takes no fields.`, { path: field })
}
