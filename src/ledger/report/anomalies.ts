import { toDollars, usd, type Money } from '../../quantities/index.js'
import { median, normalQuantile, robustDeviation, studentQuantile, studentTail } from '../../statistics/index.js'
import { daySeconds } from './spending.js'

/** What somebody spent on one day. */
export interface DaySpend {
  /** Unix seconds of the day's beginning, UTC. */
  readonly at: number
  readonly usd: Money
}

export interface AnomalySettings {
  /** Least amount above what is usual that is worth a word; $1 unless told otherwise. */
  readonly least?: Money | undefined
  /** How often a day of a key that goes on as before may be called out of line; once in 300 days unless told otherwise. */
  readonly falseAlarms?: number | undefined
}

/** A day on which much more was spent than is usual. */
export interface Anomaly {
  readonly at: number
  readonly usd: Money
  /** Where four of five usual days lie. */
  readonly usual: { readonly low: Money; readonly high: Money }
  /** How likely such a day, or a dearer one, is for someone who goes on as before. */
  readonly chance: number
  /** Days with spending that it is compared with. */
  readonly days: number
}

/** Days that are looked back, and how many of them with spending are needed to say what is usual. */
const lookBack = 56
const leastDays = 7
/** The most recent days with spending: what is usual may change. */
const mostDays = 28
const leastOfWeekday = 3
/** Belief about the spread of the logarithm before any day is seen: as much as so many days would say, and how large it is. */
const spreadDays = 5
const spread = 0.45
const leastRatio = 1.5

/**
 * Judges one day against the days before it. Days with spending are compared on a logarithmic scale, by median and median absolute deviation, so
 * that earlier outliers don't hide later ones; from three weeks of history on days of the week are compared with their like. Only more than
 * usual is called out. `undefined` for a usual day; `'too_young'` where fewer than seven days with spending came before. O(days).
 */
export function judgeDay(
  before: readonly DaySpend[],
  day: DaySpend,
  { least = usd(1), falseAlarms = 1 / 300 }: AnomalySettings = {},
): Anomaly | 'too_young' | undefined {
  const seen = before
    .filter(({ at, usd: amount }) => at < day.at && at >= day.at - lookBack * daySeconds && amount > 0n)
    .sort((a, b) => a.at - b.at)
    .slice(-mostDays)
  if (seen.length < leastDays) return 'too_young'
  const logs = seen.map(({ usd: amount }) => Math.log(toDollars(amount)))
  const effects = weekdayEffects(seen, logs)
  const levelled = logs.map((log, index) => log - (effects[weekdayOf(seen[index]?.at ?? 0)] ?? 0))
  // Growth, and a level that has moved up for good, are soon the new usual.
  const centre = Math.max(median(levelled), median(levelled.slice(-leastDays)))
  const own = robustDeviation(levelled)
  const count = seen.length
  const like = seen.filter(({ at }) => weekdayOf(at) === weekdayOf(day.at)).length
  const deviation =
    Math.sqrt((spreadDays * spread ** 2 + count * own ** 2) / (spreadDays + count)) *
    Math.sqrt(1 + Math.PI / 2 / count + (effects.length === 0 ? 0 : Math.PI / 2 / (like + 2)))
  const expected = centre + (effects[weekdayOf(day.at)] ?? 0)
  const freedom = spreadDays + count / 3
  const score = (Math.log(Math.max(toDollars(day.usd), 1e-12)) - expected) / deviation
  const usual = { low: dollars(expected + normalQuantile(0.1) * deviation), high: dollars(expected + normalQuantile(0.9) * deviation) }
  if (score < studentQuantile(1 - falseAlarms, freedom)) return undefined
  if (day.usd < usual.high + least || Number(day.usd) < leastRatio * Number(usual.high)) return undefined
  return { at: day.at, usd: day.usd, usual, chance: studentTail(score, freedom), days: count }
}

/** How much days of each weekday differ from the others, on the logarithmic scale; pulled towards 0 where there are few of them. */
function weekdayEffects(days: readonly DaySpend[], logs: readonly number[]): number[] {
  const [first, last] = [days[0], days.at(-1)]
  if (first === undefined || last === undefined || last.at - first.at < 20 * daySeconds) return []
  const centre = median(logs)
  return Array.from({ length: 7 }, (_, weekday) => {
    const like = logs.filter((_log, index) => weekdayOf(days[index]?.at ?? 0) === weekday)
    return like.length < leastOfWeekday ? 0 : ((median(like) - centre) * like.length) / (like.length + 2)
  })
}

function weekdayOf(at: number): number {
  return Math.floor(at / daySeconds) % 7
}

function dollars(log: number): Money {
  return usd(Math.min(Math.exp(log), 1e12).toFixed(4))
}

/** `$41.20 on 2026-11-20, usually $3.10–5.90`, in words for people. */
export function anomalyWords(who: string, { at, usd: amount, usual, chance, days }: Anomaly): string {
  const day = new Date(at * 1000).toISOString().slice(0, 10)
  const rare =
    chance < 1e-6 ? 'less than once in a million days' : `once in ${Number((1 / chance).toPrecision(2)).toLocaleString('en-US')} days`
  return `${who} spent $${short(amount)} on ${day}, usually $${short(usual.low)}–${short(usual.high)} (by the ${days} days with spending before it, such a day comes ${rare})`
}

/** Dollars for people: cents, or two digits that count below a cent. */
export function short(amount: Money): string {
  const value = toDollars(amount)
  if (value !== 0 && Math.abs(value) < 0.01) return value.toPrecision(2)
  return value.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })
}
