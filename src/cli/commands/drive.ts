import { InvalidArgumentError, Option, type Command } from 'commander'
import { drive, tableName, type DriveReport } from '../drive/drive.js'
import { driveFormats, type DriveFormat } from '../drive/formats.js'
import { reportLines } from '../drive/report.js'
import { version } from '../version.js'
import { writeResult } from '../written-file.js'

interface CommandOptions {
  readonly requests: string
  readonly baseUrl: string
  readonly key?: string
  readonly concurrency: number
  readonly models?: readonly string[]
  readonly stream: boolean
  readonly format: DriveFormat
  readonly limit?: number
  readonly prices?: string
  readonly json?: string
}

/** `bursar drive`: sends the requests of an outcome table and checks answers and bill. */
export function driveCommand(program: Command): void {
  program
    .command('drive')
    .description(
      'Send the requests of an outcome table to a gateway as a real client would, and compare every answer and the bill with what was recorded.',
    )
    .requiredOption('--requests <file>', 'outcome table (JSON Lines, may be gzipped)')
    .option('--base-url <url>', 'address of the gateway', 'http://127.0.0.1:8787')
    .option('--key <key>', 'key to send (also: BURSAR_KEY)')
    .option('--concurrency <number>', 'calls at the same time', wholeNumber, 16)
    .option('--models <names>', 'only these models, separated by commas', (names: string) =>
      names
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    )
    .option('--stream', 'ask for streams', true)
    .option('--no-stream', 'ask for answers in one piece')
    .addOption(new Option('--format <format>', 'which endpoint to use').choices(driveFormats).default('openai-chat'))
    .option('--limit <rows>', 'only the first rows', wholeNumber)
    .option('--prices <file>', 'prices in dollars per million tokens (default: the .prices.json beside the table)')
    .option('--json <file>', 'also write the report as JSON')
    .action(run)
}

async function run(options: CommandOptions): Promise<void> {
  const stop = new AbortController()
  const onInterrupt = () => stop.abort(new Error('interrupted'))
  process.once('SIGINT', onInterrupt)
  const progress = progressLine()
  try {
    const report = await drive({
      requests: options.requests,
      baseUrl: options.baseUrl,
      key: options.key ?? (process.env['BURSAR_KEY'] || undefined),
      concurrency: options.concurrency,
      models: options.models,
      stream: options.stream,
      format: options.format,
      limit: options.limit,
      pricesFile: options.prices,
      signal: stop.signal,
      progress: progress.show,
    })
    progress.end()
    process.stdout.write(`${reportLines(report).join('\n')}\n`)
    if (options.json !== undefined) writeResult('--json', options.json, `${JSON.stringify(driveJson(report, options), null, 2)}\n`)
    if (!report.ok) process.exitCode = 1
  } catch (thrown) {
    progress.end()
    if (!stop.signal.aborted) throw thrown
    process.stderr.write('bursar: interrupted\n')
    process.exitCode = 130
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

/** The report in the form that all measuring commands share. */
function driveJson(report: DriveReport, options: CommandOptions): object {
  const { key: _secret, json: _file, ...settings } = options
  return {
    command: 'drive',
    // Nothing is drawn: every row is sent once.
    seed: null,
    data: [{ name: tableName(options.requests), rows: report.rows, sha256: report.sha256 ?? null }],
    settings,
    baselines: {},
    results: { ok: report.ok, total: report.total, models: Object.fromEntries(report.models), mismatches: report.mismatches },
    seconds: report.seconds,
    version,
  }
}

/** A line on stderr that is kept up to date on a terminal, and a line every ten seconds elsewhere. */
function progressLine(): { show(calls: number, wrong: number): void; end(): void } {
  const terminal = process.stderr.isTTY
  const every = terminal ? 200 : 10_000
  const started = performance.now()
  let shown = started
  return {
    show(calls, wrong) {
      const now = performance.now()
      if (now - shown < every) return
      shown = now
      const text = `${calls} calls, ${wrong} wrong, ${Math.round((calls / (now - started)) * 1000)}/s`
      process.stderr.write(terminal ? `\r\u001b[K${text}` : `${text}\n`)
    },
    end() {
      if (terminal) process.stderr.write('\r\u001b[K')
    },
  }
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0.')
  return value
}
