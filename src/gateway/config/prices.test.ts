import { describe, expect, it } from 'vitest'
import { priceSheetFromConfig } from '../../catalog/index.js'
import { pricesSchema } from './prices.js'

describe('priceSheetFromConfig', () => {
  it('turns dollars a million tokens into picodollars a token', () => {
    const sheet = priceSheetFromConfig(
      pricesSchema.parse({ input: 1.25, output: 10, cache_read: 0.0375, web_search: 0.01, call: 0.005, service_tiers: { flex: 0.5 } }),
    )
    expect(sheet).toEqual({
      input: { base: 1_250_000n, tiers: [] },
      output: { base: 10_000_000n, tiers: [] },
      cacheRead: { base: 37_500n, tiers: [] },
      webSearch: 10_000_000_000n,
      call: 5_000_000_000n,
      serviceTiers: { flex: 0.5 },
      source: 'configuration',
    })
  })

  it('leaves unknown what is not given, and keeps a zero', () => {
    expect(priceSheetFromConfig({})).toEqual({ source: 'configuration' })
    expect(priceSheetFromConfig({ input: 0 })).toMatchObject({ input: { base: 0n } })
  })

  it('rounds up what is finer than a picodollar a token', () => {
    expect(priceSheetFromConfig({ input: 0.0000001 }).input?.base).toBe(1n)
  })

  it('puts tiers in order, and only on the rates that change', () => {
    const sheet = priceSheetFromConfig({
      input: 1,
      output: 2,
      tiers: [
        { above_input_tokens: 200, input: 4 },
        { above_input_tokens: 100, input: 3 },
      ],
    })
    expect(sheet.input?.tiers).toEqual([
      { aboveInputTokens: 100, rate: 3_000_000n },
      { aboveInputTokens: 200, rate: 4_000_000n },
    ])
    expect(sheet.output?.tiers).toEqual([])
  })
})
