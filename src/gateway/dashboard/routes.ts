import type { Context, Hono } from 'hono'
import { z } from 'zod'
import { BursarError } from '../../errors/index.js'
import { checked } from '../admin/body.js'
import type { GatewayState } from '../state.js'
import { budgetsJson } from './budgets-view.js'
import { deploymentsJson } from './deployments-view.js'
import { pageHeaders, readPageFiles, type PageFile } from './page-files.js'
import { routingJson } from './routing-view.js'

interface DashboardParts {
  /** The newest state. */
  state(): GatewayState
  /** Whether the pages themselves are served. */
  readonly pages: boolean
}

const budgetsQuery = z.strictObject({
  kind: z.enum(['key', 'account']).default('key'),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  after: z.string().optional(),
})
const noQuery = z.strictObject({})

/**
 * The pages at `/dashboard`, and what they show that no other endpoint tells: `GET /admin/routing`, `/admin/budgets` and
 * `/admin/deployments`, with the admin key as everything under `/admin/` (to be added after `addAdminRoutes`, which sees to that).
 */
export function addDashboardRoutes(app: Hono, { state, pages }: DashboardParts): void {
  app.get('/admin/routing', (c) => {
    checked(noQuery, c.req.query())
    return c.json(routingJson(state()))
  })
  app.get('/admin/deployments', (c) => {
    checked(noQuery, c.req.query())
    return c.json(deploymentsJson(state()))
  })
  app.get('/admin/budgets', async (c) => c.json(await budgetsJson(state(), checked(budgetsQuery, c.req.query()))))
  if (!pages) return

  // Read with the first visit: a gateway that nobody looks at keeps nothing of it in memory.
  let files: ReadonlyMap<string, PageFile> | undefined
  const file = (name: string): PageFile => {
    files ??= readPageFiles()
    if (files === undefined)
      throw new BursarError('The dashboard was not built. Run `npm run build`, and start the gateway again.', {
        code: 'not_found',
        status: 404,
      })
    const found = files.get(name)
    if (found) return found
    throw new BursarError(`The dashboard has no file "${name.slice(0, 100)}".`, { code: 'not_found', status: 404 })
  }
  app.get('/dashboard', (c) => sent(c, file('index.html')))
  app.get('/dashboard/', (c) => c.redirect('/dashboard', 308))
  app.get('/dashboard/:name', (c) => sent(c, file(c.req.param('name'))))
}

function sent(c: Context, { type, etag, plain, gzipped }: PageFile): Response {
  const headers = { ...pageHeaders, etag, vary: 'accept-encoding' }
  const known = c.req.header('if-none-match')
  if (known?.split(',').some((one) => one.trim().replace(/^W\//, '') === etag) === true) return c.body(null, 304, headers)
  const zipped = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?:\s*(?:,|$)))/.test(c.req.header('accept-encoding') ?? '')
  return c.body(zipped ? gzipped : plain, 200, { ...headers, 'content-type': type, ...(zipped ? { 'content-encoding': 'gzip' } : {}) })
}
