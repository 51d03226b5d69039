import type { StreamDecoder } from '../codec.js'
import { argumentsText } from '../exact-numbers.js'
import { isObject, numberOf, objectOf, stringOf, textOf, type JsonObject } from '../json-value.js'
import type { Delta } from '../reply.js'
import type { ServerSentEvent } from '../sse.js'
import { anthropicUsage } from '../usage.js'
import { decodeRedacted, decodeThinking } from './decode-content.js'
import { callNames } from './decode-reply.js'
import { malformed, streamEventError } from './errors.js'
import { finishReason } from './stop-reason.js'

/** A content block that has started and not stopped. */
interface OpenBlock {
  readonly part: number
  readonly kind: 'text' | 'thinking' | 'tool_use' | 'sealed' | 'native'
  readonly start: JsonObject
  /** Argument text of a block of Anthropic's own; of a tool call only whether any came. */
  json: string
  /** Arguments that stood in the start of a tool call. */
  given: string
}

/**
 * Anthropic's events to canonical deltas. Usage stands partly in `message_start` (input) and partly in `message_delta`
 * (output, cumulative); it is told once both are known. The end is proper only after `message_stop`.
 */
export class MessagesStreamDecoder implements StreamDecoder {
  readonly #created: () => number
  readonly #blocks = new Map<number, OpenBlock>()
  #nextPart = 0
  #usage: JsonObject = {}
  #usageTold = false
  #started = false
  #stopped = false

  constructor(created: () => number) {
    this.#created = created
  }

  push(event: ServerSentEvent): Delta[] {
    if (this.#stopped || event.data === '' || event.data === '[DONE]') return []
    let data: unknown
    try {
      data = JSON.parse(event.data)
    } catch (cause) {
      throw malformed('an event is not valid JSON', cause)
    }
    if (!isObject(data)) throw malformed('an event is not a JSON object')
    switch (data['type'] ?? event.event) {
      case 'content_block_delta':
        return this.#delta(data)
      case 'message_start':
        return this.#start(data)
      case 'content_block_start':
        return this.#blockStart(data, event.data)
      case 'content_block_stop':
        return this.#blockStop(data)
      case 'message_delta':
        return this.#messageDelta(data)
      case 'message_stop':
        this.#stopped = true
        return this.#usageTold ? [] : this.#tellUsage()
      case 'error':
        throw streamEventError(data)
      default:
        // `ping`, and kinds that are newer than this code.
        return []
    }
  }

  complete(): boolean {
    return this.#stopped
  }

  #start(data: JsonObject): Delta[] {
    const message = objectOf(data['message'])
    if (message === undefined) throw malformed('message_start has no message')
    this.#started = true
    this.#usage = objectOf(message['usage']) ?? {}
    return [{ type: 'start', id: stringOf(message['id']) ?? '', model: stringOf(message['model']) ?? '', created: this.#created() }]
  }

  #blockStart(data: JsonObject, text: string): Delta[] {
    const start = objectOf(data['content_block'])
    const index = numberOf(data['index'])
    if (!this.#started || start === undefined || index === undefined) throw malformed('a content block starts without its place')
    const deltas: Delta[] = []
    switch (start['type']) {
      case 'text': {
        const block = this.#open(index, 'text', start)
        const text = textOf(start['text'])
        if (text !== undefined) deltas.push({ type: 'text', choice: 0, part: block.part, text })
        break
      }
      case 'thinking': {
        const block = this.#open(index, 'thinking', start)
        const text = textOf(start['thinking'])
        if (text !== undefined) deltas.push({ type: 'reasoning', choice: 0, part: block.part, text })
        const signature = textOf(start['signature'])
        if (signature !== undefined) deltas.push(sealDelta(block.part, signature))
        break
      }
      case 'redacted_thinking': {
        const block = this.#open(index, 'sealed', start)
        const { signature, signatureFormat, id } = decodeRedacted(stringOf(start['data']) ?? '')
        deltas.push({
          type: 'reasoning_signature',
          choice: 0,
          part: block.part,
          signature: signature ?? '',
          signatureFormat: signatureFormat ?? 'anthropic-messages',
          redacted: true,
          id,
        })
        break
      }
      case 'tool_use': {
        const block = this.#open(index, 'tool_use', start)
        block.given = argumentsText(start['input'], text, 'content_block', 'input')
        deltas.push({ type: 'tool_call', choice: 0, part: block.part, ...callNames(start) })
        break
      }
      default:
        this.#open(index, 'native', start)
    }
    return deltas
  }

  #open(index: number, kind: OpenBlock['kind'], start: JsonObject): OpenBlock {
    const block: OpenBlock = { part: this.#nextPart++, kind, start, json: '', given: '' }
    this.#blocks.set(index, block)
    return block
  }

  #delta(data: JsonObject): Delta[] {
    const delta = objectOf(data['delta'])
    const block = this.#blocks.get(numberOf(data['index']) ?? -1)
    if (delta === undefined || block === undefined) throw malformed('a delta belongs to no open content block')
    const { part } = block
    switch (delta['type']) {
      case 'text_delta': {
        const text = textOf(delta['text'])
        return text === undefined ? [] : [{ type: 'text', choice: 0, part, text }]
      }
      case 'thinking_delta': {
        const text = textOf(delta['thinking'])
        return text === undefined ? [] : [{ type: 'reasoning', choice: 0, part, text }]
      }
      case 'signature_delta': {
        const signature = textOf(delta['signature'])
        return signature === undefined ? [] : [sealDelta(part, signature)]
      }
      case 'input_json_delta': {
        const json = textOf(delta['partial_json'])
        if (json === undefined) return []
        if (block.kind === 'native') {
          block.json += json
          return []
        }
        block.json = json
        return [{ type: 'tool_arguments', choice: 0, part, json }]
      }
      default:
        // Citations have no canonical form; other kinds are newer than this code.
        return []
    }
  }

  #blockStop(data: JsonObject): Delta[] {
    const index = numberOf(data['index']) ?? -1
    const block = this.#blocks.get(index)
    if (block === undefined) throw malformed('a content block stops that was not open')
    this.#blocks.delete(index)
    const { part, kind, start } = block
    // A call without arguments streams none; some compatible servers give them whole at the start.
    if (kind === 'tool_use' && block.json === '') return [{ type: 'tool_arguments', choice: 0, part, json: block.given }]
    if (kind === 'native') return [{ type: 'native', choice: 0, part, format: 'anthropic-messages', value: withInput(start, block.json) }]
    return []
  }

  #messageDelta(data: JsonObject): Delta[] {
    const deltas: Delta[] = []
    const delta = objectOf(data['delta'])
    if (delta?.['stop_reason'] != null)
      deltas.push({ type: 'finish', choice: 0, reason: finishReason(delta['stop_reason']), stopSequence: textOf(delta['stop_sequence']) })
    const usage = objectOf(data['usage'])
    if (usage !== undefined) {
      const merged: Record<string, unknown> = { ...this.#usage }
      for (const name in usage) if (usage[name] != null) merged[name] = usage[name]
      this.#usage = merged
      deltas.push(...this.#tellUsage())
    }
    return deltas
  }

  #tellUsage(): Delta[] {
    const reported = anthropicUsage(this.#usage)
    if (reported === undefined) return []
    this.#usageTold = true
    return [{ type: 'usage', reported }]
  }
}

function sealDelta(part: number, text: string): Delta {
  const { signature, signatureFormat, id } = decodeThinking('', text)
  return {
    type: 'reasoning_signature',
    choice: 0,
    part,
    signature: signature ?? '',
    signatureFormat: signatureFormat ?? 'anthropic-messages',
    id,
  }
}

/** A server tool's call streams its input like any other. */
function withInput(start: JsonObject, json: string): JsonObject {
  if (json === '') return start
  try {
    const input: unknown = JSON.parse(json)
    return { ...start, input }
  } catch (cause) {
    throw malformed('the input of a server tool is not valid JSON', cause)
  }
}
