import { describe, expect, it } from 'vitest'
import { figuresOf, shapeOf } from './text-shape.js'

describe('figures of a text', () => {
  it('are counted by how they are written', () => {
    expect(figuresOf('Josh pays $80,000 and then $0.50, which is 150% of 1,234,567.')).toEqual({
      decimals: 1,
      money: 2,
      percents: 1,
      long: 3,
      largest: 1_234_567,
      commas: 4,
    })
    expect(figuresOf('no figures')).toEqual({ decimals: 0, money: 0, percents: 0, long: 0, largest: 0, commas: 0 })
    expect(figuresOf('Sie zahlt 20 € für 3.5 Äpfel')).toMatchObject({ decimals: 1, money: 1, largest: 20 })
  })

  it('end where a number ends, also at the end of the text, and bear numbers without end', () => {
    expect(figuresOf('12.')).toMatchObject({ decimals: 0, largest: 12 })
    expect(figuresOf('1.2.3')).toMatchObject({ decimals: 1, largest: 3 })
    expect(figuresOf('9'.repeat(10_000))).toMatchObject({ long: 1, largest: 1e12 })
  })
})

describe('the shape of a text', () => {
  it('is the same in ASCII as with a letter beyond it', () => {
    const text = 'How many apples?\nAnna has 12. She eats = 3 + 4'
    expect(shapeOf(text)).toEqual(shapeOf(text.replace('apples', 'äpples')))
    expect(shapeOf(text)).toMatchObject({ lines: 2, numbers: 3, sentences: 2, capitals: 3, signs: 2 })
  })
})
