import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { chatReply, chatStream, messagesStream, openaiError, startUpstream, words, type Upstream } from './index.js'

let upstream: Upstream
beforeEach(async () => {
  upstream = await startUpstream({ knobs: true })
})
afterEach(() => upstream.close())

const post = (body: unknown, init: RequestInit = {}) =>
  fetch(`${upstream.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
    ...init,
  })

/** Sends raw bytes and returns everything that came back until the connection ended, and whether it ended with an error. */
function raw(request: string): Promise<{ text: string; reset: boolean }> {
  return new Promise((resolve) => {
    const socket = connect(upstream.port, '127.0.0.1', () => socket.write(request))
    let text = ''
    let reset = false
    socket.setEncoding('latin1').on('data', (data: string) => (text += data))
    socket.on('error', () => (reset = true))
    socket.on('close', () => resolve({ text, reset }))
  })
}
const rawPost = (body: string) =>
  raw(`POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`)

describe('canned answers', () => {
  it('speaks chat completions, responses and embeddings to the OpenAI client', async () => {
    const openai = new OpenAI({ baseURL: `${upstream.url}/v1`, apiKey: 'k' })
    const whole = await openai.chat.completions.create({ model: 'mock', messages: [{ role: 'user', content: 'hi' }] })
    expect(whole.choices[0]?.message.content).toBe(words(49).join(''))
    let text = ''
    for await (const chunk of await openai.chat.completions.create({ model: 'mock', messages: [], stream: true }))
      text += chunk.choices[0]?.delta.content ?? ''
    expect(text).toBe(words(49).join(''))
    const response = await openai.responses.create({ model: 'mock', input: 'hi' })
    expect(response.output_text).toBe(words(49).join(''))
    const streamed = await openai.responses.stream({ model: 'mock', input: 'hi' }).finalResponse()
    expect(streamed.output_text).toBe(words(49).join(''))
    const vectors = await openai.embeddings.create({ model: 'mock', input: ['a', 'b'] })
    expect(vectors.data.map((one) => one.embedding.length)).toEqual([8, 8])
    expect(Math.hypot(...(vectors.data[0]?.embedding ?? []))).toBeCloseTo(1, 5)
  })

  it('speaks messages with thinking and tools to the Anthropic client', async () => {
    upstream.enqueue(
      messagesStream({
        reasoning: 'let me see',
        text: ['It ', 'is'],
        toolCalls: [{ id: 'toolu_1', name: 'clock', arguments: ['{"zone":', '"UTC"}'] }],
      }),
    )
    const anthropic = new Anthropic({ baseURL: upstream.url, apiKey: 'k' })
    const message = await anthropic.messages
      .stream({ model: 'mock', max_tokens: 10, messages: [{ role: 'user', content: 'time?' }] })
      .finalMessage()
    expect(message.content.map((block) => block.type)).toEqual(['thinking', 'text', 'tool_use'])
    expect(message.content[2]).toMatchObject({ name: 'clock', input: { zone: 'UTC' } })
    expect(message.usage).toMatchObject({ input_tokens: 8, cache_read_input_tokens: 4, output_tokens: 50 })
  })

  it('speaks Gemini', async () => {
    const answer = await fetch(`${upstream.url}/v1beta/models/g:streamGenerateContent?alt=sse`, { method: 'POST', body: '{}' })
    const events = (await answer.text()).split('\n\n').filter((event) => event !== '')
    expect(events).toHaveLength(49)
    expect(JSON.parse(events.at(-1)?.slice(6) ?? '')).toMatchObject({
      candidates: [{ finishReason: 'STOP' }],
      usageMetadata: { thoughtsTokenCount: 8, candidatesTokenCount: 42 },
    })
  })
})

describe('scripts', () => {
  it('are used in order, by path, and recorded with the exact bytes', async () => {
    upstream.enqueue(chatReply({ text: 'for embeddings only' }), '/embeddings')
    upstream.enqueue(openaiError(429, 'slow down', null, { 'retry-after': '7' }))
    const first = await post({ model: 'm', note: 'é' })
    expect(first.status).toBe(429)
    expect(first.headers.get('retry-after')).toBe('7')
    expect((await post({ model: 'm' })).status).toBe(200)
    expect(upstream.pending).toBe(1)
    expect(upstream.requests[0]?.body.toString()).toBe('{"model":"m","note":"é"}')
    expect(upstream.requests[0]?.json).toEqual({ model: 'm', note: 'é' })
  })

  it('break a stream after so many events, visibly, with all of them delivered', async () => {
    upstream.enqueue({ ...chatStream({ text: words(20) }), destroyAfter: 10 })
    const { text } = await rawPost('{"model":"mock","stream":true}')
    expect(text.match(/data:/g)).toHaveLength(10)
    expect(text.endsWith('0\r\n\r\n')).toBe(false)
    expect(upstream.last.abortedAt).toBeUndefined()
    await expect(post({ model: 'mock-cut', stream: true }).then((answer) => answer.text())).rejects.toThrow()
  })

  it('cut a body at every byte', async () => {
    upstream.enqueue({ ...chatReply({ text: 'hé' }), chunking: 'bytes' })
    const answer = await post({ model: 'm' })
    expect(((await answer.json()) as { choices: { message: { content: string } }[] }).choices[0]?.message.content).toBe('hé')
  })

  it('hang up, talk garbage, and refuse connections', async () => {
    upstream.enqueue({ hangUp: true })
    await expect(post({})).rejects.toThrow()
    upstream.enqueue({ garbage: 'SSH-2.0-nope\r\n' })
    expect((await rawPost('{}')).text).toBe('SSH-2.0-nope\r\n')
    await upstream.refuse()
    await expect(post({})).rejects.toThrow()
    await upstream.listen()
    expect((await post({})).status).toBe(200)
  })

  it('stall until they are resumed', async () => {
    let resume = () => {}
    upstream.enqueue({ ...chatStream({ text: ['a', 'b'] }), stallAfter: 2, resume: new Promise<void>((resolve) => (resume = resolve)) })
    const answer = await post({ stream: true })
    const reader = answer.body?.getReader()
    let seen = ''
    while (!seen.includes('"a"')) seen += Buffer.from((await reader?.read())?.value ?? []).toString()
    expect(seen).not.toContain('"b"')
    resume()
    while (!seen.includes('[DONE]')) seen += Buffer.from((await reader?.read())?.value ?? []).toString()
    expect(seen).toContain('"b"')
  })
})

describe('what the upstream sees', () => {
  it('notices a caller that leaves, before and during the answer', async () => {
    const leave = new AbortController()
    upstream.enqueue({ neverAnswer: true })
    const waiting = post({}, { signal: leave.signal })
    await upstream.received(1)
    expect(upstream.totals.inflight).toBe(1)
    leave.abort()
    await expect(waiting).rejects.toThrow()
    await upstream.aborted(1)
    expect(upstream.totals).toMatchObject({ aborted: 1, inflight: 0 })
    expect(upstream.requests[0]?.abortedAt).toBeGreaterThan(upstream.requests[0]?.arrivedAt ?? Infinity)
  })

  it('hands over only so much to a reader that does not read', async () => {
    const megabyte = 'x'.repeat(1 << 20)
    upstream.enqueue({ events: Array.from({ length: 64 }, () => megabyte) })
    const socket = connect(upstream.port, '127.0.0.1', () =>
      socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}'),
    )
    socket.on('error', () => {})
    socket.pause()
    await upstream.received(1)
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
    expect(upstream.last.bytesWritten).toBeGreaterThan(0)
    expect(upstream.last.bytesWritten).toBeLessThan(32 << 20)
    expect(upstream.last.finished).toBe(false)
    socket.destroy()
    await upstream.aborted(1)
  })

  it('counts its own bill exactly, and no bill for refusals', async () => {
    const priced = await startUpstream({ prices: { input: 250_000n, cached: 25_000n, output: 2_000_000n }, requireKey: 'sk-up' })
    const send = (key: string) =>
      fetch(`${priced.url}/v1/chat/completions`, { method: 'POST', body: '{"model":"m"}', headers: { authorization: `Bearer ${key}` } })
    expect((await send('wrong')).status).toBe(401)
    await (await send('sk-up')).text()
    await (await send('sk-up')).text()
    expect(priced.totals.billed).toEqual({ input: 24, cached: 8, cacheWrite: 0, output: 100, reasoning: 16 })
    expect(priced.totals.spent).toBe(16n * 250_000n + 8n * 25_000n + 100n * 2_000_000n)
    await priced.close()
  })

  it('obeys knobs in model names and tells its counts', async () => {
    expect((await post({ model: 'up/mock-500-1' })).status).toBe(500)
    expect((await post({ model: 'up/mock-500-1' })).status).toBe(200)
    expect(await (await fetch(`${upstream.url}/stats`)).json()).toEqual({ requests: 2, aborted: 0, inflight: 0 })
    await fetch(`${upstream.url}/reset`)
    expect(upstream.totals.requests).toBe(0)
  })
})
