import type { Axis, Reading } from './document.js'

/**
 * A text from elsewhere as it may be shown: without control and formatting characters, which would steer a terminal or turn the order
 * of letters round, and without halves of surrogate pairs, which have no UTF-8. Line feeds stay where `lines` are wanted.
 */
export function shown(text: string, { lines = false }: { readonly lines?: boolean } = {}): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (letter) => (lines && letter === '\n' ? letter : '?'))
    .replace(/\p{Surrogate}/gu, '\ufffd')
}

/** The same within HTML or SVG, between tags or in a quoted attribute. */
export function escaped(text: string): string {
  return shown(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
}

/**
 * A number to be read in a table: four significant digits, thousands parted by commas; `?` for what is unknown (`NaN`), `∞` for what
 * has no bound.
 */
export function numberText(value: number): string {
  if (Number.isNaN(value)) return '?'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '-∞'
  const size = Math.abs(value)
  if (size !== 0 && (size >= 1e15 || size < 1e-4)) return powerOfTen(value)
  if (size >= 1_000) return grouped(String(Math.round(value)))
  return String(Number(value.toPrecision(4)))
}

/** `digits` behind the point, always, so that numbers in a column line up. */
export function fixedText(value: number, digits: number): string {
  const [whole = '', behind] = (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(Math.min(20, digits)).split('.')
  return behind === undefined ? grouped(whole) : `${grouped(whole)}.${behind}`
}

/** A number with its axis' unit, or as a date. */
export function valueText(value: number, axis: Axis): string {
  if (axis.as === 'days' && Number.isFinite(value)) return dayText(value)
  return withUnit(numberText(value), axis.unit)
}

/** "61 % [58, 64]": a reading with its interval. */
export function readingText(reading: Reading, axis: Axis): string {
  const { value, low, high } = spanOf(reading)
  if (low === value && high === value) return valueText(value, axis)
  const [from, to] = axis.as === 'days' ? [valueText(low, axis), valueText(high, axis)] : [numberText(low), numberText(high)]
  return `${valueText(value, axis)} [${from}, ${to}]`
}

/** A reading as value and interval; a bare number is its own. */
export function spanOf(reading: Reading): { readonly value: number; readonly low: number; readonly high: number } {
  return typeof reading === 'number' ? { value: reading, low: reading, high: reading } : reading
}

/** Dollars stand before their number, every other unit behind it. */
export function withUnit(text: string, unit: string | undefined): string {
  if (unit === undefined || unit === '') return text
  if (unit === '$') return text.startsWith('-') ? `-$${text.slice(1)}` : `$${text}`
  return `${text}\u00a0${unit}`
}

/** Unix seconds as "2026-11-21", and with "14:05" where it isn't midnight in UTC. */
export function dayText(seconds: number): string {
  const date = new Date(seconds * 1_000)
  if (Number.isNaN(date.getTime())) return numberText(seconds)
  const [day = '', time = ''] = date.toISOString().split('T')
  return time.startsWith('00:00:00') ? day : `${day} ${time.slice(0, 5)}`
}

function grouped(whole: string): string {
  return whole.replace(/\B(?=(\d{3})+$)/g, ',')
}

function powerOfTen(value: number): string {
  const [digits = '', exponent = ''] = value.toExponential(2).split('e')
  const raised = [...String(Number(exponent))].map((letter) => (letter === '-' ? '⁻' : ('⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(letter)] ?? letter))).join('')
  return Number(digits) === 1 ? `10${raised}` : `${Number(digits)}·10${raised}`
}
