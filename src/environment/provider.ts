import type { Delta, EmbeddingRequest, Reply, ReportedUsage, Request, TapOptions, WireBody, WireFormat } from '../protocol/index.js'
import type { ModelFacts } from '../catalog/index.js'
import type { Cancellation } from './cancellation.js'

/** Limits of one call, in seconds. */
export interface CallLimits {
  readonly connectSeconds: number
  /** From the request's last byte to the first data of the answer. */
  readonly firstTokenSeconds: number
  /** Silence between two pieces of a stream. */
  readonly idleSeconds: number
  /** Of the whole request; what earlier attempts have used up is already taken off. */
  readonly totalSeconds: number
}

/** What has been seen of an answer so far; the provider keeps it up to date, so that a call that is cut short can still be metered. */
export interface CallProgress {
  /** True once the request may have reached the provider, who may then bill for it. */
  sent: boolean
  /** Output tokens seen, estimated upwards. */
  outputTokens: number
  /** Usage reported so far (Anthropic tells the input side first). */
  reported: ReportedUsage | undefined
  /** Fields of the request that the provider can't express and that were dropped; known before the answer begins. */
  dropped: readonly string[]
}

/** One attempt at one provider. */
export interface ProviderCall {
  /** The provider's own name of the model. */
  readonly model: string
  readonly request: Request
  /**
   * A limit on the output that the caller did not set, since the budget has no room for more: `request` has it, its `wire` bytes don't;
   * tokens.
   */
  readonly outputLimit?: number | undefined
  /** The caller's format, when its bytes may pass through. */
  readonly wire: WireFormat | undefined
  readonly tap: TapOptions
  readonly progress: CallProgress
  readonly limits: CallLimits
  readonly cancellation: Cancellation
  /** Caller's headers that the provider may want (`anthropic-beta`, `openai-beta` …). */
  readonly headers: Readonly<Record<string, string>>
  /** Whether (or which) fields that the provider can't express are dropped instead of refused. */
  readonly dropUnsupported: boolean | readonly string[]
}

export interface ProviderEmbedCall extends Omit<ProviderCall, 'request' | 'wire'> {
  readonly request: EmbeddingRequest
}

/** How an attempt ended well. */
export interface ProviderResult {
  readonly answer:
    | { readonly kind: 'reply'; readonly reply: Reply }
    | { readonly kind: 'wire'; readonly bytes: Uint8Array }
    | { readonly kind: 'streamed' }
  readonly reported: ReportedUsage | undefined
  /** Output tokens seen at the least, where the provider reported none; an upper-ish estimate. */
  readonly estimatedOutputTokens: number
  readonly headers: Readonly<Record<string, string>>
}

/** What a probe of a provider found. */
export interface ProviderHealth {
  readonly ok: boolean
  /** What is wrong and how to mend it. */
  readonly message: string
  readonly models?: readonly string[] | undefined
}

/**
 * An endpoint that serves models. Network providers are built by `httpProvider` from a description; the sandbox and the
 * recorded provider answer in-process. Failures are `UpstreamFailure`s.
 */
export interface Provider {
  readonly id: string
  readonly kind: string
  /** Whether bytes of this format pass through untouched. */
  speaks(format: WireFormat): boolean
  generate(call: ProviderCall): AsyncGenerator<Delta, ProviderResult>
  embed(call: ProviderEmbedCall): Promise<ProviderResult>
  /** Facts that the provider itself declares (sandbox, recorded); others come from the catalog. */
  facts(model: string): ModelFacts | undefined
  /** The models of a provider that declares all it has (sandbox, recorded); absent for those that may know more than we do. */
  models?(): readonly string[]
  /** Counts input tokens of an Anthropic-format body at the provider itself, where it offers that; resolves to its JSON answer. */
  countTokens?(call: Pick<ProviderCall, 'model' | 'limits' | 'cancellation' | 'headers'>, wire: WireBody): Promise<Uint8Array>
  /** Asks the provider which models it has, without spending tokens. */
  check(signal: AbortSignal): Promise<ProviderHealth>
  close(): Promise<void>
}
