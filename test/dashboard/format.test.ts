import { describe, expect, it } from 'vitest'
import { ago, amountOf, clockTime, count, dollars, moment, percent, points, seconds, UNKNOWN } from '../../web/format.js'

describe('figures as people read them', () => {
  it('writes dollars with cents, and small ones with three digits that count', () => {
    expect(['1234.5', 12, '0.05', '0.004053', '0.00000123', '0', -3.456].map(dollars)).toEqual([
      '$1,234.50',
      '$12.00',
      '$0.05',
      '$0.00405',
      '$0.00000123',
      '$0',
      '−\u2060$3.46',
    ])
  })

  it('never takes what is unknown for zero', () => {
    for (const write of [dollars, count, seconds, percent, points])
      expect([write(null), write(undefined), write('no number'), write(Number.NaN)]).toEqual([UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN])
    expect([moment(null), clockTime(undefined)]).toEqual([UNKNOWN, UNKNOWN])
  })

  it('writes counts, times and shares with their units', () => {
    expect([0, 999, 1234, 12_345, 4_560_000, 2.5].map(count)).toEqual(['0', '999', '1,234', '12.3k', '4.56M', '2.5'])
    expect([0, 0.12, 1.44, 90, 300, 9000].map(seconds)).toEqual(['0 s', '120 ms', '1.44 s', '90 s', '5 min', '2.5 h'])
    expect([0, 0.0512, 0.5, 1, -0.102].map(percent)).toEqual(['0\u00a0%', '5.1\u00a0%', '50\u00a0%', '100\u00a0%', '−\u206010.2\u00a0%'])
    expect([0.019, -0.0384, 0.0001].map(points)).toEqual(['+1.9', '−3.8', '0.0'])
    expect([amountOf('usd', 5), amountOf('tokens', 2e6), amountOf('seconds', 30), amountOf('joules', 20)]).toEqual([
      '$5.00',
      '2M tokens',
      '30 s',
      '20 J',
    ])
  })

  it('writes times in UTC, from Unix seconds and from text', () => {
    expect(moment(1_790_000_000)).toBe('2026-09-21 14:13 UTC')
    expect(clockTime('2026-11-21T16:48:35.120Z')).toBe('16:48:35 UTC')
    expect([ago(100, 105), ago(100, 400), ago(0, 7200), ago(0, 200_000), ago(10, 5)]).toEqual([
      '5 s ago',
      '5 min ago',
      '2 h ago',
      '2 d ago',
      '0 s ago',
    ])
  })
})
