/**
 * Conversations as three kinds of clients write them: each says the same in every format that can say it. `refused` lists by
 * caller and provider the paths that can't be expressed there; where nothing is listed, the request must say the same.
 */
export type Caller = 'openai-chat' | 'openai-responses' | 'anthropic-messages'
export type Target = Caller | 'gemini'
type Body = Readonly<Record<string, unknown>>

type PathsByCaller = Readonly<Partial<Record<Caller, Readonly<Partial<Record<Target, readonly string[]>>>>>>

export interface Conversation {
  readonly name: string
  readonly bodies: Readonly<Partial<Record<Caller, Body>>>
  readonly refused?: PathsByCaller
  /** What has another place there, and is noted. */
  readonly moved?: PathsByCaller
}

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const model = { model: 'm' }
const limited = { ...model, max_tokens: 100 }
const hi = { role: 'user', content: 'Hi.' }
const asked = (...content: readonly Body[]): readonly Body[] => [{ role: 'user', content }]
const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] }
const chatTools = [
  { type: 'function', function: { name: 'weather', description: 'Weather of a city', parameters } },
  { type: 'function', function: { name: 'now' } },
]
const responsesTools = [
  { type: 'function', name: 'weather', description: 'Weather of a city', parameters, strict: false },
  { type: 'function', name: 'now', parameters: null, strict: false },
]
const claudeTools = [
  { name: 'weather', description: 'Weather of a city', input_schema: parameters },
  { name: 'now', input_schema: { type: 'object', properties: {} } },
]

const schema = { type: 'object', properties: { legs: { type: 'integer' } }, required: ['legs'], additionalProperties: false }

const everywhere = (path: string, targets: readonly Target[]): Partial<Record<Target, readonly string[]>> =>
  Object.fromEntries(targets.map((target) => [target, [path]]))

export const conversations: readonly Conversation[] = [
  {
    name: 'a question with settings',
    bodies: {
      'openai-chat': { ...model, messages: [hi], max_tokens: 100, temperature: 0.5 },
      'openai-responses': { ...model, input: 'Hi.', max_output_tokens: 100, temperature: 0.5 },
      'anthropic-messages': { ...limited, messages: [hi], temperature: 0.5 },
    },
  },
  {
    name: 'instructions and several turns',
    bodies: {
      'openai-chat': {
        ...model,
        max_completion_tokens: 100,
        messages: [
          { role: 'system', content: 'Be terse.' },
          hi,
          { role: 'assistant', content: 'Hello.' },
          { role: 'user', content: 'Ж 世界 👋\n"quoted"' },
        ],
      },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        instructions: 'Be terse.',
        input: [
          hi,
          {
            type: 'message',
            id: 'msg_1',
            status: 'completed',
            role: 'assistant',
            content: [{ type: 'output_text', text: 'Hello.', annotations: [] }],
          },
          { role: 'user', content: [{ type: 'input_text', text: 'Ж 世界 👋\n"quoted"' }] },
        ],
      },
      'anthropic-messages': {
        ...limited,
        system: 'Be terse.',
        messages: [
          hi,
          { role: 'assistant', content: [{ type: 'text', text: 'Hello.' }] },
          { role: 'user', content: 'Ж 世界 👋\n"quoted"' },
        ],
      },
    },
  },
  {
    name: 'images by URL and as data',
    bodies: {
      'openai-chat': {
        ...limited,
        messages: asked(
          { type: 'text', text: 'Which?' },
          { type: 'image_url', image_url: { url: 'https://example.org/a.png' } },
          { type: 'image_url', image_url: { url: `data:image/png;base64,${png}` } },
        ),
      },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        input: asked(
          { type: 'input_text', text: 'Which?' },
          { type: 'input_image', image_url: 'https://example.org/a.png' },
          { type: 'input_image', image_url: `data:image/png;base64,${png}` },
        ),
      },
      'anthropic-messages': {
        ...limited,
        messages: asked(
          { type: 'text', text: 'Which?' },
          { type: 'image', source: { type: 'url', url: 'https://example.org/a.png' } },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
        ),
      },
    },
  },
  {
    name: 'a file as data',
    bodies: {
      'openai-chat': {
        ...limited,
        messages: asked(
          { type: 'file', file: { file_data: 'data:application/pdf;base64,JVBERi0=', filename: 'a.pdf' } },
          { type: 'text', text: 'Sum up.' },
        ),
      },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        input: asked(
          { type: 'input_file', file_data: 'data:application/pdf;base64,JVBERi0=', filename: 'a.pdf' },
          { type: 'input_text', text: 'Sum up.' },
        ),
      },
      'anthropic-messages': {
        ...limited,
        messages: asked(
          { type: 'document', title: 'a.pdf', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' } },
          { type: 'text', text: 'Sum up.' },
        ),
      },
    },
  },
  {
    name: 'parallel calls of tools with their results, one of which failed',
    bodies: {
      'openai-chat': {
        ...limited,
        tools: chatTools,
        tool_choice: 'auto',
        messages: [
          { role: 'user', content: 'Weather in Rome and Oslo?' },
          {
            role: 'assistant',
            content: 'Looking.',
            tool_calls: [
              { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } },
              { id: 'call_2', type: 'function', function: { name: 'now', arguments: '{}' } },
            ],
          },
          { role: 'tool', tool_call_id: 'call_1', content: 'sunny' },
          { role: 'tool', tool_call_id: 'call_2', content: 'Error: no clock' },
          { role: 'user', content: 'Well?' },
        ],
      },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        tools: responsesTools,
        tool_choice: 'auto',
        input: [
          { role: 'user', content: 'Weather in Rome and Oslo?' },
          { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'seal' },
          { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Looking.' }] },
          { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city":"Rome"}' },
          { type: 'function_call', call_id: 'call_2', name: 'now', arguments: '{}' },
          { type: 'function_call_output', call_id: 'call_1', output: 'sunny' },
          { type: 'function_call_output', call_id: 'call_2', output: [{ type: 'input_text', text: 'Error: no clock' }] },
          { role: 'user', content: 'Well?' },
        ],
      },
      'anthropic-messages': {
        ...limited,
        tools: claudeTools,
        tool_choice: { type: 'auto' },
        messages: [
          { role: 'user', content: 'Weather in Rome and Oslo?' },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Two calls.', signature: 'seal' },
              { type: 'text', text: 'Looking.' },
              { type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Rome' } },
              { type: 'tool_use', id: 'call_2', name: 'now', input: {} },
            ],
          },
          {
            role: 'user',
            content: [
              { type: 'tool_result', tool_use_id: 'call_1', content: 'sunny' },
              { type: 'tool_result', tool_use_id: 'call_2', is_error: true, content: [{ type: 'text', text: 'no clock' }] },
              { type: 'text', text: 'Well?' },
            ],
          },
        ],
      },
    },
  },
  {
    name: 'a forced tool',
    bodies: {
      'openai-chat': { ...limited, messages: [hi], tools: chatTools, tool_choice: { type: 'function', function: { name: 'weather' } } },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        input: 'Hi.',
        tools: responsesTools,
        tool_choice: { type: 'function', name: 'weather' },
      },
      'anthropic-messages': { ...limited, messages: [hi], tools: claudeTools, tool_choice: { type: 'tool', name: 'weather' } },
    },
  },
  {
    name: 'any tool, but one at a time',
    bodies: {
      'openai-chat': { ...limited, messages: [hi], tools: chatTools, tool_choice: 'required', parallel_tool_calls: false },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        input: 'Hi.',
        tools: responsesTools,
        tool_choice: 'required',
        parallel_tool_calls: false,
      },
      'anthropic-messages': {
        ...limited,
        messages: [hi],
        tools: claudeTools,
        tool_choice: { type: 'any', disable_parallel_tool_use: true },
      },
    },
  },
  {
    name: 'JSON by a schema',
    bodies: {
      'openai-chat': {
        ...limited,
        messages: [hi],
        response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } },
      },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        input: 'Hi.',
        text: { format: { type: 'json_schema', name: 'answer', schema, strict: true } },
      },
      'anthropic-messages': { ...limited, messages: [hi], output_config: { format: { type: 'json_schema', schema } } },
    },
  },
  {
    name: 'any JSON',
    bodies: {
      'openai-chat': { ...limited, messages: [hi], response_format: { type: 'json_object' } },
      'openai-responses': { ...model, max_output_tokens: 100, input: 'Hi.', text: { format: { type: 'json_object' } } },
    },
    refused: {
      'openai-chat': { 'anthropic-messages': ['response_format'] },
      'openai-responses': { 'anthropic-messages': ['text.format'] },
    },
  },
  {
    name: 'much reasoning',
    bodies: {
      'openai-chat': { ...limited, messages: [hi], reasoning_effort: 'high' },
      'openai-responses': { ...model, max_output_tokens: 100, input: 'Hi.', reasoning: { effort: 'high' } },
      'anthropic-messages': { ...limited, messages: [hi], thinking: { type: 'adaptive' }, output_config: { effort: 'high' } },
    },
  },
  {
    name: 'stop sequences',
    bodies: {
      'openai-chat': { ...limited, messages: [hi], stop: ['END', '###'] },
      'anthropic-messages': { ...limited, messages: [hi], stop_sequences: ['END', '###'] },
    },
    refused: { 'openai-chat': { 'openai-responses': ['stop'] }, 'anthropic-messages': { 'openai-responses': ['stop_sequences'] } },
  },
  {
    name: 'cache marks',
    bodies: {
      'openai-chat': {
        ...limited,
        messages: [
          { role: 'system', content: [{ type: 'text', text: 'A long text.', cache_control: { type: 'ephemeral', ttl: '1h' } }] },
          { role: 'user', content: [{ type: 'text', text: 'Hi.', cache_control: { type: 'ephemeral' } }] },
        ],
      },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        input: [
          { role: 'system', content: [{ type: 'input_text', text: 'A long text.' }] },
          { role: 'user', content: [{ type: 'input_text', text: 'Hi.', prompt_cache_breakpoint: { mode: 'explicit' } }] },
        ],
      },
      'anthropic-messages': {
        ...limited,
        system: [{ type: 'text', text: 'A long text.', cache_control: { type: 'ephemeral', ttl: '1h' } }],
        messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi.', cache_control: { type: 'ephemeral' } }] }],
      },
    },
  },
  {
    name: 'sound',
    bodies: {
      'openai-chat': {
        ...limited,
        messages: asked({ type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }, { type: 'text', text: 'Who?' }),
      },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        input: asked({ type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }, { type: 'input_text', text: 'Who?' }),
      },
    },
    refused: {
      'openai-chat': { 'anthropic-messages': ['messages[0].content[0]'] },
      'openai-responses': { 'anthropic-messages': ['input[0].content[0]'] },
    },
  },
  {
    name: 'an earlier refusal',
    bodies: {
      'openai-chat': {
        ...limited,
        messages: [hi, { role: 'assistant', content: null, refusal: 'No.' }, { role: 'user', content: 'Why?' }],
      },
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        input: [hi, { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] }, { role: 'user', content: 'Why?' }],
      },
    },
  },
  {
    name: 'an image as the result of a tool',
    bodies: {
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        tools: responsesTools,
        input: [
          hi,
          { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city":"Rome"}' },
          {
            type: 'function_call_output',
            call_id: 'call_1',
            output: [
              { type: 'input_text', text: 'a map' },
              { type: 'input_image', image_url: `data:image/png;base64,${png}` },
            ],
          },
        ],
      },
      'anthropic-messages': {
        ...limited,
        tools: claudeTools,
        messages: [
          hi,
          { role: 'assistant', content: [{ type: 'tool_use', id: 'call_1', name: 'weather', input: { city: 'Rome' } }] },
          {
            role: 'user',
            content: [
              {
                type: 'tool_result',
                tool_use_id: 'call_1',
                content: [
                  { type: 'text', text: 'a map' },
                  { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png } },
                ],
              },
            ],
          },
        ],
      },
    },
    // Only text stands in a result there; the image follows in a message of the user.
    moved: {
      'openai-responses': { 'openai-chat': ['input[2].output[1]'] },
      'anthropic-messages': { 'openai-chat': ['messages[2].content[0].content[1]'] },
    },
  },
  {
    name: 'settings that only chat completions have',
    bodies: {
      'openai-chat': { ...limited, messages: [hi], seed: 7, n: 2, frequency_penalty: 0.5, logit_bias: { '50256': -100 }, logprobs: true },
    },
    refused: {
      'openai-chat': {
        'openai-responses': ['n', 'seed', 'frequency_penalty', 'logit_bias'],
        'anthropic-messages': ['n', 'seed', 'logprobs', 'logit_bias', 'frequency_penalty'],
        gemini: ['logit_bias'],
      },
    },
  },
  {
    name: 'what the provider keeps between calls',
    bodies: { 'openai-responses': { ...model, max_output_tokens: 100, input: 'Hi.', previous_response_id: 'resp_0' } },
    refused: { 'openai-responses': everywhere('previous_response_id', ['openai-chat', 'anthropic-messages', 'gemini']) },
  },
  {
    name: 'a field that nobody knows',
    bodies: {
      'openai-chat': { ...limited, messages: [hi], shiny: { new: true } },
      'openai-responses': { ...model, max_output_tokens: 100, input: 'Hi.', shiny: { new: true } },
      'anthropic-messages': { ...limited, messages: [hi], shiny: { new: true } },
    },
    refused: {
      'openai-chat': everywhere('shiny', ['openai-responses', 'anthropic-messages', 'gemini']),
      'openai-responses': everywhere('shiny', ['openai-chat', 'anthropic-messages', 'gemini']),
      'anthropic-messages': everywhere('shiny', ['openai-chat', 'openai-responses', 'gemini']),
    },
  },
  {
    name: "the provider's own tools and blocks",
    bodies: {
      'openai-responses': {
        ...model,
        max_output_tokens: 100,
        tools: [{ type: 'web_search' }],
        input: [hi, { type: 'web_search_call', id: 'ws_1', status: 'completed' }, { role: 'user', content: 'And?' }],
      },
      'anthropic-messages': {
        ...limited,
        tools: [{ type: 'web_search_20250305', name: 'web_search' }],
        messages: asked(
          { type: 'search_result', source: 's', title: 't', content: [{ type: 'text', text: 'x' }] },
          { type: 'text', text: 'And?' },
        ),
      },
    },
    refused: {
      'openai-responses': Object.fromEntries(
        (['openai-chat', 'anthropic-messages', 'gemini'] as const).map((target) => [target, ['tools[0]', 'input[1]']]),
      ),
      'anthropic-messages': Object.fromEntries(
        (['openai-chat', 'openai-responses', 'gemini'] as const).map((target) => [target, ['tools[0]', 'messages[0].content[0]']]),
      ),
    },
  },
]
