import { addMoney, usd, zeroMoney, type Money } from '../../quantities/index.js'
import { fitLevelModel, seededRandom, sortedQuantile } from '../../statistics/index.js'
import { daySeconds, hourSeconds, windowsOf, type HourSpend } from './spending.js'

export interface ForecastQuery {
  /** Hours with spending, as far back as they are known (90 days are used). */
  readonly hours: readonly HourSpend[]
  /** Unix seconds. */
  readonly now: number
  /** The period: Unix seconds of its beginning and its end. `now` lies in it. */
  readonly from: number
  readonly to: number
  /** How often the truth should lie in the interval; 0.9 unless told otherwise. */
  readonly level?: number | undefined
}

/** An amount of dollars that is foretold: the middle of what may come, and an interval around it. */
export interface MoneyEstimate {
  readonly value: Money
  readonly low: Money
  readonly high: Money
  readonly level: number
}

export interface Forecast {
  /** What was spent in the period so far: exact. */
  readonly spent: Money
  /** Whole days of history that the forecast rests on. */
  readonly historyDays: number
  /** The whole period, what was spent included; absent where the history is too short to say anything. */
  readonly total?: MoneyEstimate | undefined
  /** Whether the history was long enough (three weeks) to look for a pattern over the days of the week. */
  readonly weekdays: boolean
  /** What the reader should know, in plain words. */
  readonly notes: readonly string[]
}

/** Days that are looked back. */
export const forecastHistoryDays = 90
const draws = 2000
const seed = 20_261_121

/**
 * Foretells spending to the end of a period. Days are counted back from the last full hour, so that no day is cut and today needs no
 * special treatment; the last piece of a day is weighed by the share that such hours had. Draws are seeded: the same question has the same answer.
 * O(days × 60 + draws × days to come).
 */
export function forecastSpending({ hours, now, from, to, level = 0.9 }: ForecastQuery): Forecast {
  const anchor = Math.floor(now / hourSeconds) * hourSeconds
  const spent = sum(hours.filter(({ at }) => at >= from && at < to))
  const lately = hours.filter(({ at, usd: amount }) => at < now && at >= anchor - forecastHistoryDays * daySeconds && amount > 0n)
  const known = lately.filter(({ at }) => at < anchor)
  const first = lately[0]
  const historyDays = first === undefined ? 0 : Math.max(0, Math.floor((anchor - first.at) / daySeconds))
  const base = { spent, historyDays, weekdays: false }
  if (to <= now) return { ...base, total: exactly(spent, level), notes: ['The period is over: this is what was spent.'] }
  if (first === undefined)
    return { ...base, notes: ['Not enough history: nothing was spent so far, so nothing can be said of what comes.'] }
  if (historyDays < 1)
    return { ...base, notes: [`Not enough history: the first spending was ${hoursWords(now - first.at)} ago, and a forecast needs a day.`] }
  const days = windowsOf(known, anchor - historyDays * daySeconds, daySeconds, historyDays)
  if (!days.some((amount) => amount > 0)) return { ...base, notes: ['Not enough history: nothing was spent on the last whole days.'] }

  const model = fitLevelModel(days)
  const whole = Math.floor((to - anchor) / daySeconds)
  const rest = (to - anchor) / daySeconds - whole
  const lastShare = rest === 0 ? 0 : shareOfDay(known, anchor, historyDays, rest)
  const path = new Float64Array(whole + (rest === 0 ? 0 : 1))
  const random = seededRandom(seed)
  const totals = Float64Array.from({ length: draws }, () => {
    model.draw(random, path)
    let total = 0
    for (let step = 0; step < whole; step++) total += path[step] ?? 0
    return total + lastShare * (rest === 0 ? 0 : (path[whole] ?? 0))
  }).sort()
  const before = sum(hours.filter(({ at }) => at >= from && at < anchor))
  const since = sum(hours.filter(({ at }) => at >= anchor && at < to))
  const at = (share: number): Money => {
    const more = dollars(sortedQuantile(totals, share))
    return addMoney(before, more > since ? more : since)
  }
  const notes: string[] = []
  if (historyDays < 7) notes.push(`The history is short (${historyDays} ${historyDays === 1 ? 'day' : 'days'}), so the interval is wide.`)
  else if (!model.cyclic) notes.push('Days of the week are not told apart before three weeks of history.')
  return { ...base, weekdays: model.cyclic, total: { value: at(0.5), low: at((1 - level) / 2), high: at((1 + level) / 2), level }, notes }
}

/** The share of a day's spending that fell into its first hours, over the last two weeks; half of the answer is that every hour is alike while little is known. */
function shareOfDay(hours: readonly HourSpend[], anchor: number, historyDays: number, part: number): number {
  const days = Math.min(14, historyDays)
  let [early, all] = [0, 0]
  for (const { at, usd: amount } of hours) {
    const ago = (anchor - at) / daySeconds
    if (ago > days) continue
    const place = Math.ceil(ago) - ago
    all += Number(amount)
    if (place < part) early += Number(amount)
  }
  const trust = days / (days + 2)
  return all === 0 ? part : trust * (early / all) + (1 - trust) * part
}

function sum(hours: readonly HourSpend[]): Money {
  return hours.reduce((total, { usd: amount }) => addMoney(total, amount), zeroMoney)
}

function exactly(value: Money, level: number): MoneyEstimate {
  return { value, low: value, high: value, level }
}

/** An estimate needs no more digits than a hundredth of a cent. */
function dollars(amount: number): Money {
  return usd(Math.min(amount, 1e12).toFixed(4))
}

function hoursWords(seconds: number): string {
  const hours = Math.max(1, Math.round(seconds / hourSeconds))
  return hours === 1 ? 'an hour' : `${hours} hours`
}
