/** Figures for people: short, and never more exact than they are. */

/** Dollars from an exact decimal: cents, or two digits that count below a cent. */
export function dollars(text: string): string {
  const value = Number(text)
  if (value === 0) return '$0'
  const sign = value < 0 ? '-' : ''
  const size = Math.abs(value)
  return (
    sign + (size < 0.01 ? `$${fixed(size)}` : `$${size.toLocaleString('en-US', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`)
  )
}

/** Two digits that count, without an exponent. */
function fixed(value: number): string {
  const digits = Math.min(12, 1 - Math.floor(Math.log10(value)))
  return value.toFixed(digits)
}

/** `1.2M`, `34k`, `950`. */
export function count(value: number): string {
  const size = Math.abs(value)
  if (size >= 9.995e11) return value.toExponential(2)
  for (const [unit, letter] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    const scaled = value / unit
    if (size >= unit * 0.9995) return `${Math.abs(scaled) >= 99.95 ? Math.round(scaled) : Number(scaled.toPrecision(3))}${letter}`
  }
  return String(Math.round(value))
}

export function percent(share: number): string {
  if (share > 0 && share < 0.005) return '<1%'
  return `${Math.round(share * 100)}%`
}

export function seconds(value: number | null): string {
  if (value === null) return ''
  return value < 10 ? value.toPrecision(2) : String(Math.round(value))
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A bar of so many columns for the most; at least a sliver for what isn't 0. */
export function bar(value: number, most: number, width: number): string {
  if (!(value > 0) || !(most > 0)) return ''
  const parts = Math.max(1, Math.round((value / most) * width * 8))
  return '█'.repeat(Math.floor(parts / 8)) + (eighths[parts % 8] ?? '')
}

/** `1 call`, `2 calls`. */
export function plural(number: number, one: string, many: string = `${one}s`): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : many}`
}
