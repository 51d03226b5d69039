import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import { Agreement, AgreementCalibration, AnswerShapes, answerShape, gainOfMore, stopsAt, valueOfMore } from './index.js'

const of = (answers: readonly (string | null)[], weights: readonly number[] = []) => {
  const agreement = new Agreement()
  answers.forEach((answer, index) => agreement.add(answer, weights[index]))
  return agreement
}

describe('Agreement', () => {
  it('counts, and takes the first among equals', () => {
    const agreement = of(['a', 'b', 'b', 'a', 'c'])
    expect(agreement).toMatchObject({ winner: 'a', top: 2, second: 2, drawn: 5, total: 5, share: 0.4, margin: 0 })
    expect(of(['a', 'b'], [1, 3])).toMatchObject({ winner: 'b', share: 0.75 })
  })

  it('knows no winner of nothing, nor of answers that can’t be compared', () => {
    expect(of([])).toMatchObject({ winner: null, share: 0, margin: 0, entropy: 0, drawn: 0 })
    expect(of([null, null])).toMatchObject({ winner: null, share: 0 })
    expect(of([null, null]).ahead()).toBe(0)
    expect(of(['a', null, null]).share).toBeCloseTo(1 / 3)
  })

  it('is consistent when all agree, not at all when none do', () => {
    expect(of(['a', 'a', 'a']).consistency).toBe(1)
    expect(of(['a', 'b', 'c']).consistency).toBeCloseTo(0)
    expect(of(['a', null, null]).consistency).toBeCloseTo(0)
  })

  it('refuses weights that are none, and has shares in [0, 1]', () => {
    for (const weight of [NaN, -1, Infinity]) expect(() => of(['a'], [weight])).toThrow(RangeError)
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', null), fc.double({ min: 0, max: 5, noNaN: true }))), (votes) => {
        const agreement = of(
          votes.map(([answer]) => answer),
          votes.map(([, weight]) => weight),
        )
        for (const share of [agreement.share, agreement.margin, agreement.consistency, agreement.ahead()]) {
          expect(share).toBeGreaterThanOrEqual(-1e-9)
          expect(share).toBeLessThanOrEqual(1 + 1e-9)
        }
      }),
    )
  })
})

describe('when to stop', () => {
  const state = (answers: readonly (string | null)[], left = 10, price: number | null = 0.01) => ({
    agreement: of(answers),
    context: { recent: answers, left, price },
  })
  it('by the beta test', () => {
    const { agreement, context } = state(['a', 'a', 'a'])
    expect(stopsAt({ rule: 'beta', confidence: 0.9 }, agreement, context)).not.toBeNull()
    expect(stopsAt({ rule: 'beta', confidence: 0.95 }, agreement, context)).toBeNull()
  })

  it('by whole windows', () => {
    for (const [answers, stops] of [
      [['a', 'a', 'a'], true],
      [['b', 'a', 'a'], false],
      [['b', 'a', 'a', 'a'], false],
      [['b', 'a', 'a', 'a', 'a', 'a'], true],
    ] as const) {
      const { agreement, context } = state(answers)
      expect(stopsAt({ rule: 'window', size: 3 }, agreement, context) !== null).toBe(stops)
    }
  })

  it('when nothing may be drawn any more, and when answers don’t compare', () => {
    const none = state(['a'], 0)
    expect(stopsAt({ rule: 'none' }, none.agreement, none.context)).not.toBeNull()
    const unlike = state([null, null, null])
    expect(stopsAt({ rule: 'beta', confidence: 0.9 }, unlike.agreement, unlike.context)).not.toBeNull()
    // Whoever wants all of them, for a scorer, gets them.
    expect(stopsAt({ rule: 'none' }, unlike.agreement, unlike.context)).toBeNull()
  })

  it('by value: draws on while it pays, and by the beta test where prices aren’t known', () => {
    const tied = state(['a', 'b'])
    expect(stopsAt({ rule: 'value', lambda: 10 }, tied.agreement, tied.context)).toBeNull()
    expect(stopsAt({ rule: 'value', lambda: 0.001 }, tied.agreement, tied.context)).not.toBeNull()
    const unknown = state(['a', 'b'], 10, null)
    expect(stopsAt({ rule: 'value', lambda: 0 }, unknown.agreement, unknown.context)).toBeNull()
  })

  it('gains nothing where the lead can’t be lost, and never less from more', () => {
    expect(gainOfMore(20, 0, 3)).toBeCloseTo(0, 10)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8 }), fc.integer({ min: 0, max: 8 }), fc.constantFrom(0.3, 1, 2), (top, second, prior) => {
        const gains = [1, 2, 4, 8].map((more) => gainOfMore(top, second, more, prior))
        gains.forEach((gain, index) => expect(gain).toBeGreaterThanOrEqual((gains[index - 1] ?? 0) - 1e-9))
        expect(valueOfMore(top, second, { lambda: 2, price: 0, most: 8, prior })).toBeGreaterThanOrEqual(
          valueOfMore(top, second, { lambda: 1, price: 0, most: 8, prior }) - 1e-12,
        )
      }),
    )
  })
})

describe('AgreementCalibration', () => {
  const learned = (right: (share: number) => number, n = 4, questions = 2000) => {
    const random = seededRandom(9)
    const calibration = new AgreementCalibration()
    for (let question = 0; question < questions; question++) {
      const top = 1 + Math.floor(random.next() * n)
      calibration.learn({ arm: 'a', category: 'c' }, { top, total: n }, random.next() < right(top / n) ? 1 : 0)
    }
    return calibration
  }

  it('learns that full agreement of a weak model is often wrong', () => {
    const calibration = learned((share) => 0.7 * share)
    expect(calibration.probability({ arm: 'a', category: 'c' }, { top: 4, total: 4 })).toBeCloseTo(0.7, 1)
    expect(calibration.probability({ arm: 'a', category: 'c' }, { top: 2, total: 4 })).toBeCloseTo(0.35, 1)
  })

  it('never falls in the share, whatever was learned', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()), { minLength: 30, maxLength: 80 }), (rows) => {
        const calibration = new AgreementCalibration()
        for (const [top, right] of rows) calibration.learn({ arm: 'a' }, { top, total: 6 }, right ? 1 : 0)
        let before = 0
        for (let top = 0.5; top <= 6; top += 0.25) {
          const probability = calibration.probability({ arm: 'a' }, { top, total: 6 }) ?? NaN
          expect(probability).toBeGreaterThanOrEqual(before - 1e-12)
          expect(probability).toBeLessThanOrEqual(1)
          before = probability
        }
      }),
      { numRuns: 40 },
    )
  })

  it('claims nothing of nothing, and starts an arm from what others are like', () => {
    expect(new AgreementCalibration().probability({ arm: 'a' }, { top: 1, total: 1 })).toBeNull()
    const calibration = learned(() => 0.2)
    const other = calibration.probability({ arm: 'new' }, { top: 4, total: 4 }) ?? NaN
    expect(other).toBeLessThan(0.4)
    expect(calibration.support({ arm: 'new' })).toBe(0)
  })

  it('is the same after it was saved, and refuses what it did not write', () => {
    const calibration = learned((share) => share)
    const loaded = AgreementCalibration.load(JSON.parse(JSON.stringify(calibration.save())))
    for (let top = 1; top <= 4; top++)
      expect(loaded.probability({ arm: 'a', category: 'c' }, { top, total: 4 })).toBe(
        calibration.probability({ arm: 'a', category: 'c' }, { top, total: 4 }),
      )
    for (const bad of [null, {}, { version: 2, cells: {} }, { version: 1, cells: { a: { right: [1], total: [NaN] } } }])
      expect(() => AgreementCalibration.load(bad)).toThrow(/calibration/)
  })

  it('learns nothing from outcomes that are none', () => {
    const calibration = new AgreementCalibration()
    for (const [top, total, right, weight] of [
      [1, 1, NaN, 1],
      [1, 1, 2, 1],
      [2, 1, 1, 1],
      [NaN, 1, 1, 1],
      [1, 1, 1, -1],
      [1, Infinity, 1, 1],
    ] as const)
      expect(() => calibration.learn({ arm: 'a' }, { top, total }, right, weight)).toThrow(RangeError)
    expect(calibration.support({ arm: 'a' })).toBe(0)
  })

  it('is bounded', () => {
    const calibration = new AgreementCalibration()
    for (let arm = 0; arm < 2100; arm++) calibration.learn({ arm: `arm ${arm}` }, { top: 1, total: 1 }, 1)
    expect(Object.keys(calibration.save().cells).length).toBeLessThanOrEqual(2000)
    expect(calibration.probability({ arm: 'arm 0' }, { top: 1, total: 1 })).not.toBeNull()
  }, 20_000)
})

describe('AnswerShapes', () => {
  it('looks at the form, not at the answer', () => {
    expect(answerShape('n:123')).toBe(answerShape('n:456'))
    expect(answerShape('n:123')).not.toBe(answerShape('n:12.5'))
    expect(answerShape('t:yajo')).toBe(answerShape('t:neal'))
    expect(answerShape('t:yajo')).not.toBe(answerShape('t:yaj'))
  })

  it('weighs shapes that are never right less, and others fully', () => {
    const shapes = new AnswerShapes()
    for (let index = 0; index < 60; index++) {
      shapes.learn('t:abcd', 1)
      shapes.learn('t:abc', 0)
    }
    expect(shapes.weight('t:wxyz')).toBe(1)
    expect(shapes.weight('t:xyz')).toBeLessThan(0.1)
    expect(shapes.weight('t:something else')).toBe(1)
    expect(shapes.weight('t:xyz', 'another category')).toBe(1)
    const loaded = AnswerShapes.load(JSON.parse(JSON.stringify(shapes.save())))
    expect(loaded.weight('t:xyz')).toBe(shapes.weight('t:xyz'))
    expect(() => AnswerShapes.load({ version: 1, counts: [['a', 'b', 2, 1]] })).toThrow(/shapes/)
    expect(() => shapes.learn('t:a', NaN)).toThrow(RangeError)
  })
})
