import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config } from './config/index.js'

/** What a look at a part of the ledger found. */
export interface LedgerHealth {
  readonly name: 'ledger' | 'journal' | 'redis'
  readonly ok: boolean
  /** What is there, or what is wrong and how to mend it. Never holds a secret. */
  readonly message: string
}

/** Longest that a database may take to answer; milliseconds. */
const ANSWER_MS = 5_000

/** Looks whether the ledger could be opened as configured, without opening it: another process may be using it. Takes up to ten seconds. */
export async function checkLedger({ ledger }: Config): Promise<readonly LedgerHealth[]> {
  if (ledger.store === 'memory')
    return [{ name: 'ledger', ok: true, message: 'in memory: what was spent is forgotten when the gateway stops' }]
  const { database_url: database, redis_url: redis, path, journal } = ledger
  const looks: Promise<LedgerHealth>[] = [
    database === undefined
      ? lookAt('ledger', () => fileHealth(path ?? 'bursar.db'))
      : lookAt('ledger', () => postgresHealth(database.reveal())),
    lookAt('journal', () => folderHealth(journal ?? 'bursar.journal')),
  ]
  if (redis !== undefined) {
    if (database === undefined)
      looks.push(
        Promise.resolve({
          name: 'redis',
          ok: false,
          message: 'ledger.redis_url needs ledger.database_url: Redis only counts, and PostgreSQL keeps the record',
        }),
      )
    else looks.push(lookAt('redis', () => redisHealth(redis.reveal())))
  }
  return Promise.all(looks)
}

async function lookAt(name: LedgerHealth['name'], look: () => Promise<string>): Promise<LedgerHealth> {
  try {
    return { name, ok: true, message: await look() }
  } catch (thrown) {
    return { name, ok: false, message: reasonOf(thrown) }
  }
}

/** The code of a fault where there is one: the words of drivers may hold addresses with passwords. */
function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined
  switch (code) {
    case 'EACCES':
    case 'EROFS':
    case 'EPERM':
      return 'this user may not write there'
    case 'ECONNREFUSED':
    case 'ENOTFOUND':
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
      return `the server can't be reached (${code}); check the address, and whether it runs`
    case '28P01':
    case '28000':
      return 'the server refuses the user or the password'
    case '3D000':
      return "the server doesn't have this database; create it first"
    case undefined:
      return thrown instanceof Error && thrown.name === 'LookFailed' ? thrown.message : 'it could not be used'
    default:
      return `it could not be used (${code})`
  }
}

async function fileHealth(path: string): Promise<string> {
  await writable(dirname(path))
  try {
    const { size } = await stat(path)
    await access(path, constants.W_OK)
    return `${path}, ${(size / 1024 ** 2).toFixed(1)} MiB`
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return `${path}, to be made at the first start`
    throw thrown
  }
}

async function folderHealth(path: string): Promise<string> {
  await writable(path)
  return path
}

/** Throws when this folder can neither be written nor made. */
async function writable(folder: string): Promise<void> {
  try {
    await access(folder, constants.W_OK)
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') || dirname(folder) === folder) throw thrown
    await writable(dirname(folder))
  }
}

async function postgresHealth(url: string): Promise<string> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: ANSWER_MS,
    query_timeout: ANSWER_MS,
    application_name: 'bursar check',
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
    const { rows } = await client.query<{ version: string; database: string; writes: string }>(
      `SELECT current_setting('server_version') AS version, current_database() AS database, current_setting('transaction_read_only') AS writes`,
    )
    const [row] = rows
    if (row?.writes === 'on')
      throw Object.assign(new Error('the database is read-only (a replica?); name one that can be written'), { name: 'LookFailed' })
    return `PostgreSQL ${row?.version.split(' ')[0] ?? ''}, database ${row?.database ?? ''}`
  } finally {
    await client.end().catch(() => undefined)
  }
}

async function redisHealth(url: string): Promise<string> {
  const { Redis } = await import('ioredis')
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: ANSWER_MS,
    commandTimeout: ANSWER_MS,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  })
  // What `connect` throws says only that the connection is closed.
  let fault: unknown
  client.on('error', (error) => (fault = error))
  try {
    await client.connect().catch((closed: unknown) => {
      throw fault ?? closed
    })
    const version = /redis_version:(\S+)/.exec(await client.info('server'))?.[1]
    return `Redis ${version ?? 'of unknown version'}`
  } finally {
    client.disconnect()
  }
}
