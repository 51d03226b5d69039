import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { BursarError, toBursarError } from '../errors/index.js'
import { formatUsd, type Money } from '../quantities/index.js'
import { addAdminRoutes } from './admin/routes.js'
import { addDashboardRoutes } from './dashboard/index.js'
import { addDecisionRoutes } from './endpoints/decisions.js'
import { addFeedbackRoutes } from './endpoints/feedback.js'
import { addUsageRoutes, type UsageScope } from './endpoints/usage.js'
import { EXPOSED_HEADERS } from './http/exposed-headers.js'
import { mayName, type Key } from './keys.js'
import { addProofRoutes } from './proof/routes.js'
import { isAuto } from './routing/index.js'
import type { GatewayState, ListedModel } from './state.js'
import type { RequestObserver } from './request-observer.js'

interface AppInputs {
  state(): GatewayState
  readonly observer: RequestObserver
  draining(): boolean
  readonly corsOrigins: readonly string[]
  readonly metrics: boolean
  /** Whether the dashboard's pages are served. */
  readonly dashboard: boolean
}

/** The same as a handler for a Node server. */
export function createListener(inputs: AppInputs): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  const listener = getRequestListener(createApp(inputs).fetch)
  return async (req, res) => void (await listener(req, res))
}

/** The endpoints that carry no traffic: health, models, metrics, records. */
export function createApp({ state, observer, draining, corsOrigins, metrics, dashboard }: AppInputs): Hono {
  const app = new Hono()
  if (corsOrigins.length > 0)
    app.use(
      cors({
        origin: corsOrigins.includes('*') ? '*' : [...corsOrigins],
        allowMethods: ['GET', 'POST', 'PATCH', 'DELETE', 'OPTIONS'],
        exposeHeaders: [...EXPOSED_HEADERS],
      }),
    )
  const keyed = (headers: Headers) => state().keyring.authenticate(Object.fromEntries(headers), state().clock.now())

  app.get('/health', (c) => {
    const current = state()
    const problem = current.ledgerProblem()
    const status = draining() ? 'draining' : problem === undefined ? 'ok' : 'degraded'
    const body = {
      status,
      models: current.models().length,
      providers: [...current.providers.keys()],
      ...(problem === undefined ? {} : { ledger: problem }),
    }
    return c.json(body, status === 'ok' ? 200 : 503)
  })
  if (metrics)
    app.get('/metrics', async (c) => {
      // Collectors have no key. But without keys a web page whose name is pointed at this machine could ask too.
      if (!state().keyring.closed) keyed(c.req.raw.headers)
      c.header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
      return c.body(await observer.metrics())
    })
  app.get('/v1/models', (c) => {
    const key = keyed(c.req.raw.headers)
    const current = state()
    const models = current
      .models()
      .filter((model) => mayName(key, model.id))
      .map(listed)
    const data = [...models, ...choicesFor(key, current).map(listedChoice)]
    return c.json({ object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: false })
  })
  app.get('/v1/models/:id{.+}', (c) => {
    const key = keyed(c.req.raw.headers)
    const id = c.req.param('id')
    const model = state()
      .models()
      .find((candidate) => candidate.id === id && mayName(key, id))
    if (model) return c.json(listed(model))
    if (choicesFor(key, state()).includes(id)) return c.json(listedChoice(id))
    throw new BursarError(`The model "${id}" doesn't exist here.`, { code: 'model_not_found', status: 404, path: 'model' })
  })
  const now = () => state().clock.now()
  const ledger = () => state().ledger
  addDecisionRoutes(app, {
    authorize: (headers) => scopeOf(headers, state()),
    ledger,
    stepsOf: (decisionId) => state().routing.stepsOf(decisionId),
  })
  addUsageRoutes(app, {
    authorize: (headers) => scopeOf(headers, state()),
    ledger,
    now,
    priceOf: (call, usage) => state().priceOf(call, usage),
    margin: () => state().proof?.margin,
  })
  addAdminRoutes(app, {
    keyring: () => state().keyring,
    accounts: () => state().accounts,
    counters: () => state().counters,
    lostCalls: () => state().lostCalls,
    ledger,
    now,
  })
  addProofRoutes(app, () => state().proof)
  addDashboardRoutes(app, { state, pages: dashboard })
  addFeedbackRoutes(app, {
    told(outcome) {
      state().routing.told(outcome)
      state().proof?.told(outcome)
    },
    peopleSought: (decisionId) => state().proof?.peopleSought(decisionId),
    authenticate: (headers) => (state().keyring.isAdmin(Object.fromEntries(headers)) ? { name: 'admin', admin: true } : keyed(headers)),
    ledger,
    now,
  })
  app.notFound((c) => {
    const { method, path } = c.req
    const allowed = methods.filter(
      (other) => other !== method && app.router.match(other, path)[0].some(([[, route]]) => route.path !== '*' && route.path !== '/*'),
    )
    if (allowed.length === 0)
      return c.json(errorBody(new BursarError(`There is no ${method} ${path} here.`, { code: 'not_found', status: 404 })), 404)
    c.header('allow', allowed.join(', '))
    return c.json(
      errorBody(new BursarError(`${path} takes ${allowed.join(' or ')}, not ${method}.`, { code: 'method_not_allowed', status: 405 })),
      405,
    )
  })
  app.onError((thrown, c) => {
    const error = toBursarError(thrown)
    return new Response(JSON.stringify(errorBody(error)), {
      status: error.status,
      headers: { 'content-type': 'application/json', 'x-bursar-error': error.code, ...Object.fromEntries(c.res.headers) },
    })
  })
  return app
}

function errorBody(error: BursarError): Record<string, unknown> {
  return {
    error: {
      message: error.message,
      type: error.status >= 500 ? 'server_error' : error.status === 401 ? 'authentication_error' : 'invalid_request_error',
      param: error.path ?? null,
      code: error.code,
    },
  }
}

/** The admin key sees everybody's spending, and so does everybody on this machine while there are no keys; a key sees its own. */
function scopeOf(headers: Headers, { keyring, clock }: GatewayState): UsageScope {
  const sent = Object.fromEntries(headers)
  if (keyring.isAdmin(sent)) return 'all'
  const key = keyring.authenticate(sent, clock.now())
  return key.source === 'none' ? 'all' : { key: key.name }
}

const methods = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE']

/** What a caller may name besides models: `auto`, its objectives, and arms that have names of their own. */
function choicesFor(key: Key, { router }: GatewayState): readonly string[] {
  return router.names().filter((name) => isAuto(name) || mayName(key, name))
}

/** Such a name in the same form: nobody knows before which model will answer. */
function listedChoice(id: string): { id: string } & Record<string, unknown> {
  return {
    id,
    object: 'model',
    type: 'model',
    created: 0,
    created_at: '1970-01-01T00:00:00Z',
    owned_by: 'bursar',
    display_name: id,
    context_length: null,
    max_output_tokens: null,
    pricing: null,
    deployments: [],
  }
}

/** A model as OpenAI, Anthropic and OpenRouter clients read it. Prices are dollars a token, as text; unknown is null. */
function listed({ id, facts, deployments }: ListedModel): { id: string } & Record<string, unknown> {
  const { prices } = facts
  return {
    id,
    object: 'model',
    type: 'model',
    created: 0,
    created_at: '1970-01-01T00:00:00Z',
    owned_by: facts.provider,
    display_name: facts.name ?? id,
    context_length: facts.contextTokens ?? null,
    max_output_tokens: facts.maxOutputTokens ?? null,
    capabilities: facts.capabilities,
    pricing: prices
      ? {
          prompt: perToken(prices.input?.base),
          completion: perToken(prices.output?.base),
          input_cache_read: perToken(prices.cacheRead?.base),
        }
      : null,
    deployments,
  }
}

function perToken(rate: Money | undefined): string | null {
  return rate === undefined ? null : formatUsd(rate)
}
