import { BursarError } from '../../errors/index.js'
import type { StreamDecoder } from '../codec.js'
import { arrayOf, isObject, numberOf, objectOf, stringOf, textOf, type JsonObject } from '../json-value.js'
import type { Delta, Reply, ReportedUsage } from '../reply.js'
import { ReplyCollector } from '../reply-collector.js'
import type { ServerSentEvent } from '../sse.js'
import { chatUsage } from '../usage.js'
import { ChoiceReader } from './choice-reader.js'

/** Reads a whole chat completion. Throws `BursarError`: `upstream_malformed`, or `upstream_error` where an error came with status 200. */
export function decodeReply(json: unknown): Reply {
  const body = objectOf(json)
  if (!body) throw malformed('its answer is no JSON object')
  throwIfError(body)
  if (!Array.isArray(body['choices'])) throw malformed('its answer has no `choices`')
  const id = stringOf(body['id']) ?? ''
  const collector = new ReplyCollector()
  const deltas: Delta[] = []
  for (const [position, value] of arrayOf(body['choices']).entries()) {
    const choice = objectOf(value)
    if (!choice) throw malformed('a choice is no object')
    const reader = new ChoiceReader(numberOf(choice['index']) ?? position, callPrefix(id))
    reader.read(objectOf(choice['message']), choice, deltas)
    if (!reader.finished) reader.read(undefined, { finish_reason: 'stop' }, deltas)
  }
  for (const delta of deltas) collector.push(delta)
  const fingerprint = textOf(body['system_fingerprint'])
  return {
    ...collector.reply(),
    id,
    model: stringOf(body['model']) ?? '',
    created: numberOf(body['created']) ?? 0,
    reported: usageOf(body),
    ...(fingerprint === undefined ? undefined : { systemFingerprint: fingerprint }),
  }
}

/** Usage of a whole body or of a chunk, with the service tier that stands beside it. Groq's older streams keep it in `x_groq`. */
export function usageOf(json: unknown): ReportedUsage | undefined {
  const body = objectOf(json)
  if (!body) return undefined
  const reported = chatUsage(objectOf(body['usage']) ?? objectOf(objectOf(body['x_groq'])?.['usage']))
  const tier = textOf(body['service_tier'])
  return reported && tier !== undefined ? { ...reported, serviceTier: tier } : reported
}

/** Reads the events of a streamed chat completion. */
export class ChatStreamDecoder implements StreamDecoder {
  #started = false
  #done = false
  #prefix = ''
  readonly #choices = new Map<number, ChoiceReader>()

  push(event: ServerSentEvent): Delta[] {
    if (this.#done || event.data === '') return []
    if (event.data === '[DONE]') {
      this.#done = true
      return []
    }
    const chunk = parseEvent(event.data)
    throwIfError(chunk)
    if (event.event === 'error') throw upstreamError(chunk)
    const out: Delta[] = []
    if (!this.#started) {
      this.#started = true
      const id = stringOf(chunk['id']) ?? ''
      this.#prefix = callPrefix(id)
      out.push({ type: 'start', id, model: stringOf(chunk['model']) ?? '', created: numberOf(chunk['created']) ?? 0 })
    }
    for (const value of arrayOf(chunk['choices'])) {
      const choice = objectOf(value)
      if (!choice) throw malformed('a choice is no object')
      this.#reader(numberOf(choice['index']) ?? 0).read(objectOf(choice['delta']) ?? objectOf(choice['message']), choice, out)
    }
    const reported = usageOf(chunk)
    if (reported) out.push({ type: 'usage', reported })
    return out
  }

  complete(): boolean {
    if (this.#done) return true
    if (this.#choices.size === 0) return false
    for (const reader of this.#choices.values()) if (!reader.finished) return false
    return true
  }

  #reader(index: number): ChoiceReader {
    let reader = this.#choices.get(index)
    if (!reader) this.#choices.set(index, (reader = new ChoiceReader(index, this.#prefix)))
    return reader
  }
}

/** The JSON object that an event of a stream holds. Throws `upstream_malformed`. */
export function parseEvent(data: string): JsonObject {
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch (cause) {
    throw malformed('an event is no JSON', cause)
  }
  if (!isObject(json)) throw malformed('an event is no JSON object')
  return json
}

function throwIfError(body: JsonObject): void {
  if (body['error'] != null && body['error'] !== false) throw upstreamError(body)
}

/** The error that a provider sent inside an answer with status 200. */
export function upstreamError(json: unknown): BursarError {
  const { message, code } = decodeError(json)
  return new BursarError(`The provider reported an error${code === undefined ? '' : ` (${code})`}: ${message}`, {
    code: 'upstream_error',
    status: 502,
  })
}

export function malformed(what: string, cause?: unknown): BursarError {
  return new BursarError(`The provider's answer can't be read: ${what}.`, { code: 'upstream_malformed', status: 502, cause })
}

/** Part of made-up call ids: letters, digits, `_` and `-` only, since that is what every provider takes back. */
function callPrefix(id: string): string {
  return id.replace(/[^a-zA-Z0-9_-]/g, '').slice(-24)
}

/**
 * Reads an error body: OpenAI's `{error: {…}}`, and the shapes of compatible servers (`{error: "…"}`, `{message}`, FastAPI's
 * `{detail}`, Google's array of one).
 */
export function decodeError(json: unknown): {
  readonly message: string
  readonly code?: string | undefined
  readonly param?: string | undefined
} {
  const body = Array.isArray(json) ? objectOf(json[0]) : objectOf(json)
  if (!body) return { message: textOf(json) ?? 'no details' }
  const error = objectOf(body['error']) ?? body
  const detail = body['detail']
  const firstDetail = objectOf(arrayOf(detail)[0])
  const message =
    textOf(error['message']) ??
    textOf(body['error']) ??
    textOf(body['message']) ??
    textOf(detail) ??
    textOf(firstDetail?.['msg']) ??
    'no details'
  const code = codeOf(error['code']) ?? textOf(error['type']) ?? textOf(error['status'])
  const place = arrayOf(firstDetail?.['loc']).filter((step) => step !== 'body')
  const param = textOf(error['param']) ?? (place.length > 0 ? place.join('.') : undefined)
  return { message, ...(code === undefined ? undefined : { code }), ...(param === undefined ? undefined : { param }) }
}

function codeOf(code: unknown): string | undefined {
  return typeof code === 'number' ? String(code) : textOf(code)
}
