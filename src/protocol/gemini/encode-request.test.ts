import { describe, expect, it } from 'vitest'
import { InvalidRequest } from '../../errors/index.js'
import type { Message, Request } from '../conversation.js'
import { noting, refusing } from '../fixtures/drop-policies.js'
import { encodeGeminiRequest } from './encode-request.js'

function text(role: Message['role'], value: string, at?: string): Message {
  return { role, at, parts: [{ type: 'text', text: value, at }] }
}

function request(changes: Partial<Request>): Request {
  return { model: 'x', messages: [text('user', 'Hi')], stream: false, paths: {}, extra: [], ...changes }
}

const second = 'gemini-2.5-flash'
const third = 'gemini-3-flash-preview'

describe('a request to Gemini', () => {
  it('is written whole', () => {
    const body = encodeGeminiRequest(
      request({
        stream: true,
        messages: [
          text('system', 'Rules.'),
          text('developer', 'More.'),
          {
            role: 'user',
            parts: [
              { type: 'text', text: 'Look' },
              { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' } },
            ],
          },
          {
            role: 'assistant',
            parts: [
              { type: 'reasoning', text: 'Hm', signature: 'dGhvdWdodA==', signatureFormat: 'gemini' },
              { type: 'text', text: 'I will.' },
              { type: 'reasoning', text: '', signature: 'dGV4dA==', signatureFormat: 'gemini', redacted: true },
              { type: 'tool_call', id: 'call_1', name: 'weather', arguments: '{"city":"Paris"}', signature: 'c2ln' },
              { type: 'tool_call', id: 'bursar_g_r1_0', name: 'now', arguments: '' },
            ],
          },
          {
            role: 'tool',
            parts: [
              {
                type: 'tool_result',
                callId: 'bursar_g_r1_0',
                content: [
                  { type: 'text', text: 'noon' },
                  { type: 'text', text: 'CET' },
                ],
              },
            ],
          },
          {
            role: 'user',
            parts: [
              { type: 'tool_result', callId: 'call_1', content: [{ type: 'text', text: 'no' }], isError: true },
              { type: 'text', text: 'So?' },
            ],
          },
        ],
        tools: [
          {
            type: 'function',
            name: 'weather',
            description: 'Tells.',
            parameters: { $schema: 's', type: 'object', properties: { city: { type: 'string' } } },
          },
          { type: 'function', name: 'now' },
          { type: 'native', format: 'gemini', value: { googleSearch: {} } },
        ],
        toolChoice: { name: 'weather' },
        maxOutputTokens: 100,
        temperature: 1.5,
        topP: 0.9,
        topK: 20,
        seed: 7,
        n: 2,
        presencePenalty: 0.5,
        frequencyPenalty: -0.5,
        stop: ['END'],
        logprobs: { top: 3 },
        responseFormat: { type: 'json_schema', schema: { type: 'object' }, description: 'A thing.' },
        serviceTier: 'flex',
      }),
      third,
      refusing,
    )
    expect(body).toEqual({
      systemInstruction: { parts: [{ text: 'Rules.' }, { text: 'More.' }] },
      contents: [
        { role: 'user', parts: [{ text: 'Look' }, { inlineData: { mimeType: 'image/png', data: 'AAAA' } }] },
        {
          role: 'model',
          parts: [
            { text: 'Hm', thought: true, thoughtSignature: 'dGhvdWdodA==' },
            { text: 'I will.' },
            { text: '', thoughtSignature: 'dGV4dA==' },
            { functionCall: { id: 'call_1', name: 'weather', args: { city: 'Paris' } }, thoughtSignature: 'c2ln' },
            { functionCall: { name: 'now', args: {} } },
          ],
        },
        {
          role: 'user',
          parts: [
            { functionResponse: { name: 'now', response: { output: 'noon\nCET' } } },
            { functionResponse: { id: 'call_1', name: 'weather', response: { error: 'no' } } },
          ],
        },
        { role: 'user', parts: [{ text: 'So?' }] },
      ],
      tools: [
        {
          functionDeclarations: [
            { name: 'weather', description: 'Tells.', parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } } } },
            { name: 'now' },
          ],
        },
        { googleSearch: {} },
      ],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['weather'] } },
      generationConfig: {
        maxOutputTokens: 100,
        temperature: 1.5,
        topP: 0.9,
        topK: 20,
        seed: 7,
        candidateCount: 2,
        presencePenalty: 0.5,
        frequencyPenalty: -0.5,
        stopSequences: ['END'],
        responseLogprobs: true,
        logprobs: 3,
        responseMimeType: 'application/json',
        responseJsonSchema: { type: 'object', description: 'A thing.' },
      },
      serviceTier: 'flex',
    })
  })

  it.each<[string, Partial<Request>, string?]>([
    ['logit_bias', { logitBias: { 1: 2 } }],
    ['store', { store: true }],
    ['service_tier', { serviceTier: 'scale' }],
    ['stop[5]', { stop: ['a', 'b', 'c', 'd', 'e', 'f'] }],
    ['top_level', { extra: [{ format: 'openai-chat', name: 'top_level', path: 'top_level', value: 1 }] }],
    ['tools[0]', { tools: [{ type: 'native', format: 'anthropic-messages', value: {}, at: 'tools[0]' }] }],
    ['messages[0].name', { messages: [{ ...text('user', 'x', 'messages[0]'), name: 'bob' }] }],
    [
      'messages[1].content[0]',
      {
        messages: [
          text('user', 'a'),
          { role: 'system', at: 'messages[1]', parts: [{ type: 'image', source: { kind: 'url', url: 'https://x/y.png' } }] },
        ],
      },
    ],
    [
      'messages[0].content[0]',
      { messages: [{ role: 'user', at: 'messages[0]', parts: [{ type: 'file', source: { kind: 'file-id', id: 'file-1' } }] }] },
    ],
    [
      'messages[0].content[0]',
      { messages: [{ role: 'user', at: 'messages[0]', parts: [{ type: 'native', format: 'anthropic-messages', value: {} }] }] },
    ],
    ['effort', { reasoning: { effort: 'none' }, paths: { 'reasoning.effort': 'effort' } }, third],
    ['reasoning', { reasoning: { effort: 'none' } }, 'gemini-2.5-pro'],
    ['reasoning', { reasoning: { effort: 'low' } }, 'gemini-2.0-flash'],
  ])('refuses %s when it cannot be said: %j', (path, changes, model = second) => {
    expect(() => encodeGeminiRequest(request(changes), model, refusing)).toThrow(
      expect.objectContaining({ code: 'unsupported_parameter', path }),
    )
    const drop = noting()
    encodeGeminiRequest(request(changes), model, drop)
    expect(drop.dropped).toEqual([path])
  })

  it('leaves out what changes no answer, and notes it', () => {
    const drop = noting()
    const changes: Partial<Request> = {
      user: 'u',
      metadata: { a: 'b' },
      promptCacheKey: 'k',
      verbosity: 'high',
      parallelToolCalls: false,
      store: false,
      n: 1,
      messages: [
        { role: 'user', parts: [{ type: 'text', text: 'Hi', cache: { ttl: '1h' } }] },
        { role: 'assistant', at: 'messages[1]', parts: [{ type: 'reasoning', text: 'x' }] },
      ],
    }
    expect(encodeGeminiRequest(request(changes), second, drop)).toEqual({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] })
    expect(drop).toMatchObject({
      dropped: [],
      noted: ['parallel_tool_calls', 'verbosity', 'user', 'metadata', 'prompt_cache_key', 'messages[1].content[0]'],
    })
  })

  it('tells instructions inside the conversation as text of the user, and notes it', () => {
    const messages = [text('user', 'a'), text('assistant', 'b'), text('system', 'c', 'messages[2]'), text('user', 'd')]
    const drop = noting()
    const { contents } = encodeGeminiRequest(request({ messages }), second, drop)
    expect(drop).toMatchObject({ dropped: [], noted: ['messages[2]'] })
    expect(contents).toEqual([
      { role: 'user', parts: [{ text: 'a' }] },
      { role: 'model', parts: [{ text: 'b' }] },
      { role: 'user', parts: [{ text: '<system>\nc\n</system>' }, { text: 'd' }] },
    ])
  })

  it('refuses a result without its call, and arguments that are no object', () => {
    const lost: Message[] = [{ role: 'tool', parts: [{ type: 'tool_result', callId: 'zzz', content: [], at: 'messages[0]' }] }]
    expect(() => encodeGeminiRequest(request({ messages: lost }), second, noting())).toThrow(
      expect.objectContaining({ path: 'messages[0]' }),
    )
    const broken: Message[] = [
      { role: 'assistant', parts: [{ type: 'tool_call', id: 'a', name: 'f', arguments: '{', at: 'messages[0].tool_calls[0]' }] },
    ]
    expect(() => encodeGeminiRequest(request({ messages: broken }), second, noting())).toThrow(InvalidRequest)
  })

  it('stands in for the signature of calls made elsewhere, where the model demands one', () => {
    const messages: Message[] = [
      text('user', 'a'),
      { role: 'assistant', parts: ['c1', 'c2'].map((id) => ({ type: 'tool_call' as const, id, name: 'f', arguments: '{}' })) },
    ]
    const call = (id: string): unknown => ({ functionCall: { id, name: 'f', args: {} } })
    expect(encodeGeminiRequest(request({ messages }), third, refusing)['contents']).toMatchObject([
      {},
      { parts: [{ functionCall: { id: 'c1', name: 'f', args: {} }, thoughtSignature: 'skip_thought_signature_validator' }, call('c2')] },
    ])
    expect(encodeGeminiRequest(request({ messages }), second, refusing)['contents']).toEqual([
      { role: 'user', parts: [{ text: 'a' }] },
      { role: 'model', parts: [call('c1'), call('c2')] },
    ])
  })

  it('hands on images in tool results: inside where the model takes them, else after them', () => {
    const messages: Message[] = [
      { role: 'assistant', parts: [{ type: 'tool_call', id: 'c', name: 'f', arguments: '{}' }] },
      {
        role: 'tool',
        parts: [
          {
            type: 'tool_result',
            callId: 'c',
            content: [{ type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'A' }, at: 'messages[1].content[0]' }],
          },
        ],
      },
    ]
    expect(encodeGeminiRequest(request({ messages }), third, refusing)['contents']).toMatchObject([
      {},
      {
        parts: [
          {
            functionResponse: {
              id: 'c',
              name: 'f',
              response: { output: '' },
              parts: [{ inlineData: { mimeType: 'image/png', data: 'A' } }],
            },
          },
        ],
      },
    ])
    const drop = noting()
    expect(encodeGeminiRequest(request({ messages }), second, drop)['contents']).toMatchObject([
      {},
      { parts: [{ functionResponse: { id: 'c', name: 'f', response: { output: 'See the attachment.' } } }] },
      {
        role: 'user',
        parts: [{ text: 'Attached to the result of tool call c (f):' }, { inlineData: { mimeType: 'image/png', data: 'A' } }],
      },
    ])
    expect(drop).toMatchObject({ dropped: [], noted: ['messages[1].content[0]'] })
  })

  it.each<[Request['toolChoice'], boolean, unknown]>([
    [undefined, false, undefined],
    ['auto', false, { functionCallingConfig: { mode: 'AUTO' } }],
    ['auto', true, { functionCallingConfig: { mode: 'VALIDATED' } }],
    ['none', true, { functionCallingConfig: { mode: 'NONE' } }],
    ['required', true, { functionCallingConfig: { mode: 'ANY' } }],
  ])('chooses tools: %j, strict %j', (toolChoice, strict, expected) => {
    expect(
      encodeGeminiRequest(request({ toolChoice, tools: [{ type: 'function', name: 'f', strict }] }), second, refusing)['toolConfig'],
    ).toEqual(expected)
  })

  it.each<[string, Request['reasoning'], Record<string, unknown>]>([
    [second, { effort: 'none' }, { thinkingBudget: 0 }],
    [second, { effort: 'low' }, { includeThoughts: true, thinkingBudget: 1024 }],
    [second, { effort: 'max', visible: false }, { includeThoughts: false, thinkingBudget: 24_576 }],
    [second, { maxTokens: 3000 }, { includeThoughts: true, thinkingBudget: 3000 }],
    [second, {}, { includeThoughts: true, thinkingBudget: -1 }],
    [second, { maxTokens: 0 }, { thinkingBudget: 0 }],
    ['gemini-2.5-pro', { maxTokens: 64 }, { includeThoughts: true, thinkingBudget: 128 }],
    [third, { effort: 'minimal' }, { includeThoughts: true, thinkingLevel: 'MINIMAL' }],
    [third, { effort: 'xhigh' }, { includeThoughts: true, thinkingLevel: 'HIGH' }],
    [third, { effort: 'low', maxTokens: 3000 }, { includeThoughts: true, thinkingBudget: 3000 }],
    ['gemini-3-pro-preview', { effort: 'medium' }, { includeThoughts: true, thinkingLevel: 'LOW' }],
    ['gemini-3.1-pro', { effort: 'medium' }, { includeThoughts: true, thinkingLevel: 'MEDIUM' }],
    ['gemini-flash-latest', {}, { includeThoughts: true }],
  ])('%s thinks %j', (model, reasoning, expected) => {
    expect(encodeGeminiRequest(request({ reasoning }), model, noting())['generationConfig']).toEqual({ thinkingConfig: expected })
  })

  it('names the type of a linked file', () => {
    const links = ['https://x/a.PDF?x=1', 'https://x/picture', 'https://x/a.png#f'].map((url): Message => ({
      role: 'user',
      parts: [{ type: 'image', source: { kind: 'url', url } }],
    }))
    const body = encodeGeminiRequest(request({ messages: links }), third, refusing)
    expect(body['contents']).toMatchObject([
      {
        parts: [
          { fileData: { mimeType: 'application/pdf' } },
          { fileData: { mimeType: 'image/jpeg', fileUri: 'https://x/picture' } },
          { fileData: { mimeType: 'image/png' } },
        ],
      },
    ])
  })
})
