import { createOpenAiChat, openaiResponses, type WireFormat } from '../../protocol/index.js'
import { httpProvider, type FormatEndpoint } from '../http/http-provider.js'
import type { Provider } from '../provider.js'
import { modelIds } from './openai-compatible.js'
import type { ProviderResources, ProviderSettings } from './settings.js'

/**
 * Azure OpenAI. With `api_version` the classic paths by deployment name are used, without it the v1 API, which takes the
 * deployment's name as the model.
 */
export function azureOpenAi(settings: ProviderSettings & { readonly baseUrl: string }, resources: ProviderResources): Provider {
  const { apiVersion } = settings
  const codec = createOpenAiChat({ maxTokensField: 'max_completion_tokens' })
  const classic = (operation: string) => (model: string) =>
    `/openai/deployments/${encodeURIComponent(model)}/${operation}?api-version=${encodeURIComponent(apiVersion ?? '')}`
  const formats = new Map<WireFormat, FormatEndpoint>([
    [
      'openai-chat',
      { codec, path: apiVersion === undefined ? () => '/openai/v1/chat/completions' : classic('chat/completions'), passThrough: true },
    ],
  ])
  if (apiVersion === undefined)
    formats.set('openai-responses', { codec: openaiResponses, path: () => '/openai/v1/responses', passThrough: true })
  return httpProvider(
    {
      id: settings.id,
      kind: settings.type,
      baseUrl: settings.baseUrl,
      headers: { ...(settings.apiKey === undefined ? {} : { 'api-key': settings.apiKey }), ...settings.headers },
      formats,
      embeddings: { path: apiVersion === undefined ? () => '/openai/v1/embeddings' : classic('embeddings') },
      forwardHeaders: [],
      modelList: {
        path: apiVersion === undefined ? '/openai/v1/models' : `/openai/models?api-version=${encodeURIComponent(apiVersion)}`,
        ids: modelIds,
      },
      injectStreamUsage: settings.injectStreamUsage ?? true,
    },
    resources,
  )
}
