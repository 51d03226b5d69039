import { presets, type PresetName } from '../../environment/index.js'
import { importedPrices } from './litellm-prices.js'
import { isMapping } from './problem.js'
import type { ConfigInput } from './schema.js'

export type Fields = Readonly<Record<string, unknown>>
type ProviderInput = NonNullable<ConfigInput['providers']>[string]
export type AliasInput = NonNullable<ConfigInput['models']>[string]
export type ListedDeployment = Extract<AliasInput, { deployments: unknown }>['deployments'][number]
export type DeploymentInput = Exclude<ListedDeployment, string>
type ProviderType = PresetName | 'openai-compatible' | 'azure-openai'

/** LiteLLM's provider prefixes, and the types that serve them here. */
const prefixes: Readonly<Record<string, ProviderType>> = {
  openai: 'openai',
  'text-completion-openai': 'openai',
  custom_openai: 'openai-compatible',
  openai_like: 'openai-compatible',
  litellm_proxy: 'openai-compatible',
  anthropic: 'anthropic',
  gemini: 'gemini',
  azure: 'azure-openai',
  openrouter: 'openrouter',
  mistral: 'mistral',
  codestral: 'mistral',
  groq: 'groq',
  deepseek: 'deepseek',
  together_ai: 'together',
  fireworks_ai: 'fireworks',
  xai: 'xai',
  cerebras: 'cerebras',
  perplexity: 'perplexity',
  moonshot: 'moonshot',
  nvidia_nim: 'nvidia',
  huggingface: 'huggingface',
  deepinfra: 'deepinfra',
  nebius: 'nebius',
  sambanova: 'sambanova',
  novita: 'novita',
  cohere_chat: 'cohere',
  cohere: 'cohere',
  dashscope: 'dashscope',
  vercel_ai_gateway: 'vercel',
  ollama: 'ollama',
  ollama_chat: 'ollama',
  vllm: 'vllm',
  hosted_vllm: 'vllm',
  llamafile: 'llama-cpp',
  lm_studio: 'lm-studio',
}

/** Fields of `litellm_params` that are read below, or mean nothing outside LiteLLM. */
const readParams = new Set([
  'model',
  'api_key',
  'api_base',
  'base_url',
  'api_version',
  'timeout',
  'request_timeout',
  'stream_timeout',
  'weight',
  'rpm',
  'tpm',
  'extra_headers',
  'custom_llm_provider',
  'max_retries',
])

/** Collects providers: one for each address and key that the models use. */
export class Providers {
  private readonly byIdentity = new Map<string, { readonly name: string; readonly provider: ProviderInput }>()

  constructor(private readonly note: (message: string) => void) {}

  get size(): number {
    return this.byIdentity.size
  }

  made(): NonNullable<ConfigInput['providers']> {
    return Object.fromEntries([...this.byIdentity.values()].map(({ name, provider }) => [name, provider]))
  }

  deployment(name: string, params: Fields, info: Fields, at: string): DeploymentInput | undefined {
    const target = targetOf(params)
    if (target === undefined) {
      this.note(`${at} ("${name}"): no provider here serves "${String(params.model)}"; it is left out.`)
      return undefined
    }
    const provider = this.providerFor(target.type, params, at)
    if (provider === undefined) return undefined
    for (const field of Object.keys(params))
      if (!readParams.has(field) && !/cost|price/.test(field) && params[field] !== null)
        this.note(`${at}.litellm_params.${field} has no counterpart and is left out.`)
    const weight = weightOf(params, info)
    const timeouts = timeoutsOf(params)
    const prices = importedPrices({ ...info, ...params })
    return {
      provider,
      model: target.model,
      ...(weight === undefined ? {} : { weight }),
      ...(timeouts === undefined ? {} : { timeouts }),
      ...(prices === undefined ? {} : { prices }),
    }
  }

  private providerFor(type: ProviderType, params: Fields, at: string): string | undefined {
    const base = textOf(params.api_base ?? params.base_url)
    const preset = presets.get(type)
    const usual = preset?.baseUrl
    const url = base === undefined || base.replace(/\/+$/, '') === usual ? undefined : withVersion(base, type)
    if ((type === 'openai-compatible' || type === 'azure-openai') && url === undefined) {
      this.note(`${at} has no \`api_base\`, which a provider of type ${type} needs; it is left out.`)
      return undefined
    }
    // OpenAI's own type would bring OpenAI's prices along; another host is only compatible.
    const kind = type === 'openai' && url !== undefined && !url.startsWith('https://api.openai.com') ? 'openai-compatible' : type
    const version = textOf(params.api_version)
    const headers = isMapping(params.extra_headers) ? Object.keys(params.extra_headers) : []
    const identity = JSON.stringify([kind, url, params.api_key, version, params.extra_headers])
    const known = this.byIdentity.get(identity)
    if (known) return known.name
    const name = this.freeName(kind, url)
    const key = this.secretReference(params.api_key, name, `${at}.litellm_params.api_key`)
    for (const header of headers)
      this.note(`${at}: set the header ${header} of providers.${name} by hand under \`headers\`; its value may be a secret.`)
    const reached = { ...(url === undefined ? {} : { base_url: url }), ...(key === undefined ? {} : { api_key: key }) }
    const provider: ProviderInput =
      kind === 'azure-openai'
        ? { type: kind, ...reached, ...(version === undefined ? {} : { api_version: version }) }
        : { type: kind, ...reached }
    this.byIdentity.set(identity, { name, provider })
    return name
  }

  private freeName(kind: ProviderType, url: string | undefined): string {
    const host =
      kind === 'openai-compatible' && url !== undefined && URL.canParse(url)
        ? new URL(url).hostname.replace(/[^A-Za-z0-9.-]/g, '').replace(/^[^A-Za-z0-9]+/, '')
        : ''
    const wanted = kind === 'azure-openai' ? 'azure' : host === '' ? kind : host
    const taken = new Set([...this.byIdentity.values()].map((entry) => entry.name))
    for (let count = 1; ; count++) {
      const name = count === 1 ? wanted : `${wanted}-${count}`
      if (!taken.has(name)) return name
    }
  }

  /** A reference stays one; a key that is written out becomes one. */
  private secretReference(value: unknown, name: string, at: string): string | undefined {
    const text = textOf(value)
    if (text === undefined) return undefined
    const reference = referenceOf(text)
    if (reference !== undefined) return reference
    // Servers without keys are often given a made-up one.
    if (/^(none|null|empty|dummy|fake|fake-key|sk-1234|not-needed|no-key|anything)$/i.test(text)) return undefined
    const variable = `${name
      .toUpperCase()
      .replace(/[^A-Z0-9]+/g, '_')
      .replace(/^(?=\d)/, '_')}_API_KEY`
    this.note(`${at} is a key written out; it was not taken over. Set it as ${variable} in the environment.`)
    return `\${${variable}}`
  }
}

/** `os.environ/NAME` as `${NAME}`. */
export function referenceOf(text: string): string | undefined {
  const name = /^os\.environ\/([A-Za-z_][A-Za-z0-9_]*)$/.exec(text)?.[1]
  return name === undefined ? undefined : `\${${name}}`
}

function targetOf(params: Fields): { readonly type: ProviderType; readonly model: string } | undefined {
  const full = String(params.model)
  const custom = textOf(params.custom_llm_provider)
  if (custom !== undefined) {
    const type = prefixes[custom]
    return type === undefined ? undefined : { type, model: full.startsWith(`${custom}/`) ? full.slice(custom.length + 1) : full }
  }
  const slash = full.indexOf('/')
  const type = slash > 0 ? prefixes[full.slice(0, slash)] : undefined
  if (type !== undefined) return { type, model: full.slice(slash + 1) }
  if (slash === -1) {
    if (/^(gpt-|o\d|chatgpt-|text-embedding-|ft:)/.test(full)) return { type: 'openai', model: full }
    if (full.startsWith('claude-')) return { type: 'anthropic', model: full }
    if (full.startsWith('gemini-')) return { type: 'gemini', model: full }
  }
  // LiteLLM takes an unknown name with an address for an OpenAI-compatible server.
  return textOf(params.api_base ?? params.base_url) !== undefined &&
    !/^(bedrock|vertex_ai|sagemaker|replicate|watsonx|databricks|snowflake)/.test(full)
    ? { type: 'openai-compatible', model: full }
    : undefined
}

/** LiteLLM's own Ollama prefix takes the address without `/v1`; here Ollama is spoken to in OpenAI's format. */
function withVersion(base: string, type: ProviderType): string {
  const reference = referenceOf(base)
  if (reference !== undefined) return reference
  const bare = base.replace(/\/+$/, '')
  return type === 'ollama' && URL.canParse(bare) && new URL(bare).pathname === '/' ? `${bare}/v1` : bare
}

function weightOf(params: Fields, info: Fields): number | undefined {
  for (const value of [params.weight, params.rpm ?? info.rpm, params.tpm ?? info.tpm])
    if (typeof value === 'number' && value >= 0 && value <= 1e6) return value
  return undefined
}

function timeoutsOf(params: Fields): Record<string, number> | undefined {
  const total = params.timeout ?? params.request_timeout
  const first = params.stream_timeout
  const timeouts = { ...(isSeconds(first) ? { first_token_seconds: first } : {}), ...(isSeconds(total) ? { total_seconds: total } : {}) }
  return Object.keys(timeouts).length === 0 ? undefined : timeouts
}

export function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= 86_400
}

/** A text that says something. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
}
