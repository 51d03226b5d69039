import Anthropic from '@anthropic-ai/sdk'
import { createAnthropic } from '@ai-sdk/anthropic'
import { createOpenAI } from '@ai-sdk/openai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { embed, generateText, stepCountIs, streamText, tool } from 'ai'
import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { KEY, type Bench } from './harness.js'
import { startTargets, weatherParameters } from './targets.js'

const model = 'box/large'
const question = 'What is 17 * 23? Answer with the number only.'
const weather = 'Use get_weather for Oslo.'
const River = z.object({ name: z.string(), km: z.number() })

let bench: Bench
let openai: OpenAI
let anthropic: Anthropic
beforeAll(async () => {
  bench = await startTargets()
  openai = new OpenAI({ apiKey: KEY, baseURL: `${bench.url}/v1`, maxRetries: 0 })
  anthropic = new Anthropic({ apiKey: KEY, baseURL: bench.url, maxRetries: 0 })
})
afterAll(async () => {
  // Nothing of this file may have gone over the network.
  expect(bench.upstream.requests.length).toBe(0)
  await bench.close()
})

describe('the openai client and the sandbox', () => {
  const tools: OpenAI.Chat.ChatCompletionFunctionTool[] = [
    { type: 'function', function: { name: 'get_weather', parameters: weatherParameters } },
  ]

  it('chat: the same answer whole and streamed, with usage and cost', async () => {
    const request = { model, messages: [{ role: 'user' as const, content: question }] }
    const whole = await openai.chat.completions.create(request)
    const runner = openai.chat.completions.stream({ ...request, stream_options: { include_usage: true } })
    const streamed = await runner.finalChatCompletion()
    expect(whole.choices[0]?.message.content).toBe('391')
    expect(streamed.choices[0]?.message.content).toBe('391')
    expect(whole.choices[0]?.finish_reason).toBe('stop')
    expect(streamed.usage).toMatchObject({ ...whole.usage, prompt_tokens_details: expect.anything() as unknown })
    expect(whole.usage?.total_tokens).toBe((whole.usage?.prompt_tokens ?? 0) + (whole.usage?.completion_tokens ?? 0))
    expect(whole.usage).toMatchObject({ cost: expect.any(Number) as number })
  })

  it('chat: a tool loop', async () => {
    const messages: OpenAI.Chat.ChatCompletionMessageParam[] = [{ role: 'user', content: weather }]
    const first = await openai.chat.completions.create({ model, messages, tools })
    const message = first.choices[0]?.message
    const call = message?.tool_calls?.[0]
    if (!message || call?.type !== 'function') throw new Error('no tool call')
    expect(first.choices[0]?.finish_reason).toBe('tool_calls')
    expect(call.function.name).toBe('get_weather')
    expect(JSON.parse(call.function.arguments)).toMatchObject({ city: 'Oslo', days: expect.any(Number) as number })
    const second = await openai.chat.completions.create({
      model,
      tools,
      messages: [...messages, message, { role: 'tool', tool_call_id: call.id, content: 'rain for three days' }],
    })
    expect(second.choices[0]?.finish_reason).toBe('stop')
    expect(second.choices[0]?.message.content).toContain('rain')
  })

  it('chat: schema, several answers, logprobs, stop', async () => {
    const messages: OpenAI.Chat.ChatCompletionMessageParam[] = [{ role: 'user', content: 'Name a river. [[sandbox tokens=30]]' }]
    const parsed = await openai.chat.completions.parse({ model, messages, response_format: zodResponseFormat(River, 'river') })
    expect(typeof parsed.choices[0]?.message.parsed?.name).toBe('string')
    const several = await openai.chat.completions.create({ model, messages, n: 3, logprobs: true, top_logprobs: 2 })
    expect(several.choices.map(({ index }) => index)).toEqual([0, 1, 2])
    for (const { message, logprobs } of several.choices) {
      expect(logprobs?.content?.map(({ token }) => token).join('')).toBe(message.content)
      expect(logprobs?.content?.every(({ top_logprobs }) => top_logprobs.length === 2)).toBe(true)
    }
    const cut = await openai.chat.completions.create({ model, messages, max_completion_tokens: 5 })
    expect(cut.choices[0]?.finish_reason).toBe('length')
    expect(cut.usage?.completion_tokens).toBe(5)
  })

  it('responses: whole, streamed with reasoning, and parsed', async () => {
    expect((await openai.responses.create({ model, input: question })).output_text).toBe('391')
    const streamed = await openai.responses
      .stream({ model, input: question, reasoning: { effort: 'low', summary: 'auto' } })
      .finalResponse()
    expect(streamed.output_text).toBe('391')
    expect(streamed.output.some((item) => item.type === 'reasoning' && item.summary.length > 0)).toBe(true)
    expect(streamed.usage?.output_tokens_details.reasoning_tokens).toBeGreaterThan(0)
    const parsed = await openai.responses.parse({ model, input: 'Name a river.', text: { format: zodTextFormat(River, 'river') } })
    expect(typeof parsed.output_parsed?.km).toBe('number')
  })

  it('embeddings: the same in both encodings, alike for like texts', async () => {
    const input = ['a river in spring', 'a river in spring', 'the price of copper wire']
    const base64 = await openai.embeddings.create({ model: 'box/embed', input })
    const floats = await openai.embeddings.create({ model: 'box/embed', input, encoding_format: 'float' })
    expect(base64.data.map(({ embedding }) => embedding.length)).toEqual(floats.data.map(({ embedding }) => embedding.length))
    const [a, b, c] = floats.data.map(({ embedding }) => embedding)
    expect(a).toEqual(b)
    expect(dot(a, c)).toBeLessThan(dot(a, b))
  })

  it('failures that were asked for', async () => {
    const failing = (name: string) => openai.chat.completions.create({ model: name, messages: [{ role: 'user', content: 'x' }] })
    await expect(failing('box/small?status=429&retry_after=30')).rejects.toThrow(OpenAI.RateLimitError)
    await expect(failing('box/small?status=500')).rejects.toThrow(OpenAI.InternalServerError)
    const stream = await openai.chat.completions.create({
      model,
      stream: true,
      messages: [{ role: 'user', content: 'Tell me. [[sandbox tokens=40 die_after=7]]' }],
    })
    let pieces = 0
    const read = (async () => {
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) pieces++
    })()
    await expect(read).rejects.toThrow(OpenAI.APIError)
    expect(pieces).toBeGreaterThan(0)
  })
})

describe('the Anthropic client and the sandbox', () => {
  it('messages, stream, thinking and tools', async () => {
    const request = { model, max_tokens: 4096, messages: [{ role: 'user' as const, content: question }] }
    expect((await anthropic.messages.create(request)).content).toMatchObject([{ type: 'text', text: '391' }])
    const thought = await anthropic.messages.stream({ ...request, thinking: { type: 'enabled', budget_tokens: 1024 } }).finalMessage()
    expect(thought.content.map(({ type }) => type)).toEqual(['thinking', 'text'])
    expect(thought.stop_reason).toBe('end_turn')
    const called = await anthropic.messages
      .stream({
        ...request,
        messages: [{ role: 'user', content: weather }],
        tools: [{ name: 'get_weather', input_schema: { ...weatherParameters, type: 'object' } }],
      })
      .finalMessage()
    expect(called.stop_reason).toBe('tool_use')
    expect(called.content).toMatchObject([{ type: 'tool_use', name: 'get_weather', input: { city: 'Oslo' } }])
  })

  it('counts no fewer tokens than it then reports, and not many more', async () => {
    const messages = [{ role: 'user' as const, content: 'The quick brown fox jumps over the lazy dog. '.repeat(20) }]
    const counted = await anthropic.messages.countTokens({ model, messages })
    const answer = await anthropic.messages.create({ model, max_tokens: 50, messages })
    const { input_tokens, cache_creation_input_tokens, cache_read_input_tokens } = answer.usage
    const reported = input_tokens + (cache_creation_input_tokens ?? 0) + (cache_read_input_tokens ?? 0)
    expect(counted.input_tokens).toBeGreaterThanOrEqual(reported)
    expect(counted.input_tokens).toBeLessThan(reported * 1.5)
  })
})

describe('the AI SDK and the sandbox', () => {
  const providers = {
    '@ai-sdk/openai': () => createOpenAI({ apiKey: KEY, baseURL: `${bench.url}/v1` })(model),
    '@ai-sdk/anthropic': () => createAnthropic({ apiKey: KEY, baseURL: `${bench.url}/v1` })(model),
    '@ai-sdk/openai-compatible': () =>
      createOpenAICompatible({ name: 'bursar', apiKey: KEY, baseURL: `${bench.url}/v1`, includeUsage: true }).chatModel(model),
  }
  it.each(Object.entries(providers))('%s: text, stream and a loop over tools', async (_name, make) => {
    expect((await generateText({ model: make(), prompt: question })).text).toBe('391')
    const streamed = streamText({ model: make(), prompt: question })
    expect(await streamed.text).toBe('391')
    expect((await streamed.usage).outputTokens).toBeGreaterThan(0)
    const asked: string[] = []
    const looped = await generateText({
      model: make(),
      prompt: weather,
      stopWhen: stepCountIs(4),
      tools: {
        get_weather: tool({
          inputSchema: z.object({ city: z.string(), days: z.number() }),
          execute: ({ city }) => {
            asked.push(city)
            return Promise.resolve('rain for three days')
          },
        }),
      },
    })
    expect(asked).toEqual(['Oslo'])
    expect(looped.finishReason).toBe('stop')
    expect(looped.text).toContain('rain')
  })

  it('embed', async () => {
    const { embedding } = await embed({
      model: createOpenAI({ apiKey: KEY, baseURL: `${bench.url}/v1` }).embeddingModel('box/embed'),
      value: 'a river',
    })
    expect(embedding.length).toBeGreaterThan(10)
  })
})

function dot(a: readonly number[] | undefined, b: readonly number[] | undefined): number {
  if (!a || !b) throw new Error('no vectors')
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0)
}
