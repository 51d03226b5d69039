import { createCatalog, type Catalog } from '../../catalog/index.js'
import {
  collectOutcomes,
  drawSample,
  mostUsd,
  type Collected,
  type Log,
  type SampleDesign,
  type TrialWorld,
} from '../../evaluation/index.js'
import { InvalidRequest } from '../../errors/index.js'
import { inspectConfig } from '../../gateway/index.js'
import { gatewayWorld, remoteWorld } from '../evaluate/gateway-world.js'
import { findConfig, processDependencies } from '../inspection.js'
import { printable, table, wrap } from '../table.js'

export interface CollectCommandOptions {
  readonly log: string
  readonly collect?: number
  readonly maxUsd?: number
  readonly models?: readonly string[]
  readonly judge?: string
  readonly out?: string
  readonly maxOutputTokens: number
  readonly parallel: number
  readonly yes?: boolean
  readonly config?: string
  readonly url?: string
  readonly key?: string
  readonly seed: number
}

export interface CollectDependencies {
  readonly print: (text: string) => void
  readonly report: (text: string) => void
  readonly terminal: boolean
  readonly width: number
  exitWith(code: number): void
  /** Where questions are asked, with a hard limit of so many dollars. */
  openWorld?:
    | ((options: CollectCommandOptions, usd: number) => Promise<{ readonly world: Pick<TrialWorld, 'forGrading'>; close(): Promise<void> }>)
    | undefined
}

/** `bursar replay --collect`: draws a sample of a log, says what asking it again will cost at most, and with `--yes` asks. */
export async function collectFromLog(
  log: Log,
  options: CollectCommandOptions,
  deps: CollectDependencies,
  signal: AbortSignal,
): Promise<void> {
  const { models, judge, maxUsd, out, maxOutputTokens, parallel, seed } = options
  if (options.collect === undefined) return
  const missing = Object.entries({ '--models': models, '--judge': judge, '--max-usd': maxUsd, '--out': out })
    .filter(([, value]) => value === undefined)
    .map(([name]) => name)
  if (models === undefined || judge === undefined || maxUsd === undefined || out === undefined)
    throw new InvalidRequest(
      `--collect needs ${missing.join(', ')} too: which models are asked, who grades, what it may cost, and where the outcomes go.`,
      { path: missing[0]?.slice(2) },
    )
  const design = await drawSample(log, options.collect, seed, signal)
  const catalog = deps.openWorld === undefined ? await pricesOf(options) : createCatalog()
  const most = design.sample.reduce((sum, one) => sum + mostUsd(one, { models, judge, maxOutputTokens, catalog }), 0)
  deps.print(planText(design, options, most, deps.width))
  if (options.yes !== true) {
    deps.print('Nothing was asked. The same command with --yes asks.\n')
    return
  }
  const { world, close } = await (deps.openWorld ?? openWorld)(options, maxUsd)
  try {
    const collected = await collectOutcomes(
      design,
      { environment: (_model, own) => world.forGrading(own) },
      {
        ...{ models, judge, maxUsd, maxOutputTokens, out, parallel, seed, signal, catalog },
        design: { log: options.log, collect: options.collect, seed, strata: design.strata },
        onRow: progressOf(deps),
      },
    )
    if (deps.terminal) deps.report('\r\u001b[K')
    deps.print(collectedText(collected, options, deps.width))
    if (collected.stoppedBy === 'aborted' || collected.failed > 0) deps.exitWith(1)
  } finally {
    await close()
  }
}

async function openWorld({ url, key, config }: CollectCommandOptions, usd: number) {
  const { env } = processDependencies()
  if (url !== undefined) return remoteWorld(url, key ?? env['BURSAR_KEY'], { usd })
  return gatewayWorld((await findConfig(config, { env })).config, { usd })
}

/** List prices, and those that the configuration itself sets, such as of a model of one's own. */
async function pricesOf({ url, config }: CollectCommandOptions): Promise<Catalog> {
  if (url !== undefined) return createCatalog()
  const opened = await inspectConfig((await findConfig(config, { env: processDependencies().env })).config)
  try {
    return createCatalog({
      overrides: Object.fromEntries(
        opened.models().flatMap(({ id, facts: { prices } }) => (prices === undefined ? [] : [[id, { prices }]])),
      ),
    })
  } finally {
    await opened.close()
  }
}

function planText(
  { strata, sample, requests, passedOver }: SampleDesign,
  { models = [], judge = '', maxUsd = 0, maxOutputTokens, seed }: CollectCommandOptions,
  most: number,
  width: number,
): string {
  const rows = strata.map(({ name, size, drawn }) => [name, size.toLocaleString('en-US'), String(drawn), (size / drawn).toFixed(1)])
  const lines = table(
    [
      { title: 'REQUESTS ALIKE', cut: 'end', least: 20 },
      { title: 'IN THE LOG', align: 'right' },
      { title: 'ASKED', align: 'right' },
      { title: 'EACH STANDS FOR', align: 'right' },
    ],
    rows,
    width,
  )
  const say = (text: string) => `${wrap(text, width).join('\n')}\n`
  return [
    lines,
    '\n',
    say(
      `${sample.length} of ${requests.toLocaleString('en-US')} requests, drawn by chance within each group (seed ${seed}), harder ones more often. ${models.map(printable).join(', ')} would answer, ${printable(judge)} grade every answer, the logged one too.`,
    ),
    ...(passedOver > 0 ? [say(`${passedOver} requests of the log hold no content that can be asked again.`)] : []),
    say(
      `At list prices and ${maxOutputTokens} output tokens an answer at most, all of it costs at most $${most.toFixed(2)}; usually much less. It stops before $${maxUsd.toFixed(2)} could be exceeded.`,
    ),
  ].join('')
}

function collectedText(
  { rows, of, usd, failed, reason, stoppedBy }: Collected,
  { out = '', maxUsd = 0 }: CollectCommandOptions,
  width: number,
): string {
  const why = {
    done: '',
    budget: ` It stopped because the next could have exceeded $${maxUsd.toFixed(2)}; a larger --max-usd goes on.`,
    aborted: ' It was stopped; the same command goes on.',
  }[stoppedBy]
  const text = [
    `${rows} of ${of} requests are in ${printable(out)}, for $${usd.toFixed(4)} in all.${why}`,
    ...(failed > 0 ? [`${failed} failed and can be tried again by the same command; the first: ${printable(reason ?? '')}`] : []),
  ]
  return `${text.map((one) => wrap(one, width).join('\n')).join('\n')}\n\n  bursar replay --log ${printable(out)} --reference <model>\n`
}

function progressOf({
  report,
  terminal,
}: CollectDependencies): (done: { readonly rows: number; readonly of: number; readonly usd: number }) => void {
  let told = 0
  return ({ rows, of, usd }) => {
    const text = `${rows} of ${of} requests, $${usd.toFixed(4)}`
    if (terminal) return report(`\r\u001b[K${text}`)
    if (rows < of && rows < told + Math.max(1, of / 10)) return
    told = rows
    report(`${text}\n`)
  }
}
