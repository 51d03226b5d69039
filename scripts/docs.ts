// Makes docs/configuration.md, docs/endpoints.md and bursar.schema.json out of the schemas that the program itself uses.
// `npm run docs` writes them; a test fails when the files in the repository are not what this makes.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { z } from 'zod'
import { presets } from '../src/environment/index.js'
import { configJsonSchemaText, configSchema, inputSchemaOf, type JsonSchema } from '../src/gateway/config/index.js'
import { countTokensRequestSchema, messagesRequestSchema } from '../src/protocol/anthropic-messages/schema.js'
import { chatRequestSchema } from '../src/protocol/openai-chat/schema.js'
import { embeddingsRequestSchema } from '../src/protocol/openai-embeddings/schema.js'
import { responsesRequestSchema } from '../src/protocol/openai-responses/schema.js'
import { TablePage } from './schema-tables.js'

const made = '<!-- Made by `npm run docs` from the schemas of the program. Do not edit. -->\n'

interface Endpoint {
  readonly method: 'GET' | 'POST' | 'GET, POST' | 'any'
  readonly path: string
  readonly text: string
  readonly body?: z.ZodType
}

/** In the order of the page. The bodies' fields come from the schemas. */
const endpoints: readonly Endpoint[] = [
  { method: 'POST', path: '/v1/chat/completions', text: "OpenAI's chat completions.", body: chatRequestSchema },
  { method: 'POST', path: '/v1/messages', text: "Anthropic's messages.", body: messagesRequestSchema },
  {
    method: 'POST',
    path: '/v1/messages/count_tokens',
    text: 'Counts the input tokens of a message: at the provider where it offers that, else here. `x-bursar-token-count` says which: `provider`, `exact` or `estimate`.',
    body: countTokensRequestSchema,
  },
  { method: 'POST', path: '/v1/responses', text: "OpenAI's responses.", body: responsesRequestSchema },
  { method: 'POST', path: '/v1/embeddings', text: "OpenAI's embeddings.", body: embeddingsRequestSchema },
  {
    method: 'GET',
    path: '/v1/models',
    text: 'The models that the key may name, with context, capabilities and prices (dollars a token, as text; unknown is `null`). `/v1/models/{id}` gives one.',
  },
  {
    method: 'GET',
    path: '/v1/decisions',
    text: 'The newest decisions first, without their calls: `limit` (50; at most 200), `after` (an id: those before it), `key`, `weighed=true` (only where several arms were weighed). A key lists its own decisions, the admin key all. See [Dashboard](dashboard.md#endpoints-that-came-with-it).',
  },
  {
    method: 'GET',
    path: '/v1/decisions/{id}',
    text: 'Why a request was answered as it was, every call that was made for it, and what was said of it. The id comes in the header `x-bursar-decision`. A key reads its own decisions, the admin key all.',
  },
  {
    method: 'GET, POST',
    path: '/v1/feedback',
    text: 'Tells, or lists, how good the answer of a decision or the result of an agent run was. See [Feedback](feedback.md).',
  },
  {
    method: 'GET',
    path: '/v1/usage',
    text: 'What was spent, grouped as asked for: a key sees its own spending, the admin key all. Below it are `/v1/usage/forecast`, `/v1/usage/anomalies`, `/v1/usage/runs`, `/v1/usage/runs/{id}`, `/v1/usage/cost-of-pass` and `/v1/usage/export/{what}`. See [Reports](reports.md#over-http).',
  },
  {
    method: 'any',
    path: '/admin/',
    text: "Keys, accounts, their usage and the audit, budgets, arms and deployments, with the admin key only. LiteLLM's `/key/…`, `/user/new`, `/team/new` and `/spend/logs` are understood as well. See [Keys](keys.md#the-admin-api).",
  },
  {
    method: 'GET',
    path: '/health',
    text: '200 while the gateway takes requests; 503 while it drains before a stop, or can record no calls (`ledger` says why). Needs no key.',
  },
  { method: 'GET', path: '/metrics', text: 'Prometheus metrics, unless `telemetry.prometheus` is `false`. Needs no key.' },
]

/** Every file that is made, by its path in the repository. */
export function generate(): ReadonlyMap<string, string> {
  return new Map([
    ['bursar.schema.json', configJsonSchemaText()],
    ['docs/configuration.md', configurationPage()],
    ['docs/endpoints.md', endpointsPage()],
  ])
}

function configurationPage(): string {
  const page = new TablePage()
  const schema = inputSchemaOf(configSchema)
  const sections = Object.entries(schema.properties ?? {})
  const plain = sections.filter(([, section]) => !hasPageOfItsOwn(section))
  const parts = [
    made,
    '# Configuration\n',
    'One YAML file: `bursar serve --config bursar.yaml`. Every section may be left out. A key that is not on this page is an error, and so is a value of another type; all problems of a file are told at once, with their lines. The file is read again when it changes: a good one takes effect for new requests, a bad one is reported and the old one stays.\n',
    'For completion and checks while you type, begin the file with\n',
    '```yaml\n# yaml-language-server: $schema=./bursar.schema.json\n```\n',
    '`bursar check` validates a file and reaches its providers; `bursar config show` prints it with all defaults, secrets hidden; `bursar config import litellm FILE` makes one from a LiteLLM configuration. Examples are in [`examples/`](../examples).\n',
    '## Values from the environment\n',
    '| written | means |\n|---|---|\n| `${NAME}` | the value of the environment variable; an error when it is not set or empty |\n| `${NAME:-text}` | the same, or `text` when it is not set or empty |\n| `$${` | a plain `${` |\n| `os.environ/NAME` | the same as `${NAME}`, as LiteLLM writes it |\n',
    'References may stand inside longer texts, and where a number or `true` and `false` is wanted. Inside `{ }` and `[ ]` they need quotes. Values from the environment and secrets never appear in messages or logs.\n',
    'Anchors (`&name`), aliases (`*name`) and merge keys (`<<`) work. Top-level keys that begin with `x-` are ignored: a place for anchors.\n',
    '## Single settings\n',
    page.tables({ properties: Object.fromEntries(plain) }, { level: 3 }),
    ...sections
      .filter(([, section]) => hasPageOfItsOwn(section))
      .map(
        ([name, section]) =>
          `## \`${name}\`\n\n${section.description ?? ''}\n\n${notes[name] ?? ''}${page.tables(section, { level: 3, path: name })}`,
      ),
    '## Provider presets\n',
    'With one of these as `type` (or as the name of the provider), address, formats and prices are known, and the key is read from the variable when `api_key` is left out.\n',
    presetTable(),
  ]
  return parts.join('\n')
}

/** What the schema cannot say about a section. */
const notes: Readonly<Record<string, string>> = {
  providers:
    'A provider whose name is a type needs no `type`: `groq:` alone is a whole provider, with the key from `GROQ_API_KEY`. Which fields there are depends on the type:\n\n',
  models: 'Short forms:\n\n```yaml\nmodels:\n  fast: openai/gpt-5-mini\n  shared: [openai/gpt-5, azure/gpt-5]\n```\n\nAll forms:\n\n',
  prices: 'Prices of a deployment, and then those of its entry in `models`, go before these.\n\n',
  keys: 'A key may be sent as `Authorization: Bearer KEY` or as `x-api-key: KEY`. For `key_hash`: `printf %s KEY | sha256sum`.\n\n',
}

function hasPageOfItsOwn(section: JsonSchema): boolean {
  return section.properties !== undefined || typeof section.additionalProperties === 'object' || typeof section.items === 'object'
}

function presetTable(): string {
  const rows = [...presets.values()].map(
    ({ name, title, baseUrl, keyVariables, formats }) =>
      `| \`${name}\` | ${title} | ${baseUrl} | ${keyVariables.length === 0 ? 'none needed' : keyVariables.map((variable) => `\`${variable}\``).join(', ')} | ${formats.join(', ')} |`,
  )
  return ['| type | host | address | key variable | formats |', '|---|---|---|---|---|', ...rows, ''].join('\n')
}

function endpointsPage(): string {
  const page = new TablePage()
  const parts = [
    made,
    '# Endpoints\n',
    'Send the key as `Authorization: Bearer KEY` or `x-api-key: KEY`. `model` is a name of the section `models`, or `provider/model`. Any endpoint reaches any provider: where both speak the same format the body passes through untouched, fields that are not on this page included; else the fields below are translated, and one that the provider cannot express is refused with its path (or dropped, where `drop_unsupported` says so, with a warning header). A field that is `null` counts as absent.\n',
    [
      '| | |',
      '|---|---|',
      ...endpoints.map(({ method, path, text }) => `| [\`${nameOf(method, path)}\`](#${anchorOf(path)}) | ${text} |`),
      '',
    ].join('\n'),
    '## Response headers\n',
    '| header | holds |\n|---|---|\n| `x-bursar-cost` | dollars, an exact decimal, or `null` when the price is unknown; a trailer in streams |\n| `x-bursar-model` | the deployment that answered |\n| `x-bursar-decision` | id for `GET /v1/decisions/{id}` |\n| `x-bursar-attempts` | calls of providers that were made, failed ones included |\n| `x-bursar-fell-back-from` | models that failed before the one that answered |\n| `x-bursar-warning` | dropped fields, an unknown price, a soft budget that is overrun |\n| `x-bursar-budget-remaining-usd` (`-tokens`, `-calls`, `-joules`, `-seconds`), `x-bursar-budget-regime` | what the tightest hard budgets have left; see [Budgets](budgets.md#headers) |\n| `x-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests`, and with `-tokens` | rates of the key and the accounts above it, as OpenAI writes them |\n| `x-bursar-error` | the stable code of an error |\n| `retry-after`, `x-should-retry` | when to ask again; `false` where that is not worth while |\n\n## Request headers\n\n| header | says |\n|---|---|\n| `x-bursar-run` | the agent run that the request belongs to |\n| `x-bursar-session` | the conversation or session, for reports |\n| `x-bursar-user` | the end user for whom the request is |\n| `x-bursar-tags` | `name=value` pairs with commas between them, for reports |\n| `x-bursar-run-budget`, `x-bursar-budget` | the most that the run, or this request, may take: `usd=0.25; calls=40` |\n',
    ...endpoints.map((endpoint) => endpointSection(endpoint, page)),
  ]
  return parts.join('\n')
}

function endpointSection({ method, path, text, body }: Endpoint, page: TablePage): string {
  const heading = `## <a id="${anchorOf(path)}"></a>\`${nameOf(method, path)}\`\n\n${text}\n`
  if (body === undefined) return heading
  return `${heading}\n${page.tables(inputSchemaOf(body), { level: 3 })}`
}

/** A path with many below it has no method of its own. */
function nameOf(method: Endpoint['method'], path: string): string {
  return method === 'any' ? `${path}…` : `${method} ${path}`
}

function anchorOf(path: string): string {
  return path
    .replace(/^\/(v1\/)?/, '')
    .replace(/[^a-z]+/g, '-')
    .replace(/-$/, '')
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  for (const [name, text] of generate()) {
    mkdirSync(dirname(`${root}${name}`), { recursive: true })
    writeFileSync(`${root}${name}`, text)
    process.stdout.write(`${name}: ${text.split('\n').length} lines\n`)
  }
}
