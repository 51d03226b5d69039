import Anthropic from '@anthropic-ai/sdk'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { noUsage, usd } from '../../quantities/index.js'
import type { Request } from '../conversation.js'
import type { Delta, Reply } from '../reply.js'
import { anthropicMessages } from './index.js'

/** What the official client makes of what we write, over a real connection. */

const servers: Server[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((closed) => server.close(closed))))
})

async function client(status: number, type: string, pieces: readonly string[]): Promise<Anthropic> {
  const server = createServer((incoming, outgoing) => {
    incoming.resume()
    outgoing.writeHead(status, { 'content-type': type })
    for (const piece of pieces) outgoing.write(piece)
    outgoing.end()
  })
  servers.push(server)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return new Anthropic({ apiKey: 'k', baseURL: `http://127.0.0.1:${port}`, maxRetries: 0 })
}

const asked = { model: 'm', max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hi' }] }
const request: Request = { model: 'm', messages: [], stream: true, paths: {}, extra: [] }
const usage = { ...noUsage, inputTokens: 11, cacheReadTokens: 5, cacheWrite5mTokens: 2, outputTokens: 9, reasoningTokens: 4 }
const cost = { usd: usd('0.001'), details: { output: usd('0.001') } }
const reply: Reply = {
  id: 'msg_1',
  model: 'served',
  created: 1,
  reported: { usage },
  choices: [
    {
      finish: 'tool_calls',
      parts: [
        { type: 'reasoning', text: 'Two cities, two calls.', signature: 'c2ln', signatureFormat: 'anthropic-messages' },
        { type: 'reasoning', text: '', signature: 'c2VhbGVk', signatureFormat: 'anthropic-messages', redacted: true },
        { type: 'text', text: 'Let me look. 🦊' },
        { type: 'tool_call', id: 'toolu_1', name: 'weather', arguments: '{"city":"Paris","days":[1,2]}' },
        { type: 'tool_call', id: 'toolu_2', name: 'weather', arguments: '{"city":"Rome"}' },
        { type: 'tool_call', id: 'toolu_3', name: 'now', arguments: '' },
      ],
    },
  ],
}
const deltas: Delta[] = [
  { type: 'start', id: 'msg_1', model: 'served', created: 1 },
  { type: 'reasoning', choice: 0, part: 0, text: 'Two cities, ' },
  { type: 'reasoning', choice: 0, part: 0, text: 'two calls.' },
  { type: 'reasoning_signature', choice: 0, part: 0, signature: 'c2ln', signatureFormat: 'anthropic-messages' },
  { type: 'reasoning_signature', choice: 0, part: 1, signature: 'c2VhbGVk', signatureFormat: 'anthropic-messages', redacted: true },
  { type: 'text', choice: 0, part: 2, text: 'Let me ' },
  { type: 'text', choice: 0, part: 2, text: 'look. 🦊' },
  { type: 'tool_call', choice: 0, part: 3, id: 'toolu_1', name: 'weather' },
  { type: 'tool_call', choice: 0, part: 4, id: 'toolu_2', name: 'weather' },
  { type: 'tool_call', choice: 0, part: 5, id: 'toolu_3', name: 'now' },
  { type: 'tool_arguments', choice: 0, part: 4, json: '{"city":' },
  { type: 'tool_arguments', choice: 0, part: 3, json: '{"city":"Paris",' },
  { type: 'tool_arguments', choice: 0, part: 4, json: '"Rome"}' },
  { type: 'tool_arguments', choice: 0, part: 3, json: '"days":[1,2]}' },
  { type: 'finish', choice: 0, reason: 'tool_calls' },
]

describe('the official client', () => {
  it('builds from our stream the answer that we give whole, with parallel calls and thinking', async () => {
    const encoder = anthropicMessages.createStreamEncoder(request, 'x')
    const pieces = deltas.flatMap((delta) => [encoder.push(delta), anthropicMessages.keepAlive])
    pieces.push(encoder.end({ usage, cost }))
    const streamed = (await client(200, 'text/event-stream', pieces)).messages.stream(asked)
    const texts: string[] = []
    let last: unknown
    streamed.on('text', (text) => texts.push(text))
    streamed.on('streamEvent', (event) => {
      if (event.type === 'message_delta') last = event.usage
    })
    const message = await streamed.finalMessage()

    const body = anthropicMessages.encodeReply(reply, { request, usage, cost, id: 'x' })
    const whole = await (await client(200, 'application/json', [JSON.stringify(body)])).messages.create(asked)
    expect(whole.content).toMatchObject([
      { type: 'thinking', thinking: 'Two cities, two calls.', signature: 'c2ln' },
      { type: 'redacted_thinking', data: 'c2VhbGVk' },
      { type: 'text', text: 'Let me look. 🦊' },
      { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Paris', days: [1, 2] } },
      { type: 'tool_use', id: 'toolu_2', name: 'weather', input: { city: 'Rome' } },
      { type: 'tool_use', id: 'toolu_3', name: 'now', input: {} },
    ])
    const { usage: wholeUsage, ...wholeRest } = JSON.parse(JSON.stringify(whole)) as typeof whole
    const { usage: streamUsage, ...streamRest } = JSON.parse(JSON.stringify(message)) as typeof message
    // `parsed_output` is the client's own.
    expect(streamRest).toEqual({ ...wholeRest, parsed_output: null })
    expect(texts).toEqual(['Let me ', 'look. 🦊'])
    // The client's own message takes over the counts it knows; what stands beside them reaches it in the event.
    expect(streamUsage).toMatchObject({
      input_tokens: 11,
      cache_read_input_tokens: 5,
      cache_creation_input_tokens: 2,
      output_tokens: 13,
      output_tokens_details: { thinking_tokens: 4 },
    })
    expect(last).toEqual(wholeUsage)
    expect(wholeUsage).toMatchObject({ cost: 0.001, cost_details: { output: 0.001 } })
  })

  it('throws when our stream ends in an error event', async () => {
    const encoder = anthropicMessages.createStreamEncoder(request, 'x')
    const pieces = deltas.slice(0, 6).map((delta) => encoder.push(delta))
    pieces.push(
      anthropicMessages.encodeStreamError(new BursarError('The provider went away.', { code: 'stream_truncated', status: 502 }), 'req-1'),
    )
    const streamed = (await client(200, 'text/event-stream', pieces)).messages.stream(asked)
    await expect(streamed.finalMessage()).rejects.toMatchObject({
      type: 'api_error',
      error: { error: { truncated: true, code: 'stream_truncated' }, request_id: 'req-1' },
    })
  })

  it.each([
    [400, Anthropic.BadRequestError],
    [401, Anthropic.AuthenticationError],
    [403, Anthropic.PermissionDeniedError],
    [404, Anthropic.NotFoundError],
    [429, Anthropic.RateLimitError],
    [500, Anthropic.InternalServerError],
  ])('knows our error of status %i', async (status, kind) => {
    const body = anthropicMessages.encodeError(new BursarError('Because.', { code: 'internal_error', status, path: 'model' }), 'r')
    const refused = (await client(status, 'application/json', [JSON.stringify(body)])).messages.create(asked)
    await expect(refused).rejects.toBeInstanceOf(kind)
    await expect(refused).rejects.toMatchObject({ status, error: { error: { message: 'Because.', path: 'model' } } })
  })
})
