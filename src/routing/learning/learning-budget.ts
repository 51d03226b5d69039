import { addMoney, picoUsd, zeroMoney, type Clock, type Money } from '../../quantities/index.js'
import type { LearningAllowance } from '../policies/index.js'

/** Dollars a day (of UTC) that may go into learning: what exploring costs beyond the arm that would have answered, and what judges cost. */
export interface LearningBudget extends LearningAllowance {
  /** Gives back what was taken and not needed, as long as the day is the same. */
  giveBack(amount: Money): void
  readonly perDay: Money
}

/** Kept in memory: after a restart the day begins anew. Throws `RangeError` for a negative limit or amount. */
export function learningBudget(perDay: Money, clock: Pick<Clock, 'now'>): LearningBudget {
  if (perDay < 0n) throw new RangeError('dollars a day are at least 0')
  let day = Number.NaN
  let spent: Money = zeroMoney
  const today = () => {
    const now = Math.floor(clock.now() / 86_400)
    if (now !== day) {
      day = now
      spent = zeroMoney
    }
  }
  const remaining = () => {
    today()
    return picoUsd(perDay - spent)
  }
  const checked = (amount: Money) => {
    if (amount < 0n) throw new RangeError('an amount is at least 0')
    return amount
  }
  return {
    perDay,
    remaining,
    take(amount) {
      if (checked(amount) > remaining()) return false
      spent = addMoney(spent, amount)
      return true
    },
    giveBack(amount) {
      today()
      spent = picoUsd(checked(amount) > spent ? 0n : spent - amount)
    },
  }
}
