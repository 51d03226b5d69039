import { toDollars, type Money } from '../../quantities/index.js'

/** An amount as people read it, to three figures: `$0.00213`, `$1.25`, `$0`. */
export function dollars(amount: Money | number): string {
  const value = typeof amount === 'bigint' ? toDollars(amount) : amount
  if (value === 0) return '$0'
  const digits = Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(Math.abs(value)))))
  const text = Math.abs(value).toFixed(digits)
  return `${value < 0 ? '-' : ''}$${digits > 2 ? text.replace(/0+$/, '') : text}`
}

/** Seconds as people read them: `0.4 s`, `12 s`, `3.5 min`. */
export function duration(seconds: number): string {
  if (seconds >= 120) return `${(seconds / 60).toPrecision(2)} min`
  return `${seconds >= 10 ? Math.round(seconds) : seconds.toPrecision(2)} s`
}
