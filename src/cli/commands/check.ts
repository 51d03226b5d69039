import type { Command } from 'commander'
import { presets, type Provider, type ProviderHealth } from '../../environment/index.js'
import {
  closest,
  InvalidConfiguration,
  isLoopback,
  problemText,
  splitReference,
  type Config,
  type ConfigProblem,
  type LedgerHealth,
} from '../../gateway/index.js'
import { findConfig, processDependencies, USUAL_FILE, type Inspection, type InspectionDependencies } from '../inspection.js'
import { printable, textWidth, wrap } from '../table.js'

/** How long one provider may take to list its models, in milliseconds. */
const CHECK_MS = 10_000
/** Providers asked at once. */
const CONCURRENCY = 8
/** Keys that end sooner than this are worth a word; seconds. */
const SOON = 7 * 86_400

interface ProviderResult {
  readonly name: string
  readonly type: string
  readonly ok: boolean
  readonly message: string
  /** How many models it lists. */
  readonly models?: number
}

/** What `bursar check --json` prints. */
export interface CheckReport {
  readonly ok: boolean
  readonly configuration: {
    readonly file: string | null
    readonly ok: boolean
    readonly problems: readonly ConfigProblem[]
    readonly warnings: readonly string[]
  }
  readonly providers: readonly ProviderResult[]
  readonly ledger: readonly LedgerHealth[]
}

/** `bursar check`: validates the configuration, then asks each provider for its models. Exits with 1 when anything is wrong. */
export function checkCommand(program: Command, deps: InspectionDependencies = processDependencies()): void {
  program
    .command('check')
    .description('Validate the configuration and reach each provider, without spending tokens. Exits with 1 when anything fails.')
    .option('-c, --config <file>', `configuration file (default: ${USUAL_FILE} in this folder, if there is one)`)
    .option('--json', 'print the result as JSON')
    .action(async (options: { readonly config?: string; readonly json?: boolean }) => {
      const report = await check(options.config, deps, (text) => (options.json ? undefined : deps.print(text)))
      if (options.json) deps.print(`${JSON.stringify(report, null, 2)}\n`)
      deps.setExitCode(report.ok ? 0 : 1)
    })
}

/** Does the work of `bursar check`; `say` gets the lines for people as they become known. */
export async function check(named: string | undefined, deps: InspectionDependencies, say: (text: string) => void): Promise<CheckReport> {
  let found
  try {
    found = await findConfig(named, deps)
  } catch (thrown) {
    if (!(thrown instanceof InvalidConfiguration)) throw thrown
    const count = thrown.problems.length
    say(`configuration  ${thrown.source}: ${count} ${count === 1 ? 'problem' : 'problems'}\n`)
    for (const problem of thrown.problems) say(indented(problemText(problem), '  ', deps.width))
    return {
      ok: false,
      configuration: { file: thrown.source, ok: false, problems: thrown.problems, warnings: [] },
      providers: [],
      ledger: [],
    }
  }
  const { config, file } = found
  say(`configuration  ${file === undefined ? 'no file; found in the environment and on this machine' : `${file}: valid`}\n`)
  for (const note of found.notes) say(hanging('note: ', note, deps.width))
  const opened = await deps.open(config)
  try {
    const names = Object.keys(config.providers)
    const nameWidth = Math.max(...names.map((name) => textWidth(name)), 0)
    const checked = await Promise.all(limited(names, CONCURRENCY, (name) => reach(name, config, opened.providers.get(name))))
    for (const { result } of checked) {
      const head = `${result.name.padEnd(nameWidth)}  ${result.ok ? 'ok    ' : 'FAILED'}  `
      say(hanging(head, printable(result.message), deps.width))
    }
    const ledger = await opened.ledger()
    say('\n')
    for (const part of ledger)
      say(hanging(`${part.name.padEnd(Math.max(nameWidth, 7))}  ${part.ok ? 'ok    ' : 'FAILED'}  `, printable(part.message), deps.width))
    const unusable = ledger.some((part) => !part.ok)
    if (unusable) say('No call is answered without its ledger.\n')
    const warnings = [
      ...found.warnings,
      ...configWarnings(config, deps.now()),
      ...(config.routing.arms === undefined ? [] : (opened.router?.problems() ?? [])),
      ...(opened.proofProblems?.() ?? []),
      ...modelWarnings(config, opened, new Map(checked.map(({ result, listed }) => [result.name, listed]))),
    ]
    for (const warning of warnings) say(hanging('warning: ', printable(warning), deps.width))
    const failed = checked.filter(({ result }) => !result.ok).length
    say(
      failed === 0
        ? `\n${names.length === 1 ? 'The provider' : `All ${names.length} providers`} can be reached.\n`
        : `\n${failed} of ${names.length} ${names.length === 1 ? 'provider' : 'providers'} ${failed === 1 ? 'fails' : 'fail'}; calls to ${failed === 1 ? 'it' : 'them'} would too.\n`,
    )
    return {
      ok: failed === 0 && !unusable,
      configuration: { file: file ?? null, ok: true, problems: [], warnings },
      providers: checked.map(({ result }) => result),
      ledger,
    }
  } finally {
    await opened.close()
  }
}

/** Runs `work` on each item, at most `count` at a time; the promises come in the order of the items. */
function limited<Item, Result>(items: readonly Item[], count: number, work: (item: Item) => Promise<Result>): Promise<Result>[] {
  const lanes: Promise<unknown>[] = Array.from({ length: count }, () => Promise.resolve())
  return items.map((item, index) => {
    const result = (lanes[index % count] ?? Promise.resolve()).then(() => work(item))
    lanes[index % count] = result.catch(() => undefined)
    return result
  })
}

async function reach(
  name: string,
  config: Config,
  provider: Provider | undefined,
): Promise<{ readonly result: ProviderResult; readonly listed: readonly string[] | undefined }> {
  const type = config.providers[name]?.type ?? ''
  const health = provider === undefined ? { ok: false, message: 'could not be built' } : await askHealth(provider)
  const count = health.models?.length
  return {
    result: { name, type, ok: health.ok, message: mended(health, name, config), ...(count === undefined ? {} : { models: count }) },
    listed: health.models,
  }
}

async function askHealth(provider: Provider): Promise<ProviderHealth> {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  // A provider that ignores the signal must not hold up the others.
  const late = new Promise<ProviderHealth>((resolve) => {
    timer = setTimeout(() => {
      resolve({ ok: false, message: `no answer within ${CHECK_MS / 1000} seconds. Check the address, the network and any proxy.` })
      controller.abort()
    }, CHECK_MS)
  })
  try {
    return await Promise.race([provider.check(controller.signal), late])
  } catch (thrown) {
    return { ok: false, message: thrown instanceof Error ? thrown.message : String(thrown) }
  } finally {
    clearTimeout(timer)
  }
}

/** The provider's words, and what to do where only the configuration can tell. */
function mended(health: ProviderHealth, name: string, config: Config): string {
  if (health.ok) return health.message
  const provider = config.providers[name]
  const variables = provider === undefined ? [] : (presets.get(provider.type)?.keyVariables ?? [])
  const lacksKey =
    provider !== undefined &&
    provider.type !== 'sandbox' &&
    provider.type !== 'recorded' &&
    provider.api_key === undefined &&
    provider.headers === undefined
  if (lacksKey && variables.length > 0)
    return `${health.message} It has no key: set ${variables.join(' or ')}, or \`providers.${name}.api_key\`.`
  return health.message
}

function configWarnings(config: Config, now: number): string[] {
  const warnings: string[] = []
  if (!isLoopback(config.server.host))
    warnings.push(`the gateway listens on ${config.server.host}, beyond this machine, without TLS: put it behind a proxy that has it.`)
  const limitless = config.keys
    .filter(
      (key) =>
        key.budget_usd === undefined &&
        !(key.budgets ?? []).some((budget) => budget.usd !== undefined && budget.hard) &&
        key.team === undefined &&
        key.user === undefined &&
        key.organisation === undefined,
    )
    .map((key) => `"${key.name}"`)
  if (limitless.length > 0)
    warnings.push(
      `${limitless.length === 1 ? 'the key' : 'the keys'} ${limitless.join(', ')} may spend without limit: set \`budget_usd\` or \`budgets\`.`,
    )
  for (const key of config.keys) {
    if (key.expires === undefined) continue
    const left = Date.parse(key.expires) / 1000 - now
    if (left <= 0) warnings.push(`the key "${key.name}" has expired.`)
    else if (left < SOON) warnings.push(`the key "${key.name}" expires at ${key.expires}.`)
  }
  return warnings
}

/** Models that their provider doesn't list, and models without a known price. */
function modelWarnings(config: Config, opened: Inspection, lists: ReadonlyMap<string, readonly string[] | undefined>): string[] {
  const warnings: string[] = []
  for (const [alias, { deployments }] of Object.entries(config.models))
    for (const { provider, model } of deployments) {
      const listed = lists.get(provider)
      // Azure lists the models of a region, not the deployments by whose names they are called.
      if (listed === undefined || listed.length === 0 || listed.includes(model) || config.providers[provider]?.type === 'azure-openai')
        continue
      const guess = closest(model, listed)
      warnings.push(`models.${alias}: ${provider} doesn't list "${model}"${guess === undefined ? '.' : `; did you mean "${guess}"?`}`)
    }
  const named = new Set([
    ...Object.keys(config.models),
    ...Object.values(config.models).flatMap(({ deployments }) => deployments.map(({ provider, model }) => `${provider}/${model}`)),
  ])
  const unpriced = opened.models().filter(({ id, facts }) => named.has(id) && facts.prices === undefined)
  for (const { id, deployments } of unpriced) {
    const reference = deployments[0] ?? id
    const { provider, model } = splitReference(reference)
    warnings.push(
      `the price of ${id} is unknown: its cost is reported as null, and budgets in dollars can't hold it. Give it as \`prices: { ${provider}/${model}: { input: …, output: … } }\`.`,
    )
  }
  return warnings
}

function hanging(head: string, text: string, width: number): string {
  const lines = wrap(text, Math.max(30, width - textWidth(head)))
  return lines.map((line, index) => `${index === 0 ? head : ' '.repeat(textWidth(head))}${line}\n`).join('')
}

function indented(text: string, indent: string, width: number): string {
  return wrap(printable(text), width - indent.length - 2)
    .map((line, index) => `${indent}${index === 0 ? '' : '  '}${line}\n`)
    .join('')
}
