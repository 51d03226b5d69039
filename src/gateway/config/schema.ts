import { z } from 'zod'
import { accountId, adminSchema, keySchema, organisationSchema, teamSchema, userSchema } from './accounts-schema.js'
import { bytes, httpUrl, modelName, modelReference, providerName, secret, seconds } from './fields.js'
import { budgetsSchema, ledgerSchema } from './ledger-schema.js'
import { pricesSchema } from './prices.js'
import { providerSchema, someTimeouts } from './providers-schema.js'
import { proofSchema } from './proof-schema.js'
import { routingSchema } from './routing-schema.js'

const server = z.strictObject({
  host: z
    .string()
    .regex(/^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._:-]+)$/, 'expected an address or a host name, without a scheme and without a port')
    .transform((host) => host.replace(/^\[(.*)\]$/, '$1'))
    .prefault('127.0.0.1')
    .describe('Address to listen on. Anything but a loopback address needs `keys`.'),
  port: z.int().min(0).max(65_535).default(8787).describe('Port to listen on; 0 takes a free one.'),
  cors_origins: z
    .array(z.string().regex(/^(\*|https?:\/\/[^/\s]+)$/, 'expected an origin such as https://app.example.com, or "*"'))
    .optional()
    .describe('Web pages that may call the gateway from a browser: origins, or `*` for all. None when left out.'),
  shutdown_seconds: seconds().default(30).describe('How long a shutdown waits for calls under way; seconds.'),
  keep_alive_seconds: seconds().default(15).describe('Silence in a stream after which a keep-alive is sent to the caller; seconds.'),
  slow_reader_seconds: seconds().default(120).describe('How long a caller may leave a stream unread before the call is ended; seconds.'),
})

const limits = z.strictObject({
  body_bytes: bytes().prefault('32 MiB').describe('Largest request body; bytes, or with a unit.'),
  header_bytes: bytes().prefault('16 KiB').describe("Largest sum of a request's headers; bytes, or with a unit."),
  nesting: z.int().min(8).max(1000).default(64).describe('Deepest nesting of lists and objects in a request; levels.'),
  response_bytes: bytes()
    .prefault('64 MiB')
    .describe('Largest answer that is taken from a provider without streaming; bytes, or with a unit.'),
  concurrent_requests: z
    .int()
    .positive()
    .max(100_000)
    .default(2048)
    .describe('Requests under way at once; further ones are told to come back later; requests.'),
})

const timeouts = z.strictObject({
  connect_seconds: seconds().default(5).describe('To open a connection to a provider; seconds.'),
  first_token_seconds: seconds().default(120).describe("From the request's last byte to the first data of the answer; seconds."),
  idle_seconds: seconds().default(60).describe('Of silence between two pieces of a stream; seconds.'),
  total_seconds: seconds().default(600).describe('For one whole request, with all its retries, waits and fallbacks; seconds.'),
})

const retries = z.strictObject({
  attempts: z.int().min(0).max(10).default(2).describe('Further attempts at a deployment after a failed one that may pass; attempts.'),
  base_seconds: z
    .number()
    .nonnegative()
    .max(60)
    .default(0.25)
    .describe('Wait before the first further attempt; it doubles each time, with jitter; seconds.'),
  max_wait_seconds: seconds()
    .default(30)
    .describe("Longest wait, also when a provider's `Retry-After` asks for more (then the next deployment is tried); seconds."),
})

const cooldown = z.strictObject({
  after_faults: z.int().positive().max(1000).default(3).describe('Faults in a row after which a deployment is left alone; faults.'),
  seconds: seconds().default(30).describe('How long it is left alone before one call probes it; seconds.'),
})

/** `openai/gpt-5-mini`: the provider is what stands before the first slash. */
export function splitReference(reference: string): { readonly provider: string; readonly model: string } {
  const slash = reference.indexOf('/')
  return { provider: reference.slice(0, slash), model: reference.slice(slash + 1) }
}

const deploymentObject = z
  .strictObject({
    provider: providerName().describe('Name of a provider in this file.'),
    model: modelName().describe("The provider's own name of the model."),
    weight: z
      .number()
      .nonnegative()
      .max(1e6)
      .default(1)
      .describe('Share of calls relative to the other deployments; 0 keeps it as a reserve.'),
    timeouts: someTimeouts().optional().describe('Limits for this deployment, where they differ from those of the provider.'),
    prices: pricesSchema.optional().describe('Prices at this deployment; dollars a million tokens.'),
  })
  .meta({ title: 'Deployment' })

const deployment = z.union([modelReference().transform((reference) => ({ ...splitReference(reference), weight: 1 })), deploymentObject])

const deploymentList = () => z.array(deployment).min(1, 'expected at least one deployment').max(100)

const aliasObject = z
  .strictObject({
    deployments: deploymentList().describe('Where the model is served: `provider/model`, or with settings.'),
    balance: z
      .enum(['weighted', 'latency'])
      .default('weighted')
      .describe('How a deployment is picked: at random by `weight`, or the faster of two drawn at random (`latency`).'),
    fallbacks: z
      .array(modelName())
      .optional()
      .describe('Models (names of this section, or `provider/model`) to try in order when all deployments failed before the first byte.'),
    prices: pricesSchema.optional().describe('Prices at every deployment that has none of its own; dollars a million tokens.'),
    context_tokens: z.int().positive().optional().describe('Size of the context window, where the catalog is wrong or silent; tokens.'),
    max_output_tokens: z.int().positive().optional().describe('Most tokens of an answer, where the catalog is wrong or silent; tokens.'),
  })
  .meta({ title: 'Model with settings' })

/** Fields that an alias has in every form. */
const plainAlias = {
  balance: 'weighted',
  fallbacks: undefined,
  prices: undefined,
  context_tokens: undefined,
  max_output_tokens: undefined,
} as const

const alias = z.union([
  modelReference().transform((reference) => ({ ...plainAlias, deployments: [{ ...splitReference(reference), weight: 1 }] })),
  deploymentList().transform((deployments) => ({ ...plainAlias, deployments })),
  aliasObject,
])

const log = z.strictObject({
  level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info').describe('Least level that is written to the log.'),
  requests: z.boolean().default(true).describe('Whether each request is a line in the log. Content never is.'),
})

const telemetry = z.strictObject({
  otlp_endpoint: httpUrl()
    .optional()
    .describe(
      'OpenTelemetry collector (OTLP over HTTP) that gets the spans. `OTEL_EXPORTER_OTLP_ENDPOINT` when left out; none when that is not set either.',
    ),
  otlp_headers: z
    .record(z.string().min(1), secret())
    .optional()
    .describe('Headers to send to the collector. Their values are treated as secrets.'),
  service_name: z.string().min(1).default('bursar').describe('Service name in spans; `OTEL_SERVICE_NAME` when left out and that is set.'),
  prometheus: z.boolean().default(true).describe('Whether `GET /metrics` answers.'),
})

const dashboard = z.strictObject({
  enabled: z
    .boolean()
    .optional()
    .describe(
      'Whether `GET /dashboard` serves the dashboard. When left out, where the gateway listens on this machine only; with `true` on any address: put TLS in front then, since keys are typed into it.',
    ),
})

/** The YAML file. Strict: a key that is not here is an error. Documentation and JSON Schema are made from it. */
export const configSchema = z.strictObject({
  server: server.prefault({}).describe('Where the gateway listens and how it treats connections.'),
  limits: limits.prefault({}).describe('What a request may be at most.'),
  timeouts: timeouts.prefault({}).describe('How long a call to a provider may take.'),
  retries: retries.prefault({}).describe('What happens after a failed attempt.'),
  cooldown: cooldown.prefault({}).describe('When a faulty deployment is left alone.'),
  providers: z
    .record(providerName(), providerSchema)
    .prefault({})
    .describe(
      'Hosts that serve models, by a name of your choice. When the section is left out, the providers whose keys are in the environment are used, and the sandbox when there is none.',
    ),
  models: z
    .record(modelName(), alias)
    .prefault({})
    .describe('Models by the names that callers use: `provider/model`, a list of them to share the calls, or a mapping with settings.'),
  routing: routingSchema
    .prefault({})
    .describe('How a request is answered whose model is `auto`: see docs/routing.md. Without the section any model may be picked.'),
  proof: proofSchema.prefault({}).describe('How savings and quality are proven on live traffic: see docs/proof.md.'),
  allow_unlisted_models: z
    .boolean()
    .default(true)
    .describe('Whether callers may also name any `provider/model` that has no entry in `models`.'),
  keys: z
    .array(keySchema)
    .max(100_000)
    .prefault([])
    .describe('Who may call, beside the keys that `bursar keys create` makes. Without any keys everyone on this machine may.'),
  organisations: z.record(accountId(), organisationSchema).prefault({}).describe('Organisations by id: the outermost level of budgets.'),
  teams: z
    .record(accountId(), teamSchema)
    .prefault({})
    .describe('Teams by id, with budgets that hold for all of their users and keys together.'),
  users: z.record(accountId(), userSchema).prefault({}).describe('Users by id, with budgets that hold for all of their keys together.'),
  admin: adminSchema
    .optional()
    .describe(
      'The key that may manage keys and accounts (`bursar keys`, `/admin/…`). Without it the admin API is off. It carries no traffic.',
    ),
  drop_unsupported: z
    .union([z.boolean(), z.array(z.string().min(1)).min(1)])
    .default(false)
    .describe(
      'What happens to a field that the target provider cannot express: `false` refuses the request, `true` drops the field with a warning header, a list drops only these fields.',
    ),
  stream_usage: z
    .enum(['always', 'asked', 'never'])
    .default('always')
    .describe('Whether streams end with usage and cost: always, only when the caller asked (`stream_options.include_usage`), or never.'),
  log: log.prefault({}).describe('The log on standard error.'),
  telemetry: telemetry.prefault({}).describe('Traces and metrics.'),
  dashboard: dashboard.prefault({}).describe('The dashboard in the browser: see docs/dashboard.md.'),
  prices: z
    .record(modelReference(), pricesSchema)
    .prefault({})
    .describe(
      'Prices by `provider/model`, before those of the catalog; dollars a million tokens. A rate that is not given is unknown, never zero.',
    ),
  ledger: ledgerSchema.prefault({}).describe('The record of calls.'),
  budgets: budgetsSchema.prefault({}).describe('What happens at limits on spending and rates.'),
})

/** What the gateway runs on: the file, checked, with defaults filled in and short forms written out. */
export type Config = z.output<typeof configSchema>
/** What may stand in the file. */
export type ConfigInput = z.input<typeof configSchema>
export type ModelConfig = Config['models'][string]
export type DeploymentConfig = ModelConfig['deployments'][number]
export type KeyConfig = Config['keys'][number]
