import { InvalidRequest } from '../../errors/index.js'
import type { AudioPart, CacheMark, FilePart, ImagePart, Message, Part, TextPart, ToolResultPart } from '../conversation.js'
import { sourceOfUrl } from '../data-url.js'
import type { ExtraCollector } from '../extra-fields.js'
import { isObject } from '../json-value.js'
import { cacheMark, type Extras } from './extras.js'
import { reasoningParts } from './reasoning-details.js'
import type { ChatContentPart, ChatMessage } from './schema.js'

type Of<R extends ChatMessage['role']> = Extract<ChatMessage, { role: R }>
type Content = string | readonly ChatContentPart[] | null | undefined

const plainFields = new Set(['role', 'content', 'name', 'cache_control'])
/** The last line holds what answers carry and clients send back with them: it says nothing to the model. */
const assistantFields = new Set([
  'role',
  'content',
  'name',
  'refusal',
  'tool_calls',
  'function_call',
  'reasoning_content',
  'reasoning',
  'reasoning_details',
  'audio',
  'cache_control',
  'annotations',
  'parsed',
  'provider_specific_fields',
  'index',
  'finish_reason',
  'logprobs',
  'id',
  'object',
  'created',
])
const toolFields = new Set(['role', 'content', 'tool_call_id', 'name', 'cache_control'])
const callFields = new Set(['id', 'type', 'function', 'index', 'extra_content'])
const callFunctionFields = new Set(['name', 'arguments', 'parsed_arguments'])

/** Translates the conversation. Results in the old `functions` style get the id that was given to their call. */
export function decodeMessages(messages: readonly ChatMessage[], extras: Extras): Message[] {
  let lastFunctionCall = ''
  return messages.map((message, index): Message => {
    const at = `messages[${index}]`
    switch (message.role) {
      case 'system':
      case 'developer':
      case 'user':
        extras.unknown(message, plainFields, at)
        return {
          role: message.role,
          parts: marked(contentParts(message.content, `${at}.content`, extras), message.cache_control),
          at,
          ...(message.name == null ? undefined : { name: message.name }),
        }
      case 'assistant': {
        if (message.function_call) lastFunctionCall = `call_${index}`
        return assistant(message, at, lastFunctionCall, extras)
      }
      case 'tool':
        extras.unknown(message, toolFields, at)
        return {
          role: 'tool',
          parts: [toolResult(message.content, message.tool_call_id, at, cacheMark(message.cache_control), extras)],
          at,
        }
      case 'function':
        return {
          role: 'tool',
          parts: [toolResult(message.content, lastFunctionCall === '' ? `call_${message.name}` : lastFunctionCall, at, undefined, extras)],
          at,
        }
    }
  })
}

function assistant(message: Of<'assistant'>, at: string, functionCallId: string, extras: Extras): Message {
  extras.unknown(message, assistantFields, at)
  const parts: Part[] = reasoningParts(message, at)
  parts.push(...contentParts(message.content, `${at}.content`, extras))
  if (message.refusal != null && message.refusal !== '') parts.push({ type: 'refusal', text: message.refusal, at: `${at}.refusal` })
  if (message.audio) parts.push({ type: 'audio', source: { kind: 'file-id', id: message.audio.id }, at: `${at}.audio` })
  message.tool_calls?.forEach((call, index) => {
    const callAt = `${at}.tool_calls[${index}]`
    if (!isFunctionCall(call)) {
      parts.push({ type: 'native', format: 'openai-chat', value: call, at: callAt })
      return
    }
    extras.unknown(call, callFields, callAt)
    extras.unknown(call.function, callFunctionFields, `${callAt}.function`)
    const signature = thoughtSignature(call)
    parts.push({
      type: 'tool_call',
      id: call.id,
      name: call.function.name,
      arguments: call.function.arguments,
      at: callAt,
      ...(signature === undefined ? undefined : { signature }),
    })
  })
  if (message.function_call)
    parts.push({
      type: 'tool_call',
      id: functionCallId,
      name: message.function_call.name,
      arguments: message.function_call.arguments,
      at: `${at}.function_call`,
    })
  return {
    role: 'assistant',
    parts: marked(parts, message.cache_control),
    at,
    ...(message.name == null ? undefined : { name: message.name }),
  }
}

type AnyCall = NonNullable<Of<'assistant'>['tool_calls']>[number]
type FunctionCall = Extract<AnyCall, { function: unknown }>
function isFunctionCall(call: AnyCall): call is FunctionCall {
  return call.type == null || call.type === 'function'
}

/** Gemini's signature of a call, where Google's own chat endpoint puts it. */
export function thoughtSignature(call: Readonly<Record<string, unknown>>): string | undefined {
  const content = call['extra_content']
  const google = isObject(content) ? content['google'] : undefined
  const signature = isObject(google) ? google['thought_signature'] : undefined
  return typeof signature === 'string' && signature !== '' ? signature : undefined
}

function toolResult(content: Content, callId: string, at: string, cache: CacheMark | undefined, extras: Extras): ToolResultPart {
  const parts: (TextPart | ImagePart | FilePart)[] = []
  for (const part of contentParts(content, `${at}.content`, extras)) {
    if (part.type === 'text' || part.type === 'image' || part.type === 'file') parts.push(part)
    else throw new InvalidRequest(`${part.at ?? at}: a tool's result may hold text, images and files.`, { path: part.at ?? at })
  }
  return { type: 'tool_result', callId, content: parts, at, ...(cache ? { cache } : undefined) }
}

function contentParts(content: Content, at: string, extras: Extras): Part[] {
  if (content == null) return []
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content, at }]
  return content.map((part, index) => contentPart(part, `${at}[${index}]`, extras))
}

const textFields = new Set(['type', 'text', 'cache_control', 'annotations'])
const imageFields = new Set(['type', 'image_url', 'cache_control'])
const imageUrlFields = new Set(['url', 'detail'])
const audioFields = new Set(['type', 'input_audio', 'cache_control'])
const inputAudioFields = new Set(['data', 'format'])
const fileFields = new Set(['type', 'file', 'cache_control'])
const fileFileFields = new Set(['file_data', 'file_id', 'filename'])

/** What the schema holds for each `type`, told to the compiler: a union with an open member doesn't narrow by itself. */
interface PartOf {
  text: Extract<ChatContentPart, { text: string }>
  image_url: Extract<ChatContentPart, { image_url: unknown }>
  input_audio: Extract<ChatContentPart, { input_audio: unknown }>
  file: Extract<ChatContentPart, { file: unknown }>
  refusal: Extract<ChatContentPart, { refusal: unknown }>
}
function is<T extends keyof PartOf>(part: ChatContentPart, type: T): part is PartOf[T] {
  return part.type === type
}

function contentPart(part: ChatContentPart, at: string, extras: Extras): Part {
  if (is(part, 'text')) {
    extras.unknown(part, textFields, at)
    return withMark({ type: 'text', text: part.text, at }, part.cache_control)
  }
  if (is(part, 'image_url')) {
    extras.unknown(part, imageFields, at)
    extras.unknown(part.image_url, imageUrlFields, `${at}.image_url`)
    const image: ImagePart = {
      type: 'image',
      source: sourceOfUrl(part.image_url.url),
      at,
      ...(part.image_url.detail == null ? undefined : { detail: part.image_url.detail }),
    }
    return withMark(image, part.cache_control)
  }
  if (is(part, 'input_audio')) {
    extras.unknown(part, audioFields, at)
    return withMark(inputAudio(part.input_audio, at, extras), part.cache_control)
  }
  if (is(part, 'file')) {
    extras.unknown(part, fileFields, at)
    extras.unknown(part.file, fileFileFields, `${at}.file`)
    const { file_data: data, file_id: id, filename } = part.file
    if ((data == null) === (id == null))
      throw new InvalidRequest(`${at}.file: exactly one of file_data and file_id was expected.`, { path: `${at}.file` })
    const file: FilePart = {
      type: 'file',
      source: data == null ? { kind: 'file-id', id: id ?? '' } : sourceOfUrl(data),
      at,
      ...(filename == null ? undefined : { name: filename }),
    }
    return withMark(file, part.cache_control)
  }
  if (is(part, 'refusal')) return { type: 'refusal', text: part.refusal, at }
  return { type: 'native', format: 'openai-chat', value: part, at }
}

/** Sound as both of OpenAI's formats write it; `at` is the path of its part. */
export function inputAudio(sound: PartOf['input_audio']['input_audio'], at: string, extras: ExtraCollector): AudioPart {
  extras.unknown(sound, inputAudioFields, `${at}.input_audio`)
  const { data, format } = sound
  return { type: 'audio', source: { kind: 'base64', mediaType: format === 'mp3' ? 'audio/mpeg' : `audio/${format}`, data }, at }
}

function withMark<P extends Part>(part: P, control: unknown): P {
  const cache = cacheMark(control)
  return cache ? { ...part, cache } : part
}

/** A mark on a message stands for its last part. */
function marked(parts: Part[], control: unknown): Part[] {
  const cache = cacheMark(control)
  const last = parts.at(-1)
  if (cache && last) parts[parts.length - 1] = { ...last, cache }
  return parts
}
