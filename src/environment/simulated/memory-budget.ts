import { BudgetExceeded, InvalidRequest } from '../../errors/index.js'
import { describeGrains, grains, grainsOfLimit, inUnit, picoUsd, units } from '../../quantities/index.js'
import type { Budget, Money, Regime, Remaining, Spend, Unit } from '../../quantities/index.js'

/** Limits by unit: dollars (or exact money), tokens, calls, joules, seconds. Absent: unlimited. */
export type BudgetLimits = { readonly [unit in Unit]?: (unit extends 'usd' ? number | Money : number) | undefined }

/** What was set aside for one call. */
export interface Reservation {
  /** Replaces what was set aside by what was spent. Only the first time counts. */
  settle(spent: Spend): void
}

/** A budget that lives in memory, for recorded and simulated worlds. What applies to live callers is the ledger's `CallBudget`. */
export interface MemoryBudget extends Budget {
  /**
   * Sets an upper bound aside, here and in all parents. Throws `BudgetExceeded` and sets nothing aside where one of them has no room,
   * or an amount is unknown.
   */
  reserve(bound: Spend): Reservation
}

interface Line {
  readonly unit: Unit
  readonly limit: bigint
  used: bigint
  /** Spent by calls that are over, and how many they were. */
  settled: bigint
  calls: bigint
}

/**
 * Counts exactly, in grains (`quantities/spend`). A child never exceeds its parents. An amount that isn't known is refused where its
 * unit is limited. Throws `InvalidRequest` for a limit that is none.
 */
export function memoryBudget(
  limits: BudgetLimits = {},
  options: { readonly name?: string; readonly parent?: MemoryBudget } = {},
): MemoryBudget {
  const { name = 'memory', parent } = options
  const lines = units.flatMap((unit): Line[] => {
    const limit = limits[unit]
    return limit === undefined ? [] : [{ unit, limit: read(unit, limit), used: 0n, settled: 0n, calls: 0n }]
  })
  return {
    name,
    remaining() {
      const left: { -readonly [unit in keyof Remaining]: Remaining[unit] } = { ...parent?.remaining() }
      for (const { unit, limit, used } of lines) {
        const own = limit - used
        if (unit === 'usd') left.usd = picoUsd(left.usd !== undefined && left.usd < own ? left.usd : own)
        else left[unit] = Math.min(left[unit] ?? Infinity, inUnit(unit, own))
      }
      return left
    },
    regime() {
      let regime: Regime = parent?.regime() ?? 'ample'
      if (regime === 'last_call') return regime
      for (const { limit, used, settled, calls } of lines) {
        const left = limit - used
        if (left <= 0n || left * calls < 2n * settled) return 'last_call'
        if (left * 5n < limit) regime = 'tight'
      }
      return regime
    },
    reserve(bound) {
      const amounts = lines.map((line) => amountFor(line, bound, name))
      const above = parent?.reserve(bound)
      for (const [index, line] of lines.entries()) line.used += amounts[index] ?? 0n
      let open = true
      return {
        settle(spent) {
          if (!open) return
          open = false
          for (const [index, line] of lines.entries()) {
            const amount = grains(spent, line.unit) ?? amounts[index] ?? 0n
            line.used += amount - (amounts[index] ?? 0n)
            line.settled += amount
            line.calls += 1n
          }
          above?.settle(spent)
        },
      }
    },
  }
}

/** What a call may need of a limited unit; throws where there is no room for it. */
function amountFor({ unit, limit, used }: Line, bound: Spend, name: string): bigint {
  const amount = grains(bound, unit)
  if (amount === null)
    throw new BudgetExceeded(
      `It isn't known how much of its ${unit} this call takes, so the budget "${name}" can't be checked. Give the model a price.`,
    )
  const left = limit - used
  if (amount > left) {
    const [needed, whole, rest] = [amount, limit, left > 0n ? left : 0n].map((grain) => describeGrains(unit, grain))
    throw new BudgetExceeded(`The budget "${name}" doesn't allow this call: it may need ${needed}, and of ${whole} only ${rest} is left.`)
  }
  return amount
}

function read(unit: Unit, limit: number | Money): bigint {
  if (typeof limit === 'bigint' ? limit < 0n : !(limit >= 0 && limit < Infinity))
    throw new InvalidRequest(`A limit on ${unit} must be 0 or more, not ${limit}.`, { path: unit })
  return grainsOfLimit(unit, limit)
}
