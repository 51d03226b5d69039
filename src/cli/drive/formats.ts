import { BursarError } from '../../errors/index.js'
import type { OutcomeRow } from '../../environment/index.js'

export const driveFormats = ['openai-chat', 'anthropic-messages', 'openai-responses'] as const
export type DriveFormat = (typeof driveFormats)[number]

/** What a client learns from one response. */
export class AnswerReader {
  text = ''
  inputTokens: number | undefined
  outputTokens: number | undefined
  /** Dollars as the gateway wrote them; `null` where it says that the price is unknown. */
  cost: number | null | undefined
  /** Whether the format's own end was seen. */
  complete = false
  failure: string | undefined

  /** Takes one event of a stream. Deliberately not the gateway's own decoder: what is checked shall not check itself. */
  event(format: DriveFormat, data: string): void {
    if (data === '[DONE]') {
      this.complete = true
      return
    }
    const event: unknown = JSON.parse(data)
    const error = get(event, 'error')
    if (error !== undefined && error !== null) this.failure = String(get(error, 'message') ?? JSON.stringify(error))
    switch (format) {
      case 'openai-chat': {
        const content = get(get(get(get(event, 'choices'), 0), 'delta'), 'content')
        if (typeof content === 'string') this.text += content
        this.usage(get(event, 'usage'))
        return
      }
      case 'anthropic-messages': {
        const type = get(event, 'type')
        const delta = get(event, 'delta')
        if (type === 'content_block_delta' && get(delta, 'type') === 'text_delta') this.text += String(get(delta, 'text'))
        this.usage(get(get(event, 'message'), 'usage'))
        this.usage(get(event, 'usage'))
        if (type === 'message_stop') this.complete = true
        return
      }
      case 'openai-responses': {
        const type = get(event, 'type')
        if (type === 'response.output_text.delta') this.text += String(get(event, 'delta'))
        if (type === 'response.completed' || type === 'response.incomplete' || type === 'response.failed') {
          this.usage(get(get(event, 'response'), 'usage'))
          this.complete = type === 'response.completed'
          if (type !== 'response.completed') this.failure = String(get(get(get(event, 'response'), 'error'), 'message') ?? type)
        }
      }
    }
  }

  /** Takes a whole body. */
  body(format: DriveFormat, text: string): void {
    const body: unknown = JSON.parse(text)
    this.usage(get(body, 'usage'))
    this.complete = true
    if (format === 'openai-chat') {
      const content = get(get(get(get(body, 'choices'), 0), 'message'), 'content')
      this.text = typeof content === 'string' ? content : ''
    } else {
      const blocks =
        format === 'anthropic-messages'
          ? list(get(body, 'content'))
          : list(get(body, 'output')).flatMap((item) => list(get(item, 'content')))
      this.text = blocks
        .map((block) => get(block, 'text'))
        .filter((piece) => typeof piece === 'string')
        .join('')
    }
  }

  private usage(usage: unknown): void {
    if (typeof usage !== 'object' || usage === null) return
    // Anthropic counts cached input apart from the rest.
    const input =
      count(usage, 'prompt_tokens') ??
      sum(count(usage, 'input_tokens'), count(usage, 'cache_read_input_tokens'), count(usage, 'cache_creation_input_tokens'))
    const output = count(usage, 'completion_tokens') ?? count(usage, 'output_tokens')
    if (input !== undefined) this.inputTokens = input
    if (output !== undefined) this.outputTokens = output
    const cost = get(usage, 'cost')
    if (typeof cost === 'number' || cost === null) this.cost = cost
  }
}

const PATHS: Readonly<Record<DriveFormat, string>> = {
  'openai-chat': '/v1/chat/completions',
  'anthropic-messages': '/v1/messages',
  'openai-responses': '/v1/responses',
}

/** Where and what a client of this format sends for a row. Throws `BursarError` for a conversation that the format can't carry. */
export function requestFor(
  format: DriveFormat,
  row: OutcomeRow,
  model: string,
  stream: boolean,
): { readonly path: string; readonly body: string } {
  const path = PATHS[format]
  const { messages, ...rest } = row.request
  // The row's id goes along as `user`, so that rows with the same messages are told apart.
  if (format === 'openai-chat')
    return {
      path,
      body: JSON.stringify({
        ...rest,
        model,
        messages,
        user: row.id,
        stream,
        ...(stream ? { stream_options: { include_usage: true } } : {}),
      }),
    }
  const system = messages.filter(({ role }) => isSystem(role)).map((message) => plainText(message, row.id, format))
  const turns = messages
    .filter(({ role }) => !isSystem(role))
    .map((message) => ({ role: message.role, content: plainText(message, row.id, format) }))
  if (format === 'anthropic-messages')
    return {
      path,
      body: JSON.stringify({
        model,
        max_tokens: 8_192,
        ...(system.length > 0 ? { system: system.map((text) => ({ type: 'text', text })) } : {}),
        messages: turns,
        metadata: { user_id: row.id },
        stream,
      }),
    }
  return {
    path,
    body: JSON.stringify({
      model,
      ...(system.length > 0 ? { instructions: system.join('') } : {}),
      input: turns,
      user: row.id,
      store: false,
      stream,
    }),
  }
}

function isSystem(role: string): boolean {
  return role === 'system' || role === 'developer'
}

function plainText({ role, content }: OutcomeRow['request']['messages'][number], id: string, format: DriveFormat): string {
  if (typeof content === 'string' && (role === 'user' || role === 'assistant' || isSystem(role))) return content
  const parts = list(content)
  if (parts.length > 0 && parts.every((part) => get(part, 'type') === 'text'))
    return parts.map((part) => String(get(part, 'text'))).join('')
  throw new BursarError(`Row "${id}" holds more than text, which "drive --format ${format}" doesn't send. Use --format openai-chat.`, {
    code: 'invalid_request',
    status: 400,
  })
}

function get(value: unknown, key: string | number): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string | number, unknown>>)[key] : undefined
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : []
}

function count(usage: unknown, key: string): number | undefined {
  const value = get(usage, key)
  return typeof value === 'number' ? value : undefined
}

function sum(first: number | undefined, ...more: readonly (number | undefined)[]): number | undefined {
  return first === undefined ? undefined : more.reduce<number>((total, value) => total + (value ?? 0), first)
}
