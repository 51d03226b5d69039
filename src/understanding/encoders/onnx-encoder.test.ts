import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { installed } from './fixtures/installed.js'
import { onnxEncoder } from './onnx-encoder.js'
import { pooled } from './onnx-model.js'
import { createWordPiece } from './wordpiece.js'

const vocabulary = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  'un',
  '##aff',
  '##able',
  '##a',
  'run',
  '##ning',
  'cafe',
  ',',
  '!',
  '中',
  '文',
  'a',
  '##ff',
  'R',
  '##un',
]

describe('WordPiece', () => {
  const { encode, padding } = createWordPiece(vocabulary)
  const pieces = (text: string) => encode(text).map((id) => vocabulary[id])

  it('takes the longest piece first, and whole words that can’t be put together as unknown', () => {
    expect(pieces('unaffable running')).toEqual(['[CLS]', 'un', '##aff', '##able', 'run', '##ning', '[SEP]'])
    expect(pieces('aff unx')).toEqual(['[CLS]', 'a', '##ff', '[UNK]', '[SEP]'])
    expect(pieces('a'.repeat(101))).toEqual(['[CLS]', '[UNK]', '[SEP]'])
    expect(padding).toBe(0)
  })

  it('splits at punctuation and Han characters, and drops capitals, accents and control characters', () => {
    expect(pieces('Café,RUN!中文')).toEqual(['[CLS]', 'cafe', ',', 'run', '!', '中', '文', '[SEP]'])
    expect(pieces('r\u0000u\u200bn\tun')).toEqual(['[CLS]', 'run', 'un', '[SEP]'])
    expect(pieces('')).toEqual(['[CLS]', '[SEP]'])
    const cased = createWordPiece(vocabulary, { lowerCase: false })
    expect(cased.encode('Run').map((id) => vocabulary[id])).toEqual(['[CLS]', 'R', '##un', '[SEP]'])
  })

  it('keeps to the most tokens, whatever the text', () => {
    const short = createWordPiece(vocabulary, { maxTokens: 4 })
    expect(short.encode('un un un un')).toEqual([2, 4, 4, 3])
    for (const text of ['\ud83d', '👩‍👩‍👧', 'x '.repeat(100_000)]) expect(short.encode(text).length).toBeLessThanOrEqual(4)
  })

  it('refuses a vocabulary without its marks', () => {
    expect(() => createWordPiece(['a', 'b'])).toThrow(/\[CLS\]/)
    expect(() => createWordPiece(vocabulary, { maxTokens: 2 })).toThrow(/maxTokens/)
  })
})

describe('pooling', () => {
  const data = [1, 2, 3, 4, 99, 99, 5, 6, 7, 8, 9, 10]
  it('is over a text’s own tokens, not the padding', () => {
    expect(pooled({ data, dims: [2, 3, 2] }, [2, 3], 2, 'mean').map((vector) => [...vector])).toEqual([
      [2, 3],
      [7, 8],
    ])
    expect(pooled({ data, dims: [2, 3, 2] }, [2, 3], 2, 'first').map((vector) => [...vector])).toEqual([
      [1, 2],
      [5, 6],
    ])
    expect(pooled({ data: [1, 2], dims: [1, 2] }, [5], 2, 'mean').map((vector) => [...vector])).toEqual([[1, 2]])
  })
  it('refuses another shape', () => {
    for (const dims of [[1, 3, 2], [2, 3, 4], [2, 3, 2, 1], [12]])
      expect(() => pooled({ data, dims }, [2, 3], 2, 'mean')).toThrow(/the model gives/)
  })
})

describe('the ONNX encoder', () => {
  const signal = new AbortController().signal

  it('refuses options that can’t be, by name', () => {
    expect(() => onnxEncoder({ file: 'm.onnx', vocabulary: 'v.txt', dimensions: 0 })).toThrow(/dimensions/)
    expect(() => onnxEncoder({ file: 'm.onnx', vocabulary: 'v.txt', dimensions: 3, maxTokens: NaN })).toThrow(/maxTokens/)
  })

  it('says which file is missing', async () => {
    const encoder = onnxEncoder({ file: '/nowhere/m.onnx', vocabulary: '/nowhere/vocab.txt', dimensions: 3 })
    await expect(encoder.encode(['a'], signal)).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('/nowhere/vocab.txt'),
    })
    await encoder.close()
  })

  it.skipIf(installed('onnxruntime-node'))('says how to install its runtime', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'onnx-'))
    writeFileSync(join(folder, 'vocab.txt'), vocabulary.join('\n'))
    const encoder = onnxEncoder({ file: join(folder, 'm.onnx'), vocabulary: join(folder, 'vocab.txt'), dimensions: 3 })
    await expect(encoder.encode(['a'], signal)).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('npm install onnxruntime-node'),
    })
    await encoder.close()
    rmSync(folder, { recursive: true })
  })
})
