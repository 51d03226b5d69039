import { describe, expect, it } from 'vitest'
import {
  anthropicMessages,
  edit,
  gemini,
  openaiChat,
  openaiResponses,
  type DropPolicy,
  type OutboundCodec,
  type Request,
} from '../../src/protocol/index.js'
import { refusing } from '../../src/protocol/fixtures/drop-policies.js'

/**
 * Requests as today's coding agents send them, whatever they have to say: none may be refused by a provider of another format
 * for a field that says nothing about the answer. The shapes are those of the clients; the words are ours.
 */

type Sent = { readonly body: Record<string, unknown>; readonly noted: readonly string[] }
function send(codec: OutboundCodec, model: string, request: Request): Sent {
  const noted: string[] = []
  const drop: DropPolicy = { ...refusing, adjusted: (path) => void noted.push(path) }
  const body: unknown = JSON.parse(JSON.stringify(codec.encodeRequest(request, model, drop)))
  if (typeof body !== 'object' || body === null) throw new Error('no body')
  return { body: { ...body }, noted }
}

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const user = `user_${'a'.repeat(64)}_account__session_0b1e2d3c-1111-2222-3333-444455556666`

function bigSchema(index: number): Record<string, unknown> {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    type: 'object',
    properties: {
      file_path: { type: 'string', description: 'An absolute path.' },
      edits: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          properties: { old: { type: 'string' }, new: { type: 'string' }, all: { type: 'boolean', default: false } },
          required: ['old', 'new'],
          additionalProperties: false,
        },
      },
      mode: { type: 'string', enum: ['read', 'write'], description: `Mode ${index}` },
      limit: { anyOf: [{ type: 'number', exclusiveMinimum: 0 }, { type: 'null' }] },
    },
    required: ['file_path'],
    additionalProperties: false,
  }
}

const claudeCode = {
  model: 'coder',
  max_tokens: 32_000,
  stream: true,
  thinking: { type: 'enabled', budget_tokens: 31_999 },
  metadata: { user_id: user },
  context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
  betas: ['interleaved-thinking-2025-05-14', 'context-management-2025-06-27'],
  temperature: 1,
  system: [
    { type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1.1.abc; cc_entrypoint=cli; cch=0a1b2;' },
    { type: 'text', text: 'You are a coding agent.', cache_control: { type: 'ephemeral' } },
    { type: 'text', text: 'Work carefully.', cache_control: { type: 'ephemeral', ttl: '1h' } },
  ],
  tools: Array.from({ length: 20 }, (_, index) => ({
    name: index === 0 ? 'Read' : `mcp__server__tool_${index}`,
    description: `Does thing ${index}.`,
    input_schema: bigSchema(index),
    ...(index === 19 ? { cache_control: { type: 'ephemeral' } } : { eager_input_streaming: true }),
  })),
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: '<system-reminder>Be kind.</system-reminder>' },
        { type: 'text', text: 'What is in the picture?' },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Two files to read.', signature: 'EqQBCgIYAhIM' },
        { type: 'text', text: 'Looking.' },
        { type: 'tool_use', id: 'toolu_01', name: 'Read', input: { file_path: '/a.png' } },
        { type: 'tool_use', id: 'toolu_02', name: 'Read', input: { file_path: '/b.txt', limit: null } },
      ],
    },
    {
      role: 'user',
      content: [
        {
          type: 'tool_result',
          tool_use_id: 'toolu_01',
          content: [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } }],
        },
        { type: 'tool_result', tool_use_id: 'toolu_02', is_error: true, content: 'File does not exist.' },
        { type: 'text', text: 'Go on.', cache_control: { type: 'ephemeral' } },
      ],
    },
  ],
}

describe('a request of Claude Code', () => {
  const request = anthropicMessages.decodeRequest(claudeCode)
  const harmless = ['context_management', 'betas', 'system[0]', 'tools[0].eager_input_streaming']

  it.each([
    ['openai-chat', openaiChat, 'gpt-5'],
    ['openai-chat', openaiChat, 'gpt-4o'],
    ['openai-chat', openaiChat, 'qwen3-coder'],
    ['openai-responses', openaiResponses, 'gpt-5'],
    ['openai-responses', openaiResponses, 'gpt-4.1'],
    ['gemini', gemini, 'gemini-2.5-pro'],
    ['gemini', gemini, 'gemini-3-flash'],
    ['gemini', gemini, 'gemini-2.0-flash'],
  ] as const)('is served by %s (%o) %s', (format, codec, model) => {
    const { body, noted } = send(codec, model, request)
    expect(noted).toEqual(expect.arrayContaining(harmless))
    const text = JSON.stringify(body)
    for (const said of [
      'You are a coding agent.',
      'Be kind.',
      'Looking.',
      '/b.txt',
      'does not exist',
      'Go on.',
      png,
      'mcp__server__tool_19',
      'Mode 7',
    ])
      expect(text).toContain(said)
    // What only Anthropic may see, or what would break another's cache or checks.
    for (const secret of ['billing-header', 'cache_control', 'EqQBCgIYAhIM', 'eager_input', 'context_management', 'betas', user])
      expect(text, format).not.toContain(secret)
  })

  it('thinks as much on OpenAI as it asks for, and has its long user id shortened', () => {
    const chat = send(openaiChat, 'gpt-5', request)
    expect(chat.body).toMatchObject({
      reasoning_effort: 'high',
      max_completion_tokens: 32_000,
      user: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
    })
    expect(chat.noted).toEqual(expect.arrayContaining(['thinking.budget_tokens', 'metadata.user_id']))
    const responses = send(openaiResponses, 'gpt-5', request)
    expect(responses.body).toMatchObject({
      reasoning: { effort: 'high' },
      store: false,
      user: chat.body['user'],
      include: ['reasoning.encrypted_content'],
    })
  })

  it('shows pictures of tool results to chat completions after all results of the turn', () => {
    const { body } = send(openaiChat, 'gpt-5', request)
    expect(body['messages']).toMatchObject([
      { role: 'system' },
      { role: 'user' },
      { role: 'assistant', tool_calls: [{ id: 'toolu_01' }, { id: 'toolu_02' }] },
      { role: 'tool', tool_call_id: 'toolu_01', content: 'See the attachment.' },
      { role: 'tool', tool_call_id: 'toolu_02', content: 'Error: File does not exist.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Attached to the result of tool call toolu_01:' },
          { type: 'image_url' },
          { type: 'text', text: 'Go on.' },
        ],
      },
    ])
  })

  it('goes back to Anthropic as it came, after a strategy changed it', () => {
    // With thinking no other temperature is taken, so the default goes without saying.
    const { temperature: _default, ...rest } = claudeCode
    expect(send(anthropicMessages, 'coder', edit(request, {}))).toEqual({ body: rest, noted: [] })
  })

  it('probes with one token, which Responses does not take', () => {
    const probe = anthropicMessages.decodeRequest({
      model: 'm',
      max_tokens: 1,
      messages: [{ role: 'user', content: 'quota' }],
      metadata: { user_id: user },
    })
    expect(send(openaiResponses, 'gpt-5', probe)).toMatchObject({
      body: { max_output_tokens: 16 },
      noted: ['max_tokens', 'metadata.user_id'],
    })
    expect(send(openaiChat, 'gpt-5', probe).body['max_completion_tokens']).toBe(1)
  })

  it('is refused for what changes the answer', () => {
    for (const [path, more] of [
      ['container', { container: 'c' }],
      ['mcp_servers', { mcp_servers: [{ type: 'url', url: 'https://x', name: 'x' }] }],
      ['inference_geo', { inference_geo: 'eu' }],
      ['tools[0]', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }],
      ['tools[0].input_examples', { tools: [{ name: 'f', input_schema: { type: 'object' }, input_examples: [{}] }] }],
      [
        'messages[0].content[0].citations',
        {
          messages: [
            {
              role: 'user',
              content: [{ type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'x' }, citations: { enabled: true } }],
            },
          ],
        },
      ],
    ] as const)
      for (const [codec, model] of [
        [openaiChat, 'gpt-5'],
        [openaiResponses, 'gpt-5'],
        [gemini, 'gemini-3-flash'],
      ] as const) {
        const asked = anthropicMessages.decodeRequest({ model: 'm', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }], ...more })
        expect(() => send(codec, model, asked), `${path} to ${codec.format}`).toThrow(
          expect.objectContaining({ code: 'unsupported_parameter', path }),
        )
      }
  })
})

const codex = {
  model: 'coder',
  instructions: 'You are a coding agent in a terminal.',
  input: [
    { type: 'message', role: 'developer', content: [{ type: 'input_text', text: '<permissions>read only</permissions>' }] },
    { type: 'message', role: 'user', content: [{ type: 'input_text', text: '<environment_context>cwd</environment_context>' }] },
    { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'List the files.' }] },
    {
      type: 'reasoning',
      id: 'rs_1',
      summary: [{ type: 'summary_text', text: 'I list.' }],
      content: null,
      encrypted_content: 'gAAAAABseal',
    },
    { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Listing.' }], phase: 'commentary', end_turn: false },
    { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'shell', arguments: '{"command":["ls"]}' },
    { type: 'function_call_output', call_id: 'call_1', output: 'a.txt' },
    { type: 'message', role: 'developer', content: [{ type: 'input_text', text: '<permissions>full access</permissions>' }] },
    { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Now read it.' }] },
  ],
  tools: [
    {
      type: 'function',
      name: 'shell',
      description: 'Runs a command.',
      strict: false,
      parameters: {
        type: 'object',
        properties: { command: { type: 'array', items: { type: 'string' } } },
        required: ['command'],
        additionalProperties: false,
      },
    },
    {
      type: 'function',
      name: 'update_plan',
      description: 'Notes a plan.',
      strict: false,
      parameters: { type: 'object', properties: {}, additionalProperties: false },
    },
  ],
  tool_choice: 'auto',
  parallel_tool_calls: false,
  reasoning: { effort: 'medium', summary: 'auto' },
  store: false,
  stream: true,
  include: ['reasoning.encrypted_content'],
  prompt_cache_key: '0b1e2d3c-1111-2222-3333-444455556666',
  text: { verbosity: 'low' },
  client_metadata: { 'x-codex-installation-id': 'i' },
}

describe('a request of Codex', () => {
  const request = openaiResponses.decodeRequest(codex)

  it.each([
    ['openai-chat', openaiChat, 'gpt-5'],
    ['openai-chat', openaiChat, 'qwen3-coder'],
    ['anthropic-messages', anthropicMessages, 'claude-sonnet-4-5'],
    ['anthropic-messages', anthropicMessages, 'claude-opus-4-8'],
    ['gemini', gemini, 'gemini-2.5-pro'],
    ['gemini', gemini, 'gemini-3-flash'],
  ] as const)('is served by %s (%o) %s', (format, codec, model) => {
    const { body, noted } = send(codec, model, request)
    expect(noted).toContain('client_metadata')
    const text = JSON.stringify(body)
    for (const said of [
      'in a terminal',
      'read only',
      'environment_context',
      'List the files.',
      'Listing.',
      'a.txt',
      'full access',
      'Now read it.',
      'update_plan',
    ])
      expect(text, said).toContain(said)
    for (const secret of ['gAAAAABseal', 'installation', 'end_turn', '"phase"']) expect(text, format).not.toContain(secret)
    // A chat server need not know a field whose default it says.
    expect(body).not.toHaveProperty('store')
  })

  it('has its length of answers noted where nobody can ask for it', () => {
    expect(send(anthropicMessages, 'claude-opus-4-8', request).noted).toContain('text.verbosity')
    expect(send(gemini, 'gemini-3-flash', request).noted).toEqual(expect.arrayContaining(['text.verbosity', 'parallel_tool_calls']))
    expect(send(openaiChat, 'gpt-5', request).body).toMatchObject({
      verbosity: 'low',
      parallel_tool_calls: false,
      prompt_cache_key: codex.prompt_cache_key,
    })
  })

  it('passes over what asks for nothing or only gives leave', () => {
    const more = {
      truncation: 'auto',
      max_tool_calls: 5,
      prompt_cache_retention: '24h',
      safety_identifier: 's',
      user: 'u',
      include: ['web_search_call.action.sources'],
      context_management: [{ type: 'compaction', compact_threshold: 9 }],
    }
    const asked = openaiResponses.decodeRequest({ ...codex, ...more })
    for (const [codec, model] of [
      [openaiChat, 'gpt-5'],
      [anthropicMessages, 'claude-opus-4-8'],
      [gemini, 'gemini-3-flash'],
    ] as const)
      expect(send(codec, model, asked).noted).toEqual(
        expect.arrayContaining([
          'truncation',
          'max_tool_calls',
          'prompt_cache_retention',
          'safety_identifier',
          'include[0]',
          'context_management',
        ]),
      )
  })

  it('is refused for what changes the answer', () => {
    for (const [path, more] of [
      ['background', { background: true }],
      ['previous_response_id', { previous_response_id: 'resp_1' }],
      ['tools[0]', { tools: [{ type: 'custom', name: 'apply_patch', format: { type: 'grammar' } }] }],
    ] as const)
      for (const [codec, model] of [
        [openaiChat, 'gpt-5'],
        [anthropicMessages, 'claude-opus-4-8'],
        [gemini, 'gemini-3-flash'],
      ] as const)
        expect(() => send(codec, model, openaiResponses.decodeRequest({ ...codex, ...more })), path).toThrow(
          expect.objectContaining({ code: 'unsupported_parameter', path }),
        )
  })
})
