import type { Command } from 'commander'
import type { Capabilities, ModelFacts, PriceSheet, Rate } from '../../catalog/index.js'
import { formatUsd, picoUsd } from '../../quantities/index.js'
import { findConfig, processDependencies, USUAL_FILE, type Inspection, type InspectionDependencies } from '../inspection.js'
import { table, wrap } from '../table.js'

/** How long a provider whose models nobody declares may take to list them, in milliseconds. */
const LIST_MS = 3000

/** One model, as `bursar models --json` prints it. Prices are exact decimals in dollars a million tokens; `null` is unknown. */
export interface ModelRow {
  readonly id: string
  readonly deployments: readonly string[]
  readonly contextTokens: number | null
  readonly maxOutputTokens: number | null
  readonly capabilities: Readonly<Record<keyof Capabilities, boolean | null>>
  readonly prices: Readonly<Record<PriceField, PriceCell>> | null
}

type PriceField = 'input' | 'cacheRead' | 'cacheWrite5m' | 'cacheWrite1h' | 'output' | 'reasoning'
type PriceCell = { readonly usd: string; readonly tiers: readonly { readonly aboveInputTokens: number; readonly usd: string }[] } | null

/** `bursar models`: what can be called, at what price. */
export function modelsCommand(program: Command, deps: InspectionDependencies = processDependencies()): void {
  program
    .command('models')
    .description('List the models that can be called, with prices, context and capabilities.')
    .argument('[text]', 'only models whose name has this text')
    .option('-c, --config <file>', `configuration file (default: ${USUAL_FILE} in this folder, if there is one)`)
    .option('--json', 'print the list as JSON')
    .action(async (text: string | undefined, options: { readonly config?: string; readonly json?: boolean }) => {
      const { config } = await findConfig(options.config, deps)
      const opened = await deps.open(config)
      try {
        const all = await modelRows(opened, config.allow_unlisted_models, deps.report)
        const wanted = text?.toLowerCase()
        const rows = all.filter(
          ({ id, deployments }) => wanted === undefined || [id, ...deployments].some((name) => name.toLowerCase().includes(wanted)),
        )
        deps.print(options.json ? `${JSON.stringify(rows, null, 2)}\n` : modelTable(rows, deps.width))
        if (rows.length === 0 && wanted !== undefined && all.length > 0)
          deps.report(`No model has "${text}" in its name; ${all.length} have not.\n`)
      } finally {
        await opened.close()
      }
    })
}

/** Models of an opened configuration. Providers of which nothing is known (local servers) are asked. */
export async function modelRows(opened: Inspection, unlisted: boolean, report: (text: string) => void): Promise<ModelRow[]> {
  const rows = opened.models().map(({ id, facts, deployments }) => rowOf(id, facts, deployments))
  if (!unlisted) return rows
  const silent = [...opened.providers].filter(([name]) => !rows.some(({ id }) => id.startsWith(`${name}/`)))
  const asked = await Promise.all(
    silent.map(async ([name, provider]) => {
      try {
        const { models, ok, message } = await provider.check(AbortSignal.timeout(LIST_MS))
        if (!ok) report(`${name}: ${message}\n`)
        return (models ?? []).map((model) =>
          rowOf(`${name}/${model}`, provider.facts(model) ?? { id: model, provider: name, capabilities: {} }, [`${name}/${model}`]),
        )
      } catch (thrown) {
        report(`${name}: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
        return []
      }
    }),
  )
  return [...rows, ...asked.flat()]
}

function rowOf(id: string, facts: ModelFacts, deployments: readonly string[]): ModelRow {
  const { tools, jsonSchema, images, audio, reasoning, embeddings } = facts.capabilities
  return {
    id,
    deployments,
    contextTokens: facts.contextTokens ?? null,
    maxOutputTokens: facts.maxOutputTokens ?? null,
    capabilities: {
      tools: tools ?? null,
      jsonSchema: jsonSchema ?? null,
      images: images ?? null,
      audio: audio ?? null,
      reasoning: reasoning ?? null,
      embeddings: embeddings ?? null,
    },
    prices: facts.prices === undefined ? null : pricesOf(facts.prices),
  }
}

function pricesOf(sheet: PriceSheet): Record<PriceField, PriceCell> {
  return {
    input: cell(sheet.input),
    cacheRead: cell(sheet.cacheRead),
    cacheWrite5m: cell(sheet.cacheWrite5m),
    cacheWrite1h: cell(sheet.cacheWrite1h),
    output: cell(sheet.output),
    reasoning: cell(sheet.reasoning),
  }
}

function cell(rate: Rate | undefined): PriceCell {
  if (rate === undefined) return null
  return {
    usd: perMillion(rate.base),
    tiers: rate.tiers.map((tier) => ({ aboveInputTokens: tier.aboveInputTokens, usd: perMillion(tier.rate) })),
  }
}

/** Picodollars a token to dollars a million tokens. */
function perMillion(picodollars: bigint): string {
  return formatUsd(picoUsd(picodollars * 1_000_000n))
}

/** The letters of the last column. */
const letters: readonly (readonly [keyof Capabilities, string, string])[] = [
  ['tools', 'T', 'tools'],
  ['jsonSchema', 'J', 'JSON schema'],
  ['images', 'I', 'images in'],
  ['audio', 'A', 'audio'],
  ['reasoning', 'R', 'reasoning'],
  ['embeddings', 'E', 'embeddings'],
]

/** The list for people. Unknown is `?`, never 0. */
export function modelTable(rows: readonly ModelRow[], width: number): string {
  if (rows.length === 0) return 'No models.\n'
  // A column of its own only pays when names stand for other names.
  const aliases = rows.some(({ id, deployments }) => deployments.length !== 1 || deployments[0] !== id)
  const body = rows.map((row) => [
    row.id,
    ...(aliases ? [row.deployments.length === 1 && row.deployments[0] === row.id ? '' : row.deployments.join(', ')] : []),
    price(row.prices?.input),
    price(row.prices?.cacheRead),
    price(row.prices?.output),
    row.contextTokens === null ? '?' : String(Math.round(row.contextTokens / 1000)),
    letters.map(([name, letter]) => (row.capabilities[name] === null ? '?' : row.capabilities[name] ? letter : '-')).join(''),
  ])
  const text = table(
    [
      { title: 'MODEL', cut: 'middle', least: 20 },
      ...(aliases ? [{ title: 'SERVED BY', cut: 'end', least: 10 } as const] : []),
      { title: 'INPUT', align: 'right' },
      { title: 'CACHED', align: 'right' },
      { title: 'OUTPUT', align: 'right' },
      { title: 'CONTEXT', align: 'right' },
      { title: 'CAN' },
    ],
    body,
    width,
  )
  const tiers = body.some((row) => row.some((value) => /\d\+$/.test(value)))
  const legend = [
    'INPUT, CACHED, OUTPUT: dollars a million tokens. CONTEXT: thousand tokens.',
    ...(tiers ? ['+: dearer above a number of input tokens.'] : []),
    `CAN: ${letters.map(([, letter, word]) => `${letter} ${word}`).join(', ')}. ?: unknown.`,
  ]
  return `${text}\n${legend.flatMap((line) => wrap(line, width)).join('\n')}\n`
}

function price(value: PriceCell | undefined): string {
  if (value === null || value === undefined) return '?'
  return `${value.usd}${value.tiers.some((tier) => tier.usd !== value.usd) ? '+' : ''}`
}
