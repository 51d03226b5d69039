import { describe, expect, it } from 'vitest'
import { picoUsd } from '../quantities/index.js'
import type { DataModel } from './price-data.js'
import { picoPerToken, priceSheetFromConfig, priceSheetFromData, sheetAt } from './price-sheet.js'

const model = (fields: Partial<DataModel>): DataModel => ({ id: 'm', match: { equals: 'm' }, prices: {}, ...fields })
const sheetOf = (fields: Partial<DataModel>) => priceSheetFromData(model(fields), undefined, 'test')

describe('picoPerToken', () => {
  it.each([
    [0.0375, 37_500],
    [3, 3_000_000],
    [0, 0],
    // Noise of a double, not a price.
    [0.18000000000000002, 180_000],
    // A third of a cent has no end: rounded up.
    [0.08333333333333334, 83_334],
    [0.0000001, 1],
  ])('$%s a million tokens', (dollars, pico) => {
    expect(picoPerToken(dollars)).toBe(BigInt(pico))
  })
})

describe('priceSheetFromConfig', () => {
  it('sorts tiers, and leaves out what was not given', () => {
    const sheet = priceSheetFromConfig({
      input: 1,
      tiers: [
        { above_input_tokens: 20, input: 3 },
        { above_input_tokens: 10, input: 2 },
      ],
    })
    expect(sheet.input).toEqual({
      base: 1_000_000n,
      tiers: [
        { aboveInputTokens: 10, rate: 2_000_000n },
        { aboveInputTokens: 20, rate: 3_000_000n },
      ],
    })
    expect(sheet.output).toBeUndefined()
    expect(sheet.source).toBe('configuration')
  })

  it.each([
    { input: -1 },
    { input: NaN },
    { output: Infinity },
    { service_tiers: { flex: -1 } },
    { tiers: [{ above_input_tokens: 1, output: 2 }] },
  ])('refuses %j', (prices) => {
    expect(() => priceSheetFromConfig(prices)).toThrow(RangeError)
  })
})

describe('priceSheetFromData', () => {
  it('reads rates, tiers, searches and calls', () => {
    const sheet = sheetOf({
      prices: {
        input_mtok: { base: 3, tiers: [{ start: 200_000, price: 6 }] },
        output_mtok: 15,
        cache_write_mtok: 3.75,
        web_searches_kcount: 10,
        requests_kcount: 12,
      },
    })
    expect(sheet).toMatchObject({
      input: { base: 3_000_000n, tiers: [{ aboveInputTokens: 200_000, rate: 6_000_000n }] },
      output: { base: 15_000_000n },
      cacheWrite5m: { base: 3_750_000n },
      webSearch: 10_000_000_000n,
      call: 12_000_000_000n,
    })
    expect(sheet?.cacheWrite1h).toBeUndefined()
    expect(sheet?.reasoning).toBeUndefined()
  })

  it('lets sound cost what text costs, but not where the data lacks the price of sound', () => {
    const prices = { input_mtok: 1, output_mtok: 2, cache_read_mtok: 0.1 }
    const plain = sheetOf({ id: 'gemini-2.5-pro', prices })
    expect([plain?.inputAudio?.base, plain?.cacheReadAudio?.base, plain?.outputAudio?.base]).toEqual([1_000_000n, 100_000n, 2_000_000n])
    const sounding = sheetOf({ id: 'gpt-4o-audio-preview', prices })
    expect([sounding?.inputAudio, sounding?.cacheReadAudio, sounding?.outputAudio]).toEqual([undefined, undefined, undefined])
    const own = sheetOf({ id: 'gpt-audio', prices: { ...prices, input_audio_mtok: 32, output_audio_mtok: 64 } })
    expect([own?.inputAudio?.base, own?.outputAudio?.base]).toEqual([32_000_000n, 64_000_000n])
    // Cached sound has no price of its own here, and is not as cheap as cached text.
    expect(own?.cacheReadAudio).toBeUndefined()
  })

  it('does not take a missing price for free, unless the model is', () => {
    expect(sheetOf({ prices: {} })).toBeUndefined()
    expect(sheetOf({ prices: { audio_hours: 0.1 } })).toBeUndefined()
    expect(sheetOf({ id: 'meta/llama:free', prices: {} })?.input?.base).toBe(0n)
    expect(sheetOf({ id: 'gemma', prices: {}, price_comments: 'Free of charge on the API.' })?.output?.base).toBe(0n)
  })

  it('keeps prices that depend on the time', () => {
    const sheet = sheetOf({
      prices: [
        { prices: { input_mtok: 1 } },
        { constraint: { start_date: '2026-09-01' }, prices: { input_mtok: 2 } },
        { constraint: { start_time: '22:00:00Z', end_time: '04:00:00+02:00' }, prices: { input_mtok: 3 } },
      ],
    })
    expect(sheet).toBeDefined()
    const input = (text: string) => sheet && sheetAt(sheet, Date.parse(text) / 1000).input?.base
    expect(input('2026-08-31T12:00:00Z')).toBe(1_000_000n)
    expect(input('2026-09-01T12:00:00Z')).toBe(2_000_000n)
    expect(input('2026-08-31T21:59:59Z')).toBe(1_000_000n)
    expect(input('2026-08-31T22:00:00Z')).toBe(3_000_000n)
    expect(input('2026-09-02T01:59:59Z')).toBe(3_000_000n)
    expect(input('2026-09-02T02:00:00Z')).toBe(2_000_000n)
  })

  it('lets an entry without a condition hide those before it, and the first hold when none applies', () => {
    const hidden = sheetOf({
      prices: [
        { prices: { input_mtok: 1 } },
        { constraint: { start_date: '2020-01-01' }, prices: { input_mtok: 2 } },
        { prices: { input_mtok: 3 } },
      ],
    })
    expect(hidden && sheetAt(hidden, 1e9 * 1.8).input?.base).toBe(3_000_000n)
    const first = sheetOf({ prices: [{ constraint: { start_date: '2030-01-01' }, prices: { input_mtok: 7 } }] })
    expect(first && sheetAt(first, 0).input?.base).toBe(picoUsd(7_000_000))
  })
})
