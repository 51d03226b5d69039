import { BursarError } from '../errors/index.js'
import type { Encoder } from './features.js'
import { TextCache } from './text-cache.js'
import { unitVector, unusable } from './unit-vector.js'

/** Requests that went without a dense vector. */
export interface EncoderFaults {
  /** The encoder failed, or gave no usable vector. */
  readonly failed: number
  /** The request didn't wait any longer. */
  readonly late: number
  /** Too many texts were waiting already. */
  readonly refused: number
}

/** Dense vectors by text: remembered, asked for once however many wait, and never waited for longer than set. */
export interface DenseVectors {
  known(text: string): Float32Array | undefined
  /** The vector, or `undefined` when the encoder failed, is late or has too much to do. Rejects only with the signal's reason. */
  soon(text: string, signal?: AbortSignal): Promise<Float32Array | undefined>
  /** The vectors of all texts, in batches. Rejects as the encoder does. */
  all(texts: readonly string[], signal: AbortSignal): Promise<readonly Float32Array[]>
  faults(): EncoderFaults
  close(): Promise<void>
}

export interface DenseVectorsOptions {
  readonly waitSeconds: number
  readonly cacheEntries: number
  readonly cacheCharacters: number
}

/** Texts that may be with the encoder for requests at one time. */
const mostUnderWay = 64
const batch = 32
/** A vector that no request waits for any longer is still worth having for so many times the wait, at least this long. */
const patience = 20
const leastPatienceSeconds = 10

export function createDenseVectors(encoder: Encoder, { waitSeconds, cacheEntries, cacheCharacters }: DenseVectorsOptions): DenseVectors {
  const cache = new TextCache<Float32Array>(cacheEntries, cacheCharacters)
  const underWay = new Map<string, Promise<Float32Array>>()
  const closing = new AbortController()
  const counts = { failed: 0, late: 0, refused: 0 }

  async function encode(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    const vectors = await encoder.encode(texts, signal)
    if (vectors.length !== texts.length) throw unusable(encoder.id, `gave ${vectors.length} vectors for ${texts.length} texts`)
    return vectors.map((vector, at) => {
      const unit = unitVector(vector, encoder)
      cache.set(texts[at] ?? '', unit)
      return unit
    })
  }

  function begin(text: string): Promise<Float32Array> {
    const limit = AbortSignal.timeout(1000 * Math.max(leastPatienceSeconds, patience * waitSeconds))
    const running = encode([text], AbortSignal.any([limit, closing.signal]))
      .then(([vector]) => {
        if (vector === undefined) throw unusable(encoder.id, 'gave no vector')
        return vector
      })
      .finally(() => underWay.delete(text))
    underWay.set(text, running)
    return running
  }

  return {
    known: (text) => cache.get(text),
    async soon(text, signal) {
      signal?.throwIfAborted()
      const running = underWay.get(text) ?? (underWay.size < mostUnderWay ? begin(text) : undefined)
      if (running === undefined) {
        counts.refused++
        return undefined
      }
      const outcome = await raced(running, waitSeconds, signal)
      if (outcome === 'aborted') throw signal?.reason
      if (outcome === 'late' || outcome === 'failed') {
        counts[outcome]++
        return undefined
      }
      return outcome
    },
    async all(texts, signal) {
      const found = new Map<string, Float32Array>()
      for (const text of texts) {
        const vector = cache.get(text)
        if (vector !== undefined) found.set(text, vector)
      }
      const missing = [...new Set(texts)].filter((text) => !found.has(text))
      const either = AbortSignal.any([signal, closing.signal])
      for (let at = 0; at < missing.length; at += batch) {
        either.throwIfAborted()
        const part = missing.slice(at, at + batch)
        const vectors = await encode(part, either)
        part.forEach((text, index) => {
          const vector = vectors[index]
          if (vector !== undefined) found.set(text, vector)
        })
      }
      return texts.map((text) => {
        const vector = found.get(text)
        if (vector === undefined) throw unusable(encoder.id, 'gave no vector')
        return vector
      })
    },
    faults: () => ({ ...counts }),
    async close() {
      closing.abort(new BursarError('The encoder is closed.', { code: 'shutting_down', status: 503 }))
      await encoder.close()
    },
  }
}

/** What comes first: the vector, its failure, the end of the wait, or the caller's leaving. Leaves no timer and no listener behind. */
async function raced(
  running: Promise<Float32Array>,
  seconds: number,
  signal: AbortSignal | undefined,
): Promise<Float32Array | 'failed' | 'late' | 'aborted'> {
  let timer: NodeJS.Timeout | undefined
  let leave: (() => void) | undefined
  try {
    return await Promise.race([
      running.catch(() => 'failed' as const),
      new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), seconds * 1000))),
      new Promise<'aborted'>((resolve) => {
        leave = () => resolve('aborted')
        signal?.addEventListener('abort', leave, { once: true })
      }),
    ])
  } finally {
    clearTimeout(timer)
    if (leave !== undefined) signal?.removeEventListener('abort', leave)
  }
}
