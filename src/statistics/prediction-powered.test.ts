import { describe, expect, it } from 'vitest'
import { normalDraw } from './distributions.js'
import { predictionPowered } from './prediction-powered.js'
import { childRandom } from './random.js'

/** Items with labels around 0.6, and a judge that adds 0.15 and knows this much of the label. */
function items(seed: number, labelled: number, judgedOnly: number, knows: number) {
  const random = childRandom(seed, 'items')
  const one = () => {
    const label = random.next() < 0.6 ? 1 : 0
    const judged = 0.15 + knows * label + (1 - knows) * 0.6 + 0.1 * normalDraw(random)
    return { label, judged }
  }
  return { labelled: Array.from({ length: labelled }, one), judgedOnly: Array.from({ length: judgedOnly }, () => one().judged) }
}

describe('predictionPowered', () => {
  it.each([0, 0.5, 1])('holds the mean of the labels as often as it says, with a biased judge that knows %d', (knows) => {
    let held = 0
    for (let seed = 0; seed < 300; seed++) {
      const { labelled, judgedOnly } = items(seed, 100, 2_000, knows)
      const { low, high } = predictionPowered(labelled, judgedOnly)
      if (low <= 0.6 && 0.6 <= high) held += 1
    }
    expect(held / 300).toBeGreaterThan(0.91)
  })

  it('is narrower than the labels alone where the judge knows something, and no wider where it knows nothing', () => {
    const width = (knows: number, judged: number) => {
      const { labelled, judgedOnly } = items(3, 200, 5_000, knows)
      const { low, high } = predictionPowered(labelled, judgedOnly.slice(0, judged))
      return high - low
    }
    expect(width(1, 5_000)).toBeLessThan(0.5 * width(1, 0))
    expect(width(0, 5_000)).toBeLessThan(1.05 * width(0, 0))
  })

  it('is the mean of the labels where nothing else was judged', () => {
    expect(
      predictionPowered(
        [
          { label: 0, judged: 1 },
          { label: 1, judged: 1 },
        ],
        [],
      ),
    ).toMatchObject({ value: 0.5, lambda: 0, n: 2 })
  })

  it('refuses too few labels, and what is no number', () => {
    expect(() => predictionPowered([{ label: 1, judged: 1 }], [1, 1])).toThrow(RangeError)
    expect(() =>
      predictionPowered(
        [
          { label: 1, judged: NaN },
          { label: 1, judged: 1 },
        ],
        [1],
      ),
    ).toThrow(RangeError)
  })
})
