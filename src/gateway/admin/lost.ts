import type { Hono } from 'hono'
import type { z } from 'zod'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import type { Billed, CallRecord, Reconciled } from '../../ledger/index.js'
import { formatUsd, totalInputTokens, totalOutputTokens, usd, type Money } from '../../quantities/index.js'
import { momentOf } from '../endpoints/usage/query.js'
import { checked, readObject } from './body.js'
import { actorOf, type AdminParts } from './caller.js'
import { lostQuery, reconcileBody } from './schemas.js'
import { momentJson } from './views.js'

type Json = Readonly<Record<string, unknown>>

/** `GET /admin/lost` lists lost calls, `POST /admin/lost/CALL_ID` puts one right. */
export function addLostRoutes(app: Hono, parts: Pick<AdminParts, 'lostCalls' | 'now'>): void {
  app.get('/admin/lost', async (c) => {
    const { key, limit, ...period } = checked(lostQuery, c.req.query())
    const [from, to] = (['from', 'to'] as const).map((name) => momentIn(period[name], name, parts.now()))
    const calls = (await parts.lostCalls()?.lost({ key, from, to, limit: limit + 1 })) ?? []
    return c.json({ object: 'list', data: calls.slice(0, limit).map(lostJson), more: calls.length > limit })
  })
  app.post('/admin/lost/:id', async (c) => {
    const id = c.req.param('id')
    const body = checked(reconcileBody, await readObject(c.req.raw))
    const billed = billedOf(body)
    const lostCalls = parts.lostCalls()
    if (lostCalls === undefined)
      throw new BursarError('This gateway keeps no database, so no call is lost.', { code: 'not_found', status: 404, path: 'call_id' })
    return c.json(reconciledJson(await lostCalls.reconcile(id, billed, { by: actorOf(c), note: body.note })))
  })
}

function momentIn(text: string | undefined, path: string, now: number): number | undefined {
  if (text === undefined) return undefined
  const moment = momentOf(text, now)
  if (moment === undefined)
    throw new InvalidRequest(
      `${path}: expected a date such as 2026-11-01 or 2026-11-01T12:00Z, or a time back from now such as 12h, 7d or 4w.`,
      { path },
    )
  return moment
}

function billedOf(body: z.output<typeof reconcileBody>): Billed {
  const { usd: dollars, input_tokens: input, output_tokens: output, not_billed: notBilled } = body
  if (notBilled === true) {
    const path = (['usd', 'input_tokens', 'output_tokens'] as const).find((name) => body[name] !== undefined)
    if (path !== undefined)
      throw new InvalidRequest(`${path}: a call that was not billed cost nothing; leave this out, or "not_billed".`, { path })
    return 'nothing'
  }
  if (dollars === undefined) throw new InvalidRequest('usd: say what the call cost in dollars, or "not_billed": true.', { path: 'usd' })
  if ((input === undefined) !== (output === undefined))
    throw new InvalidRequest('give both input_tokens and output_tokens, or neither.', {
      path: input === undefined ? 'input_tokens' : 'output_tokens',
    })
  return { usd: usd(dollars), tokens: input === undefined || output === undefined ? undefined : { input, output } }
}

function lostJson(call: CallRecord): Json {
  return {
    id: call.callId,
    object: 'lost_call',
    at: momentJson(call.at),
    key: call.key,
    model: call.model,
    provider: call.provider,
    request_id: call.requestId,
    bound: amountsJson(call),
  }
}

const followed = { now: 'moved', later: 'moved_later', never: 'not_kept' } as const

function reconciledJson({ lost, call, budgets }: Reconciled): Json {
  return {
    id: call.callId,
    object: 'reconciled_call',
    at: momentJson(call.at),
    key: call.key,
    model: call.model,
    provider: call.provider,
    end: call.end,
    bound: amountsJson(lost),
    billed: amountsJson(call),
    budgets: followed[budgets],
  }
}

function amountsJson({ cost, usage }: CallRecord): Json {
  return { usd: dollars(cost.usd), input_tokens: totalInputTokens(usage), output_tokens: totalOutputTokens(usage) }
}

function dollars(amount: Money | null): number | null {
  return amount === null ? null : Number(formatUsd(amount))
}
