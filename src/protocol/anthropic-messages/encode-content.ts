import type { DropPolicy } from '../codec.js'
import type {
  CacheMark,
  FilePart,
  ImagePart,
  MediaSource,
  Part,
  ReasoningPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../conversation.js'
import { parseToolArguments } from '../tool-arguments.js'
import type { ExtraIndex } from './extras.js'

/** A block under construction. */
export type Block = Record<string, unknown>

/** What the encoding of one request carries along. */
export interface EncodeState {
  readonly drop: DropPolicy
  readonly extras: ExtraIndex
  /** Every cache mark in the order of the prompt: tools, system, messages. */
  readonly marks: { readonly path: string; readonly block: Block }[]
}

const imageTypes = new Set(['image/jpeg', 'image/png', 'image/gif', 'image/webp'])

export function markCache(block: Block, cache: CacheMark | undefined, path: string, state: EncodeState): void {
  if (cache === undefined) return
  block['cache_control'] = cache.ttl === undefined ? { type: 'ephemeral' } : { type: 'ephemeral', ttl: cache.ttl }
  state.marks.push({ path: `${path}.cache_control`, block })
}

/** A text block, or `undefined` for an empty text, which Anthropic refuses. */
export function encodeText(part: TextPart, state: EncodeState): Block | undefined {
  if (part.text === '') return undefined
  const block: Block = { type: 'text', text: part.text }
  state.extras.restore(part.at, block)
  markCache(block, part.cache, part.at ?? 'messages', state)
  return block
}

/** A part of the caller's side: text, media, or a block of Anthropic's own. `undefined`: left out, and noted. */
export function encodeUserPart(part: Part, path: string, state: EncodeState): Block | undefined {
  const at = part.at ?? path
  switch (part.type) {
    case 'text':
      return encodeText(part, state)
    case 'image':
      return encodeImage(part, at, state)
    case 'file':
      return encodeFile(part, at, state)
    case 'audio':
      state.drop.unsupported(at, 'Anthropic takes no audio')
      return undefined
    case 'tool_result':
      return encodeToolResult(part, at, state)
    case 'native':
      return encodeNative(part.value, part.format === 'anthropic-messages', at, state)
    case 'refusal':
      return part.text === '' ? undefined : { type: 'text', text: part.text }
    case 'reasoning':
    case 'tool_call':
      state.drop.unsupported(at, 'only an answer of the model can hold this')
      return undefined
  }
}

/** A part of the model's side. */
export function encodeAssistantPart(part: Part, path: string, state: EncodeState): Block | undefined {
  const at = part.at ?? path
  switch (part.type) {
    case 'text':
      // Models write blank text around tool calls; Anthropic refuses it, and it says nothing.
      return part.text.trim() === '' ? undefined : encodeText(part, state)
    case 'refusal':
      return part.text.trim() === '' ? undefined : { type: 'text', text: part.text }
    case 'reasoning':
      return encodeReasoning(part, at, state)
    case 'tool_call':
      return encodeToolCall(part, at, state)
    case 'native':
      return encodeNative(part.value, part.format === 'anthropic-messages', at, state)
    case 'image':
    case 'audio':
    case 'file':
    case 'tool_result':
      state.drop.unsupported(at, 'Anthropic takes this only from the user')
      return undefined
  }
}

function encodeNative(value: Readonly<Record<string, unknown>>, ours: boolean, at: string, state: EncodeState): Block | undefined {
  if (!ours) {
    state.drop.unsupported(at, 'this block belongs to another provider')
    return undefined
  }
  const block: Block = { ...value }
  if (block['cache_control'] != null) state.marks.push({ path: `${at}.cache_control`, block })
  return block
}

/**
 * Anthropic's own reasoning goes back sealed as it came. Reasoning of another family can't: it is left out, as every
 * provider leaves out the reasoning of earlier turns, since the conversation says the same without it.
 */
function encodeReasoning(part: ReasoningPart, at: string, state: EncodeState): Block | undefined {
  if (part.signature === undefined || part.signatureFormat !== 'anthropic-messages') {
    state.drop.adjusted?.(at, 'reasoning of another provider is left out')
    return undefined
  }
  const block: Block =
    part.redacted === true
      ? { type: 'redacted_thinking', data: part.signature }
      : { type: 'thinking', thinking: part.text, signature: part.signature }
  state.extras.restore(part.at, block)
  return block
}

function encodeToolCall(part: ToolCallPart, at: string, state: EncodeState): Block {
  const block: Block = { type: 'tool_use', id: toolId(part.id), name: part.name, input: parseToolArguments(part.arguments, at) }
  state.extras.restore(part.at, block)
  markCache(block, part.cache, at, state)
  return block
}

function encodeToolResult(part: ToolResultPart, at: string, state: EncodeState): Block {
  const block: Block = { type: 'tool_result', tool_use_id: toolId(part.callId) }
  const only = part.content[0]
  if (part.content.length === 1 && only?.type === 'text' && only.cache === undefined && only.at === `${at}.content`)
    block['content'] = only.text
  else if (part.content.length > 0) {
    const content: Block[] = []
    for (const [index, inner] of part.content.entries()) {
      const encoded = encodeUserPart(inner, `${at}.content[${index}]`, state)
      if (encoded !== undefined) content.push(encoded)
    }
    if (content.length > 0) block['content'] = content
  }
  if (part.isError === true) block['is_error'] = true
  state.extras.restore(part.at, block)
  markCache(block, part.cache, at, state)
  return block
}

/** Anthropic takes ids of letters, digits, `_` and `-`; other providers write more (`functions.search:0`). */
function toolId(id: string): string {
  return /^[a-zA-Z0-9_-]+$/.test(id)
    ? id
    : id === ''
      ? 'call'
      : id.replace(/[^a-zA-Z0-9_-]/g, (character) => `_${character.charCodeAt(0).toString(16)}_`)
}

function encodeImage(part: ImagePart, at: string, state: EncodeState): Block | undefined {
  const { source } = part
  if (source.kind === 'base64' && !imageTypes.has(source.mediaType)) {
    state.drop.unsupported(at, `Anthropic takes images of type ${[...imageTypes].join(', ')}, not ${source.mediaType}`)
    return undefined
  }
  if (part.detail === 'low') state.drop.adjusted?.(at, 'the detail "low" has no counterpart')
  const encoded = encodeSource(source, at, state)
  if (encoded === undefined) return undefined
  const block: Block = { type: 'image', source: encoded }
  state.extras.restore(part.at, block)
  markCache(block, part.cache, at, state)
  return block
}

function encodeFile(part: FilePart, at: string, state: EncodeState): Block | undefined {
  const { source } = part
  let encoded: Block | undefined
  if (source.kind === 'base64' && source.mediaType === 'text/plain')
    encoded = { type: 'text', media_type: 'text/plain', data: Buffer.from(source.data, 'base64').toString('utf8') }
  else if (source.kind === 'base64' && source.mediaType !== 'application/pdf')
    state.drop.unsupported(at, `Anthropic takes documents of type application/pdf and text/plain, not ${source.mediaType}`)
  else encoded = encodeSource(source, at, state)
  if (encoded === undefined) return undefined
  const block: Block = { type: 'document', source: encoded }
  if (part.name !== undefined) block['title'] = part.name
  state.extras.restore(part.at, block)
  markCache(block, part.cache, at, state)
  return block
}

function encodeSource(source: MediaSource, at: string, state: EncodeState): Block | undefined {
  switch (source.kind) {
    case 'url':
      return { type: 'url', url: source.url }
    case 'base64':
      return { type: 'base64', media_type: source.mediaType, data: source.data }
    case 'file-id':
      // Anthropic's ids begin with `file_`, OpenAI's with `file-`, Gemini's with `files/`.
      if (source.id.startsWith('file_')) return { type: 'file', file_id: source.id }
      state.drop.unsupported(at, 'this file was uploaded to another provider')
      return undefined
  }
}
