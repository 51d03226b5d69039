import type { ScoredCell, Suite } from '../../evaluation/index.js'
import { toDollars } from '../../quantities/index.js'
import { cut } from '../table.js'
import { money } from './print.js'

/** A line on stderr that is kept up to date on a terminal, and a line every ten seconds elsewhere. */
export class EvaluationProgress {
  private readonly started: number
  private shown: number
  private scored = 0
  private paid = 0
  private usd = 0
  private readonly sums = new Map<string, { sum: number; count: number }>()
  private readonly cells: number

  constructor(
    suites: readonly Suite[],
    private readonly limits: { readonly usd?: number | undefined; readonly calls?: number | undefined },
    private readonly output: { readonly terminal: boolean; readonly write: (text: string) => void; readonly now: () => number },
  ) {
    this.started = this.shown = output.now()
    this.cells = suites.reduce((sum, { methods, items }) => sum + methods.length * items.length, 0)
  }

  add(suite: Suite, { method, score, answer, paid }: ScoredCell): void {
    this.scored += 1
    if (paid) {
      this.paid += 1
      this.usd += answer.usd === null ? 0 : toDollars(answer.usd)
    }
    const name = suite.methods[method]?.id ?? ''
    const own = this.sums.get(name) ?? { sum: 0, count: 0 }
    own.sum += score
    own.count += 1
    this.sums.set(name, own)
    this.show()
  }

  end(): void {
    if (this.output.terminal) this.output.write('\r\u001b[K')
  }

  private show(): void {
    const { terminal, write, now } = this.output
    const at = now()
    if (at - this.shown < (terminal ? 0.2 : 10)) return
    this.shown = at
    const text = `${this.scored} of ${this.cells} cells, $${money(this.usd)}, leads: ${this.leader()}, ${this.left(at)}`
    write(terminal ? `\r\u001b[K${cut(text, 79)}` : `${text}\n`)
  }

  private leader(): string {
    let leader = '–'
    let most = -Infinity
    for (const [name, { sum, count }] of this.sums) if (sum / count > most) [leader, most] = [name, sum / count]
    return `${cut(leader, 24, 'middle')} ${(100 * most).toFixed(0)} %`
  }

  /** How long it may take at the most, at the pace so far: until all cells are scored or a limit is reached. */
  private left(at: number): string {
    const pace = (at - this.started) / Math.max(1, this.scored)
    const { usd, calls } = this.limits
    const rest = Math.min(
      (this.cells - this.scored) * pace,
      usd === undefined || this.usd === 0 ? Infinity : ((usd - this.usd) / (this.usd / this.scored)) * pace,
      calls === undefined ? Infinity : ((calls - this.paid) / Math.max(1, this.paid)) * (at - this.started),
    )
    return `${rest < 90 ? `${Math.max(0, rest).toFixed(0)} s` : rest < 5_400 ? `${(rest / 60).toFixed(0)} min` : `${(rest / 3_600).toFixed(1)} h`} at most`
  }
}
