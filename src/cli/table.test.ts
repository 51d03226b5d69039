import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cut, printable, table, textWidth, wrap } from './table.js'

describe('table', () => {
  it('lines texts up left and numbers right', () => {
    expect(
      table(
        [{ title: 'MODEL' }, { title: 'USD', align: 'right' }],
        [
          ['a', '1.25'],
          ['longer', '10'],
        ],
      ),
    ).toBe('MODEL    USD\na       1.25\nlonger    10\n')
  })

  it('cuts the columns that may be cut, the last first, until the table fits', () => {
    const text = table(
      [
        { title: 'NAME', cut: 'middle' },
        { title: 'N', align: 'right' },
        { title: 'WHAT', cut: 'end' },
      ],
      [['provider/a-very-long-model-name-that-goes-on-2026-01-01', '123456', 'words '.repeat(20)]],
      60,
    )
    for (const line of text.trimEnd().split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(60)
    expect(text).toContain('123456')
    expect(text).toMatch(/provider\/a.*….*01-01/)
  })

  it('leaves whole what may not be cut', () => {
    expect(table([{ title: 'A' }], [['x'.repeat(100)]], 20)).toContain('x'.repeat(100))
  })

  it('bears rows that are short or empty', () => {
    expect(table([{ title: 'A' }, { title: 'B' }], [[], ['x']])).toBe('A  B\n\nx\n')
    expect(table([{ title: 'A' }], [])).toBe('A\n')
  })

  it('is never wider than asked while columns may be cut', () => {
    const cell = fc.string({ unit: 'grapheme', maxLength: 60 })
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { maxLength: 8 }), (rows) => {
        const text = table(
          [
            { title: 'ONE', cut: 'end', least: 5 },
            { title: 'TWO', cut: 'middle', least: 5 },
          ],
          rows,
          40,
        )
        for (const line of text.split('\n')) expect(textWidth(line)).toBeLessThanOrEqual(40)
        expect(text.split('\n')).toHaveLength(rows.length + 2)
      }),
      { numRuns: 200 },
    )
  })

  it('counts wide letters as two', () => {
    expect(textWidth('日本')).toBe(4)
    expect(textWidth('é')).toBe(1)
    expect(cut('日本語', 5)).toBe('日本…')
  })
})

describe('printable', () => {
  it('lets no foreign text steer the terminal', () => {
    expect(printable('a\u001b[31mred\r\nb\u202e')).toBe('a?[31mred??b?')
  })
})

describe('wrap', () => {
  it('breaks at spaces and keeps every word', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 30 }),
        (words) => {
          const lines = wrap(words.join(' '), 20)
          expect(lines.join(' ')).toBe(words.join(' '))
          for (const line of lines) expect(line.length <= 20 || !line.includes(' ')).toBe(true)
        },
      ),
    )
  })
})
