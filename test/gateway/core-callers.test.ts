import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from 'vitest'
import { chatReply, chatStream } from '../upstream/index.js'
import { chat, KEY, startBench, type Bench } from './harness.js'
import { openConnection, postBytes, rawPost } from './raw.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

let bench: Bench
afterEach(() => bench.close())

describe('an HTTP/1.0 caller, as nginx is by default', () => {
  it('gets its stream, to the end', async () => {
    bench = await startBench()
    const { text } = await rawPost(bench, chat('fast', { stream: true }), { version: '1.0' })
    expect(text).toMatch(/^HTTP\/1\.1 200/)
    expect(text).toContain('data: [DONE]')
  })

  it('gets keep-alives on silence, and the gateway survives it', async () => {
    bench = await startBench((config) => void (config['server'] = { port: 0, keep_alive_seconds: 0.05 }))
    bench.upstream.enqueue({ ...chatStream(), delayMs: 200 })
    const { text } = await rawPost(bench, chat('fast', { stream: true }), { version: '1.0' })
    expect(text).toContain('data: [DONE]')
  })
})

describe('names of models that no header can hold', () => {
  const odd = ['up/модель', 'up/a\r\nx-injected: 1', 'up/\ud800', 'up/\u0000', 'gem/\ud800', 'up/💰']
  it.each(odd)('%j', async (model) => {
    bench = await startBench((config) => void (config['server'] = { port: 0, keep_alive_seconds: 0.05 }))
    for (const stream of [false, true]) {
      bench.upstream.enqueue({ ...(stream ? chatStream() : chatReply()), delayMs: 150 })
      const answer = await bench.post('/v1/chat/completions', chat(model, { stream }))
      const text = await answer.text()
      expect(answer.headers.get('x-injected')).toBeNull()
      if (answer.status === 200) expect(text).toContain(stream ? '[DONE]' : '"content"')
      else expect([400, 404]).toContain(answer.status)
      bench.upstream.reset()
    }
  })
})

describe('a name of a model that is very long', () => {
  it('is refused, briefly and fast, and not remembered', async () => {
    bench = await startBench()
    const answer = await bench.post('/v1/chat/completions', chat(`up/${'x'.repeat(900_000)}`))
    expect([400, 404]).toContain(answer.status)
    expect((await answer.text()).length).toBeLessThan(2_000)
    expect(bench.upstream.requests.length).toBe(0)
  })
})

describe('a body that is too large', () => {
  it.each([true, false])('is answered so that the caller can read it, however much more it sends (declared: %s)', async (declared) => {
    bench = await startBench((config) => void (config['limits'] = { body_bytes: '1 MiB' }))
    const socket = openConnection(bench)
    const piece = Buffer.alloc(65_536, 0x20)
    const size = 96 * piece.length
    socket.send(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\n${declared ? `content-length: ${size}` : 'transfer-encoding: chunked'}\r\n\r\n`,
    )
    // Sends everything before it reads anything, as simple clients do.
    socket.socket.pause()
    for (let sent = 0; sent < size && !socket.socket.destroyed; sent += piece.length) {
      if (!declared) socket.send(`${piece.length.toString(16)}\r\n`)
      const drained = socket.send(piece)
      if (!declared) socket.send('\r\n')
      if (!drained) await Promise.race([new Promise((resolve) => socket.socket.once('drain', resolve)), socket.closed])
    }
    if (!declared) socket.send('0\r\n\r\n')
    const { text, error } = await socket.rest()
    expect(error).toBeUndefined()
    expect(text).toMatch(/^HTTP\/1\.1 413/)
    expect(text).toContain('body_too_large')
  })
})

describe('connections', () => {
  it('that say nothing do not hold up a shutdown', async () => {
    bench = await startBench((config) => void (config['server'] = { port: 0, shutdown_seconds: 60 }))
    const silent = openConnection(bench)
    const half = openConnection(bench)
    half.send('POST /v1/chat/completions HTTP/1.1\r\nhost:')
    await bench.post('/v1/chat/completions', chat('fast'))
    await bench.gateway.close()
    await Promise.all([silent.closed, half.closed])
  })

  it('on which garbage follows a request do not get an answer inside the stream', async () => {
    bench = await startBench()
    let resume = () => {}
    bench.upstream.enqueue({ ...chatStream(), stallAfter: 3, resume: new Promise<void>((resolve) => (resume = resolve)) })
    const socket = openConnection(bench)
    socket.send(postBytes(chat('fast', { stream: true })))
    await socket.contains('data:')
    socket.send('NOT HTTP AT ALL\r\n\r\n')
    await new Promise((resolve) => setTimeout(resolve, 50))
    resume()
    const { text } = await socket.rest(300)
    expect(text.match(/HTTP\/1\.1/g)?.length).toBe(1)
  })

  it('whose sender stops in the middle of a request are closed, also when the other side never closes', async () => {
    bench = await startBench()
    const socket = openConnection(bench)
    socket.send('BROKEN\r\n\r\n')
    await socket.contains('HTTP/1.1 400')
    await expect.poll(() => bench.gateway.connections).toBe(0)
  })

  it('on which the body stops being well-formed get a 400', async () => {
    bench = await startBench()
    const socket = openConnection(bench)
    socket.send(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"mod\r\nZZZ\r\n`,
    )
    expect((await socket.rest()).text).toMatch(/^HTTP\/1\.1 400/)
    await expect.poll(() => bench.gateway.inFlight).toBe(0)
  })

  it('that are idle hold nothing of what was asked', async () => {
    bench = await startBench()
    const sizes: number[] = []
    const collect = async () => {
      for (let turn = 0; turn < 3; turn++) {
        collectGarbage()
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
    }
    const connections = Array.from({ length: 10 }, () => openConnection(bench))
    sizes.push(await collect())
    for (const connection of connections) {
      connection.send(postBytes(chat('fast', { user: 'x'.repeat(2_000_000) })))
      await connection.contains('}')
    }
    bench.upstream.reset()
    sizes.push(await collect())
    expect((sizes[1] ?? 0) - (sizes[0] ?? 0)).toBeLessThan(10_000_000)
    for (const connection of connections) connection.socket.destroy()
  })

  it('carry pipelined requests in order', async () => {
    bench = await startBench()
    const socket = openConnection(bench)
    bench.upstream.enqueue({ ...chatReply({ text: 'first' }), delayMs: 100 })
    bench.upstream.enqueue(chatReply({ text: 'second' }))
    socket.send(postBytes(chat('fast')))
    await bench.upstream.received(1)
    socket.send(postBytes(chat('fast')))
    await socket.contains('second')
    expect(socket.text().indexOf('first')).toBeLessThan(socket.text().indexOf('second'))
    socket.socket.destroy()
  })
})

describe('a reader that has stopped', () => {
  it('is not kept for ever once its stream has broken', async () => {
    bench = await startBench((config) => void (config['server'] = { port: 0, slow_reader_seconds: 0.3 }))
    const piece = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: 'x'.repeat(65_000) }, finish_reason: null }] })}\n\n`
    bench.upstream.enqueue({ events: Array.from({ length: 150 }, () => piece), thenDestroy: true })
    const socket = openConnection(bench)
    socket.socket.pause()
    socket.send(postBytes(chat('fast', { stream: true })))
    await bench.upstream.received(1)
    await expect.poll(() => bench.gateway.inFlight, { timeout: 5000 }).toBe(0)
    await expect.poll(() => bench.gateway.connections, { timeout: 5000 }).toBe(0)
  })

  it('of a whole answer is not kept for ever', async () => {
    bench = await startBench((config) => void (config['server'] = { port: 0, slow_reader_seconds: 0.3 }))
    bench.upstream.enqueue(chatReply({ text: 'x'.repeat(30_000_000) }))
    const socket = openConnection(bench)
    socket.socket.pause()
    socket.send(postBytes(chat('fast')))
    await bench.upstream.received(1)
    await expect.poll(() => bench.gateway.connections, { timeout: 8000 }).toBe(0)
  })
})

describe('a web page', () => {
  const preflight = (headers: Record<string, string>) =>
    fetch(`${bench.url}/v1/messages`, { method: 'OPTIONS', headers: { 'access-control-request-method': 'POST', ...headers } })

  it('of an allowed origin may send keys in any of the usual headers', async () => {
    bench = await startBench((config) => void (config['server'] = { port: 0, cors_origins: ['https://app.example.com'] }))
    const asked = 'authorization, x-api-key, anthropic-version, content-type, x-stainless-lang'
    const allowed = await preflight({ origin: 'https://app.example.com', 'access-control-request-headers': asked })
    expect(allowed.status).toBe(204)
    expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    for (const name of asked.split(', ')) expect(allowed.headers.get('access-control-allow-headers')).toContain(name)
    const other = await preflight({ origin: 'https://evil.example', 'access-control-request-headers': asked })
    expect(other.headers.get('access-control-allow-origin')).toBeNull()
    const answer = await bench.post('/v1/chat/completions', chat('fast'), { origin: 'https://app.example.com' })
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    const refused = await bench.post('/v1/chat/completions', {}, { origin: 'https://app.example.com' })
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://app.example.com')
  })

  it('may not call a gateway without keys, by rebinding or by a form', async () => {
    bench = await startBench((config) => void (config['keys'] = []))
    const call = (head: string, body = JSON.stringify(chat('fast'))) => rawPost(bench, body, { key: false, head })
    expect((await call('content-type: application/json\r\n')).text).toMatch(/^HTTP\/1\.1 200/)
    expect((await call('content-type: application/json\r\norigin: https://evil.example\r\n')).text).toMatch(/^HTTP\/1\.1 401/)
    expect((await call('content-type: application/json\r\norigin: null\r\n')).text).toMatch(/^HTTP\/1\.1 401/)
    expect((await call('content-type: text/plain\r\n')).text).toMatch(/^HTTP\/1\.1 415/)
    expect((await call('sec-fetch-mode: no-cors\r\n')).text).toMatch(/^HTTP\/1\.1 415/)
    expect((await rawPost(bench, chat('fast'), { key: false, host: 'rebound.example:80' })).text).toMatch(/^HTTP\/1\.1 401/)
    expect((await rawPost(bench, chat('fast'), { key: false, host: 'localhost.evil.example' })).text).toMatch(/^HTTP\/1\.1 401/)
    expect((await rawPost(bench, chat('fast'), { key: false, host: '[::1]:8787' })).text).toMatch(/^HTTP\/1\.1 200/)
  })

  it('may not read what a gateway without keys is and has spent, by rebinding', async () => {
    bench = await startBench((config) => void (config['keys'] = []))
    for (const path of ['/v1/models', '/metrics']) {
      const socket = openConnection(bench)
      socket.send(`GET ${path} HTTP/1.1\r\nhost: rebound.example\r\nconnection: close\r\n\r\n`)
      const { text } = await socket.rest(2000)
      expect(text).toMatch(/^HTTP\/1\.1 401/)
    }
  })
})

describe('methods and versions', () => {
  it('HEAD, OPTIONS and PUT are answered without a body of traffic', async () => {
    bench = await startBench()
    for (const method of ['HEAD', 'PUT', 'DELETE']) {
      const answer = await fetch(`${bench.url}/v1/chat/completions`, { method })
      expect(answer.status).toBe(405)
    }
    expect((await fetch(`${bench.url}/v1/chat/completions`, { method: 'OPTIONS' })).status).toBeLessThan(500)
    expect((await fetch(`${bench.url}/health`, { method: 'HEAD' })).status).toBe(200)
  })

  it('a body is asked for with 100-continue where the caller waits for that', async () => {
    bench = await startBench()
    const body = JSON.stringify(chat('fast'))
    const socket = openConnection(bench)
    socket.send(postBytes('', { head: `content-type: application/json\r\nexpect: 100-continue\r\n`, length: body.length }))
    await socket.contains('100 Continue')
    socket.send(body)
    await socket.contains('HTTP/1.1 200')
    socket.socket.destroy()
  })

  it('the doubled /v1 of some clients works for the list of models too', async () => {
    bench = await startBench()
    const answer = await fetch(`${bench.url}/v1/v1/models`, { headers: { authorization: `Bearer ${KEY}` } })
    expect(answer.status).toBe(200)
  })
})
