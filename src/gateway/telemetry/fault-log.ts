import { BursarError } from '../../errors/index.js'
import type { LedgerFault } from '../../ledger/index.js'
import { mask } from './describe-error.js'
import type { Logger } from './log.js'

/** What goes on as long as its cause does, such as a database that is away: told at growing intervals. Others are told each time. */
const repeated: ReadonlySet<LedgerFault['kind']> = new Set(['store', 'journal', 'retention'])
/** Until a fault that goes on is told again, and the longest that this grows to; milliseconds. */
const FIRST_PAUSE_MS = 30_000
const LONGEST_PAUSE_MS = 30 * 60_000
/** So long without a fault, it is over: longer than any pause between two tries, and than a try may take. Milliseconds. */
const OVER_MS = 30_000

interface Going {
  readonly since: number
  last: number
  /** Faults that were not told, since the last that was. */
  untold: number
  toldAt: number
  pause: number
  readonly over: NodeJS.Timeout
}

/**
 * Faults of the ledger as lines of the log. One that goes on is told when it begins, then after half a minute, a minute, two minutes … with how
 * often it was met meanwhile, and once when it is over. What is wrong outside (a database that is away, a disk that is full) has no stack in its line; a
 * fault of the program has.
 */
export class FaultLog {
  private readonly going = new Map<LedgerFault['kind'], Going>()

  constructor(private readonly log: Pick<Logger, 'error' | 'info'>) {}

  fault({ kind, message, error }: LedgerFault): void {
    const now = performance.now()
    const known = this.going.get(kind)
    if (known) {
      known.last = now
      known.over.refresh()
      if (now - known.toldAt < known.pause) {
        known.untold++
        return
      }
    } else if (repeated.has(kind)) {
      const over = setTimeout(() => this.over(kind), OVER_MS).unref()
      this.going.set(kind, { since: now, last: now, untold: 0, toldAt: now, pause: FIRST_PAUSE_MS, over })
    }
    const soFar = known && { seconds: seconds(now - known.since), untold: known.untold }
    this.log.error(`the ledger: ${message}`, { kind, ...soFar, ...described(error) })
    if (known) Object.assign(known, { untold: 0, toldAt: now, pause: Math.min(2 * known.pause, LONGEST_PAUSE_MS) })
  }

  /** Forgets what goes on; nothing is told of it any more. */
  close(): void {
    for (const { over } of this.going.values()) clearTimeout(over)
    this.going.clear()
  }

  private over(kind: LedgerFault['kind']): void {
    const going = this.going.get(kind)
    if (going === undefined) return
    this.going.delete(kind)
    this.log.info('the ledger: this fault is over', { kind, seconds: seconds(going.last - going.since), untold: going.untold })
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 1000)
}

/** An error of the system, or one that says that something is away, needs no stack: its text says what the matter is. */
function described(error: Error | undefined): { readonly fault?: Error; readonly reason?: string } {
  if (error === undefined) return {}
  const outside = BursarError.is(error) ? error.code === 'ledger_unavailable' : 'code' in error
  if (!outside) return { fault: error }
  const code = 'code' in error && !BursarError.is(error) ? `${String(error.code)}: ` : ''
  const cause = error.cause instanceof Error ? error.cause.message : typeof error.cause === 'string' ? error.cause : ''
  return { reason: mask(`${code}${error.message}${cause === '' ? '' : ` (${cause})`}`).slice(0, 500) }
}
