import type { BudgetAlert } from './contract.js'
import { spentOf, type Known } from './known.js'
import type { Count } from './lines.js'
import type { Window } from './periods.js'
import type { Threshold } from './thresholds.js'

/** Tells of thresholds, each once for each window and process; an alert may come again when its counter was forgotten for many others. */
export class Alerts {
  constructor(
    private readonly tell: ((alert: BudgetAlert) => void) | undefined,
    private readonly now: () => number,
  ) {}

  /** Looks whether what is spent has reached thresholds that weren't told of yet. One comparison when it hasn't. */
  spent({ level }: Count, thresholds: readonly Threshold[], window: Window, known: Known): void {
    if (thresholds.length === 0) return
    let { alerted } = known
    if (alerted?.thresholds !== thresholds) {
      // The same limits from a level that was read anew go on; other limits begin anew.
      const next = alerted && sameAmounts(alerted.thresholds, thresholds) ? alerted.next : 0
      alerted = known.alerted = { thresholds, next }
    }
    const spent = spentOf(known)
    for (
      let threshold = thresholds[alerted.next];
      threshold !== undefined && spent >= threshold.amount;
      threshold = thresholds[++alerted.next]
    ) {
      const { kind, rule, share } = threshold
      this.send({
        kind,
        level: { kind: level.kind, id: level.id, name: level.name },
        rule,
        share,
        used: spent,
        window: { start: window.start, end: window.end },
        at: this.now(),
      })
    }
  }

  /** A hard limit has refused a call. */
  refused({ level, unit, counting, limit }: Count, window: Window, known: Known): void {
    if (known.refusalTold || counting === 'sliding' || counting === 'parallel' || counting === 'minute' || limit === undefined) return
    known.refusalTold = true
    const rule = { unit, limit, per: counting, hard: true }
    this.send({
      kind: 'refused',
      level: { kind: level.kind, id: level.id, name: level.name },
      rule,
      used: spentOf(known),
      window: { start: window.start, end: window.end },
      at: this.now(),
    })
  }

  private send(alert: BudgetAlert): void {
    try {
      this.tell?.(alert)
    } catch {
      // Whoever wants to be told has failed; the call that is being settled is paid, and its end must not depend on it.
    }
  }
}

function sameAmounts(a: readonly Threshold[], b: readonly Threshold[]): boolean {
  return a.length === b.length && a.every(({ amount, kind }, index) => b[index]?.amount === amount && b[index]?.kind === kind)
}
