import { createAnthropicMessages } from '../../protocol/index.js'
import { httpProvider } from '../http/http-provider.js'
import type { Provider } from '../provider.js'
import { modelIds } from './openai-compatible.js'
import type { ProviderResources, ProviderSettings } from './settings.js'

/** Anthropic's Messages API. */
export function anthropic(settings: ProviderSettings & { readonly baseUrl: string }, resources: ProviderResources): Provider {
  const maxOutputTokens = (model: string): number | undefined => resources.facts('anthropic', model)?.maxOutputTokens
  const codec = createAnthropicMessages({ defaultMaxTokens: maxOutputTokens })
  return httpProvider(
    {
      id: settings.id,
      kind: settings.type,
      baseUrl: settings.baseUrl,
      headers: {
        'anthropic-version': '2023-06-01',
        ...(settings.apiKey === undefined ? {} : { 'x-api-key': settings.apiKey }),
        ...settings.headers,
      },
      formats: new Map([['anthropic-messages', { codec, path: () => '/v1/messages', passThrough: true }]]),
      forwardHeaders: ['anthropic-version', 'anthropic-beta'],
      modelList: { path: '/v1/models?limit=1000', ids: modelIds },
      injectStreamUsage: false,
      maxOutputTokens,
      countTokensPath: '/v1/messages/count_tokens',
    },
    resources,
  )
}
