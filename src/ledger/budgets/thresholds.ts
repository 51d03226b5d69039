import type { BudgetRule } from './contract.js'
import type { Count } from './lines.js'

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
  for (const share of shares)
    if (!(share > 0 && share <= 1)) throw new RangeError(`a share to alert at is above 0 and at most 1, not ${share}`)
  if (kind !== 'budget' || counting === 'sliding' || counting === 'parallel') return []
  const thresholds = soft.map((most): Threshold => ({
    amount: most + 1n,
    kind: 'soft_limit_overrun',
    rule: { unit, limit: most, per: counting, hard: false },
  }))
  if (limit !== undefined && limit > 0n && counting !== 'minute')
    for (const share of shares) {
      const amount = (limit * BigInt(Math.round(share * 1e6)) + 999_999n) / 1_000_000n
      thresholds.push({ amount, kind: 'share_reached', rule: { unit, limit, per: counting, hard: true }, share })
    }
  return thresholds.sort((a, b) => (a.amount < b.amount ? -1 : a.amount > b.amount ? 1 : 0))
}
