import { createHash, type Hash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import {
  htmlOf,
  metricTitle,
  rankedArms,
  scoreMetrics,
  scoreReplay,
  scoreReport,
  scoreTable,
  scoreText,
  type ScoredMetric,
  type TableScores,
} from '../../evaluation/index.js'
import { printable, table, wrap } from '../table.js'
import { version } from '../version.js'
import { writeResult } from '../written-file.js'

interface ScoreOptions {
  readonly metric: readonly string[]
  readonly list?: boolean
  readonly arms?: string
  readonly reference?: string
  readonly strong?: string
  readonly weak?: string
  readonly scores?: string
  readonly by?: 'category'
  readonly cost: 'usd' | 'tokens' | 'seconds' | 'joules'
  readonly k: number
  readonly budgets: readonly number[]
  readonly resamples: number
  readonly seed: number
  readonly lenient?: boolean
  readonly json?: string
  readonly html?: string
}

export interface ScoreDependencies {
  readonly print: (text: string) => void
  /** Progress, faults: not part of the answer. */
  readonly report: (text: string) => void
  readonly width: number
  readonly signal: AbortSignal
  exitWith(code: number): void
}

const scoreProcess = (): ScoreDependencies => {
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

/** `bursar score`: what each arm of an outcome table gave for what it took, by the field's metrics, with intervals. */
export function scoreCommand(program: Command, deps: ScoreDependencies = scoreProcess()): void {
  program
    .command('score')
    .description(
      'Score an outcome table: quality, cost of a success, and what each arm gave for its dollars, tokens, seconds and joules, with 95 % intervals.',
    )
    .argument(
      '[file]',
      'outcome table (JSON Lines, also gzipped: requests with what several arms gave and took), or what replay --json wrote',
    )
    .option('--metric <id>', 'only this metric; may be repeated (--list names them; default: all that the table allows)', collect, [])
    .option('--list', 'explain each metric: unit, formula, paper; score nothing')
    .option('--arms <names>', 'only these arms, parted by commas')
    .option('--reference <arm>', 'what the others are held against: differences, coverage, token elasticity, 3E')
    .option('--strong <arm>', 'the dear end of the gap, for PGR, APGR and CPT')
    .option('--weak <arm>', 'the cheap end of the gap')
    .option('--scores <file>', 'a router’s ranking for APGR and CPT: JSON Lines of {"id", "score"}, the highest go to --strong first')
    .addOption(new Option('--by <field>', 'each category on its own too').choices(['category']))
    .addOption(
      new Option('--cost <field>', 'what counts as cost for the front, AIQ and DPS')
        .choices(['usd', 'tokens', 'seconds', 'joules'])
        .default('usd'),
    )
    .option('--k <samples>', 'samples that eff@k and pass@k may draw', positive, 1)
    .option(
      '--budgets <tokens>',
      'budgets of generated tokens for EQA, parted by commas',
      budgets,
      [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384],
    )
    .option('--resamples <number>', 'draws of the bootstrap; 0 for no intervals', whole, 400)
    .option('--seed <number>', 'seed of the bootstrap', whole, 1)
    .option('--lenient', 'exit with 0 even if rows were wrong and left out')
    .option('--json <file>', 'write the figures as JSON too')
    .option('--html <file>', 'write them as one self-contained page too')
    .action(async (file: string | undefined, options: ScoreOptions) => {
      if (options.list === true) return deps.print(listText(options.metric, deps.width))
      if (file === undefined)
        throw new InvalidRequest(
          'Say which outcome table is to be scored: bursar score FILE. (bursar score --list explains the metrics.)',
          { path: 'file' },
        )
      const began = Date.now()
      const digest = createHash('sha256')
      const progress = progressOf(file, deps)
      const replayed = replayResult(file, options, digest)
      const scores =
        replayed ??
        (await scoreTable(file, {
          metrics: options.metric.length === 0 ? undefined : options.metric,
          arms: options.arms?.split(',').map((arm) => arm.trim()),
          reference: options.reference,
          strong: options.strong,
          weak: options.weak,
          scores: options.scores === undefined ? undefined : readScores(options.scores),
          byCategory: options.by === 'category',
          k: options.k,
          budgets: options.budgets,
          cost: options.cost === 'tokens' ? 'generatedTokens' : options.cost,
          draws: options.resamples,
          seed: options.seed,
          signal: deps.signal,
          onBytes: (bytes) => {
            digest.update(bytes)
            progress(bytes.byteLength)
          },
          onFault: faultTeller(deps),
        }))
      deps.print(scoresText(scores, deps.width))
      if (options.json !== undefined) {
        const { metrics, categories, ...rest } = scores
        const data = [{ name: basename(file), rows: scores.requests, sha256: digest.digest('hex') }]
        const command = `bursar score ${file}`
        const settings = { ...options, metric: metrics.map(({ metric }) => metric.id) }
        const results = { ...rest, metrics, categories }
        const seconds = (Date.now() - began) / 1_000
        writeResult(
          '--json',
          options.json,
          jsonText({ command, seed: options.seed, data, settings, baselines: {}, results, seconds, version }),
        )
      }
      if (options.html !== undefined) writeResult('--html', options.html, htmlOf(scoreReport(scores, basename(file))))
      if (scores.leftOut > 0 && options.lenient !== true) deps.exitWith(1)
    })
}

/** Larger files are no results of a replay. */
const mostResultBytes = 8e6

/**
 * The scores of a file that `bursar replay --json` wrote, whose bytes go into `digest`; `null` for any other. Throws `InvalidRequest`
 * for what is no file.
 */
function replayResult(file: string, { metric }: ScoreOptions, digest: Hash): TableScores | null {
  const found = statSync(file, { throwIfNoEntry: false })
  if (found?.isDirectory())
    throw new InvalidRequest(`${file} is a folder. Name the outcome table in it: bursar score ${join(file, 'outcomes.jsonl')}.`, {
      path: 'file',
    })
  if (!found?.isFile() || found.size === 0 || found.size > mostResultBytes) return null
  const bytes = readFileSync(file)
  const scores = scoreReplay(bytes.toString('utf8'))
  if (scores === null) return null
  digest.update(bytes)
  if (metric.length === 0) return scores
  const metrics = scores.metrics.filter((one) => metric.includes(one.metric.id))
  if (metrics.length === 0)
    throw new InvalidRequest(
      `The result of a replay tells ${scores.metrics.map((one) => one.metric.id).join(', ')} only; for ${metric.join(', ')} score the outcome table itself.`,
      { path: 'metric' },
    )
  return { ...scores, metrics }
}

/** What is told of rankings of requests, not of arms. */
const rankingIds: readonly string[] = ['apgr', 'cpt50', 'cpt80']

/** Tables of two metrics beside each other: with their intervals no more fit in 80 columns. */
function scoresText(scores: TableScores, width: number): string {
  const arms = rankedArms(scores)
  const side = width >= 110 ? 3 : 2
  const intervals = scores.draws > 0 ? ' In brackets: 95 % intervals by a bootstrap over requests.' : ''
  const about = `${counted(scores.requests, 'request')}, ${counted(arms.length, 'arm')}.${intervals} bursar score --list explains the metrics.`
  const parts = [`${wrap(about, width).join('\n')}\n`]
  parts.push(...tablesOf(arms, scores.metrics, side, width))
  for (const { name, requests, metrics } of scores.categories)
    parts.push(`Category "${printable(name)}", ${counted(requests, 'request')}\n`, ...tablesOf(arms, metrics, side, width))
  const notes = [
    ...whyNot(scores.metrics),
    ...(scores.strangers > 0
      ? [`${scores.strangers} outcomes are of other arms and weren't scored${arms.length > 0 ? '; --arms names those that are' : ''}.`]
      : []),
    ...(scores.leftOut > 0 ? [`${scores.leftOut} rows of the table were wrong and left out.`] : []),
  ]
  return `${[...parts, ...(notes.length > 0 ? [`${notes.flatMap((note) => wrap(printable(note), width)).join('\n')}\n`] : [])].join('\n')}`
}

function tablesOf(arms: readonly string[], metrics: readonly ScoredMetric[], side: number, width: number): string[] {
  const told = metrics.filter(({ scores }) => Object.keys(scores).length > 0)
  const isArm = ({ metric, scores }: ScoredMetric) => !rankingIds.includes(metric.id) && !('' in scores)
  const ofArms = told.filter(isArm)
  const others = told.filter((one) => !isArm(one))
  const sets = others.filter(({ scores }) => '' in scores)
  const rankings = others.filter(({ scores }) => !('' in scores))
  const block = (rows: readonly string[], title: string, some: readonly ScoredMetric[]) =>
    table(
      [
        { title, cut: 'middle', least: 14 },
        ...some.map(({ metric: { id, unit } }) => ({ title: `${id}${unit === '' ? '' : ` (${unit})`}`, align: 'right' as const })),
      ],
      rows.map((row) => [row, ...some.map(({ scores, metric }) => (scores[row] ? scoreText(scores[row], metric.unit) : ''))]),
      width,
    )
  const chunked = (some: readonly ScoredMetric[]) =>
    Array.from({ length: Math.ceil(some.length / side) }, (_, index) => some.slice(index * side, (index + 1) * side))
  return [
    ...chunked(ofArms).map((some) => block(arms, 'ARM', some)),
    ...chunked(rankings).map((some) => block(Object.keys(some[0]?.scores ?? {}), 'RANKING', some)),
    ...(sets.length > 0
      ? [
          table(
            [
              { title: 'ALL ARMS TOGETHER', cut: 'end', least: 14 },
              { title: 'VALUE', align: 'right' },
            ],
            sets.map((one) => [`${one.metric.id}: ${metricTitle(one)}`, one.scores[''] ? scoreText(one.scores[''], one.metric.unit) : '?']),
            width,
          ),
        ]
      : []),
  ]
}

function counted(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`
}

/** Why metrics couldn't be told or lack outcomes, those of one reason together. */
function whyNot(metrics: readonly ScoredMetric[]): string[] {
  const told = (kind: string, some: readonly ScoredMetric[]) => {
    const reasons = new Map<string, string[]>()
    for (const { metric, missing } of some) if (missing !== undefined) reasons.set(missing, [...(reasons.get(missing) ?? []), metric.id])
    return [...reasons].map(([why, ids]) => `${kind}: ${ids.join(', ')}. ${why}`)
  }
  const isTold = ({ scores }: ScoredMetric) => Object.keys(scores).length > 0
  return [
    ...told(
      'Not told',
      metrics.filter((one) => !isTold(one)),
    ),
    ...told('In part', metrics.filter(isTold)),
  ]
}

function listText(wanted: readonly string[], width: number): string {
  const unknown = wanted.find((id) => scoreMetrics.every((metric) => metric.id !== id))
  if (unknown !== undefined)
    throw new InvalidRequest(`There is no metric "${unknown}". There are ${scoreMetrics.map(({ id }) => id).join(', ')}.`, {
      path: 'metric',
    })
  const told = scoreMetrics.filter(({ id }) => wanted.length === 0 || wanted.includes(id))
  const blocks = told.map(({ id, title, unit, formula, source, better }) =>
    [
      `${id}: ${title}${unit === '' ? '' : ` in ${unit}`} (${better === 'neither' ? 'neither way better' : `${better} is better`})`,
      ...wrap(formula, width - 2).map((line) => `  ${line}`),
      ...wrap(`Source: ${source}`, width - 2).map((line) => `  ${line}`),
    ].join('\n'),
  )
  const library =
    'From the library alone, since no outcome table holds what they need: information capacity (132), TPME (127), idealized runtime by prompt length (087), tool-call reward (185), eff@k over several levels (138).'
  return `${[...blocks, ...(wanted.length === 0 ? [wrap(library, width).join('\n')] : [])].join('\n\n')}\n`
}

/** A router's scores. Throws `InvalidRequest` that names file, row and field. */
function readScores(file: string): ReadonlyMap<string, number> {
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (thrown) {
    throw new InvalidRequest(`--scores: ${file} can't be read: ${thrown instanceof Error ? thrown.message : 'unreadable'}`, {
      path: 'scores',
    })
  }
  const scores = new Map<string, number>()
  for (const [index, line] of content.split('\n').entries()) {
    if (line.trim() === '') continue
    const wrong = (what: string) =>
      new InvalidRequest(`--scores: ${file}, row ${index + 1}: ${what}. A row is {"id": "…", "score": 0.7}.`, {
        path: `scores.row ${index + 1}`,
      })
    let row: unknown
    try {
      row = JSON.parse(line)
    } catch {
      throw wrong('is not JSON')
    }
    if (typeof row !== 'object' || row === null || !('id' in row) || typeof row.id !== 'string') throw wrong('id: a text was expected')
    if (!('score' in row) || typeof row.score !== 'number' || !Number.isFinite(row.score))
      throw wrong('score: a finite number was expected')
    if (scores.has(row.id)) throw wrong(`id: "${row.id}" stands in an earlier row already`)
    scores.set(row.id, row.score)
  }
  return scores
}

/** JSON knows neither `NaN` nor infinity: what is unknown is `null`, what has no bound is told in words. */
function jsonText(value: unknown): string {
  return `${JSON.stringify(value, (_, one: unknown) => (typeof one !== 'number' || Number.isFinite(one) ? one : Number.isNaN(one) ? null : one > 0 ? 'Infinity' : '-Infinity'), 2)}\n`
}

/** Tells how far it is every few seconds, where somebody waits long enough to wonder. */
function progressOf(file: string, deps: ScoreDependencies): (bytes: number) => void {
  const total = statSync(file, { throwIfNoEntry: false })?.size ?? 0
  let done = 0
  let told = Date.now()
  return (bytes) => {
    done += bytes
    if (Date.now() - told < 3_000) return
    told = Date.now()
    deps.report(`${Math.min(100, Math.floor((100 * done) / Math.max(1, total)))} % read\n`)
  }
}

const mostFaultsTold = 10

/** Names the first few rows that are wrong; the summary counts them all. */
function faultTeller(deps: ScoreDependencies): (fault: BursarError) => void {
  let told = 0
  return (fault) => {
    told += 1
    if (told <= mostFaultsTold) deps.report(`bursar: ${printable(fault.message)} Left out.\n`)
    else if (told === mostFaultsTold + 1) deps.report('bursar: more rows are wrong; the rest are counted only.\n')
  }
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, ...value.split(',').map((one) => one.trim())]
}

function whole(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('A whole number was expected.')
  return Number(text)
}

function positive(text: string): number {
  const value = whole(text)
  if (value === 0) throw new InvalidArgumentError('A whole number above 0 was expected.')
  return value
}

function budgets(text: string): readonly number[] {
  const values = text.split(',').map(Number)
  if (values.length === 0 || values.some((value) => !(value > 0) || !Number.isFinite(value)))
    throw new InvalidArgumentError('Numbers above 0 were expected, such as 100,500,2000.')
  return values
}
