import { describe, expect, it } from 'vitest'
import { InvalidRequest } from '../../errors/index.js'
import type { Message, Request } from '../conversation.js'
import { noting, refusing } from '../fixtures/drop-policies.js'
import { decodeMessagesRequest } from './decode-request.js'
import { encodeMessagesRequest } from './encode-request.js'
import { createAnthropicMessages } from './index.js'

function request(changes: Partial<Request>): Request {
  return {
    model: 'x',
    messages: [{ role: 'user', parts: [{ type: 'text', text: 'Hi' }] }],
    maxOutputTokens: 1000,
    stream: false,
    paths: {},
    extra: [],
    ...changes,
  }
}

const old = 'claude-sonnet-4-5'
const current = 'claude-opus-4-8'

function text(role: Message['role'], value: string, at?: string): Message {
  return { role, at, parts: [{ type: 'text', text: value, at }] }
}

describe('a request to Anthropic', () => {
  it('is written whole', () => {
    const body = encodeMessagesRequest(
      request({
        messages: [
          text('developer', 'Rules.'),
          text('system', 'More.'),
          text('user', 'What is it like in Paris and Rome?'),
          {
            role: 'assistant',
            parts: [
              { type: 'text', text: ' \n' },
              { type: 'tool_call', id: 'call_1', name: 'weather', arguments: '{"city":"Paris"}' },
              { type: 'tool_call', id: 'functions.weather:1', name: 'weather', arguments: '' },
            ],
          },
          { role: 'tool', parts: [{ type: 'tool_result', callId: 'functions.weather:1', content: [{ type: 'text', text: 'warm' }] }] },
          { role: 'tool', parts: [{ type: 'tool_result', callId: 'call_1', content: [], isError: true }] },
          text('user', 'Well?'),
        ],
        tools: [{ type: 'function', name: 'weather', parameters: { properties: { city: { type: 'string' } } } }],
        parallelToolCalls: false,
        stop: ['END'],
        user: 'u',
        stream: true,
        temperature: 0.5,
      }),
      old,
      refusing,
    )
    expect(body).toEqual({
      model: old,
      max_tokens: 1000,
      system: [
        { type: 'text', text: 'Rules.' },
        { type: 'text', text: 'More.' },
      ],
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'What is it like in Paris and Rome?' }] },
        {
          role: 'assistant',
          content: [
            { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Paris' } },
            { type: 'tool_use', id: 'functions_2e_weather_3a_1', name: 'weather', input: {} },
          ],
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'functions_2e_weather_3a_1', content: [{ type: 'text', text: 'warm' }] },
            { type: 'tool_result', tool_use_id: 'call_1', is_error: true },
            { type: 'text', text: 'Well?' },
          ],
        },
      ],
      tools: [{ name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }],
      tool_choice: { type: 'auto', disable_parallel_tool_use: true },
      stop_sequences: ['END'],
      metadata: { user_id: 'u' },
      stream: true,
      temperature: 0.5,
    })
  })

  it.each<[string, Partial<Request>, string?]>([
    ['n', { n: 2 }],
    ['seed', { seed: 1 }],
    ['logprobs', { logprobs: { top: 2 } }],
    ['logit_bias', { logitBias: { 5: 1 } }],
    ['frequency_penalty', { frequencyPenalty: 0.5 }],
    ['presence_penalty', { presencePenalty: -0.5 }],
    ['store', { store: true }],
    ['generation.heat', { temperature: 1.2, paths: { temperature: 'generation.heat' } }],
    ['temperature', { temperature: 0 }, current],
    ['top_p', { temperature: 0.5, topP: 0.5 }],
    ['top_k', { topK: 5 }, current],
    ['stop[1]', { stop: ['a', '\n'] }],
    ['stop', { stop: [' '] }],
    ['response_format', { responseFormat: { type: 'json_object' } }],
    ['response_format', { responseFormat: { type: 'json_schema', schema: {} } }, 'claude-3-5-haiku-20241022'],
    ['tools[0]', { tools: [{ type: 'function', name: 'f', strict: true }] }, 'claude-3-7-sonnet'],
    ['service_tier', { serviceTier: 'flex' }],
    ['modalities', { extra: [{ format: 'openai-chat', name: 'modalities', path: 'modalities', value: ['text'] }] }],
    ['tools[0]', { tools: [{ type: 'native', format: 'gemini', value: {}, at: 'tools[0]' }] }],
    ['messages[0].name', { messages: [{ ...text('user', 'x', 'messages[0]'), name: 'bob' }] }],
    [
      'messages[0].content[1]',
      {
        messages: [
          {
            role: 'user',
            parts: [
              { type: 'text', text: 'x' },
              { type: 'audio', source: { kind: 'base64', mediaType: 'audio/wav', data: '' }, at: 'messages[0].content[1]' },
            ],
          },
        ],
      },
    ],
    [
      'messages[0].content[0]',
      {
        messages: [
          { role: 'user', at: 'messages[0]', parts: [{ type: 'image', source: { kind: 'base64', mediaType: 'image/tiff', data: '' } }] },
        ],
      },
    ],
    [
      'messages[0].content[0]',
      { messages: [{ role: 'user', at: 'messages[0]', parts: [{ type: 'file', source: { kind: 'file-id', id: 'file-abc' } }] }] },
    ],
    ['messages[0]', { messages: [{ role: 'user', at: 'messages[0]', parts: [] }] }],
    ['reasoning', { reasoning: { effort: 'high' } }, 'claude-3-5-sonnet-20241022'],
    ['reasoning', { reasoning: { effort: 'none' } }, 'claude-opus-5-5'],
    ['reasoning', { reasoning: { effort: 'low' }, maxOutputTokens: 1200 }],
    ['tool_choice', { toolChoice: 'required', tools: [{ type: 'function', name: 'f' }] }, 'claude-sonnet-5-5'],
  ])('refuses %s when it cannot be said: %j', (path, changes, model = old) => {
    expect(() => encodeMessagesRequest(request(changes), model, refusing)).toThrow(
      expect.objectContaining({ code: 'unsupported_parameter', path }),
    )
    const drop = noting()
    encodeMessagesRequest(request(changes), model, drop)
    expect(drop.dropped).toEqual([path])
  })

  it('lets settings pass that change nothing', () => {
    const changes: Partial<Request> = {
      n: 1,
      temperature: 1,
      topP: 1,
      frequencyPenalty: 0,
      presencePenalty: 0,
      logitBias: {},
      store: false,
      responseFormat: { type: 'text' },
    }
    expect(encodeMessagesRequest(request(changes), current, refusing)).toEqual({
      model: current,
      max_tokens: 1000,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    })
  })

  it('refuses arguments that are no JSON object, whatever may be dropped', () => {
    for (const wrong of ['{"a":', '[1]', '"x"', 'null']) {
      const messages: Message[] = [
        { role: 'assistant', parts: [{ type: 'tool_call', id: 'a', name: 'f', arguments: wrong, at: 'messages[0].tool_calls[0]' }] },
      ]
      expect(() => encodeMessagesRequest(request({ messages }), old, noting())).toThrow(InvalidRequest)
      expect(() => encodeMessagesRequest(request({ messages }), old, noting())).toThrow(
        expect.objectContaining({ path: 'messages[0].tool_calls[0]' }),
      )
    }
  })

  describe('instructions inside the conversation', () => {
    const messages = [
      text('user', 'A', 'messages[0]'),
      text('assistant', 'B', 'messages[1]'),
      text('system', 'C', 'messages[2]'),
      text('user', 'D', 'messages[3]'),
    ]

    it('follow the user message that they belong to, where the model takes them', () => {
      expect(encodeMessagesRequest(request({ messages }), current, refusing)['messages']).toMatchObject([
        { role: 'user' },
        { role: 'assistant' },
        { role: 'user', content: [{ text: 'D' }] },
        { role: 'system', content: [{ type: 'text', text: 'C' }] },
      ])
    })

    it('are told as text of the user elsewhere, and noted', () => {
      const drop = noting()
      expect(encodeMessagesRequest(request({ messages }), old, drop)['messages']).toMatchObject([
        { role: 'user' },
        { role: 'assistant' },
        { role: 'user', content: [{ text: 'D' }, { text: '<system>\nC\n</system>' }] },
      ])
      expect(drop).toMatchObject({ dropped: [], noted: ['messages[2]'] })
    })

    it('become a message of the user behind an answer, where nothing else could carry them', () => {
      const drop = noting()
      expect(encodeMessagesRequest(request({ messages: messages.slice(0, 3) }), current, drop)['messages']).toMatchObject([
        {},
        {},
        { role: 'user', content: [{ text: '<system>\nC\n</system>' }] },
      ])
      expect(drop).toMatchObject({ dropped: [], noted: ['messages[2]'] })
    })

    it('that hold more than text are refused', () => {
      const picture: Message = {
        role: 'system',
        at: 'messages[1]',
        parts: [{ type: 'image', source: { kind: 'url', url: 'https://x/y.png' } }],
      }
      expect(() => encodeMessagesRequest(request({ messages: [text('user', 'A'), picture] }), current, refusing)).toThrow(
        expect.objectContaining({ path: 'messages[1].content[0]' }),
      )
    })
  })

  it('merges answers in a row', () => {
    const messages = [text('user', 'A'), text('assistant', 'B'), text('assistant', 'C'), text('assistant', ''), text('user', 'D')]
    expect(encodeMessagesRequest(request({ messages }), old, refusing)['messages']).toMatchObject([
      { role: 'user' },
      { role: 'assistant', content: [{ text: 'B' }, { text: 'C' }] },
      { role: 'user' },
    ])
  })

  it('keeps the last four cache marks and tells of the others', () => {
    const cache = { ttl: '1h' as const }
    const many = request({
      tools: [{ type: 'function', name: 'f', cache, at: 'tools[0]' }],
      messages: [
        { role: 'system', parts: [{ type: 'text', text: 's', cache, at: 'system[0]' }] },
        {
          role: 'user',
          parts: [0, 1, 2].map((index) => ({ type: 'text' as const, text: `t${index}`, cache, at: `messages[0].content[${index}]` })),
        },
      ],
    })
    const drop = noting()
    const body = encodeMessagesRequest(many, old, drop)
    expect(drop).toMatchObject({ dropped: [], noted: ['tools[0].cache_control'] })
    expect(body['tools']).toEqual([{ name: 'f', input_schema: { type: 'object', properties: {} } }])
    expect(JSON.stringify(body).match(/"cache_control":\{"type":"ephemeral","ttl":"1h"\}/g)).toHaveLength(4)
  })

  it('sends its own reasoning back and leaves that of others out, noted', () => {
    const drop = noting()
    const messages: Message[] = [
      text('user', 'Q'),
      {
        role: 'assistant',
        at: 'messages[1]',
        parts: [
          { type: 'reasoning', text: 'ours', signature: 'S', signatureFormat: 'anthropic-messages' },
          { type: 'reasoning', text: '', signature: 'R', signatureFormat: 'anthropic-messages', redacted: true },
          { type: 'reasoning', text: 'theirs', signature: 'G', signatureFormat: 'gemini' },
          { type: 'reasoning', text: 'unsealed' },
          { type: 'text', text: 'A' },
        ],
      },
    ]
    expect(encodeMessagesRequest(request({ messages }), old, drop)['messages']).toMatchObject([
      {},
      {
        content: [
          { type: 'thinking', thinking: 'ours', signature: 'S' },
          { type: 'redacted_thinking', data: 'R' },
          { type: 'text', text: 'A' },
        ],
      },
    ])
    expect(drop.dropped).toEqual([])
    expect(drop.noted).toEqual(['messages[1].content[2]', 'messages[1].content[3]'])
  })

  describe('reasoning', () => {
    const cases: [string, string, Partial<Request>, Record<string, unknown>][] = [
      [
        'a budget for an effort',
        old,
        { reasoning: { effort: 'medium' }, maxOutputTokens: 20_000 },
        { max_tokens: 20_000, thinking: { type: 'enabled', budget_tokens: 8192 } },
      ],
      [
        'at most three quarters of the maximum',
        old,
        { reasoning: { effort: 'high' }, maxOutputTokens: 4000 },
        { max_tokens: 4000, thinking: { type: 'enabled', budget_tokens: 3000 } },
      ],
      [
        'room where the caller gives no maximum',
        old,
        { reasoning: { effort: 'low' }, maxOutputTokens: undefined },
        { max_tokens: 5120, thinking: { type: 'enabled', budget_tokens: 1024 } },
      ],
      [
        'the budget asked for',
        old,
        { reasoning: { maxTokens: 1500 }, maxOutputTokens: 4000 },
        { max_tokens: 4000, thinking: { type: 'enabled', budget_tokens: 1500 } },
      ],
      [
        'the same effort, whole, where the caller gives no maximum',
        old,
        { reasoning: { effort: 'high' }, maxOutputTokens: undefined },
        { max_tokens: 28_672, thinking: { type: 'enabled', budget_tokens: 24_576 } },
      ],
      [
        'as much as every model takes',
        old,
        { reasoning: { effort: 'max' }, maxOutputTokens: undefined },
        { max_tokens: 32_000, thinking: { type: 'enabled', budget_tokens: 27_904 } },
      ],
      [
        'almost all of the maximum, where the caller says so',
        old,
        { reasoning: { maxTokens: 31_999 }, maxOutputTokens: 32_000 },
        { max_tokens: 32_000, thinking: { type: 'enabled', budget_tokens: 31_999 } },
      ],
      [
        'a budget beyond the maximum',
        old,
        { reasoning: { maxTokens: 8000 }, maxOutputTokens: 8000 },
        { max_tokens: 8000, thinking: { type: 'enabled', budget_tokens: 6000 } },
      ],
      [
        'a budget below the least',
        old,
        { reasoning: { maxTokens: 500 }, maxOutputTokens: 8000 },
        { max_tokens: 8000, thinking: { type: 'enabled', budget_tokens: 1024 } },
      ],
      [
        'room for a budget without a maximum',
        old,
        { reasoning: { maxTokens: 60_000 }, maxOutputTokens: undefined },
        { max_tokens: 64_096, thinking: { type: 'enabled', budget_tokens: 60_000 } },
      ],
      [
        'an effort for a budget, where the model knows no budgets',
        current,
        { reasoning: { maxTokens: 10_000 } },
        { max_tokens: 1000, thinking: { type: 'adaptive' }, output_config: { effort: 'medium' } },
      ],
      ['no tokens', old, { reasoning: { maxTokens: 0 } }, { max_tokens: 1000, thinking: { type: 'disabled' } }],
      ['a ceiling at a model that does not think', 'claude-3-5-haiku-20241022', { reasoning: { maxTokens: 31_999 } }, { max_tokens: 1000 }],
      ['none', old, { reasoning: { effort: 'none' } }, { max_tokens: 1000, thinking: { type: 'disabled' } }],
      [
        'both for Opus 4.5',
        'claude-opus-4-5',
        { reasoning: { effort: 'xhigh' }, maxOutputTokens: 40_000 },
        { max_tokens: 40_000, thinking: { type: 'enabled', budget_tokens: 30_000 }, output_config: { effort: 'high' } },
      ],
      [
        'an effort for 4.6',
        'claude-sonnet-4-6',
        { reasoning: { effort: 'minimal' } },
        { max_tokens: 1000, thinking: { type: 'adaptive' }, output_config: { effort: 'low' } },
      ],
      [
        'a budget for 4.6',
        'claude-sonnet-4-6',
        { reasoning: { maxTokens: 2000 }, maxOutputTokens: 5000 },
        { max_tokens: 5000, thinking: { type: 'enabled', budget_tokens: 2000 } },
      ],
      [
        'an effort for 4.8',
        current,
        { reasoning: { effort: 'xhigh', visible: true } },
        { max_tokens: 1000, thinking: { type: 'adaptive', display: 'summarized' }, output_config: { effort: 'xhigh' } },
      ],
      [
        'a date is no version',
        'claude-opus-4-20250514',
        { reasoning: { effort: 'low' }, maxOutputTokens: 9000 },
        { max_tokens: 9000, thinking: { type: 'enabled', budget_tokens: 1024 } },
      ],
      [
        'a compatible server',
        'glm-5',
        { reasoning: { effort: 'low' }, maxOutputTokens: 9000 },
        { max_tokens: 9000, thinking: { type: 'enabled', budget_tokens: 1024 } },
      ],
    ]
    it.each(cases)('%s', (_name, model, changes, expected) => {
      const { messages: _messages, model: _model, ...rest } = encodeMessagesRequest(request(changes), model, noting())
      expect(rest).toEqual(expected)
    })

    it('stands back where a tool call is forced', () => {
      const changes: Partial<Request> = {
        reasoning: { effort: 'max' },
        maxOutputTokens: 9000,
        toolChoice: 'required',
        tools: [{ type: 'function', name: 'f' }],
      }
      const drop = noting()
      expect(encodeMessagesRequest(request(changes), old, drop)).not.toHaveProperty('thinking')
      expect(encodeMessagesRequest(request(changes), current, drop)).toMatchObject({
        thinking: { type: 'disabled' },
        output_config: { effort: 'high' },
      })
      expect(drop).toMatchObject({ dropped: [], noted: ['reasoning', 'reasoning'] })
    })

    it('stands back in a tool loop that came without thinking, for models that refusing it', () => {
      const loop = request({
        maxOutputTokens: 9000,
        reasoning: { effort: 'low' },
        messages: [
          text('user', 'Q'),
          { role: 'assistant', parts: [{ type: 'tool_call', id: 'a', name: 'f', arguments: '{}' }] },
          { role: 'tool', parts: [{ type: 'tool_result', callId: 'a', content: [] }] },
        ],
      })
      const drop = noting()
      expect(encodeMessagesRequest(loop, old, drop)).not.toHaveProperty('thinking')
      expect(drop.noted).toEqual(['reasoning'])
      expect(encodeMessagesRequest(loop, current, refusing)).toHaveProperty('thinking', { type: 'adaptive' })
    })
  })

  it('asks the catalog for the maximum', () => {
    const codec = createAnthropicMessages({ defaultMaxTokens: (model) => (model === old ? 64_000 : undefined) })
    expect(codec.encodeRequest(request({ maxOutputTokens: undefined }), old, refusing)['max_tokens']).toBe(64_000)
    expect(codec.encodeRequest(request({ maxOutputTokens: undefined }), current, refusing)['max_tokens']).toBe(4096)
  })

  it('closes the schema of structured output and tells limits in words', () => {
    const drop = noting()
    const schema = {
      type: 'object',
      properties: {
        age: { type: 'integer', minimum: 0, description: 'Years.' },
        tags: { type: 'array', items: { type: 'object', properties: {} }, minItems: 3 },
      },
    }
    expect(
      encodeMessagesRequest(request({ responseFormat: { type: 'json_schema', schema, description: 'A person.' } }), old, drop)[
        'output_config'
      ],
    ).toEqual({
      format: {
        type: 'json_schema',
        schema: {
          type: 'object',
          description: 'A person.',
          additionalProperties: false,
          properties: {
            age: { type: 'integer', description: 'Years.\n(minimum: 0)' },
            tags: { type: 'array', items: { type: 'object', properties: {}, additionalProperties: false }, description: '(minItems: 3)' },
          },
        },
      },
    })
    expect(drop.noted).toEqual(['response_format'])
  })

  it('gives fields of its own format back where they stood', () => {
    const body = {
      model: current,
      max_tokens: 50,
      system: 'Be brief.',
      messages: [
        {
          role: 'user',
          content: [{ type: 'document', source: { type: 'url', url: 'https://x/y.pdf' }, citations: { enabled: true }, context: 'c' }],
        },
        { role: 'assistant', content: [{ type: 'text', text: 'See.', citations: [{ type: 'page_location' }] }] },
        { role: 'user', content: 'More' },
      ],
      tools: [
        { name: 'f', input_schema: { type: 'object', properties: {} }, defer_loading: true },
        { type: 'bash_20250124', name: 'bash' },
      ],
      container: 'c-1',
      metadata: { user_id: 'u', tier: 'gold' },
      output_config: { effort: 'high', task_budget: { total: 5 } },
      thinking: { type: 'adaptive', display: 'summarized' },
      mcp_servers: [],
    }
    expect(encodeMessagesRequest(decodeMessagesRequest(body), current, refusing)).toEqual(body)
  })
})
