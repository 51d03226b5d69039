import OpenAI from 'openai'
import { zodTextFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { responsesStream } from '../upstream/index.js'
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

const tools: OpenAI.Responses.FunctionTool[] = [
  { type: 'function', name: 'get_weather', description: 'Weather of a city', parameters: weatherParameters, strict: true },
  { type: 'function', name: 'get_time', parameters: timeParameters, strict: true },
]

describe.each(targets)('responses served in $format', (target) => {
  const usage = {
    input_tokens: 30,
    input_tokens_details: { cached_tokens: 10 },
    output_tokens: 25,
    output_tokens_details: { reasoning_tokens: target.reasoning(5) },
    total_tokens: 55,
    cost,
  }

  it('create', async () => {
    bench.upstream.enqueue(target.reply({ text: 'Rivers run.', usage: bill }))
    const answer = await client.responses.create({
      model: target.model,
      instructions: 'Be brief.',
      input: 'Say something about rivers.',
      max_output_tokens: 77,
      temperature: 0.5,
    })
    expect(answer.status).toBe('completed')
    expect(answer.output_text).toBe('Rivers run.')
    expect(answer.usage).toMatchObject(usage)
    expect(bench.upstream.last.json).toMatchObject(
      target.asked({ system: 'Be brief.', user: 'Say something about rivers.', maxTokens: 77, temperature: 0.5 }),
    )
    expect(JSON.stringify(bench.upstream.last.json)).toContain('Be brief.')
  })

  it('create, cut off by the limit', async () => {
    bench.upstream.enqueue(target.reply({ text: 'Rivers', finish: 'length' }))
    const answer = await client.responses.create({ model: target.model, input: 'x', max_output_tokens: 16 })
    expect(answer.status).toBe('incomplete')
    expect(answer.incomplete_details).toEqual({ reason: 'max_output_tokens' })
  })

  it('create with stream: events in order, numbered without a gap', async () => {
    bench.upstream.enqueue(target.stream({ text: ['Rivers ', 'rün ', '🌊', ' down.'], usage: bill }))
    const stream = await client.responses.create({ model: target.model, input: 'Say something about rivers.', stream: true })
    const types: string[] = []
    const numbers: number[] = []
    let text = ''
    let final: OpenAI.Responses.Response | undefined
    for await (const event of stream) {
      if (types.at(-1) !== event.type) types.push(event.type)
      if ('sequence_number' in event) numbers.push(event.sequence_number)
      if (event.type === 'response.output_text.delta') text += event.delta
      if (event.type === 'response.completed') final = event.response
    }
    expect(text).toBe('Rivers rün 🌊 down.')
    expect(types).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    expect(numbers).toEqual(numbers.map((_, index) => index))
    expect(final?.usage).toMatchObject(usage)
  })

  it('the stream helper, with reasoning and parallel tool calls', async () => {
    bench.upstream.enqueue(target.stream({ reasoning: ['Hm, ', 'weather.'], toolCalls: parallelCalls, usage: bill }))
    const runner = client.responses.stream({ model: target.model, input: 'Weather?', tools, reasoning: { effort: 'low', summary: 'auto' } })
    const pieces = new Map<string, string>()
    runner.on('response.function_call_arguments.delta', (event) =>
      pieces.set(event.item_id, (pieces.get(event.item_id) ?? '') + event.delta),
    )
    const final = await runner.finalResponse()
    const calls = final.output.flatMap((item) => (item.type === 'function_call' ? [item] : []))
    expect(calls.map(({ name, arguments: json }) => [name, JSON.parse(json) as unknown])).toEqual([
      ['get_weather', { city: 'Oslo', days: 3 }],
      ['get_time', { zone: 'CET' }],
    ])
    expect([...pieces.values()]).toEqual(calls.map(({ arguments: json }) => json))
    const reasoning = final.output.flatMap((item) => (item.type === 'reasoning' ? item.summary.map((part) => part.text) : []))
    expect(reasoning.join('')).toBe('Hm, weather.')
    expect(final.usage).toMatchObject(usage)
    expect(bench.upstream.last.json).toMatchObject(target.asked({ tools: ['get_weather', 'get_time'] }))
  })

  it('tool calls, whole, and their results on the next turn', async () => {
    bench.upstream.enqueue(target.reply({ toolCalls: parallelCalls, usage: bill }))
    const first = await client.responses.create({ model: target.model, input: 'Weather and time?', tools })
    const calls = first.output.flatMap((item) => (item.type === 'function_call' ? [item] : []))
    expect(calls.map(({ name }) => name)).toEqual(['get_weather', 'get_time'])
    expect(JSON.parse(calls[0]?.arguments ?? '')).toEqual({ city: 'Oslo', days: 3 })

    bench.upstream.enqueue(target.reply({ text: 'Rain.' }))
    const second = await client.responses.create({
      model: target.model,
      tools,
      input: [
        { role: 'user', content: 'Weather and time?' },
        ...calls,
        { type: 'function_call_output', call_id: calls[0]?.call_id ?? '', output: 'rain for three days' },
        { type: 'function_call_output', call_id: calls[1]?.call_id ?? '', output: 'nine o’clock' },
      ],
    })
    expect(second.output_text).toBe('Rain.')
    expect(bench.upstream.last.json).toMatchObject(
      target.asked({ toolResult: { id: 'call_time_2', name: 'get_time', text: 'nine o’clock' } }),
    )
  })

  it('parse, with a JSON schema', async () => {
    const River = z.object({ name: z.string(), km: z.number() })
    bench.upstream.enqueue(target.reply({ text: '{"name":"Elbe","km":1094}' }))
    const answer = await client.responses.parse({ model: target.model, input: 'A river', text: { format: zodTextFormat(River, 'river') } })
    expect(answer.output_parsed).toEqual({ name: 'Elbe', km: 1094 })
    expect(bench.upstream.last.json).toMatchObject(
      target.asked({
        schema: { type: 'object', properties: { name: { type: 'string' }, km: { type: 'number' } }, required: ['name', 'km'] },
      }),
    )
  })

  it('a rejection becomes a BadRequestError with the provider’s words', async () => {
    bench.upstream.enqueue(target.error(400, 'temperature: too hot for this model'))
    const error: unknown = await client.responses.create({ model: target.model, input: 'x' }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OpenAI.BadRequestError)
    expect(String(error)).toContain('too hot for this model')
  })

  it('a stream that breaks never ends as completed', async () => {
    bench.upstream.enqueue({ ...target.stream({ text: ['a ', 'b ', 'c ', 'd '], properEnd: false }), thenDestroy: true })
    const stream = await client.responses.create({ model: target.model, input: 'x', stream: true })
    const types: string[] = []
    let text = ''
    const read = (async () => {
      for await (const event of stream) {
        types.push(event.type)
        if (event.type === 'response.output_text.delta') text += event.delta
      }
    })()
    await expect(read).rejects.toThrow()
    expect(text).toBe('a b c d ')
    expect(types).not.toContain('response.completed')
  })
})

describe('Responses, where Bursar can’t do what a provider does itself', () => {
  it('refuses a conversation that is kept at another provider', async () => {
    const error: unknown = await client.responses
      .create({ model: 'via-anthropic', input: 'x', previous_response_id: 'resp_1' })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ status: 400, code: 'unsupported_parameter', param: 'previous_response_id' })
    expect(bench.upstream.requests.length).toBe(0)
  })

  it('passes it on where the provider keeps it', async () => {
    await client.responses.create({ model: 'via-responses', input: 'x', previous_response_id: 'resp_1' })
    expect(bench.upstream.last.json).toMatchObject({ previous_response_id: 'resp_1' })
  })

  it('cancels upstream when the caller aborts', async () => {
    bench.upstream.enqueue({ ...responsesStream(), stallAfter: 6 })
    const stream = await client.responses.create({ model: 'via-responses', input: 'x', stream: true })
    for await (const _event of stream) break
    await bench.upstream.aborted(1)
    await expect.poll(() => bench.gateway.inFlight).toBe(0)
  })
})
