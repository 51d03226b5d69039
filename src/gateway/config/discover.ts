import { get, type IncomingMessage } from 'node:http'
import { presets } from '../../environment/index.js'
import { adminFromEnvironment } from './admin-key.js'
import type { Environment } from './interpolate.js'
import { InvalidConfiguration, isMapping } from './problem.js'
import type { ConfigInput } from './schema.js'
import { databaseProblem, resolveLedger } from './ledger-settings.js'
import { configSchema, type Config } from './schema.js'

/** Fetches a JSON document; rejects on anything but a 2xx with JSON. */
export type Probe = (url: string) => Promise<unknown>

type ProvidersInput = NonNullable<ConfigInput['providers']>

export interface Discovery {
  readonly providers: Config['providers']
  /** Plain sentences: what was found where, what is set but incomplete. */
  readonly notes: readonly string[]
}

/** How long a local server may take to answer, in milliseconds: it is on this machine, and start-up waits for it. */
const PROBE_MS = 400
const MAX_PROBE_BYTES = 4 * 1024 * 1024

/** A provider that needs nothing. */
export const sandboxOnly = { sandbox: { type: 'sandbox' } } as const satisfies ProvidersInput

/** Asks a server on this machine. */
export const loopbackProbe: Probe = async (url) => {
  // `agent: false`: no connection is kept, so that a command that only looks ends at once.
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { agent: false, signal: AbortSignal.timeout(PROBE_MS), headers: { accept: 'application/json' } }, resolve).on('error', reject)
  })
  if (answer.statusCode !== 200 || !(answer.headers['content-type'] ?? '').includes('json')) {
    answer.on('error', () => undefined).destroy()
    throw new Error(`answered ${answer.statusCode ?? 'nothing'}`)
  }
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_PROBE_BYTES) throw new Error('answered too much')
    chunks.push(chunk)
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
}

/**
 * Finds providers: those whose keys are in the environment, then servers on their usual ports of this machine. With nothing
 * at all: the sandbox.
 */
export async function discoverProviders(env: Environment, probe: Probe = loopbackProbe): Promise<Discovery> {
  const found: ProvidersInput = { ...providersFromEnvironment(env) }
  const notes = [...environmentNotes(env)]
  const locals = [...presets.values()].filter((preset) => preset.localPort !== undefined)
  const answers = await Promise.all(
    locals.map(async (preset) => {
      try {
        return modelCount(await probe(`${preset.baseUrl}/models`))
      } catch {
        // Nothing listens there, or something else: either way no provider.
        return undefined
      }
    }),
  )
  for (const [index, preset] of locals.entries()) {
    const models = answers[index]
    if (models === undefined) continue
    found[preset.name] = { type: preset.name, base_url: preset.baseUrl }
    notes.push(`found ${preset.title} on port ${preset.localPort} with ${models} ${models === 1 ? 'model' : 'models'}`)
  }
  if (Object.keys(found).length === 0)
    notes.push('no key of a provider is set and no local server was found: simulated models of the sandbox answer')
  return { providers: configSchema.shape.providers.parse(Object.keys(found).length === 0 ? sandboxOnly : found), notes }
}

/** The configuration without a file: all defaults, and the providers that are found. The notes tell what was found. */
export async function discoverConfig(
  env: Environment,
  probe: Probe = loopbackProbe,
): Promise<{ readonly config: Config; readonly notes: readonly string[] }> {
  const { providers, notes: found } = await discoverProviders(env, probe)
  const notes = [...found]
  const admin = adminFromEnvironment(env, [env['BURSAR_KEY']], notes)
  const config = configSchema.parse({ telemetry: telemetryFromEnvironment(env), ...(admin && { admin }) })
  const elsewhere = databaseProblem(config.ledger, env)
  if (elsewhere) throw new InvalidConfiguration('the environment', [{ path: 'ledger.database_url', message: elsewhere }])
  return { config: { ...config, providers, ledger: resolveLedger(config.ledger, env, undefined) }, notes }
}

/** The same, without the notes. */
export async function defaultConfig(env: Environment, probe: Probe = loopbackProbe): Promise<Config> {
  return (await discoverConfig(env, probe)).config
}

/** Providers whose keys are in the environment, under the names of their presets. */
export function providersFromEnvironment(env: Environment): ProvidersInput {
  const found: ProvidersInput = {}
  for (const preset of presets.values()) {
    const key = firstSet(env, preset.keyVariables)
    if (key === undefined) continue
    const moved = firstSet(env, preset.baseUrlVariables)
    found[preset.name] = {
      type: preset.name,
      api_key: key.value,
      ...(moved !== undefined && isHttpUrl(moved.value) ? { base_url: moved.value } : {}),
    }
  }
  const azure = azureFrom(env)
  if (azure.key !== undefined && azure.base !== undefined && isHttpUrl(azure.base.value))
    found.azure = {
      type: 'azure-openai',
      base_url: azure.base.value,
      api_key: azure.key.value,
      ...(azure.version !== undefined && /^[\w-]+$/.test(azure.version.value) ? { api_version: azure.version.value } : {}),
    }
  return found
}

/** OpenTelemetry's own variables. */
export function telemetryFromEnvironment(env: Environment): NonNullable<ConfigInput['telemetry']> {
  const endpoint = firstSet(env, ['OTEL_EXPORTER_OTLP_ENDPOINT'])
  const service = firstSet(env, ['OTEL_SERVICE_NAME'])
  return {
    ...(endpoint !== undefined && isHttpUrl(endpoint.value) ? { otlp_endpoint: endpoint.value } : {}),
    ...(service === undefined ? {} : { service_name: service.value }),
  }
}

/** Variables that are set but can't be used. Names only, never values. */
export function environmentNotes(env: Environment): string[] {
  const notes: string[] = []
  for (const preset of presets.values()) {
    const moved = firstSet(env, preset.baseUrlVariables)
    if (moved === undefined) continue
    if (!isHttpUrl(moved.value)) notes.push(`${moved.name} is set but is not an http(s) address; it is ignored`)
    else if (firstSet(env, preset.keyVariables) === undefined && preset.keyVariables.length > 0)
      notes.push(`${moved.name} is set but ${preset.keyVariables.join(' or ')} is not; ${preset.title} is left out`)
  }
  const { key, base } = azureFrom(env)
  if (key !== undefined && base === undefined)
    notes.push(`${key.name} is set but AZURE_API_BASE or AZURE_OPENAI_ENDPOINT is not; Azure OpenAI is left out`)
  else if (key !== undefined && base !== undefined && !isHttpUrl(base.value))
    notes.push(`${base.name} is set but is not an http(s) address; Azure OpenAI is left out`)
  return notes
}

function azureFrom(env: Environment) {
  return {
    key: firstSet(env, ['AZURE_OPENAI_API_KEY', 'AZURE_API_KEY']),
    base: firstSet(env, ['AZURE_OPENAI_ENDPOINT', 'AZURE_API_BASE']),
    version: firstSet(env, ['AZURE_OPENAI_API_VERSION', 'AZURE_API_VERSION', 'OPENAI_API_VERSION']),
  }
}

function firstSet(env: Environment, names: readonly string[]): { readonly name: string; readonly value: string } | undefined {
  for (const name of names) {
    const value = env[name]?.trim()
    if (value !== undefined && value !== '') return { name, value }
  }
  return undefined
}

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, search, hash } = new URL(text)
  return (protocol === 'http:' || protocol === 'https:') && username === '' && password === '' && search === '' && hash === ''
}

/** Models in an OpenAI model list; `undefined` when it is none, since other programs use these ports too. */
function modelCount(answer: unknown): number | undefined {
  if (!isMapping(answer) || answer.object !== 'list') return undefined
  // Ollama without a model says `null`.
  if (answer.data === null) return 0
  if (!Array.isArray(answer.data)) return undefined
  return answer.data.every((entry: unknown) => isMapping(entry) && typeof entry.id === 'string') ? answer.data.length : undefined
}
