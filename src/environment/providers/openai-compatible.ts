import { anthropicMessages, createOpenAiChat, openaiResponses, type WireFormat } from '../../protocol/index.js'
import { httpProvider, type FormatEndpoint } from '../http/http-provider.js'
import type { Provider } from '../provider.js'
import { presets } from './presets.js'
import type { ProviderResources, ProviderSettings } from './settings.js'

/** Types of server that take `top_k`, which OpenAI refuses. */
const TAKES_TOP_K: ReadonlySet<string> = new Set(['vllm', 'llama-cpp', 'ollama', 'lm-studio', 'openrouter', 'together', 'fireworks'])

/** Any server that speaks OpenAI's API: OpenAI itself, the common hosts, vLLM, Ollama, llama.cpp. */
export function openAiCompatible(settings: ProviderSettings & { readonly baseUrl: string }, resources: ProviderResources): Provider {
  const openRouter = settings.type === 'openrouter'
  const catalogName = presets.get(settings.type)?.priceProvider
  const codec = createOpenAiChat({
    maxTokensField: settings.maxTokensField ?? 'max_tokens',
    streamOptions: settings.injectStreamUsage ?? true,
    developerRole: settings.type === 'openai' || openRouter,
    dialect: openRouter ? 'openrouter' : 'openai',
    topK: TAKES_TOP_K.has(settings.type),
  })
  const known: ReadonlyMap<WireFormat, FormatEndpoint> = new Map<WireFormat, FormatEndpoint>([
    ['openai-chat', { codec, path: () => '/chat/completions', passThrough: true }],
    ['openai-responses', { codec: openaiResponses, path: () => '/responses', passThrough: true }],
    ['anthropic-messages', { codec: anthropicMessages, path: () => '/messages', passThrough: true }],
  ])
  // In the operator's order: requests that must be translated are written in the first.
  const formats = new Map<WireFormat, FormatEndpoint>()
  for (const format of settings.formats ?? ['openai-chat']) {
    const endpoint = known.get(format)
    if (endpoint) formats.set(format, endpoint)
  }
  return httpProvider(
    {
      id: settings.id,
      kind: settings.type,
      baseUrl: settings.baseUrl,
      headers: { ...(settings.apiKey === undefined ? {} : { authorization: `Bearer ${settings.apiKey}` }), ...settings.headers },
      formats,
      embeddings: { path: () => '/embeddings' },
      forwardHeaders: ['openai-beta', 'http-referer', 'x-title', 'anthropic-version', 'anthropic-beta'],
      modelList: { path: '/models', ids: modelIds },
      injectStreamUsage: settings.injectStreamUsage ?? true,
      maxOutputTokens: (model) => (catalogName === undefined ? undefined : resources.facts(catalogName, model)?.maxOutputTokens),
    },
    resources,
  )
}

/** Ids of OpenAI's and Anthropic's model lists: `{data: [{id}]}`. */
export function modelIds(json: unknown): readonly string[] | undefined {
  if (typeof json !== 'object' || json === null || !('data' in json) || !Array.isArray(json.data)) return undefined
  return json.data.flatMap((entry: unknown) =>
    typeof entry === 'object' && entry !== null && 'id' in entry && typeof entry.id === 'string' ? [entry.id] : [],
  )
}
