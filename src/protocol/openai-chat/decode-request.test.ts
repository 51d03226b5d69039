import { describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { openaiChat } from './index.js'

const hello = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }

function refusal(body: Record<string, unknown>): { path: string | undefined; message: string } {
  try {
    openaiChat.decodeRequest(body)
  } catch (thrown) {
    if (BursarError.is(thrown) && thrown.status === 400) return { path: thrown.path, message: thrown.message }
    throw thrown
  }
  throw new Error(`was accepted: ${JSON.stringify(body)}`)
}

describe('validation of a chat-completions body', () => {
  it.each([
    [{}, 'model', 'required'],
    [{ ...hello, model: '' }, 'model', 'empty'],
    [{ model: 'm' }, 'messages', 'required'],
    [{ model: 'm', messages: [] }, 'messages', 'empty'],
    [{ model: 'm', messages: 'hi' }, 'messages', 'an array was expected, not a string'],
    [{ model: 'm', messages: [{ role: 'robot', content: 'x' }] }, 'messages[0].role', '"assistant"'],
    [{ model: 'm', messages: [{ content: 'x' }] }, 'messages[0].role', 'required'],
    [{ model: 'm', messages: [{ role: 'user' }] }, 'messages[0].content', 'a string or an array'],
    [{ model: 'm', messages: [{ role: 'user', content: 5 }] }, 'messages[0].content', 'not the number 5'],
    [{ model: 'm', messages: [{ role: 'user', content: ['a'] }] }, 'messages[0].content[0]', 'an object'],
    [{ model: 'm', messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text', 'required'],
    [
      { model: 'm', messages: [hello.messages[0], { role: 'user', content: [{ type: 'image_url', image_url: { url: 7 } }] }] },
      'messages[1].content[0].image_url.url',
      'a string',
    ],
    [
      { model: 'm', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: 'u' }] }] },
      'messages[0].content[0].image_url',
      'an object',
    ],
    [{ model: 'm', messages: [{ role: 'user', content: [{ type: 5 }] }] }, 'messages[0].content[0].type', 'a string'],
    [{ model: 'm', messages: [{ role: 'user', content: [{ type: 'file', file: {} }] }] }, 'messages[0].content[0].file', 'file_data'],
    [{ model: 'm', messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].tool_call_id', 'required'],
    [
      { model: 'm', messages: [{ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: {} } }] }] },
      'messages[0].tool_calls[0].function.arguments',
      'a string was expected, not an object',
    ],
    [{ ...hello, tools: [{ type: 'function', function: {} }] }, 'tools[0].function.name', 'required'],
    [{ ...hello, tools: [{ function: { name: 'f' } }] }, 'tools[0].type', 'required'],
    [{ ...hello, tool_choice: 'any' }, 'tool_choice', '"required"'],
    [{ ...hello, response_format: { type: 'json_schema' } }, 'response_format.json_schema', 'required'],
    [{ ...hello, reasoning_effort: 'ultra' }, 'reasoning_effort', '"xhigh"'],
    [{ ...hello, max_tokens: 0 }, 'max_tokens', 'at least 1'],
    [{ ...hello, max_tokens: 1.5 }, 'max_tokens', 'a whole number'],
    [{ ...hello, max_tokens: Number.POSITIVE_INFINITY }, 'max_tokens', 'too large'],
    [{ ...hello, max_tokens: 5, max_completion_tokens: 6 }, 'max_tokens', 'Give one of them'],
    [{ ...hello, n: 1e9 }, 'n', 'at most 128'],
    [{ ...hello, temperature: '1' }, 'temperature', 'a number was expected, not a string'],
    [{ ...hello, stop: [1] }, 'stop[0]', 'a string'],
    [{ ...hello, stop: 3 }, 'stop', 'a string or an array'],
    [{ ...hello, stream: 'yes' }, 'stream', 'a boolean'],
    [{ ...hello, metadata: { a: { b: 1 } } }, 'metadata.a', 'a string was expected, not an object'],
    [{ ...hello, top_logprobs: 2 }, 'top_logprobs', 'logprobs'],
    [{ ...hello, reasoning: { effort: 'low' }, reasoning_effort: 'high' }, 'reasoning_effort', 'contradicts'],
    [{ ...hello, reasoning: { effort: 'low', enabled: false } }, 'reasoning.enabled', 'contradicts'],
    [{ ...hello, tools: [{ type: 'function', function: { name: 'f' } }], functions: [{ name: 'f' }] }, 'functions', 'Give one of them'],
  ])('refuses %j', (body, path, words) => {
    const error = refusal(body)
    expect(error.path).toBe(path)
    expect(error.message).toContain(words)
  })

  it('takes null for absent everywhere', () => {
    const names = [
      'stream',
      'stream_options',
      'max_tokens',
      'temperature',
      'tools',
      'tool_choice',
      'functions',
      'response_format',
      'reasoning',
      'reasoning_effort',
      'stop',
      'logprobs',
      'metadata',
      'something_new',
    ]
    const body = { ...hello, ...Object.fromEntries(names.map((name) => [name, null])) }
    expect(openaiChat.decodeRequest(body)).toEqual(openaiChat.decodeRequest(hello))
  })
})

describe('decoding a chat-completions body', () => {
  it('reads every setting, with its path', () => {
    const request = openaiChat.decodeRequest({
      ...hello,
      max_completion_tokens: 9,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 4,
      n: 2,
      stop: 'END',
      seed: 3,
      frequency_penalty: 0.1,
      presence_penalty: 0.2,
      logit_bias: { '50256': -100 },
      logprobs: true,
      top_logprobs: 2,
      parallel_tool_calls: false,
      reasoning_effort: 'low',
      verbosity: 'high',
      service_tier: 'flex',
      user: 'u',
      metadata: { a: 'b' },
      prompt_cache_key: 'k',
      store: false,
      stream: true,
      stream_options: { include_usage: true, include_obfuscation: false },
      response_format: { type: 'json_schema', json_schema: { name: 's', schema: { type: 'object' }, strict: true } },
    })
    expect(request).toMatchObject({
      maxOutputTokens: 9,
      temperature: 0.5,
      topP: 0.9,
      topK: 4,
      n: 2,
      stop: ['END'],
      seed: 3,
      frequencyPenalty: 0.1,
      presencePenalty: 0.2,
      logitBias: { '50256': -100 },
      logprobs: { top: 2 },
      parallelToolCalls: false,
      reasoning: { effort: 'low' },
      verbosity: 'high',
      serviceTier: 'flex',
      user: 'u',
      metadata: { a: 'b' },
      promptCacheKey: 'k',
      store: false,
      stream: true,
      streamUsage: true,
      responseFormat: { type: 'json_schema', name: 's', schema: { type: 'object' }, strict: true },
      paths: {
        maxOutputTokens: 'max_completion_tokens',
        stop: 'stop',
        reasoning: 'reasoning_effort',
        streamUsage: 'stream_options.include_usage',
      },
      extra: [{ format: 'openai-chat', name: 'include_obfuscation', path: 'stream_options.include_obfuscation', value: false }],
    })
    expect(openaiChat.decodeRequest({ ...hello, max_tokens: 4 })).toMatchObject({
      maxOutputTokens: 4,
      paths: { maxOutputTokens: 'max_tokens' },
    })
  })

  it('keeps unknown fields at every depth, and leaves out what answers carry', () => {
    const { extra } = openaiChat.decodeRequest({
      model: 'm',
      min_p: 0.1,
      modalities: ['text'],
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a', hint: 1 },
            { type: 'image_url', image_url: { url: 'u', fps: 2 } },
          ],
          mood: 'x',
        },
        { role: 'assistant', content: 'b', annotations: [], refusal: null, audio: null, function_call: null, parsed: { a: 1 } },
      ],
      tools: [{ type: 'function', function: { name: 'f', examples: [] }, defer: true }],
    })
    expect(extra.map((field) => field.path)).toEqual([
      'min_p',
      'messages[0].mood',
      'messages[0].content[0].hint',
      'messages[0].content[1].image_url.fps',
      'tools[0].defer',
      'tools[0].function.examples',
    ])
  })

  it('reads parts of every kind', () => {
    const { messages } = openaiChat.decodeRequest({
      model: 'm',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'look', cache_control: { type: 'ephemeral', ttl: '1h' } },
            { type: 'image_url', image_url: { url: 'https://x/y.png', detail: 'low' } },
            { type: 'image_url', image_url: { url: 'data:image/PNG;base64,AAAA' } },
            { type: 'input_audio', input_audio: { data: 'BBBB', format: 'mp3' } },
            { type: 'file', file: { file_data: 'data:application/pdf;base64,CCCC', filename: 'a.pdf' } },
            { type: 'file', file: { file_id: 'file-1' } },
            { type: 'video_url', video_url: { url: 'v' } },
          ],
          name: 'Ann',
        },
      ],
    })
    expect(messages).toEqual([
      {
        role: 'user',
        at: 'messages[0]',
        name: 'Ann',
        parts: [
          { type: 'text', text: 'look', at: 'messages[0].content[0]', cache: { ttl: '1h' } },
          { type: 'image', source: { kind: 'url', url: 'https://x/y.png' }, detail: 'low', at: 'messages[0].content[1]' },
          { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' }, at: 'messages[0].content[2]' },
          { type: 'audio', source: { kind: 'base64', mediaType: 'audio/mpeg', data: 'BBBB' }, at: 'messages[0].content[3]' },
          {
            type: 'file',
            source: { kind: 'base64', mediaType: 'application/pdf', data: 'CCCC' },
            name: 'a.pdf',
            at: 'messages[0].content[4]',
          },
          { type: 'file', source: { kind: 'file-id', id: 'file-1' }, at: 'messages[0].content[5]' },
          { type: 'native', format: 'openai-chat', value: { type: 'video_url', video_url: { url: 'v' } }, at: 'messages[0].content[6]' },
        ],
      },
    ])
  })

  it('reads a tool loop, its cache marks and its reasoning', () => {
    const { messages } = openaiChat.decodeRequest({
      model: 'm',
      messages: [
        { role: 'developer', content: 'be kind', cache_control: { type: 'ephemeral' } },
        {
          role: 'assistant',
          content: 'hm',
          reasoning_content: 'first, second',
          reasoning_details: [
            { type: 'reasoning.text', text: 'first, ', index: 0 },
            { type: 'reasoning.text', text: 'second', index: 0 },
            { type: 'reasoning.text', signature: 'SIG', format: 'anthropic-claude-v1', index: 0 },
            { type: 'reasoning.encrypted', data: 'SEALED', format: 'anthropic-claude-v1', index: 1 },
          ],
          tool_calls: [
            {
              id: 'c1',
              type: 'function',
              function: { name: 'f', arguments: '{"a":1}' },
              extra_content: { google: { thought_signature: 'T' } },
            },
            { id: 'c2', type: 'custom', custom: { name: 'g', input: 'x' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: 'ok' }] },
      ],
    })
    expect(messages[0]?.parts).toEqual([{ type: 'text', text: 'be kind', at: 'messages[0].content', cache: {} }])
    expect(messages[1]?.parts).toEqual([
      {
        type: 'reasoning',
        text: 'first, second',
        signature: 'SIG',
        signatureFormat: 'anthropic-messages',
        at: 'messages[1].reasoning_details',
      },
      {
        type: 'reasoning',
        text: '',
        signature: 'SEALED',
        signatureFormat: 'anthropic-messages',
        redacted: true,
        at: 'messages[1].reasoning_details',
      },
      { type: 'text', text: 'hm', at: 'messages[1].content' },
      { type: 'tool_call', id: 'c1', name: 'f', arguments: '{"a":1}', signature: 'T', at: 'messages[1].tool_calls[0]' },
      {
        type: 'native',
        format: 'openai-chat',
        value: { id: 'c2', type: 'custom', custom: { name: 'g', input: 'x' } },
        at: 'messages[1].tool_calls[1]',
      },
    ])
    expect(messages[2]).toEqual({
      role: 'tool',
      at: 'messages[2]',
      parts: [
        { type: 'tool_result', callId: 'c1', content: [{ type: 'text', text: 'ok', at: 'messages[2].content[0]' }], at: 'messages[2]' },
      ],
    })
  })

  it('translates the older functions', () => {
    const request = openaiChat.decodeRequest({
      model: 'm',
      functions: [{ name: 'f', parameters: { type: 'object' } }],
      function_call: { name: 'f' },
      messages: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
        { role: 'function', name: 'f', content: '7' },
      ],
    })
    expect(request.tools).toEqual([{ type: 'function', name: 'f', parameters: { type: 'object' }, at: 'functions[0]' }])
    expect(request.toolChoice).toEqual({ name: 'f' })
    expect(request.paths).toMatchObject({ tools: 'functions', toolChoice: 'function_call' })
    expect(request.messages[1]?.parts[0]).toMatchObject({ type: 'tool_call', id: 'call_1', name: 'f' })
    expect(request.messages[2]?.parts[0]).toMatchObject({ type: 'tool_result', callId: 'call_1' })
  })

  it("reads OpenRouter's reasoning object", () => {
    const of = (reasoning: unknown, effort?: string): unknown =>
      openaiChat.decodeRequest({ ...hello, reasoning, ...(effort === undefined ? {} : { reasoning_effort: effort }) }).reasoning
    expect(of({ effort: 'high', exclude: true })).toEqual({ effort: 'high', visible: false })
    expect(of({ max_tokens: 2000 })).toEqual({ maxTokens: 2000 })
    expect(of({ enabled: true })).toEqual({ effort: 'medium' })
    expect(of({ enabled: false })).toEqual({ effort: 'none' })
    expect(of({ exclude: false }, 'low')).toEqual({ effort: 'low', visible: true })
  })
})
