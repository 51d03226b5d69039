/**
 * Money is exact: an integer count of picodollars (1e-12 USD), as a branded bigint.
 *
 * Why pico: list prices are quoted in dollars per million tokens with up to six decimals, so a price per token is a whole
 * number of picodollars ($0.0375 / M = 37,500 p$ a token), and a call's price is a whole number too. A 64-bit SQL
 * integer holds 9.2 million dollars at this grain. Floats are never summed.
 */
declare const picodollars: unique symbol
export type Money = bigint & { readonly [picodollars]: true }

export const PICODOLLARS_PER_DOLLAR = 1_000_000_000_000n

export function picoUsd(count: bigint | number): Money {
  return BigInt(count) as Money
}

export const zeroMoney: Money = picoUsd(0n)

/** Dollars to exact money; a dollar amount finer than a picodollar is rounded up, since money is never guessed low. */
export function usd(dollars: number | string): Money {
  const text = typeof dollars === 'number' ? plainDecimal(dollars) : dollars.trim()
  const match = /^(-?)(\d*)(?:\.(\d*))?$/.exec(text)
  if (!match || (match[2] === '' && (match[3] ?? '') === '')) throw new RangeError(`not a dollar amount: ${text}`)
  const fraction = match[3] ?? ''
  const kept = fraction.slice(0, 12).padEnd(12, '0')
  const magnitude = BigInt(match[2] || '0') * PICODOLLARS_PER_DOLLAR + BigInt(kept)
  if (match[1] === '-') return picoUsd(-magnitude)
  return picoUsd(/[1-9]/.test(fraction.slice(12)) ? magnitude + 1n : magnitude)
}

/** The shortest exact decimal of an amount in dollars, such as `0.00213`; what goes into JSON and headers. */
export function formatUsd(money: Money): string {
  if (money >= 0n && money <= MAX_EXACT) return formatSmall(Number(money))
  const negative = money < 0n
  const magnitude = negative ? -money : money
  const whole = magnitude / PICODOLLARS_PER_DOLLAR
  const fraction = (magnitude % PICODOLLARS_PER_DOLLAR).toString().padStart(12, '0').replace(/0+$/, '')
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`
}

/** Up to here a double counts picodollars exactly: amounts below $9,007, which a call's are. */
const MAX_EXACT = BigInt(Number.MAX_SAFE_INTEGER)

/** `formatUsd` without big integers, which cost more. */
function formatSmall(pico: number): string {
  const whole = Math.floor(pico / 1e12)
  let fraction = pico % 1e12
  if (fraction === 0) return String(whole)
  let digits = 12
  while (fraction % 10 === 0) {
    fraction /= 10
    digits--
  }
  return `${whole}.${String(fraction).padStart(digits, '0')}`
}

/** Dollars as a float, for statistics and display only. */
export function toDollars(money: Money): number {
  return Number(money) / 1e12
}

export function addMoney(a: Money, b: Money): Money {
  return (a + b) as Money
}

/** 1.5e-7 to 0.00000015: JavaScript prints small numbers with an exponent. */
function plainDecimal(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`not a dollar amount: ${value}`)
  const text = String(value)
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (!match) return text
  const digits = `${match[2]}${match[3] ?? ''}`
  const point = 1 + Number(match[4])
  if (point <= 0) return `${match[1]}0.${'0'.repeat(-point)}${digits}`
  return `${match[1]}${digits.padEnd(point, '0').slice(0, point)}${digits.length > point ? `.${digits.slice(point)}` : ''}`
}
