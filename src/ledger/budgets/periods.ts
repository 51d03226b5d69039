import { units, type Unit } from '../../quantities/index.js'
import type { CounterId } from '../counters/contract.js'
import type { LevelKind, Period } from './contract.js'

/**
 * One stretch of time that a limit is for, in UTC. It is named by when it begins and by nothing else: a clock that is set back meets
 * the counter that it used before, and one that is set forth and back again has opened no window anew.
 */
export interface Window {
  /** Unix seconds, inclusive. */
  readonly start: number
  /** Unix seconds, exclusive; `Infinity` where it never ends. */
  readonly end: number
  /** `2026-11-21T07:07`, `2026-11-21`, `2026-11` or `all`. */
  readonly label: string
  /** Label of the window before, for minutes. */
  readonly previous?: string | undefined
}

/** The end of the year 9999: beyond it dates have other shapes. */
const LAST_SECOND = 253_402_300_799
const MINUTE = 60
const DAY = 86_400

const always: Window = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY, label: 'all' }
const never: Window = { start: 0, end: 0, label: '' }
/** The window that was asked for last, by period: nearly always the one that is asked for next. */
const latest: Record<Exclude<Period, 'total'>, Window> = { minute: never, day: never, month: never }

/** The window of a time. What no clock should say (not a number, before 1970, after 9999) counts as the nearest time that has a window. */
export function windowOf(period: Period, now: number): Window {
  if (period === 'total') return always
  const at = now > 0 ? Math.min(now, LAST_SECOND) : 0
  const known = latest[period]
  return at >= known.start && at < known.end ? known : (latest[period] = windowAt(period, at))
}

function windowAt(period: Exclude<Period, 'total'>, at: number): Window {
  switch (period) {
    case 'minute': {
      const start = Math.floor(at / MINUTE) * MINUTE
      return { start, end: start + MINUTE, label: iso(start, 16), previous: iso(start - MINUTE, 16) }
    }
    case 'day': {
      const start = Math.floor(at / DAY) * DAY
      return { start, end: start + DAY, label: iso(start, 10) }
    }
    case 'month': {
      const date = new Date(at * 1000)
      const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
      return { start: Date.UTC(year, month) / 1000, end: Date.UTC(year, month + 1) / 1000, label: iso(at, 7) }
    }
  }
}

/** The thousandths of the minute before that a minute ending now still covers; rounded up, from 1000 at the window's beginning. */
export function previousPerMille(window: Window, now: number): number {
  const left = Math.ceil(((window.end - now) / MINUTE) * 1000)
  // A clock that was set back since the window was looked up, and NaN, count the whole of it.
  return left >= 0 && left <= 1000 ? left : left < 0 ? 0 : 1000
}

/**
 * What a counter's windows are. `sliding` are minutes of which the one before counts in part, `parallel` is how much is held at
 * this moment.
 */
export type Counting = Period | 'sliding' | 'parallel'
const countings: readonly Counting[] = ['minute', 'day', 'month', 'total', 'sliding', 'parallel']

/**
 * What the ids of a count begin with, up to the window: `key:k_7/usd/month:`. Ids are percent-encoded, so that whatever somebody
 * is called, their counter is nobody else's.
 */
export function counterPrefix(kind: LevelKind, id: string, unit: string, counting: Counting): string {
  return `${kind}:${encoded(id)}/${unit}/${counting}:`
}

/** The id of the key whose agent run a counter counts, where that is a key that was made while Bursar ran. */
export function keyOfRun(counter: CounterId): string | undefined {
  return /^run:([\w-]+)%2F[^/]*\//.exec(counter)?.[1]
}

/** What a counter counts, as its id says; `undefined` for what isn't a counter of a budget or a rate. */
export function countedBy(counter: CounterId): { readonly unit: Unit; readonly counting: Counting } | undefined {
  // Ids are encoded, so that they hold no slash.
  const [, unitText, countingText] = /^[a-z]+:[^/]+\/([a-z]+)\/([a-z]+):[^/]+$/.exec(counter) ?? []
  const unit = units.find((known) => known === unitText)
  const counting = countings.find((known) => known === countingText)
  return unit === undefined || counting === undefined ? undefined : { unit, counting }
}

/**
 * When a counter's window ends, in Unix seconds; `Infinity` for totals and for what isn't a counter of a budget. Long after it (clocks
 * step) the counter can be forgotten.
 */
export function counterEnd(counter: CounterId): number {
  const match = /\/(?:(?:minute|sliding):(\d{4}-\d\d-\d\dT\d\d:\d\d)|day:(\d{4}-\d\d-\d\d)|month:(\d{4}-\d\d))$/.exec(counter)
  if (!match) return Number.POSITIVE_INFINITY
  const [, minute, day, month] = match
  // A sliding minute is still read in the minute after it.
  if (minute !== undefined) return windowOf('minute', Date.parse(`${minute}Z`) / 1000).end + MINUTE
  return day !== undefined ? windowOf('day', Date.parse(day) / 1000).end : windowOf('month', Date.parse(`${month}-01`) / 1000).end
}

/** `encodeURIComponent`, also for texts that aren't well-formed Unicode, which get an escape of their own instead of an error. */
export function encoded(text: string): string {
  if (!unpaired.test(text)) return encodeURIComponent(text)
  return text
    .split(/(\p{Cs})/u)
    .map((piece) => (unpaired.test(piece) ? `%u${piece.charCodeAt(0).toString(16).toUpperCase()}` : encodeURIComponent(piece)))
    .join('')
}

const unpaired = /\p{Cs}/u

function iso(seconds: number, length: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, length)
}
