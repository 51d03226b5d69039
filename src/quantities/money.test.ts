import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addMoney, formatUsd, picoUsd, toDollars, usd, zeroMoney } from './money.js'

const pico = fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }).map(picoUsd)

describe('usd', () => {
  it.each([
    [0, 0n],
    ['0.15', 150_000_000_000n],
    [0.15, 150_000_000_000n],
    [1.5e-7, 150_000n],
    [1e-12, 1n],
    ['.5', 500_000_000_000n],
    ['2.', 2_000_000_000_000n],
    [' 3 ', 3_000_000_000_000n],
    [-0.25, -250_000_000_000n],
    [1e21, 10n ** 33n],
    [1.25e22, 125n * 10n ** 32n],
    [123456.789, 123_456_789_000_000_000n],
  ])('reads %s exactly', (dollars, want) => {
    expect(usd(dollars)).toBe(want)
  })

  it('rounds what is finer than a picodollar up', () => {
    expect(usd('0.0000000000001')).toBe(1n)
    expect(usd('0.0000000000010')).toBe(1n)
    expect(usd('0.0000000000011')).toBe(2n)
    expect(usd(5e-324)).toBe(1n)
    // Towards more money here too: minus nothing is more than minus something.
    expect(usd('-0.0000000000019')).toBe(-1n)
  })

  it.each(['', '.', '-', 'x', '1,5', '1.2.3', '1e5', '0x10', 'NaN', NaN, Infinity, -Infinity])('refuses %j', (text) => {
    expect(() => usd(text)).toThrow(RangeError)
  })

  it('reads back what formatUsd writes', () => {
    fc.assert(fc.property(pico, (money) => void expect(usd(formatUsd(money))).toBe(money)))
  })

  it('reads any decimal of at most twelve places as the rational number it is', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 20n }), fc.integer({ min: 0, max: 12 }), (digits, places) => {
        const text = digits.toString().padStart(places + 1, '0')
        const decimal = places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`
        // digits / 10^places dollars = digits × 10^(12 − places) picodollars
        expect(usd(decimal)).toBe(digits * 10n ** BigInt(12 - places))
      }),
    )
  })

  it('never reads a number as less than it is', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (dollars) => {
        const read = Number(usd(dollars)) / 1e12
        expect(read).toBeGreaterThanOrEqual(dollars * (1 - 1e-15))
        expect(read - dollars).toBeLessThanOrEqual(1e-12 + dollars * 1e-15)
      }),
    )
  })
})

describe('formatUsd', () => {
  it.each([
    [0n, '0'],
    [1n, '0.000000000001'],
    [2_130_000_000n, '0.00213'],
    [-1_500_000_000_000n, '-1.5'],
    [10n ** 12n, '1'],
    [-1n, '-0.000000000001'],
  ])('writes %s picodollars', (count, want) => {
    expect(formatUsd(picoUsd(count))).toBe(want)
  })

  it('writes no needless digit', () => {
    fc.assert(fc.property(pico, (money) => void expect(formatUsd(money)).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/)))
  })
})

describe('sums', () => {
  it('are exact where doubles are not', () => {
    let sum = zeroMoney
    for (let index = 0; index < 1000; index++) sum = addMoney(sum, usd(0.1))
    expect(formatUsd(sum)).toBe('100')
  })

  it('do not depend on the order', () => {
    fc.assert(
      fc.property(fc.array(pico), (amounts) => {
        const forwards = amounts.reduce(addMoney, zeroMoney)
        const backwards = amounts.reduceRight(addMoney, zeroMoney)
        expect(forwards).toBe(backwards)
        expect(forwards).toBe(amounts.reduce((sum, amount) => sum + BigInt(amount), 0n))
      }),
    )
  })
})

it('toDollars is the nearest double of small amounts', () => {
  expect(toDollars(usd('0.1'))).toBe(0.1)
  expect(toDollars(usd('-2.5'))).toBe(-2.5)
})
