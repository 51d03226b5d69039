import type { SourceDependencies } from './source.js'

/** What the commands that read the ledger need from outside. */
export interface UsageDependencies extends SourceDependencies {
  /** To standard output: results. Resolves (or returns) when there is room for more. */
  print(text: string): void | Promise<void>
  /** To standard error: progress and notes. */
  report(text: string): void
  readonly terminal: boolean
  /** Columns of a line. */
  readonly width: number
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal
}

/** The process itself. */
export function usageProcess(): UsageDependencies {
  const interrupted = new AbortController()
  return {
    env: process.env,
    async openReader(settings) {
      const { openLedgerReader } = await import('../../ledger/index.js')
      return openLedgerReader(settings)
    },
    now: () => Date.now() / 1000,
    async print(text) {
      if (process.stdout.write(text) || process.stdout.destroyed) return
      await new Promise<void>((resolve) => {
        const done = () => {
          process.stdout.off('drain', done).off('close', done)
          resolve()
        }
        process.stdout.on('drain', done).on('close', done)
      })
    },
    report: (text) => void process.stderr.write(text),
    terminal: process.stderr.isTTY === true,
    width: Math.min(100, Math.max(80, process.stdout.columns ?? 80)),
    get signal() {
      // Only a command that runs catches the interrupt; the second one ends the process as always.
      process.once('SIGINT', () => interrupted.abort(new Error('interrupted')))
      return interrupted.signal
    },
  }
}
