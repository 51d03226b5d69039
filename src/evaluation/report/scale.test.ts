import { describe, expect, it } from 'vitest'
import type { Axis } from './document.js'
import { extentOf, placeable, scaleOf } from './scale.js'
import { dayText, fixedText, numberText, readingText, withUnit } from './shown.js'

const at = (axis: Axis, low: number, high: number, wanted = 6) => scaleOf(axis, { low, high }, 0, 100, wanted)
const texts = (axis: Axis, low: number, high: number, wanted?: number) => at(axis, low, high, wanted).ticks.map(({ text }) => text)
const day = 86_400
const time = (text: string) => Date.parse(`${text}Z`) / 1_000

describe('scaleOf', () => {
  it('has round numbers with their unit, from the first below to the first above', () => {
    expect(texts({ title: '' }, 0, 1)).toEqual(['0.0', '0.2', '0.4', '0.6', '0.8', '1.0'])
    expect(texts({ title: '', unit: '%' }, 51, 98)).toEqual(['50', '60', '70', '80', '90', '100'].map((text) => `${text}\u00a0%`))
    expect(texts({ title: '', unit: '$' }, -0.03, 0.031)).toEqual(['-$0.04', '-$0.02', '$0.00', '$0.02', '$0.04'])
    expect(texts({ title: '' }, 0, 12_000_000)).toEqual(['0', '2M', '4M', '6M', '8M', '10M', '12M'])
    expect(texts({ title: '' }, 1e-9, 4e-9)).toContain('2·10⁻⁹')
  })

  it('shows a single number in the middle', () => {
    for (const value of [0, -3, 5e-8, 7e12]) {
      const { low, high } = at({ title: '' }, value, value)
      expect(low).toBeLessThan(value)
      expect(high).toBeGreaterThan(value)
    }
  })

  it('has powers of ten, with digits between where they are few', () => {
    const log = { title: '', scale: 'log' } as const
    expect(texts(log, 0.01, 100)).toEqual(['0.01', '0.1', '1', '10', '100'])
    expect(texts(log, 2, 60)).toEqual(['2', '5', '10', '20', '50'])
    expect(texts(log, 1e-9, 1e9, 6).length).toBeLessThanOrEqual(8)
    expect(texts(log, 50, 52).length).toBeGreaterThanOrEqual(2)
    expect(at(log, 1, 100).at(10)).toBeCloseTo(50, 9)
  })

  it('stays finite however far numbers are apart', () => {
    for (const [low, high] of [
      [1e-300, 1e300],
      [0.02, 1e300],
      [1e-300, 1e-299],
    ] as const) {
      const scale = at({ title: '', scale: 'log' }, low, high)
      expect(scale.ticks.length).toBeGreaterThan(0)
      expect(scale.ticks.length).toBeLessThan(20)
      for (const { value, text } of scale.ticks) expect([Number.isFinite(scale.at(value)), /e\+|NaN/.test(text)]).toEqual([true, false])
      expect(scale.at(low)).toBeLessThan(scale.at(high))
    }
    expect(at({ title: '' }, -1e300, 1e300).at(0)).toBeCloseTo(50, 9)
  })

  it('has days, hours or months, as the span asks', () => {
    const days = { title: '', as: 'days' } as const
    expect(texts(days, time('2026-11-01T00:00'), time('2026-11-21T00:00'))).toEqual(['2026-11-02', '2026-11-09', '2026-11-16'])
    expect(texts(days, time('2026-11-21T10:00'), time('2026-11-22T02:00'))).toEqual(['12:00', '15:00', '18:00', '21:00', '2026-11-22'])
    expect(texts(days, time('2025-01-10T00:00'), time('2026-11-21T00:00'))).toEqual(['2025-01', '2025-07', '2026-01', '2026-07'])
    expect(texts(days, time('1990-01-10T00:00'), time('2026-11-21T00:00'))).toEqual(['1990', '2000', '2010', '2020'])
    expect(texts(days, 5 * day, 5 * day).length).toBeGreaterThan(0)
  })

  it('ends at the edges', () => {
    const scale = at({ title: '' }, 0, 1)
    expect([scale.at(-5), scale.at(5), scale.holds(5)]).toEqual([0, 100, false])
  })
})

describe('extentOf', () => {
  it('lets no single whisker squeeze the rest, and leaves out what has no place', () => {
    const sure = [1, 2, 3].map((value) => ({ value, low: value - 0.1, high: value + 0.1 }))
    expect(extentOf([...sure, { value: 2, low: -1_000, high: 1_000 }], { title: '' })).toEqual({ low: 0.9, high: 3.1 })
    expect(
      extentOf(
        [
          { value: 2, low: 1, high: Infinity },
          { value: NaN, low: 0, high: 9 },
        ],
        { title: '' },
      ),
    ).toEqual({ low: 1, high: 2 })
    expect(extentOf([{ value: 0, low: 0, high: 0 }], { title: '', scale: 'log' })).toBeNull()
    expect(extentOf(sure, { title: '' }, [-7])?.low).toBe(-7)
    expect([placeable(0, { title: '' }), placeable(0, { title: '', scale: 'log' }), placeable(Infinity, { title: '' })]).toEqual([
      true,
      false,
      false,
    ])
    // Sums and powers of these would have no number, and `Date` no day.
    expect([
      placeable(1e308, { title: '' }),
      placeable(1e-308, { title: '', scale: 'log' }),
      placeable(1e14, { title: '', as: 'days' }),
    ]).toEqual([false, false, false])
  })
})

describe('texts of numbers', () => {
  it.each([
    [0, '0'],
    [1234567.8, '1,234,568'],
    [-1234.5, '-1,234'],
    [12.345, '12.35'],
    [0.00012, '0.00012'],
    [0.00001, '10⁻⁵'],
    [-2.5e-7, '-2.5·10⁻⁷'],
    [NaN, '?'],
    [Infinity, '∞'],
    [-Infinity, '-∞'],
  ])('%s is %s', (value, text) => expect(numberText(value)).toBe(text))
  it('tell units, intervals and dates', () => {
    expect(withUnit('5', '$')).toBe('$5')
    expect(fixedText(-0.001, 2)).toBe('0.00')
    expect(readingText({ value: 61, low: 58, high: 64 }, { title: '', unit: '%' })).toBe('61\u00a0% [58, 64]')
    expect(readingText({ value: 61, low: 61, high: 61 }, { title: '', unit: 's' })).toBe('61\u00a0s')
    expect([dayText(0), dayText(3_660), dayText(1e300)]).toEqual(['1970-01-01', '1970-01-01 01:01', '10³⁰⁰'])
  })
})
