/** Figures as people read them. Each function takes what the API gives; what isn't known is an en dash. */

export const UNKNOWN = '–'

type Figure = number | string | null | undefined

function finite(value: Figure): number | undefined {
  const number = typeof value === 'string' ? Number(value) : value
  return number === null || number === undefined || !Number.isFinite(number) ? undefined : number
}

/** Dollars: cents from a dollar on, three digits that count below. */
export function dollars(value: Figure): string {
  const amount = finite(value)
  if (amount === undefined) return UNKNOWN
  const size = Math.abs(amount)
  // The joiner keeps sign and figure on one line.
  const sign = amount < 0 ? '−\u2060' : ''
  if (size === 0) return '$0'
  if (size >= 1) return `${sign}$${size.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`
  if (size < 1e-9) return `${sign}<$0.000000001`
  return `${sign}$${size.toFixed(Math.min(12, 2 - Math.floor(Math.log10(size)))).replace(/(\.\d\d\d*?)0+$/, '$1')}`
}

/** Whole things: 1,234, then 12.3k, 4.56M. */
export function count(value: Figure): string {
  const amount = finite(value)
  if (amount === undefined) return UNKNOWN
  const size = Math.abs(amount)
  for (const [unit, letter] of [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e4, 'k'],
  ] as const)
    if (size >= unit) return `${digits(amount / (unit === 1e4 ? 1e3 : unit))}${letter}`
  return Number.isInteger(amount) ? amount.toLocaleString('en-US') : digits(amount)
}

/** Three digits that count. */
export function digits(value: Figure): string {
  const amount = finite(value)
  if (amount === undefined) return UNKNOWN
  return Math.abs(amount) >= 1000 ? Math.round(amount).toLocaleString('en-US') : String(Number(amount.toPrecision(3)))
}

/** Seconds as 120 ms, 1.4 s, 3.5 min. */
export function seconds(value: Figure): string {
  const amount = finite(value)
  if (amount === undefined) return UNKNOWN
  if (amount === 0) return '0 s'
  if (amount < 1) return `${digits(amount * 1000)} ms`
  if (amount < 120) return `${digits(amount)} s`
  return amount < 7200 ? `${digits(amount / 60)} min` : `${digits(amount / 3600)} h`
}

/** A share as per cent. */
export function percent(share: Figure): string {
  const amount = finite(share)
  return amount === undefined
    ? UNKNOWN
    : `${amount < 0 ? '−\u2060' : ''}${Number((Math.abs(amount) * 100).toPrecision(Math.abs(amount) >= 0.1 ? 3 : 2))}\u00a0%`
}

/** A difference of quality in points of a hundred, with its sign. */
export function points(share: Figure): string {
  const amount = finite(share)
  if (amount === undefined) return UNKNOWN
  const text = Math.abs(amount * 100).toFixed(1)
  return text === '0.0' ? '0.0' : `${amount < 0 ? '−' : '+'}${text}`
}

/** An amount of a budget's unit, with the unit. */
export function amountOf(unit: string, value: Figure): string {
  if (unit === 'usd') return dollars(value)
  if (unit === 'seconds') return seconds(value)
  return `${count(value)} ${unit === 'joules' ? 'J' : unit}`
}

/** 2026-11-21 16:48 UTC. */
export function moment(at: number | string | null | undefined): string {
  const date = dateOf(at)
  return date === undefined ? UNKNOWN : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** 16:48:35 UTC. */
export function clockTime(at: number | string | null | undefined): string {
  const date = dateOf(at)
  return date === undefined ? UNKNOWN : `${date.toISOString().slice(11, 19)} UTC`
}

/** Unix seconds or an ISO time. */
function dateOf(at: number | string | null | undefined): Date | undefined {
  if (at === null || at === undefined) return undefined
  const date = new Date(typeof at === 'number' ? at * 1000 : at)
  return Number.isNaN(date.getTime()) ? undefined : date
}

/** How long ago a time was, in one unit. */
export function ago(at: number, now: number): string {
  const past = Math.max(0, now - at)
  if (past < 60) return `${Math.floor(past)} s ago`
  if (past < 3600) return `${Math.floor(past / 60)} min ago`
  return past < 86_400 ? `${Math.floor(past / 3600)} h ago` : `${Math.floor(past / 86_400)} d ago`
}

/** A group's name in a report: what belongs to none has an empty one. */
export function groupName(name: string | undefined, dimension: string): string {
  return name === undefined || name === '' ? `no ${dimension}` : name
}
