import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chatReply, chatStream, messagesStream, responsesStream } from '../upstream/index.js'
import { chat, dataOf, startBench, type Bench } from './harness.js'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.close())
beforeEach(() => bench.upstream.reset())

describe('bytes pass through untouched where caller and provider speak the same', () => {
  it('forwards the request with unknown fields, spacing and order, changing only the model', async () => {
    const body =
      '{ "temperature" : 0.50, "unknown_field":{"deep":[1,2.0,3e0]},\n"model":"fast", "messages":[{"role":"user","content":"h\\u00e9 \\ud83d\\ude00"}],"zz":null}'
    const answer = await bench.post('/v1/chat/completions', body)
    expect(answer.status).toBe(200)
    expect(bench.upstream.last.body.toString()).toBe(body.replace('"fast"', '"mock"'))
    expect(bench.upstream.last.headers.authorization).toBe('Bearer sk-upstream-secret')
  })

  it('returns the body with nothing changed but the cost inside usage', async () => {
    const script = chatReply({ text: 'hello', usage: { input: 10, output: 5 } })
    bench.upstream.enqueue(script)
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    const text = await answer.text()
    const parsed = JSON.parse(text) as { usage: { cost: number; cost_details: unknown } }
    // 10 × $1/M + 5 × $4/M
    expect(parsed.usage.cost).toBe(0.00003)
    expect(answer.headers.get('x-bursar-cost')).toBe('0.00003')
    const { cost: _cost, cost_details: _details, ...usage } = parsed.usage
    expect({ ...parsed, usage }).toEqual(script.body)
  })

  it('streams every event byte for byte, and changes only the usage event', async () => {
    const script = chatStream({ text: ['a', 'b', '"usage":{"x":1}', 'ü'], usage: { input: 10, output: 5 } })
    bench.upstream.enqueue({ ...script, chunking: 7 })
    const answer = await bench.post('/v1/chat/completions', chat('fast', { stream: true, stream_options: { include_usage: true } }))
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    const sent = (script.events ?? []).map(String)
    const got = (await answer.text()).split(/(?<=\n\n)/)
    expect(got.length).toBe(sent.length)
    const changed = got.filter((event, index) => event !== sent[index])
    expect(changed.length).toBe(1)
    const usage = JSON.parse((changed[0] as string).slice(6)) as { choices: unknown[]; usage: { cost: number } }
    expect(usage.usage.cost).toBe(0.00003)
    expect(usage.choices).toEqual([])
  })

  it('adds a usage event that careless clients survive when the caller did not ask for one', async () => {
    bench.upstream.enqueue(chatStream({ text: ['a'], usage: { input: 10, output: 5 } }))
    const answer = await bench.post('/v1/chat/completions', chat('fast', { stream: true }))
    const events = dataOf(await answer.text())
    expect(events.at(-1)).toBe('[DONE]')
    const usage = JSON.parse(events.at(-2) as string) as { choices: unknown[]; usage: { cost: number } }
    expect(usage.choices.length).toBe(1)
    expect(usage.usage.cost).toBe(0.00003)
    expect(JSON.parse(bench.upstream.last.body.toString())).toMatchObject({ stream_options: { include_usage: true } })
  })

  it('passes Anthropic streams through with the cost in message_delta', async () => {
    const script = messagesStream({ text: ['x', 'y'], usage: { input: 20, output: 6 } })
    bench.upstream.enqueue(script)
    const answer = await bench.post(
      '/v1/messages',
      { model: 'claude', max_tokens: 50, stream: true, messages: [{ role: 'user', content: 'hi' }] },
      { 'anthropic-beta': 'some-beta', 'anthropic-version': '2023-06-01' },
    )
    const got = (await answer.text()).split(/(?<=\n\n)/)
    const sent = (script.events ?? []).map(String)
    const changed = got.filter((event, index) => event !== sent[index])
    expect(got.length).toBe(sent.length)
    expect(changed.length).toBe(1)
    expect(changed[0]).toContain('event: message_delta')
    expect(changed[0]).toContain('"cost":')
    expect(bench.upstream.last.headers['anthropic-beta']).toBe('some-beta')
    expect(bench.upstream.last.headers['x-api-key']).toBe('sk-ant-secret')
  })

  it('passes Responses streams through with the cost in response.completed', async () => {
    const script = responsesStream({ text: ['x', 'y'], usage: { input: 20, output: 6 } })
    bench.upstream.enqueue(script)
    const answer = await bench.post('/v1/responses', { model: 'fast', input: 'hi', stream: true })
    const got = (await answer.text()).split(/(?<=\n\n)/)
    const sent = (script.events ?? []).map(String)
    expect(got.filter((event, index) => event !== sent[index]).length).toBe(1)
    expect(got.join('')).toContain('"cost":0.000044')
  })

  it('passes the provider’s own error body on, with its status', async () => {
    const body = { error: { message: 'bad temperature', type: 'invalid_request_error', param: 'temperature', code: null, extra: 1 } }
    bench.upstream.enqueue({ status: 400, body })
    const answer = await bench.post('/v1/chat/completions', chat('fast'))
    expect(answer.status).toBe(400)
    expect(await answer.json()).toEqual(body)
  })
})
