import type { DropPolicy } from '../codec.js'
import type { Message, Part, ReasoningPart, Role, ToolResultPart } from '../conversation.js'
import { urlOfSource } from '../data-url.js'
import type { ResponsesExtras } from './extras.js'
import { isContentType } from './content-type.js'

type Wire = Record<string, unknown>

/** What the encoding of messages needs beside them. */
export interface InputContext {
  readonly drop: DropPolicy
  readonly extras: ResponsesExtras
  /** Whether the caller wrote this format itself, so that its cache marks and ids mean here what they meant there. */
  readonly own: boolean
}

/** Instructions that came as such, to be sent as such; the index of the first message after them. */
export function leadingInstructions(
  messages: readonly Message[],
  drop: DropPolicy,
): { readonly instructions: string | undefined; readonly first: number } {
  const first = messages[0]
  if (first?.at !== 'instructions' || (first.role !== 'system' && first.role !== 'developer')) return { instructions: undefined, first: 0 }
  const texts: string[] = []
  for (const part of first.parts) {
    if (part.type === 'text') texts.push(part.text)
    else drop.unsupported(part.at ?? 'instructions', 'instructions may hold only text')
  }
  return { instructions: texts.length === 0 ? undefined : texts.join('\n\n'), first: 1 }
}

/** Writes the conversation as input items: each call, result and piece of reasoning is an item of its own. */
export function encodeInput(messages: readonly Message[], first: number, context: InputContext): Wire[] {
  const items: Wire[] = []
  for (let index = first; index < messages.length; index++) {
    const message = messages[index]
    if (message !== undefined) encodeMessage(message, message.at ?? `messages[${index}]`, items, context)
  }
  return items
}

function encodeMessage(message: Message, at: string, items: Wire[], context: InputContext): void {
  const { drop } = context
  const role = message.role === 'tool' ? 'user' : message.role
  if (message.name !== undefined) drop.unsupported(`${at}.name`, 'the Responses format has no names of speakers')
  let content: Wire[] = []
  let written = false
  const flush = (): void => {
    if (content.length > 0) items.push(messageItem(role, content, message.at, written, context))
    written ||= content.length > 0
    content = []
  }
  for (const [index, part] of message.parts.entries()) {
    const path = part.at ?? `${at}.content[${index}]`
    const item = encodeItem(part, role, path, context)
    if (item === 'content') {
      const value = encodeContent(part, role, path, context)
      if (value !== undefined) content.push(value)
      continue
    }
    if (item === undefined) continue
    // What was said before a call stays before it.
    flush()
    context.extras.restore(part.at, item)
    items.push(item)
  }
  if (message.parts.length === 0 && role !== 'assistant') items.push(messageItem(role, [], message.at, false, context))
  flush()
}

function messageItem(role: Role, content: Wire[], at: string | undefined, continued: boolean, context: InputContext): Wire {
  const [only] = content
  const type = role === 'assistant' ? 'output_text' : 'input_text'
  const plain = content.length === 0 || (content.length === 1 && only?.['type'] === type && Object.keys(only).length === 2)
  const item = { type: 'message', role, content: plain ? (only?.['text'] ?? '') : content }
  if (!continued) context.extras.restore(at, item)
  return item
}

/** A part that is an item of its own; 'content' for one that stands inside a message; `undefined` where it was left out. */
function encodeItem(part: Part, role: Role, at: string, context: InputContext): Wire | 'content' | undefined {
  const { drop } = context
  switch (part.type) {
    case 'tool_call':
      if (role !== 'assistant') return void drop.unsupported(at, 'only an answer of the model can hold a tool call')
      return { type: 'function_call', call_id: part.id, name: part.name, arguments: part.arguments === '' ? '{}' : part.arguments }
    case 'tool_result':
      if (role === 'assistant') return void drop.unsupported(at, "an answer of the model can't hold the result of a tool")
      return { type: 'function_call_output', call_id: part.callId, output: encodeOutput(part, at, context) }
    case 'reasoning':
      if (role !== 'assistant') return void drop.unsupported(at, 'only an answer of the model can hold reasoning')
      return encodeReasoning(part, at, context)
    case 'native':
      if (part.format !== 'openai-responses') return void drop.unsupported(at, `only ${part.format} has this kind of part`)
      return isContentType(part.value['type']) ? 'content' : { ...part.value }
    case 'text':
    case 'refusal':
    case 'image':
    case 'audio':
    case 'file':
      return 'content'
  }
}

/**
 * Only reasoning that OpenAI sealed can go back: it refuses reasoning that it can't open, or whose id it doesn't know. That
 * of other families is left out, as every provider leaves out the reasoning of earlier turns.
 */
function encodeReasoning(part: ReasoningPart, at: string, { drop, own }: InputContext): Wire | undefined {
  const ours = part.signatureFormat === 'openai-responses' || (own && part.signature === undefined && part.id !== undefined)
  if (!ours) {
    drop.adjusted?.(at, 'reasoning of another provider is left out')
    return undefined
  }
  const seal = part.signature
  return {
    type: 'reasoning',
    ...(part.id === undefined ? undefined : { id: part.id }),
    summary: part.text === '' ? [] : [{ type: 'summary_text', text: part.text }],
    ...(seal === undefined ? undefined : { encrypted_content: seal }),
  }
}

function encodeOutput(part: ToolResultPart, at: string, context: InputContext): unknown {
  const content: Wire[] = []
  for (const [index, inner] of part.content.entries()) {
    const value = encodeContent(inner, 'user', inner.at ?? `${at}.content[${index}]`, context)
    if (value !== undefined) content.push(value)
  }
  // The format has no flag for a failed call; the text is the only place to say it.
  const text = typeof content[0]?.['text'] === 'string' ? content[0]['text'] : ''
  if (part.isError === true && !/^\W*error/i.test(text)) {
    const said = { type: 'input_text', text: text === '' ? 'Error' : `Error: ${text}` }
    if (content[0]?.['type'] === 'input_text') content[0] = { ...content[0], ...said }
    else content.unshift(said)
    context.drop.adjusted?.(`${at}.is_error`, 'said in the text of the result')
  }
  const last = content.at(-1)
  if (context.own && part.cache !== undefined && last !== undefined) last['prompt_cache_breakpoint'] = { mode: 'explicit' }
  const [only] = content
  if (content.length === 0) return ''
  return content.length === 1 && only?.['type'] === 'input_text' && Object.keys(only).length === 2 ? only['text'] : content
}

/** One part of a message's content, or `undefined` where it was dropped. */
function encodeContent(part: Part, role: Role, at: string, context: InputContext): Wire | undefined {
  const value = contentPart(part, role, at, context)
  if (value === undefined || part.type === 'native') return value
  context.extras.restore(part.at, value)
  // Marks of other formats are left out: OpenAI caches by itself, and its older models refuse a mark.
  if (context.own && part.cache !== undefined) value['prompt_cache_breakpoint'] = { mode: 'explicit' }
  return value
}

function contentPart(part: Part, role: Role, at: string, { drop }: InputContext): Wire | undefined {
  const refuse = (why: string): undefined => void drop.unsupported(at, why)
  switch (part.type) {
    case 'text':
      return { type: role === 'assistant' ? 'output_text' : 'input_text', text: part.text }
    case 'native':
      return { ...part.value }
    case 'refusal':
      return role === 'assistant' ? { type: 'refusal', refusal: part.text } : { type: 'input_text', text: part.text }
    case 'image':
    case 'audio':
    case 'file':
      if (role === 'assistant')
        return refuse(
          `an answer of the model can't hold ${part.type === 'audio' ? 'sound' : `${part.type === 'image' ? 'an' : 'a'} ${part.type}`}`,
        )
      return mediaPart(part, role, refuse)
    case 'reasoning':
    case 'tool_call':
    case 'tool_result':
      return refuse(`a ${part.type.replace('_', ' ')} can't stand here`)
  }
}

function mediaPart(
  part: Extract<Part, { type: 'image' | 'audio' | 'file' }>,
  role: Role,
  refuse: (why: string) => undefined,
): Wire | undefined {
  if (role === 'system' || role === 'developer') return refuse('instructions may hold only text')
  const { source } = part
  // Anthropic's ids begin with `file_`, OpenAI's with `file-`, Gemini's with `files/`.
  if (source.kind === 'file-id' && /^file(?:_|s\/)/.test(source.id)) return refuse('this file was uploaded to another provider')
  if (part.type === 'image') {
    const image = source.kind === 'file-id' ? { file_id: source.id } : { image_url: urlOfSource(source) }
    return { type: 'input_image', ...image, ...(part.detail === undefined ? undefined : { detail: part.detail }) }
  }
  if (part.type === 'audio') {
    if (source.kind !== 'base64') return refuse('sound must be sent as base64')
    return { type: 'input_audio', input_audio: { data: source.data, format: audioFormat(source.mediaType) } }
  }
  const file =
    source.kind === 'file-id'
      ? { file_id: source.id }
      : source.kind === 'url'
        ? { file_url: source.url }
        : { file_data: urlOfSource(source) }
  // OpenAI asks for a name beside data.
  const name = part.name ?? (source.kind === 'base64' ? `file.${extension(source.mediaType)}` : undefined)
  return { type: 'input_file', ...file, ...(name === undefined ? undefined : { filename: name }) }
}

function audioFormat(mediaType: string): string {
  const subtype = mediaType.slice(mediaType.indexOf('/') + 1).toLowerCase()
  if (subtype === 'mpeg') return 'mp3'
  return subtype.replace(/^x-/, '').replace(/^(?:wave|vnd\.wave)$/, 'wav')
}

function extension(mediaType: string): string {
  const subtype = mediaType.slice(mediaType.indexOf('/') + 1).toLowerCase()
  return subtype === 'plain' ? 'txt' : /^[a-z0-9]{1,8}$/.test(subtype) ? subtype : 'bin'
}
