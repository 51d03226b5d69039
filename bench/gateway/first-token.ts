import { Agent, request } from 'node:http'
import type { Target } from './targets.js'

/** One streamed answer, timed. */
export interface TimedStream {
  /** Milliseconds from writing the request to the first byte of the body. */
  readonly firstByteMs: number
  readonly body: Buffer
  readonly status: number
}

const agent = new Agent({ keepAlive: true, maxSockets: 64 })

/** Sends one chat completion and reads it to its end. */
export function timeStream(target: Pick<Target, 'url' | 'headers'>, model: string, stream = true): Promise<TimedStream> {
  const body = JSON.stringify({
    model,
    messages: [{ role: 'user', content: 'Why do rivers bend?' }],
    ...(stream && { stream: true, stream_options: { include_usage: true } }),
  })
  return new Promise((resolve, reject) => {
    let firstByteMs = NaN
    const parts: Buffer[] = []
    const startedAt = performance.now()
    const sent = request(
      `${target.url}/v1/chat/completions`,
      {
        method: 'POST',
        agent,
        headers: { ...target.headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (answer) => {
        answer.on('data', (part: Buffer) => {
          if (parts.length === 0) firstByteMs = performance.now() - startedAt
          parts.push(part)
        })
        answer.once('end', () => resolve({ firstByteMs, body: Buffer.concat(parts), status: answer.statusCode ?? 0 }))
        answer.once('error', reject)
      },
    )
    sent.once('error', reject)
    sent.end(body)
  })
}

/**
 * Times to the first byte of dripping streams, `pairs` for each target, one after the other in turn, so that what disturbs
 * the machine disturbs all alike. The first two of each are warm-up and left out.
 */
export async function firstTokenTimes(targets: readonly Target[], pairs: number): Promise<ReadonlyMap<string, readonly number[]>> {
  const times = new Map<string, number[]>(targets.map((target) => [target.name, []]))
  for (let pair = -2; pair < pairs; pair++) {
    for (const target of pair % 2 === 0 ? targets : [...targets].reverse()) {
      const { firstByteMs } = await timeStream(target, 'mock-drip-1')
      if (pair >= 0) times.get(target.name)?.push(firstByteMs)
    }
  }
  return times
}
