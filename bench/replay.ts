// How fast a log replays, in which memory: reading and policies that predict nothing, and decisions by predictors that were trained before or learn on the way.
// Usage: npm run bench:replay [-- --rows N --predicted N --learned N --predictors domain,ridge --threads N --test FILE --seed N --json FILE]
// The log is made by a seed and deleted afterwards; --test (and --train) take outcome tables of your own instead. Each part runs in a process of its own.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, Option } from 'commander'
import { namedObjectives } from '../src/routing/index.js'
import { openLog, replayLog, surveyLog } from '../src/evaluation/index.js'
import { childRandom } from '../src/statistics/index.js'
import { commandLine, packageVersion, table, writeReport } from './report.js'

const values = new Command('bench:replay')
  .description(
    'How fast a log replays, in which memory. A row is one request with the outcomes of five models. Takes some minutes on two quiet cores.',
  )
  .option('--rows <number>', 'rows of the log, which reading and fixed policies take all of', '1000000')
  .option('--predicted <number>', 'rows decided by a predictor that was trained before', '200000')
  .option('--learned <number>', 'rows decided while learning from them', '5000')
  .option('--predictors <names>', 'separated by commas', 'domain,ridge,knn')
  .option('--threads <number>', 'that decide, where the predictor was trained before (default: one a processor, at most 4)')
  .option('--train <file>', 'outcome table of your own to learn from')
  .option('--test <file>', 'log of your own')
  .option('--seed <number>', 'of the made log', '1')
  .option('--json <file>', 'also write the report as JSON')
  .addOption(new Option('--part <name>').hideHelp())
  .addOption(new Option('--file <file>').hideHelp())
  .addOption(new Option('--trained <file>').hideHelp())
  .parse()
  .opts<
    Record<'rows' | 'predicted' | 'learned' | 'predictors' | 'seed', string> &
      Partial<Record<'threads' | 'train' | 'test' | 'json' | 'part' | 'file' | 'trained', string>>
  >()
const seed = Number(values.seed)
/** Wanted of the issue: rows a second, and bytes of memory. */
const wanted = { rowsPerSecond: 50_000, megabytes: 1_000 }

interface Measured {
  readonly part: string
  readonly rows: number
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMegabytes: number
  /** Resident memory at the end less that after a tenth of the rows. */
  readonly growthMegabytes: number
}

const [partKind = '', predictor = 'domain'] = (values.part ?? '').split(' ')
if (values.part !== undefined && values.file !== undefined) process.stdout.write(`${JSON.stringify(await measure(values.file))}\n`)
else await all()

async function all(): Promise<void> {
  const startedAt = performance.now()
  const folder = mkdtempSync(join(tmpdir(), 'bursar-bench-replay-'))
  try {
    const file = values.test ?? join(folder, 'log.jsonl')
    const trained = values.train ?? join(folder, 'train.jsonl')
    tell(`a log of ${Number(values.rows).toLocaleString('en-US')} rows`)
    if (values.test === undefined) await writeLog(file, Number(values.rows), 'log')
    if (values.train === undefined) await writeLog(trained, 1_000, 'train')
    const predictors = values.predictors.split(',').filter((name) => name !== '')
    const parts = ['read', 'fixed', ...predictors.map((name) => `trained ${name}`), ...predictors.map((name) => `learning ${name}`)]
    const results = parts.map((part, at) => {
      tell(`part ${at + 1} of ${parts.length}: ${part}`)
      return run(part, file, trained)
    })
    process.stdout.write(`${Math.round(statSync(file).size / 2 ** 20)} MB, seed ${seed}, ${availableParallelism()} processors. `)
    process.stdout.write('A row is one request with the outcomes of five models; CPU seconds are of all threads.\n\n')
    const rows = results.map(({ part, rows: count, seconds, cpuSeconds, peakMegabytes, growthMegabytes }) => [
      part,
      count.toLocaleString('en-US'),
      Math.round(count / seconds).toLocaleString('en-US'),
      cpuSeconds.toFixed(1),
      Math.round(count / cpuSeconds).toLocaleString('en-US'),
      peakMegabytes.toFixed(0),
      growthMegabytes.toFixed(0),
      verdictOf(count / seconds, count / cpuSeconds, peakMegabytes),
    ])
    const right = (title: string) => ({ title, align: 'right' as const })
    process.stdout.write(
      `${table(['part', right('rows'), right('rows/s'), right('CPU s'), right('rows/CPU s'), right('peak MB'), right('growth MB'), '50,000 rows/s in < 1 GB'], rows)}\n`,
    )
    if (values.json !== undefined)
      writeReport(values.json, {
        command: commandLine('bench:replay'),
        seed,
        data: [],
        settings: { ...values, file: undefined, part: undefined },
        baselines: {},
        results,
        seconds: (performance.now() - startedAt) / 1000,
        version: packageVersion(),
      })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** How far it is: not part of the result. */
function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}

/** On a busy machine the clock tells of the others: CPU time is what one core would take. */
function verdictOf(bySeconds: number, byCpu: number, megabytes: number): string {
  if (megabytes >= wanted.megabytes) return 'not reached'
  return bySeconds >= wanted.rowsPerSecond ? 'reached' : byCpu >= wanted.rowsPerSecond ? 'by CPU time' : 'not reached'
}

function run(part: string, file: string, trained: string): Measured {
  const given = [
    '--part',
    part,
    '--file',
    file,
    '--trained',
    trained,
    '--predicted',
    values.predicted,
    '--learned',
    values.learned,
    '--seed',
    values.seed,
  ]
  const threads = values.threads === undefined ? [] : ['--threads', values.threads]
  const { stdout, status } = spawnSync(process.execPath, [...process.execArgv, fileURLToPath(import.meta.url), ...given, ...threads], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`${part} failed.`)
  return JSON.parse(stdout) as Measured
}

async function measure(file: string): Promise<Measured> {
  const log = await openLog(file)
  const { arms } = await surveyLog(log)
  const limit = partKind === 'trained' ? Number(values.predicted) : partKind === 'learning' ? Number(values.learned) : undefined
  const memory: { readonly rows: number; readonly rss: number }[] = []
  let told = 0
  const look = (rows: number) => {
    if (rows >= told + 100_000) tell(`  ${(told = rows).toLocaleString('en-US')} rows`)
    if (rows >= (memory.at(-1)?.rows ?? 0) + 2_000) memory.push({ rows, rss: process.memoryUsage().rss })
  }
  const trainFile = partKind === 'trained' ? values.trained : undefined
  const threads = values.threads === undefined ? undefined : Number(values.threads)
  const { signal } = new AbortController()
  const settings = { arms, reference: arms[0] ?? '', predictor, warmUp: 0, margin: 0.02, limit, threads, seed, signal }
  // What training takes is told by the time of a replay of nothing, and not counted.
  if (trainFile !== undefined) await replayLog(log, { ...settings, trainFile, objectives: namedObjectives, limit: 1 })
  const training = performance.now()
  const trainingCpu = process.cpuUsage()
  if (trainFile !== undefined) await replayLog(log, { ...settings, trainFile, objectives: namedObjectives, limit: 1 })
  const trainedIn = performance.now() - training
  const cpuTrained = process.cpuUsage(trainingCpu)
  const startedAt = performance.now()
  const cpu = process.cpuUsage()
  let rows = 0
  if (partKind === 'read') {
    for await (const batch of log.rows()) look((rows += batch.length))
  } else {
    const done = await replayLog(log, {
      ...settings,
      trainFile,
      objectives: partKind === 'fixed' ? {} : namedObjectives,
      onProgress: ({ rows: at }) => look(at),
    })
    rows = done.requests
  }
  const { user, system } = process.cpuUsage(cpu)
  const early = memory.find(({ rows: at }) => at >= rows / 10) ?? memory[0]
  return {
    part: values.part ?? '',
    rows,
    seconds: (performance.now() - startedAt - trainedIn) / 1000,
    cpuSeconds: (user + system - cpuTrained.user - cpuTrained.system) / 1e6,
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
    growthMegabytes: ((memory.at(-1)?.rss ?? 0) - (early?.rss ?? 0)) / 2 ** 20,
  }
}

/** Requests of 8 to 28 words, five models with quality, dollars, tokens and seconds: about 720 bytes a row. */
async function writeLog(file: string, rows: number, name: string): Promise<void> {
  const random = childRandom(seed, name)
  const models = ['openai/gpt-5', 'openai/gpt-5-mini', 'anthropic/claude-haiku-4-5', 'meta/llama-3.3-70b', 'mistral/small']
  const words =
    'river city model proof integral python function history translate sentence summary table query error account value number matrix graph theorem water energy price market contract patient dose light garden music'.split(
      ' ',
    )
  const out = createWriteStream(file)
  for (let row = 0; row < rows; row++) {
    const length = 8 + Math.floor(20 * random.next())
    const text = Array.from(
      { length },
      () => `${words[Math.floor(random.next() ** 2 * words.length)] ?? ''}${random.next() < 0.05 ? Math.floor(1000 * random.next()) : ''}`,
    ).join(' ')
    const outcomes = Object.fromEntries(
      models.map((model, rank) => [
        model,
        {
          quality: random.next() < 0.9 - 0.1 * rank - (length > 18 ? 0.1 * rank : 0) ? 1 : 0,
          usd: Number(((0.01 / 4 ** rank) * (0.5 + random.next())).toPrecision(4)),
          inputTokens: 10 + 2 * length,
          outputTokens: Math.floor(50 + 300 * random.next()),
          seconds: Number((1 + 4 * random.next()).toFixed(3)),
        },
      ]),
    )
    if (
      !out.write(`${JSON.stringify({ id: `${name}-${row}`, request: { messages: [{ role: 'user', content: `${text}?` }] }, outcomes })}\n`)
    )
      await once(out, 'drain')
  }
  out.end()
  await once(out, 'finish')
}
