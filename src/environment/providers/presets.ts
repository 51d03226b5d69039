import type { WireFormat } from '../../protocol/index.js'

/** Names of the presets: what the configuration's `type` may say. */
export const presetNames = [
  'openai',
  'anthropic',
  'gemini',
  'openrouter',
  'mistral',
  'groq',
  'deepseek',
  'together',
  'fireworks',
  'xai',
  'cerebras',
  'perplexity',
  'moonshot',
  'nvidia',
  'huggingface',
  'deepinfra',
  'nebius',
  'sambanova',
  'novita',
  'cohere',
  'dashscope',
  'vercel',
  'ollama',
  'vllm',
  'llama-cpp',
  'lm-studio',
] as const

export type PresetName = (typeof presetNames)[number]

/** The field in which a host wants the limit on output tokens, when Bursar writes the request. */
export type MaxTokensField = 'max_tokens' | 'max_completion_tokens'

/** Facts about a host: enough to reach it with a key and nothing else. */
export interface ProviderPreset {
  /** The configuration's `type`, and the usual name of the provider. */
  readonly name: PresetName
  readonly title: string
  /** Which adapter speaks to it. */
  readonly kind: 'openai-compatible' | 'anthropic' | 'gemini'
  /** Without a trailing slash. With the version (`…/v1`), except for Anthropic, whose adapter and whose own SDKs add it. */
  readonly baseUrl: string
  /** Environment variables that hold a key, the first one set wins. Empty for local servers. */
  readonly keyVariables: readonly string[]
  /** Environment variables that move the base URL. */
  readonly baseUrlVariables: readonly string[]
  /** The provider's id in the price catalog; `undefined` where the catalog has none. */
  readonly priceProvider: string | undefined
  readonly maxTokensField: MaxTokensField
  /** Formats that the host speaks itself, so that bytes may pass through. */
  readonly formats: readonly WireFormat[]
  /** Whether `stream_options` may be sent. Hosts with `false` may refuse the field, and send usage in a stream unasked. */
  readonly injectStreamUsage: boolean
  /** Set for servers that usually run on the same machine: the port where discovery looks. */
  readonly localPort?: number | undefined
}

interface HostOptions {
  readonly title: string
  readonly keys: readonly string[]
  readonly prices?: string
  readonly maxTokens?: MaxTokensField
  readonly formats?: readonly WireFormat[]
  readonly baseUrlVariables?: readonly string[]
  readonly injectStreamUsage?: boolean
}

/** A hosted OpenAI-compatible API. */
function host(name: PresetName, baseUrl: string, options: HostOptions): ProviderPreset {
  return {
    name,
    title: options.title,
    kind: 'openai-compatible',
    baseUrl,
    keyVariables: options.keys,
    baseUrlVariables: options.baseUrlVariables ?? [],
    priceProvider: options.prices,
    maxTokensField: options.maxTokens ?? 'max_tokens',
    formats: options.formats ?? ['openai-chat'],
    injectStreamUsage: options.injectStreamUsage ?? true,
  }
}

/** A server on this machine. Its models have no list price, so their cost is unknown until the configuration prices them. */
function local(name: PresetName, title: string, port: number): ProviderPreset {
  return { ...host(name, `http://127.0.0.1:${port}/v1`, { title, keys: [], formats: chatAndEmbeddings }), localPort: port }
}

const chatAndEmbeddings: readonly WireFormat[] = ['openai-chat', 'openai-embeddings']

/**
 * The common hosts. Base URLs, key variables and formats are those of each host's own documentation (read 2026-11); a host
 * that speaks more than is listed here can be told so with `formats` in the configuration.
 */
const all: readonly ProviderPreset[] = [
  {
    name: 'openai',
    title: 'OpenAI',
    kind: 'openai-compatible',
    baseUrl: 'https://api.openai.com/v1',
    keyVariables: ['OPENAI_API_KEY'],
    baseUrlVariables: ['OPENAI_BASE_URL', 'OPENAI_API_BASE'],
    priceProvider: 'openai',
    maxTokensField: 'max_completion_tokens',
    formats: ['openai-chat', 'openai-responses', 'openai-embeddings'],
    injectStreamUsage: true,
  },
  {
    name: 'anthropic',
    title: 'Anthropic',
    kind: 'anthropic',
    baseUrl: 'https://api.anthropic.com',
    keyVariables: ['ANTHROPIC_API_KEY'],
    baseUrlVariables: ['ANTHROPIC_BASE_URL'],
    priceProvider: 'anthropic',
    maxTokensField: 'max_tokens',
    formats: ['anthropic-messages'],
    injectStreamUsage: false,
  },
  {
    name: 'gemini',
    title: 'Google Gemini',
    kind: 'gemini',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    keyVariables: ['GEMINI_API_KEY', 'GOOGLE_API_KEY'],
    baseUrlVariables: ['GOOGLE_GEMINI_BASE_URL', 'GEMINI_BASE_URL'],
    priceProvider: 'google',
    maxTokensField: 'max_tokens',
    formats: ['gemini'],
    injectStreamUsage: false,
  },
  host('openrouter', 'https://openrouter.ai/api/v1', {
    title: 'OpenRouter',
    keys: ['OPENROUTER_API_KEY'],
    prices: 'openrouter',
    formats: chatAndEmbeddings,
    baseUrlVariables: ['OPENROUTER_BASE_URL'],
  }),
  host('mistral', 'https://api.mistral.ai/v1', {
    title: 'Mistral AI',
    keys: ['MISTRAL_API_KEY'],
    prices: 'mistral',
    formats: chatAndEmbeddings,
    injectStreamUsage: false,
  }),
  host('groq', 'https://api.groq.com/openai/v1', {
    title: 'Groq',
    keys: ['GROQ_API_KEY'],
    prices: 'groq',
    maxTokens: 'max_completion_tokens',
    formats: ['openai-chat', 'openai-responses'],
  }),
  host('deepseek', 'https://api.deepseek.com/v1', { title: 'DeepSeek', keys: ['DEEPSEEK_API_KEY'], prices: 'deepseek' }),
  host('together', 'https://api.together.xyz/v1', {
    title: 'Together AI',
    keys: ['TOGETHER_API_KEY', 'TOGETHERAI_API_KEY', 'TOGETHER_AI_API_KEY'],
    prices: 'together',
    formats: chatAndEmbeddings,
  }),
  host('fireworks', 'https://api.fireworks.ai/inference/v1', {
    title: 'Fireworks AI',
    keys: ['FIREWORKS_API_KEY', 'FIREWORKS_AI_API_KEY'],
    prices: 'fireworks',
    formats: chatAndEmbeddings,
  }),
  host('xai', 'https://api.x.ai/v1', {
    title: 'xAI',
    keys: ['XAI_API_KEY'],
    prices: 'x-ai',
    maxTokens: 'max_completion_tokens',
    formats: ['openai-chat', 'openai-responses'],
  }),
  host('cerebras', 'https://api.cerebras.ai/v1', {
    title: 'Cerebras',
    keys: ['CEREBRAS_API_KEY'],
    prices: 'cerebras',
    maxTokens: 'max_completion_tokens',
  }),
  host('perplexity', 'https://api.perplexity.ai', {
    title: 'Perplexity',
    keys: ['PERPLEXITY_API_KEY', 'PERPLEXITYAI_API_KEY'],
    prices: 'perplexity',
    injectStreamUsage: false,
  }),
  host('moonshot', 'https://api.moonshot.ai/v1', {
    title: 'Moonshot AI',
    keys: ['MOONSHOT_API_KEY'],
    prices: 'moonshotai',
    baseUrlVariables: ['MOONSHOT_BASE_URL'],
  }),
  host('nvidia', 'https://integrate.api.nvidia.com/v1', {
    title: 'NVIDIA NIM',
    keys: ['NVIDIA_API_KEY', 'NIM_API_KEY'],
    formats: chatAndEmbeddings,
  }),
  host('huggingface', 'https://router.huggingface.co/v1', { title: 'Hugging Face', keys: ['HF_TOKEN', 'HUGGINGFACE_API_KEY'] }),
  host('deepinfra', 'https://api.deepinfra.com/v1/openai', {
    title: 'DeepInfra',
    keys: ['DEEPINFRA_API_KEY', 'DEEPINFRA_TOKEN'],
    formats: chatAndEmbeddings,
  }),
  host('nebius', 'https://api.tokenfactory.nebius.com/v1', {
    title: 'Nebius Token Factory',
    keys: ['NEBIUS_API_KEY'],
    formats: chatAndEmbeddings,
  }),
  host('sambanova', 'https://api.sambanova.ai/v1', { title: 'SambaNova', keys: ['SAMBANOVA_API_KEY'], formats: chatAndEmbeddings }),
  host('novita', 'https://api.novita.ai/openai/v1', { title: 'Novita AI', keys: ['NOVITA_API_KEY'], prices: 'novita' }),
  host('cohere', 'https://api.cohere.ai/compatibility/v1', {
    title: 'Cohere',
    keys: ['COHERE_API_KEY', 'CO_API_KEY'],
    prices: 'cohere',
    formats: chatAndEmbeddings,
  }),
  host('dashscope', 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1', {
    title: 'Alibaba Cloud Model Studio',
    keys: ['DASHSCOPE_API_KEY'],
    formats: chatAndEmbeddings,
  }),
  host('vercel', 'https://ai-gateway.vercel.sh/v1', {
    title: 'Vercel AI Gateway',
    keys: ['AI_GATEWAY_API_KEY'],
    formats: chatAndEmbeddings,
  }),
  local('ollama', 'Ollama', 11434),
  local('vllm', 'vLLM', 8000),
  local('llama-cpp', 'llama.cpp server', 8080),
  local('lm-studio', 'LM Studio', 1234),
]

/** By name, which is what the configuration's `type` says. */
export const presets: ReadonlyMap<string, ProviderPreset> = new Map(all.map((preset) => [preset.name, preset]))
