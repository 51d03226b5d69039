import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { Option, type Command } from 'commander'
import { BursarError } from '../../errors/index.js'
import { exportable, type Exportable } from '../../ledger/index.js'
import { count } from '../usage/figures.js'
import { usageProcess, type UsageDependencies } from '../usage/process.js'
import { openSource, withSourceOptions, type SourceOptions } from '../usage/source.js'
import { collect, path } from './report.js'

interface ExportOptions extends SourceOptions {
  readonly what: Exportable
  readonly format: 'jsonl' | 'csv'
  readonly from?: string
  readonly to?: string
  readonly where: readonly string[]
  readonly output?: string
}

/** Silence after which an export is given up. */
const patienceMs = 120_000

/** `bursar export`: the records themselves, for other tools. */
export function exportCommand(program: Command, deps: UsageDependencies = usageProcess()): void {
  withSourceOptions(
    program
      .command('export')
      .description('Write calls, decisions, outcomes or the outcome table to standard output, the newest first.')
      .addOption(new Option('--what <records>', 'which records').choices(exportable).makeOptionMandatory())
      .addOption(new Option('--format <format>', 'JSON Lines, or CSV').choices(['jsonl', 'csv']).default('jsonl'))
      .option(
        '--from <when>',
        'a date (2026-11-01), a moment (2026-11-01T12:00Z), or back from now (12h, 7d, 4w); default: the first of this month',
      )
      .option('--to <when>', 'the same; default: now')
      .option('--where <key=name>', 'only records of this key', collect, [])
      .option('-o, --output <file>', 'write to this file'),
  ).action(async (options: ExportOptions) => {
    const source = await openSource(options, deps)
    const progress = progressLine(deps)
    const silence = new AbortController()
    const timer = setTimeout(
      () =>
        silence.abort(new BursarError('The export was given up: nothing came for two minutes.', { code: 'upstream_timeout', status: 504 })),
      patienceMs,
    )
    const signal = AbortSignal.any([deps.signal, silence.signal])
    const sink = options.output === undefined ? { write: deps.print.bind(deps), end: () => Promise.resolve() } : fileSink(options.output)
    try {
      const response = await source.get(
        path(`/export/${options.what}`, { format: options.format, from: options.from, to: options.to }, options.where),
        signal,
      )
      const decoder = new TextDecoder()
      const reader = response.body?.getReader()
      const stop = () => void reader?.cancel().catch(() => undefined)
      signal.addEventListener('abort', stop, { once: true })
      for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
        timer.refresh()
        const text = decoder.decode(step.value, { stream: true })
        await sink.write(text)
        progress.add(text)
      }
      signal.throwIfAborted()
      await sink.end()
      progress.end()
    } catch (thrown) {
      progress.clear()
      if (signal.aborted)
        throw BursarError.is(signal.reason)
          ? signal.reason
          : new BursarError('The export was interrupted, and what was written is not all.', { code: 'client_closed_request', status: 499 })
      if (BursarError.is(thrown)) throw thrown
      throw new BursarError(
        `The export broke off, and what was written is not all (${thrown instanceof Error ? thrown.message : 'unknown'}).`,
        { code: 'stream_truncated', status: 502, cause: thrown },
      )
    } finally {
      clearTimeout(timer)
      await source.close()
    }
  })
}

function fileSink(file: string): { write(text: string): Promise<void>; end(): Promise<void> } {
  const stream = createWriteStream(file)
  const failed = once(stream, 'error').then(([fault]) => Promise.reject(fault instanceof Error ? fault : new Error(String(fault))))
  // Reported by whoever waits; without a waiter it is no unhandled rejection.
  failed.catch(() => undefined)
  return {
    async write(text) {
      if (!stream.write(text)) await Promise.race([once(stream, 'drain'), failed])
    },
    async end() {
      stream.end()
      await Promise.race([once(stream, 'finish'), failed])
    },
  }
}

/** A line on stderr that is kept up to date on a terminal, and a line every ten seconds elsewhere; the sum at the end. */
function progressLine({ report, terminal }: UsageDependencies): { add(text: string): void; end(): void; clear(): void } {
  const every = terminal ? 200 : 10_000
  let shown = performance.now()
  let [lines, bytes] = [0, 0]
  const clear = () => {
    if (terminal) report('\r\u001b[K')
  }
  return {
    add(text) {
      bytes += Buffer.byteLength(text)
      for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lines += 1
      const now = performance.now()
      if (now - shown < every) return
      shown = now
      report(terminal ? `\r\u001b[K${count(lines)} lines, ${count(bytes)}B` : `${count(lines)} lines, ${count(bytes)}B\n`)
    },
    end() {
      clear()
      report(`${lines.toLocaleString('en-US')} lines, ${count(bytes)}B\n`)
    },
    clear,
  }
}
