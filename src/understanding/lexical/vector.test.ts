import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../statistics/index.js'
import { cosine } from './cosine.js'
import { fitIdf, loadIdf } from './idf.js'
import { lexicalDimensions, lexicalVector } from './vector.js'

const alphabet = [
  ..."abcdefgh XYZ 0123 .,;!? éüñß 中文字 かな 한글 ру́с ١٢ 😀👩‍👩‍👧 ’'+=<>\n\t",
  '\ud83d',
  '\ude00',
  '\u0000',
  '\uffff',
  'ﷺ',
  'İ',
]

/** Texts of every kind, by seed: empty ones, broken surrogates, and long ones among them. */
function texts(seed: number, count: number): string[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () =>
    Array.from({ length: Math.floor(random.next() ** 3 * 400) }, () => alphabet[Math.floor(random.next() * alphabet.length)] ?? '').join(
      '',
    ),
  )
}

describe('lexicalVector', () => {
  const idf = fitIdf(texts(1, 50), { salt: 7 })

  it('has unit length (or nothing at all), ascending indices in range, and positive numbers, for any text', () => {
    for (const text of ['', ' \n', '...', '😀', '\ud83d', '+', ...texts(2, 300)]) {
      for (const weigh of [undefined, idf]) {
        const { indices, weights } = lexicalVector(text, weigh, 7)
        expect(weights.length).toBe(indices.length)
        const square = weights.reduce((sum, weight) => sum + weight * weight, 0)
        expect(weights.every((weight) => weight > 0)).toBe(true)
        expect(indices.every((index, at) => index < lexicalDimensions && (at === 0 || index > (indices[at - 1] ?? Infinity)))).toBe(true)
        if (indices.length > 0) expect(square).toBeCloseTo(1, 4)
      }
    }
  })

  it('is the same for the same text, whatever came between, and for its full-width or capital form', () => {
    const before = lexicalVector('Translate 42 apples', undefined, 0)
    for (const text of texts(3, 20)) lexicalVector(text, idf, 3)
    expect(lexicalVector('Translate 42 apples', undefined, 0)).toEqual(before)
    expect(lexicalVector('TRANSLATE ４２ apples', undefined, 0)).toEqual(before)
  })

  it('has other indices under another salt, and the same angles', () => {
    const a = 'How do I reverse a linked list in place?'
    const b = 'Reversing a linked list, in place'
    expect(lexicalVector(a, undefined, 1).indices).not.toEqual(lexicalVector(a, undefined, 2).indices)
    expect(cosine(lexicalVector(a, undefined, 1), lexicalVector(b, undefined, 1))).toBeCloseTo(
      cosine(lexicalVector(a, undefined, 2), lexicalVector(b, undefined, 2)),
      1,
    )
  })

  it('finds texts near that share words, forms of words or characters of scripts without spaces', () => {
    const near = (a: string, b: string) => cosine(lexicalVector(a, undefined, 0), lexicalVector(b, undefined, 0))
    expect(near('capital of France', 'What is the capital city of France?')).toBeGreaterThan(
      near('capital of France', 'How do plants breathe?') + 0.3,
    )
    expect(near('translating documents', 'translate a document')).toBeGreaterThan(0.2)
    expect(near('法国的首都是哪里', '法国首都')).toBeGreaterThan(0.3)
    expect(near('don’t stop', "don't stop")).toBeCloseTo(1, 5)
    expect(near('a cat', 'a cat')).toBeCloseTo(1, 5)
    expect(near('', 'a cat')).toBe(0)
  })

  it('takes a text of a megabyte, of one word or of many', () => {
    expect(lexicalVector('x'.repeat(1_000_000), undefined, 0).indices.length).toBeGreaterThan(0)
    expect(lexicalVector('many words '.repeat(100_000), undefined, 0).indices.length).toBeLessThan(100)
  })
})

describe('Idf', () => {
  it('weighs what is rare more than what is common', () => {
    const idf = fitIdf(['the cat sat', 'the dog sat', 'the bird sang', 'the end'])
    expect(idf.documents).toBe(4)
    const weightOf = (text: string) => Math.max(...[...lexicalVector(text, undefined, 0).indices].map((index) => idf.weight(index)))
    expect(weightOf('dog')).toBeGreaterThan(weightOf('the'))
    expect(weightOf('the')).toBeCloseTo(1, 5)
  })

  it('is the same after it was saved and loaded, and goes on counting', () => {
    const idf = fitIdf(texts(4, 200), { salt: 4_000_000_000 })
    const loaded = loadIdf(idf.serialize())
    expect(loaded.salt).toBe(4_000_000_000)
    expect(loaded.documents).toBe(200)
    expect(
      Array.from({ length: lexicalDimensions }, (_, index) => index).filter((index) => loaded.weight(index) !== idf.weight(index)),
    ).toEqual([])
    idf.observe('one more')
    loaded.observe('one more')
    expect(Buffer.compare(loaded.serialize(), idf.serialize())).toBe(0)
  })

  it('refuses bytes that are none of its own', () => {
    const bytes = fitIdf(['one text', 'another']).serialize()
    for (const wrong of [new Uint8Array(), new Uint8Array(20), bytes.slice(0, -1), new Uint8Array([...bytes, 0])])
      expect(() => loadIdf(wrong)).toThrow(/document frequencies/i)
    const damaged = bytes.slice()
    damaged.fill(0xff, 20)
    expect(() => loadIdf(damaged)).toThrow(/damaged/)
  })
})

describe('cosine', () => {
  it('refuses dense vectors of different lengths', () => {
    expect(() => cosine(new Float32Array(2), new Float32Array(3))).toThrow(/dimensions/)
    expect(cosine(Float32Array.of(0.6, 0.8), Float32Array.of(-0.6, -0.8))).toBeCloseTo(-1, 6)
  })
})
