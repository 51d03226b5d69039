export interface ProgressOutput {
  /** Progress: not part of the answer. */
  readonly report: (text: string) => void
  /** Whether the output is a terminal, where a line can be kept up to date. */
  readonly terminal: boolean
  /** Milliseconds that only ever grow. */
  readonly now: () => number
}

export interface ReadingProgress {
  show(done: { readonly bytes: number; readonly rows: number }): void
  end(): void
}

/**
 * Tells how far reading a file is: a line kept up to date on a terminal (share, bar, rows a second, time left), a line every few
 * seconds elsewhere, and nothing of what is done in a moment.
 */
export function readingProgress(totalBytes: number, { report, terminal, now }: ProgressOutput): ReadingProgress {
  const every = terminal ? 200 : 3_000
  const started = now()
  let begun: { readonly at: number; readonly rows: number; readonly bytes: number } | undefined
  let shown = started
  let drawn = false
  return {
    show(done) {
      const at = now()
      // Rates count from the first look, so that what a checkpoint had done isn't speed.
      begun ??= { at, ...done }
      if (at - shown < every) return
      shown = at
      const share = Math.min(1, done.bytes / Math.max(1, totalBytes))
      const seconds = (at - begun.at) / 1000
      const rate = seconds > 0 ? (done.rows - begun.rows) / seconds : 0
      const bytesRate = seconds > 0 ? (done.bytes - begun.bytes) / seconds : 0
      const left = bytesRate > 0 ? ` · ${duration((totalBytes - done.bytes) / bytesRate)} left` : ''
      const text = `${Math.floor(100 * share)} % · ${done.rows.toLocaleString('en-US')} rows · ${Math.round(rate).toLocaleString('en-US')} rows/s${left}`
      report(terminal ? `\r\u001b[K${bar(share)} ${text}` : `${text}\n`)
      drawn = terminal
    },
    end() {
      if (drawn) report('\r\u001b[K')
      drawn = false
    },
  }
}

function bar(share: number): string {
  const width = 20
  const full = Math.round(width * share)
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`
}

function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}
