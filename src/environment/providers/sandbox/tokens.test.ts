import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { countTokens as o200k } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import { countTokens, LONGEST_TOKEN, tokenise } from './tokens.js'

describe('sandbox tokens', () => {
  it('lose nothing, count right, and split no character', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string({ unit: 'grapheme' }),
          fc.string().map((text) => text.repeat(20)),
        ),
        (text) => {
          const tokens = tokenise(text)
          expect(tokens.join('')).toBe(text)
          expect(countTokens(text)).toBe(tokens.length)
          expect(Math.max(0, ...tokens.map((token) => token.length))).toBeLessThanOrEqual(LONGEST_TOKEN)
          for (const token of tokens) expect(Buffer.from(token).toString()).toBe(token)
        },
      ),
    )
  })

  it('count English and code about as real tokenizers do', () => {
    for (const file of ['./tokens.ts', './prose.ts', '../../../../README.md', './README.md'].flatMap((name) => read(name))) {
      const ratio = countTokens(file) / o200k(file)
      expect(ratio).toBeGreaterThan(0.75)
      expect(ratio).toBeLessThan(1.35)
    }
  })
})

function read(name: string): string[] {
  try {
    return [readFileSync(new URL(name, import.meta.url), 'utf8')]
  } catch {
    return []
  }
}
