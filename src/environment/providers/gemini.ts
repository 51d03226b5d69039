import { gemini as codec } from '../../protocol/index.js'
import { httpProvider } from '../http/http-provider.js'
import type { Provider } from '../provider.js'
import type { ProviderResources, ProviderSettings } from './settings.js'

/** Google's Gemini API. Embeddings go through its OpenAI-compatible path. */
export function gemini(settings: ProviderSettings & { readonly baseUrl: string }, resources: ProviderResources): Provider {
  const path = (model: string, stream: boolean) =>
    `/models/${encodeURIComponent(model)}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`
  return httpProvider(
    {
      id: settings.id,
      kind: settings.type,
      baseUrl: settings.baseUrl,
      headers: { ...(settings.apiKey === undefined ? {} : { 'x-goog-api-key': settings.apiKey }), ...settings.headers },
      formats: new Map([['gemini', { codec, path, passThrough: false }]]),
      embeddings: {
        path: () => '/openai/embeddings',
        ...(settings.apiKey === undefined ? {} : { headers: { authorization: `Bearer ${settings.apiKey}` } }),
      },
      forwardHeaders: [],
      modelList: { path: '/models?pageSize=1000', ids },
      injectStreamUsage: false,
      maxOutputTokens: (model) => resources.facts('google', model)?.maxOutputTokens,
    },
    resources,
  )
}

function ids(json: unknown): readonly string[] | undefined {
  if (typeof json !== 'object' || json === null || !('models' in json) || !Array.isArray(json.models)) return undefined
  return json.models.flatMap((entry: unknown) =>
    typeof entry === 'object' && entry !== null && 'name' in entry && typeof entry.name === 'string'
      ? [entry.name.replace(/^models\//, '')]
      : [],
  )
}
