import { describe, expect, it } from 'vitest'
import type { FunctionTool, Message, Request } from '../../../protocol/index.js'
import { instantClock } from '../fixtures/instant-clock.js'
import { asking, callOf, gather, said } from '../fixtures/provider-call.js'
import { createSandboxProvider } from './sandbox-provider.js'

const weather: FunctionTool = {
  type: 'function',
  name: 'get_weather',
  description: 'Get the current weather of a city',
  parameters: {
    type: 'object',
    properties: { city: { type: 'string' }, unit: { type: 'string', enum: ['celsius', 'fahrenheit'] } },
    required: ['city', 'unit'],
    additionalProperties: false,
  },
}
const stocks: FunctionTool = {
  type: 'function',
  name: 'lookupStockPrice',
  description: 'Price of a share on the exchange',
  parameters: { type: 'object', properties: { ticker: { type: 'string', pattern: '^[A-Z]{3,4}$' } }, required: ['ticker'] },
}

const provider = () => createSandboxProvider({ seed: 5, clock: instantClock() })
async function run(text: string, more: Partial<Request> = {}) {
  const gathered = await gather(provider(), callOf('medium', asking(text, { tools: [weather, stocks], ...more })))
  const { answer } = gathered.result
  if (answer.kind !== 'reply') throw new Error('expected a reply')
  const parts = answer.reply.choices[0]?.parts ?? []
  const calls = parts
    .filter((part) => part.type === 'tool_call')
    .map((part) => ({ id: part.id, name: part.name, arguments: JSON.parse(part.arguments) as Record<string, unknown> }))
  return { ...gathered, calls, finish: answer.reply.choices[0]?.finish }
}

describe('sandbox tool calls', () => {
  it('calls the tool that the message speaks of, with arguments from it, streamed in pieces', async () => {
    const { calls, finish, deltas } = await run('What is the weather in Paris, in celsius?')
    expect(calls).toMatchObject([{ name: 'get_weather', arguments: { city: 'Paris', unit: 'celsius' } }])
    expect(finish).toBe('tool_calls')
    expect(deltas.filter(({ type }) => type === 'tool_arguments').length).toBeGreaterThan(2)
  })

  it('calls one tool for each place, and several tools, at once; one only where the caller wants one', async () => {
    const places = await run('Compare the weather in Paris, Oslo and New Delhi please.')
    expect(places.calls.map(({ arguments: { city } }) => city)).toEqual(['Paris', 'Oslo', 'New Delhi'])
    expect(new Set(places.calls.map(({ id }) => id)).size).toBe(3)
    const both = await run('Use get_weather and lookupStockPrice.')
    expect(both.calls.map(({ name }) => name)).toEqual(['get_weather', 'lookupStockPrice'])
    expect(both.calls[1]?.arguments.ticker).toMatch(/^[A-Z]{3,4}$/)
    const single = await run('Compare the weather in Paris and Oslo.', { parallelToolCalls: false })
    expect(single.calls).toHaveLength(1)
  })

  it('obeys the choice of tool', async () => {
    expect((await run('What is the weather in Paris?', { toolChoice: 'none' })).calls).toEqual([])
    expect((await run('Hello there')).calls).toEqual([])
    expect((await run('Hello there', { toolChoice: 'required' })).calls).toHaveLength(1)
    expect((await run('What is the weather in Paris?', { toolChoice: { name: 'lookupStockPrice' } })).calls).toMatchObject([
      { name: 'lookupStockPrice' },
    ])
  })

  it.each(['tool', 'user'] as const)('answers in text that quotes a result given by the %s', async (role) => {
    const messages: Message[] = [
      said('user', 'What is the weather in Paris?'),
      { role: 'assistant', parts: [{ type: 'tool_call', id: 'c1', name: 'get_weather', arguments: '{}' }] },
      { role, parts: [{ type: 'tool_result', callId: 'c1', content: [{ type: 'text', text: '21 °C and sunny' }] }] },
    ]
    const { text, calls } = await run('', { messages })
    expect(calls).toEqual([])
    expect(text).toContain('get_weather returned: 21 °C and sunny')
    const next = await run('', { messages: [...messages, said('assistant', 'It is sunny.'), said('user', 'And the weather in Oslo?')] })
    expect(next.calls).toMatchObject([{ arguments: { city: 'Oslo' } }])
  })

  it('cuts arguments at the limit of tokens and says so', async () => {
    const gathered = await gather(
      provider(),
      callOf('medium', asking('What is the weather in Paris?', { tools: [weather], maxOutputTokens: 6 })),
    )
    expect(gathered.deltas.at(-2)).toMatchObject({ type: 'finish', reason: 'length' })
    expect(gathered.result.reported?.usage.outputTokens).toBe(6)
  })

  it('refuses a tool whose parameters nothing satisfies, with its path', async () => {
    const broken: FunctionTool = {
      ...weather,
      at: 'tools[0].function',
      parameters: { type: 'object', properties: { n: { type: 'integer', minimum: 2, maximum: 1 } }, required: ['n'] },
    }
    await expect(run('What is the weather in Paris?', { tools: [broken] })).rejects.toMatchObject({
      code: 'invalid_request',
      path: 'tools[0].function.parameters',
    })
  })

  it('follows a schema for its answer, and puts the answer it knows into it', async () => {
    const schema = {
      type: 'object',
      properties: { steps: { type: 'array', items: { type: 'string' }, minItems: 1 }, answer: { type: 'integer' } },
      required: ['steps', 'answer'],
      additionalProperties: false,
    }
    const { text } = await run('What is the capital of France?', {
      tools: undefined,
      responseFormat: { type: 'json_schema', schema: { type: 'object', properties: { answer: { type: 'string' } }, required: ['answer'] } },
    })
    expect((JSON.parse(text) as { answer: string }).answer).toMatch(/^\p{Lu}/u)
    const numeric = await run('What is 6 * 7?', { tools: undefined, responseFormat: { type: 'json_schema', schema } })
    expect(JSON.parse(numeric.text)).toMatchObject({ steps: [expect.any(String)], answer: expect.any(Number) as number })
    expect(JSON.parse((await run('Give JSON', { tools: undefined, responseFormat: { type: 'json_object' } })).text)).toMatchObject({
      simulated: true,
    })
  })
})
