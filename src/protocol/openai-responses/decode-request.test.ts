import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BursarError } from '../../errors/index.js'
import { openaiResponses, responsesRequestSchema } from './index.js'

const hello = { model: 'm', input: 'hi' }
const decode = (body: Record<string, unknown>) => openaiResponses.decodeRequest(body)

function refusal(body: Record<string, unknown>): { path: string | undefined; message: string } {
  try {
    decode(body)
  } catch (thrown) {
    if (BursarError.is(thrown) && thrown.status === 400) return { path: thrown.path, message: thrown.message }
    throw thrown
  }
  throw new Error(`was accepted: ${JSON.stringify(body)}`)
}

describe('validation of a Responses body', () => {
  it.each([
    [{}, 'model', 'required'],
    [{ model: 'm' }, 'input', 'required'],
    [{ model: 'm', input: [] }, 'input', 'required'],
    [{ model: 'm', input: 7 }, 'input', 'not the number 7'],
    [{ model: 'm', input: ['hi'] }, 'input[0]', 'an object'],
    [{ model: 'm', input: [{ role: 'robot', content: 'x' }] }, 'input[0].role', '"assistant"'],
    [{ model: 'm', input: [{ role: 'user' }] }, 'input[0].content', 'required'],
    [{ model: 'm', input: [{ type: 'message', role: 'user', content: [{ type: 'input_text' }] }] }, 'input[0].content[0].text', 'required'],
    [
      { model: 'm', input: [{ role: 'user', content: [{ type: 'input_image' }] }] },
      'input[0].content[0]',
      'exactly one of image_url, file_id',
    ],
    [
      { model: 'm', input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'a', file_url: 'b' }] }] },
      'input[0].content[0]',
      'exactly one of',
    ],
    [
      { model: 'm', input: [{ type: 'function_call', call_id: 'c', name: 'f', arguments: {} }] },
      'input[0].arguments',
      'a string was expected, not an object',
    ],
    [{ model: 'm', input: [{ type: 'function_call_output', output: 'x' }] }, 'input[0].call_id', 'required'],
    [{ model: 'm', input: [{ type: 'function_call_output', call_id: 'c', output: 5 }] }, 'input[0].output', 'a string or an array'],
    [
      { model: 'm', input: [{ type: 'function_call_output', call_id: 'c', output: [{ type: 'refusal', refusal: 'no' }] }] },
      'input[0].output[0]',
      'text, images and files',
    ],
    [{ ...hello, tools: [{ type: 'function' }] }, 'tools[0].name', 'required'],
    [{ ...hello, tool_choice: 'any' }, 'tool_choice', '"required"'],
    [{ ...hello, tool_choice: { type: 'function' } }, 'tool_choice.name', 'required'],
    [{ ...hello, text: { format: { type: 'json_schema', name: 'a' } } }, 'text.format.schema', 'required'],
    [{ ...hello, reasoning: { effort: 'ultra' } }, 'reasoning.effort', '"xhigh"'],
    [{ ...hello, max_output_tokens: 0 }, 'max_output_tokens', 'at least 1'],
    [{ ...hello, stream: 'yes' }, 'stream', 'a boolean'],
    [{ ...hello, metadata: { a: 1 } }, 'metadata.a', 'a string'],
  ])('%j', (body, path, says) => {
    const { path: found, message } = refusal(body)
    expect(found).toBe(path)
    expect(message).toContain(says)
  })

  it('describes every field', () => {
    for (const [name, field] of Object.entries(responsesRequestSchema.shape)) expect(field.description, name).toBeTruthy()
  })

  it('refuses or takes any body, and never breaks', () => {
    const leaf = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.constant(null),
      fc.constantFrom('user', 'message', 'function_call', 'reasoning', 'input_text', 'output_text'),
    )
    const item = fc.dictionary(
      fc.constantFrom('type', 'role', 'content', 'call_id', 'name', 'arguments', 'output', 'summary', 'encrypted_content'),
      fc.oneof(leaf, fc.array(fc.dictionary(fc.constantFrom('type', 'text'), leaf), { maxLength: 2 })),
    )
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('model', 'input', 'tools', 'text', 'reasoning', 'include', 'other'),
          fc.oneof(leaf, fc.array(item, { maxLength: 4 }), item),
        ),
        (body) => {
          try {
            expect(decode({ model: 'm', ...body }).stream).toBe(false)
          } catch (thrown) {
            expect(BursarError.is(thrown) && thrown.status).toBe(400)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('a Responses body in canonical form', () => {
  it('text and instructions', () => {
    const request = decode({ ...hello, instructions: 'Be terse.', stream: true })
    expect(request.messages).toEqual([
      { role: 'system', parts: [{ type: 'text', text: 'Be terse.', at: 'instructions' }], at: 'instructions' },
      { role: 'user', parts: [{ type: 'text', text: 'hi', at: 'input' }], at: 'input' },
    ])
    expect(request).toMatchObject({ model: 'm', stream: true, extra: [] })
  })

  it('the turn of a reasoning model is one message, its results are messages of their own', () => {
    const { messages, extra } = decode({
      model: 'm',
      input: [
        { role: 'user', content: 'weather?' },
        {
          type: 'reasoning',
          id: 'rs_1',
          summary: [
            { type: 'summary_text', text: 'Two' },
            { type: 'summary_text', text: 'calls.' },
          ],
          encrypted_content: 'seal',
          status: null,
        },
        {
          type: 'message',
          id: 'msg_1',
          status: 'completed',
          role: 'assistant',
          phase: 'commentary',
          content: [{ type: 'output_text', text: 'Looking.', annotations: [], logprobs: [] }],
        },
        { type: 'function_call', id: 'fc_1', call_id: 'a', name: 'weather', arguments: '{"city":"Rome"}', status: 'completed' },
        { type: 'function_call', call_id: 'b', name: 'weather', arguments: '{"city":"Oslo"}' },
        { type: 'function_call_output', call_id: 'a', output: 'sunny' },
        {
          type: 'function_call_output',
          id: 'fco',
          call_id: 'b',
          output: [
            { type: 'input_text', text: 'snow' },
            { type: 'input_image', image_url: 'https://e.x/a.png', detail: 'low' },
          ],
        },
      ],
    })
    expect(extra).toEqual([])
    expect(messages.map((message) => message.role)).toEqual(['user', 'assistant', 'tool', 'tool'])
    expect(messages[1]).toEqual({
      role: 'assistant',
      at: 'input[1]',
      parts: [
        { type: 'reasoning', text: 'Two\n\ncalls.', signature: 'seal', signatureFormat: 'openai-responses', id: 'rs_1', at: 'input[1]' },
        { type: 'text', text: 'Looking.', at: 'input[2].content[0]' },
        { type: 'tool_call', id: 'a', name: 'weather', arguments: '{"city":"Rome"}', at: 'input[3]' },
        { type: 'tool_call', id: 'b', name: 'weather', arguments: '{"city":"Oslo"}', at: 'input[4]' },
      ],
    })
    expect(messages[3]?.parts).toEqual([
      {
        type: 'tool_result',
        callId: 'b',
        at: 'input[6]',
        content: [
          { type: 'text', text: 'snow', at: 'input[6].output[0]' },
          { type: 'image', source: { kind: 'url', url: 'https://e.x/a.png' }, detail: 'low', at: 'input[6].output[1]' },
        ],
      },
    ])
  })

  it('two answers in a row stay two, each with the reasoning that led to it', () => {
    const { messages } = decode({
      model: 'm',
      input: [
        { type: 'reasoning', summary: [], encrypted_content: 'one' },
        { role: 'assistant', content: 'first' },
        { type: 'reasoning', summary: [], encrypted_content: 'two' },
        { role: 'assistant', content: [{ type: 'refusal', refusal: 'no' }] },
      ],
    })
    expect(messages.map(({ parts }) => parts.map((part) => (part.type === 'reasoning' ? part.signature : part.type)))).toEqual([
      ['one', 'text'],
      ['two', 'refusal'],
    ])
  })

  it('media of every kind', () => {
    const { messages } = decode({
      model: 'm',
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'high' },
            { type: 'input_image', file_id: 'file-1' },
            { type: 'input_file', file_data: 'data:application/pdf;base64,BBBB', filename: 'a.pdf' },
            { type: 'input_file', file_data: 'CCCC', filename: 'notes.txt' },
            { type: 'input_file', file_url: 'https://e.x/a.pdf' },
            { type: 'input_audio', input_audio: { data: 'DDDD', format: 'mp3' } },
            { type: 'input_text', text: 'and', prompt_cache_breakpoint: { mode: 'explicit' } },
          ],
        },
      ],
    })
    expect(messages[0]?.parts).toMatchObject([
      { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' }, detail: 'high' },
      { type: 'image', source: { kind: 'file-id', id: 'file-1' } },
      { type: 'file', source: { kind: 'base64', mediaType: 'application/pdf', data: 'BBBB' }, name: 'a.pdf' },
      { type: 'file', source: { kind: 'base64', mediaType: 'text/plain', data: 'CCCC' } },
      { type: 'file', source: { kind: 'url', url: 'https://e.x/a.pdf' } },
      { type: 'audio', source: { kind: 'base64', mediaType: 'audio/mpeg', data: 'DDDD' } },
      { type: 'text', cache: {} },
    ])
  })

  it('settings, each with its path', () => {
    const {
      paths,
      messages: _messages,
      ...request
    } = decode({
      ...hello,
      tools: [{ type: 'function', name: 'f', parameters: { type: 'object' }, strict: true, description: null }, { type: 'web_search' }],
      tool_choice: { type: 'function', name: 'f' },
      parallel_tool_calls: false,
      max_output_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      top_logprobs: 3,
      include: ['message.output_text.logprobs', 'reasoning.encrypted_content'],
      text: { format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: true }, verbosity: 'low' },
      reasoning: { effort: 'low', summary: 'detailed' },
      store: false,
      metadata: { a: 'b' },
      service_tier: 'flex',
      safety_identifier: 'u1',
      prompt_cache_key: 'k',
      truncation: 'disabled',
      background: false,
      previous_response_id: null,
    })
    expect(request).toEqual({
      model: 'm',
      stream: false,
      tools: [
        { type: 'function', name: 'f', parameters: { type: 'object' }, strict: true, at: 'tools[0]' },
        { type: 'native', format: 'openai-responses', value: { type: 'web_search' }, at: 'tools[1]' },
      ],
      toolChoice: { name: 'f' },
      parallelToolCalls: false,
      maxOutputTokens: 100,
      temperature: 0.5,
      topP: 0.9,
      logprobs: { top: 3 },
      responseFormat: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: true },
      verbosity: 'low',
      reasoning: { effort: 'low', summary: 'detailed', visible: true },
      store: false,
      metadata: { a: 'b' },
      serviceTier: 'flex',
      user: 'u1',
      promptCacheKey: 'k',
      extra: [],
    })
    expect(paths).toMatchObject({
      messages: 'input',
      toolChoice: 'tool_choice',
      parallelToolCalls: 'parallel_tool_calls',
      maxOutputTokens: 'max_output_tokens',
      logprobs: 'include[0]',
      'logprobs.top': 'top_logprobs',
      responseFormat: 'text.format',
      verbosity: 'text.verbosity',
      'reasoning.effort': 'reasoning.effort',
      'reasoning.summary': 'reasoning.summary',
      user: 'safety_identifier',
    })
  })

  it.each([
    ['previous_response_id', { previous_response_id: 'resp_1' }, 'previous_response_id'],
    ['a conversation', { conversation: { id: 'c' } }, 'conversation'],
    ['background', { background: true }, 'background'],
    ['a stored prompt', { prompt: { id: 'p' } }, 'prompt'],
    ['truncation', { truncation: 'auto' }, 'truncation'],
    ['an unknown include', { include: ['reasoning.encrypted_content', 'file_search_call.results'] }, 'include[1]'],
    ['an unknown field', { shiny: 1 }, 'shiny'],
    ['an unknown field inside', { text: { shiny: 1 } }, 'text.shiny'],
    ['another choice of tool', { tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [] } }, 'tool_choice'],
    ['another form of text', { text: { format: { type: 'grammar' } } }, 'text.format'],
    ['an unknown field of an item', { input: [{ role: 'user', content: 'x', shiny: 1 }] }, 'input[0].shiny'],
    [
      'an unknown field of a part',
      { input: [{ role: 'user', content: [{ type: 'input_text', text: 'x', shiny: 1 }] }] },
      'input[0].content[0].shiny',
    ],
    [
      'a detail of its own',
      { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'u', detail: 'original' }] }] },
      'input[0].content[0].detail',
    ],
    ['a field of a tool', { tools: [{ type: 'function', name: 'f', defer_loading: true }] }, 'tools[0].defer_loading'],
  ])('keeps %s with its path', (_name, fields, path) => {
    expect(decode({ ...hello, ...fields }).extra.map((field) => field.path)).toEqual([path])
  })

  it('items and parts of its own kinds stay what they are', () => {
    const call = { type: 'custom_tool_call', call_id: 'x', name: 'sh', input: 'ls' }
    const output = { type: 'custom_tool_call_output', call_id: 'x', output: 'a.txt' }
    const reference = { type: 'item_reference', id: 'msg_1' }
    const { messages } = decode({ model: 'm', input: [call, output, reference] })
    expect(messages).toMatchObject([
      { role: 'assistant', parts: [{ type: 'native', format: 'openai-responses', value: call, at: 'input[0]' }] },
      { role: 'tool', parts: [{ value: output }] },
      { role: 'user', parts: [{ value: reference }] },
    ])
  })
})
