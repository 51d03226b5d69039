import { InvalidRequest } from '../../errors/index.js'
import type {
  CacheMark,
  FilePart,
  ImagePart,
  MediaSource,
  Message,
  Part,
  ReasoningPart,
  Role,
  TextPart,
  ToolResultPart,
} from '../conversation.js'
import { sourceOfUrl } from '../data-url.js'
import { inputAudio } from '../openai-chat/decode-messages.js'
import type { Extras } from './extras.js'
import type { ContentPart, InputItem, ItemOf, PartOf } from './schema.js'
import { readEncryptedContent } from './seal.js'

/** What answers carry and clients send back with them: ids, states and phases, which say nothing to another model. */
const messageFields = new Set(['type', 'role', 'content', 'id', 'status', 'phase'])
const callFields = new Set(['type', 'call_id', 'name', 'arguments', 'id', 'status', 'parsed_arguments'])
const outputFields = new Set(['type', 'call_id', 'output', 'id', 'status'])
const reasoningFields = new Set(['type', 'id', 'summary', 'content', 'encrypted_content', 'status'])

/**
 * Translates the items. What the model said between two turns of the user (reasoning, messages, calls) becomes one message,
 * as other formats have it, except that a message without calls between stays apart from the next.
 */
export function decodeInput(items: readonly InputItem[], extras: Extras): Message[] {
  const messages: Message[] = []
  const turn = new AssistantTurn(messages)
  for (const [index, item] of items.entries()) {
    const at = `input[${index}]`
    if (isItem(item, 'message')) {
      extras.unknown(item, messageFields, at)
      const parts = contentParts(item.content, `${at}.content`, extras)
      if (item.role === 'assistant') turn.message(parts, at)
      else {
        turn.end()
        messages.push({ role: item.role, parts, at })
      }
    } else if (isItem(item, 'function_call')) {
      extras.unknown(item, callFields, at)
      turn.call({ type: 'tool_call', id: item.call_id, name: item.name, arguments: item.arguments, at }, at)
    } else if (isItem(item, 'reasoning')) {
      extras.unknown(item, reasoningFields, at)
      turn.reasoning(item, at)
    } else if (isItem(item, 'function_call_output')) {
      extras.unknown(item, outputFields, at)
      turn.end()
      messages.push({ role: 'tool', parts: [toolResult(item, at, extras)], at })
    } else {
      const part: Part = { type: 'native', format: 'openai-responses', value: item, at }
      const role = nativeRole(String(item.type))
      if (role === 'assistant') turn.call(part, at)
      else {
        turn.end()
        messages.push({ role, parts: [part], at })
      }
    }
  }
  turn.end()
  return messages
}

/** Whose side an item of OpenAI's own stands on. */
function nativeRole(type: string): Role {
  if (type.endsWith('_output') || type === 'mcp_approval_response') return 'tool'
  return type === 'item_reference' || type === 'compaction_trigger' || type === 'additional_tools' ? 'user' : 'assistant'
}

/** Gathers the items of one turn of the model. */
class AssistantTurn {
  #parts: Part[] = []
  #at: string | undefined
  #hasMessage = false
  #hasCall = false
  /** Gemini's signature that waits for its call. */
  #callSeal: string | undefined

  constructor(private readonly messages: Message[]) {}

  message(parts: readonly Part[], at: string): void {
    if (this.#hasMessage && !this.#hasCall) {
      // The reasoning that came last led to this message, not to the one before.
      const led: Part[] = []
      while (this.#parts.at(-1)?.type === 'reasoning') led.unshift(...this.#parts.splice(-1))
      this.end()
      this.#parts = led
      this.#at = led[0]?.at
    }
    this.#begin(at)
    this.#parts.push(...parts)
    this.#hasMessage = true
  }

  call(part: Part, at: string): void {
    this.#begin(at)
    this.#parts.push(part.type === 'tool_call' && this.#callSeal !== undefined ? { ...part, signature: this.#callSeal } : part)
    this.#callSeal = undefined
    this.#hasCall = true
  }

  reasoning(item: ItemOf['reasoning'], at: string): void {
    const seal = item.encrypted_content == null ? undefined : readEncryptedContent(item.encrypted_content)
    if (seal?.kind === 'tool_call') {
      this.#callSeal = seal.seal
      return
    }
    this.#begin(at)
    const text = reasoningText(item)
    const id = seal === undefined ? (item.id ?? undefined) : seal.id
    const signature = seal === undefined ? (item.encrypted_content ?? undefined) : seal.seal
    const redacted = signature !== undefined && (seal === undefined ? text === '' : seal.redacted)
    const part: ReasoningPart = {
      type: 'reasoning',
      text,
      at,
      ...(signature === undefined ? undefined : { signature, signatureFormat: seal?.format ?? 'openai-responses' }),
      ...(redacted ? { redacted } : undefined),
      ...(id === undefined ? undefined : { id }),
    }
    this.#parts.push(part)
  }

  end(): void {
    if (this.#at !== undefined) this.messages.push({ role: 'assistant', parts: this.#parts, at: this.#at })
    this.#parts = []
    this.#at = undefined
    this.#hasMessage = false
    this.#hasCall = false
    this.#callSeal = undefined
  }

  #begin(at: string): void {
    this.#at ??= at
  }
}

/** The summary where there is one, else the reasoning itself. */
export function reasoningText(item: {
  readonly summary?: readonly { readonly text?: string | null | undefined }[] | null | undefined
  readonly content?: readonly { readonly text?: string | null | undefined }[] | null | undefined
}): string {
  const texts = (list: typeof item.summary): string[] =>
    (list ?? []).flatMap((part) => (part.text == null || part.text === '' ? [] : [part.text]))
  const summary = texts(item.summary)
  return summary.length > 0 ? summary.join('\n\n') : texts(item.content).join('')
}

function isItem<T extends keyof ItemOf>(item: InputItem, type: T): item is ItemOf[T] {
  return item.type === type || (type === 'message' && item.type == null)
}

function toolResult(item: ItemOf['function_call_output'], at: string, extras: Extras): ToolResultPart {
  const content: (TextPart | ImagePart | FilePart)[] = []
  for (const part of contentParts(item.output, `${at}.output`, extras)) {
    if (part.type === 'text' || part.type === 'image' || part.type === 'file') content.push(part)
    else throw new InvalidRequest(`${part.at ?? at}: the output of a function may hold text, images and files.`, { path: part.at ?? at })
  }
  return { type: 'tool_result', callId: item.call_id, content, at }
}

const textFields = new Set(['type', 'text', 'prompt_cache_breakpoint'])
const outputTextFields = new Set(['type', 'text', 'annotations', 'logprobs', 'parsed'])
const refusalFields = new Set(['type', 'refusal'])
const imageFields = new Set(['type', 'image_url', 'file_id', 'detail', 'prompt_cache_breakpoint'])
const fileFields = new Set(['type', 'file_data', 'file_url', 'file_id', 'filename', 'prompt_cache_breakpoint'])
const audioFields = new Set(['type', 'input_audio'])

function isPart<T extends keyof PartOf>(part: ContentPart, type: T): part is PartOf[T] {
  return part.type === type
}

function contentParts(content: string | readonly ContentPart[], at: string, extras: Extras): Part[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content, at }]
  return content.map((part, index) => contentPart(part, `${at}[${index}]`, extras))
}

function contentPart(part: ContentPart, at: string, extras: Extras): Part {
  if (isPart(part, 'input_text')) {
    extras.unknown(part, textFields, at)
    return { type: 'text', text: part.text, at, ...mark(part.prompt_cache_breakpoint) }
  }
  if (isPart(part, 'output_text')) {
    extras.unknown(part, outputTextFields, at)
    return { type: 'text', text: part.text, at }
  }
  if (isPart(part, 'refusal')) {
    extras.unknown(part, refusalFields, at)
    return { type: 'refusal', text: part.refusal, at }
  }
  if (isPart(part, 'input_image')) return image(part, at, extras)
  if (isPart(part, 'input_file')) return file(part, at, extras)
  if (isPart(part, 'input_audio')) {
    extras.unknown(part, audioFields, at)
    return inputAudio(part.input_audio, at, extras)
  }
  return { type: 'native', format: 'openai-responses', value: part, at }
}

function mark(breakpoint: unknown): { readonly cache: CacheMark } | undefined {
  return breakpoint == null ? undefined : { cache: {} }
}

function image(part: PartOf['input_image'], at: string, extras: Extras): ImagePart {
  extras.unknown(part, imageFields, at)
  const source = oneSource(at, {
    image_url: part.image_url == null ? undefined : sourceOfUrl(part.image_url),
    file_id: fileId(part.file_id),
  })
  const { detail } = part
  const known = detail === 'auto' || detail === 'low' || detail === 'high'
  if (!known) extras.add(at, 'detail', detail)
  return { type: 'image', source, at, ...(known ? { detail } : undefined), ...mark(part.prompt_cache_breakpoint) }
}

function file(part: PartOf['input_file'], at: string, extras: Extras): FilePart {
  extras.unknown(part, fileFields, at)
  const { file_data: data, file_url: url, file_id: id, filename } = part
  const source = oneSource(at, {
    file_data: data == null ? undefined : fileData(data, filename ?? undefined),
    file_url: url == null ? undefined : { kind: 'url', url },
    file_id: fileId(id),
  })
  return { type: 'file', source, at, ...(filename == null ? undefined : { name: filename }), ...mark(part.prompt_cache_breakpoint) }
}

function fileId(id: string | null | undefined): MediaSource | undefined {
  return id == null ? undefined : { kind: 'file-id', id }
}

/** A data URL; OpenAI takes the base64 alone too, and knows the type by the name (PDF is what it began with). */
function fileData(data: string, name: string | undefined): MediaSource {
  if (/^data:/i.test(data)) return sourceOfUrl(data)
  const extension = name === undefined ? 'pdf' : name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  return { kind: 'base64', mediaType: mediaTypes.get(extension) ?? 'application/octet-stream', data }
}

const mediaTypes: ReadonlyMap<string, string> = new Map([
  ['pdf', 'application/pdf'],
  ['txt', 'text/plain'],
  ['md', 'text/markdown'],
  ['csv', 'text/csv'],
  ['html', 'text/html'],
  ['json', 'application/json'],
])

function oneSource(at: string, sources: Readonly<Record<string, MediaSource | undefined>>): MediaSource {
  const given = Object.values(sources).filter((source) => source !== undefined)
  const [source] = given
  if (source === undefined || given.length > 1)
    throw new InvalidRequest(`${at}: exactly one of ${Object.keys(sources).join(', ')} was expected.`, { path: at })
  return source
}
