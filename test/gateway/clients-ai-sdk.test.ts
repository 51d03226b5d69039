import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool, type LanguageModel } from 'ai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { KEY, type Bench } from './harness.js'
import { bill, parallelCalls, startTargets, targets } from './targets.js'

let bench: Bench
const clients: Record<string, (model: string) => LanguageModel> = {}
beforeAll(async () => {
  bench = await startTargets()
  const openai = createOpenAI({ apiKey: KEY, baseURL: `${bench.url}/v1` })
  const anthropic = createAnthropic({ apiKey: KEY, baseURL: `${bench.url}/v1` })
  const compatible = createOpenAICompatible({
    name: 'bursar',
    apiKey: KEY,
    baseURL: `${bench.url}/v1`,
    includeUsage: true,
    supportsStructuredOutputs: true,
  })
  clients['@ai-sdk/openai (responses)'] = (model) => openai.responses(model)
  clients['@ai-sdk/openai (chat)'] = (model) => openai.chat(model)
  clients['@ai-sdk/openai-compatible'] = (model) => compatible.chatModel(model)
  clients['@ai-sdk/anthropic'] = (model) => anthropic(model)
})
afterAll(() => bench.close())
beforeEach(() => bench.upstream.reset())

const names = ['@ai-sdk/openai (responses)', '@ai-sdk/openai (chat)', '@ai-sdk/openai-compatible', '@ai-sdk/anthropic']
const pairs = names.flatMap((client) => targets.map((target) => ({ client, format: target.format, target })))

const tools = {
  get_weather: tool({
    description: 'Weather of a city',
    inputSchema: z.object({ city: z.string(), days: z.number() }),
    execute: ({ city, days }) => Promise.resolve(`rain in ${city} for ${days} days`),
  }),
  get_time: tool({ inputSchema: z.object({ zone: z.string() }), execute: ({ zone }) => Promise.resolve(`nine o’clock ${zone}`) }),
}

function modelOf(client: string, name: string): LanguageModel {
  const make = clients[client]
  if (!make) throw new Error(`no such client: ${client}`)
  return make(name)
}

describe.each(pairs)('$client served in $format', ({ client, target }) => {
  const usage = { inputTokens: 30, outputTokens: 25, inputTokenDetails: { cacheReadTokens: 10 } }

  it('generateText', async () => {
    bench.upstream.enqueue(target.reply({ text: 'Rivers run.', usage: bill }))
    const result = await generateText({
      model: modelOf(client, target.model),
      system: 'Be brief.',
      prompt: 'Rivers?',
      maxOutputTokens: 77,
      maxRetries: 0,
    })
    expect(result.text).toBe('Rivers run.')
    expect(result.finishReason).toBe('stop')
    expect(result.usage).toMatchObject(usage)
    expect(bench.upstream.last.json).toMatchObject(target.asked({ system: 'Be brief.', user: 'Rivers?', maxTokens: 77 }))
  })

  it('streamText', async () => {
    bench.upstream.enqueue(target.stream({ text: ['Rivers ', 'rün ', '🌊'], usage: bill }))
    const result = streamText({ model: modelOf(client, target.model), prompt: 'Rivers?', maxRetries: 0 })
    let text = ''
    for await (const piece of result.textStream) text += piece
    expect(text).toBe('Rivers rün 🌊')
    expect(await result.finishReason).toBe('stop')
    expect(await result.usage).toMatchObject(usage)
  })

  it('a loop over tools: two calls at once, streamed, then the answer', async () => {
    bench.upstream.enqueue(target.stream({ toolCalls: parallelCalls, usage: bill }))
    bench.upstream.enqueue(target.stream({ text: ['Rain.'], usage: bill }))
    const result = streamText({
      model: modelOf(client, target.model),
      prompt: 'Weather and time?',
      tools,
      stopWhen: stepCountIs(3),
      maxRetries: 0,
    })
    const steps = await result.steps
    expect(steps.map((step) => step.finishReason)).toEqual(['tool-calls', 'stop'])
    expect(steps[0]?.toolCalls.map(({ toolName, input }) => [toolName, input])).toEqual([
      ['get_weather', { city: 'Oslo', days: 3 }],
      ['get_time', { zone: 'CET' }],
    ])
    expect(await result.text).toBe('Rain.')
    expect(bench.upstream.requests.length).toBe(2)
    expect(bench.upstream.last.json).toMatchObject(
      target.asked({ toolResult: { id: 'call_time_2', name: 'get_time', text: 'nine o’clock CET' } }),
    )
  })

  it('structured output', async () => {
    const schema = {
      type: 'object',
      properties: { name: { type: 'string' }, km: { type: 'number' } },
      required: ['name', 'km'],
      additionalProperties: false,
    } as const
    bench.upstream.enqueue(structured(client, target)({ name: 'Elbe', km: 1094 }))
    const result = await generateText({
      model: modelOf(client, target.model),
      prompt: 'A river',
      output: Output.object({ schema: jsonSchema<{ name: string; km: number }>({ ...schema, required: [...schema.required] }) }),
      maxRetries: 0,
    })
    expect(result.output).toEqual({ name: 'Elbe', km: 1094 })
    expect(JSON.stringify(bench.upstream.last.json)).toContain('"km"')
  })

  it('an error has the status and says whether to try again', async () => {
    bench.upstream.enqueue(target.error(429, 'slow down', { 'retry-after': '90' }))
    const error: unknown = await generateText({ model: modelOf(client, target.model), prompt: 'x', maxRetries: 0 }).catch(
      (thrown: unknown) => thrown,
    )
    expect(APICallError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ statusCode: 429, isRetryable: true })
    expect(String(error)).toContain('slow down')
  })

  it('a broken stream is an error', async () => {
    bench.upstream.enqueue({ ...target.stream({ text: ['a ', 'b ', 'c '], properEnd: false }), thenDestroy: true })
    const errors: unknown[] = []
    const result = streamText({
      model: modelOf(client, target.model),
      prompt: 'x',
      maxRetries: 0,
      onError: ({ error }) => void errors.push(error),
    })
    const text: string[] = []
    const read = (async () => {
      for await (const part of result.fullStream) {
        if (part.type === 'text-delta') text.push(part.text)
        if (part.type === 'error') errors.push(part.error)
      }
    })()
    // Depending on the client the error event, the cut connection, or both are told.
    await read.catch((thrown: unknown) => void errors.push(thrown))
    expect(text.join('')).toBe('a b c ')
    expect(errors.length).toBeGreaterThan(0)
    expect(JSON.stringify(errors)).toContain('the answer is truncated')
  })
})

/** The Anthropic client asks models it doesn't know for a tool call named `json` instead of a schema. */
function structured(client: string, target: (typeof targets)[number]): (value: unknown) => ReturnType<(typeof targets)[number]['reply']> {
  return (value) =>
    client === '@ai-sdk/anthropic'
      ? target.reply({ toolCalls: [{ id: 'call_json', name: 'json', arguments: JSON.stringify(value) }] })
      : target.reply({ text: JSON.stringify(value) })
}

describe('embedMany', () => {
  it.each(['@ai-sdk/openai', '@ai-sdk/openai-compatible'])('%s', async (client) => {
    const model =
      client === '@ai-sdk/openai'
        ? createOpenAI({ apiKey: KEY, baseURL: `${bench.url}/v1` }).embeddingModel('embed')
        : createOpenAICompatible({ name: 'bursar', apiKey: KEY, baseURL: `${bench.url}/v1` }).embeddingModel('embed')
    const { embeddings, usage } = await embedMany({ model, values: ['one', 'two', 'three'] })
    expect(embeddings.map((vector) => vector.length)).toEqual([8, 8, 8])
    expect(usage.tokens).toBe(15)
  })
})
