import type { CacheMark } from '../conversation.js'

/** Where OpenAI-compatible servers differ from OpenAI. The defaults are OpenAI's. */
export interface OpenAiChatOptions {
  /**
   * Field for the limit on output tokens. `caller`: the one that the caller's own body used, where it was of this family.
   * Default `max_completion_tokens`, which all of OpenAI's models take.
   */
  readonly maxTokensField?: 'max_completion_tokens' | 'max_tokens' | 'caller' | undefined
  /** Whether `top_k` is understood (vLLM, OpenRouter, llama.cpp …). Default false: OpenAI refuses it. */
  readonly topK?: boolean | undefined
  /** Whether the role `developer` is known. Default true; else it becomes `system`, which says the same. */
  readonly developerRole?: boolean | undefined
  /**
   * Whether `cache_control` marks are understood (OpenRouter, LiteLLM). Default false: marks are left out, since OpenAI caches by
   * itself.
   */
  readonly cacheControl?: boolean | undefined
  /**
   * `openai` (default): reasoning settings as `reasoning_effort`, earlier reasoning as `reasoning_content`.
   * `openrouter`: the `reasoning` object and `reasoning_details`, which carry token limits and seals; files by URL;
   * and `topK` and `cacheControl` are on unless set otherwise.
   */
  readonly dialect?: 'openai' | 'openrouter' | undefined
  /** Whether `stream_options` is understood. Default true; else usage comes only if the server sends it unasked. */
  readonly streamOptions?: boolean | undefined
}

/** `{cache_control}` for a mark, where the server understands it. */
export function cacheControl(
  mark: CacheMark | undefined,
  options: OpenAiChatOptions,
): { readonly cache_control: Record<string, string> } | undefined {
  if (!mark || !(options.cacheControl ?? options.dialect === 'openrouter')) return undefined
  return { cache_control: { type: 'ephemeral', ...(mark.ttl === undefined ? undefined : { ttl: mark.ttl }) } }
}
