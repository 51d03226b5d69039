import type { DropPolicy } from '../codec.js'
import type { Message, Part, ReasoningPart, ToolResultPart } from '../conversation.js'
import { urlOfSource } from '../data-url.js'
import { isObject } from '../json-value.js'
import type { ExtraFields } from '../extra-fields.js'
import { cacheControl, type OpenAiChatOptions } from './options.js'
import { reasoningDetails } from './reasoning-details.js'

type Wire = Record<string, unknown>

/** What the encoding of messages needs beside them. */
export interface MessageContext {
  readonly drop: DropPolicy
  readonly options: OpenAiChatOptions
  readonly extras: ExtraFields
}

/**
 * Writes the conversation. Tool results that stand inside a user's turn (Anthropic's way) become messages of their own before it.
 * What results hold beside text goes to the user's message after the last of them, the only place that takes it.
 */
export function encodeMessages(messages: readonly Message[], context: MessageContext): Wire[] {
  const wire: Wire[] = []
  let attached: Wire[] = []
  for (const message of messages) {
    if (attached.length > 0 && !takesAttached(message)) {
      wire.push({ role: 'user', content: attached })
      attached = []
    }
    if (message.role === 'assistant') wire.push(assistantMessage(message, context))
    else attached = encodeOther(message, attached, wire, context)
  }
  if (attached.length > 0) wire.push({ role: 'user', content: attached })
  return wire
}

/** Whether what results before it hold can go on: to more results, or into this message of the user. */
function takesAttached({ role, parts }: Message): boolean {
  return role === 'tool' || role === 'user' || (role !== 'assistant' && parts.some((part) => part.type === 'tool_result'))
}

/** Returns what still waits for a message of the user. */
function encodeOther(message: Message, waiting: Wire[], wire: Wire[], context: MessageContext): Wire[] {
  const attached = [...waiting]
  const rest: Part[] = []
  for (const part of message.parts) {
    if (part.type !== 'tool_result') {
      rest.push(part)
      continue
    }
    const result = toolMessage(part, attached, context)
    context.extras.restore(part.at, result)
    wire.push(result)
  }
  if (rest.length === 0 && message.parts.length > 0) return attached
  const role =
    message.role === 'tool' ? 'user' : message.role === 'developer' && context.options.developerRole === false ? 'system' : message.role
  const content: unknown[] = attached
  for (const part of rest) {
    const value = contentPart(part, message.role, context)
    if (value) content.push(value)
  }
  // Parts that were dropped leave no empty message behind.
  if (content.length === 0 && rest.length > 0) return []
  const written = { role, content: collapsed(content), ...(message.name === undefined ? undefined : { name: message.name }) }
  context.extras.restore(message.at, written)
  wire.push(written)
  return []
}

function toolMessage(part: ToolResultPart, attached: Wire[], context: MessageContext): Wire {
  const { drop, options, extras } = context
  const content: Wire[] = []
  let told = false
  for (const inner of part.content) {
    if (inner.type === 'text') {
      const text = { type: 'text', text: inner.text, ...cacheControl(inner.cache, options) }
      extras.restore(inner.at, text)
      content.push(text)
      continue
    }
    const value = contentPart(inner, 'user', context)
    if (value === undefined) continue
    if (!told) attached.push({ type: 'text', text: `Attached to the result of tool call ${part.callId}:` })
    told = true
    attached.push(value)
    drop.adjusted?.(inner.at ?? part.at ?? 'messages', 'a result may hold only text in chat completions; moved to the message after it')
  }
  // A result must say something; what it holds comes after it.
  if (told && content.length === 0) content.push({ type: 'text', text: 'See the attachment.' })
  // The format has no flag for a failed call; the text is the only place to say it.
  const text = typeof content[0]?.['text'] === 'string' ? content[0]['text'] : ''
  if (part.isError && !/^\W*error/i.test(text)) {
    content[0] = { ...content[0], type: 'text', text: text === '' ? 'Error' : `Error: ${text}` }
    drop.adjusted?.(part.at === undefined ? 'is_error' : `${part.at}.is_error`, 'said in the text of the result')
  }
  const last = content.at(-1)
  const mark = cacheControl(part.cache, options)
  if (mark && last) Object.assign(last, mark)
  return { role: 'tool', tool_call_id: part.callId, content: collapsed(content) }
}

function assistantMessage(message: Message, context: MessageContext): Wire {
  const { drop, options, extras } = context
  const content: unknown[] = []
  const calls: unknown[] = []
  const reasoning: ReasoningPart[] = []
  const refusals: string[] = []
  let audio: Wire | undefined
  for (const part of message.parts) {
    switch (part.type) {
      case 'text':
        content.push(contentPart(part, 'assistant', context))
        break
      case 'refusal':
        refusals.push(part.text)
        break
      case 'reasoning':
        reasoning.push(part)
        break
      case 'tool_call': {
        const definition = { name: part.name, arguments: part.arguments === '' ? '{}' : part.arguments }
        const call = { id: part.id, type: 'function', function: definition }
        extras.restore(part.at, call)
        extras.restore(`${part.at}.function`, definition)
        calls.push(call)
        break
      }
      case 'audio':
        if (part.source.kind === 'file-id') audio = { id: part.source.id }
        else drop.unsupported(part.at ?? 'messages', "an assistant's turn may hold sound only by its id")
        break
      case 'native':
        if (part.format === 'openai-chat' && isCall(part.value)) calls.push(part.value)
        else {
          const value = contentPart(part, 'assistant', context)
          if (value) content.push(value)
        }
        break
      case 'image':
      case 'file':
      case 'tool_result':
        drop.unsupported(
          part.at ?? message.at ?? 'messages',
          `an assistant's turn can't hold ${part.type === 'tool_result' ? 'a tool result' : `an ${part.type}`}`,
        )
        break
    }
  }
  const written = {
    role: 'assistant',
    content: content.length > 0 ? collapsed(content) : calls.length > 0 || refusals.length > 0 || audio ? null : '',
    ...earlierReasoning(reasoning, options),
    ...(refusals.length > 0 ? { refusal: refusals.join('') } : undefined),
    ...(audio ? { audio } : undefined),
    ...(calls.length > 0 ? { tool_calls: calls } : undefined),
    ...(message.name === undefined ? undefined : { name: message.name }),
  }
  extras.restore(message.at, written)
  return written
}

/**
 * Reasoning of earlier turns. A plain server gets the text of reasoning that came from this family, or from nobody knows
 * where, as `reasoning_content`; that of other families is left out: its seal means nothing here, and no family needs
 * another's. An OpenRouter-like server takes all of it, sealed.
 */
function earlierReasoning(parts: readonly ReasoningPart[], options: OpenAiChatOptions): Wire | undefined {
  if (options.dialect === 'openrouter') {
    const details = reasoningDetails(parts)
    return details.length === 0 ? undefined : { reasoning_details: details }
  }
  let text = ''
  for (const part of parts) if (part.signatureFormat === undefined || part.signatureFormat === 'openai-chat') text += part.text
  return text === '' ? undefined : { reasoning_content: text }
}

function isCall(value: Readonly<Record<string, unknown>>): boolean {
  return typeof value['id'] === 'string' && typeof value['type'] === 'string' && value['type'] in value
}

/** One part of a message's content, or `undefined` where it was dropped. */
function contentPart(part: Part, role: Message['role'], context: MessageContext): Wire | undefined {
  const wire = encodePart(part, role, context)
  if (wire && part.type !== 'native' && part.at !== undefined) {
    context.extras.restore(part.at, wire)
    const inner = wire[String(wire['type'])]
    if (isObject(inner)) context.extras.restore(`${part.at}.${String(wire['type'])}`, inner)
  }
  return wire
}

function encodePart(part: Part, role: Message['role'], { drop, options }: MessageContext): Wire | undefined {
  const at = part.at ?? 'messages'
  const mark = cacheControl(part.cache, options)
  const refuse = (why: string): undefined => void drop.unsupported(at, why)
  if (part.type === 'text') return { type: 'text', text: part.text, ...mark }
  if (part.type === 'native') return part.format === 'openai-chat' ? { ...part.value } : refuse(`only ${part.format} has this kind of part`)
  if (role === 'system' || role === 'developer') return refuse('instructions may hold only text')
  switch (part.type) {
    case 'image': {
      const url = urlOfSource(part.source)
      if (url === undefined) return refuse("an image by file id can't be sent to chat completions")
      return { type: 'image_url', image_url: { url, ...(part.detail === undefined ? undefined : { detail: part.detail }) }, ...mark }
    }
    case 'audio':
      if (part.source.kind !== 'base64') return refuse('sound must be sent as base64')
      return { type: 'input_audio', input_audio: { data: part.source.data, format: audioFormat(part.source.mediaType) }, ...mark }
    case 'file': {
      const { source, name } = part
      if (source.kind === 'url' && options.dialect !== 'openrouter' && !source.url.startsWith('data:'))
        return refuse('chat completions take a file as data or by id, not by URL')
      const file = source.kind === 'file-id' ? { file_id: source.id } : { file_data: urlOfSource(source) }
      return { type: 'file', file: { ...file, ...(name === undefined ? undefined : { filename: name }) }, ...mark }
    }
    case 'reasoning':
    case 'tool_call':
    case 'tool_result':
    case 'refusal':
      return refuse(`a ${part.type.replace('_', ' ')} can't stand in a turn of the ${role}`)
  }
}

function audioFormat(mediaType: string): string {
  const subtype = mediaType.slice(mediaType.indexOf('/') + 1).toLowerCase()
  if (subtype === 'mpeg') return 'mp3'
  return subtype.replace(/^x-/, '').replace(/^(?:wave|vnd\.wave)$/, 'wav')
}

/** A single plain text as a string, which every server takes; anything else as parts. */
function collapsed(content: readonly unknown[]): unknown {
  if (content.length === 0) return ''
  const only = content[0]
  if (content.length === 1 && isObject(only) && only['type'] === 'text' && Object.keys(only).length === 2) return only['text']
  return content
}
