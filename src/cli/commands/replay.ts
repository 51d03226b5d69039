import { statSync } from 'node:fs'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { htmlOf, logFormatNames, logSpending, openLog, replayLog, replayReport, surveyLog, type Log } from '../../evaluation/index.js'
import { namedObjectives, predictorKinds } from '../../routing/index.js'
import { collectFromLog, type CollectCommandOptions, type CollectDependencies } from '../replay/collecting.js'
import { readingProgress } from '../replay/progress.js'
import { replayText, spendingText } from '../replay/tables.js'
import { printable } from '../table.js'
import { writeResult } from '../written-file.js'

interface ReplayOptions extends CollectCommandOptions {
  readonly format?: string
  readonly batchInput?: string
  readonly reference?: string
  readonly train?: string
  readonly predictor: string
  readonly policies: 'all' | 'fixed'
  readonly objective: readonly string[]
  readonly warmUp: number
  readonly margin: number
  readonly limit?: number
  readonly candidates?: readonly string[]
  readonly checkpoint?: string
  readonly lenient?: boolean
  readonly json?: string
  readonly html?: string
}

export interface ReplayDependencies extends Pick<CollectDependencies, 'openWorld'> {
  readonly print: (text: string) => void
  /** Progress, faults: not part of the answer. */
  readonly report: (text: string) => void
  /** Whether `report` goes to a terminal. */
  readonly terminal: boolean
  readonly width: number
  readonly signal: AbortSignal
  /** Milliseconds. */
  now(): number
  exitWith(code: number): void
}

const replayProcess = (): ReplayDependencies => {
  const stopped = new AbortController()
  return {
    print: (text) => void process.stdout.write(text),
    report: (text) => void process.stderr.write(text),
    terminal: process.stderr.isTTY === true,
    width: Math.min(120, Math.max(80, process.stdout.columns ?? 80)),
    get signal() {
      // Only a command that runs catches the interrupt; the second one ends the process as always.
      process.once('SIGINT', () => stopped.abort(new BursarError('Stopped.', { code: 'client_closed_request', status: 499 })))
      return stopped.signal
    },
    now: () => performance.now(),
    exitWith: (code) => void (process.exitCode = code),
  }
}

/** `bursar replay`: what each way of choosing would have cost on a log, and on a log of one model what can be known of it. */
export function replayCommand(program: Command, deps: ReplayDependencies = replayProcess()): void {
  program
    .command('replay')
    .description('Replay a log: what would each policy have cost, at which quality, against the model that you use now?')
    .requiredOption('--log <file>', 'outcome table, or a log of another tool: JSON, JSON Lines or CSV, also gzipped')
    .addOption(new Option('--format <name>', 'what the log is (default: by its content)').choices(logFormatNames))
    .option('--batch-input <file>', 'the input file of an OpenAI batch, for --log with its output file')
    .option('--reference <model>', 'the model that you use now: savings and quality are told against it')
    .option('--train <file>', 'learn from this outcome table first, and from the log not at all')
    .option('--predictor <kind>', `what predicts: ${Object.keys(predictorKinds).join(', ')}`, 'knn')
    .addOption(
      new Option('--policies <which>', 'fixed: only what predicts nothing (one model always, random, oracle), many times faster')
        .choices(['all', 'fixed'])
        .default('all'),
    )
    .option(
      '--objective <name>',
      `an objective, or dollars that a right answer is worth; may be repeated (default: ${Object.keys(namedObjectives).join(', ')})`,
      collect,
      [],
    )
    .option('--warm-up <requests>', 'requests at the beginning that are only learned from', whole, 200)
    .option('--margin <quality>', 'loss of quality that you would accept', share, 0.02)
    .option('--limit <requests>', 'stop after so many', whole)
    .option('--seed <number>', 'seed of all that is drawn', whole, 1)
    .option(
      '--candidates <models>',
      'for a log of one model a request: price its tokens by these too; provider/model, separated by commas',
      names,
    )
    .option('--collect <requests>', 'of a log of one model a request: have so many, the most telling ones, answered by other models', whole)
    .option('--models <models>', 'with --collect: who answers; provider/model, separated by commas', names)
    .option('--judge <model>', 'with --collect: who grades every answer, the logged one too')
    .option('--max-usd <dollars>', 'with --collect: never spend more', dollars)
    .option('--out <file>', 'with --collect: outcome table to write; one that is there is gone on with')
    .option('--max-output-tokens <tokens>', 'with --collect: longest answer', whole, 1024)
    .option('--parallel <requests>', 'with --collect: requests at the same time', whole, 4)
    .option('--yes', 'with --collect: ask, after saying what it costs at most')
    .option('-c, --config <file>', 'with --collect: configuration whose models answer (default: bursar.yaml in this folder)')
    .option('--url <address>', 'with --collect: a running gateway that answers instead')
    .option('--key <key>', 'its key (also: BURSAR_KEY)')
    .option('--checkpoint <file>', 'keep how far it is in this file; the same command goes on from there after a break')
    .option('--lenient', 'exit with 0 even if rows of the log were wrong and left out')
    .option('--json <file>', 'write the figures as JSON too')
    .option('--html <file>', 'write a page with the figures and the frontier of cost and quality')
    .action(async (options: ReplayOptions) => {
      const { signal } = deps
      const log = await openLog(options.log, { format: options.format, batchInput: options.batchInput, signal })
      if (options.collect !== undefined) return collectFromLog(log, options, deps, signal)
      const survey = await surveyLog(log)
      const leftOut = survey.comparable ? await replay(log, survey.arms, options, deps, signal) : await spending(log, options, deps, signal)
      if (leftOut > 0 && options.lenient !== true) deps.exitWith(1)
    })
}

/** Gives how many rows were left out, as `spending` does. */
async function replay(
  log: Log,
  arms: readonly string[],
  options: ReplayOptions,
  deps: ReplayDependencies,
  signal: AbortSignal,
): Promise<number> {
  if (options.reference === undefined)
    throw new InvalidRequest(
      `Say with --reference which model you use now. The log has ${arms.map((arm) => `"${printable(arm)}"`).join(', ')}.`,
      { path: 'reference' },
    )
  const progress = readingProgress(statSync(options.log).size, deps)
  const fixed = options.policies === 'fixed'
  try {
    const summary = await replayLog(log, {
      arms,
      reference: options.reference,
      trainFile: fixed ? undefined : options.train,
      predictor: options.predictor,
      objectives: fixed ? {} : objectivesOf(options.objective),
      warmUp: fixed || options.train !== undefined ? 0 : options.warmUp,
      margin: options.margin,
      limit: options.limit,
      seed: options.seed,
      signal,
      checkpoint: options.checkpoint,
      onProgress: progress.show,
      onFault: faultTeller(deps),
    })
    progress.end()
    deps.print(replayText(summary, deps.width))
    if (options.json !== undefined) writeResult('--json', options.json, `${JSON.stringify(summary, null, 2)}\n`)
    if (options.html !== undefined) writeResult('--html', options.html, htmlOf(replayReport(options.log, summary)))
    return summary.leftOut
  } catch (thrown) {
    progress.end()
    if (signal.aborted && options.checkpoint !== undefined)
      deps.report(`How far it came is in ${printable(options.checkpoint)}; the same command goes on from there.\n`)
    throw thrown
  }
}

async function spending(log: Log, options: ReplayOptions, deps: ReplayDependencies, signal: AbortSignal): Promise<number> {
  const progress = readingProgress(statSync(options.log).size, deps)
  const summary = await logSpending(log, {
    candidates: options.candidates,
    signal,
    onProgress: progress.show,
    onFault: faultTeller(deps),
  }).finally(progress.end)
  deps.print(spendingText(summary, options.log, log.title, deps.width))
  if (options.json !== undefined) writeResult('--json', options.json, `${JSON.stringify(summary, null, 2)}\n`)
  return summary.leftOut
}

/** Names the first few rows that are wrong; the summary counts them all. */
function faultTeller(deps: ReplayDependencies): (fault: BursarError) => void {
  let told = 0
  return (fault) => {
    told += 1
    if (told <= mostFaultsTold) deps.report(`bursar: ${printable(fault.message)} Left out.\n`)
    else if (told === mostFaultsTold + 1) deps.report('bursar: more rows are wrong; the rest are counted only.\n')
  }
}

const mostFaultsTold = 10

function objectivesOf(named: readonly string[]): Parameters<typeof replayLog>[1]['objectives'] {
  if (named.length === 0) return namedObjectives
  return Object.fromEntries(
    named.map((name) => {
      if (Object.hasOwn(namedObjectives, name)) return [name, namedObjectives[name as keyof typeof namedObjectives]]
      const lambda = Number(name)
      if (!(lambda >= 0) || name.trim() === '')
        throw new InvalidRequest(
          `--objective: "${name}" is neither one of ${Object.keys(namedObjectives).join(', ')} nor a number of dollars.`,
          { path: 'objective' },
        )
      return [`λ = $${name}`, { lambda }]
    }),
  )
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function names(text: string): readonly string[] {
  const found = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
  if (found.length === 0) throw new InvalidArgumentError('Names of models, separated by commas, were expected.')
  return found
}

function whole(text: string): number {
  const value = Number(text)
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('A whole number was expected.')
  return value
}

function dollars(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('Dollars above 0 were expected, such as 5.')
  return value
}

function share(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('A number between 0 and 1 was expected, such as 0.02.')
  return value
}
