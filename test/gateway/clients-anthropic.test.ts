import Anthropic from '@anthropic-ai/sdk'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { anthropicError, anthropicErrorEvent, countTokensReply, messagesStream } from '../upstream/index.js'
import { KEY, type Bench } from './harness.js'
import { bill, cost, parallelCalls, startTargets, targets, timeParameters, weatherParameters } from './targets.js'

let bench: Bench
let client: Anthropic
beforeAll(async () => {
  bench = await startTargets()
  client = new Anthropic({ apiKey: KEY, baseURL: bench.url, maxRetries: 0 })
})
afterAll(() => bench.close())
beforeEach(() => bench.upstream.reset())

const tools: Anthropic.Tool[] = [
  { name: 'get_weather', description: 'Weather of a city', input_schema: { ...weatherParameters, type: 'object' } },
  { name: 'get_time', input_schema: { ...timeParameters, type: 'object' } },
]
const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'Say something about rivers.' }]

describe.each(targets)('messages served in $format', (target) => {
  const usage = { input_tokens: 20, cache_read_input_tokens: 10, output_tokens: 25 }

  it('create', async () => {
    bench.upstream.enqueue(target.reply({ text: 'Rivers run.', usage: bill }))
    const { data, response, request_id } = await client.messages
      .create({ model: target.model, max_tokens: 77, system: 'Be brief.', messages })
      .withResponse()
    expect(data).toMatchObject({
      type: 'message',
      role: 'assistant',
      stop_reason: 'end_turn',
      content: [{ type: 'text', text: 'Rivers run.' }],
    })
    expect(data.usage).toMatchObject({ ...usage, cost })
    expect(response.headers.get('x-bursar-cost')).toBe(String(cost))
    expect(request_id).toMatch(/^req_/)
    expect(bench.upstream.last.json).toMatchObject(
      target.asked({ system: 'Be brief.', user: 'Say something about rivers.', maxTokens: 77 }),
    )
  })

  it('create, cut off by the limit', async () => {
    bench.upstream.enqueue(target.reply({ text: 'Rivers', finish: 'length' }))
    expect((await client.messages.create({ model: target.model, max_tokens: 1, messages })).stop_reason).toBe('max_tokens')
  })

  it('stream and finalMessage', async () => {
    bench.upstream.enqueue(target.stream({ text: ['Rivers ', 'rün ', '🌊', ' down.'], usage: bill }))
    const stream = client.messages.stream({ model: target.model, max_tokens: 100, messages })
    const pieces: string[] = []
    stream.on('text', (piece) => pieces.push(piece))
    const final = await stream.finalMessage()
    expect(pieces.join('')).toBe('Rivers rün 🌊 down.')
    expect(final.content).toMatchObject([{ type: 'text', text: 'Rivers rün 🌊 down.' }])
    expect(final.stop_reason).toBe('end_turn')
    expect(final.usage).toMatchObject(usage)
  })

  it('raw events come in the format’s order', async () => {
    bench.upstream.enqueue(target.stream({ text: ['a', 'b'], usage: bill }))
    const stream = await client.messages.create({ model: target.model, max_tokens: 100, messages, stream: true })
    const types: string[] = []
    let last: unknown
    for await (const event of stream) {
      if (types.at(-1) !== event.type) types.push(event.type)
      if (event.type === 'message_delta') last = event.usage
    }
    expect(types).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    expect(last).toMatchObject({ output_tokens: 25, cost })
  })

  it('tools: parallel calls streamed, then their results', async () => {
    bench.upstream.enqueue(target.stream({ text: ['Let me ', 'look.'], toolCalls: parallelCalls, usage: bill }))
    const first = await client.messages.stream({ model: target.model, max_tokens: 100, messages, tools }).finalMessage()
    expect(first.stop_reason).toBe('tool_use')
    const calls = first.content.flatMap((block) => (block.type === 'tool_use' ? [block] : []))
    expect(calls.map(({ name, input }) => [name, input])).toEqual([
      ['get_weather', { city: 'Oslo', days: 3 }],
      ['get_time', { zone: 'CET' }],
    ])
    expect(bench.upstream.last.json).toMatchObject(target.asked({ tools: ['get_weather', 'get_time'] }))

    bench.upstream.enqueue(target.reply({ text: 'Rain.' }))
    const second = await client.messages.create({
      model: target.model,
      max_tokens: 100,
      tools,
      messages: [
        ...messages,
        { role: 'assistant', content: first.content },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: calls[0]?.id ?? '', content: 'rain for three days' },
            { type: 'tool_result', tool_use_id: calls[1]?.id ?? '', content: [{ type: 'text', text: 'nine o’clock' }] },
          ],
        },
      ],
    })
    expect(second.content).toMatchObject([{ type: 'text', text: 'Rain.' }])
    expect(bench.upstream.last.json).toMatchObject(
      target.asked({ toolResult: { id: 'call_time_2', name: 'get_time', text: 'nine o’clock' } }),
    )
  })

  it('tools, whole', async () => {
    bench.upstream.enqueue(target.reply({ toolCalls: parallelCalls, usage: bill }))
    const answer = await client.messages.create({ model: target.model, max_tokens: 100, messages, tools, tool_choice: { type: 'any' } })
    expect(answer.stop_reason).toBe('tool_use')
    expect(answer.content).toMatchObject([
      { type: 'tool_use', name: 'get_weather', input: { city: 'Oslo', days: 3 } },
      { type: 'tool_use', name: 'get_time', input: { zone: 'CET' } },
    ])
  })

  it('thinking, streamed and whole, and sent back on the next turn', async () => {
    const thinking: Anthropic.ThinkingConfigParam = { type: 'enabled', budget_tokens: 2048 }
    bench.upstream.enqueue(target.stream({ reasoning: ['Hm, ', 'rivers.'], text: ['They run.'], usage: bill }))
    const streamed = await client.messages.stream({ model: target.model, max_tokens: 4096, thinking, messages }).finalMessage()
    bench.upstream.enqueue(target.reply({ reasoning: 'Hm, rivers.', text: 'They run.', usage: bill }))
    const whole = await client.messages.create({ model: target.model, max_tokens: 4096, thinking, messages })
    for (const answer of [streamed, whole])
      expect(answer.content).toMatchObject([
        { type: 'thinking', thinking: 'Hm, rivers.' },
        { type: 'text', text: 'They run.' },
      ])
    const next = await client.messages.create({
      model: target.model,
      max_tokens: 4096,
      thinking,
      messages: [...messages, { role: 'assistant', content: streamed.content }, { role: 'user', content: 'More.' }],
    })
    expect(next.stop_reason).toBe('end_turn')
  })

  it('count_tokens', async () => {
    if (target.format === 'anthropic-messages') bench.upstream.enqueue(countTokensReply(17))
    const { input_tokens } = await client.messages.countTokens({ model: target.model, messages })
    if (target.format === 'anthropic-messages') expect(input_tokens).toBe(17)
    else {
      // No other format counts for free: Bursar estimates, and no call is made.
      expect(bench.upstream.requests.length).toBe(0)
      expect(input_tokens).toBeGreaterThan(3)
      expect(input_tokens).toBeLessThan(40)
    }
  })

  it('a rejection becomes a BadRequestError with the provider’s words', async () => {
    bench.upstream.enqueue(target.error(400, 'temperature: too hot for this model'))
    const error: unknown = await client.messages
      .create({ model: target.model, max_tokens: 10, messages })
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Anthropic.BadRequestError)
    expect(String(error)).toContain('too hot for this model')
  })

  it('a rate limit becomes a RateLimitError', async () => {
    bench.upstream.enqueue(target.error(429, 'slow down', { 'retry-after': '90' }))
    const error: unknown = await client.messages
      .create({ model: target.model, max_tokens: 10, messages })
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Anthropic.RateLimitError)
    expect(error instanceof Anthropic.APIError ? error.headers?.get('retry-after') : undefined).toBe('90')
  })

  it('a stream that breaks is an error and no message', async () => {
    bench.upstream.enqueue({ ...target.stream({ text: ['a ', 'b ', 'c ', 'd '], properEnd: false }), thenDestroy: true })
    const stream = client.messages.stream({ model: target.model, max_tokens: 100, messages })
    let text = ''
    stream.on('text', (piece) => (text += piece))
    await expect(stream.finalMessage()).rejects.toThrow(Anthropic.AnthropicError)
    expect(text).toBe('a b c d ')
  })
})

describe('errors as the SDK shows them', () => {
  it('an overloaded provider is tried again by the gateway, then told', async () => {
    bench.upstream.enqueue({ ...anthropicError(529, 'Overloaded'), times: 2 })
    const answer = await client.messages.create({ model: 'via-anthropic', max_tokens: 10, messages })
    expect(answer.stop_reason).toBe('end_turn')
    expect(bench.upstream.requests.length).toBe(3)
    bench.upstream.enqueue({ ...anthropicError(529, 'Overloaded'), times: 3 })
    const error: unknown = await client.messages
      .create({ model: 'via-anthropic', max_tokens: 10, messages })
      .catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Anthropic.InternalServerError)
    expect(error).toMatchObject({ type: 'overloaded_error' })
  })

  it('an overloaded event in the middle of a stream is an error, in Anthropic’s words', async () => {
    const { events = [], ...rest } = messagesStream({ text: ['a', 'b'] })
    bench.upstream.enqueue({ ...rest, events: [...events.slice(0, 5), anthropicErrorEvent('overloaded_error', 'Overloaded')] })
    const stream = client.messages.stream({ model: 'via-anthropic', max_tokens: 100, messages })
    const error: unknown = await stream.finalMessage().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Anthropic.AnthropicError)
    expect(String(error)).toContain('verloaded')
  })

  it('AuthenticationError, NotFoundError, and a field’s path', async () => {
    const stranger = new Anthropic({ apiKey: 'sk-wrong', baseURL: bench.url, maxRetries: 0 })
    await expect(stranger.messages.create({ model: 'via-chat', max_tokens: 10, messages })).rejects.toThrow(Anthropic.AuthenticationError)
    await expect(client.messages.create({ model: 'no-such/model', max_tokens: 10, messages })).rejects.toThrow(Anthropic.NotFoundError)
    const error: unknown = await client.messages.create({ model: 'via-chat', max_tokens: -5, messages }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Anthropic.BadRequestError)
    expect(String(error)).toContain('max_tokens')
  })

  it('an auth token works as well as a key', async () => {
    const bearer = new Anthropic({ authToken: KEY, apiKey: null, baseURL: bench.url, maxRetries: 0 })
    expect((await bearer.messages.create({ model: 'via-anthropic', max_tokens: 10, messages })).stop_reason).toBe('end_turn')
    expect(bench.upstream.last.headers['x-api-key']).toBe('sk-ant-secret')
    expect(bench.upstream.last.headers.authorization).toBeUndefined()
  })

  it('count_tokens goes by the model behind the name', async () => {
    const own = await startTargets((config) => void (config['models'] = { plain: 'chat/gpt-4o-mini' }))
    const counter = new Anthropic({ apiKey: KEY, baseURL: own.url, maxRetries: 0 })
    const counts = async (model: string) =>
      (await counter.messages.countTokens({ model, messages }).asResponse()).headers.get('x-bursar-token-count')
    expect(await counts('plain')).toBe('exact')
    expect(await counts('box/small')).toBe('estimate')
    await own.close()
  })

  it('models.list', async () => {
    const ids: string[] = []
    for await (const model of client.models.list()) ids.push(model.id)
    expect(ids).toContain('via-anthropic')
  })
})
