import { noUsage, type Usage } from '../../quantities/index.js'
import type { CostReport, StreamEncoder } from '../codec.js'
import type { Request } from '../conversation.js'
import type { Delta, FinishReason } from '../reply.js'
import { callSealBlock, messageEnd, messageHead, sealText } from './encode-reply.js'
import type { Block } from './encode-content.js'
import { malformed } from './errors.js'
import { JsonEnd } from './json-end.js'
import { encodeUsage, usageCounts } from './usage-out.js'

type Piece = Extract<Delta, { readonly part: number }>

/**
 * Canonical deltas to Anthropic's events. Its content blocks never overlap, while parallel tool calls of other providers
 * may interleave: one part at a time is written live, the others wait. A part gives way when another begins; a tool call
 * only once its arguments are whole, since until then more of them may come.
 */
export class MessagesStreamEncoder implements StreamEncoder {
  readonly #request: Request
  readonly #id: string
  #started = false
  #usage: Usage = noUsage
  /** Index of the content block that is open or will be opened next. */
  #block = 0
  /** `call` watches the arguments of a tool call. */
  #open: { readonly part: number; readonly kind: unknown; readonly call: JsonEnd | undefined } | undefined
  /** Deltas of parts that wait for the open one, by part, in the order in which the parts began. */
  readonly #waiting = new Map<number, Piece[]>()
  #finish: FinishReason | undefined
  #stopSequence: string | undefined
  #called = false

  constructor(request: Request, id: string) {
    this.#request = request
    this.#id = id
  }

  push(delta: Delta): string {
    switch (delta.type) {
      case 'start':
        return this.#start(delta.id, delta.model)
      case 'usage':
        this.#usage = delta.reported.usage
        return ''
      case 'wire':
        return Buffer.from(delta.bytes).toString('utf8')
      case 'finish':
        if (delta.choice !== 0) return ''
        this.#finish = delta.reason
        this.#stopSequence = delta.stopSequence
        return this.#settle()
      case 'text':
      case 'refusal':
      case 'reasoning':
      case 'reasoning_signature':
      case 'tool_call':
      case 'tool_arguments':
      case 'native':
        // The format holds one choice.
        return delta.choice === 0 ? this.#start('', '') + this.#piece(delta) : ''
    }
  }

  end({ usage, cost }: { readonly usage: Usage; readonly cost: CostReport }): string {
    const before = this.#start('', '') + this.#settle()
    const { container, ...head } = {
      container: null,
      ...messageEnd(this.#finish ?? (this.#called ? 'tool_calls' : 'stop'), this.#stopSequence),
    }
    return (
      before +
      event('message_delta', { type: 'message_delta', delta: { ...head, container }, usage: encodeUsage(usage, cost) }) +
      event('message_stop', { type: 'message_stop' })
    )
  }

  #start(id: string, model: string): string {
    if (this.#started) return ''
    this.#started = true
    const message = {
      ...messageHead(id === '' ? this.#id : id, model === '' ? this.#request.model : model),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      stop_details: null,
      usage: usageCounts(this.#usage),
    }
    return event('message_start', { type: 'message_start', message })
  }

  #piece(piece: Piece): string {
    const open = this.#open
    if (open === undefined || open.part === piece.part) return this.#write(piece)
    const queue = this.#waiting.get(piece.part)
    if (queue !== undefined) {
      queue.push(piece)
      return this.#advance()
    }
    // More text of a part that has closed becomes a block of its own; more arguments can't.
    if (piece.type === 'tool_arguments') return late(piece)
    this.#waiting.set(piece.part, [piece])
    return this.#advance()
  }

  /** Lets waiting parts through while the open one may close. */
  #advance(): string {
    let text = ''
    while (this.#waiting.size > 0 && (this.#open === undefined || this.#open.call === undefined || this.#open.call.closed))
      text += this.#next()
    return text
  }

  /** Closes the open block and writes the part that has waited longest. */
  #next(): string {
    let text = this.#close()
    for (const [part, pieces] of this.#waiting) {
      this.#waiting.delete(part)
      for (const piece of pieces) text += this.#write(piece)
      break
    }
    return text
  }

  /** Writes everything that waits and closes the last block: nothing more will come. */
  #settle(): string {
    let text = ''
    while (this.#waiting.size > 0) text += this.#next()
    return text + this.#close()
  }

  #close(): string {
    if (this.#open === undefined) return ''
    this.#open = undefined
    return event('content_block_stop', { type: 'content_block_stop', index: this.#block++ })
  }

  #write(piece: Piece): string {
    switch (piece.type) {
      case 'text':
      case 'refusal':
        if (piece.text === '') return ''
        return this.#ensure(piece.part, { type: 'text', text: '' }) + this.#delta('text_delta', 'text', piece.text)
      case 'reasoning':
        if (piece.text === '') return ''
        return (
          this.#ensure(piece.part, { type: 'thinking', thinking: '', signature: '' }) +
          this.#delta('thinking_delta', 'thinking', piece.text)
        )
      case 'reasoning_signature': {
        const seal = sealText(piece)
        if (piece.redacted === true) return this.#whole(piece.part, { type: 'redacted_thinking', data: seal })
        return (
          this.#ensure(piece.part, { type: 'thinking', thinking: '', signature: '' }) + this.#delta('signature_delta', 'signature', seal)
        )
      }
      case 'tool_call': {
        this.#called = true
        const seal = piece.signature === undefined ? '' : this.#whole(piece.part, callSealBlock(piece.signature))
        return seal + this.#ensure(piece.part, { type: 'tool_use', id: piece.id, name: piece.name, input: {} })
      }
      case 'tool_arguments':
        if (this.#open?.call === undefined) return late(piece)
        this.#open.call.push(piece.json)
        return piece.json === '' ? '' : this.#delta('input_json_delta', 'partial_json', piece.json)
      case 'native':
        return piece.format === 'anthropic-messages' ? this.#whole(piece.part, piece.value) : ''
    }
  }

  #ensure(part: number, start: Block): string {
    if (this.#open?.part === part && this.#open.kind === start['type']) return ''
    const text = this.#close()
    this.#open = { part, kind: start['type'], call: start['type'] === 'tool_use' ? new JsonEnd() : undefined }
    return text + event('content_block_start', { type: 'content_block_start', index: this.#block, content_block: start })
  }

  /** A block that needs no deltas. */
  #whole(part: number, block: Readonly<Record<string, unknown>>): string {
    return this.#close() + this.#ensure(part, block) + this.#close()
  }

  /** Written by hand: one for every token. */
  #delta(type: string, field: string, text: string): string {
    return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${this.#block},"delta":{"type":"${type}","${field}":${JSON.stringify(text)}}}\n\n`
  }
}

/** Arguments whose tool call is closed or never began: blank text says nothing, anything else would be lost. */
function late(piece: Extract<Piece, { type: 'tool_arguments' }>): string {
  if (piece.json.trim() === '') return ''
  throw malformed('arguments came that belong to no open tool call')
}

function event(name: string, data: Readonly<Record<string, unknown>>): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
