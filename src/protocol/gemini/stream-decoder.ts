import type { StreamDecoder } from '../codec.js'
import { argumentsText } from '../exact-numbers.js'
import { arrayOf, isObject, numberOf, objectOf, stringOf, textOf, type JsonObject } from '../json-value.js'
import type { Delta, FinishReason, ReportedUsage, TokenLogprob } from '../reply.js'
import type { ServerSentEvent } from '../sse.js'
import { geminiUsage } from '../usage.js'
import { madeIdPrefix } from './encode-contents.js'
import { errorOf, malformed, streamError } from './errors.js'

interface Candidate {
  /** Kind of the part that the next text may belong to. */
  open: 'text' | 'reasoning' | undefined
  /** Parts so far; the open one is the last. */
  parts: number
  called: boolean
  finished: boolean
}

export interface DecoderOptions {
  /** Unix seconds. */
  readonly now: () => number
  /** A name for an answer that has none, to make ids of tool calls from. */
  readonly newId: () => string
}

/**
 * Gemini's chunks to canonical deltas. Each chunk is a whole `GenerateContentResponse` that holds the next pieces of the
 * parts; the same code reads a whole answer. Usage comes in every chunk and counts as said last, so it is told when a
 * candidate ends. The end is proper once every candidate has a finish reason.
 */
export class GeminiStreamDecoder implements StreamDecoder {
  readonly #options: DecoderOptions
  readonly #candidates = new Map<number, Candidate>()
  #started = false
  #blocked = false
  #id = ''
  #calls = 0
  #reported: ReportedUsage | undefined

  constructor(options: DecoderOptions) {
    this.#options = options
  }

  push(event: ServerSentEvent): Delta[] {
    if (event.data === '' || event.data === '[DONE]') return []
    let chunk: unknown
    try {
      chunk = JSON.parse(event.data)
    } catch (cause) {
      throw malformed('an event is not valid JSON', cause)
    }
    return this.chunk(chunk, event.data)
  }

  /** Takes one parsed chunk, or a whole answer; `text` is what it was parsed from. */
  chunk(chunk: unknown, text?: string): Delta[] {
    if (errorOf(chunk) !== undefined) throw streamError(chunk)
    if (!isObject(chunk)) throw malformed('it is not a JSON object')
    const deltas: Delta[] = []
    if (!this.#started) {
      this.#started = true
      this.#id = textOf(chunk['responseId']) ?? this.#options.newId()
      deltas.push({ type: 'start', id: this.#id, model: stringOf(chunk['modelVersion']) ?? '', created: this.#options.now() })
    }
    const reported = chunk['usageMetadata'] == null ? undefined : geminiUsage(chunk['usageMetadata'])
    if (reported !== undefined) this.#reported = reported
    let ended = false
    for (const [index, candidate] of arrayOf(chunk['candidates']).entries()) {
      if (!isObject(candidate)) throw malformed('a candidate is not an object')
      if (this.#candidate(candidate, deltas, index, text)) ended = true
    }
    if (this.#candidates.size === 0 && textOf(objectOf(chunk['promptFeedback'])?.['blockReason']) !== undefined && !this.#blocked) {
      this.#blocked = true
      ended = true
      deltas.push({ type: 'finish', choice: 0, reason: 'content_filter' })
    }
    if (this.#reported !== undefined && (ended || (reported !== undefined && this.complete())))
      deltas.push({ type: 'usage', reported: this.#reported })
    return deltas
  }

  complete(): boolean {
    if (this.#blocked) return true
    if (this.#candidates.size === 0) return false
    for (const candidate of this.#candidates.values()) if (!candidate.finished) return false
    return true
  }

  /** Whether the candidate ended with this chunk. */
  #candidate(json: JsonObject, deltas: Delta[], at: number, text: string | undefined): boolean {
    const choice = numberOf(json['index']) ?? 0
    let candidate = this.#candidates.get(choice)
    if (candidate === undefined) {
      candidate = { open: undefined, parts: 0, called: false, finished: false }
      this.#candidates.set(choice, candidate)
    }
    const from = deltas.length
    for (const [index, part] of arrayOf(objectOf(json['content'])?.['parts']).entries()) {
      if (!isObject(part)) throw malformed('a part is not an object')
      this.#part(choice, candidate, part, deltas, (args) =>
        argumentsText(args, text, 'candidates', at, 'content', 'parts', index, 'functionCall', 'args'),
      )
    }
    const logprobs = readLogprobs(json['logprobsResult'])
    if (logprobs.length > 0) attachLogprobs(deltas, from, choice, candidate, logprobs)
    const reason = textOf(json['finishReason'])
    if (reason === undefined || reason === 'FINISH_REASON_UNSPECIFIED' || candidate.finished) return false
    candidate.finished = true
    deltas.push({ type: 'finish', choice, reason: finishReason(reason, candidate.called) })
    return true
  }

  /** At most 40 characters, which is what OpenAI takes if the conversation goes on there. */
  #madeId(): string {
    return `${madeIdPrefix}${this.#id.replace(/[^a-zA-Z0-9]/g, '').slice(-24)}_${this.#calls++}`
  }

  #part(choice: number, candidate: Candidate, json: JsonObject, deltas: Delta[], written: (args: unknown) => string): void {
    const signature = textOf(json['thoughtSignature'])
    const call = objectOf(json['functionCall'])
    if (call !== undefined) {
      const name = textOf(call['name'])
      if (name === undefined) throw malformed('a function call has no name')
      const part = nextPart(candidate)
      candidate.called = true
      deltas.push({ type: 'tool_call', choice, part, id: textOf(call['id']) ?? this.#madeId(), name, signature })
      deltas.push({ type: 'tool_arguments', choice, part, json: written(call['args']) })
      return
    }
    const text = stringOf(json['text'])
    if (text === undefined && hasContent(json)) {
      deltas.push({ type: 'native', choice, part: nextPart(candidate), format: 'gemini', value: json })
      return
    }
    const thought = json['thought'] === true
    if (text !== undefined && text !== '') {
      const kind = thought ? 'reasoning' : 'text'
      const part = candidate.open === kind ? candidate.parts - 1 : nextPart(candidate)
      candidate.open = kind
      deltas.push({ type: kind, choice, part, text })
    }
    if (signature === undefined) return
    // A thought is sealed in its own part; a text's seal becomes a part behind it, since canonical text holds none.
    const ownPart = thought && candidate.open === 'reasoning'
    const part = ownPart ? candidate.parts - 1 : nextPart(candidate)
    candidate.open = undefined
    deltas.push({
      type: 'reasoning_signature',
      choice,
      part,
      signature,
      signatureFormat: 'gemini',
      ...(ownPart ? undefined : { redacted: true }),
    })
  }
}

/** Whether a part without text says more than a seal. */
function hasContent(json: JsonObject): boolean {
  for (const name in json) if (name !== 'thoughtSignature' && name !== 'thought') return true
  return false
}

function nextPart(candidate: Candidate): number {
  candidate.open = undefined
  return candidate.parts++
}

/**
 * Throws `upstream_malformed` where the model failed at a function call: such an answer is broken, not ended. Every
 * other reason that is neither a plain stop nor the length means that Google withheld the rest.
 */
function finishReason(reason: string, called: boolean): FinishReason {
  switch (reason) {
    case 'STOP':
      return called ? 'tool_calls' : 'stop'
    case 'MAX_TOKENS':
      return 'length'
    case 'MALFORMED_FUNCTION_CALL':
    case 'UNEXPECTED_TOOL_CALL':
    case 'TOO_MANY_TOOL_CALLS':
    case 'MALFORMED_RESPONSE':
      throw malformed(`the model failed at a function call (${reason})`)
    default:
      return 'content_filter'
  }
}

function readLogprobs(result: unknown): TokenLogprob[] {
  if (!isObject(result)) return []
  const tops = arrayOf(result['topCandidates'])
  return arrayOf(result['chosenCandidates']).flatMap((chosen, index) => {
    const token = readToken(chosen)
    const top = tops[index]
    return token === undefined
      ? []
      : [{ ...token, top: (isObject(top) ? arrayOf(top['candidates']) : []).flatMap((other) => readToken(other) ?? []) }]
  })
}

function readToken(json: unknown): { readonly token: string; readonly logprob: number; readonly bytes: null } | undefined {
  if (!isObject(json)) return undefined
  const token = stringOf(json['token'])
  const logprob = numberOf(json['logProbability'])
  return token === undefined || logprob === undefined ? undefined : { token, logprob, bytes: null }
}

/** Puts the chunk's log-probabilities on its first text, or on an empty one. */
function attachLogprobs(deltas: Delta[], from: number, choice: number, candidate: Candidate, logprobs: readonly TokenLogprob[]): void {
  for (let index = from; index < deltas.length; index++) {
    const delta = deltas[index]
    if (delta?.type !== 'text') continue
    deltas[index] = { ...delta, logprobs }
    return
  }
  deltas.push({ type: 'text', choice, part: Math.max(0, candidate.parts - 1), text: '', logprobs })
}
