import { describe, expect, it } from 'vitest'
import type { DropPolicy } from '../codec.js'
import { edit, type Request } from '../conversation.js'
import { createOpenAiChat, openaiChat, type OpenAiChatOptions } from './index.js'

const hello = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }

function encode(
  request: Request,
  options: OpenAiChatOptions = {},
): { body: Record<string, unknown>; dropped: string[]; adjusted: string[] } {
  const dropped: string[] = []
  const adjusted: string[] = []
  const drop: DropPolicy = { unsupported: (path) => void dropped.push(path), adjusted: (path) => void adjusted.push(path) }
  // What goes over the wire is JSON.
  const body = JSON.parse(JSON.stringify(createOpenAiChat(options).encodeRequest(request, 'real', drop))) as Record<string, unknown>
  return { body, dropped, adjusted }
}
const reencode = (body: Record<string, unknown>, options?: OpenAiChatOptions): ReturnType<typeof encode> =>
  encode(openaiChat.decodeRequest(body), options)

describe('a chat-completions body written again', () => {
  it('says the same, unknown fields at every depth included', () => {
    const body = {
      model: 'm',
      messages: [
        { role: 'developer', content: 'be kind' },
        {
          role: 'system',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
          name: 'boss',
        },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'look', hint: 1 },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'high', fps: 2 } },
            { type: 'input_audio', input_audio: { data: 'BBBB', format: 'mp3' } },
            { type: 'file', file: { file_data: 'data:application/pdf;base64,CCCC', filename: 'a.pdf' } },
            { type: 'file', file: { file_id: 'file-1' } },
            { type: 'video_url', video_url: { url: 'v' } },
          ],
          name: 'Ann',
          mood: 'x',
        },
        {
          role: 'assistant',
          content: null,
          reasoning_content: 'hm',
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
            { id: 'c2', type: 'custom', custom: { name: 'g', input: 'x' } },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: 'seven' },
        {
          role: 'tool',
          tool_call_id: 'c2',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { role: 'assistant', content: null, refusal: 'no' },
        { role: 'assistant', content: null, audio: { id: 'audio-1' } },
        { role: 'user', content: '' },
      ],
      tools: [
        {
          type: 'function',
          function: { name: 'f', description: 'd', parameters: { type: 'object' }, strict: true, examples: [1] },
          defer: true,
        },
        { type: 'custom', custom: { name: 'g' } },
      ],
      tool_choice: { type: 'function', function: { name: 'f' } },
      parallel_tool_calls: false,
      temperature: 0,
      top_p: 1,
      n: 2,
      stop: ['a', 'b'],
      seed: 1,
      frequency_penalty: 0,
      presence_penalty: -1,
      logit_bias: { '5': 1 },
      logprobs: true,
      top_logprobs: 0,
      max_completion_tokens: 5,
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'n', description: 'd', schema: { type: 'object' }, strict: false, more: 1 },
      },
      reasoning_effort: 'xhigh',
      verbosity: 'low',
      service_tier: 'flex',
      user: 'u',
      metadata: { a: 'b' },
      prompt_cache_key: 'k',
      store: true,
      stream: true,
      stream_options: { include_usage: true, include_obfuscation: false },
      min_p: 0.1,
      prediction: { type: 'content', content: 'x' },
    }
    const { body: again, dropped } = reencode(body)
    expect(again).toEqual({ ...body, model: 'real' })
    expect(dropped).toEqual([])
  })

  it('keeps tool choices and response formats that only this format has', () => {
    for (const field of [
      { tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [] } } },
      { response_format: { type: 'grammar', grammar: 'g' } },
      { response_format: { type: 'json_object' } },
      { tool_choice: 'required' },
    ])
      expect(reencode({ ...hello, ...field }).body).toEqual({ ...hello, model: 'real', ...field })
  })

  it('tells of unknown fields whose place is gone', () => {
    const request = openaiChat.decodeRequest({ ...hello, messages: [{ role: 'user', content: 'x', mood: 1 }, ...hello.messages] })
    expect(encode(edit(request, { messages: request.messages.slice(1) })).dropped).toEqual(['messages[0].mood'])
  })

  it('modernises the older functions', () => {
    const { body } = reencode({
      model: 'm',
      functions: [{ name: 'f' }],
      function_call: 'auto',
      messages: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
        { role: 'function', name: 'f', content: '7' },
      ],
    })
    expect(body).toEqual({
      model: 'real',
      tools: [{ type: 'function', function: { name: 'f' } }],
      tool_choice: 'auto',
      messages: [
        { role: 'user', content: 'x' },
        { role: 'assistant', content: null, tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } }] },
        { role: 'tool', tool_call_id: 'call_1', content: '7' },
      ],
    })
  })

  it('asks for usage in every stream, but not of servers that refuse the question', () => {
    expect(reencode({ ...hello, stream: true }).body['stream_options']).toEqual({ include_usage: true })
    expect(reencode({ ...hello, stream: true }, { streamOptions: false }).body).not.toHaveProperty('stream_options')
  })

  it('names the limit on output tokens as the server wants it', () => {
    const older = { ...hello, max_tokens: 7 }
    expect(reencode(older).body).toMatchObject({ max_completion_tokens: 7 })
    expect(reencode(older, { maxTokensField: 'max_tokens' }).body).toMatchObject({ max_tokens: 7 })
    expect(reencode(older, { maxTokensField: 'caller' }).body).toMatchObject({ max_tokens: 7 })
    expect(reencode({ ...hello, max_completion_tokens: 7 }, { maxTokensField: 'caller' }).body).toMatchObject({ max_completion_tokens: 7 })
  })

  it('follows what servers differ in', () => {
    const body = {
      model: 'm',
      top_k: 5,
      messages: [{ role: 'developer', content: [{ type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '1h' } }] }],
      reasoning: { max_tokens: 100, exclude: true },
    }
    const plain = reencode(body, { developerRole: false })
    expect(plain.body['messages']).toEqual([{ role: 'system', content: 'a' }])
    expect(plain.dropped).toEqual(['top_k'])
    expect(plain.adjusted).toContain('reasoning.max_tokens')
    const openRouter = reencode(body, { dialect: 'openrouter' })
    expect(openRouter.body).toEqual({ ...body, model: 'real' })
    expect(openRouter.dropped).toEqual([])
  })
})

describe('a request of another format written as a chat completion', () => {
  const base: Request = { model: 'm', messages: [], stream: false, paths: {}, extra: [] }

  it('takes tool results out of a turn of the user, and says what failed', () => {
    const { body, adjusted } = encode({
      ...base,
      messages: [
        {
          role: 'user',
          parts: [
            { type: 'tool_result', callId: 'a', content: [{ type: 'text', text: 'boom' }], isError: true, at: 'messages[0].content[0]' },
            { type: 'tool_result', callId: 'b', content: [], isError: true },
            { type: 'tool_result', callId: 'c', content: [{ type: 'text', text: 'Error: gone' }], isError: true },
            { type: 'text', text: 'go on' },
          ],
        },
      ],
    })
    expect(body['messages']).toEqual([
      { role: 'tool', tool_call_id: 'a', content: 'Error: boom' },
      { role: 'tool', tool_call_id: 'b', content: 'Error' },
      { role: 'tool', tool_call_id: 'c', content: 'Error: gone' },
      { role: 'user', content: 'go on' },
    ])
    expect(adjusted).toContain('messages[0].content[0].is_error')
  })

  it('sends earlier reasoning only to its own family, sealed where the server keeps seals', () => {
    const request: Request = {
      ...base,
      messages: [
        {
          role: 'assistant',
          parts: [
            { type: 'reasoning', text: 'claude', signature: 'S', signatureFormat: 'anthropic-messages' },
            { type: 'reasoning', text: '', signature: 'R', signatureFormat: 'anthropic-messages', redacted: true },
            { type: 'reasoning', text: 'sum', signature: 'E', signatureFormat: 'openai-responses', id: 'rs_1' },
            { type: 'reasoning', text: 'plain' },
            { type: 'text', text: 'x' },
          ],
        },
      ],
    }
    expect(encode(request).body['messages']).toEqual([{ role: 'assistant', content: 'x', reasoning_content: 'plain' }])
    const { body } = encode(request, { dialect: 'openrouter' })
    expect(body['messages']).toEqual([
      {
        role: 'assistant',
        content: 'x',
        reasoning_details: [
          { type: 'reasoning.text', text: 'claude', signature: 'S', format: 'anthropic-claude-v1', index: 0 },
          { type: 'reasoning.encrypted', data: 'R', format: 'anthropic-claude-v1', index: 1 },
          { type: 'reasoning.summary', summary: 'sum', format: 'openai-responses-v1', id: 'rs_1', index: 2 },
          { type: 'reasoning.encrypted', data: 'E', format: 'openai-responses-v1', id: 'rs_1', index: 3 },
          { type: 'reasoning.text', text: 'plain', index: 4 },
        ],
      },
    ])
    // What a client sends back of it is read as what it was.
    const [message] = openaiChat.decodeRequest({ model: 'm', messages: body['messages'] }).messages
    expect(message?.parts.map(({ at: _, ...part }) => part)).toEqual(request.messages[0]?.parts)
  })

  it("tells what it can not say, by the path in the caller's own body", () => {
    const { body, dropped } = encode({
      ...base,
      topK: 3,
      paths: { topK: 'generationConfig.topK' },
      messages: [
        { role: 'system', parts: [{ type: 'image', source: { kind: 'url', url: 'u' }, at: 'system[0]' }] },
        {
          role: 'user',
          parts: [
            { type: 'native', format: 'anthropic-messages', value: { type: 'container_upload' }, at: 'messages[0].content[0]' },
            { type: 'image', source: { kind: 'file-id', id: 'f' }, at: 'messages[0].content[1]' },
            { type: 'file', source: { kind: 'url', url: 'https://x/a.pdf' }, at: 'messages[0].content[2]' },
            { type: 'text', text: 'ok' },
          ],
        },
        { role: 'assistant', parts: [{ type: 'image', source: { kind: 'url', url: 'u' }, at: 'messages[1].content[0]' }] },
        {
          role: 'tool',
          parts: [
            {
              type: 'tool_result',
              callId: 'a',
              content: [{ type: 'image', source: { kind: 'file-id', id: 'f' }, at: 'messages[2].content[0].content[0]' }],
            },
          ],
        },
      ],
      tools: [{ type: 'native', format: 'anthropic-messages', value: { type: 'web_search_20250305' }, at: 'tools[0]' }],
      extra: [{ format: 'anthropic-messages', name: 'container', path: 'container', value: 'c' }],
    })
    expect(dropped.sort()).toEqual(
      [
        'container',
        'generationConfig.topK',
        'messages[0].content[0]',
        'messages[0].content[1]',
        'messages[0].content[2]',
        'messages[1].content[0]',
        'messages[2].content[0].content[0]',
        'system[0]',
        'tools[0]',
      ].sort(),
    )
    expect(body).toEqual({
      model: 'real',
      messages: [
        { role: 'user', content: 'ok' },
        { role: 'assistant', content: '' },
        { role: 'tool', tool_call_id: 'a', content: '' },
      ],
    })
  })
})
