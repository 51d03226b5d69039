import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addCost, noCost, type Cost } from './cost.js'
import { picoUsd } from './money.js'
import { addUsage, noUsage, totalInputTokens, totalOutputTokens, type Usage } from './usage.js'

const buckets = Object.keys(noUsage) as (keyof Usage)[]
const usage: fc.Arbitrary<Usage> = fc.record({
  inputTokens: fc.nat(),
  inputAudioTokens: fc.nat(),
  inputImageTokens: fc.nat(),
  inputVideoTokens: fc.nat(),
  cacheReadTokens: fc.nat(),
  cacheReadAudioTokens: fc.nat(),
  cacheWrite5mTokens: fc.nat(),
  cacheWrite1hTokens: fc.nat(),
  outputTokens: fc.nat(),
  reasoningTokens: fc.nat(),
  outputAudioTokens: fc.nat(),
  outputImageTokens: fc.nat(),
  webSearches: fc.nat(),
})

describe('usage', () => {
  it('has every token in exactly one total', () => {
    for (const bucket of buckets) {
      const one = { ...noUsage, [bucket]: 1 }
      expect(totalInputTokens(one) + totalOutputTokens(one), bucket).toBe(bucket === 'webSearches' ? 0 : 1)
    }
  })

  it('adds bucket by bucket', () => {
    fc.assert(
      fc.property(usage, usage, (a, b) => {
        const sum = addUsage(a, b)
        for (const bucket of buckets) expect(sum[bucket], bucket).toBe(a[bucket] + b[bucket])
        expect(totalInputTokens(sum)).toBe(totalInputTokens(a) + totalInputTokens(b))
        expect(totalOutputTokens(sum)).toBe(totalOutputTokens(a) + totalOutputTokens(b))
        expect(addUsage(a, noUsage)).toEqual(a)
        expect(addUsage(b, a)).toEqual(sum)
      }),
    )
  })
})

describe('cost', () => {
  const cost = (fields: Partial<Cost>): Cost => ({ ...noCost, ...fields })

  it('adds what is known', () => {
    const sum = addCost(
      cost({ usd: picoUsd(3), seconds: 1, joules: 2, gramsCO2e: 4 }),
      cost({ usd: picoUsd(5), seconds: 1.5, joules: 1, gramsCO2e: 0.5 }),
    )
    expect(sum).toEqual({ usd: 8n, seconds: 2.5, joules: 3, gramsCO2e: 4.5 })
  })

  it.each(['usd', 'joules', 'gramsCO2e'] as const)('does not know a sum with an unknown %s', (part) => {
    const known = cost({ usd: picoUsd(3), joules: 2, gramsCO2e: 4 })
    expect(addCost(known, cost({ [part]: null }))[part]).toBeNull()
    expect(addCost(cost({ [part]: null }), known)[part]).toBeNull()
  })
})
