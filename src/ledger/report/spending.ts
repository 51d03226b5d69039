import { picoUsd, toDollars, zeroMoney, type Money } from '../../quantities/index.js'
import type { Report } from './contract.js'

/** What was spent in one hour. */
export interface HourSpend {
  /** Unix seconds of the hour's beginning. */
  readonly at: number
  readonly usd: Money
}

export const hourSeconds = 3600
export const daySeconds = 86_400

/** Hours of a report by `hour` (and maybe more), in order of time; hours without calls are left out. */
export function hoursOf({ rows }: Report): readonly HourSpend[] {
  return rows
    .map(({ group, totals }): HourSpend => ({
      at: Date.parse((group['hour'] ?? '').replace(':00Z', ':00:00Z')) / 1000,
      usd: totals.cost.usd ?? zeroMoney,
    }))
    .sort((a, b) => a.at - b.at)
}

/** The same of a report by `day`, where hours can't be told: each day spread evenly over its hours, today over those that have begun. */
export function hoursOfDays({ rows }: Report, now: number): readonly HourSpend[] {
  return rows
    .flatMap(({ group, totals }): HourSpend[] => {
      const day = Date.parse(`${group['day']}T00:00:00Z`) / 1000
      const hours = BigInt(Math.max(1, Math.min(24, Math.ceil((now - day) / hourSeconds))))
      const whole = totals.cost.usd ?? zeroMoney
      const each = whole / hours
      // What doesn't divide goes to the first hour, so that the sum stays exact.
      return Array.from({ length: Number(hours) }, (_, hour) => ({
        at: day + hour * hourSeconds,
        usd: picoUsd(hour === 0 ? whole - each * (hours - 1n) : each),
      }))
    })
    .sort((a, b) => a.at - b.at)
}

/** Dollars of each of `count` windows of so many seconds from `from` on, for statistics: windows without hours are 0. O(hours). */
export function windowsOf(hours: readonly HourSpend[], from: number, seconds: number, count: number): number[] {
  const windows = new Array<number>(count).fill(0)
  for (const { at, usd } of hours) {
    const index = Math.floor((at - from) / seconds)
    if (index >= 0 && index < count) windows[index] = (windows[index] ?? 0) + toDollars(usd)
  }
  return windows
}

/** First second of the month that a moment lies in, and of the next; UTC. */
export function monthOf(at: number): { readonly from: number; readonly to: number } {
  const date = new Date(at * 1000)
  return {
    from: Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / 1000,
    to: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / 1000,
  }
}
