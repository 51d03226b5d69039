import type { ModelFacts } from '../../catalog/index.js'
import type { WireFormat } from '../../protocol/index.js'
import type { HttpShared } from '../http/http-provider.js'
import type { Clock } from '../../quantities/index.js'

/** What the configuration says of one provider. Which fields count depends on `type`. */
export interface ProviderSettings {
  readonly id: string
  /** A kind (`openai-compatible`, `anthropic`, `gemini`, `azure-openai`, `sandbox`, `recorded`) or the name of a preset. */
  readonly type: string
  readonly baseUrl?: string | undefined
  readonly apiKey?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Formats that an OpenAI-compatible server speaks, the one to translate to first; chat completions when absent. */
  readonly formats?: readonly WireFormat[] | undefined
  /** Name of the output limit that the server knows. */
  readonly maxTokensField?: 'max_tokens' | 'max_completion_tokens' | undefined
  /** False for servers that refuse `stream_options`. */
  readonly injectStreamUsage?: boolean | undefined
  /** Azure: the api-version of deployment paths; absent for the v1 API. */
  readonly apiVersion?: string | undefined
  /** Recorded: outcome tables. */
  readonly files?: readonly string[] | undefined
  /** Recorded and sandbox: how many times faster than declared; `Infinity` for no delay. */
  readonly speed?: number | undefined
  /** Sandbox: seed of its randomness. */
  readonly seed?: number | undefined
}

/** What providers share with the process. */
export interface ProviderResources extends HttpShared {
  readonly clock: Clock
  /** The largest output of a model, where the catalog knows: Anthropic wants a limit on every call. */
  readonly facts: (provider: string, model: string) => ModelFacts | undefined
}
