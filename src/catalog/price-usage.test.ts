import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatUsd, noUsage, picoUsd, totalInputTokens, usd, type Money, type Usage } from '../quantities/index.js'
import type { PriceSheet, Rate } from './model.js'
import { priceSheetFromConfig, type PerMillionRates } from './price-sheet.js'
import { priceDuring, priceReported, priceUsage } from './price-usage.js'

const at = Date.UTC(2026, 7, 15, 12) / 1000
const dollars = (money: Money | null | undefined) => (money == null ? money : formatUsd(money))
const priced = (sheet: PriceSheet | undefined, usage: Partial<Usage>, serviceTier?: string) =>
  priceUsage(sheet, { ...noUsage, ...usage }, { at, serviceTier })

const full = priceSheetFromConfig({
  input: 3,
  output: 15,
  cache_read: 0.3,
  cache_write_5m: 3.75,
  cache_write_1h: 6,
  reasoning: 20,
  input_audio: 40,
  cache_read_audio: 2.5,
  output_audio: 80,
  input_image: 5,
  output_image: 30,
  input_video: 7,
  web_search: 0.01,
  call: 0.005,
})

describe('priceUsage', () => {
  it('prices every bucket at its own rate, and tells the parts', () => {
    const { report, warning, source } = priced(full, {
      inputTokens: 1_000,
      inputAudioTokens: 10,
      inputImageTokens: 20,
      inputVideoTokens: 30,
      cacheReadTokens: 5_000,
      cacheReadAudioTokens: 40,
      cacheWrite5mTokens: 200,
      cacheWrite1hTokens: 100,
      outputTokens: 77,
      reasoningTokens: 50,
      outputAudioTokens: 6,
      outputImageTokens: 7,
      webSearches: 2,
    })
    expect(Object.fromEntries(Object.entries(report.details).map(([name, money]) => [name, dollars(money)]))).toEqual({
      input: '0.003', // 1,000 × $3 / M
      input_audio: '0.0004', // 10 × $40 / M
      input_image: '0.0001', // 20 × $5 / M
      input_video: '0.00021', // 30 × $7 / M
      cache_read: '0.0015', // 5,000 × $0.30 / M
      cache_read_audio: '0.0001', // 40 × $2.50 / M
      cache_write_5m: '0.00075', // 200 × $3.75 / M
      cache_write_1h: '0.0006', // 100 × $6 / M
      output: '0.001155', // 77 × $15 / M
      reasoning: '0.001', // 50 × $20 / M
      output_audio: '0.00048', // 6 × $80 / M
      output_image: '0.00021', // 7 × $30 / M
      web_search: '0.02', // 2 × $0.01
      call: '0.005',
    })
    // 0.003 + 0.0004 + 0.0001 + 0.00021 + 0.0015 + 0.0001 + 0.00075 + 0.0006 + 0.001155 + 0.001 + 0.00048 + 0.00021 + 0.02 + 0.005
    expect(dollars(report.usd)).toBe('0.034505')
    expect(warning).toBeUndefined()
    expect(source).toBe('configuration')
  })

  it('says nothing about buckets that are empty or free', () => {
    const free = priceSheetFromConfig({ input: 0, output: 2 })
    expect(priced(free, { inputTokens: 5 })).toEqual({ report: { usd: 0n, details: {} }, warning: undefined, source: 'configuration' })
    expect(priced(free, {}).report.usd).toBe(0n)
  })

  it('does not know the price without a sheet, and says what to do', () => {
    const { report, warning } = priced(undefined, { inputTokens: 1 })
    expect(report).toEqual({ usd: null, details: {} })
    expect(warning).toMatch(/set `prices`/)
  })

  it.each([
    ['inputTokens', 'input', { output: 1 }],
    ['outputTokens', 'output', { input: 1 }],
    ['reasoningTokens', 'reasoning', { input: 1 }],
    ['inputAudioTokens', 'input_audio', { input: 1, output: 1 }],
    ['cacheReadAudioTokens', 'cache_read_audio', { input: 1, output: 1, cache_read: 1 }],
    ['outputAudioTokens', 'output_audio', { input: 1, output: 1 }],
    ['outputImageTokens', 'output_image', { input: 1, output: 1 }],
    ['webSearches', 'web_search', { input: 1, output: 1 }],
    ['cacheReadTokens', 'cache_read', { output: 1 }],
    ['cacheWrite1hTokens', 'cache_write_1h', { output: 1 }],
  ] as const)('does not know the price of %s without a rate, and names it', (bucket, name, rates: PerMillionRates) => {
    const { report, warning } = priced(priceSheetFromConfig(rates), { [bucket]: 1 })
    expect(report).toEqual({ usd: null, details: {} })
    expect(warning).toContain(name)
    // The rate is only missed where it is needed.
    expect(priced(priceSheetFromConfig(rates), {}).report.usd).toBe(0n)
  })

  it('falls back to rates that can not be too low', () => {
    const sheet = priceSheetFromConfig({ input: 4, output: 10 })
    // 100 × $4 / M each
    for (const bucket of ['inputImageTokens', 'inputVideoTokens', 'cacheReadTokens'] as const)
      expect(dollars(priced(sheet, { [bucket]: 100 }).report.usd)).toBe('0.0004')
    // 100 × $10 / M
    expect(dollars(priced(sheet, { reasoningTokens: 100 }).report.usd)).toBe('0.001')
    // 100 × 1.25 × $4 / M; 100 × 2 × $4 / M
    const minutes = priced(sheet, { cacheWrite5mTokens: 100 })
    expect(dollars(minutes.report.usd)).toBe('0.0005')
    expect(minutes.warning).toContain('cache_write_5m')
    expect(dollars(priced(sheet, { cacheWrite1hTokens: 100 }).report.usd)).toBe('0.0008')
  })

  it('takes a tier for all tokens when the whole input, cache included, is above it', () => {
    const tiered = priceSheetFromConfig({
      input: 3,
      output: 15,
      cache_read: 0.3,
      tiers: [
        { above_input_tokens: 500_000, input: 9 },
        { above_input_tokens: 200_000, input: 6, output: 22.5, cache_read: 0.6 },
      ],
    })
    const usage = { inputTokens: 150_000, cacheReadTokens: 50_000, outputTokens: 1_000 }
    // 150,000 × $3 + 50,000 × $0.30 + 1,000 × $15, a million each: exactly at the threshold is not above it
    expect(dollars(priced(tiered, usage).report.usd)).toBe('0.48')
    // 150,001 × $6 + 50,000 × $0.60 + 1,000 × $22.50
    expect(dollars(priced(tiered, { ...usage, inputTokens: 150_001 }).report.usd)).toBe('0.952506')
    // 500,001 × $9; the output has no rate of that tier and keeps the one below: 1,000 × $22.50
    expect(dollars(priced(tiered, { inputTokens: 500_001, outputTokens: 1_000 }).report.usd)).toBe('4.522509')
  })

  it('multiplies token rates at a service tier, and not searches or calls', () => {
    const sheet = priceSheetFromConfig({ input: 2, output: 8, web_search: 0.01, call: 0.001, service_tiers: { flex: 0.5, Priority: 1.75 } })
    const usage = { inputTokens: 1_000, outputTokens: 100, webSearches: 1 }
    // (1,000 × $2 + 100 × $8) / M = 0.0028
    expect(dollars(priced(sheet, usage).report.usd)).toBe('0.0138')
    expect(dollars(priced(sheet, usage, 'flex').report.usd)).toBe('0.0124')
    expect(dollars(priced(sheet, usage, 'Priority').report.usd)).toBe('0.0159')
    for (const ordinary of ['default', 'standard', 'auto', 'on_demand', 'STANDARD'])
      expect(dollars(priced(sheet, usage, ordinary).report.usd)).toBe('0.0138')
    const { report, warning } = priced(sheet, usage, 'scale')
    expect(report.usd).toBeNull()
    expect(warning).toContain('"scale"')
  })

  it('multiplies exactly where the tier price is exact, and rounds up where it is not', () => {
    const sheet = priceSheetFromConfig({ input: 0.15, service_tiers: { priority: 5 / 3, odd: 0.3333 } })
    // $0.15 × 5⁄3 = $0.25
    expect(dollars(priced(sheet, { inputTokens: 3 }, 'priority').report.usd)).toBe('0.00000075')
    // 150,000 p$ × 0.3333 = 49,995 p$
    expect(priced(sheet, { inputTokens: 1 }, 'odd').report.usd).toBe(49_995n)
    expect(priced(priceSheetFromConfig({ input: 0.000001, service_tiers: { flex: 0.5 } }), { inputTokens: 1 }, 'flex').report.usd).toBe(1n)
  })

  it('takes the sheet that holds at the time of the call', () => {
    const peak = priceSheetFromConfig({ input: 2 })
    const later = priceSheetFromConfig({ input: 5 })
    const change = Date.UTC(2026, 8, 1) / 1000
    const sheet: PriceSheet = {
      ...priceSheetFromConfig({ input: 1 }),
      changes: [
        { when: { from: change }, sheet: later },
        { when: { daily: { start: 22 * 3600, end: 2 * 3600 } }, sheet: peak },
      ],
    }
    const cost = (hour: number, day = 15, month = 7) =>
      priceUsage(sheet, { ...noUsage, inputTokens: 1_000_000 }, { at: Date.UTC(2026, month, day, hour) / 1000 }).report.usd
    expect(cost(12)).toBe(usd(1))
    expect(cost(22)).toBe(usd(2))
    expect(cost(1)).toBe(usd(2))
    expect(cost(2)).toBe(usd(1))
    expect(cost(0, 1, 8)).toBe(usd(2))
    expect(cost(12, 1, 8)).toBe(usd(5))
  })

  it('is exact beyond what a double can hold', () => {
    // 900,000,000,001 tokens × 600,000,000 p$ = 540,000,000,000,600,000,000 p$, far above 2^53
    const sheet = priceSheetFromConfig({ input: 600 })
    expect(priced(sheet, { inputTokens: 900_000_000_001 }).report.usd).toBe(540_000_000_000_600_000_000n)
  })

  it('equals the sum of integer products for any usage and sheet', () => {
    const rate: fc.Arbitrary<Rate> = fc.record({
      base: fc.bigInt({ min: 0n, max: 10n ** 12n }).map(picoUsd),
      tiers: fc.uniqueArray(
        fc.record({ aboveInputTokens: fc.nat(2_000_000), rate: fc.bigInt({ min: 0n, max: 10n ** 12n }).map(picoUsd) }),
        {
          selector: (tier) => tier.aboveInputTokens,
          maxLength: 3,
        },
      ),
    })
    const tokens = fc.nat(1_000_000)
    const usage = fc.record({
      inputTokens: tokens,
      cacheReadTokens: tokens,
      cacheWrite5mTokens: tokens,
      outputTokens: tokens,
      reasoningTokens: tokens,
    })
    fc.assert(
      fc.property(fc.tuple(rate, rate, rate, rate, rate), usage, ([input, cacheRead, cacheWrite5m, output, reasoning], some) => {
        const all: Usage = { ...noUsage, ...some }
        const size = totalInputTokens(all)
        const at = ({ base, tiers }: Rate): bigint =>
          tiers.filter((tier) => size > tier.aboveInputTokens).sort((a, b) => b.aboveInputTokens - a.aboveInputTokens)[0]?.rate ?? base
        const want =
          BigInt(all.inputTokens) * at(input) +
          BigInt(all.cacheReadTokens) * at(cacheRead) +
          BigInt(all.cacheWrite5mTokens) * at(cacheWrite5m) +
          BigInt(all.outputTokens) * at(output) +
          BigInt(all.reasoningTokens) * at(reasoning)
        const { report } = priceUsage({ input, cacheRead, cacheWrite5m, output, reasoning, source: 'test' }, all, { at: 0 })
        expect(report.usd).toBe(want)
        expect(Object.values(report.details).reduce<bigint>((sum, part) => sum + (part ?? 0n), 0n)).toBe(want)
      }),
    )
  })
})

describe('priceReported', () => {
  const sheet = priceSheetFromConfig({ input: 1, output: 2 })
  const usage = { ...noUsage, inputTokens: 1_000_000 }

  it("takes the provider's own bill before any price of ours", () => {
    expect(priceReported(sheet, { usage, billedUsd: usd('0.7') }, at)).toEqual({
      report: { usd: usd('0.7'), details: {} },
      source: 'provider',
    })
    expect(priceReported(undefined, { usage, billedUsd: usd(0) }, at).report.usd).toBe(0n)
  })

  it('adds what other models did, at their prices', () => {
    const advisor = priceSheetFromConfig({ input: 10, output: 50 })
    const also = [{ model: 'advisor', usage: { ...noUsage, inputTokens: 100_000, outputTokens: 10_000 } }]
    const { report } = priceReported(sheet, { usage, also }, at, (model) => (model === 'advisor' ? advisor : undefined))
    // 1 M × $1 + 0.1 M × $10 + 0.01 M × $50
    expect(dollars(report.usd)).toBe('2.5')
    expect(report.details).toEqual({ input: usd(2), output: usd('0.5') })
    const unknown = priceReported(sheet, { usage, also }, at)
    expect(unknown.report.usd).toBeNull()
    expect(unknown.warning).toContain('"advisor"')
  })
})

describe('priceDuring', () => {
  const cheap = priceSheetFromConfig({ input: 1, output: 2 })
  const sheet: PriceSheet = { ...priceSheetFromConfig({ input: 3, output: 4 }), changes: [{ when: { from: 1_000 }, sheet: cheap }] }
  const reported = { usage: { ...noUsage, inputTokens: 1_000_000 } }
  const during = (from: number, to: number) => dollars(priceDuring(sheet, reported, { from, to }).report.usd)

  it('takes the dearer prices of those that held at the beginning and at the end', () => {
    expect(during(900, 990)).toBe('3')
    expect(during(900, 1_100)).toBe('3')
    expect(during(1_100, 1_200)).toBe('1')
    const rising: PriceSheet = { ...cheap, changes: [{ when: { from: 1_000 }, sheet: priceSheetFromConfig({ input: 9, output: 9 }) }] }
    expect(dollars(priceDuring(rising, reported, { from: 900, to: 1_100 }).report.usd)).toBe('9')
  })

  it('is unknown where either is', () => {
    const gap: PriceSheet = { ...cheap, changes: [{ when: { from: 1_000 }, sheet: { source: 'test' } }] }
    expect(during(900, 1_100)).toBe('3')
    expect(priceDuring(gap, reported, { from: 900, to: 1_100 }).report.usd).toBeNull()
  })
})
