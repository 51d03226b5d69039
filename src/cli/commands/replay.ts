import { statSync, writeFileSync } from 'node:fs'
import { InvalidArgumentError, type Command } from 'commander'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { readLog, replayLog, type ReplaySummary } from '../../evaluation/index.js'
import { namedObjectives, predictorKinds } from '../../routing/index.js'
import { printable, table } from '../table.js'

interface ReplayOptions {
  readonly log: string
  readonly reference?: string
  readonly train?: string
  readonly predictor: string
  readonly objective: readonly string[]
  readonly warmUp: number
  readonly margin: number
  readonly limit?: number
  readonly seed: number
  readonly lenient?: boolean
  readonly json?: string
}

export interface ReplayDependencies {
  readonly print: (text: string) => void
  /** Progress, faults: not part of the answer. */
  readonly report: (text: string) => void
  readonly width: number
  readonly signal: AbortSignal
  exitWith(code: number): void
}

const replayProcess = (): ReplayDependencies => {
  const stopped = new AbortController()
  process.once('SIGINT', () => stopped.abort(new BursarError('Stopped.', { code: 'client_closed_request', status: 499 })))
  return {
    print: (text) => void process.stdout.write(text),
    report: (text) => void process.stderr.write(text),
    width: process.stdout.columns ?? 80,
    signal: stopped.signal,
    exitWith: (code) => void (process.exitCode = code),
  }
}

/** `bursar replay`: what each way of choosing would have cost on a log in which several models answered the same requests. */
export function replayCommand(program: Command, deps: ReplayDependencies = replayProcess()): void {
  program
    .command('replay')
    .description('Replay a log of outcomes: what would each policy have cost, at which quality, against the model that you use now?')
    .requiredOption('--log <file>', 'outcome table: JSON Lines, also gzipped; requests with what several models gave and took')
    .option('--reference <model>', 'the model that you use now: savings and quality are told against it')
    .option('--train <file>', 'learn from this outcome table first, and from the log not at all')
    .option('--predictor <kind>', `what predicts: ${Object.keys(predictorKinds).join(', ')}`, 'knn')
    .option('--objective <name>', `an objective, or dollars that a right answer is worth; may be repeated (default: ${Object.keys(namedObjectives).join(', ')})`, collect, [])
    .option('--warm-up <requests>', 'requests at the beginning that are only learned from', whole, 200)
    .option('--margin <quality>', 'loss of quality that you would accept', share, 0.02)
    .option('--limit <requests>', 'stop after so many', whole)
    .option('--seed <number>', 'seed of all that is drawn', whole, 1)
    .option('--lenient', 'exit with 0 even if rows of the log were wrong and left out')
    .option('--json <file>', 'write the figures as JSON too')
    .action(async (options: ReplayOptions) => {
      const log = await readLog(options.log)
      if (options.reference === undefined)
        throw new InvalidRequest(`Say with --reference which model you use now. The log has ${log.arms.map((arm) => `"${printable(arm)}"`).join(', ')}.`, { path: 'reference' })
      const bytes = statSync(options.log).size
      const progress = progressOf(bytes, deps)
      const summary = await replayLog(options.log, {
        arms: log.arms,
        reference: options.reference,
        trainFile: options.train,
        predictor: options.predictor,
        objectives: objectivesOf(options.objective),
        warmUp: options.train === undefined ? options.warmUp : 0,
        margin: options.margin,
        limit: options.limit,
        seed: options.seed,
        signal: deps.signal,
        onBytes: progress,
        onFault: faultTeller(deps),
      })
      deps.print(summaryText(summary, deps.width))
      if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(summary, null, 2)}\n`)
      if (summary.leftOut > 0 && options.lenient !== true) deps.exitWith(1)
    })
}

/** Tells how far it is every few seconds, where somebody waits long enough to wonder. */
function progressOf(total: number, deps: ReplayDependencies): (bytes: number) => void {
  let done = 0
  let told = Date.now()
  return (bytes) => {
    done += bytes
    if (Date.now() - told < 3_000) return
    told = Date.now()
    deps.report(`${Math.min(100, Math.floor((100 * done) / Math.max(1, total)))} % read\n`)
  }
}

/** Names the first few rows that are wrong; the summary counts them all. */
function faultTeller(deps: ReplayDependencies): (fault: BursarError) => void {
  let told = 0
  return (fault) => {
    told += 1
    if (told <= mostFaultsTold) deps.report(`bursar: ${fault.message} Left out.\n`)
    else if (told === mostFaultsTold + 1) deps.report('bursar: more rows are wrong; the rest are counted only.\n')
  }
}

const mostFaultsTold = 10

/** Single models first, then what only compares, then what decides. */
function rank(name: string): number {
  return name.startsWith('always ') ? 0 : name === 'random arm' || name === 'oracle' ? 1 : 2
}

function objectivesOf(names: readonly string[]): Parameters<typeof replayLog>[1]['objectives'] {
  if (names.length === 0) return namedObjectives
  return Object.fromEntries(
    names.map((name) => {
      if (Object.hasOwn(namedObjectives, name)) return [name, namedObjectives[name as keyof typeof namedObjectives]]
      const lambda = Number(name)
      if (!(lambda >= 0) || name.trim() === '') throw new InvalidRequest(`--objective: "${name}" is neither one of ${Object.keys(namedObjectives).join(', ')} nor a number of dollars.`, { path: 'objective' })
      return [`λ = $${name}`, { lambda }]
    }),
  )
}

function summaryText({ policies, requests, warmUp, leftOut, reference, margin, incomplete }: ReplaySummary, width: number): string {
  const percent = (value: number, digits = 1) => (Number.isFinite(value) ? `${(100 * value).toFixed(digits)} %` : '?')
  const bare = (value: number) => (Number.isFinite(value) ? (100 * value).toFixed(0) : '?')
  const points = (value: number) => (Number.isFinite(value) ? `${value >= 0 ? '+' : ''}${(100 * value).toFixed(1)}` : '?')
  const rows = [...policies].sort((a, b) => rank(a.name) - rank(b.name) || a.usdPerThousand - b.usdPerThousand).map(({ name, quality, usdPerThousand, difference, saved, verdict }) => [
    name.startsWith('always ') ? name.slice('always '.length) : name,
    percent(quality),
    `${points(difference.value)} [${points(difference.low)}, ${points(difference.high)}]`,
    Number.isFinite(usdPerThousand) ? `$${usdPerThousand.toPrecision(3)}` : '?',
    `${percent(saved.value, 0)} [${bare(saved.low)}, ${bare(saved.high)}]`,
    verdict,
  ])
  const lines = table(
    [
      { title: 'POLICY', cut: 'middle', least: 14 },
      { title: 'QUALITY', align: 'right' },
      { title: 'POINTS [95 %]', align: 'right' },
      { title: '$/1000', align: 'right' },
      { title: 'SAVED [95 %]', align: 'right' },
      { title: `LOSS ≤ ${percent(margin, 0)}` },
    ],
    rows,
    width,
  )
  const notes = [
    'A model by its name: that model always. The oracle knows all outcomes; nothing can beat it.',
    `${requests} requests decided${warmUp > 0 ? `, after ${warmUp} that were only learned from` : ''}. Against always "${printable(reference)}".`,
    ...(incomplete > 0 ? [`${incomplete} requests have no outcome of "${printable(reference)}" and weren't counted.`] : []),
    ...policies.flatMap(({ name, unknown }) => (unknown > 0 ? [`${name}: of ${unknown} choices the log doesn't say what would have come.`] : [])),
    ...(leftOut > 0 ? [`${leftOut} rows of the log were wrong and left out.`] : []),
  ]
  return `${lines}\n${notes.join('\n')}\n`
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function whole(text: string): number {
  const value = Number(text)
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('A whole number was expected.')
  return value
}

function share(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('A number between 0 and 1 was expected, such as 0.02.')
  return value
}
