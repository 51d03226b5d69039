import { afterEach, describe, expect, it } from 'vitest'
import type { Encoder } from '../features.js'
import { cosine } from '../lexical/cosine.js'
import { embeddedEncoder } from './embedded-encoder.js'
import { installed } from './fixtures/installed.js'
import { besides, threadedEncoder, type ThreadedEncoderOptions } from './threaded-encoder.js'

const open: Encoder[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((encoder) => encoder.close()))
})

function encoderOf(options: ThreadedEncoderOptions = {}, settings?: unknown): Encoder {
  const encoder = threadedEncoder({ id: 'odd', dimensions: 3, longestText: 100, module: besides('fixtures/odd-model'), settings }, options)
  open.push(encoder)
  return encoder
}

const never = new AbortController().signal

/** Tries until the pause after a death is over. */
async function again(encoder: Encoder, text: string): Promise<Float32Array> {
  for (;;) {
    try {
      const [vector] = await encoder.encode([text], never)
      if (vector !== undefined) return vector
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'overloaded')) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

describe('an encoder in a thread', () => {
  it('gives unit vectors in the order of the texts, across batches and callers', async () => {
    const encoder = encoderOf({ batch: 2 })
    const [some, others] = await Promise.all([encoder.encode(['a', 'bb', 'ccc'], never), encoder.encode(['dddd'], never)])
    expect([...some, ...others].map((vector) => Math.round((vector[0] ?? 0) / (vector[1] ?? 0)))).toEqual([1, 2, 3, 4])
    for (const vector of some) expect(Math.hypot(...vector)).toBeCloseTo(1, 5)
    expect(await encoder.encode([], never)).toEqual([])
  })

  it('cuts long texts, and mends halves of surrogate pairs', async () => {
    const encoder = encoderOf()
    const [long, broken] = await encoder.encode(['x'.repeat(1_000_000), '\ud83d'], never)
    expect((long?.[0] ?? 0) / (long?.[1] ?? 0)).toBeCloseTo(100, 1)
    expect(broken).toHaveLength(3)
  })

  it('tells what failed, and goes on', async () => {
    const encoder = encoderOf()
    await expect(encoder.encode(['fail'], never)).rejects.toMatchObject({
      code: 'internal_error',
      message: expect.stringContaining('not this one'),
    })
    await expect(encoder.encode(['short'], never)).rejects.toMatchObject({
      code: 'internal_error',
      message: expect.stringContaining('dimensions'),
    })
    await expect(encoder.encode(['not a number'], never)).rejects.toMatchObject({ code: 'upstream_malformed' })
    expect(await encoder.encode(['well'], never)).toHaveLength(1)
  })

  it('is begun again after its thread died, or took too long and held it up', async () => {
    const encoder = encoderOf({ batchSeconds: 1.5 })
    await encoder.encode(['open'], never)
    await expect(encoder.encode(['die'], never)).rejects.toMatchObject({ code: 'internal_error' })
    await expect(encoder.encode(['at once'], never)).rejects.toMatchObject({ code: 'overloaded' })
    expect(await again(encoder, 'later')).toHaveLength(3)
    const [stuck, behind] = await Promise.allSettled([encoder.encode(['block'], never), encoder.encode(['behind'], never)])
    expect(stuck).toMatchObject({ status: 'rejected', reason: { code: 'upstream_timeout' } })
    expect(behind.status).toBe('rejected')
    expect(await again(encoder, 'later')).toHaveLength(3)
  })

  it('says why it can’t start', async () => {
    await expect(encoderOf({}, 'refuse').encode(['a'], never)).rejects.toMatchObject({
      code: 'invalid_configuration',
      message: expect.stringContaining('no such file'),
    })
  })

  it('lets a caller leave, before and during the work, and takes no more texts than may wait', async () => {
    const encoder = encoderOf({ maxWaiting: 3, batch: 1 })
    const gone = new AbortController()
    gone.abort(new Error('left'))
    await expect(encoder.encode(['a'], gone.signal)).rejects.toThrow('left')
    const leaving = new AbortController()
    const left = encoder.encode(['hang', 'b', 'c'], leaving.signal)
    await expect(encoder.encode(['d', 'e'], never)).rejects.toMatchObject({ code: 'overloaded' })
    leaving.abort(new Error('left too'))
    await expect(left).rejects.toThrow('left too')
  })

  it('ends everything when it is closed', async () => {
    const encoder = encoderOf()
    const waiting = encoder.encode(['hang'], never)
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'shutting_down' }), encoder.close()])
    await expect(encoder.encode(['a'], never)).rejects.toMatchObject({ code: 'shutting_down' })
  })

  it('refuses settings that can’t be', () => {
    expect(() => encoderOf({ batch: NaN })).toThrow(/batch/)
  })
})

// Its packages are optional.
describe.skipIf(!installed('@energetic-ai/embeddings'))('the embedded encoder', () => {
  it('finds a paraphrase nearer than another subject', async () => {
    const encoder = embeddedEncoder()
    open.push(encoder)
    const [a, b, c, empty] = await encoder.encode(['How old are you?', 'What is your age?', 'The stock market fell today.', ''], never)
    if (a === undefined || b === undefined || c === undefined) throw new Error('too few vectors')
    expect(cosine(a, b)).toBeGreaterThan(cosine(a, c) + 0.3)
    expect(empty).toHaveLength(512)
  })
})
