import { describe, expect, it } from 'vitest'
import { edit, type Message, type Request } from '../conversation.js'
import { noting, refusing } from '../fixtures/drop-policies.js'
import { openaiResponses } from './index.js'

function ask(messages: readonly Message[], more: Partial<Request> = {}): Request {
  return { model: 'm', messages, stream: false, paths: {}, extra: [], ...more }
}
const user: Message = { role: 'user', parts: [{ type: 'text', text: 'hi' }] }

describe('a canonical request as a Responses body', () => {
  it('says the simplest thing simply, and asks OpenAI to keep nothing', () => {
    expect(openaiResponses.encodeRequest(ask([user]), 'gpt-4o', refusing)).toEqual({
      model: 'gpt-4o',
      input: [{ type: 'message', role: 'user', content: 'hi' }],
      store: false,
    })
  })

  it('asks for sealed reasoning where the model reasons, so that a tool loop keeps it', () => {
    expect(openaiResponses.encodeRequest(ask([user]), 'gpt-5-mini', refusing)['include']).toEqual(['reasoning.encrypted_content'])
    expect(openaiResponses.encodeRequest(ask([user]), 'gpt-5-chat-latest', refusing)['include']).toBeUndefined()
    expect(openaiResponses.encodeRequest(ask([user], { store: true }), 'gpt-5-mini', refusing)['include']).toBeUndefined()
  })

  it('says a whole tool loop of another format', () => {
    const body = openaiResponses.encodeRequest(
      ask([
        { role: 'system', parts: [{ type: 'text', text: 'Be terse.' }] },
        {
          role: 'user',
          parts: [
            { type: 'text', text: 'look' },
            { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' }, detail: 'low' },
          ],
        },
        {
          role: 'assistant',
          parts: [
            { type: 'reasoning', text: 'theirs', signature: 's', signatureFormat: 'anthropic-messages' },
            { type: 'reasoning', text: 'ours', signature: 'seal', signatureFormat: 'openai-responses', id: 'rs_1' },
            { type: 'text', text: 'Looking.', cache: {} },
            { type: 'tool_call', id: 'a', name: 'f', arguments: '', signature: 'geminis' },
            { type: 'tool_call', id: 'b', name: 'f', arguments: '{"x":1}' },
          ],
        },
        {
          role: 'user',
          parts: [
            { type: 'tool_result', callId: 'a', content: [{ type: 'text', text: 'no such file' }], isError: true },
            {
              type: 'tool_result',
              callId: 'b',
              content: [
                { type: 'text', text: 'one' },
                { type: 'image', source: { kind: 'url', url: 'https://e.x/a.png' } },
              ],
            },
            { type: 'text', text: 'go on' },
          ],
        },
      ]),
      'gpt-4o',
      refusing,
    )
    expect(body['input']).toEqual([
      { type: 'message', role: 'system', content: 'Be terse.' },
      {
        type: 'message',
        role: 'user',
        content: [
          { type: 'input_text', text: 'look' },
          { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'low' },
        ],
      },
      { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'ours' }], encrypted_content: 'seal' },
      { type: 'message', role: 'assistant', content: 'Looking.' },
      { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}' },
      { type: 'function_call', call_id: 'b', name: 'f', arguments: '{"x":1}' },
      { type: 'function_call_output', call_id: 'a', output: 'Error: no such file' },
      {
        type: 'function_call_output',
        call_id: 'b',
        output: [
          { type: 'input_text', text: 'one' },
          { type: 'input_image', image_url: 'https://e.x/a.png' },
        ],
      },
      { type: 'message', role: 'user', content: 'go on' },
    ])
  })

  it.each([
    ['stop', { stop: ['x'] }, 'stop'],
    ['seed', { seed: 1 }, 'seed'],
    ['several answers', { n: 2 }, 'n'],
    ['top_k', { topK: 5 }, 'top_k'],
    ['a frequency penalty', { frequencyPenalty: 1 }, 'frequency_penalty'],
    ['a presence penalty', { presencePenalty: -1 }, 'presence_penalty'],
    ['token biases', { logitBias: { '1': 5 } }, 'logit_bias'],
    ['a tool of another provider', { tools: [{ type: 'native', format: 'anthropic-messages', value: {}, at: 'tools[0]' }] }, 'tools[0]'],
    [
      'a field of another format',
      { extra: [{ format: 'anthropic-messages', name: 'container', path: 'container', value: 'c' }] },
      'container',
    ],
    ["a speaker's name", { messages: [{ ...user, name: 'ann', at: 'messages[0]' }] }, 'messages[0].name'],
    [
      'a file of another provider',
      { messages: [{ role: 'user', parts: [{ type: 'file', source: { kind: 'file-id', id: 'file_0' }, at: 'here' }] }] },
      'here',
    ],
    ['sound by URL', { messages: [{ role: 'user', parts: [{ type: 'audio', source: { kind: 'url', url: 'u' }, at: 'here' }] }] }, 'here'],
    [
      'an image in an answer',
      { messages: [{ role: 'assistant', parts: [{ type: 'image', source: { kind: 'url', url: 'u' }, at: 'here' }] }] },
      'here',
    ],
    [
      'an image in instructions',
      { messages: [{ role: 'system', parts: [{ type: 'image', source: { kind: 'url', url: 'u' }, at: 'here' }] }] },
      'here',
    ],
  ] as const)("refuses %s with the caller's path", (_name, more, path) => {
    const drop = noting()
    openaiResponses.encodeRequest(ask([user], more), 'gpt-4o', drop)
    expect(drop.dropped).toEqual([path])
  })

  it('passes over what asks for nothing', () => {
    const drop = noting()
    openaiResponses.encodeRequest(ask([user], { n: 1, stop: [], frequencyPenalty: 0, presencePenalty: 0, logitBias: {} }), 'gpt-4o', drop)
    expect(drop.dropped).toEqual([])
  })

  it('gives back what it took: every field, known or not, where it stood', () => {
    const body = {
      model: 'gpt-5',
      instructions: 'Be terse.',
      input: [
        {
          type: 'message',
          role: 'user',
          content: [{ type: 'input_text', text: 'x', shiny: 1, prompt_cache_breakpoint: { mode: 'explicit' } }],
          extra: true,
        },
        { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'seal' },
        { type: 'function_call', call_id: 'a', name: 'f', arguments: '{}', caller: { type: 'direct' } },
        { type: 'function_call_output', call_id: 'a', output: 'done' },
        { type: 'item_reference', id: 'msg_9' },
        {
          type: 'message',
          role: 'assistant',
          content: [
            { type: 'output_text', text: 'a' },
            { type: 'refusal', refusal: 'b' },
          ],
        },
      ],
      stream: true,
      stream_options: { include_obfuscation: true },
      max_output_tokens: 50,
      temperature: 0.1,
      top_p: 0.2,
      top_logprobs: 2,
      include: ['message.output_text.logprobs', 'file_search_call.results', 'reasoning.encrypted_content'],
      tools: [
        { type: 'function', name: 'f', parameters: null, output_schema: {} },
        { type: 'custom', name: 'sh' },
      ],
      tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [] },
      parallel_tool_calls: true,
      text: { verbosity: 'high', format: { type: 'json_object' }, shiny: 2 },
      reasoning: { effort: 'high', summary: 'auto', context: 'x' },
      store: true,
      metadata: { a: 'b' },
      service_tier: 'flex',
      user: 'u',
      safety_identifier: 's',
      prompt_cache_key: 'k',
      truncation: 'auto',
      background: true,
      previous_response_id: 'resp_0',
      conversation: 'conv_1',
      prompt: { id: 'p' },
      max_tool_calls: 3,
      prompt_cache_retention: '24h',
      shiny: { deep: [1] },
    }
    const drop = noting()
    expect(openaiResponses.encodeRequest(edit(openaiResponses.decodeRequest(body), {}), 'gpt-5', drop)).toEqual(body)
    expect(drop.dropped).toEqual([])
    expect(drop.noted).toEqual([])
  })

  it('tells when an unknown field lost its place', () => {
    const request = openaiResponses.decodeRequest({ model: 'm', input: [{ role: 'user', content: 'x', shiny: 1 }] })
    const drop = noting()
    openaiResponses.encodeRequest(edit(request, { messages: [user] }), 'm', drop)
    expect(drop.dropped).toEqual(['input[0].shiny'])
  })
})
