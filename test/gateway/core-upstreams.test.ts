import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import {
  anthropicErrorEvent,
  chatReply,
  chatStream,
  messagesReply,
  messagesStream,
  openaiError,
  responsesStream,
  type Behaviour,
} from '../upstream/index.js'
import { chat, dataOf, startBench, type Bench } from './harness.js'
import { openConnection, postBytes } from './raw.js'

let bench: Bench
afterEach(() => bench.close())

const message = (more: Record<string, unknown> = {}, model = 'claude') => ({
  model,
  max_tokens: 50,
  messages: [{ role: 'user', content: 'x' }],
  ...more,
})
const records = () => bench.gateway.ledger.calls({ limit: 100 })
const ends = async () => (await records()).map((record) => record.end).reverse()
const bodyOf = (behaviour: Behaviour) => Buffer.from((behaviour.events ?? []).map(String).join('') || JSON.stringify(behaviour.body))
const codeOf = (text: string) => (JSON.parse(text) as { error: { code: string } }).error.code

describe('a stream where a whole answer was asked for', () => {
  it.each([
    ['/v1/chat/completions', chat('fast'), chatStream({ text: ['one ', 'two'] })],
    ['/v1/messages', message(), messagesStream({ text: ['one ', 'two'] })],
    ['/v1/responses', { model: 'fast', input: 'x' }, responsesStream({ text: ['one ', 'two'] })],
    ['/v1/messages', message({}, 'fast'), chatStream({ text: ['one ', 'two'] })],
  ])('%s', async (path, body, behaviour) => {
    bench = await startBench()
    bench.upstream.enqueue(behaviour)
    const answer = await bench.post(path, body)
    const text = await answer.text()
    expect(answer.status).toBe(200)
    expect(text).toContain('one two')
    expect(answer.headers.get('content-type')).toContain('json')
    expect(await ends()).toEqual(['complete'])
    expect((await records())[0]?.usage.inputTokens).toBeGreaterThan(0)
  })

  it('that breaks is tried again, since nothing has gone out', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ ...chatStream(), destroyAfter: 5 })
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(200)
    expect(await ends()).toEqual(['failed', 'complete'])
  })
})

describe('a whole answer where a stream was asked for', () => {
  it.each([
    ['/v1/chat/completions', chat('fast', { stream: true }), chatReply({ text: 'one two' }), '[DONE]'],
    ['/v1/messages', message({ stream: true }), messagesReply({ text: 'one two' }), 'message_stop'],
    ['/v1/messages', message({ stream: true }, 'fast'), chatReply({ text: 'one two' }), 'message_stop'],
  ])('%s %#', async (path, body, behaviour, end) => {
    bench = await startBench()
    bench.upstream.enqueue(behaviour)
    const text = await (await bench.post(path, body)).text()
    expect(text).toContain('one two')
    expect(text).toContain(end)
    expect(await ends()).toEqual(['complete'])
  })
})

describe('an error inside an answer with status 200', () => {
  it.each([true, false])('is an error to the caller (stream: %s)', async (stream) => {
    bench = await startBench()
    bench.upstream.enqueue({ body: { error: { message: 'the model is on fire', code: 'on_fire' } }, times: 5 })
    const answer = await bench.post('/v1/chat/completions', chat('fast', { stream }))
    expect(answer.status).toBe(502)
    const text = await answer.text()
    expect(codeOf(text)).toBe('upstream_error')
    expect(text).toContain('on fire')
  })
})

describe('a compressed answer, though none was asked for', () => {
  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const)('%s', async (encoding, compress) => {
    bench = await startBench()
    const headers = { 'content-encoding': encoding, 'content-type': 'application/json' }
    bench.upstream.enqueue({ body: compress(bodyOf(chatReply({ text: 'one two' }))), headers, chunking: 100 })
    const whole = await bench.post('/v1/chat/completions', chat('fast'))
    expect(whole.headers.get('content-encoding')).toBeNull()
    expect(await whole.text()).toContain('one two')
    bench.upstream.enqueue({
      body: compress(bodyOf(chatStream())),
      headers: { ...headers, 'content-type': 'text/event-stream' },
      chunking: 100,
    })
    expect(dataOf(await (await bench.post('/v1/chat/completions', chat('fast', { stream: true }))).text()).at(-1)).toBe('[DONE]')
    bench.upstream.enqueue({ status: 400, body: compress(JSON.stringify({ error: { message: 'no such thing' } })), headers })
    const refused = await bench.post('/v1/chat/completions', chat('fast'))
    expect(refused.status).toBe(400)
    expect(await refused.text()).toContain('no such thing')
    expect(await ends()).toEqual(['complete', 'complete', 'failed'])
  })

  it('that is cut, garbled or of an unknown kind is the provider’s fault', async () => {
    bench = await startBench((config) => void (config['retries'] = { attempts: 0 }))
    const packed = gzipSync(bodyOf(chatReply({ text: 'x'.repeat(5000) })))
    const cases: Behaviour[] = [
      { body: packed.subarray(0, packed.length - 20), headers: { 'content-encoding': 'gzip' } },
      { body: 'not gzip at all', headers: { 'content-encoding': 'gzip' } },
      { body: '{}', headers: { 'content-encoding': 'zstd' } },
    ]
    for (const behaviour of cases) {
      bench.upstream.enqueue(behaviour)
      const answer = await bench.post('/v1/chat/completions', chat('fast'))
      expect(answer.status).toBe(502)
      expect(codeOf(await answer.text())).toBe('upstream_malformed')
    }
  })
})

describe('odd heads', () => {
  it('a redirect is not followed, not retried and not billed', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ status: 302, headers: { location: 'http://127.0.0.1:1/' }, body: '' })
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(502)
    expect(await answer.text()).toContain('302')
    expect(bench.upstream.requests.length).toBe(1)
    expect((await records())[0]).toMatchObject({ end: 'failed', status: 302, cost: { usd: 0n } })
  })

  it('204 and an empty 200 are unreadable', async () => {
    bench = await startBench((config) => void (config['retries'] = { attempts: 0 }))
    for (const status of [204, 200]) {
      bench.upstream.enqueue({ status })
      const answer = await bench.post('/v1/chat/completions', chat('fast'))
      expect(answer.status).toBe(502)
      expect(codeOf(await answer.text())).toBe('upstream_malformed')
    }
  })

  it('103 before the answer is passed over', async () => {
    bench = await startBench()
    const body = JSON.stringify(chatReply({ text: 'after hints' }).body)
    bench.upstream.enqueue({
      garbage: `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    })
    expect(await (await bench.post('/v1/chat/completions', chat('fast'))).text()).toContain('after hints')
  })

  it('huge headers, garbage and a wrong length give a 502', async () => {
    bench = await startBench((config) => {
      config['retries'] = { attempts: 0 }
      config['cooldown'] = { after_faults: 100 }
    })
    const cases: Behaviour[] = [
      { ...chatReply(), headers: { 'x-huge': 'x'.repeat(40_000) } },
      { garbage: 'HTTP/1.1 999999 What\r\n\r\n' },
      { garbage: 'hello' },
      { ...chatReply(), contentLength: 100_000, thenDestroy: true },
      { ...chatReply(), contentLength: 10 },
    ]
    for (const behaviour of cases) {
      bench.upstream.enqueue(behaviour)
      expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(502)
    }
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(200)
  })

  it('an error whose body never comes is told all the same', async () => {
    bench = await startBench((config) => {
      config['retries'] = { attempts: 0 }
      config['timeouts'] = { total_seconds: 0.4 }
    })
    bench.upstream.enqueue({ status: 503, body: { error: { message: 'x' } }, contentLength: 500, stallAfter: 0 })
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(503)
  })
})

describe('the end of a stream', () => {
  it.each([
    ['/v1/chat/completions', chat('fast', { stream: true }), chatStream(), '[DONE]'],
    ['/v1/messages', message({ stream: true }), messagesStream(), 'message_stop'],
    ['/v1/responses', { model: 'fast', input: 'x', stream: true }, responsesStream(), 'response.completed'],
    ['/v1/messages', message({ stream: true }, 'fast'), chatStream(), 'message_stop'],
    ['/v1/chat/completions', chat('claude', { stream: true }), messagesStream(), '[DONE]'],
  ])('is its mark, not the end of the body: %s %#', async (path, body, behaviour, mark) => {
    bench = await startBench()
    bench.upstream.enqueue({ ...behaviour, stallAfter: behaviour.events?.length ?? 0 })
    const text = await (await bench.post(path, body)).text()
    expect(text).toContain(mark)
    expect(text).not.toContain('truncated')
    expect(await ends()).toEqual(['complete'])
    expect((await records())[0]?.usageEstimated).toBe(false)
    // The connection that never becomes free is given up.
    await bench.upstream.aborted(1)
  })

  it('leaves the connection usable when the body ends a little later', async () => {
    bench = await startBench()
    const events = chatStream().events ?? []
    for (let index = 0; index < 3; index++) {
      bench.upstream.enqueue({ events, stallAfter: events.length, resume: new Promise((resolve) => setTimeout(resolve, 100)) })
      await (await bench.post('/v1/chat/completions', chat('fast', { stream: true }))).text()
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
    expect(new Set(bench.upstream.requests.map((request) => request.clientPort)).size).toBe(1)
    expect(bench.upstream.totals.aborted).toBe(0)
  })

  it('a caller that leaves at the mark got everything: the call is complete', async () => {
    bench = await startBench()
    const events = chatStream().events ?? []
    bench.upstream.enqueue({ events, stallAfter: events.length })
    const connection = openConnection(bench)
    connection.send(postBytes(chat('fast', { stream: true })))
    await connection.contains('[DONE]')
    connection.socket.destroy()
    await expect.poll(ends).toEqual(['complete'])
  })
})

describe('before the first token', () => {
  it('comments are no token: the limit holds', async () => {
    bench = await startBench((config) => {
      config['timeouts'] = { first_token_seconds: 0.25, total_seconds: 5 }
      config['retries'] = { attempts: 0 }
    })
    bench.upstream.enqueue({ events: Array.from({ length: 200 }, () => ': processing\n\n'), gapMs: 25 })
    const started = performance.now()
    const answer = await bench.post('/v1/chat/completions', chat('fast', { stream: true }))
    expect(answer.status).toBe(504)
    expect(performance.now() - started).toBeLessThan(2000)
  })

  it('comments rule out no further attempt', async () => {
    bench = await startBench()
    bench.upstream.enqueue({ events: [': processing\n\n', ': processing\n\n', 'data: {"error":{"message":"overloaded"}}\n\n'] })
    const answer = await bench.post('/v1/chat/completions', chat('fast', { stream: true }))
    expect(dataOf(await answer.text()).at(-1)).toBe('[DONE]')
    expect(await ends()).toEqual(['failed', 'complete'])
  })

  it('a whole answer may take its time to arrive', async () => {
    bench = await startBench((config) => void (config['timeouts'] = { first_token_seconds: 0.2, idle_seconds: 2 }))
    bench.upstream.enqueue({ ...chatReply({ text: 'x'.repeat(200) }), chunking: 40, gapMs: 40 })
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(200)
    expect(bench.upstream.requests.length).toBe(1)
  })

  it('what Anthropic tells first (its usage) rules out no further attempt of a translated call', async () => {
    bench = await startBench()
    const [start] = messagesStream().events ?? []
    bench.upstream.enqueue({ events: [start ?? '', anthropicErrorEvent('overloaded_error', 'Overloaded')] })
    const answer = await bench.post('/v1/chat/completions', chat('claude', { stream: true }))
    expect(dataOf(await answer.text()).at(-1)).toBe('[DONE]')
    expect(await ends()).toEqual(['failed', 'complete'])
  })
})

describe('forms of a stream', () => {
  const forms: [string, (text: string) => string | Buffer][] = [
    ['CR LF', (text) => text.replaceAll('\n', '\r\n')],
    ['CR', (text) => text.replaceAll('\n', '\r')],
    ['a byte order mark', (text) => `\ufeff${text}`],
    ['comments between', (text) => text.replaceAll('\n\n', '\n\n: ping\n\n')],
    ['no blank line at the end', (text) => text.replace(/\n+$/, '')],
    ['more after the end', (text) => `${text}: bye\n\n`],
  ]
  for (const path of ['/v1/chat/completions', '/v1/messages'])
    it.each(forms)(`%s (${path})`, async (_name, change) => {
      bench = await startBench()
      const text = String(bodyOf(chatStream({ text: ['one ', 'two'] })))
      bench.upstream.enqueue({ body: change(text), headers: { 'content-type': 'text/event-stream' }, chunking: 7 })
      const got = await (
        await bench.post(path, path === '/v1/messages' ? message({ stream: true }, 'fast') : chat('fast', { stream: true }))
      ).text()
      expect(got).toContain('one ')
      expect(got).not.toContain('truncated')
      expect(await ends()).toEqual(['complete'])
    })

  it('one event without end is cut off', async () => {
    bench = await startBench((config) => void (config['retries'] = { attempts: 0 }))
    bench.upstream.enqueue({ events: ['data: ', ...Array.from({ length: 20 }, () => 'x'.repeat(1_000_000))] })
    expect((await bench.post('/v1/chat/completions', chat('fast', { stream: true }))).status).toBe(502)
  })

  it('no content type, or a careless one', async () => {
    bench = await startBench()
    for (const type of ['text/plain', 'Text/Event-Stream; charset=UTF-8', 'application/octet-stream']) {
      bench.upstream.enqueue({ ...chatStream(), headers: { 'content-type': type } })
      expect(dataOf(await (await bench.post('/v1/chat/completions', chat('fast', { stream: true }))).text()).at(-1)).toBe('[DONE]')
    }
  })
})

describe('a provider that echoes the key it was sent', () => {
  const secret = 'sk-upstream-secret'
  it.each([400, 404, 422, 429, 500])('%i', async (status) => {
    bench = await startBench((config) => void (config['retries'] = { attempts: 0 }))
    bench.upstream.enqueue(openaiError(status, `Wrong use of key ${secret} here`, `code_${secret}`, {}))
    const text = await (await bench.post('/v1/chat/completions', chat('fast'))).text()
    expect(text).toContain('Wrong use of key')
    expect(text).not.toContain(secret)
    bench.upstream.enqueue(openaiError(status, `Wrong use of key ${secret} here`))
    const translated = await (await bench.post('/v1/messages', message({}, 'fast'))).text()
    expect(translated).not.toContain(secret)
    expect(bench.log.join('')).not.toContain(secret)
  })

  it('in a stream, in unreadable answers, and in embeddings', async () => {
    bench = await startBench((config) => {
      config['retries'] = { attempts: 0 }
      config['cooldown'] = { after_faults: 100 }
    })
    const first = 'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    const error = `data: {"error":{"message":"Wrong key ${secret}"}}\n\n`
    for (const events of [[first, error], [error]]) {
      for (const [path, body] of [
        ['/v1/chat/completions', chat('fast', { stream: true })],
        ['/v1/messages', message({ stream: true }, 'fast')],
      ] as const) {
        bench.upstream.enqueue({ events })
        const connection = openConnection(bench)
        connection.send(postBytes(body, { path }))
        const { text } = await connection.rest(400)
        expect(text).toContain('Wrong key')
        expect(text).not.toContain(secret)
      }
    }
    bench.upstream.enqueue({ body: `<${secret}>` })
    expect(await (await bench.post('/v1/chat/completions', chat('fast'))).text()).not.toContain(secret)
    bench.upstream.enqueue(openaiError(400, `Wrong key ${secret}`))
    expect(await (await bench.post('/v1/embeddings', { model: 'fast', input: 'x' })).text()).not.toContain(secret)
    expect(bench.log.join('')).not.toContain(secret)
  })
})

describe('an answer larger than limits.response_bytes', () => {
  it('is not paid for again and again', async () => {
    bench = await startBench((config) => void (config['limits'] = { response_bytes: '10 KiB' }))
    bench.upstream.enqueue({ ...chatReply({ text: 'x'.repeat(50_000) }), times: 5 })
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(502)
    expect(bench.upstream.requests.length).toBe(1)
  })
})
