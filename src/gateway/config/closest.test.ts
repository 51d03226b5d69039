import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closest, didYouMean, editDistance } from './closest.js'

describe('closest', () => {
  it('finds the name that was mistyped', () => {
    expect(closest('opnai', ['anthropic', 'openai', 'azure'])).toBe('openai')
    expect(closest('prot', ['host', 'port'])).toBe('port')
    expect(closest('baseURL', ['base_url', 'api_key'])).toBe('base_url')
  })

  it('keeps quiet when nothing is near', () => {
    expect(closest('kangaroo', ['host', 'port'])).toBeUndefined()
    expect(closest('g', ['a', 'b'])).toBeUndefined()
    expect(didYouMean('kangaroo', ['host'])).toBe('')
  })

  it('prefers the name that begins alike', () => {
    expect(closest('sped', ['seed', 'speed'])).toBe('speed')
  })
})

/** The textbook recursion, slow and plain: the oracle. */
function oracle(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length
  const [restA, restB] = [a.slice(0, -1), b.slice(0, -1)]
  const options = [oracle(restA, b) + 1, oracle(a, restB) + 1, oracle(restA, restB) + (a.at(-1) === b.at(-1) ? 0 : 1)]
  if (a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1))
    options.push(oracle(a.slice(0, -2), b.slice(0, -2)) + 1)
  return Math.min(...options)
}

describe('editDistance', () => {
  it('agrees with the recursive definition', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 5 })
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(oracle(a, b))
      }),
      { numRuns: 300 },
    )
  })
})
