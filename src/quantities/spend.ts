import type { Cost } from './cost.js'
import { formatUsd, picoUsd, usd, zeroMoney, type Money } from './money.js'
import { totalInputTokens, totalOutputTokens, type Usage } from './usage.js'

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

/** What one call of this usage and cost spends. */
export function spendOf({ usage, cost }: { readonly usage: Usage; readonly cost: Cost }): Spend {
  return { usd: cost.usd, tokens: totalInputTokens(usage) + totalOutputTokens(usage), calls: 1, joules: cost.joules, seconds: cost.seconds }
}

/**
 * Counters hold whole numbers, so that sums are exact: a unit's amount in its grain, which is picodollars, tokens, calls,
 * millijoules or milliseconds. A fraction is rounded up, since spending is never guessed low. `null` when it isn't known. Throws
 * `RangeError` for what is no amount (negative, not a number, infinite).
 */
export function grains(spend: Spend, unit: Unit): bigint | null {
  switch (unit) {
    case 'usd':
      if (spend.usd !== null && spend.usd < 0n) throw notAnAmount(unit, spend.usd)
      return spend.usd
    case 'joules':
      return spend.joules === null ? null : whole(unit, spend.joules, 1000)
    case 'seconds':
      return whole(unit, spend.seconds, 1000)
    case 'tokens':
    case 'calls':
      return whole(unit, spend[unit], 1)
  }
}

/**
 * A limit in its unit (dollars, tokens, calls, joules, seconds) as a number of grains; money as it is. A fraction of a grain is
 * rounded down, except of dollars. Throws `RangeError` for what is no amount.
 */
export function grainsOfLimit(unit: Unit, limit: number | Money): bigint {
  if (typeof limit === 'bigint') return limit
  if (!(limit >= 0 && limit < Number.POSITIVE_INFINITY)) throw notAnAmount(unit, limit)
  if (unit === 'usd') return usd(limit)
  // A decimal of three places isn't always a whole number of thousandths in binary: 4.35 × 1000 may be a hair below 4350.
  return unit === 'joules' || unit === 'seconds' ? BigInt(Math.floor(limit * 1000 * (1 + Number.EPSILON))) : BigInt(Math.floor(limit))
}

/** Grains as a number in the unit itself (dollars, tokens, calls, joules, seconds): for display and headers. */
export function inUnit(unit: Unit, amount: bigint): number {
  return unit === 'usd' ? Number(picoUsd(amount)) / 1e12 : unit === 'joules' || unit === 'seconds' ? Number(amount) / 1000 : Number(amount)
}

/** Grains as the shortest exact decimal of the unit itself: what goes into headers and JSON. */
export function formatGrains(unit: Unit, amount: bigint): string {
  if (unit === 'usd') return formatUsd(picoUsd(amount))
  return unit === 'joules' || unit === 'seconds' ? thousandths(amount) : amount.toString()
}

/**
 * Grains as people read them, exact: `$0.25`, `1,200 tokens`, `1 call`, `1.5 seconds`. `noun` stands for the unit's own name, in the
 * plural.
 */
export function describeGrains(unit: Unit, amount: bigint, noun: string = unit): string {
  if (unit === 'usd') return `${amount < 0n ? '-' : ''}$${formatUsd(picoUsd(amount < 0n ? -amount : amount))}`
  const number = unit === 'joules' || unit === 'seconds' ? thousandths(amount) : amount.toLocaleString('en-US')
  return `${number} ${number === '1' ? noun.slice(0, -1) : noun}`
}

function thousandths(amount: bigint): string {
  const magnitude = amount < 0n ? -amount : amount
  const fraction = (magnitude % 1000n).toString().padStart(3, '0').replace(/0+$/, '')
  return `${amount < 0n ? '-' : ''}${magnitude / 1000n}${fraction === '' ? '' : `.${fraction}`}`
}

function whole(unit: Unit, value: number, perUnit: number): bigint {
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw notAnAmount(unit, value)
  return BigInt(Math.ceil(value * perUnit))
}

function notAnAmount(unit: Unit, value: number | bigint): RangeError {
  return new RangeError(`not an amount of ${unit}: ${value}`)
}
