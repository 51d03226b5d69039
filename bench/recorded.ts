/**
 * `npm run bench:recorded`: serves real recorded answers through `bursar serve --recorded` in a process of its own, asks for every one of
 * them as a streaming client would, and checks that each arrives byte for byte and that the bill is tokens × price to the picodollar.
 * Exits 1 when anything differs. Needs the data sets (see `bench/data/source.ts`); nothing of them is written into the repository.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { InvalidArgumentError, Option } from 'commander'
import { drive, type DriveReport } from '../src/cli/drive/drive.js'
import { driveFormats, type DriveFormat } from '../src/cli/drive/formats.js'
import { reportLines } from '../src/cli/drive/report.js'
import { loadAlpacaEval } from './data/alpaca-eval.js'
import { writeTable, type LoadedTable } from './data/outcome-file.js'
import { loadRouteLlmGsm8k } from './data/routellm.js'
import { dataRoot, DataProblem } from './data/source.js'
import { benchCommand } from './options.js'
import { commandLine, packageVersion, writeReport, type Report } from './report.js'

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const KEY = 'sk-bench-recorded'
const START_SECONDS = 60

interface Settings {
  readonly test: string
  readonly concurrency: number
  readonly format: DriveFormat
  readonly stream: boolean
  readonly limit?: number
  readonly json?: string
}

interface Run {
  readonly name: string
  readonly notes: readonly string[]
  readonly report: DriveReport
}

const command = benchCommand('bench:recorded')
  .option('--test <dir>', 'folder that holds the data sets (default: $BURSAR_DATA)', dataRoot())
  .option('--train <dir>', 'not used: nothing is fitted here')
  .option('--concurrency <number>', 'calls at the same time', positive, 32)
  .addOption(new Option('--format <format>', 'which endpoint is driven').choices(driveFormats).default('openai-chat'))
  .option('--no-stream', 'ask for answers in one piece')
  .option('--limit <rows>', 'only the first rows of each data set', positive)
  .option('--json <file>', 'also write the report as JSON')
  .parse()
const settings = command.opts<Settings>()

try {
  process.exitCode = (await bench()) ? 0 : 1
} catch (thrown) {
  process.stderr.write(
    `bench:recorded: ${thrown instanceof DataProblem ? thrown.message : thrown instanceof Error ? thrown.stack : String(thrown)}\n`,
  )
  process.exitCode = 1
}

async function bench(): Promise<boolean> {
  const started = performance.now()
  if (!existsSync(CLI)) throw new Error(`${CLI} doesn't exist: run "npm run build" first`)
  const tables = [loadAlpacaEval(join(settings.test, 'alpaca_eval')), loadRouteLlmGsm8k(join(settings.test, 'routellm'))]
  const folder = mkdtempSync(join(tmpdir(), 'bursar-recorded-'))
  const runs: Run[] = []
  try {
    for (const table of tables) runs.push(await measure(table, folder))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const ok = runs.every(({ report }) => report.ok)
  console.log(ok ? '\nEvery answer arrived byte for byte, and every bill is tokens × price.' : '\nNOT as recorded: see above.')
  if (settings.json !== undefined) writeReport(settings.json, reportOf(tables, runs, started))
  return ok
}

/** Serves one table and drives it. */
async function measure(table: LoadedTable, folder: string): Promise<Run> {
  const file = join(folder, `${table.name}.jsonl`)
  const rows = await writeTable(table, file)
  const gateway = await serve(file)
  try {
    const { concurrency, format, stream, limit } = settings
    const report = await drive({ requests: file, baseUrl: gateway.url, key: KEY, concurrency, format, stream, limit })
    console.log(
      `\n${table.name}: ${rows} rows, ${format}${stream ? ' streaming' : ''}, concurrency ${concurrency}; ${table.notes.join('; ')}`,
    )
    console.log(reportLines(report).join('\n'))
    return { name: table.name, notes: table.notes, report }
  } finally {
    await stop(gateway.child)
  }
}

/** Starts the built command on a free loopback port and waits for its address. */
async function serve(file: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [CLI, 'serve', '--recorded', file, '--speed', 'instant', '--port', '0', '--key', KEY], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, BURSAR_KEY: '' },
  })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)))
  const lines = createInterface({ input: child.stdout })
  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`bursar serve said no address within ${START_SECONDS} s\n${said}`)),
      START_SECONDS * 1000,
    )
    lines.on('line', (line) => {
      const found = /listening on (http:\/\/\S+)/.exec(line)
      if (!found) return
      clearTimeout(late)
      resolve(found[1] as string)
    })
    child.once('exit', (code) => {
      clearTimeout(late)
      reject(new Error(`bursar serve ended with ${code}\n${said}`))
    })
  }).catch(async (thrown: unknown) => {
    await stop(child)
    throw thrown
  })
  return { child, url }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const impatient = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(impatient)
}

function reportOf(tables: readonly LoadedTable[], runs: readonly Run[], started: number): Report {
  const { json: _file, test: _folder, ...kept } = settings
  return {
    command: commandLine('bench:recorded'),
    // Nothing is drawn: every recorded answer is asked for once.
    seed: null,
    data: tables.flatMap(({ sources }) => sources),
    settings: kept,
    baselines: {},
    results: Object.fromEntries(
      runs.map(({ name, notes, report }) => [
        name,
        {
          ok: report.ok,
          rows: report.rows,
          notes,
          total: report.total,
          models: Object.fromEntries(report.models),
          mismatches: report.mismatches,
          seconds: report.seconds,
        },
      ]),
    ),
    seconds: (performance.now() - started) / 1000,
    version: packageVersion(),
  }
}

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.')
  return value
}
