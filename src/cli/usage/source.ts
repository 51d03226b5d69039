import { existsSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { BursarError } from '../../errors/index.js'
import { createUsageApp, loadConfig, parseConfig, type Config } from '../../gateway/index.js'
import { keptKeyFor } from '../kept-key.js'
import type { LedgerReader, StoreSettings } from '../../ledger/index.js'
import { USUAL_FILE } from '../inspection.js'

/** Options by which a command is told where to read. */
export interface SourceOptions {
  readonly config?: string
  readonly url?: string
  readonly key?: string
  readonly database?: string
}

/** Where the figures come from: the endpoints below `/v1/usage`, of a gateway or over a database. */
export interface UsageSource {
  /** For people: `bursar.db`, `http://127.0.0.1:8787`. */
  readonly name: string
  /** Resolves to an answer that is good; throws `BursarError` with what the source says otherwise. */
  get(path: string, signal: AbortSignal): Promise<Response>
  close(): Promise<void>
}

export interface SourceDependencies {
  readonly env: NodeJS.Dict<string>
  openReader(settings: StoreSettings): Promise<LedgerReader & { close(): Promise<void> }>
  /** Unix seconds. */
  now(): number
}

export function withSourceOptions(command: Command): Command {
  return command
    .option('--url <url>', 'read from a running gateway')
    .option('--key <key>', 'with --url: the key to send (default: BURSAR_ADMIN_KEY, BURSAR_KEY, or .bursar/key)')
    .option('--database <where>', 'read from this database: a file, or postgres://… (default: that of the configuration, or DATABASE_URL)')
    .option('-c, --config <file>', 'configuration file whose database is read (default: bursar.yaml in this folder, if there is one)')
}

/** Opens what the options say. Throws `invalid_configuration` when there is nothing to read. */
export async function openSource(options: SourceOptions, deps: SourceDependencies): Promise<UsageSource> {
  const { url, database, config, key } = options
  if (url !== undefined && (database !== undefined || config !== undefined))
    throw unusable('Give either --url or a database (--database, --config), not both.')
  if (url !== undefined)
    return remote(url, key ?? set(deps.env['BURSAR_ADMIN_KEY']) ?? set(deps.env['BURSAR_KEY']) ?? keptKeyFor(url, 'key'))
  if (key !== undefined) throw unusable('--key goes with --url: a database is read as it is.')
  // Another database than the configuration's: its margin need not hold for that.
  if (database !== undefined) return local(settingsOf(database), undefined, deps)
  const configuration = configured(config, deps.env)
  return local(settingsOf(databaseOf(configuration)), configuration.proof.margin, deps)
}

function configured(named: string | undefined, env: NodeJS.Dict<string>): Config {
  const file = named ?? (existsSync(USUAL_FILE) ? USUAL_FILE : undefined)
  return (file === undefined ? parseConfig('{}', env) : loadConfig(file, env)).config
}

function databaseOf({ ledger: { store, path, database_url } }: Config): string {
  if (store === 'memory')
    throw unusable('This configuration keeps the ledger in memory (ledger.store): only the running gateway knows it. Ask it with --url.')
  return database_url?.reveal() ?? path ?? ''
}

function settingsOf(where: string): StoreSettings {
  if (/^postgres(ql)?:\/\//.test(where)) return { url: where, poolSize: 1 }
  const file = resolve(where)
  // To open a file that isn't there would make it.
  if (!existsSync(file))
    throw unusable(
      `There is no database at ${shown(file)}. A gateway makes it when it starts; --database names another, --url asks a running gateway.`,
    )
  return { file }
}

async function local(settings: StoreSettings, margin: number | undefined, { openReader, now }: SourceDependencies): Promise<UsageSource> {
  const reader = await openReader(settings)
  const app = createUsageApp({
    authorize: () => 'all',
    ledger: () => reader,
    now,
    ...(margin === undefined ? {} : { margin: () => margin }),
  })
  return {
    name: 'file' in settings ? shown(settings.file) : withoutPassword(settings.url),
    get: async (path) => good(await app.request(path)),
    close: () => reader.close(),
  }
}

function remote(url: string, key: string | undefined): UsageSource {
  let base: URL
  try {
    base = new URL(url)
  } catch {
    throw unusable(`--url: "${url}" is no address such as http://127.0.0.1:8787.`)
  }
  const origin = base.origin
  return {
    name: origin,
    async get(path, signal) {
      try {
        return await good(await fetch(origin + path, { signal, headers: key === undefined ? {} : { authorization: `Bearer ${key}` } }))
      } catch (thrown) {
        if (BursarError.is(thrown) || signal.aborted) throw thrown
        throw new BursarError(`${origin} can't be reached (${reasonOf(thrown)}).`, {
          code: 'upstream_unreachable',
          status: 502,
          cause: thrown,
        })
      }
    },
    close: () => Promise.resolve(),
  }
}

async function good(response: Response): Promise<Response> {
  if (response.ok) return response
  const text = (await response.text()).slice(0, 10_000)
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch {
    said = undefined
  }
  throw new BursarError(messageOf(said) ?? `The answer was ${response.status}, which is not that of a Bursar gateway.`, {
    code: 'invalid_request',
    status: response.status,
  })
}

function messageOf(body: unknown): string | undefined {
  if (
    typeof body !== 'object' ||
    body === null ||
    !('error' in body) ||
    typeof body.error !== 'object' ||
    body.error === null ||
    !('message' in body.error)
  )
    return undefined
  return String(body.error.message)
}

function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown
  return cause instanceof Error ? cause.message : String(cause)
}

function unusable(message: string): BursarError {
  return new BursarError(message, { code: 'invalid_configuration', status: 500 })
}

/** A path as a person in this folder would write it. */
function shown(file: string): string {
  const near = relative(process.cwd(), file)
  return near.startsWith('..') || dirname(near) === near ? file : near
}

function withoutPassword(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url)
    return `${protocol}//${host}${pathname}`
  } catch {
    return 'the database'
  }
}

function set(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' ? undefined : text.trim()
}
