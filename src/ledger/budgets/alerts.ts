import type { BudgetAlert, BudgetRule } from './contract.js'
import { spentOf, type Known } from './known.js'
import type { Count } from './lines.js'
import type { Window } from './periods.js'

/** An amount at which somebody is told. */
export interface Threshold {
  /** Told once this much is spent, in grains. */
  readonly amount: bigint
  readonly kind: 'soft_limit_overrun' | 'share_reached'
  readonly rule: BudgetRule
  readonly share?: number | undefined
}

/**
 * Amounts at which a count is told of, the smallest first: beyond each soft limit, and at shares of the hard one unless its window is a
 * minute, which would be told of all day. Throws `RangeError` for a share that isn't above 0 and at most 1.
 */
export function thresholdsOf(count: Count, shares: readonly number[]): readonly Threshold[] {
  const { kind, limit, soft, unit, counting } = count
  for (const share of shares) if (!(share > 0 && share <= 1)) throw new RangeError(`a share to alert at is above 0 and at most 1, not ${share}`)
  if (kind !== 'budget' || counting === 'sliding' || counting === 'parallel') return []
  const thresholds = soft.map((most): Threshold => ({ amount: most + 1n, kind: 'soft_limit_overrun', rule: { unit, limit: most, per: counting, hard: false } }))
  if (limit !== undefined && limit > 0n && counting !== 'minute')
    for (const share of shares) {
      const amount = (limit * BigInt(Math.round(share * 1e6)) + 999_999n) / 1_000_000n
      thresholds.push({ amount, kind: 'share_reached', rule: { unit, limit, per: counting, hard: true }, share })
    }
  return thresholds.sort((a, b) => (a.amount < b.amount ? -1 : a.amount > b.amount ? 1 : 0))
}

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
    for (let threshold = thresholds[alerted.next]; threshold !== undefined && spent >= threshold.amount; threshold = thresholds[++alerted.next]) {
      const { kind, rule, share } = threshold
      this.send({ kind, level: { kind: level.kind, id: level.id, name: level.name }, rule, share, used: spent, window: { start: window.start, end: window.end }, at: this.now() })
    }
  }

  /** A hard limit has refused a call. */
  refused({ level, unit, counting, limit }: Count, window: Window, known: Known): void {
    if (known.refusalTold || counting === 'sliding' || counting === 'parallel' || counting === 'minute' || limit === undefined) return
    known.refusalTold = true
    const rule = { unit, limit, per: counting, hard: true }
    this.send({ kind: 'refused', level: { kind: level.kind, id: level.id, name: level.name }, rule, used: spentOf(known), window: { start: window.start, end: window.end }, at: this.now() })
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
