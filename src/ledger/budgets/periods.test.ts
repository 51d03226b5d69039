import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { counterEnd, counterPrefix, encoded, previousPerMille, windowOf } from './periods.js'
import type { Period } from './contract.js'

const at = (text: string) => Date.parse(text) / 1000
const periods = ['minute', 'day', 'month', 'total'] as const

describe('windowOf', () => {
  it.each([
    ['minute', '2026-11-21T07:07:59.999Z', '2026-11-21T07:07', '2026-11-21T07:07:00Z', '2026-11-21T07:08:00Z'],
    ['day', '2026-11-21T23:59:59.999Z', '2026-11-21', '2026-11-21T00:00:00Z', '2026-11-22T00:00:00Z'],
    ['day', '2026-11-22T00:00:00Z', '2026-11-22', '2026-11-22T00:00:00Z', '2026-11-23T00:00:00Z'],
    ['month', '2026-12-31T23:59:59Z', '2026-12', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z'],
    ['month', '2028-02-29T12:00:00Z', '2028-02', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z'],
  ] as const)('a %s at %s is %s', (period, now, label, start, end) => {
    expect(windowOf(period, at(now))).toMatchObject({ label, start: at(start), end: at(end) })
  })

  it('a total never ends', () => expect(windowOf('total', 0)).toEqual({ start: -Infinity, end: Infinity, label: 'all' }))

  it('knows the minute before', () => expect(windowOf('minute', at('2027-01-01T00:00:30Z')).previous).toBe('2026-12-31T23:59'))

  it('gives the same window for the same time, whatever the clock said in between', () => {
    const time = fc.oneof(fc.double({ min: 0, max: 4e9, noNaN: true }), fc.integer({ min: 1_790_000_000, max: 1_790_000_300 }), fc.double())
    fc.assert(
      fc.property(fc.array(time, { minLength: 1 }), fc.constantFrom<Period>(...periods), (times, period) => {
        const first = times.map((now) => windowOf(period, now).label)
        const again = [...times].reverse().map((now) => windowOf(period, now).label)
        expect(again.reverse()).toEqual(first)
      }),
    )
  })

  it('covers its time, and windows neither overlap nor leave a gap', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 250_000_000_000, noNaN: true }),
        fc.constantFrom<Period>('minute', 'day', 'month'),
        (now, period) => {
          const window = windowOf(period, now)
          expect(now).toBeGreaterThanOrEqual(window.start)
          expect(now).toBeLessThan(window.end)
          expect(windowOf(period, window.end).start).toBe(window.end)
        },
      ),
    )
  })

  it.each([NaN, -5, -Infinity, Infinity, 1e300])('has a window for a clock that says %s', (now) => {
    for (const period of periods) expect(windowOf(period, now).label).toMatch(/^(all|(1970|9999)-[\dT:-]+)$/)
  })
})

describe('previousPerMille', () => {
  const window = windowOf('minute', at('2026-11-21T07:07:00Z'))
  it('falls from the whole minute to nothing, rounded up', () => {
    expect(previousPerMille(window, window.start)).toBe(1000)
    expect(previousPerMille(window, window.start + 0.001)).toBe(1000)
    expect(previousPerMille(window, window.start + 15)).toBe(750)
    expect(previousPerMille(window, window.end - 0.001)).toBe(1)
    expect(previousPerMille(window, window.end)).toBe(0)
  })
  it.each([NaN, window.start - 100])('counts the whole of it at %s', (now) => expect(previousPerMille(window, now)).toBe(1000))
})

describe('counter ids', () => {
  it('are made of level, unit and window', () => expect(counterPrefix('key', 'k_7', 'usd', 'month')).toBe('key:k_7/usd/month:'))

  it('no two of different levels are the same, and none begins another', () => {
    const nasty = fc
      .array(fc.constantFrom('/', ':', '%', 'a', '%2F', 'usd', 'ü', '\ud800', '\udfff', '\u0000', '😀', ' '), { maxLength: 6 })
      .map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(nasty, nasty, (one, other) => {
        const [a, b] = [counterPrefix('team', one, 'usd', 'day'), counterPrefix('team', other, 'usd', 'day')]
        expect(a === b).toBe(one === other)
        if (one !== other) expect(a.startsWith(b) || b.startsWith(a)).toBe(false)
        expect(a).toMatch(/^[\w\-.!~*'()%:/]+$/)
      }),
      { numRuns: 2000 },
    )
  })

  it('an unpaired surrogate is none of the texts it could be written as', () => {
    expect(new Set(['\ud800', '\ufffd', '%uD800', '%ud800', '\udc00\ud800'].map(encoded)).size).toBe(5)
  })

  it('tell when their window has ended', () => {
    expect(counterEnd('key:k/usd/month:2026-11')).toBe(at('2026-12-01T00:00:00Z'))
    expect(counterEnd('key:k/usd/day:2026-11-30')).toBe(at('2026-12-01T00:00:00Z'))
    expect(counterEnd('key:k/calls/sliding:2026-11-30T23:59')).toBe(at('2026-12-01T00:01:00Z'))
    for (const endless of ['key:k/usd/total:all', 'key:k/calls/parallel:now', 'else']) expect(counterEnd(endless)).toBe(Infinity)
  })
})
