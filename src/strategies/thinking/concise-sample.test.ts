import { describe, expect, it } from 'vitest'
import { smallestAgreeing } from './concise-sample.js'

describe('smallestAgreeing', () => {
  it('is the shortest way to the answer that most samples give', () => {
    const samples = [
      { answer: 'n:1', size: 5 },
      { answer: 'n:2', size: 1 },
      { answer: 'n:1', size: 3 },
      { answer: null, size: 0 },
      { answer: 'n:1', size: 3 },
    ]
    expect(smallestAgreeing(samples)).toBe(samples[2])
  })

  it('takes the first of equals, and nothing of nothing', () => {
    const samples = [
      { answer: 'a', size: 2 },
      { answer: 'b', size: 1 },
    ]
    expect(smallestAgreeing(samples)).toBe(samples[0])
    expect(smallestAgreeing([])).toBeUndefined()
    expect(smallestAgreeing([{ answer: null, size: 1 }])).toBeUndefined()
    expect(() => smallestAgreeing([{ answer: 'a', size: NaN }])).toThrow(RangeError)
  })
})
