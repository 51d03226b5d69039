import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noCost } from './cost.js'
import { picoUsd, usd } from './money.js'
import { describeGrains, formatGrains, grains, grainsOfLimit, inUnit, noSpend, spendOf, units } from './spend.js'
import { noUsage } from './usage.js'

describe('grains', () => {
  it('counts each unit in its grain, and rounds up', () => {
    const spend = { usd: picoUsd(7), tokens: 10.2, calls: 1, joules: 0.0001, seconds: 1.2341 }
    expect(units.map((unit) => grains(spend, unit))).toEqual([7n, 11n, 1n, 1n, 1235n])
  })

  it('says null of what is not known', () => {
    expect(grains({ ...noSpend, usd: null }, 'usd')).toBeNull()
    expect(grains({ ...noSpend, joules: null }, 'joules')).toBeNull()
  })

  it.each([NaN, -1, Infinity])('takes no %s for an amount', (value) => {
    const spend = { ...noSpend, tokens: value, calls: value, joules: value, seconds: value }
    for (const unit of units.slice(1)) expect(() => grains(spend, unit)).toThrow(RangeError)
    expect(() => grains({ ...noSpend, usd: picoUsd(-1) }, 'usd')).toThrow(RangeError)
  })

  it('is never below the amount, and less than a grain above it but for the last bit', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (seconds) => {
        const counted = Number(grains({ ...noSpend, seconds }, 'seconds'))
        expect(counted).toBeGreaterThanOrEqual(seconds * 1000)
        expect(counted - seconds * 1000).toBeLessThan(1.001)
      }),
    )
  })
})

describe('grainsOfLimit', () => {
  it('reads a limit in its unit', () => {
    expect(grainsOfLimit('usd', 1.5)).toBe(1_500_000_000_000n)
    expect(grainsOfLimit('usd', usd('0.01'))).toBe(10_000_000_000n)
    expect(grainsOfLimit('tokens', 10.9)).toBe(10n)
    expect(grainsOfLimit('seconds', 4.35)).toBe(4350n)
    expect(grainsOfLimit('joules', 0.0019)).toBe(1n)
  })

  it('keeps every decimal of three places', () => {
    fc.assert(
      fc.property(fc.nat(2_000_000_000), (thousandths) => {
        expect(grainsOfLimit('seconds', thousandths / 1000)).toBe(BigInt(thousandths))
      }),
    )
  })

  it.each([NaN, -1, Infinity])('takes no %s for a limit', (value) => expect(() => grainsOfLimit('tokens', value)).toThrow(RangeError))
})

it('writes grains exactly', () => {
  expect([formatGrains('usd', 1n), formatGrains('seconds', -1500n), formatGrains('joules', 2000n), formatGrains('tokens', 12345n)]).toEqual(
    ['0.000000000001', '-1.5', '2', '12345'],
  )
  expect([
    describeGrains('usd', usd(-0.25)),
    describeGrains('tokens', 12345n),
    describeGrains('calls', 1n),
    describeGrains('seconds', 1001n),
    describeGrains('calls', 2n, 'requests'),
  ]).toEqual(['-$0.25', '12,345 tokens', '1 call', '1.001 seconds', '2 requests'])
})

it('shows grains in their unit again', () => {
  expect(inUnit('usd', 1_500_000_000_000n)).toBe(1.5)
  expect(inUnit('seconds', 1500n)).toBe(1.5)
  expect(inUnit('tokens', 12n)).toBe(12)
})

it('a call spends its tokens of both directions, and is one call', () => {
  const usage = { ...noUsage, inputTokens: 5, cacheReadTokens: 3, outputTokens: 2, reasoningTokens: 7 }
  expect(spendOf({ usage, cost: { ...noCost, usd: null, seconds: 2 } })).toEqual({ usd: null, tokens: 17, calls: 1, joules: 0, seconds: 2 })
})
