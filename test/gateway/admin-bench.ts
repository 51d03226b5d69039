import type { AddressInfo } from 'node:net'
import { createServer } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { toBursarError } from '../../src/errors/index.js'
import { AccountFeed, createMemoryLedger, type MemoryLedger } from '../../src/ledger/index.js'
import { connect } from '../../src/ledger/store/connect.js'
import { migrate } from '../../src/ledger/store/migrate.js'
import { migrations } from '../../src/ledger/store/migrations/index.js'
import { SqlAccountStore } from '../../src/ledger/accounts/sql-account-store.js'
import { parseConfig } from '../../src/gateway/config/index.js'
import { configuredAccounts } from '../../src/gateway/configured-accounts.js'
import { Keyring } from '../../src/gateway/keys.js'
import { addAdminRoutes } from '../../src/gateway/admin/routes.js'

export const ADMIN_KEY = 'admin-0123456789abcdef'

/** The admin API on a port of this machine, over a database in memory. */
export interface AdminBench {
  readonly url: string
  readonly ledger: MemoryLedger
  /** What is used of a counter, in grains; 0 when absent. */
  readonly used: Map<string, bigint>
  readonly store: SqlAccountStore
  keyring(): Keyring
  /** Another configuration takes the place of the one before. */
  reload(config: Record<string, unknown>): void
  call(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }>
  close(): Promise<void>
}

export async function startAdminBench(config: Record<string, unknown> = {}): Promise<AdminBench> {
  const connection = await connect({ file: ':memory:' })
  await migrate(connection, migrations)
  const store = new SqlAccountStore(connection)
  const feed = new AccountFeed(store)
  await feed.start()
  const ledger = createMemoryLedger()
  const used = new Map<string, bigint>()
  const keyringOf = (settings: Record<string, unknown>) =>
    new Keyring(configuredAccounts(parseConfig(JSON.stringify({ admin: { key: ADMIN_KEY }, ...settings }), {}).config), feed)
  let keyring = keyringOf(config)
  const app = new Hono()
  addAdminRoutes(app, {
    keyring: () => keyring,
    accounts: () => ({ store, feed }),
    lostCalls: () => undefined,
    ledger: () => ledger,
    counters: () => ({ used: (counters) => Promise.resolve(counters.map((counter) => used.get(counter) ?? 0n)) }),
    now: () => Date.now() / 1000,
  })
  app.onError((thrown, c) => {
    const error = toBursarError(thrown)
    if (error.code === 'internal_error') throw thrown
    return c.json({ error: { message: error.message, param: error.path ?? null, code: error.code } }, error.status as 400)
  })
  const listener = getRequestListener(app.fetch)
  const server = createServer((req, res) => void listener(req, res))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    ledger,
    used,
    store,
    keyring: () => keyring,
    reload: (next) => void (keyring = keyringOf(next)),
    async call(method, path, body, headers = {}) {
      const response = await fetch(url + path, {
        method,
        headers: {
          authorization: `Bearer ${ADMIN_KEY}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      })
      return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> }
    },
    async close() {
      feed.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await connection.close()
    },
  }
}
