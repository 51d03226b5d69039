import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { anthropicErrorEvent, chatReply, chatStream, messagesStream, openaiError } from '../upstream/index.js'
import { chat, dataOf, KEY, startBench, type Bench } from './harness.js'

let bench: Bench
afterEach(() => bench.close())

const twoDeployments = (config: Record<string, unknown>, upstreamUrl: string) => {
  config['providers'] = {
    one: { type: 'openai-compatible', base_url: `${upstreamUrl}/one/v1`, api_key: 'k1' },
    two: { type: 'openai-compatible', base_url: `${upstreamUrl}/two/v1`, api_key: 'k2' },
  }
  config['models'] = { fast: ['one/mock', 'two/mock'], first: { deployments: ['one/mock'], fallbacks: ['second'] }, second: 'two/mock' }
  config['prices'] = {}
}
const paths = () => bench.upstream.requests.map((request) => request.path.split('/')[1])

describe('retries', () => {
  it('waits as long as Retry-After says, then succeeds', async () => {
    bench = await startBench()
    bench.upstream.enqueue(openaiError(429, 'slow down', 'rate_limit_exceeded', { 'retry-after-ms': '150' }))
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-bursar-attempts')).toBe('2')
    const [first, second] = bench.upstream.requests
    expect((second?.arrivedAt ?? 0) - (first?.arrivedAt ?? 0)).toBeGreaterThanOrEqual(145)
  })

  it('gives the caller the 429 with its Retry-After when the provider asks for more patience than is allowed', async () => {
    bench = await startBench()
    bench.upstream.enqueue(openaiError(429, 'slow down', 'rate_limit_exceeded', { 'retry-after': '90' }))
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('90')
    expect(bench.upstream.requests.length).toBe(1)
  })

  it('retries a 500 and a hung-up connection, and gives up after the allowed attempts', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ status: 500, body: { error: { message: 'oops' } } })
    bench.upstream.enqueue({ hangUp: true })
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(200)
    bench.upstream.reset()
    bench.upstream.enqueue({ status: 500, body: { error: { message: 'oops' } }, times: 10 })
    const failed = await bench.post('/v1/chat/completions', chat('fast'))
    expect(failed.status).toBe(502)
    expect(((await failed.json()) as { error: { code: string } }).error.code).toBe('upstream_error')
    expect(bench.upstream.requests.length).toBe(3)
  })

  it('does not repeat what the provider rejected', async () => {
    bench = await startBench()
    bench.upstream.enqueue(openaiError(400, 'no such parameter'))
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(400)
    expect(bench.upstream.requests.length).toBe(1)
  })

  it('treats an unreadable answer as the provider’s fault', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ body: '<html>gateway error</html>', headers: { 'content-type': 'text/html' }, times: 5 })
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(502)
    expect(((await answer.json()) as { error: { code: string } }).error.code).toBe('upstream_malformed')
  })

  it('says that Bursar’s own credentials were refused, and not the caller’s', async () => {
    bench = await startBench()
    bench.upstream.enqueue(openaiError(401, 'Incorrect API key provided: sk-upstream-secret'))
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(502)
    const text = await answer.text()
    expect(text).toContain('upstream_auth_failed')
    expect(text).not.toContain('sk-upstream-secret')
  })
})

describe('fallback', () => {
  it('goes to the other deployment at once', async () => {
    bench = await startBench((config, upstream) => twoDeployments(config, upstream.url))
    bench.upstream.enqueue({ status: 503, body: {}, headers: { 'retry-after': '60' } })
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(200)
    expect(new Set(paths()).size).toBe(2)
  })

  it('goes to the next model when all deployments of the first failed, also while streaming before the first byte', async () => {
    bench = await startBench((config, upstream) => twoDeployments(config, upstream.url))
    bench.upstream.always('/one/v1/chat/completions', { status: 500, body: {} })
    const whole = await bench.post('/v1/chat/completions', chat('first'))
    expect(whole.status).toBe(200)
    expect(whole.headers.get('x-bursar-model')).toBe('two/mock')
    expect(whole.headers.get('x-bursar-fell-back-from')).toContain('first')
    const stream = await bench.post('/v1/chat/completions', chat('first', { stream: true }))
    expect(dataOf(await stream.text()).at(-1)).toBe('[DONE]')
  })

  it('also when the stream breaks or errs before its first token', async () => {
    bench = await startBench((config, upstream) => twoDeployments(config, upstream.url))
    bench.upstream.always('/one/v1/chat/completions', { events: ['data: {"error":{"message":"overloaded"}}\n\n'] })
    const erring = await bench.post('/v1/chat/completions', chat('first', { stream: true }))
    expect(dataOf(await erring.text()).at(-1)).toBe('[DONE]')
    bench.upstream.always('/one/v1/chat/completions', { ...chatStream(), destroyAfter: 0 })
    const broken = await bench.post('/v1/chat/completions', chat('first', { stream: true }))
    expect(dataOf(await broken.text()).at(-1)).toBe('[DONE]')
  })

  it('rests a deployment after repeated faults and probes it before it returns', async () => {
    bench = await startBench((config, upstream) => {
      twoDeployments(config, upstream.url)
      config['cooldown'] = { after_faults: 2, seconds: 1.5 }
    })
    bench.upstream.always('/one/v1/chat/completions', { status: 500, body: {} })
    for (let index = 0; index < 20; index++) expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(200)
    expect(paths().filter((path) => path === 'one').length).toBe(2)
    bench.upstream.always('/one/v1/chat/completions', chatReply())
    await new Promise((resolve) => setTimeout(resolve, 1600))
    for (let index = 0; index < 40; index++) await bench.post('/v1/chat/completions', chat('fast'))
    expect(paths().filter((path) => path === 'one').length).toBeGreaterThan(5)
  })
})

describe('limits', () => {
  it('ends a call that sends no first token, with a 504', async () => {
    bench = await startBench((config) => {
      config['timeouts'] = { first_token_seconds: 0.1 }
      config['retries'] = { attempts: 0 }
    })
    bench.upstream.enqueue({ neverAnswer: true })
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(504)
    await bench.upstream.aborted(1)
  })

  it('ends a stream that falls silent, with an error event and a cut connection', async () => {
    bench = await startBench((config) => void (config['timeouts'] = { idle_seconds: 0.1 }))
    bench.upstream.enqueue({ ...chatStream(), stallAfter: 5 })
    const { text, clean } = await rawStream(bench, chat('fast', { stream: true }))
    expect(text).toContain('"truncated":true')
    expect(text).toContain('upstream_timeout')
    expect(text).not.toContain('[DONE]')
    expect(clean).toBe(false)
    await bench.upstream.aborted(1)
  })

  it('ends a call that takes too long altogether', async () => {
    bench = await startBench((config) => void (config['timeouts'] = { total_seconds: 0.2 }))
    bench.upstream.enqueue({ ...chatStream(), gapMs: 30 })
    const { text, clean } = await rawStream(bench, chat('fast', { stream: true }))
    expect(text).toContain('"truncated":true')
    expect(clean).toBe(false)
  })
})

describe('a stream that breaks', () => {
  it('never looks complete: error event, truncated marker, no clean end', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ ...chatStream(), destroyAfter: 10 })
    const { text, clean } = await rawStream(bench, chat('fast', { stream: true }))
    const events = dataOf(text)
    expect(events.length).toBe(11)
    const last = JSON.parse(events.at(-1) as string) as { error: { code: string; truncated: boolean } }
    expect(last.error).toMatchObject({ code: 'stream_truncated', truncated: true })
    expect(clean).toBe(false)
    const [record] = await bench.gateway.ledger.calls({ limit: 1 })
    expect(record).toMatchObject({ end: 'truncated', usageEstimated: true })
    expect(record?.usage.outputTokens).toBeGreaterThanOrEqual(9)
  })

  it('is an error too when the upstream ends it politely but without its end mark', async () => {
    bench = await startBench()
    bench.upstream.enqueue(chatStream({ properEnd: false, finish: 'stop', usage: null }))
    const { text, clean } = await rawStream(bench, chat('fast', { stream: true }))
    expect(text).toContain('"truncated":true')
    expect(clean).toBe(false)
  })

  it('passes an Anthropic error event on as one', async () => {
    bench = await startBench()
    const events = [...(messagesStream().events ?? [])].slice(0, 5)
    bench.upstream.enqueue({ events: [...events, anthropicErrorEvent('overloaded_error', 'Overloaded')] })
    const { text, clean } = await rawStream(
      bench,
      { model: 'claude', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'x' }] },
      '/v1/messages',
    )
    expect(text).toContain('event: error')
    expect(text).toContain('"truncated":true')
    expect(clean).toBe(false)
  })
})

describe('a caller that leaves', () => {
  it.each([true, false])('cancels the upstream call at once (stream: %s)', async (stream) => {
    bench = await startBench()
    bench.upstream.enqueue(stream ? { ...chatStream(), stallAfter: 5 } : { neverAnswer: true })
    const controller = new AbortController()
    const running = fetch(`${bench.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
      body: JSON.stringify(chat('fast', { stream })),
      signal: controller.signal,
    })
    if (stream) await (await running).body?.getReader().read()
    else await bench.upstream.received(1)
    controller.abort()
    await running.catch(() => undefined)
    await bench.upstream.aborted(1)
    await expect.poll(async () => (await bench.gateway.ledger.calls({ limit: 1 }))[0]?.end).toBe('cancelled')
    const [record] = await bench.gateway.ledger.calls({ limit: 1 })
    expect(record?.usageEstimated).toBe(true)
    expect(record?.usage.inputTokens).toBeGreaterThan(0)
    expect(bench.gateway.inFlight).toBe(0)
  })

  it('is not waited for: a reader that stops gets backpressure, and its call is ended after the limit', async () => {
    bench = await startBench((config) => void (config['server'] = { port: 0, slow_reader_seconds: 0.5, shutdown_seconds: 1 }))
    const piece = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'x'.repeat(65_000) }, finish_reason: null }] })}\n\n`
    bench.upstream.enqueue({ events: Array.from({ length: 2000 }, () => piece) })
    const socket = connect(bench.gateway ? Number(new URL(bench.url).port) : 0, '127.0.0.1')
    socket.on('error', () => undefined)
    const body = JSON.stringify(chat('fast', { stream: true }))
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    socket.pause()
    await bench.upstream.aborted(1)
    expect(bench.upstream.last.bytesWritten).toBeLessThan(60_000_000)
    socket.destroy()
  })
})

describe('keep-alives', () => {
  it('are sent while the upstream thinks, and a failure after them is told inside the stream', async () => {
    bench = await startBench((config) => {
      config['server'] = { port: 0, keep_alive_seconds: 0.05 }
      config['timeouts'] = { first_token_seconds: 0.4 }
      config['retries'] = { attempts: 0 }
    })
    bench.upstream.enqueue({ neverAnswer: true })
    const { text, status, clean } = await rawStream(bench, chat('fast', { stream: true }))
    expect(status).toBe(200)
    expect(text.startsWith(':')).toBe(true)
    expect(text).toContain('upstream_timeout')
    expect(clean).toBe(false)
  })
})

describe('shutdown', () => {
  it('lets calls under way finish and takes no new ones', async () => {
    bench = await startBench()
    let resume = () => {}
    bench.upstream.enqueue({ ...chatStream(), stallAfter: 3, resume: new Promise<void>((resolve) => (resume = resolve)) })
    const answer = await bench.post('/v1/chat/completions', chat('fast', { stream: true }))
    const closing = bench.gateway.close()
    await expect(bench.post('/v1/chat/completions', chat('fast'))).rejects.toThrow()
    resume()
    expect(dataOf(await answer.text()).at(-1)).toBe('[DONE]')
    await closing
  })

  it('ends what has not finished in time with an error', async () => {
    bench = await startBench((config) => void (config['server'] = { port: 0, shutdown_seconds: 0.1 }))
    bench.upstream.enqueue({ ...chatStream(), stallAfter: 3 })
    const running = rawStream(bench, chat('fast', { stream: true }))
    await bench.upstream.received(1)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await bench.gateway.close()
    const { text, clean } = await running
    expect(text).toContain('shutting_down')
    expect(clean).toBe(false)
  })
})

/** Reads a stream with node:http, which tells a clean end from a cut one. */
function rawStream(at: Bench, body: unknown, path = '/v1/chat/completions'): Promise<{ text: string; status: number; clean: boolean }> {
  return new Promise((resolve, reject) => {
    const req = httpRequest(
      at.url + path,
      { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` } },
      (res) => {
        let text = ''
        res.setEncoding('utf8')
        res.on('data', (chunk: string) => (text += chunk))
        res.on('error', () => undefined)
        res.on('close', () => resolve({ text, status: res.statusCode ?? 0, clean: res.complete }))
      },
    )
    req.on('error', reject)
    req.end(JSON.stringify(body))
  })
}
