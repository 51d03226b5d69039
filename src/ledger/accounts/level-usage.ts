import type { BudgetLevel, BudgetRule } from '../budgets/contract.js'
import { counterPrefix, windowOf } from '../budgets/periods.js'
import type { CounterId, Counters } from '../counters/contract.js'

/** How full one limit is. */
export interface RuleUsage {
  readonly rule: BudgetRule
  readonly counter: CounterId
  /** Grains, spent and reserved, in the window of now. */
  readonly used: bigint
  /** When the window ends, Unix seconds; infinite for a total. */
  readonly windowEnd: number
}

/** How full the limits of a level are now. Throws `ledger_unavailable`. */
export async function usageOfLevel(
  { kind, id, rules }: BudgetLevel,
  counters: Pick<Counters, 'used'>,
  now: number,
): Promise<readonly RuleUsage[]> {
  const windows = rules.map((rule) => windowOf(rule.per, now))
  const names = rules.map(({ unit, per }, index) => counterPrefix(kind, id, unit, per) + (windows[index]?.label ?? ''))
  const used = await counters.used(names)
  return rules.map((rule, index) => ({
    rule,
    counter: names[index] ?? '',
    used: used[index] ?? 0n,
    windowEnd: windows[index]?.end ?? Number.POSITIVE_INFINITY,
  }))
}
