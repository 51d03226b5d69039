import type { DataSource } from '../report.js'

/** A tool call as a chat completion writes it: the arguments are JSON text. */
export interface RecordedCall {
  readonly id: string
  readonly name: string
  readonly arguments: string
}

/** What a model answered. */
export interface RecordedAnswer {
  readonly text?: string
  readonly calls: readonly RecordedCall[]
}

/** A conversation as a real client would send it, and answers that fit its tools. */
export interface RecordedConversation {
  readonly id: string
  /** A chat-completions body without `model` and `stream`. */
  readonly body: Readonly<Record<string, unknown>>
  readonly answers: readonly RecordedAnswer[]
}

export interface LoadedConversations {
  readonly name: string
  readonly conversations: readonly RecordedConversation[]
  readonly sources: readonly DataSource[]
  /** What the data doesn't hold and the loader added or changed. */
  readonly notes: readonly string[]
}

/** A function tool of a chat-completions body. */
export function functionTool(name: string, description: string, parameters: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { type: 'function', function: { name, description, parameters } }
}

/** An assistant message of a chat-completions body. */
export function assistantMessage(answer: RecordedAnswer): Record<string, unknown> {
  return {
    role: 'assistant',
    content: answer.text ?? null,
    ...(answer.calls.length === 0
      ? {}
      : {
          tool_calls: answer.calls.map(({ id, name, arguments: json }) => ({ id, type: 'function', function: { name, arguments: json } })),
        }),
  }
}

/** A JSON Schema that these arguments all fit, for data that holds calls but no schemas. */
export function schemaOf(samples: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown> {
  const properties: Record<string, unknown> = {}
  for (const sample of samples) for (const [name, value] of Object.entries(sample)) properties[name] ??= valueSchema(value)
  const required = Object.keys(properties).filter((name) => samples.every((sample) => Object.hasOwn(sample, name)))
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) }
}

function valueSchema(value: unknown): Record<string, unknown> {
  if (Array.isArray(value)) return { type: 'array', items: value.length === 0 ? {} : valueSchema(value[0]) }
  if (value === null) return {}
  if (typeof value === 'object') return schemaOf([{ ...value }])
  return { type: typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : 'string' }
}
