import { Gateway, parseConfig } from '../../src/gateway/index.js'
import { createLogger } from '../../src/gateway/telemetry/log.js'
import { startUpstream, type Upstream, type UpstreamOptions } from '../upstream/index.js'

/** The key that tests call with. */
export const KEY = 'sk-test-0123456789abcdef'

export interface Bench {
  readonly upstream: Upstream
  readonly gateway: Gateway
  /** Such as `http://127.0.0.1:43210`. */
  readonly url: string
  /** Lines of the log so far. */
  readonly log: readonly string[]
  /** Sends a JSON body with the key. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  close(): Promise<void>
}

/** Configuration that most tests start from: one OpenAI-compatible, one Anthropic and one Gemini provider at the scripted upstream. */
export function baseConfig(upstreamUrl: string): Record<string, unknown> {
  return {
    server: { port: 0, keep_alive_seconds: 15, shutdown_seconds: 5 },
    retries: { attempts: 2, base_seconds: 0.01, max_wait_seconds: 2 },
    log: { level: 'info' },
    ledger: { store: 'memory' },
    // Who is held out to the reference is drawn at random; tests of routing want to know who answers.
    proof: { holdout: 0 },
    keys: [{ name: 'test', key: KEY }],
    providers: {
      up: {
        type: 'openai-compatible',
        base_url: `${upstreamUrl}/v1`,
        api_key: 'sk-upstream-secret',
        formats: ['openai-chat', 'openai-responses', 'openai-embeddings'],
      },
      ant: { type: 'anthropic', base_url: upstreamUrl, api_key: 'sk-ant-secret' },
      gem: { type: 'gemini', base_url: `${upstreamUrl}/v1beta`, api_key: 'gem-secret' },
    },
    models: {
      fast: 'up/mock',
      claude: 'ant/claude-sonnet-4-5',
      flash: 'gem/gemini-2.5-flash',
    },
    prices: {
      'up/mock': { input: 1, cache_read: 0.25, output: 4 },
    },
  }
}

/** Starts a scripted upstream and a gateway in front of it. `change` edits the configuration first. */
export async function startBench(
  change: (config: Record<string, unknown>, upstream: Upstream) => void = () => {},
  options: UpstreamOptions = {},
): Promise<Bench> {
  const upstream = await startUpstream(options)
  const config = baseConfig(upstream.url)
  change(config, upstream)
  const log: string[] = []
  const gateway = await Gateway.create({
    config: parseConfig(JSON.stringify(config), {}).config,
    version: 'test',
    log: createLogger({ level: 'debug', destination: { write: (line: string) => void log.push(line) } }),
  })
  const { url } = await gateway.listen()
  return {
    upstream,
    gateway,
    url,
    log,
    post: (path, body, headers = {}) =>
      fetch(url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}`, ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
      }),
    async close() {
      await gateway.close()
      await upstream.close()
    },
  }
}

/** A chat request with one user message. */
export function chat(model: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { model, messages: [{ role: 'user', content: 'Say something about rivers.' }], ...more }
}

/** Data payloads of a server-sent event stream, `[DONE]` included. */
export function dataOf(text: string): string[] {
  return text.split('\n\n').flatMap((event) => event.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : [])))
}
