import { InvalidRequest } from '../../errors/index.js'
import type { DropPolicy } from '../codec.js'
import type { MediaSource, Message, Part, ToolCallPart, ToolResultPart } from '../conversation.js'
import { parseToolArguments } from '../tool-arguments.js'

export type GeminiPart = Record<string, unknown>
export interface Content {
  readonly role: 'user' | 'model'
  readonly parts: GeminiPart[]
}

/** Ids that Bursar gave to calls which Gemini left without one: they mean nothing to Gemini. */
export const madeIdPrefix = 'bursar_g_'

/**
 * What Google's documentation tells to send in place of the thought signature of a call that has none, because another
 * model made it or the client didn't keep it. Without it a model of generation 3 refuses the conversation.
 */
const noSignature = 'skip_thought_signature_validator'

export interface ContentsOptions {
  /** A model of generation 3 or later. */
  readonly third: boolean
  readonly drop: DropPolicy
}

/** Messages before everything else that instruct. */
export function systemInstruction(messages: readonly Message[], drop: DropPolicy): { readonly parts: GeminiPart[] } | undefined {
  const parts: GeminiPart[] = []
  for (const message of messages)
    for (const part of message.parts) {
      if (part.type !== 'text') drop.unsupported(part.at ?? message.at ?? 'messages', 'Gemini takes only text as instructions')
      else if (part.text !== '') parts.push({ text: part.text })
    }
  return parts.length === 0 ? undefined : { parts }
}

/**
 * The conversation after its instructions. Between two answers stand first the results of all tool calls, in one content
 * as Gemini demands, then what the user says.
 */
export function encodeContents(messages: readonly Message[], first: number, options: ContentsOptions): Content[] {
  const contents: Content[] = []
  const names = new Map<string, string>()
  let results: GeminiPart[] = []
  let said: GeminiPart[] = []
  const flush = (): void => {
    if (results.length > 0) contents.push({ role: 'user', parts: results })
    if (said.length > 0) contents.push({ role: 'user', parts: said })
    results = []
    said = []
  }
  for (let index = first; index < messages.length; index++) {
    const message = messages[index]
    if (message === undefined) continue
    const at = message.at ?? `messages[${index}]`
    if (message.name !== undefined) options.drop.unsupported(`${at}.name`, 'Gemini has no names of speakers')
    if (message.role === 'assistant') {
      const parts = modelParts(message, at, names, options)
      if (parts.length === 0) continue
      flush()
      const last = contents.at(-1)
      if (last?.role === 'model') last.parts.push(...parts)
      else contents.push({ role: 'model', parts })
      continue
    }
    for (const [partIndex, part] of message.parts.entries()) {
      const path = part.at ?? `${at}.content[${partIndex}]`
      if (message.role === 'system' || message.role === 'developer') {
        if (part.type === 'text' && part.text === '') continue
        if (part.type === 'text') {
          options.drop.adjusted?.(path, 'Gemini takes instructions only before the conversation; told as part of the user message')
          said.push({ text: `<system>\n${part.text}\n</system>` })
        } else options.drop.unsupported(path, 'Gemini takes only text as instructions')
      } else if (part.type === 'tool_result') results.push(functionResponse(part, path, names, said, options))
      else {
        const encoded = userPart(part, path, options.drop)
        if (encoded !== undefined) said.push(encoded)
      }
    }
  }
  flush()
  return contents
}

function userPart(part: Part, at: string, drop: DropPolicy): GeminiPart | undefined {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return part.text === '' ? undefined : { text: part.text }
    case 'image':
    case 'audio':
    case 'file':
      return media(part.source, part.type, at, drop)
    case 'native':
      if (part.format === 'gemini') return { ...part.value }
      drop.unsupported(at, 'this block belongs to another provider')
      return undefined
    case 'reasoning':
    case 'tool_call':
    case 'tool_result':
      drop.unsupported(at, 'only an answer of the model can hold this')
      return undefined
  }
}

function modelParts(message: Message, at: string, names: Map<string, string>, options: ContentsOptions): GeminiPart[] {
  const parts: GeminiPart[] = []
  let calls = 0
  for (const [index, part] of message.parts.entries()) {
    const path = part.at ?? `${at}.content[${index}]`
    if (part.type === 'tool_call') {
      names.set(part.id, part.name)
      // Only the first of parallel calls carries a signature.
      parts.push(functionCall(part, path, options.third && calls++ === 0))
    } else if (part.type === 'reasoning') {
      // Reasoning of another family, or without its seal, says nothing to Gemini: it is left out, as for earlier turns everywhere.
      if (part.signatureFormat !== 'gemini' || part.signature === undefined)
        options.drop.adjusted?.(path, 'reasoning of another provider is left out')
      else if (part.redacted === true || part.text === '') parts.push({ text: part.text, thoughtSignature: part.signature })
      else parts.push({ text: part.text, thought: true, thoughtSignature: part.signature })
    } else if (part.type === 'tool_result') options.drop.unsupported(path, 'a tool result can not stand in an answer of the model')
    else {
      const encoded = userPart(part, path, options.drop)
      if (encoded !== undefined) parts.push(encoded)
    }
  }
  return parts
}

function functionCall(part: ToolCallPart, at: string, needsSignature: boolean): GeminiPart {
  const call: Record<string, unknown> = { name: part.name, args: parseToolArguments(part.arguments, at) }
  if (!part.id.startsWith(madeIdPrefix)) call['id'] = part.id
  const signature = part.signature ?? (needsSignature ? noSignature : undefined)
  return signature === undefined ? { functionCall: call } : { functionCall: call, thoughtSignature: signature }
}

/**
 * Throws `InvalidRequest` when the call isn't in the conversation: Gemini knows results by the function's name. What an older model
 * doesn't take in a result is `said` after it.
 */
function functionResponse(
  part: ToolResultPart,
  at: string,
  names: ReadonlyMap<string, string>,
  said: GeminiPart[],
  options: ContentsOptions,
): GeminiPart {
  const name = names.get(part.callId)
  if (name === undefined) throw new InvalidRequest(`${at}: this answers a tool call that is not in the conversation.`, { path: at })
  const texts: string[] = []
  const attached: GeminiPart[] = []
  for (const [index, inner] of part.content.entries()) {
    const path = inner.at ?? `${at}.content[${index}]`
    if (inner.type === 'text') {
      texts.push(inner.text)
      continue
    }
    const encoded = media(inner.source, inner.type, path, options.drop)
    if (encoded !== undefined) attached.push(encoded)
  }
  if (!options.third && attached.length > 0) {
    options.drop.adjusted?.(part.at ?? at, 'this model takes only text as the result of a tool; the rest is told after it')
    said.push({ text: `Attached to the result of tool call ${part.callId} (${name}):` }, ...attached.splice(0))
    if (texts.length === 0) texts.push('See the attachment.')
  }
  const response: Record<string, unknown> = { name, response: { [part.isError === true ? 'error' : 'output']: texts.join('\n') } }
  if (!part.callId.startsWith(madeIdPrefix)) response['id'] = part.callId
  if (attached.length > 0) response['parts'] = attached
  return { functionResponse: response }
}

function media(source: MediaSource, kind: 'image' | 'audio' | 'file', at: string, drop: DropPolicy): GeminiPart | undefined {
  switch (source.kind) {
    case 'base64':
      return { inlineData: { mimeType: source.mediaType, data: source.data } }
    case 'url': {
      const mimeType = mimeTypeOfUrl(source.url, kind)
      return { fileData: mimeType === undefined ? { fileUri: source.url } : { mimeType, fileUri: source.url } }
    }
    case 'file-id':
      if (source.id.startsWith('files/')) return { fileData: { fileUri: `https://generativelanguage.googleapis.com/v1beta/${source.id}` } }
      drop.unsupported(at, 'this file was uploaded to another provider')
      return undefined
  }
}

const mimeTypes: ReadonlyMap<string, string> = new Map([
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['png', 'image/png'],
  ['webp', 'image/webp'],
  ['gif', 'image/gif'],
  ['heic', 'image/heic'],
  ['heif', 'image/heif'],
  ['pdf', 'application/pdf'],
  ['txt', 'text/plain'],
  ['md', 'text/markdown'],
  ['html', 'text/html'],
  ['csv', 'text/csv'],
  ['json', 'application/json'],
  ['mp3', 'audio/mpeg'],
  ['wav', 'audio/wav'],
  ['ogg', 'audio/ogg'],
  ['flac', 'audio/flac'],
  ['mp4', 'video/mp4'],
])

/** Gemini wants the type named; an image without a telling ending is most likely a JPEG. */
function mimeTypeOfUrl(url: string, kind: 'image' | 'audio' | 'file'): string | undefined {
  const ending = /\.([a-z0-9]{2,4})(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase()
  const known = ending === undefined ? undefined : mimeTypes.get(ending)
  return known ?? (kind === 'image' ? 'image/jpeg' : undefined)
}
