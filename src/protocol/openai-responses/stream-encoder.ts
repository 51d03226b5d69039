import type { Usage } from '../../quantities/index.js'
import { JsonEnd } from '../anthropic-messages/json-end.js'
import type { CostReport, StreamEncoder } from '../codec.js'
import type { Request } from '../conversation.js'
import type { Delta, FinishReason, TokenLogprob } from '../reply.js'
import { isContentType } from './content-type.js'
import { ownId, showsReasoning } from './encode-reply.js'
import {
  callItem,
  encodeLogprobs,
  incompleteReason,
  itemIds,
  messageItem,
  reasoningItem,
  refusalContent,
  responseObject,
  textContent,
  type Item,
  type ResponseHead,
} from './response-object.js'
import { callSeal, encryptedContent } from './seal.js'

interface OpenMessage {
  readonly kind: 'message'
  readonly id: string
  readonly index: number
  readonly content: Item[]
  open:
    | { readonly part: number; readonly type: 'text' | 'refusal'; readonly head: string; text: string; readonly logprobs: unknown[] }
    | undefined
}
interface OpenReasoning {
  readonly kind: 'reasoning'
  readonly id: string
  readonly index: number
  readonly part: number
  readonly head: string
  text: string
}
interface OpenCall {
  readonly kind: 'call'
  readonly id: string
  readonly index: number
  readonly call: { readonly id: string; readonly name: string }
  readonly head: string
  readonly end: JsonEnd
  json: string
}
type Reasoning = Extract<Delta, { type: 'reasoning' | 'reasoning_signature' }>

/**
 * Canonical deltas to the events of a streamed response. A message or a piece of reasoning is open until something else
 * begins; tool calls stay open beside it, as several may be written at once, until their arguments are whole and
 * something else begins, or the answer ends.
 */
export class ResponsesStreamEncoder implements StreamEncoder {
  #sequence = 0
  #head: ResponseHead | undefined
  #nextId: (prefix: 'msg' | 'rs' | 'fc') => string = itemIds('')
  /** Items in the order in which they began; `undefined` while one is open. */
  readonly #output: (Item | undefined)[] = []
  #current: OpenMessage | OpenReasoning | undefined
  readonly #calls = new Map<number, OpenCall>()
  #finish: FinishReason | undefined
  #refused = false
  #serviceTier: string | undefined

  constructor(
    private readonly request: Request,
    private readonly id: string,
  ) {}

  push(delta: Delta): string {
    switch (delta.type) {
      case 'start':
        return this.#start(delta.id, delta.model, delta.created)
      case 'usage':
        this.#serviceTier = delta.reported.serviceTier ?? this.#serviceTier
        return ''
      case 'wire':
        return Buffer.from(delta.bytes.buffer, delta.bytes.byteOffset, delta.bytes.byteLength).toString('utf8')
      case 'finish':
        if (delta.choice !== 0) return ''
        this.#finish = delta.reason
        return this.#start('', '', 0) + this.#closeAll(delta.reason)
      case 'text':
      case 'refusal':
        return delta.choice === 0 ? this.#start('', '', 0) + this.#say(delta) : ''
      case 'reasoning':
      case 'reasoning_signature':
        return delta.choice === 0 && showsReasoning(this.request) ? this.#start('', '', 0) + this.#think(delta) : ''
      case 'tool_call':
        return delta.choice === 0 ? this.#start('', '', 0) + this.#call(delta) : ''
      case 'tool_arguments':
        return delta.choice === 0 ? this.#arguments(delta.part, delta.json) : ''
      case 'native':
        if (delta.choice !== 0 || delta.format !== 'openai-responses') return ''
        return (
          this.#start('', '', 0) +
          (isContentType(delta.value['type']) ? this.#content({ ...delta.value }) : this.#closeIdle() + this.#whole({ ...delta.value }))
        )
    }
  }

  end({ usage, cost }: { readonly usage: Usage; readonly cost: CostReport }): string {
    const finish = this.#finish ?? 'length'
    const before = this.#start('', '', 0) + this.#closeAll(finish)
    const end = { finish, refused: this.#refused, usage, cost, serviceTier: this.#serviceTier }
    const output = this.#output.filter((item) => item !== undefined)
    const type = incompleteReason(finish, this.#refused) === undefined ? 'response.completed' : 'response.incomplete'
    return before + this.#event(type, { response: responseObject(this.request, this.#knownHead(), output, end) })
  }

  #knownHead(): ResponseHead {
    return this.#head ?? { id: this.id, model: this.request.model, created: 0 }
  }

  #start(id: string, model: string, created: number): string {
    if (this.#head !== undefined) return ''
    this.#head = { id: id === '' ? this.id : id, model: model === '' ? this.request.model : model, created }
    this.#nextId = itemIds(this.#head.id)
    const response = responseObject(this.request, this.#head, [], undefined)
    return this.#event('response.created', { response }) + this.#event('response.in_progress', { response })
  }

  #event(type: string, fields: Item): string {
    return `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: this.#sequence++, ...fields })}\n\n`
  }

  /** An event of which all but the number and the end of the data is known. */
  #delta(head: string, text: string, tail = '}'): string {
    return `${head}${this.#sequence++},"delta":${JSON.stringify(text)}${tail}\n\n`
  }

  #deltaHead(type: string, fields: Item): string {
    return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields }).slice(0, -1)},"sequence_number":`
  }

  #add(item: Item): string {
    this.#output.push(undefined)
    return this.#event('response.output_item.added', { output_index: this.#output.length - 1, item })
  }

  #done(index: number, item: Item): string {
    this.#output[index] = item
    return this.#event('response.output_item.done', { output_index: index, item })
  }

  /** An item that comes in one piece. */
  #whole(item: Item): string {
    return this.#add(item) + this.#done(this.#output.length - 1, item)
  }

  /** The open message, or a new one, and what must be said for it to be open. */
  #message(): { readonly message: OpenMessage; readonly before: string } {
    if (this.#current?.kind === 'message') return { message: this.#current, before: '' }
    const closed = this.#closeIdle()
    const message: OpenMessage = { kind: 'message', id: this.#nextId('msg'), index: this.#output.length, content: [], open: undefined }
    this.#current = message
    return { message, before: closed + this.#add(messageItem(message.id, 'in_progress', [])) }
  }

  /** A part of a message that comes in one piece. */
  #content(part: Item): string {
    const { message, before } = this.#message()
    const closed = this.#closeContent(message)
    const at = { item_id: message.id, output_index: message.index, content_index: message.content.length }
    message.content.push(part)
    return (
      before +
      closed +
      this.#event('response.content_part.added', { ...at, part }) +
      this.#event('response.content_part.done', { ...at, part })
    )
  }

  #say(delta: Extract<Delta, { type: 'text' | 'refusal' }>): string {
    const opened = this.#message()
    const { message } = opened
    let { before } = opened
    let open = message.open
    if (open === undefined || open.part !== delta.part || open.type !== delta.type) {
      before += this.#closeContent(message)
      const at = { item_id: message.id, output_index: message.index, content_index: message.content.length }
      open = {
        part: delta.part,
        type: delta.type,
        head: this.#deltaHead(delta.type === 'text' ? 'response.output_text.delta' : 'response.refusal.delta', at),
        text: '',
        logprobs: [],
      }
      message.open = open
      before += this.#event('response.content_part.added', {
        ...at,
        part: delta.type === 'text' ? textContent('', []) : refusalContent(''),
      })
    }
    open.text += delta.text
    if (delta.type === 'refusal') {
      this.#refused = true
      return before + this.#delta(open.head, delta.text)
    }
    return before + this.#delta(open.head, delta.text, `,"logprobs":${this.#logprobs(open.logprobs, delta.logprobs)}}`)
  }

  #logprobs(all: unknown[], logprobs: readonly TokenLogprob[] | undefined): string {
    if (!logprobs) return '[]'
    const encoded = encodeLogprobs(logprobs)
    all.push(...encoded)
    return JSON.stringify(encoded)
  }

  #think(delta: Reasoning): string {
    let before = ''
    let open = this.#current
    const id = delta.type === 'reasoning_signature' ? ownId(delta) : undefined
    if (open?.kind !== 'reasoning' || open.part !== delta.part) {
      if (delta.type === 'reasoning' && delta.text === '') return ''
      before = this.#closeIdle()
      // The seal alone: nothing to show, so the item comes in one piece, by the id that its provider gave it.
      if (delta.type === 'reasoning_signature')
        return before + this.#whole(reasoningItem(id ?? this.#nextId('rs'), '', encryptedContent(delta)))
      const index = this.#output.length
      const itemId = this.#nextId('rs')
      const at = { item_id: itemId, output_index: index, summary_index: 0 }
      open = {
        kind: 'reasoning',
        id: itemId,
        index,
        part: delta.part,
        head: this.#deltaHead('response.reasoning_summary_text.delta', at),
        text: '',
      }
      this.#current = open
      before += this.#add(reasoningItem(itemId, '', undefined))
      before += this.#event('response.reasoning_summary_part.added', { ...at, part: { type: 'summary_text', text: '' } })
    }
    if (delta.type === 'reasoning_signature') {
      this.#current = undefined
      return before + this.#closeReasoning(open, encryptedContent(delta), id)
    }
    open.text += delta.text
    return before + this.#delta(open.head, delta.text)
  }

  /** `id`: by which its provider knows the reasoning again; it comes only with the seal. */
  #closeReasoning(open: OpenReasoning, sealed: string | undefined, id?: string): string {
    const at = { item_id: open.id, output_index: open.index, summary_index: 0 }
    return (
      this.#event('response.reasoning_summary_text.done', { ...at, text: open.text }) +
      this.#event('response.reasoning_summary_part.done', { ...at, part: { type: 'summary_text', text: open.text } }) +
      this.#done(open.index, reasoningItem(id ?? open.id, open.text, sealed))
    )
  }

  #call(delta: Extract<Delta, { type: 'tool_call' }>): string {
    let before = this.#closeIdle()
    if (delta.signature !== undefined) before += this.#whole(reasoningItem(this.#nextId('rs'), '', callSeal(delta.signature)))
    const id = this.#nextId('fc')
    const index = this.#output.length
    const call = { id: delta.id, name: delta.name }
    const head = this.#deltaHead('response.function_call_arguments.delta', { item_id: id, output_index: index })
    this.#calls.set(delta.part, { kind: 'call', id, index, call, head, end: new JsonEnd(), json: '' })
    return before + this.#add(callItem(id, 'in_progress', call, ''))
  }

  #arguments(part: number, json: string): string {
    const open = this.#calls.get(part)
    if (open === undefined || json === '') return ''
    open.json += json
    open.end.push(json)
    return this.#delta(open.head, json)
  }

  #closeCall(part: number, open: OpenCall, status: string): string {
    this.#calls.delete(part)
    // Clients parse the arguments without looking: a call that got none gets an empty object.
    const json = open.json === '' ? '{}' : open.json
    const before = open.json === '' ? this.#delta(open.head, json) : ''
    return (
      before +
      this.#event('response.function_call_arguments.done', {
        item_id: open.id,
        output_index: open.index,
        name: open.call.name,
        arguments: json,
      }) +
      this.#done(open.index, callItem(open.id, status, open.call, json))
    )
  }

  #closeContent(message: OpenMessage): string {
    const { open } = message
    if (open === undefined) return ''
    const at = { item_id: message.id, output_index: message.index, content_index: message.content.length }
    const part = open.type === 'text' ? textContent(open.text, open.logprobs) : refusalContent(open.text)
    message.content.push(part)
    message.open = undefined
    const done =
      open.type === 'text'
        ? this.#event('response.output_text.done', { ...at, text: open.text, logprobs: open.logprobs })
        : this.#event('response.refusal.done', { ...at, refusal: open.text })
    return done + this.#event('response.content_part.done', { ...at, part })
  }

  #closeCurrent(status: string): string {
    const open = this.#current
    this.#current = undefined
    if (open === undefined) return ''
    if (open.kind === 'reasoning') return this.#closeReasoning(open, undefined)
    return this.#closeContent(open) + this.#done(open.index, messageItem(open.id, status, open.content))
  }

  /** Closes what can't grow any more when something else begins. */
  #closeIdle(): string {
    let text = this.#closeCurrent('completed')
    for (const [part, call] of this.#calls) if (call.end.closed) text += this.#closeCall(part, call, 'completed')
    return text
  }

  #closeAll(finish: FinishReason): string {
    // Only what was being written when the limit came was cut.
    const cut = finish === 'length' ? 'incomplete' : 'completed'
    let text = this.#closeCurrent(cut)
    for (const [part, call] of this.#calls) text += this.#closeCall(part, call, call.end.closed ? 'completed' : cut)
    return text
  }
}
