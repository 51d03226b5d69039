import { BursarError } from '../../errors/index.js'
import type { Delta, FinishReason, TokenLogprob } from '../reply.js'
import { arrayOf, isObject, numberOf, objectOf, stringOf, textOf, type JsonObject } from '../json-value.js'
import { thoughtSignature } from './decode-messages.js'
import { reasoningSteps } from './reasoning-details.js'

interface OpenCall {
  readonly id: string
  /** Part index once the name is known; until then the arguments wait. */
  part: number | undefined
  waiting: string
  readonly signature: string | undefined
}

/**
 * Reads the `delta` objects of one streamed choice, or the one `message` of a whole choice (which has the same fields),
 * into canonical deltas. Parts are numbered as they begin: reasoning, text, refusal, and each call has its own.
 */
export class ChoiceReader {
  #kind: 'text' | 'refusal' | 'reasoning' | undefined
  #part = -1
  #count = 0
  /** The latest reasoning part without a seal: a seal may come after the text has begun. */
  #unsealed: number | undefined
  readonly #calls = new Map<number, OpenCall>()
  #lastCall = -1
  #callCount = 0
  #finished = false

  /** `callPrefix` begins the ids of calls to which the provider gave none; it must differ from answer to answer. */
  constructor(
    private readonly choice: number,
    private readonly callPrefix: string,
  ) {}

  get finished(): boolean {
    return this.#finished
  }

  /** Reads a `delta` or `message` with what stands beside it in the choice. */
  read(message: JsonObject | undefined, wire: JsonObject, out: Delta[]): void {
    const logprobs = readLogprobs(wire['logprobs'])
    if (message) {
      this.#reasoning(message, out)
      this.#content(message['content'], logprobs, out)
      const refusal = textOf(message['refusal'])
      if (refusal !== undefined) out.push({ type: 'refusal', choice: this.choice, part: this.#open('refusal'), text: refusal })
      for (const call of arrayOf(message['tool_calls'])) if (isObject(call)) this.#toolCall(call, out)
      if (isObject(message['function_call'])) this.#toolCall({ index: 0, function: message['function_call'] }, out)
      this.#natives(message, out)
    } else if (logprobs) this.#content('', logprobs, out)
    const reason = textOf(wire['finish_reason'])
    if (reason !== undefined) this.#finish(reason, wire, out)
  }

  #finish(reason: string, wire: JsonObject, out: Delta[]): void {
    // Some servers repeat the finish beside the usage.
    if (this.#finished) return
    this.#finished = true
    for (const call of this.#calls.values())
      if (call.part === undefined)
        throw new BursarError('The provider sent a tool call without a name.', { code: 'upstream_malformed', status: 502 })
    if (reason === 'error') throw new BursarError('The provider ended its answer with an error.', { code: 'upstream_error', status: 502 })
    const stop = textOf(wire['stop_reason'])
    const finish = finishReason(reason, this.#callCount > 0)
    if (finish === 'stop' && stop !== undefined && reason === 'stop')
      out.push({ type: 'finish', choice: this.choice, reason: 'stop_sequence', stopSequence: stop })
    else out.push({ type: 'finish', choice: this.choice, reason: finish })
  }

  /** Index of the current part of this kind; a change of kind begins another part. */
  #open(kind: 'text' | 'refusal' | 'reasoning'): number {
    if (this.#kind !== kind) {
      this.#kind = kind
      this.#part = this.#count++
    }
    return this.#part
  }

  #single(): number {
    this.#kind = undefined
    return this.#count++
  }

  #text(text: string, logprobs: readonly TokenLogprob[] | undefined, out: Delta[]): void {
    if (text === '' && !logprobs) return
    out.push({ type: 'text', choice: this.choice, part: this.#open('text'), text, ...(logprobs ? { logprobs } : undefined) })
  }

  #content(content: unknown, logprobs: readonly TokenLogprob[] | undefined, out: Delta[]): void {
    if (typeof content === 'string') return this.#text(content, logprobs, out)
    // Mistral writes an array of chunks where the model thinks.
    for (const value of arrayOf(content)) {
      const chunk = objectOf(value)
      if (!chunk) continue
      if (chunk['type'] === 'text') this.#text(stringOf(chunk['text']) ?? '', logprobs, out)
      else if (chunk['type'] === 'thinking')
        for (const thought of arrayOf(chunk['thinking'])) this.#thought(textOf(objectOf(thought)?.['text']), out)
      else if (chunk['type'] === 'refusal')
        out.push({ type: 'refusal', choice: this.choice, part: this.#open('refusal'), text: stringOf(chunk['refusal']) ?? '' })
      else out.push({ type: 'native', choice: this.choice, part: this.#single(), format: 'openai-chat', value: chunk })
    }
    if (!Array.isArray(content) && logprobs) this.#text('', logprobs, out)
  }

  #thought(text: string | undefined, out: Delta[]): void {
    if (text === undefined) return
    this.#unsealed = this.#open('reasoning')
    out.push({ type: 'reasoning', choice: this.choice, part: this.#unsealed, text })
  }

  /** OpenRouter sends the same text as `reasoning` and inside `reasoning_details`; it is read once. */
  #reasoning(message: JsonObject, out: Delta[]): void {
    const plain = textOf(message['reasoning_content']) ?? textOf(message['reasoning'])
    const details = message['reasoning_details']
    if (details === undefined) return this.#thought(plain, out)
    const steps = reasoningSteps(details, plain !== undefined || this.#unsealed !== undefined)
    if (!steps.some((step) => step.kind === 'text')) this.#thought(plain, out)
    for (const step of steps) {
      if (step.kind === 'text') {
        this.#thought(step.text, out)
        continue
      }
      const part = step.redacted ? this.#single() : (this.#unsealed ?? this.#single())
      out.push({
        type: 'reasoning_signature',
        choice: this.choice,
        part,
        signature: step.signature,
        signatureFormat: step.format,
        ...(step.redacted ? { redacted: true } : undefined),
        ...(step.id === undefined ? undefined : { id: step.id }),
      })
      if (!step.redacted) this.#unsealed = undefined
      // What comes after a seal is another block.
      if (this.#kind === 'reasoning') this.#kind = undefined
    }
  }

  #toolCall(call: JsonObject, out: Delta[]): void {
    const custom = objectOf(call['custom'])
    if (call['type'] === 'custom' && custom) {
      this.#callCount++
      out.push({ type: 'native', choice: this.choice, part: this.#single(), format: 'openai-chat', value: call })
      return
    }
    const wireId = textOf(call['id'])
    const definition = objectOf(call['function'])
    const name = textOf(definition?.['name'])
    const open = this.#callOf(numberOf(call['index']), wireId, name, call)
    if (open.part === undefined && name !== undefined) {
      open.part = this.#single()
      out.push({
        type: 'tool_call',
        choice: this.choice,
        part: open.part,
        id: open.id,
        name,
        ...(open.signature === undefined ? undefined : { signature: open.signature }),
      })
      if (open.waiting !== '') out.push({ type: 'tool_arguments', choice: this.choice, part: open.part, json: open.waiting })
    }
    const raw = definition?.['arguments']
    // Some servers write the arguments as an object.
    const json = typeof raw === 'string' ? raw : isObject(raw) ? JSON.stringify(raw) : ''
    if (json === '') return
    if (open.part === undefined) open.waiting += json
    else out.push({ type: 'tool_arguments', choice: this.choice, part: open.part, json })
  }

  /**
   * The call that a piece belongs to. Pieces are numbered by `index`; servers that number none, or all with 0, begin a
   * new call with a new id and a name.
   */
  #callOf(index: number | undefined, wireId: string | undefined, name: string | undefined, call: JsonObject): OpenCall {
    let key = index ?? (wireId !== undefined || this.#lastCall === -1 ? this.#nextKey(wireId, name) : this.#lastCall)
    const known = this.#calls.get(key)
    if (known && (wireId === undefined || wireId === known.id || name === undefined || known.part === undefined)) {
      this.#lastCall = key
      return known
    }
    if (known) key = this.#nextKey(wireId, name)
    const found = this.#calls.get(key)
    this.#lastCall = key
    if (found) return found
    const open: OpenCall = {
      id: wireId ?? `call_${this.callPrefix}_${this.choice}_${this.#callCount}`,
      part: undefined,
      waiting: '',
      signature: thoughtSignature(call),
    }
    this.#callCount++
    this.#calls.set(key, open)
    return open
  }

  /** Key of the call with this id, or a fresh one. */
  #nextKey(wireId: string | undefined, name: string | undefined): number {
    for (const [key, call] of this.#calls) if (call.id === wireId && (name === undefined || call.part === undefined)) return key
    let key = this.#calls.size
    while (this.#calls.has(key)) key++
    return key
  }

  /** What only this format can say: spoken answers, drawn images, citations. */
  #natives(message: JsonObject, out: Delta[]): void {
    const native = (value: JsonObject): void =>
      void out.push({ type: 'native', choice: this.choice, part: this.#single(), format: 'openai-chat', value })
    if (isObject(message['audio'])) native({ type: 'audio', audio: message['audio'] })
    for (const image of arrayOf(message['images'])) if (isObject(image)) native(image)
    const annotations = arrayOf(message['annotations'])
    if (annotations.length > 0) native({ type: 'annotations', annotations })
  }
}

function finishReason(reason: string, called: boolean): FinishReason {
  switch (reason) {
    case 'length':
    case 'max_tokens':
    case 'model_length':
      return 'length'
    case 'tool_calls':
    case 'function_call':
    case 'tool_use':
      return 'tool_calls'
    case 'content_filter':
    case 'safety':
      return 'content_filter'
    case 'refusal':
      return 'refusal'
    default:
      // A named tool choice, and some servers always, end a turn of calls with `stop`: agents of other formats would end theirs.
      return called ? 'tool_calls' : 'stop'
  }
}

function readLogprobs(value: unknown): TokenLogprob[] | undefined {
  const content = arrayOf(objectOf(value)?.['content'])
  if (content.length === 0) return undefined
  return content.flatMap((entry): TokenLogprob[] => {
    const token = readToken(entry)
    if (!token) return []
    const top = arrayOf(objectOf(entry)?.['top_logprobs']).flatMap((alternative) => readToken(alternative) ?? [])
    return [{ ...token, top }]
  })
}

function readToken(value: unknown): Omit<TokenLogprob, 'top'> | undefined {
  const entry = objectOf(value)
  const token = stringOf(entry?.['token'])
  if (!entry || token === undefined) return undefined
  const bytes = Array.isArray(entry['bytes']) ? entry['bytes'].filter((byte): byte is number => typeof byte === 'number') : null
  return { token, logprob: numberOf(entry['logprob']) ?? -9999, bytes }
}
