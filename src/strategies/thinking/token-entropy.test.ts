import { describe, expect, it } from 'vitest'
import type { TokenLogprob } from '../../protocol/index.js'
import { highEntropy, tokenEntropy } from './token-entropy.js'

const token = (...shares: number[]): TokenLogprob => {
  const top = shares.map((share, index) => ({ token: String(index), logprob: Math.log(share), bytes: null }))
  return { token: '0', logprob: Math.log(shares[0] ?? 1), bytes: null, top }
}

describe('token entropy', () => {
  it('is that of the renormalised alternatives', () => {
    expect(tokenEntropy(token(0.5, 0.5))).toBeCloseTo(Math.LN2)
    expect(tokenEntropy(token(0.1, 0.1))).toBeCloseTo(Math.LN2)
    expect(tokenEntropy(token(0.999, 0.001))).toBeLessThan(0.01)
    expect(tokenEntropy({ ...token(0.5), token: 'other', logprob: Math.log(0.5) })).toBeCloseTo(Math.LN2)
  })

  it('is unknown without alternatives, and no alternative of no chance spoils it', () => {
    expect(tokenEntropy(token(0.9))).toBeNull()
    expect(tokenEntropy(token(0.5, 0.5, 0))).toBeCloseTo(Math.LN2)
    expect([highEntropy([]), highEntropy([token(1)])]).toEqual([null, null])
  })

  it('of an answer is that of its least sure twentieth', () => {
    const sure = Array.from({ length: 38 }, () => token(0.99, 0.01))
    expect(highEntropy([...sure, token(0.5, 0.5), token(0.25, 0.25, 0.25, 0.25)])).toBeCloseTo((Math.LN2 + 2 * Math.LN2) / 2)
  })
})
