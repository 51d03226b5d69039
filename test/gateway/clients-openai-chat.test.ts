import OpenAI from 'openai'
import { zodResponseFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { chatStream, openaiError } from '../upstream/index.js'
import { KEY, type Bench } from './harness.js'
import { bill, cost, parallelCalls, startTargets, targets, timeParameters, weatherParameters } from './targets.js'

let bench: Bench
let client: OpenAI
beforeAll(async () => {
  bench = await startTargets()
  client = new OpenAI({ apiKey: KEY, baseURL: `${bench.url}/v1`, maxRetries: 0 })
})
afterAll(() => bench.close())
beforeEach(() => bench.upstream.reset())

const tools: OpenAI.Chat.ChatCompletionFunctionTool[] = [
  { type: 'function', function: { name: 'get_weather', description: 'Weather of a city', parameters: weatherParameters } },
  { type: 'function', function: { name: 'get_time', parameters: timeParameters } },
]
const messages: OpenAI.Chat.ChatCompletionMessageParam[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Say something about rivers.' },
]

describe.each(targets)('chat.completions served in $format', (target) => {
  const usage = {
    prompt_tokens: 30,
    completion_tokens: 25,
    total_tokens: 55,
    prompt_tokens_details: { cached_tokens: 10 },
    completion_tokens_details: { reasoning_tokens: target.reasoning(5) },
    cost,
  }

  it('create', async () => {
    bench.upstream.enqueue(target.reply({ text: 'Rivers run.', usage: bill }))
    const { data, response } = await client.chat.completions
      .create({ model: target.model, messages, max_completion_tokens: 77, temperature: 0.5 })
      .withResponse()
    expect(data.object).toBe('chat.completion')
    expect(data.choices).toMatchObject([{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Rivers run.' } }])
    expect(data.usage).toMatchObject(usage)
    expect(response.headers.get('x-bursar-cost')).toBe(String(cost))
    expect(bench.upstream.last.json).toMatchObject(
      target.asked({ system: 'Be brief.', user: 'Say something about rivers.', maxTokens: 77, temperature: 0.5 }),
    )
  })

  it('create, cut off by the limit', async () => {
    bench.upstream.enqueue(target.reply({ text: 'Rivers', finish: 'length' }))
    const answer = await client.chat.completions.create({ model: target.model, messages, max_completion_tokens: 1 })
    expect(answer.choices[0]?.finish_reason).toBe('length')
  })

  it('create with stream', async () => {
    bench.upstream.enqueue(target.stream({ text: ['Rivers ', 'rün ', '🌊', ' down.'], usage: bill }))
    const stream = await client.chat.completions.create({
      model: target.model,
      messages,
      stream: true,
      stream_options: { include_usage: true },
    })
    let text = ''
    const finishes: string[] = []
    const usages: unknown[] = []
    const ids = new Set<string>()
    for await (const chunk of stream) {
      ids.add(chunk.id)
      text += chunk.choices[0]?.delta.content ?? ''
      if (chunk.choices[0]?.finish_reason) finishes.push(chunk.choices[0].finish_reason)
      if (chunk.usage) usages.push(chunk.usage)
    }
    expect(text).toBe('Rivers rün 🌊 down.')
    expect(finishes).toEqual(['stop'])
    expect(usages).toMatchObject([usage])
    expect(ids.size).toBe(1)
  })

  it('the stream helper, with a tool call after a text', async () => {
    bench.upstream.enqueue(target.stream({ text: ['Let me ', 'look.'], toolCalls: parallelCalls, usage: bill }))
    const deltas: string[] = []
    const runner = client.chat.completions.stream({ model: target.model, messages, tools, stream_options: { include_usage: true } })
    runner.on('content', (delta) => deltas.push(delta))
    const final = await runner.finalChatCompletion()
    expect(deltas.join('')).toBe('Let me look.')
    expect(final.choices[0]?.finish_reason).toBe('tool_calls')
    expect(final.choices[0]?.message.content).toBe('Let me look.')
    expect(final.usage).toMatchObject(usage)
  })

  it('parallel tool calls, whole, and their results on the next turn', async () => {
    bench.upstream.enqueue(target.reply({ toolCalls: parallelCalls, usage: bill }))
    const first = await client.chat.completions.create({ model: target.model, messages, tools, parallel_tool_calls: true })
    const message = first.choices[0]?.message
    expect(first.choices[0]?.finish_reason).toBe('tool_calls')
    const calls = functionCalls(message?.tool_calls)
    expect(calls.map(({ name, arguments: json }) => [name, JSON.parse(json) as unknown])).toEqual([
      ['get_weather', { city: 'Oslo', days: 3 }],
      ['get_time', { zone: 'CET' }],
    ])
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2)
    expect(bench.upstream.last.json).toMatchObject(target.asked({ tools: ['get_weather', 'get_time'] }))

    bench.upstream.enqueue(target.reply({ text: 'Rain.' }))
    const second = await client.chat.completions.create({
      model: target.model,
      tools,
      messages: [
        ...messages,
        ...(message ? [message] : []),
        { role: 'tool', tool_call_id: calls[0]?.id ?? '', content: 'rain for three days' },
        { role: 'tool', tool_call_id: calls[1]?.id ?? '', content: 'nine o’clock' },
      ],
    })
    expect(second.choices[0]?.message.content).toBe('Rain.')
    expect(bench.upstream.last.json).toMatchObject(
      target.asked({ toolResult: { id: 'call_time_2', name: 'get_time', text: 'nine o’clock' } }),
    )
  })

  it('parallel tool calls, streamed', async () => {
    bench.upstream.enqueue(target.stream({ toolCalls: parallelCalls, usage: bill }))
    const stream = await client.chat.completions.create({ model: target.model, messages, tools, stream: true })
    const calls: { id: string; name: string; json: string }[] = []
    let finish: string | null = null
    for await (const chunk of stream) {
      const choice = chunk.choices[0]
      finish = choice?.finish_reason ?? finish
      for (const piece of choice?.delta.tool_calls ?? []) {
        const call = (calls[piece.index] ??= { id: '', name: '', json: '' })
        call.id += piece.id ?? ''
        call.name += piece.function?.name ?? ''
        call.json += piece.function?.arguments ?? ''
      }
    }
    expect(finish).toBe('tool_calls')
    expect(calls.map(({ name, json }) => [name, JSON.parse(json) as unknown])).toEqual([
      ['get_weather', { city: 'Oslo', days: 3 }],
      ['get_time', { zone: 'CET' }],
    ])
    expect(calls.every(({ id }) => id.length > 0)).toBe(true)
  })

  it('parse, with a JSON schema', async () => {
    const River = z.object({ name: z.string(), km: z.number() })
    bench.upstream.enqueue(target.reply({ text: '{"name":"Elbe","km":1094}' }))
    const answer = await client.chat.completions.parse({
      model: target.model,
      messages,
      response_format: zodResponseFormat(River, 'river'),
    })
    expect(answer.choices[0]?.message.parsed).toEqual({ name: 'Elbe', km: 1094 })
    expect(bench.upstream.last.json).toMatchObject(
      target.asked({
        schema: { type: 'object', properties: { name: { type: 'string' }, km: { type: 'number' } }, required: ['name', 'km'] },
      }),
    )
  })

  it('a rejection becomes the SDK’s BadRequestError, with the provider’s words', async () => {
    bench.upstream.enqueue(target.error(400, 'temperature: too hot for this model'))
    const error = await client.chat.completions.create({ model: target.model, messages }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(String(error)).toContain('too hot for this model')
    expect(bench.upstream.requests.length).toBe(1)
  })

  it('a stream that breaks is an error and no answer', async () => {
    bench.upstream.enqueue({ ...target.stream({ text: ['a ', 'b ', 'c ', 'd '], properEnd: false }), thenDestroy: true })
    const stream = await client.chat.completions.create({ model: target.model, messages, stream: true })
    let text = ''
    const read = (async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    })()
    await expect(read).rejects.toThrow(OpenAI.APIError)
    expect(text).toBe('a b c d ')
  })
})

describe('errors of the gateway as the SDK shows them', () => {
  it('AuthenticationError for a wrong key', async () => {
    const stranger = new OpenAI({ apiKey: 'sk-wrong', baseURL: `${bench.url}/v1`, maxRetries: 0 })
    const error: unknown = await stranger.chat.completions.create({ model: 'via-chat', messages }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError)
    expect(error).toMatchObject({ status: 401, code: 'invalid_key' })
  })

  it('NotFoundError for an unknown model, with a request id', async () => {
    const error: unknown = await client.chat.completions.create({ model: 'no-such/model', messages }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.NotFoundError)
    expect(error).toMatchObject({
      status: 404,
      code: 'model_not_found',
      param: 'model',
      requestID: expect.stringMatching(/^req_/) as string,
    })
  })

  it('BadRequestError with the field’s path', async () => {
    const error: unknown = await client.chat.completions
      .create({ model: 'via-chat', messages, temperature: -1 })
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(error).toMatchObject({ param: 'temperature', code: 'invalid_request' })
  })

  it('RateLimitError after the provider’s, with Retry-After kept', async () => {
    bench.upstream.enqueue(openaiError(429, 'slow down', 'rate_limit_exceeded', { 'retry-after': '90' }))
    const error: unknown = await client.chat.completions.create({ model: 'via-chat', messages }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.RateLimitError)
    expect(error instanceof OpenAI.APIError ? error.headers?.get('retry-after') : undefined).toBe('90')
  })

  it('the SDK’s own retry succeeds after a rate limit', async () => {
    const patient = new OpenAI({ apiKey: KEY, baseURL: `${bench.url}/v1`, maxRetries: 1 })
    // Three refusals use up the gateway's own attempts (the first and two more).
    bench.upstream.enqueue({ ...openaiError(429, 'slow down', 'rate_limit_exceeded', { 'retry-after-ms': '20' }), times: 3 })
    const answer = await patient.chat.completions.create({ model: 'via-chat', messages })
    expect(answer.choices[0]?.finish_reason).toBe('stop')
    expect(bench.upstream.requests.length).toBe(4)
  })

  it('APIError in the middle of a stream, with the code', async () => {
    bench.upstream.enqueue({ ...chatStream({ text: ['a', 'b', 'c'] }), destroyAfter: 3 })
    const stream = await client.chat.completions.create({ model: 'via-chat', messages, stream: true })
    const error: unknown = await (async () => {
      for await (const _chunk of stream);
    })().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect(error).toMatchObject({ code: 'stream_truncated' })
  })

  it('a caller who aborts cancels the upstream call', async () => {
    bench.upstream.enqueue({ ...chatStream(), stallAfter: 5 })
    const stream = await client.chat.completions.create({ model: 'via-chat', messages, stream: true })
    for await (const _chunk of stream) break
    await bench.upstream.aborted(1)
    await expect.poll(() => bench.gateway.inFlight).toBe(0)
  })
})

describe('models and embeddings', () => {
  it('models.list and models.retrieve', async () => {
    const ids: string[] = []
    for await (const model of client.models.list()) ids.push(model.id)
    expect(ids.slice(0, 5)).toEqual(['via-chat', 'via-responses', 'via-anthropic', 'via-gemini', 'embed'])
    expect(ids).toContain('box/small')
    expect((await client.models.retrieve('box/small')).id).toBe('box/small')
    expect((await client.models.retrieve('via-chat')).owned_by).toBe('chat')
  })

  it('embeddings, as the SDK asks by default (base64) and as floats', async () => {
    const byDefault = await client.embeddings.create({ model: 'embed', input: ['one', 'two'] })
    expect(bench.upstream.last.json).toMatchObject({ model: 'mock-embed', encoding_format: 'base64', input: ['one', 'two'] })
    const floats = await client.embeddings.create({ model: 'embed', input: ['one', 'two'], encoding_format: 'float' })
    expect(byDefault.data.map(({ embedding }) => embedding)).toEqual(floats.data.map(({ embedding }) => embedding))
    expect(floats.data.map(({ index, embedding }) => [index, embedding.length])).toEqual([
      [0, 8],
      [1, 8],
    ])
    expect(floats.usage).toMatchObject({ prompt_tokens: 10, total_tokens: 10, cost: 0.00001 })
  })
})

/** The function calls of a message. */
function functionCalls(
  calls: readonly OpenAI.Chat.ChatCompletionMessageToolCall[] | undefined,
): { id: string; name: string; arguments: string }[] {
  return (calls ?? []).flatMap((call) => (call.type === 'function' ? [{ id: call.id, ...call.function }] : []))
}
