import { z } from 'zod'
import { presetNames } from '../../environment/index.js'
import { httpUrl, modelName, modelPattern, secret, seconds } from './fields.js'

/** Limits that a provider or a deployment sets otherwise than the section `timeouts`. */
export const someTimeouts = () =>
  z
    .strictObject({
      connect_seconds: seconds().optional().describe('To open a connection; seconds.'),
      first_token_seconds: seconds().optional().describe("From the request's last byte to the first data of the answer; seconds."),
      idle_seconds: seconds().optional().describe('Of silence between two pieces of a stream; seconds.'),
      total_seconds: seconds().optional().describe('For the whole request, with all its retries, waits and fallbacks; seconds.'),
    })
    .meta({ title: 'Timeouts' })

const wireFormats = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini', 'openai-embeddings'] as const

const allowedModels = () =>
  z
    .array(modelPattern())
    .min(1, 'expected at least one model; leave the field out to allow all')
    .optional()
    .describe("The provider's models that may be called, by its own names; a `*` at the end stands for any ending. All when left out.")

const networkFields = {
  base_url: httpUrl()
    .optional()
    .describe(
      'Address of the API. Known for presets; needed for `openai-compatible` and `azure-openai`. With the version (`…/v1`), except for Anthropic and Azure.',
    ),
  api_key: secret()
    .optional()
    .describe("The provider's key, as `${NAME}` from the environment. When left out, the preset's usual variable is read, if it is set."),
  headers: z
    .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'expected the name of an HTTP header'), secret())
    .optional()
    .describe('Further headers to send with each request. Their values are treated as secrets.'),
  formats: z
    .array(z.enum(wireFormats))
    .min(1)
    .optional()
    .describe("Formats that the host speaks itself, the best first: in these a caller's bytes pass through untouched. Known for presets."),
  timeouts: someTimeouts().optional().describe('Limits for this provider, where they differ from the section `timeouts`.'),
  models: allowedModels(),
  max_tokens_field: z
    .enum(['max_tokens', 'max_completion_tokens'])
    .optional()
    .describe('The field in which the host wants the limit on output tokens, where Bursar writes the request. Known for presets.'),
  stream_options: z.boolean().optional().describe('Whether the host accepts `stream_options`. Known for presets, else true.'),
  price_provider: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Provider in the price catalog whose prices hold here. Known for presets; without it, and without `prices`, the cost is unknown.',
    ),
}

const networkTypes = ['openai-compatible', ...presetNames] as const

const networkProvider = z
  .strictObject({
    type: z
      .enum(networkTypes)
      .describe(
        "Which API it is: a preset, or `openai-compatible` with a `base_url`. When left out, the provider's own name, if that is a type.",
      ),
    ...networkFields,
  })
  .meta({ title: 'Provider over HTTP' })

const azureProvider = z
  .strictObject({
    type: z.literal('azure-openai').describe('Azure OpenAI.'),
    ...networkFields,
    api_version: z
      .string()
      .regex(/^(\d{4}-\d{2}-\d{2}(-preview)?|v1|preview|latest)$/, 'expected an API version such as 2024-10-21, or v1')
      .optional()
      .describe("Azure's `api-version`. Without it, or with `v1`, the version-less v1 API is used."),
    deployments: z
      .record(modelName(), z.string().min(1))
      .optional()
      .describe(
        'Names of Azure deployments by model, such as `gpt-5-mini: my-deployment`. A model that is not listed is its own deployment name.',
      ),
  })
  .meta({ title: 'Azure OpenAI' })

const speed = () =>
  z
    .union([z.number().positive(), z.literal('instant')])
    .prefault(1)
    .describe('How many times faster than declared or recorded the answers come; `instant` does not wait at all.')

const sandboxProvider = z
  .strictObject({
    type: z.literal('sandbox').describe('Simulated models in this process; needs no key and no network.'),
    seed: z.int().nonnegative().default(1).describe('Seed of the answers, failures and delays.'),
    speed: speed(),
    models: allowedModels(),
  })
  .meta({ title: 'Sandbox' })

const recordedProvider = z
  .strictObject({
    type: z.literal('recorded').describe('Answers from an outcome table.'),
    file: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
      .transform((files) => (typeof files === 'string' ? [files] : files))
      .describe(
        'The outcome table or a list of them: JSON Lines, maybe gzipped. Relative paths start at the folder of the configuration file.',
      ),
    speed: speed(),
    models: allowedModels(),
  })
  .meta({ title: 'Recorded answers' })

/** One provider, told apart by `type`. */
export const providerSchema = z.discriminatedUnion('type', [networkProvider, azureProvider, sandboxProvider, recordedProvider])

export type ProviderConfig = z.output<typeof providerSchema>
/** A provider reached over HTTP. */
export type NetworkProviderConfig = z.output<typeof networkProvider>
export type AzureProviderConfig = z.output<typeof azureProvider>
export type SandboxProviderConfig = z.output<typeof sandboxProvider>
export type RecordedProviderConfig = z.output<typeof recordedProvider>
