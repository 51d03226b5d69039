import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { presets, providerTypes } from '../../environment/index.js'
import { adminFromEnvironment } from './admin-key.js'
import { environmentNotes, providersFromEnvironment, sandboxOnly, telemetryFromEnvironment } from './discover.js'
import { readDocument } from './document.js'
import { coercions, findingsOf, type Finding, type Showing } from './issues.js'
import type { Environment } from './interpolate.js'
import { InvalidConfiguration, isMapping, pathText, type ConfigProblem, type Path } from './problem.js'
import type { ProviderConfig } from './providers-schema.js'
import { referenceFindings } from './references.js'
import { databaseProblem, firstSet, resolveLedger } from './ledger-settings.js'
import { resolveProof } from './proof-settings.js'
import { resolveRouting } from './routing-settings.js'
import { configSchema, type Config } from './schema.js'
import { Secret } from './secret.js'

export interface LoadedConfig {
  readonly config: Config
  /** Plain sentences about what works but looks like a mistake. */
  readonly warnings: readonly string[]
  /** Hash of the text, which tells whether the file has changed. */
  readonly fingerprint: string
}

/** Hash of a configuration text. */
export function fingerprintOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Settings of the command line, which stand above those of the file. */
export interface Overrides {
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** A key named `default` beside those of the file. */
  readonly key?: string | undefined
}

/** The configuration with one more key; it takes the place of one with the same name. */
export function withKey(config: Config, name: string, key: string): Config {
  return { ...config, keys: [...config.keys.filter((other) => other.name !== name), { name, key: new Secret(key) }] }
}

/** The same configuration with this admin key. */
export function withAdminKey(config: Config, key: string): Config {
  return { ...config, admin: { key: new Secret(key) } }
}

export interface ParseOptions {
  /** Name of the text in messages. */
  readonly source?: string | undefined
  /** Folder that relative paths start at; the working directory when left out. */
  readonly folder?: string | undefined
  readonly overrides?: Overrides | undefined
}

/** Reads and checks a configuration file. Throws `InvalidConfiguration` with everything that is wrong with it. */
export function loadConfig(file: string, env: Environment, overrides?: Overrides): LoadedConfig {
  return parseConfig(readConfigFile(file), env, { source: file, folder: dirname(resolve(file)), overrides })
}

/** The text of a configuration file. Throws `InvalidConfiguration` when it can't be read, or is not UTF-8. */
export function readConfigFile(file: string): string {
  let content: Buffer
  try {
    content = readFileSync(file)
  } catch (thrown) {
    throw new InvalidConfiguration(file, [{ path: '', message: readProblem(thrown) }], thrown)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content)
  } catch (thrown) {
    throw new InvalidConfiguration(file, [{ path: '', message: 'the file is not UTF-8 text' }], thrown)
  }
}

function readProblem(thrown: unknown): string {
  switch (thrown instanceof Error && 'code' in thrown ? thrown.code : undefined) {
    case 'ENOENT':
      return 'there is no such file; `bursar serve` without --config needs none'
    case 'EACCES':
      return 'the file may not be read by this user'
    case 'EISDIR':
      return 'this is a folder; expected a YAML file'
    default:
      return 'the file could not be read'
  }
}

/**
 * Checks a configuration text and fills in defaults. All problems are collected before `InvalidConfiguration` is thrown.
 * Values of the environment and secrets never appear in messages.
 */
export function parseConfig(text: string, env: Environment, options: ParseOptions = {}): LoadedConfig {
  const source = options.source ?? 'the configuration'
  const document = readDocument(text, env)
  if (document.problems.length > 0 && document.data === undefined) throw new InvalidConfiguration(source, document.problems)
  const problems: ConfigProblem[] = [...document.problems]
  const note = ({ path, message }: Finding) => problems.push({ path: pathText(path), message, ...document.locate(path) })

  const root = document.data ?? {}
  if (!isMapping(root)) {
    note({
      path: [],
      message: `expected a mapping of sections such as \`providers:\` and \`models:\`, got ${Array.isArray(root) ? 'a list' : 'a single value'}`,
    })
    throw new InvalidConfiguration(source, problems)
  }
  const notes: string[] = []
  const data = complete(root, env, options.overrides, notes)
  let showing: Showing = { data, fromEnvironment: document.fromEnvironment }
  let result = configSchema.safeParse(data)
  if (!result.success) {
    const fixes = coercions(result.error.issues, showing)
    if (fixes.length > 0) {
      showing = { ...showing, data: fixes.reduce<unknown>((now, fix) => replaceAt(now, fix.path, fix.value), data) }
      result = configSchema.safeParse(showing.data)
    }
  }
  if (!result.success) findingsOf(result.error.issues, showing).forEach(note)
  referenceFindings(showing).forEach(note)
  const key = options.overrides?.key
  const checked = result.success ? (key === undefined ? result.data : withKey(result.data, 'default', key)) : undefined
  const exposed = checked && exposureProblem(checked)
  if (exposed) note({ path: ['server', 'host'], message: exposed })
  const elsewhere = checked && databaseProblem(checked.ledger, env)
  if (elsewhere) note({ path: ['ledger', 'database_url'], message: elsewhere })
  if (problems.length > 0 || checked === undefined) throw new InvalidConfiguration(source, inOrder(unique(problems)))

  const ledger = resolveLedger(checked.ledger, env, options.folder)
  const config = {
    ...resolveProviders(checked, env, options.folder ?? '.'),
    ledger,
    routing: resolveRouting(checked.routing, ledger, options.folder),
    proof: resolveProof(checked.proof, ledger, options.folder),
  }
  return { config, warnings: [...notes, ...warningsOf(config)], fingerprint: fingerprintOf(text) }
}

/**
 * Sections left empty count as left out, and so do those that begin with `x-` (a place for anchors); providers get their type; the
 * command line has the last word.
 */
function complete(
  root: Readonly<Record<string, unknown>>,
  env: Environment,
  overrides: Overrides | undefined,
  notes: string[],
): Record<string, unknown> {
  const data: Record<string, unknown> = Object.fromEntries(
    Object.entries(root).filter(([name, value]) => value !== null && !name.startsWith('x-')),
  )
  if (isMapping(data.providers))
    data.providers = Object.fromEntries(Object.entries(data.providers).map(([name, entry]) => [name, withType(name, entry)]))
  if (data.providers === undefined) {
    const found = providersFromEnvironment(env)
    notes.push(...environmentNotes(env))
    data.providers = Object.keys(found).length > 0 ? found : sandboxOnly
  }
  if (data.telemetry === undefined || isMapping(data.telemetry)) data.telemetry = { ...telemetryFromEnvironment(env), ...data.telemetry }
  if (data.admin === undefined) {
    const callers = Array.isArray(data.keys) ? data.keys.map((entry: unknown) => (isMapping(entry) ? entry.key : undefined)) : []
    const admin = adminFromEnvironment(env, [...callers, overrides?.key], notes)
    if (admin !== undefined) data.admin = admin
  }
  const { host, port } = overrides ?? {}
  if ((host !== undefined || port !== undefined) && (data.server === undefined || isMapping(data.server)))
    data.server = { ...data.server, ...(host === undefined ? {} : { host }), ...(port === undefined ? {} : { port }) }
  return data
}

function withType(name: string, entry: unknown): unknown {
  if (!providerTypes.includes(name)) return entry
  if (entry === null) return { type: name }
  return isMapping(entry) && entry.type === undefined ? { type: name, ...entry } : entry
}

function replaceAt(data: unknown, path: Path, value: unknown): unknown {
  const [part, ...rest] = path
  if (part === undefined) return value
  if (Array.isArray(data)) return data.map((item: unknown, index) => (index === part ? replaceAt(item, rest, value) : item))
  return isMapping(data) ? { ...data, [part]: replaceAt(data[part], rest, value) } : data
}

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return (
    bare === 'localhost' ||
    bare === '::1' ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare) ||
    /^::ffff:127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare)
  )
}

/** Whether the dashboard is served: where nobody says, only to this machine. */
export function hasDashboard({ dashboard, server }: Config): boolean {
  return dashboard.enabled ?? isLoopback(server.host)
}

/** What would let strangers in: why this configuration must not be served, or `undefined`. */
export function exposureProblem(config: Config): string | undefined {
  // With an admin key callers need a key from the first moment on, also while there is none yet.
  if (isLoopback(config.server.host) || config.keys.length > 0 || config.admin !== undefined) return undefined
  return 'listening on more than this machine without `keys` would let anyone on the network spend your money; add a key (or `admin`, to make keys later), or listen on 127.0.0.1'
}

/** Keys of presets from their usual variables, addresses that moved, and paths from the file's folder. */
function resolveProviders(config: Config, env: Environment, folder: string): Config {
  const providers: Record<string, ProviderConfig> = {}
  for (const [name, provider] of Object.entries(config.providers)) providers[name] = resolveProvider(provider, env, folder)
  return { ...config, providers }
}

function resolveProvider(provider: ProviderConfig, env: Environment, folder: string): ProviderConfig {
  if (provider.type === 'recorded') return { ...provider, file: provider.file.map((file) => resolve(folder, file)) }
  if (provider.type === 'sandbox' || provider.type === 'azure-openai' || provider.api_key !== undefined) return provider
  const preset = presets.get(provider.type)
  const key = firstSet(preset?.keyVariables ?? [], env)
  if (key === undefined) return provider
  // A key from the environment goes only where the environment, the preset or the file says: never a file's key to the environment's
  // address.
  const moved = provider.base_url ?? firstSet(preset?.baseUrlVariables ?? [], env)
  return {
    ...provider,
    api_key: new Secret(key),
    ...(moved === undefined || !URL.canParse(moved) ? {} : { base_url: moved.replace(/\/+$/, '') }),
  }
}

function warningsOf(config: Config): string[] {
  const warnings: string[] = []
  for (const [name, provider] of Object.entries(config.providers)) {
    if (provider.type === 'sandbox' || provider.type === 'recorded') continue
    const preset = presets.get(provider.type)
    if (
      provider.api_key === undefined &&
      preset !== undefined &&
      preset.keyVariables.length > 0 &&
      provider.base_url === undefined &&
      provider.headers === undefined
    )
      warnings.push(`providers.${name} has no \`api_key\`, and ${preset.keyVariables.join(' or ')} is not set: its calls will be refused.`)
    const url = provider.base_url === undefined ? undefined : new URL(provider.base_url)
    if (url?.protocol === 'http:' && !isLoopback(url.hostname) && provider.api_key !== undefined)
      warnings.push(`providers.${name}.base_url is http: the key and all prompts travel unencrypted.`)
  }
  if (!config.allow_unlisted_models && Object.keys(config.models).length === 0)
    warnings.push('`allow_unlisted_models` is false and `models` is empty: no model can be called.')
  const { connect_seconds, first_token_seconds, idle_seconds, total_seconds } = config.timeouts
  if (Math.max(connect_seconds, first_token_seconds, idle_seconds) > total_seconds)
    warnings.push('timeouts.total_seconds is shorter than another limit of `timeouts`, which then never takes effect.')
  return warnings
}

function unique(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const seen = new Set<string>()
  return problems.filter(({ path, message, line }) => {
    const id = `${line} ${path} ${message}`
    if (seen.has(id)) return false
    seen.add(id)
    return true
  })
}

function inOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  return [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
}
