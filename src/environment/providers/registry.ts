import { BursarError } from '../../errors/index.js'
import type { Provider } from '../provider.js'
import { anthropic } from './anthropic.js'
import { azureOpenAi } from './azure-openai.js'
import { gemini } from './gemini.js'
import { openAiCompatible } from './openai-compatible.js'
import { presets } from './presets.js'
import { createRecordedProvider } from './recorded/index.js'
import { createSandboxProvider } from './sandbox/index.js'
import type { ProviderResources, ProviderSettings } from './settings.js'

type Factory = (settings: ProviderSettings, resources: ProviderResources) => Provider | Promise<Provider>

/** Every kind of provider: a new one is its file and its line here. */
const kinds: Readonly<Record<string, Factory>> = {
  'openai-compatible': (settings, resources) => openAiCompatible(withUrl(settings), resources),
  anthropic: (settings, resources) => anthropic(withUrl(settings, 'https://api.anthropic.com'), resources),
  gemini: (settings, resources) => gemini(withUrl(settings, 'https://generativelanguage.googleapis.com/v1beta'), resources),
  'azure-openai': (settings, resources) => azureOpenAi(withUrl(settings), resources),
  sandbox: (settings, resources) =>
    createSandboxProvider({ id: settings.id, seed: settings.seed ?? 1, speed: settings.speed ?? 1, clock: resources.clock }),
  recorded: (settings, resources) =>
    createRecordedProvider({ id: settings.id, files: settings.files ?? [], speed: settings.speed ?? 1, clock: resources.clock }),
}

/** Names that a provider's `type` may have. */
export const providerTypes: readonly string[] = [...new Set([...Object.keys(kinds), ...presets.keys()])]

/** Builds a provider from its settings; a preset's name fills in what the settings leave out. */
export async function createProvider(settings: ProviderSettings, resources: ProviderResources): Promise<Provider> {
  const preset = presets.get(settings.type)
  const kind = kinds[preset?.kind ?? settings.type]
  if (!kind) throw new BursarError(`"${settings.type}" is no type of provider.`, { code: 'invalid_configuration', status: 500 })
  if (!preset) return kind(settings, resources)
  return kind(
    {
      ...settings,
      baseUrl: settings.baseUrl ?? preset.baseUrl,
      formats: settings.formats ?? preset.formats,
      maxTokensField: settings.maxTokensField ?? preset.maxTokensField,
      injectStreamUsage: settings.injectStreamUsage ?? preset.injectStreamUsage,
    },
    resources,
  )
}

function withUrl(settings: ProviderSettings, usual?: string): ProviderSettings & { readonly baseUrl: string } {
  const baseUrl = settings.baseUrl ?? usual
  if (baseUrl === undefined)
    throw new BursarError(`providers.${settings.id}.base_url: needed for a provider of type "${settings.type}".`, {
      code: 'invalid_configuration',
      status: 500,
      path: `providers.${settings.id}.base_url`,
    })
  return { ...settings, baseUrl }
}
