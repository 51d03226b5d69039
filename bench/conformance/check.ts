import type { Upstream } from '../../test/upstream/index.js'
import type { Subject } from './client.js'

/** How a gateway did in a check. `n.a.`: the gateway doesn't offer what is checked. */
export interface Outcome {
  readonly verdict: 'pass' | 'fail' | 'n.a.'
  /** What was seen, in a line. */
  readonly seen: string
}

/** One behaviour that any gateway can be held to. */
export interface Check {
  readonly id: string
  readonly group: 'streams' | 'faults' | 'requests' | 'accounting' | 'http'
  /** What is expected, in a line. */
  readonly expects: string
  run(subject: Subject, upstream: Upstream): Promise<Outcome>
}

export const pass = (seen: string): Outcome => ({ verdict: 'pass', seen })
export const fail = (seen: string): Outcome => ({ verdict: 'fail', seen })
export const notApplicable = (seen: string): Outcome => ({ verdict: 'n.a.', seen })

/** `pass` or `fail` with the same observation. */
export const judge = (met: boolean, seen: string): Outcome => (met ? pass(seen) : fail(seen))

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until a condition holds, looking every 5 ms; false after `ms`. */
export async function eventually(condition: () => boolean, ms: number): Promise<boolean> {
  const end = performance.now() + ms
  while (!condition()) {
    if (performance.now() > end) return false
    await sleep(5)
  }
  return true
}

/** An ordinary chat completion. */
export function chat(subject: Pick<Subject, 'model'>, more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { model: subject.model, messages: [{ role: 'user', content: 'Why do rivers bend?' }], ...more }
}

export const streamed = { stream: true, stream_options: { include_usage: true } } as const
