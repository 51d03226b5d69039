import { afterEach } from 'vitest'
import { startBench, type Bench } from './harness.js'

/** Gateways of a test file: those that are still open are closed after each of its tests. */
export interface OpenedBenches {
  readonly start: typeof startBench
  close(bench: Bench): Promise<void>
}

export function openedBenches(): OpenedBenches {
  const opened = new Set<Bench>()
  const close = async (bench: Bench) => {
    opened.delete(bench)
    await bench.close()
  }
  afterEach(async () => {
    for (const bench of opened) await close(bench)
  })
  return {
    async start(...settings) {
      const bench = await startBench(...settings)
      opened.add(bench)
      return bench
    },
    close,
  }
}

/** For `start`: the sandbox as the only provider, and these sections. */
export function onlySandbox(sections: Readonly<Record<string, unknown>>): (config: Record<string, unknown>) => void {
  return (config) => void Object.assign(config, { providers: { box: { type: 'sandbox', speed: 1000 } }, models: {}, prices: {} }, sections)
}

/** One question, as a chat completion. */
export function ask(
  bench: Bench,
  model: string,
  text: string,
  headers: Record<string, string> = {},
  body: Record<string, unknown> = {},
): Promise<Response> {
  return bench.post('/v1/chat/completions', { model, messages: [{ role: 'user', content: text }], ...body }, headers)
}
