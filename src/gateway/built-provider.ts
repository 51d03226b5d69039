import type { Agent } from 'undici'
import {
  createProvider,
  presets,
  UndiciAgent,
  type CallLimits,
  type Deadlines,
  type Provider,
  type ProviderSettings,
} from '../environment/index.js'
import type { Catalog } from '../catalog/index.js'
import type { Clock } from '../quantities/index.js'
import type { Config, ModelConfig, ProviderConfig } from './config/index.js'

/** A provider with the settings it was built from, so that a reload can keep one that has not changed. */
export interface BuiltProvider {
  readonly provider: Provider
  readonly agent: Agent
  readonly fingerprint: string
  readonly limits: CallLimits
  /** The provider's id in the price catalog. */
  readonly priceProvider: string | undefined
  readonly config: ProviderConfig
}

/** What providers need beside their settings. */
export interface ProviderParts {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly deadlines: Deadlines
}

/** Builds a provider; one that was built from the same settings before is kept. */
export async function buildProvider(
  id: string,
  config: ProviderConfig,
  whole: Config,
  shared: ProviderParts,
  before: BuiltProvider | undefined,
): Promise<BuiltProvider> {
  const settings = providerSettings(id, config)
  const limits = limitsOf(whole.timeouts, 'timeouts' in config ? config.timeouts : undefined)
  // Each call holds to its own limit; the pool only gives up what no call waits for.
  const connectSeconds = Math.max(limits.connectSeconds, ...deploymentsOf(whole, id).map((entry) => entry.timeouts?.connect_seconds ?? 0))
  const fingerprint = JSON.stringify([settings, limits, connectSeconds, whole.limits.response_bytes, config])
  if (before?.fingerprint === fingerprint) return before
  const agent = new UndiciAgent({
    connect: { timeout: connectSeconds * 1000 },
    keepAliveTimeout: 30_000,
    keepAliveMaxTimeout: 600_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    pipelining: 1,
  })
  const priceProvider =
    'price_provider' in config && config.price_provider !== undefined ? config.price_provider : presets.get(config.type)?.priceProvider
  const provider = await createProvider(settings, {
    agent,
    deadlines: shared.deadlines,
    maxResponseBytes: whole.limits.response_bytes,
    clock: shared.clock,
    facts: (name, model) => shared.catalog.facts(name, model),
  })
  return {
    provider,
    agent,
    fingerprint,
    limits,
    priceProvider: priceProvider ?? (config.type === 'azure-openai' ? 'azure' : undefined),
    config,
  }
}

/** Entries of `models` at this provider that have settings. */
function deploymentsOf(
  config: Config,
  provider: string,
): readonly Extract<ModelConfig['deployments'][number], { readonly timeouts?: unknown }>[] {
  return Object.values(config.models).flatMap((alias) =>
    alias.deployments.flatMap((entry) => (entry.provider === provider && 'timeouts' in entry ? [entry] : [])),
  )
}

function providerSettings(id: string, config: ProviderConfig): ProviderSettings {
  if (config.type === 'sandbox') return { id, type: config.type, seed: config.seed, speed: speedOf(config.speed) }
  if (config.type === 'recorded') return { id, type: config.type, files: config.file, speed: speedOf(config.speed) }
  return {
    id,
    type: config.type,
    baseUrl: config.base_url,
    apiKey: config.api_key?.reveal(),
    headers:
      config.headers && Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name.toLowerCase(), value.reveal()])),
    formats: config.formats,
    maxTokensField: config.max_tokens_field,
    injectStreamUsage: config.stream_options,
    apiVersion: 'api_version' in config && config.api_version !== 'v1' ? config.api_version : undefined,
  }
}

function speedOf(speed: number | 'instant'): number {
  return speed === 'instant' ? Infinity : speed
}

type SomeTimeouts = { readonly [Name in keyof Config['timeouts']]?: number | undefined }

/** Limits of a call: later layers stand above earlier ones, and all of them above the defaults. */
export function limitsOf(...layers: readonly (SomeTimeouts | undefined)[]): CallLimits {
  const merged: Record<string, number> = {}
  for (const layer of layers) for (const [name, value] of Object.entries(layer ?? {})) if (value !== undefined) merged[name] = value
  return {
    connectSeconds: merged['connect_seconds'] ?? 5,
    firstTokenSeconds: merged['first_token_seconds'] ?? 120,
    idleSeconds: merged['idle_seconds'] ?? 60,
    totalSeconds: merged['total_seconds'] ?? 600,
  }
}
