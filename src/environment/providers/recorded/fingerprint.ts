import { createHash } from 'node:crypto'
import type { MediaSource, Message, Part } from '../../../protocol/index.js'

/**
 * What makes two conversations the same, whatever format they came in: who says what in which order. System texts stand first in one
 * piece (some formats have one field for them), `developer` counts as `system`, a text in several parts as one, a result of
 * a tool belongs to nobody, and reasoning, ids and names are left out. Texts count byte for byte.
 */
type Turn = [speaker: 'system' | 'user' | 'assistant' | 'tool', ...content: string[]]

/** Fingerprint of a canonical conversation. */
export function fingerprintOf(messages: readonly Message[]): string {
  const turns = new Turns()
  for (const message of messages) {
    const speaker = message.role === 'developer' ? 'system' : message.role
    for (const part of message.parts) addPart(turns, speaker, part)
    turns.end()
  }
  return turns.hash()
}

function addPart(turns: Turns, speaker: Turn[0], part: Part): void {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return turns.text(speaker, part.text)
    case 'image':
    case 'audio':
    case 'file':
      return turns.thing(speaker, sourceText(part.source))
    case 'tool_call':
      return turns.thing(speaker, `call ${part.name} ${compact(part.arguments)}`)
    case 'tool_result':
      turns.end()
      for (const item of part.content) addPart(turns, 'tool', item)
      return turns.end()
    case 'reasoning':
      return
    case 'native':
      return turns.thing(speaker, JSON.stringify(part.value))
  }
}

/** Fingerprint of the messages of a table's row, which are in OpenAI's chat form. */
export function fingerprintOfRow(messages: readonly Readonly<Record<string, unknown>>[]): string {
  const turns = new Turns()
  for (const { role, content, tool_calls: calls } of messages) {
    const speaker =
      role === 'developer' || role === 'system'
        ? 'system'
        : role === 'assistant'
          ? 'assistant'
          : role === 'tool' || role === 'function'
            ? 'tool'
            : 'user'
    if (typeof content === 'string') turns.text(speaker, content)
    else if (Array.isArray(content)) for (const part of content as unknown[]) addRowPart(turns, speaker, part)
    if (Array.isArray(calls))
      for (const call of calls as unknown[]) {
        const named = field(call, 'function')
        turns.thing(speaker, `call ${String(field(named, 'name'))} ${compact(String(field(named, 'arguments')))}`)
      }
    turns.end()
  }
  return turns.hash()
}

function addRowPart(turns: Turns, speaker: Turn[0], part: unknown): void {
  const type = field(part, 'type')
  const text = field(part, 'text') ?? field(part, 'refusal')
  if (typeof text === 'string') return turns.text(speaker, text)
  if (type === 'image_url') {
    const image = field(part, 'image_url')
    return turns.thing(speaker, String(typeof image === 'string' ? image : field(image, 'url')))
  }
  turns.thing(speaker, JSON.stringify(part))
}

class Turns {
  private readonly system: string[] = []
  private readonly turns: Turn[] = []
  private open: Turn | undefined
  private lastIsText = false

  text(speaker: Turn[0], text: string): void {
    if (speaker === 'system') this.system.push(text)
    else if (this.lastIsText && this.open?.[0] === speaker) this.open[this.open.length - 1] += text
    else {
      this.thing(speaker, text)
      this.lastIsText = true
    }
  }

  thing(speaker: Turn[0], content: string): void {
    if (this.open?.[0] !== speaker) {
      this.end()
      this.open = [speaker]
    }
    this.open.push(content)
    this.lastIsText = false
  }

  end(): void {
    if (this.open) this.turns.push(this.open)
    this.open = undefined
    this.lastIsText = false
  }

  hash(): string {
    this.end()
    return createHash('sha256')
      .update(JSON.stringify([this.system.join(''), ...this.turns]))
      .digest('base64')
      .slice(0, 24)
  }
}

function sourceText(source: MediaSource): string {
  switch (source.kind) {
    case 'url':
      return source.url
    case 'base64':
      return `data:${source.mediaType};base64,${source.data}`
    case 'file-id':
      return source.id
  }
}

/** JSON without the blanks that formats add or take. */
function compact(json: string): string {
  try {
    return JSON.stringify(JSON.parse(json))
  } catch {
    return json
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined
}
