import { isDeepStrictEqual } from 'node:util'

/**
 * What a request body says, read from the wire without any code of the product: who says what in which order, the tools, and
 * the settings. The four readers follow the makers' documentation, so that a mistake made both ways by a codec shows.
 */
export interface Said {
  /** Such as `['user', text]`, `['call', id, name, arguments]`, `['result', id, text]`. */
  readonly turns: readonly Fact[]
  /** Name, description and schema of each function. */
  readonly tools: readonly Fact[]
  /** Only what the body says; `undefined` otherwise. */
  readonly settings: Readonly<Record<string, unknown>>
}
export type Fact = readonly unknown[]
export type Format = 'openai-chat' | 'openai-responses' | 'anthropic-messages' | 'gemini'

type Json = Readonly<Record<string, unknown>>

/** Reads a request body of a format. */
export function saidIn(format: Format, body: Json): Said {
  return readers[format](body)
}

const readers: Readonly<Record<Format, (body: Json) => Said>> = {
  'openai-chat': chat,
  'openai-responses': responses,
  'anthropic-messages': anthropic,
  gemini,
}

/** The first thing that is not the same; `undefined` where nothing is lost. Settings that the caller didn't name may be anything. */
export function difference(expected: Said, got: Said): string | undefined {
  for (const part of ['turns', 'tools'] as const) {
    const length = Math.max(expected[part].length, got[part].length)
    for (let index = 0; index < length; index++)
      if (!isDeepStrictEqual(expected[part][index], got[part][index]))
        return `${part}[${index}]: ${shown(expected[part][index])} became ${shown(got[part][index])}`
  }
  for (const [name, value] of Object.entries(expected.settings))
    if (value !== undefined && !isDeepStrictEqual(value, got.settings[name]))
      return `${name}: ${shown(value)} became ${shown(got.settings[name])}`
  return undefined
}

/** Cut short: the data's licences allow no copies, and a report may be kept. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 160 ? `${text.slice(0, 100)} … ${text.slice(-40)}` : text
}

export function json(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {}
}
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
export function argumentsOf(text: unknown): unknown {
  try {
    return JSON.parse(typeof text === 'string' && text !== '' ? text : '{}')
  } catch {
    return { broken: text }
  }
}

function say(turns: Fact[], who: string, text: unknown): void {
  if (typeof text === 'string' && text.trim() !== '') turns.push([who, text])
}

/** No schema, an empty one, and one without properties ask for the same; `$schema` only names the dialect. */
function schema(value: unknown): unknown {
  const { $schema: _dialect, ...rest } = json(value)
  const bare =
    Object.keys(rest).length === 0 ||
    (rest['type'] === 'object' && Object.keys(json(rest['properties'])).length === 0 && !('required' in rest))
  return bare ? null : { type: 'object', ...rest }
}

function chat(body: Json): Said {
  const turns: Fact[] = []
  for (const value of list(body['messages'])) {
    const message = json(value)
    const role = String(message['role'])
    const who = role === 'developer' ? 'system' : role
    if (message['name'] !== undefined && role !== 'tool') turns.push(['name', message['name']])
    const texts: string[] = []
    for (const part of typeof message['content'] === 'string'
      ? [{ type: 'text', text: message['content'] }]
      : list(message['content']).map(json)) {
      if (part['type'] === 'text' && role === 'tool') texts.push(String(part['text']))
      else if (part['type'] === 'text') say(turns, who, part['text'])
      else if (part['type'] === 'image_url') turns.push(['picture', json(part['image_url'])['url']])
      else turns.push(['part', part])
    }
    if (role === 'tool') turns.push(['result', message['tool_call_id'], texts.join('\n')])
    for (const value of list(message['tool_calls'])) {
      const call = json(value)
      const called = json(call['function'])
      turns.push(['call', call['id'], called['name'], argumentsOf(called['arguments'])])
    }
  }
  const choice = body['tool_choice']
  const format = json(body['response_format'])
  return {
    turns,
    tools: list(body['tools']).map((tool) => {
      const { name, description, parameters } = json(json(tool)['function'])
      return [name, description, schema(parameters)]
    }),
    settings: {
      maxTokens: body['max_completion_tokens'] ?? body['max_tokens'],
      temperature: body['temperature'],
      toolChoice: typeof choice === 'object' ? json(json(choice)['function'])['name'] : choice,
      parallel: body['parallel_tool_calls'] === false ? false : undefined,
      schema: json(format['json_schema'])['schema'],
      stop: body['stop'],
      seed: body['seed'],
    },
  }
}

function responses(body: Json): Said {
  const turns: Fact[] = []
  say(turns, 'system', body['instructions'])
  for (const value of typeof body['input'] === 'string' ? [{ role: 'user', content: body['input'] }] : list(body['input'])) {
    const item = json(value)
    if (item['type'] === 'function_call') turns.push(['call', item['call_id'], item['name'], argumentsOf(item['arguments'])])
    else if (item['type'] === 'function_call_output')
      turns.push([
        'result',
        item['call_id'],
        typeof item['output'] === 'string'
          ? item['output']
          : list(item['output'])
              .map((part) => String(json(part)['text']))
              .join('\n'),
      ])
    else if (item['type'] === 'message' || item['type'] === undefined) {
      const who = item['role'] === 'developer' ? 'system' : String(item['role'])
      for (const part of typeof item['content'] === 'string'
        ? [{ type: 'input_text', text: item['content'] }]
        : list(item['content']).map(json)) {
        if (part['type'] === 'input_text' || part['type'] === 'output_text') say(turns, who, part['text'])
        else if (part['type'] === 'input_image') turns.push(['picture', part['image_url']])
        else turns.push(['part', part])
      }
    } else turns.push(['item', item])
  }
  const choice = body['tool_choice']
  return {
    turns,
    tools: list(body['tools']).map((tool) => [json(tool)['name'], json(tool)['description'], schema(json(tool)['parameters'])]),
    settings: {
      maxTokens: body['max_output_tokens'],
      temperature: body['temperature'],
      toolChoice: typeof choice === 'object' ? json(choice)['name'] : choice,
      parallel: body['parallel_tool_calls'] === false ? false : undefined,
      schema: json(json(body['text'])['format'])['schema'],
    },
  }
}

function anthropic(body: Json): Said {
  const turns: Fact[] = []
  for (const block of typeof body['system'] === 'string' ? [{ text: body['system'] }] : list(body['system']).map(json))
    say(turns, 'system', block['text'])
  for (const value of list(body['messages'])) {
    const message = json(value)
    for (const block of typeof message['content'] === 'string'
      ? [{ type: 'text', text: message['content'] }]
      : list(message['content']).map(json)) {
      const source = json(block['source'])
      if (block['type'] === 'text') say(turns, String(message['role']), block['text'])
      else if (block['type'] === 'tool_use') turns.push(['call', block['id'], block['name'], block['input']])
      else if (block['type'] === 'tool_result')
        turns.push([
          'result',
          block['tool_use_id'],
          typeof block['content'] === 'string'
            ? block['content']
            : list(block['content'])
                .map((inner) => String(json(inner)['text']))
                .join('\n'),
        ])
      else if (block['type'] === 'image')
        turns.push([
          'picture',
          source['type'] === 'url' ? source['url'] : `data:${String(source['media_type'])};base64,${String(source['data'])}`,
        ])
      else turns.push(['block', block])
    }
  }
  const choice = json(body['tool_choice'])
  return {
    turns,
    tools: list(body['tools']).map((tool) => [json(tool)['name'], json(tool)['description'], schema(json(tool)['input_schema'])]),
    settings: {
      maxTokens: body['max_tokens'],
      temperature: body['temperature'],
      toolChoice: choice['type'] === 'any' ? 'required' : choice['type'] === 'tool' ? choice['name'] : choice['type'],
      parallel: choice['disable_parallel_tool_use'] === true ? false : undefined,
      schema: json(json(body['output_config'])['format'])['schema'],
      stop: body['stop_sequences'],
    },
  }
}

function gemini(body: Json): Said {
  const turns: Fact[] = []
  for (const part of list(json(body['systemInstruction'])['parts'])) say(turns, 'system', json(part)['text'])
  for (const value of list(body['contents'])) {
    const content = json(value)
    for (const value of list(content['parts'])) {
      const part = json(value)
      const call = json(part['functionCall'])
      const result = json(part['functionResponse'])
      if (part['text'] !== undefined) say(turns, content['role'] === 'model' ? 'assistant' : 'user', part['text'])
      else if (part['functionCall'] !== undefined) turns.push(['call', call['id'], call['name'], call['args']])
      else if (part['functionResponse'] !== undefined)
        turns.push(['result', result['id'], json(result['response'])['output'] ?? json(result['response'])['error']])
      else if (part['fileData'] !== undefined) turns.push(['picture', json(part['fileData'])['fileUri']])
      else if (part['inlineData'] !== undefined)
        turns.push(['picture', `data:${String(json(part['inlineData'])['mimeType'])};base64,${String(json(part['inlineData'])['data'])}`])
      else turns.push(['part', part])
    }
  }
  const config = json(body['generationConfig'])
  const calling = json(json(body['toolConfig'])['functionCallingConfig'])
  const names = list(calling['allowedFunctionNames'])
  const modes: Readonly<Record<string, string>> = { AUTO: 'auto', VALIDATED: 'auto', ANY: 'required', NONE: 'none' }
  return {
    turns,
    tools: list(json(list(body['tools'])[0])['functionDeclarations']).map((tool) => [
      json(tool)['name'],
      json(tool)['description'],
      schema(json(tool)['parametersJsonSchema']),
    ]),
    settings: {
      maxTokens: config['maxOutputTokens'],
      temperature: config['temperature'],
      toolChoice: names.length === 1 ? names[0] : modes[String(calling['mode'])],
      schema: config['responseJsonSchema'],
      stop: config['stopSequences'],
      seed: config['seed'],
    },
  }
}
