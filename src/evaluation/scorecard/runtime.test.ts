import { describe, expect, it } from 'vitest'
import { childRandom, normalDraw } from '../../statistics/index.js'
import { fitRuntime, overheadRatio, promptSeconds, runtimeSeconds, type TimedCall } from './runtime.js'

const F = (tokens: number) => 0.05 + tokens * 0.0003
const calls = (noise: (call: number) => number): TimedCall[] => {
  let index = 0
  return [1, 256, 512, 1024].flatMap((promptTokens) =>
    [1, 2, 16, 64].flatMap((outputTokens) =>
      Array.from({ length: 10 }, () => ({
        promptTokens,
        outputTokens,
        seconds: F(promptTokens) + (outputTokens - 1) * 0.081 + noise(index++),
      })),
    ),
  )
}

describe('idealized runtime', () => {
  it('finds the parameters that made the timings', () => {
    const model = fitRuntime(calls(() => 0))
    expect(model.secondsPerToken).toBeCloseTo(0.081, 9)
    for (const tokens of [1, 256, 300, 1024, 2048]) expect(promptSeconds(model, tokens)).toBeCloseTo(F(tokens), 6)
    expect(runtimeSeconds(model, 512, 11)).toBeCloseTo(F(512) + 0.81, 6)
  })

  it('sees through contention, which only ever adds', () => {
    const random = childRandom(1, 'contention')
    const busy = calls(() => (random.next() < 0.6 ? Math.abs(normalDraw(random)) : 0))
    const denoised = fitRuntime(busy, { quantile: 0.1 })
    expect(denoised.secondsPerToken).toBeCloseTo(0.081, 2)
    const ideal = fitRuntime(calls(() => 0))
    expect(overheadRatio(fitRuntime(busy), ideal, 512, 16)).toBeGreaterThan(1.05)
    expect(overheadRatio(denoised, ideal, 512, 16)).toBeCloseTo(1, 1)
  })

  it('needs two output lengths, and numbers', () => {
    expect(() => fitRuntime([{ promptTokens: 1, outputTokens: 1, seconds: 1 }])).toThrow(RangeError)
    expect(() =>
      fitRuntime([
        { promptTokens: 1, outputTokens: 1, seconds: NaN },
        { promptTokens: 1, outputTokens: 2, seconds: 1 },
      ]),
    ).toThrow(RangeError)
  })
})
