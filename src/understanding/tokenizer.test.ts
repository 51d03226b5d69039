import fc from 'fast-check'
import { countTokens as cl100k } from 'gpt-tokenizer/encoding/cl100k_base'
import { countTokens as o200k } from 'gpt-tokenizer/encoding/o200k_base'
import { describe, expect, it } from 'vitest'
import { countTokens, countedCharacters } from './index.js'

const prose = 'It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.\n\n'
const code = 'export function add(a: number, b: number): number {\n  return a + b // "sum" of both\n}\n'
const mixed = `${prose}${code}Die Straße führt über den Fluß. 东京是日本的首都。 Привет, как дела? 👩‍👩‍👧 {"a":[1,2,34567]}\n`

describe('counting a text', () => {
  it.each([
    ['nothing', ''],
    ['a word', 'hello'],
    ['prose', prose],
    ['code', code],
    ['many scripts', mixed],
    ['hundreds of kilobytes, which are counted in slices', mixed.repeat(900)],
  ])('agrees with the vocabulary on %s', async (_name, text) => {
    expect(await countTokens(text, 'o200k_base')).toEqual({ tokens: o200k(text), exact: true })
    expect(await countTokens(text, 'cl100k_base')).toEqual({ tokens: cl100k(text), exact: true })
  })

  it('agrees on any short text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 120 }), async (text) => {
        expect(await countTokens(text, 'o200k_base')).toEqual({ tokens: o200k(text, { disallowedSpecial: new Set() }), exact: true })
      }),
      { numRuns: 200 },
    )
  })

  it('takes what looks like a special token for text', async () => {
    const { tokens, exact } = await countTokens('<|endoftext|>', 'o200k_base')
    expect(exact).toBe(true)
    expect(tokens).toBeGreaterThan(1)
  })

  it.each([
    ['blanks', ' '.repeat(400_000), 200],
    ['signs', '!@#$%^&*'.repeat(40_000), 10_000],
    ['letters without a space', 'qzxjvkw'.repeat(40_000), 40_000],
    ['Han characters without a stop', '漢字仮名交'.repeat(40_000), 50_000],
  ])('gets through %s, on which the library alone needs minutes', async (_name, text, least) => {
    const { tokens, exact } = await countTokens(text, 'o200k_base')
    expect(exact).toBe(false)
    expect(tokens).toBeGreaterThan(least)
    expect(tokens).toBeLessThanOrEqual(Buffer.byteLength(text))
  })

  it('samples what is beyond the limit, upwards, and says so', async () => {
    const text = prose.repeat(Math.ceil((3 * countedCharacters) / prose.length))
    const whole = (text.length / prose.length) * o200k(prose)
    const { tokens, exact } = await countTokens(text, 'o200k_base')
    expect(exact).toBe(false)
    expect(tokens).toBeGreaterThan(whole * 0.98)
    expect(tokens).toBeLessThan(whole * 1.2)
  })

  it('sees that the part beyond the limit is denser than the part before', async () => {
    const light = prose.repeat(Math.ceil(countedCharacters / prose.length))
    const dense = '东京、是，日本。的！首都？'.repeat(40_000)
    const { tokens } = await countTokens(light + dense, 'o200k_base')
    expect(tokens).toBeGreaterThan(o200k(prose) * (light.length / prose.length) + 40_000 * o200k('东京、是，日本。的！首都？') * 0.95)
  })

  it('lets other work pass while it counts', async () => {
    const order: string[] = []
    const counting = countTokens(mixed.repeat(900), 'o200k_base').then(() => order.push('counted'))
    await countTokens('warm', 'o200k_base')
    setImmediate(() => order.push('other work'))
    await counting
    expect(order).toEqual(['other work', 'counted'])
  })
})
