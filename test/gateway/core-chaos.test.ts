import { afterEach, expect, it } from 'vitest'
import { seededRandom } from '../../src/statistics/index.js'
import { chatReply, chatStream, messagesReply, messagesStream, openaiError, type Behaviour } from '../upstream/index.js'
import { chat, KEY, startBench, type Bench } from './harness.js'
import { openConnection, postBytes } from './raw.js'

let bench: Bench
afterEach(() => bench.close())

const REQUESTS = 400
const AT_ONCE = 40

/** Everything an upstream may do to a call, and every moment at which a caller may leave, thrown together. */
it.each([1, 2, 3])(
  'whatever happens: every attempt is recorded once, nothing stays open, reserved or unexplained (seed %i)',
  async (seed) => {
    const random = seededRandom(seed)
    const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random.next() * choices.length)] as T
    bench = await startBench((config) => {
      config['server'] = { port: 0, keep_alive_seconds: 0.05, slow_reader_seconds: 0.5, shutdown_seconds: 2 }
      config['timeouts'] = { first_token_seconds: 0.3, idle_seconds: 0.2, total_seconds: 1.5 }
      config['retries'] = { attempts: 2, base_seconds: 0.02, max_wait_seconds: 0.3 }
      config['cooldown'] = { after_faults: 20, seconds: 0.1 }
      config['keys'] = [{ name: 'test', key: KEY, budget_usd: 1 }]
      config['prices'] = { 'up/mock': { input: 1, output: 4 }, 'ant/claude-sonnet-4-5': { input: 1, output: 4 } }
      config['models'] = {
        fast: 'up/mock',
        claude: 'ant/claude-sonnet-4-5',
        both: { deployments: ['up/mock', 'ant/claude-sonnet-4-5'], fallbacks: ['claude'] },
      }
    })
    const upset = (base: Behaviour): Behaviour =>
      pick<() => Behaviour>([
        () => base,
        () => base,
        () => base,
        () => ({ ...base, delayMs: Math.floor(random.next() * 60) }),
        () => ({ ...base, chunking: 1 + Math.floor(random.next() * 200) }),
        () => ({ ...base, destroyAfter: Math.floor(random.next() * 12) }),
        () => ({ ...base, stallAfter: Math.floor(random.next() * 12) }),
        () => ({ ...base, gapMs: 1 + Math.floor(random.next() * 8) }),
        () => ({ neverAnswer: true }),
        () => ({ hangUp: true }),
        () => ({ garbage: 'nonsense\r\n\r\n' }),
        () => ({ status: pick([400, 401, 404, 408, 500, 503, 529]), body: { error: { message: 'no' } } }),
        () => openaiError(429, 'slow down', 'rate_limit_exceeded', { 'retry-after-ms': '30' }),
        () => ({ body: { error: { message: 'no' } } }),
        () => ({ body: '<html>' }),
        () => ({ ...base, contentLength: 5 }),
        () => ({ events: ['data: {"error":{"message":"no"}}\n\n'] }),
        () => ({ events: [': wait\n\n', ': wait\n\n'], gapMs: 30, stallAfter: 2 }),
      ])()
    bench.upstream.always('/chat/completions', () => upset(random.next() < 0.5 ? chatStream() : chatReply()))
    bench.upstream.always('/messages', () => upset(random.next() < 0.5 ? messagesStream() : messagesReply()))

    const one = async () => {
      const stream = random.next() < 0.6
      const model = pick(['fast', 'claude', 'both'])
      const anthropic = random.next() < 0.4
      const body = { ...chat(model, { stream, max_tokens: 50 }) }
      const bytes = postBytes(body, {
        path: anthropic ? '/v1/messages' : '/v1/chat/completions',
        head: 'content-type: application/json\r\nconnection: close\r\n',
      })
      const connection = openConnection(bench)
      const leave = random.next()
      if (leave < 0.1) {
        connection.send(bytes.slice(0, Math.floor(random.next() * bytes.length)))
        await new Promise((resolve) => setTimeout(resolve, random.next() * 20))
        connection.socket.destroy()
      } else if (leave < 0.35) {
        connection.send(bytes)
        await new Promise((resolve) => setTimeout(resolve, random.next() * 150))
        connection.socket.destroy()
      } else if (leave < 0.4) {
        connection.socket.pause()
        connection.send(bytes)
        await new Promise((resolve) => setTimeout(resolve, 300))
        connection.socket.destroy()
      } else {
        connection.send(bytes)
        const { text } = await connection.rest(8000)
        expect(text).toMatch(/^HTTP\/1\.1 \d{3}/)
        expect(text).not.toContain('internal_error')
        const status = Number(text.slice(9, 12))
        expect([200, 400, 404, 429, 502, 503, 504]).toContain(status)
        // A stream has its end mark or its error, never neither and never both.
        if (status === 200 && stream)
          expect(
            [/\[DONE\]|"type":"message_stop"/.test(text), text.includes('"truncated":true')].filter(Boolean).length,
            text.slice(-300),
          ).toBe(1)
      }
      await connection.closed
    }
    let left = REQUESTS
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        while (left-- > 0) await one()
      }),
    )

    await expect.poll(() => bench.gateway.inFlight, { timeout: 5000 }).toBe(0)
    await expect.poll(() => bench.gateway.connections, { timeout: 5000 }).toBe(0)
    await expect.poll(() => bench.upstream.totals.inflight, { timeout: 5000 }).toBe(0)
    const records = await bench.gateway.ledger.calls({ limit: 10_000 })
    expect(new Set(records.map((record) => record.callId)).size).toBe(records.length)
    expect(records.length).toBeGreaterThanOrEqual(bench.upstream.requests.length)
    expect(new Set(records.map((record) => record.end))).toEqual(new Set(['complete', 'failed', 'cancelled', 'truncated']))
    for (const record of records) {
      expect(record.cost.seconds).toBeLessThan(3)
      expect(record.errorCode === undefined).toBe(record.end === 'complete')
    }
    expect(bench.log.filter((line) => line.includes('fault of Bursar'))).toEqual([])

    // Nothing is still reserved: all that the ledger doesn't show as spent can be had at once.
    const spent = (await bench.gateway.ledger.totals({ key: 'test' })).cost.usd ?? 0n
    bench.upstream.always('/chat/completions', chatReply())
    await new Promise((resolve) => setTimeout(resolve, 150))
    const outputTokens = Math.floor((Number(1_000_000_000_000n - spent) / 1e12 - 0.001) / 4e-6)
    expect((await bench.post('/v1/chat/completions', chat('fast', { max_tokens: outputTokens }))).status).toBe(200)
    expect((await bench.post('/v1/chat/completions', chat('fast', { max_tokens: outputTokens + 1000 }))).status).toBe(429)
  },
)
