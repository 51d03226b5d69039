import { describe, expect, it } from 'vitest'
import { endpointEncoder, type EndpointEncoderOptions } from './endpoint-encoder.js'

const never = new AbortController().signal
const of = (embed: EndpointEncoderOptions['embed'], more: Partial<EndpointEncoderOptions> = {}) =>
  endpointEncoder({ id: 'e', dimensions: 2, embed, ...more })

describe('an encoder over an endpoint', () => {
  it('asks in batches and gives unit vectors in order', async () => {
    const sizes: number[] = []
    const encoder = of((texts) => (sizes.push(texts.length), Promise.resolve(texts.map((text) => [text.length, 0]))), {
      batch: 2,
      longestText: 3,
    })
    expect((await encoder.encode(['a', 'bb', 'cccc'], never)).map((vector) => [...vector])).toEqual([
      [1, 0],
      [1, 0],
      [1, 0],
    ])
    expect(sizes).toEqual([2, 1])
  })

  it('refuses vectors that can’t be used', async () => {
    for (const wrong of [[], [[1]], [[0, 0]], [[NaN, 1]], [[Infinity, 1]]])
      await expect(of(() => Promise.resolve(wrong)).encode(['a'], never)).rejects.toMatchObject({ code: 'upstream_malformed' })
  })

  it('is late, refused or failed by a typed error, and leaves with its caller', async () => {
    const stuck = () => new Promise<never>(() => undefined)
    await expect(of(stuck, { callSeconds: 0.02 }).encode(['a'], never)).rejects.toMatchObject({ code: 'upstream_timeout' })
    await expect(of(() => Promise.reject(new Error('no'))).encode(['a'], never)).rejects.toMatchObject({ code: 'upstream_error' })
    await expect(
      of(() => {
        throw new TypeError('at once')
      }).encode(['a'], never),
    ).rejects.toMatchObject({ code: 'upstream_error' })
    const busy = of(stuck, { maxCalls: 1 })
    const leaving = new AbortController()
    const first = busy.encode(['a'], leaving.signal)
    await expect(busy.encode(['b'], never)).rejects.toMatchObject({ code: 'overloaded' })
    leaving.abort(new Error('left'))
    await expect(first).rejects.toThrow('left')
    const closed = of(stuck)
    const waiting = closed.encode(['a'], never)
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'shutting_down' }), closed.close()])
    await expect(closed.encode(['a'], never)).rejects.toMatchObject({ code: 'shutting_down' })
  })

  it('refuses settings that can’t be, by name', () => {
    expect(() => of(() => Promise.resolve([]), { dimensions: 1.5 })).toThrow(/dimensions/)
    expect(() => of(() => Promise.resolve([]), { callSeconds: NaN })).toThrow(/callSeconds/)
  })
})
