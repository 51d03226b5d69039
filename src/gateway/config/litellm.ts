import { parseDocument, stringify } from 'yaml'
import { InvalidConfiguration, isMapping } from './problem.js'
import {
  isSeconds,
  Providers,
  referenceOf,
  textOf,
  type AliasInput,
  type DeploymentInput,
  type Fields,
  type ListedDeployment,
} from './litellm-providers.js'
import type { ConfigInput } from './schema.js'

/** What a LiteLLM proxy configuration becomes. */
export interface ImportedConfig {
  readonly config: ConfigInput
  /** What has no counterpart, was changed on the way, or is left to do. */
  readonly notes: readonly string[]
}

/**
 * Translates a LiteLLM proxy configuration. Keys written out in the file do not come along: a reference to an environment
 * variable takes their place, and a note says so. Throws `InvalidConfiguration` when the text is no such file.
 */
export function importLiteLlm(text: string): ImportedConfig {
  const root = read(text)
  const notes: string[] = []
  const note = (message: string) => {
    if (!notes.includes(message)) notes.push(message)
  }
  const router = section(root, 'router_settings', note)
  const settings = section(root, 'litellm_settings', note)
  const general = section(root, 'general_settings', note)
  for (const name of Object.keys(root))
    if (!['model_list', 'router_settings', 'litellm_settings', 'general_settings', 'environment_variables'].includes(name))
      note(`\`${name}\` has no counterpart and is left out.`)
  if (isMapping(root.environment_variables))
    note(
      `Set these variables in the environment of Bursar; a configuration file does not: ${Object.keys(root.environment_variables).join(', ')}.`,
    )

  const providers = new Providers(note)
  const models = new Map<string, DeploymentInput[]>()
  for (const [index, entry] of (Array.isArray(root.model_list) ? root.model_list : []).entries()) {
    const at = `model_list[${index}]`
    if (!isMapping(entry) || !isMapping(entry.litellm_params) || typeof entry.litellm_params.model !== 'string') {
      note(`${at} has no \`litellm_params.model\` and is left out.`)
      continue
    }
    const name = typeof entry.model_name === 'string' ? entry.model_name : entry.litellm_params.model
    const info = isMapping(entry.model_info) ? entry.model_info : {}
    const deployment = providers.deployment(name, entry.litellm_params, info, at)
    if (deployment === undefined) continue
    if (name.includes('*') || deployment.model.includes('*')) {
      note(`${at}: the wildcard "${name}" needs no entry; call its models as \`${deployment.provider}/MODEL\`.`)
      continue
    }
    models.set(name, [...(models.get(name) ?? []), deployment])
  }
  if (models.size === 0 && providers.size === 0)
    throw new InvalidConfiguration('the LiteLLM configuration', [
      { path: 'model_list', message: 'expected a list of models that Bursar has a provider for, and found none' },
    ])

  const balance = balanceOf(router, note)
  const fallbacks = fallbacksOf([router, settings], note)
  const defaults = textList(settings.default_fallbacks ?? router.default_fallbacks)
  const config: ConfigInput = { providers: providers.made(), models: {} }
  const aliases: NonNullable<ConfigInput['models']> = {}
  for (const [name, deployments] of models) {
    if (/[\s\p{Cc}]/u.test(name)) {
      note(`The model name "${name}" has spaces; it became "${name.replace(/\s+/g, '-')}".`)
    }
    const others = (fallbacks.get(name) ?? defaults).filter((other) => other !== name)
    const known = others.filter((other) => models.has(other))
    for (const other of others)
      if (!known.includes(other)) note(`The fallback "${other}" of "${name}" is not in model_list and is left out.`)
    aliases[name.replace(/\s+/g, '-')] = aliasOf(
      deployments,
      balance,
      known.map((other) => other.replace(/\s+/g, '-')),
    )
  }
  if (isMapping(router.model_group_alias))
    for (const [name, target] of Object.entries(router.model_group_alias)) {
      const meant = isMapping(target) ? target.model : target
      const alias = typeof meant === 'string' ? aliases[meant] : undefined
      if (alias === undefined) note(`router_settings.model_group_alias.${name} points at a model that is not in model_list.`)
      else aliases[name] ??= alias
    }
  config.models = aliases
  Object.assign(config, generalOf(router, settings, general, note))
  return { config, notes }
}

function read(text: string): Fields {
  const document = parseDocument(text, { merge: true, prettyErrors: false })
  const error = document.errors[0]
  const source = 'the LiteLLM configuration'
  if (error)
    throw new InvalidConfiguration(source, [
      {
        path: '',
        message: `not valid YAML: ${error.message.split('\n', 1)[0]}`,
        ...(error.linePos ? { line: error.linePos[0].line } : {}),
      },
    ])
  const root = document.toJS({ maxAliasCount: 1000 }) as unknown
  if (!isMapping(root)) throw new InvalidConfiguration(source, [{ path: '', message: 'expected a mapping with `model_list`' }])
  return root
}

function section(root: Fields, name: string, note: (message: string) => void): Fields {
  const value = root[name]
  if (isMapping(value)) return value
  if (value !== undefined && value !== null) note(`\`${name}\` is no mapping and is left out.`)
  return {}
}

/** The shortest form that says it all. */
function aliasOf(deployments: readonly DeploymentInput[], balance: 'weighted' | 'latency', fallbacks: readonly string[]): AliasInput {
  const short: ListedDeployment[] = deployments.map((entry) =>
    Object.keys(entry).length === 2 ? `${entry.provider}/${entry.model}` : entry,
  )
  const balanced = balance === 'latency' && short.length > 1 ? { balance } : {}
  if (fallbacks.length > 0 || 'balance' in balanced)
    return { deployments: short, ...balanced, ...(fallbacks.length === 0 ? {} : { fallbacks: [...fallbacks] }) }
  const [only] = short
  return short.length === 1 && typeof only === 'string' ? only : short
}

function balanceOf(router: Fields, note: (message: string) => void): 'weighted' | 'latency' {
  const strategy = textOf(router.routing_strategy)
  if (strategy === 'latency-based-routing') return 'latency'
  if (strategy !== undefined && strategy !== 'simple-shuffle')
    note(`router_settings.routing_strategy "${strategy}" has no counterpart; calls are shared by weight.`)
  return 'weighted'
}

/** `[{a: [b, c]}]` of both sections; the router's come first. */
function fallbacksOf(sections: readonly Fields[], note: (message: string) => void): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const fields of sections) {
    for (const entry of Array.isArray(fields.fallbacks) ? fields.fallbacks : [])
      if (isMapping(entry)) for (const [name, others] of Object.entries(entry)) if (!found.has(name)) found.set(name, textList(others))
    for (const name of ['context_window_fallbacks', 'content_policy_fallbacks'])
      if (fields[name] !== undefined) note(`\`${name}\` has no counterpart and is left out; \`fallbacks\` hold for faults of a provider.`)
  }
  if (found.has('*')) note('The fallback for "*" has no counterpart and is left out.')
  return found
}

function generalOf(router: Fields, settings: Fields, general: Fields, note: (message: string) => void): Partial<ConfigInput> {
  const made: Partial<ConfigInput> = {}
  const retries = router.num_retries ?? settings.num_retries
  if (typeof retries === 'number' && retries >= 0) made.retries = { attempts: Math.min(10, Math.floor(retries)) }
  const timeout = router.timeout ?? settings.request_timeout
  const first = router.stream_timeout
  if (isSeconds(timeout) || isSeconds(first))
    made.timeouts = {
      ...(isSeconds(first) ? { first_token_seconds: first } : {}),
      ...(isSeconds(timeout) ? { total_seconds: timeout } : {}),
    }
  const fails = router.allowed_fails ?? settings.allowed_fails
  const rest = router.cooldown_time ?? settings.cooldown_time
  // LiteLLM rests a deployment when it fails more often than allowed.
  if (typeof fails === 'number' || isSeconds(rest))
    made.cooldown = {
      ...(typeof fails === 'number' ? { after_faults: Math.max(1, Math.floor(fails) + 1) } : {}),
      ...(isSeconds(rest) ? { seconds: rest } : {}),
    }
  if (settings.drop_params === true) made.drop_unsupported = true
  const callbacks = ['callbacks', 'success_callback', 'failure_callback'].flatMap((name) => textList(settings[name]))
  for (const callback of new Set(callbacks)) {
    if (callback === 'prometheus') made.telemetry = { ...made.telemetry, prometheus: true }
    else if (callback === 'otel')
      note('The callback "otel": set `telemetry.otlp_endpoint`, or OTEL_EXPORTER_OTLP_ENDPOINT in the environment.')
    else note(`The callback "${callback}" has no counterpart; traces go out as OpenTelemetry.`)
  }
  const master = textOf(general.master_key)
  if (master !== undefined) {
    const reference = referenceOf(master)
    if (reference === undefined)
      note('general_settings.master_key is written out; it was not taken over. Set it as LITELLM_MASTER_KEY in the environment.')
    made.admin = { key: reference ?? '${LITELLM_MASTER_KEY}' }
    note(
      'general_settings.master_key became the admin key. It makes keys (`bursar keys create NAME`) and carries no traffic: callers that used it need keys of their own.',
    )
  }
  const read = {
    router_settings: [
      router,
      [
        'routing_strategy',
        'fallbacks',
        'context_window_fallbacks',
        'content_policy_fallbacks',
        'default_fallbacks',
        'num_retries',
        'timeout',
        'stream_timeout',
        'allowed_fails',
        'cooldown_time',
        'model_group_alias',
      ],
    ],
    litellm_settings: [
      settings,
      [
        'fallbacks',
        'context_window_fallbacks',
        'content_policy_fallbacks',
        'default_fallbacks',
        'num_retries',
        'request_timeout',
        'allowed_fails',
        'cooldown_time',
        'drop_params',
        'callbacks',
        'success_callback',
        'failure_callback',
      ],
    ],
    general_settings: [general, ['master_key']],
  } as const
  for (const [name, [fields, known]] of Object.entries(read)) {
    const rest = Object.keys(fields).filter((field) => !(known as readonly string[]).includes(field))
    if (rest.length > 0) note(`Without counterpart, left out of ${name}: ${rest.join(', ')}.`)
  }
  return made
}

function textList(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** The imported configuration as a file, with the notes as comments above it. */
export function importedYaml({ config, notes }: ImportedConfig): string {
  const comments = notes.map((message) => `# - ${message.replace(/\s+/g, ' ')}\n`)
  return `# yaml-language-server: $schema=./bursar.schema.json\n# Imported from LiteLLM.${comments.length === 0 ? '' : ' To look after:'}\n${comments.join('')}\n${stringify(config, { lineWidth: 0 })}`
}
