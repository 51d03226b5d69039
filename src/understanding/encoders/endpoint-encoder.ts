import { BursarError, InvalidRequest } from '../../errors/index.js'
import type { Encoder } from '../features.js'
import { unitVector, unusable } from '../unit-vector.js'
import { sendable } from './sendable.js'

export interface EndpointEncoderOptions {
  /** Names the model: vectors of one can't be compared with another's. */
  readonly id: string
  readonly dimensions: number
  /** Asks the endpoint, metered like any call. One vector a text, in their order. */
  readonly embed: (texts: readonly string[], signal: AbortSignal) => Promise<readonly (readonly number[])[]>
  /** Longest that one call may take: 10 s when absent. */
  readonly callSeconds?: number | undefined
  /** Most texts a call: 64 when absent. */
  readonly batch?: number | undefined
  /** Most calls at one time: 8 when absent. More than that are refused (`overloaded`) rather than queued. */
  readonly maxCalls?: number | undefined
  /** Characters of a text that are sent: 8,192 when absent. */
  readonly longestText?: number | undefined
}

/** An encoder over an embeddings endpoint, whose call is handed in. */
export function endpointEncoder({
  id,
  dimensions,
  embed,
  callSeconds = 10,
  batch = 64,
  maxCalls = 8,
  longestText = 8192,
}: EndpointEncoderOptions): Encoder {
  for (const [path, value] of Object.entries({ dimensions, batch, maxCalls, longestText }))
    if (!Number.isSafeInteger(value) || value < 1)
      throw new InvalidRequest(`${path} must be a whole number above 0, not ${value}.`, { path })
  if (!(callSeconds > 0 && callSeconds <= 600))
    throw new InvalidRequest(`callSeconds must be above 0 and at most 600, not ${callSeconds}.`, { path: 'callSeconds' })
  const closing = new AbortController()
  let calls = 0

  async function call(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
    if (calls >= maxCalls)
      throw new BursarError(`The encoder ${id} has ${calls} calls under way already.`, { code: 'overloaded', status: 503 })
    const limit = AbortSignal.timeout(callSeconds * 1000)
    const any = AbortSignal.any([signal, closing.signal, limit])
    let leave: (() => void) | undefined
    const aborted = new Promise<never>((_, reject) => {
      leave = () =>
        reject(
          limit.aborted && !signal.aborted && !closing.signal.aborted
            ? new BursarError(`The encoder ${id} took longer than ${callSeconds} s.`, { code: 'upstream_timeout', status: 504 })
            : any.reason,
        )
      any.addEventListener('abort', leave, { once: true })
    })
    calls++
    // It counts until it has really ended, though nobody waits for it any longer.
    const asked = begun(embed, texts, any).finally(() => calls--)
    try {
      const vectors = await Promise.race([asked, aborted])
      if (vectors.length !== texts.length) throw unusable(id, `gave ${vectors.length} vectors for ${texts.length} texts`)
      return vectors.map((vector) => unitVector(Float32Array.from(vector), { id, dimensions }))
    } catch (thrown) {
      asked.catch(() => undefined)
      if (BursarError.is(thrown) || signal.aborted) throw thrown
      throw new BursarError(`The encoder ${id} could not be asked.`, { code: 'upstream_error', status: 502, cause: thrown })
    } finally {
      if (leave !== undefined) any.removeEventListener('abort', leave)
    }
  }

  return {
    id,
    dimensions,
    async encode(texts, signal) {
      signal.throwIfAborted()
      closing.signal.throwIfAborted()
      const out: Float32Array[] = []
      for (let at = 0; at < texts.length; at += batch)
        out.push(
          ...(await call(
            texts.slice(at, at + batch).map((text) => sendable(text, longestText)),
            signal,
          )),
        )
      return out
    },
    close() {
      closing.abort(new BursarError(`The encoder ${id} is closed.`, { code: 'shutting_down', status: 503 }))
      return Promise.resolve()
    },
  }
}

/** The call, whose failure is a rejection even when it throws at once. */
async function begun(
  embed: EndpointEncoderOptions['embed'],
  texts: readonly string[],
  signal: AbortSignal,
): Promise<readonly (readonly number[])[]> {
  return embed(texts, signal)
}
