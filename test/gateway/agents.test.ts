import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chatReply, chatStream, geminiReply, geminiStream, messagesReply, responsesStream } from '../upstream/index.js'
import { dataOf, startBench, type Bench } from './harness.js'

/** What coding agents need of the whole gateway, where the format of the provider is not theirs. */

let bench: Bench
beforeAll(async () => {
  bench = await startBench((config, upstream) => {
    const openai = { type: 'openai', base_url: `${upstream.url}/v1`, api_key: 'sk-up' }
    config['providers'] = {
      openai,
      answers: { ...openai, formats: ['openai-responses'] },
      ant: { type: 'anthropic', base_url: upstream.url, api_key: 'sk-up' },
      gem: { type: 'gemini', base_url: `${upstream.url}/v1beta`, api_key: 'sk-up' },
    }
    config['models'] = {
      coder: 'openai/gpt-4o',
      thinker: 'openai/gpt-5',
      responder: 'answers/gpt-5',
      flash: 'gem/gemini-2.5-flash',
      claude: 'ant/claude-sonnet-4-5',
    }
    config['prices'] = {}
  })
})
afterAll(() => bench.close())
beforeEach(() => bench.upstream.reset())

const claudeCode = (model: string): Record<string, unknown> => ({
  model,
  max_tokens: 32_000,
  thinking: { type: 'enabled', budget_tokens: 31_999 },
  metadata: { user_id: `user_${'f'.repeat(80)}` },
  context_management: { edits: [] },
  system: [
    { type: 'text', text: 'x-anthropic-billing-header: cch=1;' },
    { type: 'text', text: 'Code.', cache_control: { type: 'ephemeral' } },
  ],
  messages: [{ role: 'user', content: 'Hi' }],
})

describe('Claude Code', () => {
  it('is served by a model that writes less than it asks for and does not think', async () => {
    bench.upstream.enqueue(chatReply({ text: 'Yes.' }))
    const response = await bench.post('/v1/messages?beta=true', claudeCode('coder'), { 'anthropic-beta': 'context-management-2025-06-27' })
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ content: [{ type: 'text', text: 'Yes.' }] })
    expect(bench.upstream.last.json).toMatchObject({
      max_completion_tokens: 16_384,
      messages: [
        { role: 'system', content: 'Code.' },
        { role: 'user', content: 'Hi' },
      ],
    })
    expect(bench.upstream.last.json).not.toHaveProperty('reasoning_effort')
    const warning = response.headers.get('x-bursar-warning') ?? ''
    for (const path of ['max_tokens', 'thinking.budget_tokens', 'metadata.user_id', 'context_management', 'system[0]'])
      expect(warning).toContain(path)
  })

  it('is served by a model that thinks, streaming, in chat completions and in Responses', async () => {
    bench.upstream.enqueue(chatStream({ text: ['Y', 'es.'] }))
    const chat = await bench.post('/v1/messages', { ...claudeCode('thinker'), stream: true })
    expect(await chat.text()).toContain('message_stop')
    expect(bench.upstream.last.json).toMatchObject({ reasoning_effort: 'high', max_completion_tokens: 32_000 })
    bench.upstream.enqueue(responsesStream({ text: ['Y', 'es.'] }))
    const responses = await bench.post('/v1/messages', { ...claudeCode('responder'), stream: true })
    expect(await responses.text()).toContain('message_stop')
    expect(bench.upstream.last.path).toBe('/v1/responses')
    expect(bench.upstream.last.json).toMatchObject({ reasoning: { effort: 'high' }, max_output_tokens: 32_000, store: false })
  })
})

const calls = [
  { id: 'c1', name: 'f', arguments: '{"id":1234567890123456789}' },
  { id: 'c2', name: 'f', arguments: '{"id":2}' },
]
const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: { id: { type: 'integer' } } } } }]
const asked = { messages: [{ role: 'user', content: 'Hi' }], tools }

/** Numbers of an object body, which the scripted upstream would round: the digits are put in by hand. */
const withDigits = (body: unknown): string => JSON.stringify(body).replaceAll('1234567890123456800', '1234567890123456789')

describe('calls of tools', () => {
  it.each([false, true])('come one at a time where the caller asks for that and Gemini gives more (streaming: %s)', async (stream) => {
    bench.upstream.enqueue(stream ? geminiStream({ toolCalls: calls }) : geminiReply({ toolCalls: calls }))
    const response = await bench.post('/v1/chat/completions', { model: 'flash', ...asked, parallel_tool_calls: false, stream })
    expect(response.headers.get('x-bursar-warning')).toContain('parallel_tool_calls')
    const text = await response.text()
    expect(text).toContain('"c1"')
    expect(text).not.toContain('"c2"')
    expect(text).toContain('"finish_reason":"tool_calls"')
    if (stream) expect(dataOf(text).at(-1)).toBe('[DONE]')
  })

  it('keep every digit of a 64-bit id on the way out and back', async () => {
    const reply = messagesReply({ toolCalls: calls })
    bench.upstream.enqueue({ ...reply, headers: { 'content-type': 'application/json' }, body: withDigits(reply.body) })
    const response = await bench.post('/v1/chat/completions', { model: 'claude', ...asked })
    const body = (await response.json()) as { choices: { message: { tool_calls: { function: { arguments: string } }[] } }[] }
    const message = body.choices[0]?.message
    expect(message?.tool_calls[0]?.function.arguments).toBe(calls[0]?.arguments)
    bench.upstream.enqueue(messagesReply({ text: 'Done.' }))
    const messages = [...asked.messages, message, ...calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'ok' }))]
    await bench.post('/v1/chat/completions', { model: 'claude', ...asked, messages })
    expect(bench.upstream.last.body.toString()).toContain('"input":{"id":1234567890123456789}')
  })

  it('keep them for a caller that holds arguments as JSON', async () => {
    bench.upstream.enqueue(chatReply({ toolCalls: calls }))
    const response = await bench.post('/v1/messages', {
      model: 'coder',
      max_tokens: 100,
      messages: asked.messages,
      tools: [{ name: 'f', input_schema: { type: 'object' } }],
    })
    expect(await response.text()).toContain('"input":{"id":1234567890123456789}')
  })
})
