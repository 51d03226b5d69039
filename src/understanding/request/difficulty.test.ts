import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import { difficultyOf, evenCuts, levelCuts, lexicalDifficulty } from './difficulty.js'

describe('lexical difficulty', () => {
  it('is in [0, 1) and rises with each of its terms', () => {
    const random = seededRandom(9)
    const falls: string[] = []
    for (let round = 0; round < 300; round++) {
      const words = Array.from({ length: Math.floor(random.next() * 60) }, () => 'w'.repeat(1 + Math.floor(random.next() * 10)))
      const traits = { stepCues: Math.floor(random.next() * 8), numeric: random.next() * 0.5, code: random.next() < 0.5 }
      const { value } = lexicalDifficulty(traits, words)
      if (!(value >= 0 && value < 1)) falls.push('range')
      if (lexicalDifficulty({ ...traits, stepCues: traits.stepCues + 1 }, words).value < value) falls.push('stepCues')
      if (lexicalDifficulty({ ...traits, numeric: traits.numeric + 0.1 }, words).value < value) falls.push('numeric')
      if (lexicalDifficulty({ ...traits, code: true }, words).value < value) falls.push('code')
      if (lexicalDifficulty(traits, [...words, ...words]).value < value) falls.push('words')
      if (
        lexicalDifficulty(
          traits,
          words.map((word) => `${word}w`),
        ).value < value
      )
        falls.push('length')
    }
    expect(falls).toEqual([])
    expect(lexicalDifficulty({ stepCues: 0, numeric: 0, code: false }, []).value).toBe(0)
  })

  it('has levels that rise with the value, from any cuts', () => {
    expect([0, 0.2, 0.5, 0.79, 1].map((value) => difficultyOf(value, 'told').level)).toEqual([1, 2, 3, 4, 5])
    expect(() => difficultyOf(NaN, 'told')).toThrow(/between 0 and 1/)
    expect(() => difficultyOf(1.1, 'told')).toThrow(/between 0 and 1/)
  })

  it('takes levels as fifths of what was seen', () => {
    const values = Array.from({ length: 101 }, (_, at) => at / 200)
    const cuts = levelCuts(values)
    const counts = [0, 0, 0, 0, 0, 0]
    for (const value of values) counts[difficultyOf(value, 'lexical', cuts).level]!++
    expect(counts.slice(1).every((count) => count >= 20 && count <= 21)).toBe(true)
    expect(difficultyOf(0.3, 'lexical', levelCuts([0.3])).level).toBe(5)
    expect(() => levelCuts([])).toThrow()
    expect(() => levelCuts([NaN])).toThrow()
    expect(evenCuts).toEqual([0.2, 0.4, 0.6, 0.8])
  })
})
