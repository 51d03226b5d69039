import { picoUsd, zeroMoney, type Money } from './money.js'

/** What a budget can limit. */
export const units = ['usd', 'tokens', 'calls', 'joules', 'seconds'] as const
export type Unit = (typeof units)[number]

/** An amount of spending in the units that a budget can limit. What can't be known is `null`, never zero. */
export interface Spend {
  readonly usd: Money | null
  /** Input and output tokens together. */
  readonly tokens: number
  readonly calls: number
  readonly joules: number | null
  /** Seconds that calls took, added up. */
  readonly seconds: number
}

export const noSpend: Spend = { usd: zeroMoney, tokens: 0, calls: 0, joules: 0, seconds: 0 }

/**
 * Counters hold whole numbers, so that sums are exact: a unit's amount in its grain, which is picodollars, tokens, calls,
 * millijoules or milliseconds. A fraction is rounded up, since spending is never guessed low. `null` when it isn't known.
 */
export function grains(spend: Spend, unit: Unit): bigint | null {
  switch (unit) {
    case 'usd':
      return spend.usd
    case 'joules':
      return spend.joules === null ? null : wholeThousandths(spend.joules)
    case 'seconds':
      return wholeThousandths(spend.seconds)
    default:
      return BigInt(Math.ceil(spend[unit]))
  }
}

/** A limit in its unit (dollars, tokens, calls, joules, seconds) as a number of grains. */
export function grainsOfLimit(unit: Unit, limit: number | Money): bigint {
  if (typeof limit === 'bigint') return limit
  return unit === 'joules' || unit === 'seconds' ? wholeThousandths(limit) : BigInt(Math.floor(limit))
}

/** Grains as a number in the unit itself (dollars, tokens, calls, joules, seconds): for display and headers. */
export function inUnit(unit: Unit, amount: bigint): number {
  return unit === 'usd' ? Number(picoUsd(amount)) / 1e12 : unit === 'joules' || unit === 'seconds' ? Number(amount) / 1000 : Number(amount)
}

function wholeThousandths(value: number): bigint {
  return BigInt(Math.ceil(value * 1000))
}
