import { BudgetExceeded, BursarError } from '../../errors/index.js'
import { describeGrains, type Unit } from '../../quantities/index.js'
import type { BudgetLevel } from './contract.js'
import type { Count } from './lines.js'
import type { Counting, Window } from './periods.js'

/** Why a line refused. */
export interface Refusal {
  readonly count: Count
  readonly limit: bigint
  readonly window: Window
  readonly amount: bigint
  readonly used: bigint
  /** Used in the minute before, for rates. */
  readonly previous: bigint
}

const DAY = 86_400
/** What a caller is told to wait for a place among parallel calls: nobody knows when one ends. */
const PARALLEL_RETRY_SECONDS = 1

/** The error for a call that doesn't fit into a budget: which, what is left, what was needed, when it begins anew, what to do. */
export function budgetExceeded({ count, limit, window, amount, used }: Refusal, now: number): BudgetExceeded {
  const { unit, level, counting } = count
  const left = limit > used ? limit - used : 0n
  const retryAfterSeconds = amount <= limit && window.end - now <= DAY ? Math.max(1, Math.ceil(window.end - now)) : undefined
  const tooLarge = amount > limit
  const message =
    `The ${adjective[counting]}budget of ${nameOf(level)} doesn't allow this call: ` +
    (unit === 'calls' && left === 0n
      ? `${describeGrains(unit, limit)} may be made, and no more is left.`
      : `it may need up to ${describeGrains(unit, amount)}, ` +
        (tooLarge
          ? `more than the whole budget of ${describeGrains(unit, limit)}.`
          : `and of ${describeGrains(unit, limit)} only ${describeGrains(unit, left)} is left.`)) +
    (window.end === Number.POSITIVE_INFINITY || tooLarge
      ? ''
      : ` It begins anew at ${new Date(window.end * 1000).toISOString().slice(0, 16)}Z.`) +
    ` ${advice[unit]}`
  return new BudgetExceeded(message, retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
}

/** The error for a call whose amount of a limited unit nobody knows. */
export function unknownAmount({ level, unit, counting, limit }: Count, deployment: string): BudgetExceeded {
  const budget = `the ${adjective[counting]}budget of ${nameOf(level)} (${describeGrains(unit, limit ?? 0n)})`
  return new BudgetExceeded(
    unit === 'usd'
      ? `The price of "${deployment}" is unknown, so ${budget} can't be checked. Set prices for this model in the configuration.`
      : `It isn't known how many ${unit} a call of "${deployment}" takes, so ${budget} can't be checked. Name a model for which it is, or take the limit away.`,
  )
}

/**
 * The error for a call that a rate has no room for now. `seconds`: when it may have; `undefined` when it never will, since the call alone
 * is more than the rate.
 */
export function rateLimited({ count, limit, amount }: Refusal, seconds: number | undefined): BursarError {
  const { kind, level } = count
  const who = nameOf(level)
  if (kind === 'parallel') {
    const message = `As many calls of ${who} as may run at once (${limit}) are under way. Send the request again when one of them has ended.`
    return new BursarError(message, { code: 'rate_limited', status: 429, retryAfterSeconds: PARALLEL_RETRY_SECONDS })
  }
  const rate = `${describeGrains(count.unit, limit, kind)} a minute for ${who}`
  if (seconds === undefined) {
    const message =
      kind === 'tokens'
        ? `This call may need up to ${describeGrains('tokens', amount)}, more than the rate limit of ${rate}. Set max_tokens lower, or send less.`
        : `The rate limit is ${rate}.`
    return new BursarError(message, { code: 'rate_limited', status: 429 })
  }
  const wait = Math.max(1, Math.ceil(seconds))
  const need = kind === 'tokens' ? `, and this call may need up to ${describeGrains('tokens', amount)}` : ''
  return new BursarError(`The rate limit of ${rate} is reached${need}. Send the request again in ${wait} s.`, {
    code: 'rate_limited',
    status: 429,
    retryAfterSeconds: wait,
  })
}

/** What a caller is told of a soft limit that is overrun. */
export function softWarning({ level, unit, counting }: Count, limit: bigint, spent: bigint): string {
  return `the ${adjective[counting]}soft limit of ${nameOf(level)} is overrun: ${describeGrains(unit, spent)} ${unit === 'calls' ? 'made' : 'used'}, ${describeGrains(unit, limit)} set`
}

/** Levels as texts name them. */
export function nameOf({ kind, name }: Pick<BudgetLevel, 'kind' | 'name'>): string {
  return kind === 'request' ? 'this request' : `${kind} "${name}"`
}

/** Before the noun. A budget that never begins anew is just a budget. */
const adjective: Readonly<Record<Counting, string>> = {
  minute: 'minute ',
  day: 'daily ',
  month: 'monthly ',
  total: '',
  sliding: 'rate ',
  parallel: 'parallel ',
}

const advice: Readonly<Record<Unit, string>> = {
  usd: 'Set max_tokens lower, name a cheaper model, or have the budget raised.',
  tokens: 'Set max_tokens lower, send less, or have the budget raised.',
  calls: 'Have the budget raised.',
  joules: 'Set max_tokens lower, name a smaller model, or have the budget raised.',
  seconds: 'Name a faster model, or have the budget raised.',
}
