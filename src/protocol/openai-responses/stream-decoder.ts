import type { StreamDecoder } from '../codec.js'
import { deltasOf } from '../deltas-of.js'
import { arrayOf, isObject, numberOf, objectOf, stringOf, textOf, type JsonObject } from '../json-value.js'
import { malformed, parseEvent } from '../openai-chat/decode-reply.js'
import type { Delta } from '../reply.js'
import type { ServerSentEvent } from '../sse.js'
import {
  callId,
  callName,
  createdAt,
  failure,
  finishReason,
  isCallItem,
  itemReasoning,
  readLogprobs,
  readOutput,
  throwIfFailed,
  usageOf,
} from './decode-reply.js'

interface TextState {
  readonly type: 'text' | 'refusal'
  readonly part: number
  said: boolean
}
interface ItemState {
  /** Part of a call or of a piece of reasoning. */
  part: number | undefined
  /** Whether any of it has come as a delta; servers that send none say it all at the end. */
  said: boolean
  /** Which of the two texts of a piece of reasoning is read: the one that came first. */
  channel: 'summary' | 'content' | undefined
  /** Where in the channel the last piece stood. */
  place: number
  readonly texts: Map<number, TextState>
}

const choice = 0

/** Reads the events of a streamed response. Events that say nothing canonical are passed over. */
export class ResponsesStreamDecoder implements StreamDecoder {
  #started = false
  #complete = false
  #parts = 0
  #called = false
  readonly #items = new Map<number, ItemState>()

  push(event: ServerSentEvent): Delta[] {
    if (event.data === '' || event.data === '[DONE]') return []
    const data = parseEvent(event.data)
    const type = stringOf(data['type']) ?? event.event
    const out: Delta[] = []
    switch (type) {
      case 'response.created':
      case 'response.in_progress':
      case 'response.queued':
        this.#start(data, out)
        break
      case 'response.output_item.added':
        this.#added(data, out)
        break
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        this.#said(data, type === 'response.output_text.delta' ? 'text' : 'refusal', stringOf(data['delta']) ?? '', data['logprobs'], out)
        break
      case 'response.output_text.done':
        this.#unsaid(data, 'text', data['text'], data['logprobs'], out)
        break
      case 'response.refusal.done':
        this.#unsaid(data, 'refusal', data['refusal'], undefined, out)
        break
      case 'response.reasoning_summary_text.delta':
        this.#thought(data, 'summary', numberOf(data['summary_index']) ?? 0, out)
        break
      case 'response.reasoning_text.delta':
        this.#thought(data, 'content', numberOf(data['content_index']) ?? 0, out)
        break
      case 'response.function_call_arguments.delta':
        this.#arguments(data, stringOf(data['delta']) ?? '', out)
        break
      case 'response.function_call_arguments.done':
        if (!this.#item(data).said) this.#arguments(data, stringOf(data['arguments']) ?? '', out)
        break
      case 'response.output_item.done':
        this.#done(data, out)
        break
      case 'response.completed':
      case 'response.incomplete':
      case 'response.done':
        this.#end(data, out)
        break
      case 'response.failed':
      case 'response.cancelled':
        throw failure(objectOf(data['response']) ?? data)
      case 'error':
        throw failure(data)
      case undefined:
        if (isObject(data['error'])) throw failure(data)
        break
      default:
    }
    return out
  }

  complete(): boolean {
    return this.#complete
  }

  #start(data: JsonObject, out: Delta[]): void {
    if (this.#started) return
    const response = objectOf(data['response'])
    if (!response) return
    this.#started = true
    out.push({ type: 'start', id: stringOf(response['id']) ?? '', model: stringOf(response['model']) ?? '', created: createdAt(response) })
  }

  #item(data: JsonObject): ItemState {
    const index = numberOf(data['output_index']) ?? 0
    let item = this.#items.get(index)
    if (!item) this.#items.set(index, (item = { part: undefined, said: false, channel: undefined, place: 0, texts: new Map() }))
    return item
  }

  #added(data: JsonObject, out: Delta[]): void {
    const item = objectOf(data['item'])
    if (item?.['type'] === 'function_call') this.#openCall(data, item, out)
  }

  #openCall(data: JsonObject, item: JsonObject, out: Delta[]): void {
    const state = this.#item(data)
    if (state.part !== undefined) return
    this.#called = true
    const part = (state.part = this.#parts++)
    // Arguments that a server puts here already come again as deltas or at the end.
    out.push({ type: 'tool_call', choice, part, id: callId(item), name: callName(item) })
  }

  #arguments(data: JsonObject, json: string, out: Delta[]): void {
    const state = this.#item(data)
    if (json === '') return
    if (state.part === undefined) throw malformed('the arguments of a function call came before the call')
    state.said = true
    out.push({ type: 'tool_arguments', choice, part: state.part, json })
  }

  #text(data: JsonObject, type: 'text' | 'refusal'): TextState {
    const { texts } = this.#item(data)
    const index = numberOf(data['content_index']) ?? 0
    let text = texts.get(index)
    if (text?.type !== type) texts.set(index, (text = { type, part: this.#parts++, said: false }))
    return text
  }

  #said(data: JsonObject, type: 'text' | 'refusal', text: string, odds: unknown, out: Delta[]): void {
    const logprobs = readLogprobs(odds)
    if (text === '' && logprobs.length === 0) return
    const state = this.#text(data, type)
    state.said = true
    if (type === 'refusal') out.push({ type, choice, part: state.part, text })
    else out.push({ type, choice, part: state.part, text, ...(logprobs.length > 0 ? { logprobs } : undefined) })
  }

  #unsaid(data: JsonObject, type: 'text' | 'refusal', whole: unknown, odds: unknown, out: Delta[]): void {
    const known = this.#item(data).texts.get(numberOf(data['content_index']) ?? 0)
    if (known?.said !== true) this.#said(data, type, stringOf(whole) ?? '', odds, out)
  }

  #thought(data: JsonObject, channel: 'summary' | 'content', place: number, out: Delta[]): void {
    const text = stringOf(data['delta']) ?? ''
    if (text === '') return
    const item = this.#item(data)
    item.channel ??= channel
    if (item.channel !== channel) return
    const part = (item.part ??= this.#parts++)
    // Parts of a summary are paragraphs.
    const gap = item.said && channel === 'summary' && place !== item.place ? '\n\n' : ''
    item.said = true
    item.place = place
    out.push({ type: 'reasoning', choice, part, text: gap + text })
  }

  /** What is known only at an item's end, and all of it where nothing came before. */
  #done(data: JsonObject, out: Delta[]): void {
    const item = objectOf(data['item'])
    if (!item) return
    const state = this.#item(data)
    switch (item['type']) {
      case 'message':
        for (const [index, value] of arrayOf(item['content']).entries()) {
          const content = objectOf(value)
          const at = { output_index: data['output_index'], content_index: index }
          if (content?.['type'] === 'output_text') this.#unsaid(at, 'text', content['text'], content['logprobs'], out)
          else if (content?.['type'] === 'refusal') this.#unsaid(at, 'refusal', content['refusal'], undefined, out)
          else if (content) out.push({ type: 'native', choice, part: this.#parts++, format: 'openai-responses', value: content })
        }
        return
      case 'function_call':
        this.#openCall(data, item, out)
        if (!state.said) this.#arguments(data, stringOf(item['arguments']) ?? '', out)
        return
      case 'reasoning': {
        const seal = textOf(item['encrypted_content'])
        const id = textOf(item['id'])
        if (!state.said) {
          const text = itemReasoning(item)
          if (text !== '') {
            state.said = true
            out.push({ type: 'reasoning', choice, part: (state.part ??= this.#parts++), text })
          }
        }
        if (seal === undefined) return
        out.push({
          type: 'reasoning_signature',
          choice,
          part: (state.part ??= this.#parts++),
          signature: seal,
          signatureFormat: 'openai-responses',
          ...(state.said ? undefined : { redacted: true }),
          ...(id === undefined ? undefined : { id }),
        })
        return
      }
      default:
        if (isCallItem(item)) this.#called = true
        out.push({ type: 'native', choice, part: this.#parts++, format: 'openai-responses', value: item })
    }
  }

  #end(data: JsonObject, out: Delta[]): void {
    this.#start(data, out)
    const response = objectOf(data['response'])
    if (!response) throw malformed('the last event has no `response`')
    throwIfFailed(response)
    if (this.#complete) return
    this.#complete = true
    // A server that streams nothing but the end says it all there.
    if (this.#parts === 0 && arrayOf(response['output']).length > 0) {
      const whole = { id: '', model: '', created: 0, choices: [readOutput(response)], reported: usageOf(response) }
      for (const delta of deltasOf(whole)) if (delta.type !== 'start') out.push(delta)
      return
    }
    out.push({ type: 'finish', choice, reason: finishReason(response, this.#called) })
    const reported = usageOf(response)
    if (reported) out.push({ type: 'usage', reported })
  }
}
