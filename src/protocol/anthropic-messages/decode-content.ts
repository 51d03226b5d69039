import { InvalidRequest } from '../../errors/index.js'
import type { CacheMark, ExtraField, FilePart, ImagePart, MediaSource, Part, ReasoningPart, TextPart } from '../conversation.js'
import { collectExtras } from './extras.js'
import { readForeignSeal } from './foreign-seal.js'
import { knownBlockTypes, type CacheControl, type ContentBlock, type KnownBlock, type ToolResultBlock } from './schema.js'

const textFields = new Set(['type', 'text', 'cache_control', 'citations'])
const imageFields = new Set(['type', 'source', 'cache_control'])
const documentFields = new Set(['type', 'source', 'title', 'cache_control', 'citations'])
const thinkingFields = new Set(['type', 'thinking', 'signature'])
const redactedFields = new Set(['type', 'data'])
const toolUseFields = new Set(['type', 'id', 'name', 'input', 'cache_control', 'caller'])
const toolResultFields = new Set(['type', 'tool_use_id', 'content', 'is_error', 'cache_control'])

/** A message's content to canonical parts, from block `first` on; `at` is the path of `content` itself. */
export function decodeContent(content: string | readonly ContentBlock[], at: string, extras: ExtraField[], first = 0): Part[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content, at }]
  const parts: Part[] = []
  // A seal that stands before the tool call it belongs to (see foreign-seal.ts).
  let callSeal: string | undefined
  for (const [index, block] of content.entries()) {
    if (index < first) continue
    const path = `${at}[${index}]`
    if (block.type === 'redacted_thinking' && typeof block.data === 'string') {
      const seal = readForeignSeal(block.data)
      if (seal?.kind === 'tool_call') {
        callSeal = seal.seal
        continue
      }
    }
    const part = decodeBlock(block, path, extras)
    if (part.type === 'tool_call' && callSeal !== undefined) {
      parts.push({ ...part, signature: callSeal })
      callSeal = undefined
    } else parts.push(part)
  }
  return parts
}

export function decodeCacheMark(control: CacheControl): CacheMark | undefined {
  return control == null ? undefined : { ttl: control.ttl ?? undefined }
}

function isKnown(block: ContentBlock): block is KnownBlock {
  return knownBlockTypes.has(block.type)
}

function decodeBlock(block: ContentBlock, at: string, extras: ExtraField[]): Part {
  if (!isKnown(block)) return { type: 'native', format: 'anthropic-messages', value: block, at }
  switch (block.type) {
    case 'text':
      return decodeText(block, at, extras)
    case 'image':
      return decodeImage(block, at, extras)
    case 'document':
      return decodeDocument(block, at, extras) ?? { type: 'native', format: 'anthropic-messages', value: block, at }
    case 'thinking':
      collectExtras(block, thinkingFields, at, extras)
      return decodeThinking(block.thinking, block.signature, at)
    case 'redacted_thinking':
      collectExtras(block, redactedFields, at, extras)
      return decodeRedacted(block.data, at)
    case 'tool_use':
      collectExtras(block, toolUseFields, at, extras)
      collectCaller(block['caller'], at, extras)
      return {
        type: 'tool_call',
        id: block.id,
        name: block.name,
        arguments: JSON.stringify(block.input),
        at,
        cache: decodeCacheMark(block.cache_control),
      }
    case 'tool_result':
      return decodeToolResult(block, at, extras)
  }
}

/** Says that the model itself called the tool: the normal case, which carries no news. */
function collectCaller(caller: unknown, at: string, extras: ExtraField[]): void {
  if (caller == null || (typeof caller === 'object' && 'type' in caller && caller.type === 'direct')) return
  extras.push({ format: 'anthropic-messages', name: 'caller', path: `${at}.caller`, value: caller })
}

export function decodeThinking(text: string, signature: string, at?: string): ReasoningPart {
  const foreign = readForeignSeal(signature)
  if (foreign !== undefined)
    return { type: 'reasoning', text, signature: foreign.seal, signatureFormat: foreign.format, id: foreign.id, at }
  if (signature === '') return { type: 'reasoning', text, at }
  return { type: 'reasoning', text, signature, signatureFormat: 'anthropic-messages', at }
}

export function decodeRedacted(data: string, at?: string): ReasoningPart {
  const foreign = readForeignSeal(data)
  if (foreign !== undefined)
    return { type: 'reasoning', text: '', signature: foreign.seal, signatureFormat: foreign.format, redacted: true, id: foreign.id, at }
  return { type: 'reasoning', text: '', signature: data, signatureFormat: 'anthropic-messages', redacted: true, at }
}

type Block<Type extends KnownBlock['type']> = Extract<KnownBlock, { type: Type }>

function decodeText(block: Block<'text'>, at: string, extras: ExtraField[]): TextPart {
  collectExtras(block, textFields, at, extras)
  if (block.citations != null && block.citations.length > 0)
    extras.push({ format: 'anthropic-messages', name: 'citations', path: `${at}.citations`, value: block.citations })
  return { type: 'text', text: block.text, at, cache: decodeCacheMark(block.cache_control) }
}

function decodeImage(block: Block<'image'>, at: string, extras: ExtraField[]): ImagePart {
  collectExtras(block, imageFields, at, extras)
  return { type: 'image', source: mediaSource(block.source), at, cache: decodeCacheMark(block.cache_control) }
}

/** `undefined` for a document made of blocks, which has no canonical form. */
function decodeDocument(block: Block<'document'>, at: string, extras: ExtraField[]): FilePart | undefined {
  const { source } = block
  if (source.type === 'content') return undefined
  collectExtras(block, documentFields, at, extras)
  if (block.citations?.enabled === true)
    extras.push({ format: 'anthropic-messages', name: 'citations', path: `${at}.citations`, value: block.citations })
  return {
    type: 'file',
    source:
      source.type === 'text'
        ? { kind: 'base64', mediaType: 'text/plain', data: Buffer.from(source.data, 'utf8').toString('base64') }
        : mediaSource(source),
    name: block.title ?? undefined,
    at,
    cache: decodeCacheMark(block.cache_control),
  }
}

function mediaSource(source: Block<'image'>['source']): MediaSource {
  switch (source.type) {
    case 'base64':
      return { kind: 'base64', mediaType: source.media_type, data: source.data }
    case 'url':
      return { kind: 'url', url: source.url }
    case 'file':
      return { kind: 'file-id', id: source.file_id }
  }
}

function decodeToolResult(block: ToolResultBlock, at: string, extras: ExtraField[]): Part {
  const found: ExtraField[] = []
  const content: (TextPart | ImagePart | FilePart)[] = []
  if (typeof block.content === 'string') {
    if (block.content !== '') content.push({ type: 'text', text: block.content, at: `${at}.content` })
  } else
    for (const [index, inner] of (block.content ?? []).entries()) {
      const part = decodeBlock(inner, `${at}.content[${index}]`, found)
      if (part.type === 'text' || part.type === 'image' || part.type === 'file') content.push(part)
      else if (part.type === 'native') return { type: 'native', format: 'anthropic-messages', value: block, at }
      else throw new InvalidRequest(`${at}.content[${index}] must be text, an image or a document.`, { path: `${at}.content[${index}]` })
    }
  collectExtras(block, toolResultFields, at, extras)
  extras.push(...found)
  return {
    type: 'tool_result',
    callId: block.tool_use_id,
    content,
    isError: block.is_error === true ? true : undefined,
    at,
    cache: decodeCacheMark(block.cache_control),
  }
}
