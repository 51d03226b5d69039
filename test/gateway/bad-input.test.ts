import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chat, KEY, startBench, type Bench } from './harness.js'

let bench: Bench
beforeAll(async () => {
  bench = await startBench((config) => {
    config['limits'] = { body_bytes: '1 MiB', header_bytes: '8 KiB' }
    config['keys'] = [
      { name: 'test', key: KEY },
      { name: 'narrow', key: 'sk-narrow-0123456789', models: ['claude', 'ant/*'] },
      { name: 'old', key: 'sk-old-0123456789abc', expires: '2020-01-01' },
    ]
  })
})
afterAll(() => bench.close())

interface OpenAiError {
  error: { message: string; type: string; code: string; param: string | null }
}

const post = async (body: unknown, path = '/v1/chat/completions', headers: Record<string, string> = {}) => {
  const answer = await bench.post(path, body, headers)
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as OpenAiError }
}

describe('a body that can’t be used gets a 4xx with a code and the field’s path', () => {
  const chatCases: [string, string | Uint8Array | Record<string, unknown>, string, string | null][] = [
    ['malformed JSON', '{"model": "fast", ', 'invalid_json', null],
    ['nothing', '', 'invalid_json', null],
    ['a list', '[]', 'invalid_json', null],
    ['bad UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), 'invalid_utf8', null],
    ['a field twice', '{"model":"fast","messages":[],"model":"claude"}', 'duplicate_field', 'model'],
    ['a field twice, escaped', '{"model":"fast","messages":[],"mod\\u0065l":"claude"}', 'duplicate_field', 'model'],
    [
      'deep nesting',
      `{"model":"fast","messages":[{"role":"user","content":"x"}],"metadata":${'{"a":'.repeat(500)}1${'}'.repeat(500)}}`,
      'too_deep',
      null,
    ],
    ['no model', { messages: [{ role: 'user', content: 'x' }] }, 'invalid_request', 'model'],
    ['a model of the wrong type', { model: 7, messages: [] }, 'invalid_request', 'model'],
    ['messages of the wrong type', { model: 'fast', messages: 'hi' }, 'invalid_request', 'messages'],
    ['no messages', { model: 'fast' }, 'invalid_request', 'messages'],
    ['an unknown role', { model: 'fast', messages: [{ role: 'king', content: 'x' }] }, 'invalid_request', 'messages[0].role'],
    [
      'an image without its address',
      { model: 'fast', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: {} }] }] },
      'invalid_request',
      'messages[0].content[0].image_url.url',
    ],
    ['a temperature that is text', { ...chat('fast'), temperature: 'hot' }, 'invalid_request', 'temperature'],
    ['stream that is text', { ...chat('fast'), stream: 'yes' }, 'invalid_request', 'stream'],
    ['an absurd n', { ...chat('fast'), n: 1e9 }, 'invalid_request', 'n'],
    ['a negative limit', { ...chat('fast'), max_tokens: -5 }, 'invalid_request', 'max_tokens'],
    ['an unknown model', chat('no-such/model-here'), 'model_not_found', 'model'],
  ]
  it.each(chatCases)('%s', async (_name, body, code, param) => {
    const got = await post(body)
    expect(got.body.error).toMatchObject({ code, param })
    expect(got.status).toBe(code === 'model_not_found' ? 404 : 400)
    expect(got.body.error.message.length).toBeGreaterThan(10)
    expect(got.headers.get('x-request-id')).toMatch(/^req_/)
    expect(bench.upstream.requests.length).toBe(0)
  })

  it('in Anthropic’s shape for Anthropic callers', async () => {
    const answer = await bench.post('/v1/messages', { model: 'claude', messages: [{ role: 'user', content: 'x' }] }, { 'x-api-key': KEY })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({
      type: 'error',
      error: { type: 'invalid_request_error', message: expect.stringContaining('max_tokens') as string },
    })
  })

  it('too large, with and without a declared length', async () => {
    const big = JSON.stringify(chat('fast', { user: 'x'.repeat(1_100_000) }))
    const declared = await post(big)
    expect(declared.status).toBe(413)
    expect(declared.body.error.code).toBe('body_too_large')
    const { text } = await raw(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n` +
        `${(700_000).toString(16)}\r\n${' '.repeat(700_000)}\r\n`.repeat(2),
    )
    expect(text).toMatch(/^HTTP\/1\.1 413/)
  })

  it('in another content type or encoding', async () => {
    expect((await post('{}', undefined, { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await post('{}', undefined, { 'content-encoding': 'gzip' })).status).toBe(415)
  })
})

describe('keys', () => {
  it('are needed, known, unexpired, and allowed the model', async () => {
    const without = await fetch(`${bench.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
    expect(without.status).toBe(401)
    expect(await without.json()).toMatchObject({ error: { code: 'missing_key', type: 'authentication_error' } })
    expect((await post(chat('fast'), undefined, { authorization: 'Bearer nope' })).body.error.code).toBe('invalid_key')
    expect((await post(chat('fast'), undefined, { authorization: 'Bearer sk-old-0123456789abc' })).body.error.code).toBe('key_expired')
    const narrow = await post(chat('fast'), undefined, { authorization: 'Bearer sk-narrow-0123456789' })
    expect(narrow.status).toBe(403)
    expect(narrow.body.error.code).toBe('model_not_allowed')
    const list = await fetch(`${bench.url}/v1/models`, { headers: { authorization: 'Bearer sk-narrow-0123456789' } })
    const ids = ((await list.json()) as { data: { id: string }[] }).data.map((model) => model.id)
    expect(ids).toContain('claude')
    expect(ids).not.toContain('fast')
  })
})

describe('HTTP', () => {
  it('answers unknown paths and methods in kind', async () => {
    const missing = await fetch(`${bench.url}/v1/nothing`)
    expect(missing.status).toBe(404)
    expect(await missing.json()).toMatchObject({ error: { code: 'not_found' } })
    const get = await fetch(`${bench.url}/v1/chat/completions`)
    expect(get.status).toBe(405)
    expect(get.headers.get('allow')).toBe('POST')
  })

  it('refuses what is no HTTP, and headers that are too large', async () => {
    expect((await raw('GARBAGE\r\n\r\n')).text).toMatch(/^HTTP\/1\.1 400/)
    expect((await raw(`GET /health HTTP/1.1\r\nhost: x\r\nx-big: ${'a'.repeat(10_000)}\r\n\r\n`)).text).toMatch(/^HTTP\/1\.1 431/)
    expect(
      (await raw('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n')).text,
    ).toMatch(/^HTTP\/1\.1 400/)
  })

  it('keeps serving after callers that break off in the middle of a body', async () => {
    for (let index = 0; index < 20; index++) {
      const socket = connect(Number(new URL(bench.url).port), '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEY}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"mod`,
      )
      await new Promise((resolve) => setTimeout(resolve, 2))
      socket.destroy()
    }
    await expect.poll(() => bench.gateway.inFlight).toBe(0)
    expect((await bench.post('/v1/chat/completions', chat('fast'))).status).toBe(200)
    bench.upstream.reset()
  })

  it('reports its health, its metrics and its models', async () => {
    expect(await (await fetch(`${bench.url}/health`)).json()).toMatchObject({ status: 'ok' })
    expect(await (await fetch(`${bench.url}/metrics`)).text()).toContain('bursar_')
  })
})

/** Sends bytes as they are and reads until the connection is closed. */
function raw(bytes: string): Promise<{ text: string }> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(bench.url).port), '127.0.0.1')
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      text += chunk
      if (text.includes('\r\n\r\n')) socket.end()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve({ text }))
    socket.write(bytes)
    setTimeout(() => socket.destroy(), 3000).unref()
  })
}
