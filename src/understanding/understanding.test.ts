import { describe, expect, it } from 'vitest'
import type { Request } from '../protocol/index.js'
import { seededRandom } from '../statistics/index.js'
import { trainCategories } from './category/category-model.js'
import type { Encoder, Features } from './features.js'
import { longestText } from './lexical/characters.js'
import { fitIdf } from './lexical/idf.js'
import { TextCache } from './text-cache.js'
import { createUnderstanding } from './understanding.js'

function ask(text: string): Request {
  return { model: 'm', messages: [{ role: 'user', parts: [{ type: 'text', text }] }], stream: false, paths: {}, extra: [] }
}
const never = new AbortController().signal

/** An encoder whose vectors tell a text's length, with what was asked of it. */
function lengthEncoder(encode?: (texts: readonly string[], signal: AbortSignal) => Promise<Float32Array[]>): {
  readonly encoder: Encoder
  readonly asked: string[][]
} {
  const asked: string[][] = []
  const encoder: Encoder = {
    id: 'length',
    dimensions: 2,
    encode(texts, signal) {
      asked.push([...texts])
      return encode?.(texts, signal) ?? Promise.resolve(texts.map((text) => Float32Array.of(text.length, 1)))
    },
    close: () => Promise.resolve(),
  }
  return { encoder, asked }
}

function now(features: Features | Promise<Features>): Features {
  if (features instanceof Promise) throw new Error('features were expected at once')
  return features
}

describe('understanding without an encoder', () => {
  it('gives the same features at once for a request and for its text alone, and only once does the work', () => {
    const understanding = createUnderstanding()
    const features = now(understanding.of(ask('What is the capital of France?')))
    expect(features).toEqual(understanding.ofText('What is the capital of France?'))
    expect(now(understanding.of(ask('What is the capital of France?'))).lexical).toBe(features.lexical)
    expect(features.category?.name).toBe('knowledge')
    expect(features).not.toHaveProperty('dense')
    expect(createUnderstanding({ cacheEntries: 0 }).ofText('What is the capital of France?')).toEqual(features)
  })

  it('takes any text: empty, broken, a megabyte', () => {
    const understanding = createUnderstanding()
    for (const text of [
      '',
      ' ',
      '\ud83d',
      '\udc00\ud83d',
      '👩‍👩‍👧',
      '\u0000'.repeat(50),
      'ﷺ'.repeat(20_000),
      'x'.repeat(1_000_000),
      'many words '.repeat(100_000),
      '漢字'.repeat(300_000),
    ]) {
      const { lexical, difficulty, traits, text: kept } = understanding.ofText(text)
      expect(kept.length).toBeLessThanOrEqual(longestText)
      expect(difficulty.value >= 0 && difficulty.value < 1).toBe(true)
      expect(Object.values(traits).every((value) => typeof value === 'boolean' || (Number.isFinite(value) && value >= 0))).toBe(true)
      expect(lexical.weights.every(Number.isFinite)).toBe(true)
    }
    expect(understanding.ofText('').lexical.indices).toHaveLength(0)
    expect(understanding.ofText('')).not.toHaveProperty('category')
  })

  it('keeps long texts apart that differ only in what is cut out', () => {
    const understanding = createUnderstanding()
    const filler = 'plain words without numbers. '.repeat(200)
    expect(understanding.ofText(`${filler} x ${filler}`).traits.personalData).toBe(false)
    expect(understanding.ofText(`${filler} a@example.com ${filler}`).traits.personalData).toBe(true)
  })

  it('refuses options that don’t go together, by name', () => {
    const idf = fitIdf(['a text'], { salt: 3 })
    expect(createUnderstanding({ idf }).salt).toBe(3)
    expect(() => createUnderstanding({ idf, salt: 4 })).toThrow(/salt/)
    expect(() =>
      createUnderstanding({
        categories: trainCategories([
          { text: 'a', label: 'x' },
          { text: 'b', label: 'y' },
        ]),
        salt: 4,
      }),
    ).toThrow(/salt/)
    for (const encoderWaitSeconds of [0, -1, NaN, Infinity])
      expect(() => createUnderstanding({ encoderWaitSeconds })).toThrow(/encoderWaitSeconds/)
    for (const cacheEntries of [-1, 1.5, NaN]) expect(() => createUnderstanding({ cacheEntries })).toThrow(/cacheEntries/)
  })

  it('says that dense vectors need an encoder', async () => {
    await expect(createUnderstanding().withDense(['a'], never)).rejects.toMatchObject({ code: 'invalid_configuration' })
  })
})

describe('understanding with an encoder', () => {
  it('promises the features once, asks once however many wait, and has them at once afterwards', async () => {
    const { encoder, asked } = lengthEncoder()
    const understanding = createUnderstanding({ encoder })
    const [a, b] = await Promise.all([understanding.of(ask('hello there')), understanding.of(ask('hello there'))])
    expect(asked).toEqual([['hello there']])
    expect(Math.hypot(...(a.dense ?? []))).toBeCloseTo(1, 6)
    expect(b.dense).toBe(a.dense)
    expect(now(understanding.of(ask('hello there'))).dense).toBe(a.dense)
    expect(understanding.ofText('hello there').dense).toBe(a.dense)
    expect(now(understanding.of(ask('')))).not.toHaveProperty('dense')
    await understanding.close()
  })

  it('goes on without a vector when the encoder fails, gives nonsense or is late, and counts it', async () => {
    const replies: (() => Promise<Float32Array[]>)[] = [
      () => Promise.reject(new Error('down')),
      () => Promise.resolve([Float32Array.of(1, 2, 3)]),
      () => Promise.resolve([Float32Array.of(NaN, 1)]),
      () => Promise.resolve([]),
      () => new Promise(() => undefined),
    ]
    const { encoder } = lengthEncoder(() => replies.shift()?.() ?? Promise.reject(new Error('none left')))
    const understanding = createUnderstanding({ encoder, encoderWaitSeconds: 0.01 })
    for (let at = 0; at < 5; at++) expect(await understanding.of(ask(`text ${at}`))).not.toHaveProperty('dense')
    expect(understanding.faults()).toEqual({ failed: 4, late: 1, refused: 0 })
    await understanding.close()
  })

  it('keeps a vector that comes late for the next request', async () => {
    let finish: (vectors: Float32Array[]) => void = () => undefined
    const { encoder } = lengthEncoder(() => new Promise((resolve) => (finish = resolve)))
    const understanding = createUnderstanding({ encoder, encoderWaitSeconds: 0.01 })
    expect(await understanding.of(ask('slow'))).not.toHaveProperty('dense')
    finish([Float32Array.of(3, 4)])
    await new Promise((resolve) => setImmediate(resolve))
    expect([...(now(understanding.of(ask('slow'))).dense ?? [])].map((value) => value.toFixed(2))).toEqual(['0.60', '0.80'])
  })

  it('lets a caller leave without harm to another who waits for the same text', async () => {
    let finish: (vectors: Float32Array[]) => void = () => undefined
    const { encoder } = lengthEncoder(() => new Promise((resolve) => (finish = resolve)))
    const understanding = createUnderstanding({ encoder, encoderWaitSeconds: 30 })
    const leaving = new AbortController()
    const left = Promise.resolve(understanding.of(ask('both'), leaving.signal))
    const stays = Promise.resolve(understanding.of(ask('both')))
    leaving.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    finish([Float32Array.of(1, 0)])
    expect((await stays).dense).toHaveLength(2)
    await expect(Promise.resolve(understanding.of(ask('other'), leaving.signal))).rejects.toThrow('left')
  })

  it('asks for no more than so many texts at one time', async () => {
    const { encoder, asked } = lengthEncoder(
      (_, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    )
    const understanding = createUnderstanding({ encoder, encoderWaitSeconds: 30 })
    const waiting = Array.from({ length: 70 }, (_, at) => Promise.resolve(understanding.of(ask(`text ${at}`))))
    await Promise.all([...waiting.slice(64)])
    expect(asked).toHaveLength(64)
    expect(understanding.faults().refused).toBe(6)
    await understanding.close()
    for (const features of await Promise.all(waiting)) expect(features).not.toHaveProperty('dense')
  })

  it('encodes many texts in batches, known and repeated ones not again, in order', async () => {
    const { encoder, asked } = lengthEncoder()
    const understanding = createUnderstanding({ encoder })
    await understanding.of(ask('x'))
    const texts = Array.from({ length: 80 }, (_, at) => 'x'.repeat(1 + (at % 70)))
    const features = await understanding.withDense(texts, never)
    expect(features.map(({ dense }) => Math.round((dense?.[0] ?? 0) / (dense?.[1] ?? 0)))).toEqual(texts.map(({ length }) => length))
    expect(asked.map(({ length }) => length)).toEqual([1, 32, 32, 5])
    await expect(understanding.withDense(['new'], AbortSignal.abort(new Error('left')))).rejects.toThrow('left')
    expect(await understanding.withDense([], never)).toEqual([])
  })
})

describe('the cache of texts', () => {
  it('never holds more than its bounds, and counts its characters right, whatever is put in and asked', () => {
    const random = seededRandom(5)
    const cache = new TextCache<number>(20, 320)
    for (let step = 0; step < 3000; step++) {
      const text = `${Math.floor(random.next() * 40)}`.padEnd(Math.floor(random.next() * 25), '.')
      if (random.next() < 0.7) cache.set(text, step)
      else cache.get(text)
      if (cache.size > 20 || cache.characters > 320 || cache.characters < 0) throw new Error(`out of bounds at step ${step}`)
    }
    expect(cache.size).toBeGreaterThan(5)
  })

  it('forgets the longest unused first, and keeps no text that would push out many', () => {
    const cache = new TextCache<number>(2, 1000)
    cache.set('a', 1)
    cache.set('b', 2)
    cache.get('a')
    cache.set('c', 3)
    cache.set('x'.repeat(100), 4)
    expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.size, cache.characters]).toEqual([1, undefined, 3, 2, 2])
  })
})
