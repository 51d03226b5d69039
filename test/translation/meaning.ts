import type { Message, Part, Request } from '../../src/protocol/index.js'

/**
 * What a request says, whatever the format it is written in: who says what in which order, which tools there are, and the
 * settings. Left out: where something stood, how many messages it was cut into, cache marks, and reasoning of earlier turns.
 */
export interface Meaning {
  readonly turns: readonly (readonly [side: 'system' | 'user' | 'assistant', ...said: readonly unknown[]])[]
  readonly tools?: unknown
  readonly toolChoice?: unknown
  readonly format?: unknown
  readonly settings: Readonly<Record<string, unknown>>
}

export function meaningOf(request: Request): Meaning {
  const format = request.responseFormat
  return plain({
    turns: turnsOf(request.messages),
    tools: request.tools?.map((tool) =>
      tool.type === 'native' ? tool.value : { name: tool.name, description: tool.description, parameters: schemaMeaning(tool.parameters) },
    ),
    toolChoice: request.toolChoice === 'auto' ? undefined : request.toolChoice,
    format:
      format === undefined || format.type === 'text'
        ? undefined
        : format.type === 'json_schema'
          ? schemaMeaning(format.schema)
          : format.type,
    settings: {
      maxOutputTokens: request.maxOutputTokens,
      temperature: request.temperature,
      topP: request.topP,
      stop: request.stop,
      effort: request.reasoning?.effort,
      user: request.user,
      // Said only where there are tools to call.
      parallelToolCalls: request.parallelToolCalls === false ? false : undefined,
    },
  })
}

/** No parameters are written as `{}`, as an empty object schema, or not at all. */
function schemaMeaning(schema: Readonly<Record<string, unknown>> | undefined): unknown {
  if (schema === undefined) return undefined
  const { additionalProperties: _closed, ...rest } = schema
  return Object.keys(rest).length === 0 ||
    (rest['type'] === 'object' && Object.keys((rest['properties'] as object | undefined) ?? {}).length === 0)
    ? undefined
    : rest
}

export type Turn = Meaning['turns'][number]

export function turnsOf(messages: readonly Message[]): Turn[] {
  const turns: Turn[] = []
  for (const { role, parts } of messages) {
    const side = role === 'developer' || role === 'system' ? 'system' : role === 'assistant' ? 'assistant' : 'user'
    say(turns, side, parts.flatMap(saidBy))
  }
  return turns
}

/** Adds to the last turn of the same side, and joins texts that meet. */
export function say(turns: Turn[], side: Turn[0], said: readonly unknown[]): void {
  if (said.length === 0) return
  const last = turns.at(-1)
  if (last?.[0] === side) turns[turns.length - 1] = [side, ...last.slice(1), ...said]
  else turns.push([side, ...said])
}

function saidBy(part: Part): unknown[] {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return part.text === '' ? [] : [part.text]
    case 'image':
    case 'audio':
    case 'file':
      return [{ [part.type]: mediaMeaning(part.source) }]
    case 'tool_call':
      return [{ call: part.id, name: part.name, arguments: JSON.parse(part.arguments === '' ? '{}' : part.arguments) as unknown }]
    case 'tool_result': {
      const said = part.content.flatMap(saidBy)
      // Formats without a flag for a failed call say it in words.
      return [{ result: part.callId, said: part.isError === true ? [`Error: ${String(said[0] ?? '')}`, ...said.slice(1)] : said }]
    }
    case 'reasoning':
      return []
    case 'native':
      return [part.value]
  }
}

function mediaMeaning(source: Extract<Part, { type: 'image' }>['source']): unknown {
  return source.kind === 'url' ? source.url : source.kind === 'base64' ? `${source.mediaType},${source.data}` : source.id
}

type Json = Readonly<Record<string, unknown>>
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : [])
const json = (value: unknown): Json => (typeof value === 'object' && value !== null ? (value as Json) : {})

/** The same of a body for Gemini, which has no decoder: nobody calls Bursar in its format. Efforts are told by the budget or level. */
export function meaningOfGemini(body: Json): Meaning {
  const turns: Turn[] = []
  say(
    turns,
    'system',
    list(json(body['systemInstruction'])['parts']).map((part) => part['text']),
  )
  for (const content of list(body['contents']))
    say(turns, content['role'] === 'model' ? 'assistant' : 'user', list(content['parts']).flatMap(geminiPart))
  const config = json(body['generationConfig'])
  const calling = json(json(body['toolConfig'])['functionCallingConfig'])
  const names = calling['allowedFunctionNames']
  const tools = list(body['tools']).flatMap((tool) => list(tool['functionDeclarations']))
  const schema = config['responseJsonSchema']
  return plain({
    turns,
    tools:
      tools.length === 0
        ? undefined
        : tools.map((tool) => ({
            name: tool['name'],
            description: tool['description'],
            parameters: tool['parametersJsonSchema'] && schemaMeaning(json(tool['parametersJsonSchema'])),
          })),
    toolChoice: Array.isArray(names)
      ? { name: names[0] as unknown }
      : calling['mode'] === 'ANY'
        ? 'required'
        : calling['mode'] === 'NONE'
          ? 'none'
          : undefined,
    format:
      schema !== undefined ? schemaMeaning(json(schema)) : config['responseMimeType'] === 'application/json' ? 'json_object' : undefined,
    settings: {
      maxOutputTokens: config['maxOutputTokens'],
      temperature: config['temperature'],
      topP: config['topP'],
      stop: config['stopSequences'],
      effort: config['thinkingConfig'] === undefined ? undefined : String(json(config['thinkingConfig'])['thinkingLevel']).toLowerCase(),
    },
  })
}

function geminiPart(part: Json): unknown[] {
  if (part['functionCall'] !== undefined) {
    const call = json(part['functionCall'])
    return [{ call: call['id'], name: call['name'], arguments: call['args'] }]
  }
  if (part['functionResponse'] !== undefined) {
    const result = json(part['functionResponse'])
    const response = json(result['response'])
    const said = 'error' in response ? `Error: ${String(response['error'])}` : response['output']
    return [{ result: result['id'], said: [...(said === '' ? [] : [said]), ...list(result['parts']).flatMap(geminiPart)] }]
  }
  if (part['inlineData'] !== undefined)
    return [
      media(
        String(json(part['inlineData'])['mimeType']),
        `${String(json(part['inlineData'])['mimeType'])},${String(json(part['inlineData'])['data'])}`,
      ),
    ]
  if (part['fileData'] !== undefined) return [media(String(json(part['fileData'])['mimeType']), json(part['fileData'])['fileUri'])]
  return [part['text']]
}

function media(mimeType: string, value: unknown): Json {
  return { [mimeType.startsWith('image/') ? 'image' : mimeType.startsWith('audio/') ? 'audio' : 'file']: value }
}

/** Absent and undefined are the same. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}
