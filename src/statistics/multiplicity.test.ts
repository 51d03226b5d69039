import { describe, expect, it } from 'vitest'
import { benjaminiHochberg, holm } from './multiplicity.js'
import { childRandom } from './random.js'

describe('several hypotheses at once', () => {
  it('by hand: Holm stops at the first that fails, Benjamini and Hochberg go to the last that holds', () => {
    const p = [0.04, 0.001, 0.03, 0.012]
    expect(holm(p)).toEqual([false, true, false, true])
    expect(benjaminiHochberg(p)).toEqual([true, true, true, true])
    expect(benjaminiHochberg([0.02, 0.9, 0.03])).toEqual([true, false, true])
    expect(benjaminiHochberg([0.02, 0.9, 0.04])).toEqual([false, false, false])
    expect(holm([])).toEqual([])
  })

  it('make a mistake at all in no more than the stated share of experiments', () => {
    const random = childRandom(5, 'p')
    let mistaken = 0
    for (let experiment = 0; experiment < 2_000; experiment++)
      if (holm(Array.from({ length: 8 }, () => random.next())).includes(true)) mistaken += 1
    expect(mistaken / 2_000).toBeLessThan(0.065)
  })

  it.each([-0.1, 1.1, NaN])('refuse %d', (p) => {
    expect(() => holm([p])).toThrow(RangeError)
    expect(() => benjaminiHochberg([0.5, p])).toThrow(RangeError)
  })
})
