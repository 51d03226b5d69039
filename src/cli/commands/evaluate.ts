import { resolve } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { OutcomeRow } from '../../environment/index.js'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import {
  evaluateSuites,
  evaluationDocument,
  htmlOf,
  memoryCells,
  mergedRows,
  openCellFile,
  outcomeRows,
  readRecordedTable,
  readSuite,
  recordedWorld,
  searches,
  suiteOfTable,
  summaryOf,
  tune,
  type Cells,
  type DecisionRule,
  type Evaluated,
  type EvaluationSummary,
  type Method,
  type RecordedTable,
  type SearchName,
  type Suite,
  type TrialLimits,
  type Tuned,
  type TuneOptions,
} from '../../evaluation/index.js'
import { edit } from '../../protocol/index.js'
import { gatewayWorld, remoteWorld, type OpenedWorld } from '../evaluate/gateway-world.js'
import { evaluationText, settingsText, tunedText } from '../evaluate/print.js'
import { EvaluationProgress } from '../evaluate/progress.js'
import { findConfig, processDependencies, USUAL_FILE } from '../inspection.js'
import { version } from '../version.js'
import { writeResult, writeResultLines } from '../written-file.js'

interface EvaluateCommandOptions {
  readonly config?: string
  readonly url?: string
  readonly key?: string
  readonly recorded?: string
  readonly search?: SearchName
  readonly exhaustive?: boolean
  readonly guarantee?: boolean
  readonly confidence: number
  readonly indifference: number
  readonly maxUsd?: number
  readonly maxCalls?: number
  readonly maxSeconds?: number
  readonly parallel: number
  readonly grading?: number
  readonly retries: number
  readonly seed: number
  readonly limit?: number
  readonly maxTokens?: number
  readonly check?: string
  readonly judge?: string
  readonly method: readonly string[]
  readonly allowOutside?: boolean
  readonly tune?: boolean
  readonly trials: number
  readonly lambda: number
  readonly cells: string
  readonly keep: boolean
  readonly json?: string
  readonly html?: string
  readonly export?: string
}

/** What the command needs from outside. */
export interface EvaluateDependencies {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly print: (text: string) => void
  readonly report: (text: string) => void
  readonly terminal: boolean
  readonly width: number
  /** Monotonic seconds. */
  readonly now: () => number
  setExitCode(code: number): void
  /** Calls back at each interrupt (SIGINT, SIGTERM); gives back what ends that. */
  onInterrupt(listener: () => void): () => void
}

const evaluateProcess = (): EvaluateDependencies => ({
  ...processDependencies(),
  terminal: process.stderr.isTTY,
  now: () => performance.now() / 1000,
  onInterrupt(listener) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, listener)
    return () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, listener)
    }
  },
})

/** `bursar evaluate`: which method is the best on a test set, with the fewest calls. */
export function evaluateCommand(program: Command, deps: EvaluateDependencies = evaluateProcess()): void {
  const names = Object.keys(searches)
  program
    .command('evaluate')
    .description('Compare models, prompts and strategies on a test set with the fewest calls, within a budget.')
    .argument('[suites...]', 'test sets: promptfoo-style YAML, or JSON Lines of questions and answers (docs/suites.md)')
    .option('-c, --config <file>', `configuration whose models answer (default: ${USUAL_FILE} in this folder, if there is one)`)
    .option('--url <address>', 'a running gateway that answers instead, such as http://127.0.0.1:8787')
    .option('--key <key>', 'its key (also: BURSAR_KEY)')
    .option('--recorded <table>', 'an outcome table that answers instead, so that nothing is spent; alone it is the test set too')
    .option('--max-usd <dollars>', 'never spend more in this run: reserved before each call; dollars', amount)
    .option('--max-calls <calls>', 'never make more calls in this run', whole)
    .option('--max-seconds <seconds>', 'begin nothing after so long; seconds', amount)
    .option('--confidence <share>', 'how sure is sure enough', share, 0.95)
    .option('--indifference <score>', 'a difference of mean score that does not matter to you', differenceOf, 0)
    .option('--guarantee', 'decide by proof, not by belief: takes more calls')
    .option('--exhaustive', 'score every method on every item')
    .addOption(
      new Option(
        '--search <way>',
        `how to choose what is asked next: ${names.map((name) => `${name} (${searches[name as SearchName].about})`).join('; ')}`,
      ).choices(names),
    )
    .option('--parallel <calls>', 'calls at the same time', positive, 8)
    .option('--grading <answers>', 'answers graded at the same time (default: as many as calls)', positive)
    .option('--retries <times>', 'further tries of a call that failed for a reason that may pass', whole, 2)
    .option('--limit <items>', 'only the first items of each test set', positive)
    .option('--max-tokens <tokens>', 'longest answer of methods that set no limit: what is reserved before a call goes by it', positive)
    .option(
      '--method <name>',
      "compare this model, arm or auto:cheap, in place of the test set's own methods; may be repeated",
      collect,
      [],
    )
    .option('--check <kind>', 'how to grade items that bring no check, such as numeric or choice')
    .option('--judge <model>', 'the model that judges, where the test set names none')
    .option('--allow-outside', "let file:// names lead out of the test set's folder")
    .option(
      '--tune',
      'tune the settings that the test set lists under "settings" for its first method, and check the best on items kept apart',
    )
    .option('--trials <number>', 'settings to try with --tune', positive, 30)
    .option('--lambda <score>', 'with --tune: score that a dollar an answer has to bring', amountOrZero, 0)
    .option('--seed <number>', 'seed of all that is drawn', whole, 1)
    .option('--cells <file>', 'where answers are kept, with their content', '.bursar/cells.db')
    .option('--no-keep', 'keep no answers')
    .option('--json <file>', 'write the figures as JSON too')
    .option('--html <file>', 'write them as one page too')
    .option('--export <file>', 'write every answer with its score as an outcome table, for replay, score and train')
    .action((files: readonly string[], options: EvaluateCommandOptions) => evaluate(files, options, deps))
}

async function evaluate(files: readonly string[], options: EvaluateCommandOptions, deps: EvaluateDependencies): Promise<void> {
  const table = options.recorded === undefined ? undefined : await readRecordedTable(options.recorded)
  const suites = await suitesOf(files, options, table)
  const rule = ruleOf(options)
  const search = options.search ?? (rule.kind === 'never' ? 'uniform' : rule.kind === 'guaranteed' ? 'elimination' : 'racing')
  const limits: TrialLimits = { usd: options.maxUsd, calls: options.maxCalls, seconds: options.maxSeconds }
  const { world, close } = await openWorld(options, table, limits, deps)
  const keeps = options.keep && world.keeps
  let cells: Cells | undefined
  const interrupts = interruptible(deps)
  const progress = new EvaluationProgress(suites, limits, { terminal: deps.terminal, write: deps.report, now: deps.now })
  try {
    cells = keeps ? await openCellFile(resolve(options.cells)) : memoryCells()
    const shared = {
      world,
      cells,
      parallel: options.parallel,
      grading: options.grading,
      seconds: limits.seconds,
      retries: options.retries,
      seed: options.seed,
      stop: interrupts.stop,
      signal: interrupts.abort,
    }
    if (options.tune === true) return await tuneSuites(suites, options, shared, cells.file, deps)
    const ended = await evaluateSuites(suites, { ...shared, search, rule, onCell: (suite, cell) => progress.add(suite, cell) })
    progress.end()
    const summaries = ended.map((one) => summaryOf(one, rule))
    deps.print(summaries.map((summary) => evaluationText(summary, cells?.file, deps.width)).join('\n'))
    writeFiles(options, files, ended, summaries)
    deps.setExitCode(exitCodeOf(summaries))
  } catch (thrown) {
    progress.end()
    throw thrown
  } finally {
    interrupts.end()
    cells?.close()
    await close()
  }
}

/** Workers of a tuning: what is learned of one trial helps to choose the next, so not too many at once. */
const TUNING_WORKERS = 4

async function tuneSuites(
  suites: readonly Suite[],
  options: EvaluateCommandOptions,
  shared: Omit<TuneOptions, 'trials' | 'lambda' | 'workers'>,
  cellsFile: string | undefined,
  deps: EvaluateDependencies,
): Promise<void> {
  const results: { readonly suite: string; readonly tuned: Tuned }[] = []
  const rows: OutcomeRow[] = []
  for (const suite of suites) {
    let done = 0
    const ended: Evaluated[] = []
    const tuned = await tune(suite, {
      ...shared,
      onEvaluated: (one) => {
        if (options.export !== undefined) ended.push(one)
      },
      trials: options.trials,
      lambda: options.lambda,
      workers: Math.min(TUNING_WORKERS, options.parallel),
      onTrial: (trial) =>
        deps.report(`${++done} of ${options.trials}: ${settingsText(trial.settings)}: ${(100 * trial.score).toFixed(1)} %\n`),
    })
    results.push({ suite: suite.name, tuned })
    rows.push(...mergedRows(ended.flatMap((one) => [...outcomeRows(one.suite, one.score)])).map((row) => rowOf(row, suite, suites.length)))
    deps.print(tunedText(suite.name, tuned, cellsFile, deps.width))
  }
  if (options.html !== undefined) writeResult('--html', options.html, htmlOf(evaluationDocument(results.map(({ tuned }) => tuned.check))))
  if (options.json !== undefined)
    writeResult(
      '--json',
      options.json,
      `${JSON.stringify({ command: 'evaluate --tune', seed: options.seed, results, version }, null, 2)}\n`,
    )
  if (options.export !== undefined) writeTable(options.export, rows)
}

async function suitesOf(
  files: readonly string[],
  { recorded, limit, maxTokens, check, judge, method, allowOutside }: EvaluateCommandOptions,
  table: RecordedTable | undefined,
): Promise<readonly Suite[]> {
  const methods = method.length === 0 ? undefined : method
  const suites =
    files.length > 0
      ? await Promise.all(files.map((file) => readSuite(file, { check, judge, methods, allowOutside })))
      : table && recorded !== undefined
        ? [suiteOfTable(recorded, table)]
        : []
  if (suites.length === 0)
    throw new InvalidRequest(
      'Name a test set: bursar evaluate suite.yaml. docs/suites.md shows how one is written; --recorded TABLE tries methods on recorded outcomes.',
      { path: 'suites' },
    )
  for (const { name, methods: compared, items } of suites) {
    if (compared.length === 0)
      throw new InvalidRequest(`${name} names nothing to compare. Name models with --method, or in its providers.`, { path: 'providers' })
    if (items.length === 0) throw new InvalidRequest(`${name} has no test.`, { path: 'tests' })
  }
  return suites.map((suite) => ({
    ...suite,
    items: suite.items.slice(0, limit),
    methods: maxTokens === undefined ? suite.methods : suite.methods.map((one) => limited(one, maxTokens)),
  }))
}

function limited(method: Method, maxTokens: number): Method {
  const { id, fingerprint, strategy } = method
  return {
    id,
    fingerprint,
    strategy,
    requestOf(item) {
      const request = method.requestOf(item)
      return request.maxOutputTokens === undefined ? edit(request, { maxOutputTokens: maxTokens }) : request
    },
  }
}

function ruleOf({ exhaustive, guarantee, confidence, indifference, search }: EvaluateCommandOptions): DecisionRule {
  if (exhaustive === true && guarantee === true)
    throw new InvalidRequest('--exhaustive scores every cell, so there is nothing to prove: leave out --guarantee.', { path: 'guarantee' })
  if (exhaustive === true && search !== undefined && search !== 'uniform')
    throw new InvalidRequest(`--exhaustive scores every cell, whatever the search: leave out --search ${search}.`, { path: 'search' })
  if (guarantee === true && (search === 'racing' || search === 'ucb-e-lrf'))
    throw new InvalidRequest(
      `--search ${search} chooses by what was scored, so nothing can be proven with it. Leave it out (elimination is used), or leave out --guarantee.`,
      { path: 'search' },
    )
  const kind = exhaustive === true ? 'never' : guarantee === true || search === 'elimination' ? 'guaranteed' : 'posterior'
  return { kind, confidence, indifference }
}

async function openWorld(
  options: EvaluateCommandOptions,
  table: RecordedTable | undefined,
  limits: TrialLimits,
  deps: EvaluateDependencies,
): Promise<OpenedWorld> {
  const named = [options.config && '--config', options.url && '--url', options.recorded && '--recorded'].filter(
    (name) => typeof name === 'string' && name !== '',
  )
  if (named.length > 1) throw new InvalidRequest(`Answers come from one place: use one of ${named.join(', ')}.`, { path: 'config' })
  if (table) return { world: recordedWorld(table, { ...limits, seed: options.seed }), close: () => Promise.resolve() }
  if (options.url !== undefined) return remoteWorld(options.url, options.key ?? (deps.env['BURSAR_KEY'] || undefined), limits)
  const { file, config, warnings, notes } = await findConfig(options.config, deps)
  for (const text of [...warnings, ...(file === undefined ? notes : [])]) deps.report(`bursar: ${text}\n`)
  return gatewayWorld(config, limits)
}

/** The first interrupt lets what is under way come to its end, since it is paid for; the second ends it at once. */
function interruptible(deps: EvaluateDependencies): { readonly stop: AbortSignal; readonly abort: AbortSignal; end(): void } {
  const stop = new AbortController()
  const abort = new AbortController()
  const off = deps.onInterrupt(() => {
    if (stop.signal.aborted) return abort.abort(new BursarError('Stopped.', { code: 'client_closed_request', status: 499 }))
    deps.report('\nbursar: what is under way comes to its end, since it is paid for; interrupt again to end it at once.\n')
    stop.abort(new BursarError('Stopped.', { code: 'client_closed_request', status: 499 }))
  })
  return { stop: stop.signal, abort: abort.signal, end: off }
}

/** 0: as wanted, 1: calls fail, 130: interrupted. A budget that is spent is no fault. */
function exitCodeOf(summaries: readonly EvaluationSummary[]): number {
  if (summaries.some(({ stop }) => stop === 'interrupted')) return 130
  return summaries.some(({ stop }) => stop === 'failing') ? 1 : 0
}

function writeFiles(
  options: EvaluateCommandOptions,
  files: readonly string[],
  ended: readonly Evaluated[],
  summaries: readonly EvaluationSummary[],
): void {
  const { key: _secret, json, html, export: table, ...settings } = options
  if (json !== undefined)
    writeResult(
      '--json',
      json,
      `${JSON.stringify({ command: 'evaluate', seed: options.seed, data: ended.map(({ suite }, index) => ({ name: files[index] ?? suite.name, rows: suite.items.length })), settings, baselines: {}, results: summaries, seconds: Math.max(0, ...summaries.map(({ spent }) => spent.seconds)), version }, null, 2)}\n`,
    )
  if (html !== undefined) writeResult('--html', html, htmlOf(evaluationDocument(summaries)))
  if (table === undefined) return
  writeTable(table, rowsOf(ended))
}

function* rowsOf(ended: readonly Evaluated[]): Generator<OutcomeRow> {
  for (const { suite, score } of ended) for (const row of outcomeRows(suite, score)) yield rowOf(row, suite, ended.length)
}

/** Of several test sets an item is known by the name of its own too. */
function rowOf(row: OutcomeRow, { name }: Suite, suites: number): OutcomeRow {
  return suites > 1 ? { ...row, id: `${name}:${row.id}` } : row
}

function writeTable(file: string, rows: Iterable<OutcomeRow>): void {
  writeResultLines('--export', file, linesOf(rows))
}

function* linesOf(rows: Iterable<OutcomeRow>): Generator<string> {
  for (const row of rows) yield `${JSON.stringify(row)}\n`
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value]
}

function amount(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('A number above 0 was expected, such as 2.')
  return value
}

function amountOrZero(text: string): number {
  return text.trim() === '0' ? 0 : amount(text)
}

function whole(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('A whole number was expected.')
  return Number(text)
}

function positive(text: string): number {
  const value = whole(text)
  if (value < 1) throw new InvalidArgumentError('A whole number from 1 was expected.')
  return value
}

function share(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < 1)) throw new InvalidArgumentError('A number between 0 and 1 was expected, such as 0.95.')
  return value
}

function differenceOf(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value < 1))
    throw new InvalidArgumentError('A number from 0 and below 1 was expected, such as 0.01.')
  return value
}
