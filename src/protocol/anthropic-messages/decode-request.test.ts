import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { InvalidRequest } from '../../errors/index.js'
import { decodeCountTokensRequest, decodeMessagesRequest } from './decode-request.js'
import { messagesRequestSchema } from './schema.js'

const minimal = { model: 'claude-opus-4-8', max_tokens: 100, messages: [{ role: 'user', content: 'Hello' }] }

function fault(body: Record<string, unknown>): InvalidRequest {
  try {
    decodeMessagesRequest(body)
  } catch (error) {
    if (error instanceof InvalidRequest) return error
    throw error
  }
  throw new Error('the body was accepted')
}

describe('a body of /v1/messages', () => {
  it('becomes a canonical request that knows the paths of its fields', () => {
    const request = decodeMessagesRequest({
      ...minimal,
      system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
      temperature: 0.3,
      top_p: 0.9,
      top_k: 40,
      stop_sequences: ['END'],
      stream: true,
      service_tier: 'standard_only',
      metadata: { user_id: 'u-1' },
      tools: [
        {
          name: 'search',
          description: 'Finds.',
          input_schema: { type: 'object', properties: {} },
          strict: true,
          cache_control: { type: 'ephemeral' },
        },
        { type: 'web_search_20250305', name: 'web_search', max_uses: 2 },
      ],
      tool_choice: { type: 'tool', name: 'search', disable_parallel_tool_use: true },
      output_config: { effort: 'high', format: { type: 'json_schema', schema: { type: 'object' } } },
      thinking: { type: 'adaptive', display: 'omitted' },
      container: 'c-1',
    })
    expect(request).toMatchObject({
      model: 'claude-opus-4-8',
      maxOutputTokens: 100,
      temperature: 0.3,
      topP: 0.9,
      topK: 40,
      stop: ['END'],
      stream: true,
      serviceTier: 'default',
      user: 'u-1',
      toolChoice: { name: 'search' },
      parallelToolCalls: false,
      reasoning: { effort: 'high', visible: false },
      responseFormat: { type: 'json_schema', schema: { type: 'object' } },
      messages: [
        { role: 'system', at: 'system', parts: [{ type: 'text', text: 'Be brief.', at: 'system[0]', cache: { ttl: '1h' } }] },
        { role: 'user', at: 'messages[0]', parts: [{ type: 'text', text: 'Hello', at: 'messages[0].content' }] },
      ],
      tools: [
        {
          type: 'function',
          name: 'search',
          description: 'Finds.',
          parameters: { type: 'object', properties: {} },
          strict: true,
          cache: {},
          at: 'tools[0]',
        },
        {
          type: 'native',
          format: 'anthropic-messages',
          value: { type: 'web_search_20250305', name: 'web_search', max_uses: 2 },
          at: 'tools[1]',
        },
      ],
      extra: [{ format: 'anthropic-messages', name: 'container', path: 'container', value: 'c-1' }],
    })
    expect(request.paths).toMatchObject({
      maxOutputTokens: 'max_tokens',
      temperature: 'temperature',
      topK: 'top_k',
      stop: 'stop_sequences',
      toolChoice: 'tool_choice',
      parallelToolCalls: 'tool_choice.disable_parallel_tool_use',
      reasoning: 'thinking',
      'reasoning.effort': 'output_config.effort',
      responseFormat: 'output_config.format',
      user: 'metadata.user_id',
    })
  })

  it('reads every kind of block', () => {
    const { messages, extra } = decodeMessagesRequest({
      ...minimal,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
            { type: 'image', source: { type: 'url', url: 'https://example.org/a.png' } },
            { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'naïve' }, title: 'Notes', context: 'old' },
            { type: 'document', source: { type: 'content', content: 'x' } },
            { type: 'document', source: { type: 'file', file_id: 'file_1' } },
          ],
        },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' },
            { type: 'redacted_thinking', data: 'ZGF0YQ==' },
            { type: 'text', text: 'See.', citations: [{ type: 'char_location' }] },
            { type: 'server_tool_use', id: 's1', name: 'web_search', input: { query: 'x' } },
            { type: 'tool_use', id: 't1', name: 'f', input: { a: [1] }, caller: { type: 'direct' } },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 't1', content: [{ type: 'text', text: 'bad' }], is_error: true },
            { type: 'tool_result', tool_use_id: 't2', content: 'plain' },
            { type: 'tool_result', tool_use_id: 't3' },
            { type: 'tool_result', tool_use_id: 't4', content: [{ type: 'tool_reference', tool_name: 'f' }] },
          ],
        },
        { role: 'system', content: 'Now in French.' },
      ],
    })
    expect(messages.map((message) => message.parts)).toMatchObject([
      [
        { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' }, at: 'messages[0].content[0]' },
        { type: 'image', source: { kind: 'url', url: 'https://example.org/a.png' } },
        { type: 'file', source: { kind: 'base64', mediaType: 'text/plain', data: Buffer.from('naïve').toString('base64') }, name: 'Notes' },
        { type: 'native', format: 'anthropic-messages' },
        { type: 'file', source: { kind: 'file-id', id: 'file_1' } },
      ],
      [
        { type: 'reasoning', text: 'Hm.', signature: 'c2ln', signatureFormat: 'anthropic-messages' },
        { type: 'reasoning', text: '', signature: 'ZGF0YQ==', signatureFormat: 'anthropic-messages', redacted: true },
        { type: 'text', text: 'See.' },
        { type: 'native', format: 'anthropic-messages', value: { type: 'server_tool_use', id: 's1' } },
        { type: 'tool_call', id: 't1', name: 'f', arguments: '{"a":[1]}', at: 'messages[1].content[4]' },
      ],
      [
        {
          type: 'tool_result',
          callId: 't1',
          content: [{ type: 'text', text: 'bad', at: 'messages[2].content[0].content[0]' }],
          isError: true,
        },
        { type: 'tool_result', callId: 't2', content: [{ type: 'text', text: 'plain' }] },
        { type: 'tool_result', callId: 't3', content: [] },
        { type: 'native', format: 'anthropic-messages', value: { tool_use_id: 't4' } },
      ],
      [{ type: 'text', text: 'Now in French.' }],
    ])
    expect(extra.map((field) => field.path)).toEqual(['messages[0].content[2].context', 'messages[1].content[2].citations'])
  })

  it.each<[string, Record<string, unknown>]>([
    ['max_tokens', { model: 'm', messages: minimal.messages }],
    ['max_tokens', { ...minimal, max_tokens: '5' }],
    ['max_tokens', { ...minimal, max_tokens: 1.5 }],
    ['model', { max_tokens: 1, messages: minimal.messages }],
    ['messages', { ...minimal, messages: 'hi' }],
    ['messages', { ...minimal, messages: [] }],
    ['messages[0].role', { ...minimal, messages: [{ role: 'robot', content: 'x' }] }],
    ['messages[0].content', { ...minimal, messages: [{ role: 'user', content: 5 }] }],
    ['messages[0].content', { ...minimal, messages: [{ role: 'user' }] }],
    ['messages[0].content[0].text', { ...minimal, messages: [{ role: 'user', content: [{ type: 'text' }] }] }],
    ['messages[0].content[0].type', { ...minimal, messages: [{ role: 'user', content: [{ text: 'x' }] }] }],
    [
      'messages[0].content[1].source.data',
      {
        ...minimal,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'a' },
              { type: 'image', source: { type: 'base64', media_type: 'image/png' } },
            ],
          },
        ],
      },
    ],
    [
      'messages[0].content[0].input',
      { ...minimal, messages: [{ role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'b', input: 'c' }] }] },
    ],
    [
      'messages[0].content[0].content[0].text',
      {
        ...minimal,
        messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 1 }] }] }],
      },
    ],
    [
      'messages[0].content[0].cache_control.ttl',
      { ...minimal, messages: [{ role: 'user', content: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '2h' } }] }] },
    ],
    ['system[0].text', { ...minimal, system: [{ type: 'text', text: null }] }],
    ['temperature', { ...minimal, temperature: 1.5 }],
    ['stop_sequences[1]', { ...minimal, stop_sequences: ['a', 1] }],
    ['tools[0].input_schema.type', { ...minimal, tools: [{ name: 'f', input_schema: { type: 'string' } }] }],
    ['tools[0].input_schema', { ...minimal, tools: [{ type: 'custom', name: 'f' }] }],
    ['tool_choice.type', { ...minimal, tool_choice: { type: 'some' } }],
    ['tool_choice.name', { ...minimal, tool_choice: { type: 'tool' } }],
    ['thinking.budget_tokens', { ...minimal, thinking: { type: 'enabled' } }],
    ['thinking.budget_tokens', { ...minimal, thinking: { type: 'enabled', budget_tokens: 5 } }],
    ['stream', { ...minimal, stream: 'yes' }],
    ['metadata.user_id', { ...minimal, metadata: { user_id: 7 } }],
  ])('refuses a wrong %s with its path', (path, body) => {
    const error = fault(body)
    expect(error.path).toBe(path)
    expect(error.status).toBe(400)
    expect(error.message).toContain(path)
  })

  it('counts tokens of a body without max_tokens', () => {
    const { max_tokens: _none, ...body } = minimal
    expect(decodeCountTokensRequest(body)).toMatchObject({ model: 'claude-opus-4-8', maxOutputTokens: undefined })
  })

  it('has a schema that documentation can be made from', () => {
    const schema: unknown = z.toJSONSchema(messagesRequestSchema, { io: 'input' })
    const fields = z
      .object({ properties: z.record(z.string(), z.looseObject({ description: z.string().min(10) })), required: z.array(z.string()) })
      .parse(schema)
    expect(fields.required.sort()).toEqual(['max_tokens', 'messages', 'model'])
    expect(Object.keys(fields.properties)).toEqual(Object.keys(messagesRequestSchema.shape))
  })
})
