import { picoUsd, zeroMoney, type Clock, type Money } from '../../quantities/index.js'
import { learningBudget } from '../../routing/index.js'

/**
 * Dollars a day for judging or shadow calls. Once something didn't fit, nothing more is taken that day: else short answers would still
 * be judged when long ones no longer are, and what was judged would be of a chosen few.
 */
export class DailyAllowance {
  private budget
  private closedOn = Number.NaN

  constructor(
    perDay: Money,
    private readonly clock: Pick<Clock, 'now'>,
  ) {
    this.budget = learningBudget(perDay, clock)
  }

  get perDay(): Money {
    return this.budget.perDay
  }

  get open(): boolean {
    return this.closedOn !== this.today()
  }

  remaining(): Money {
    return this.open ? this.budget.remaining() : zeroMoney
  }

  /** Takes the most that a call can cost, or nothing. */
  take(most: Money): boolean {
    if (this.open && this.budget.take(most)) return true
    this.closedOn = this.today()
    return false
  }

  /** What was taken is too much by what wasn't spent; an unknown price keeps all that was taken. */
  settle(taken: Money, spent: Money | null): void {
    if (spent !== null && spent < taken) this.budget.giveBack(picoUsd(taken - spent))
  }

  private today(): number {
    return Math.floor(this.clock.now() / 86_400)
  }
}
