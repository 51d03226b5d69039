import { BudgetExceeded } from '../errors/index.js'
import { addMoney, formatUsd, zeroMoney, type Money } from './money.js'

/** An amount of spending in the units a budget can limit. */
export interface Spend {
  readonly usd: Money
  readonly tokens: number
  readonly calls: number
}

/** Limits on any of the units; an absent one is unlimited. */
export interface Limits {
  readonly usd?: Money | undefined
  readonly tokens?: number | undefined
  readonly calls?: number | undefined
}

/** What is still unspent and unreserved; an absent unit is unlimited. */
export type Remaining = Limits

/** A promise of spending: settled with what was really used, or released when nothing was. Both work once; later calls do nothing. */
export interface Reservation {
  settle(actual: Spend): void
  release(): void
}

/**
 * Limits for a key, user, team, agent run or one request. *Reserve* an upper bound before a call, *settle* the actual
 * after it. Budgets nest: a reservation holds at every level or at none.
 */
export interface Budget {
  readonly name: string
  /** Throws `BudgetExceeded` when a level can't hold the amount; then nothing is reserved anywhere. */
  reserve(amount: Spend): Promise<Reservation>
  remaining(): Remaining
}

const nothing: Reservation = { settle() {}, release() {} }

/** A budget without limits, for callers that have none. */
export const unlimited: Budget = {
  name: 'unlimited',
  reserve: () => Promise.resolve(nothing),
  remaining: () => ({}),
}

/** A budget in this process's memory. Checks and reserves in one synchronous step, so concurrent calls can't race. */
export class MemoryBudget implements Budget {
  private spent: Spend = { usd: zeroMoney, tokens: 0, calls: 0 }
  private reserved: Spend = { usd: zeroMoney, tokens: 0, calls: 0 }

  constructor(
    readonly name: string,
    private limits: Limits,
    private readonly parent?: MemoryBudget,
  ) {}

  async reserve(amount: Spend): Promise<Reservation> {
    // What isn't a number compares as false with every limit, so it would open the budget for good.
    if (!isSpend(amount)) throw new RangeError(`not an amount to reserve: ${amount.tokens} tokens, ${amount.calls} calls, $${formatUsd(amount.usd)}`)
    const levels = this.levels()
    for (const level of levels) level.check(amount)
    for (const level of levels) level.reserved = add(level.reserved, amount)
    let open = true
    const close = (actual: Spend | undefined) => {
      if (!open) return
      open = false
      for (const level of levels) {
        level.reserved = subtract(level.reserved, amount)
        if (actual) level.spent = add(level.spent, isSpend(actual) ? actual : amount)
      }
    }
    return { settle: (actual) => close(actual), release: () => close(undefined) }
  }

  remaining(): Remaining {
    const own = this.ownRemaining()
    const above = this.parent?.remaining() ?? {}
    return {
      usd: least(own.usd, above.usd),
      tokens: least(own.tokens, above.tokens),
      calls: least(own.calls, above.calls),
    }
  }

  /** Changes the limits; what was spent and reserved stays. */
  adjust(limits: Limits): void {
    this.limits = limits
  }

  /** What was settled so far. */
  get settled(): Spend {
    return this.spent
  }

  private levels(): MemoryBudget[] {
    return this.parent ? [this, ...this.parent.levels()] : [this]
  }

  private check(amount: Spend): void {
    const { usd, tokens, calls } = this.ownRemaining()
    // What costs nothing fits into any budget, also an overrun one.
    if (usd !== undefined && amount.usd > 0n && amount.usd > usd)
      throw new BudgetExceeded(
        `The budget "${this.name}" has $${formatUsd(usd)} left and this call may need up to $${formatUsd(amount.usd)}. Lower max_tokens, or raise the budget.`,
      )
    if (tokens !== undefined && amount.tokens > 0 && amount.tokens > tokens)
      throw new BudgetExceeded(`The budget "${this.name}" has ${tokens} tokens left and this call may need up to ${amount.tokens}.`)
    if (calls !== undefined && amount.calls > 0 && amount.calls > calls) throw new BudgetExceeded(`The budget "${this.name}" has no calls left.`)
  }

  private ownRemaining(): Remaining {
    const { limits, spent, reserved } = this
    return {
      usd: limits.usd === undefined ? undefined : ((limits.usd - spent.usd - reserved.usd) as Money),
      tokens: limits.tokens === undefined ? undefined : limits.tokens - spent.tokens - reserved.tokens,
      calls: limits.calls === undefined ? undefined : limits.calls - spent.calls - reserved.calls,
    }
  }
}

/** Three counts of something. An actual that isn't is settled as the whole of what was reserved. */
function isSpend({ usd, tokens, calls }: Spend): boolean {
  return usd >= 0n && tokens >= 0 && calls >= 0 && Number.isFinite(tokens) && Number.isFinite(calls)
}

function add(a: Spend, b: Spend): Spend {
  return { usd: addMoney(a.usd, b.usd), tokens: a.tokens + b.tokens, calls: a.calls + b.calls }
}

function subtract(a: Spend, b: Spend): Spend {
  return { usd: (a.usd - b.usd) as Money, tokens: a.tokens - b.tokens, calls: a.calls - b.calls }
}

function least<T extends number | bigint>(a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined) return b
  if (b === undefined) return a
  return a < b ? a : b
}
