import { BursarError } from '../errors/index.js'
import { asBuffer } from './bytes.js'
import type { StreamTap, TapOptions } from './codec.js'
import type { WireFormat } from './conversation.js'
import { splice, type Splice } from './json-scan.js'
import { isObject, objectOf, type JsonObject } from './json-value.js'
import type { ReportedUsage } from './reply.js'
import { defaultMaxEventBytes } from './sse.js'
import { AnthropicTapReader } from './tap-anthropic.js'
import { ChatTapReader } from './tap-chat.js'
import type { TapEvent, TapReader } from './tap-reader.js'
import { ResponsesTapReader } from './tap-responses.js'

/**
 * Watches a stream of one format that is passed through. Most events are never parsed: one search finds those that
 * matter. Throws `BursarError` `upstream_malformed` when an event grows beyond 16 MiB.
 */
export function createTap(format: WireFormat, options: TapOptions): StreamTap {
  switch (format) {
    case 'openai-chat':
      return new EventTap(new ChatTapReader(options))
    case 'openai-responses':
      return new EventTap(new ResponsesTapReader(options))
    case 'anthropic-messages':
      return new EventTap(new AnthropicTapReader(options))
    case 'gemini':
    case 'openai-embeddings':
      throw new RangeError(`streams in ${format} format are never passed through`)
  }
}

const nothing = Buffer.alloc(0)

/** Events whose frame is measured: some with content at the beginning, and then one in so many. The others are never parsed. */
const firstMeasured = 6
const laterLooks = 32
/** Events without any content that are looked at in vain at the beginning. */
const mostInVain = 16

class EventTap implements StreamTap {
  /** Bytes since the last blank line. */
  #held: Buffer[] = []
  #heldBytes = 0
  #events = 0
  #eventBytes = 0
  #frameBytes: number | undefined
  #measured = 0
  #inVain = 0

  constructor(private readonly reader: TapReader) {}

  get complete(): boolean {
    return this.reader.complete
  }
  get ended(): boolean {
    return this.reader.ended
  }
  get reported(): ReportedUsage | undefined {
    return this.reader.reported
  }
  get failure(): BursarError | undefined {
    return this.reader.failure
  }
  get events(): number {
    return this.#events
  }
  get eventBytes(): number {
    return this.#eventBytes
  }
  get frameBytes(): number | undefined {
    return this.#frameBytes
  }

  push(bytes: Uint8Array): Uint8Array {
    if (this.reader.failure || bytes.length === 0) return nothing
    let chunk = asBuffer(bytes)
    let cut = endOfLastEvent(chunk)
    if (this.#heldBytes > 0) {
      if (cut === 0 && !this.#endsAcross(chunk)) {
        this.#hold(chunk)
        return nothing
      }
      this.#held.push(chunk)
      chunk = Buffer.concat(this.#held, this.#heldBytes + chunk.length)
      this.#held = []
      this.#heldBytes = 0
      cut = endOfLastEvent(chunk)
    }
    if (cut < chunk.length) this.#hold(chunk.subarray(cut))
    return cut === 0 ? nothing : this.#process(cut === chunk.length ? chunk : chunk.subarray(0, cut))
  }

  /**
   * What is left has no blank line. Some servers forget the last one: a last event that is whole otherwise gets its end and is
   * forwarded; one that was cut is dropped, so that an error event may follow.
   */
  end(): Uint8Array {
    if (this.reader.failure || this.#heldBytes === 0) return nothing
    const rest = Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    const text = rest.toString('latin1').replaceAll('\r\n', '\n').replaceAll('\r', '\n')
    const lastLine = text.replace(/\n+$/, '').split('\n').at(-1) ?? ''
    const payload = /^data: ?([^]*)$/.exec(lastLine)?.[1]
    if (
      payload === undefined ||
      (payload.trim() !== '[DONE]' && parseObject(Buffer.from(payload, 'latin1').toString('utf8')) === undefined)
    ) {
      // Further blank lines after an event belong to it.
      let blank = 0
      while (rest[blank] === 0x0a || rest[blank] === 0x0d) blank++
      return rest.subarray(0, blank)
    }
    return this.#process(Buffer.concat([rest, Buffer.from(text.endsWith('\n') ? '\n' : '\n\n')]))
  }

  /** Whether a blank line lies across the border between what is held and the chunk. */
  #endsAcross(chunk: Buffer): boolean {
    const last = this.#held.at(-1)
    const before = this.#held.at(-2)
    if (!last) return false
    const tail = last.length >= 2 || !before ? last.subarray(-2) : Buffer.concat([before.subarray(-1), last])
    return endOfLastEvent(Buffer.concat([tail, chunk.subarray(0, 2)])) > 0
  }

  #hold(chunk: Buffer): void {
    this.#heldBytes += chunk.length
    if (this.#heldBytes > defaultMaxEventBytes)
      throw new BursarError(`The provider sent an event larger than ${defaultMaxEventBytes} bytes.`, {
        code: 'upstream_malformed',
        status: 502,
      })
    // A copy: the caller may reuse its buffer, and a few bytes shouldn't keep a large one alive.
    this.#held.push(Buffer.from(chunk))
  }

  /** `region` is whole events. One pass over its lines. */
  #process(region: Buffer): Uint8Array {
    const latin = region.toString('latin1')
    // Same length, so offsets hold; a line end is \n from here on, maybe after a \r.
    const text = latin.includes('\r') ? latin.replace(/\r(?!\n)/g, '\n') : latin
    const { pattern } = this.reader
    pattern.lastIndex = 0
    let hit = pattern.exec(text)?.index ?? Number.POSITIVE_INFINITY
    let edits: Splice[] | undefined
    let eventStart = 0
    let payloadStart = -1
    let payloadEnd = -1
    let lines = 0
    let interesting = false
    for (let at = 0; at < text.length;) {
      const feed = text.indexOf('\n', at)
      const after = feed === -1 ? text.length : feed + 1
      let end = feed === -1 ? text.length : feed
      if (end > at && text.charCodeAt(end - 1) === 13) end--
      if (end === at) {
        if (interesting) {
          const changes = this.#interesting(
            region,
            text,
            { start: eventStart, end: after, payload: { start: payloadStart, end: payloadEnd } },
            lines,
          )
          if (this.reader.failure) return forwarded(region.subarray(0, eventStart), edits)
          if (changes.length > 0) (edits ??= []).push(...changes)
          interesting = false
        }
        eventStart = after
        lines = 0
      } else if (text.startsWith('data:', at)) {
        const start = text.charCodeAt(at + 5) === 32 ? at + 6 : at + 5
        if (end - start <= 8 && text.slice(start, end).trim() === '[DONE]') this.reader.done()
        else {
          if (lines === 0) {
            this.#events++
            payloadStart = start
          }
          this.#eventBytes += end - start
          if ((this.#measured < firstMeasured && this.#inVain < mostInVain) || this.#events % laterLooks === 0)
            this.#lookAt(region, start, end)
          payloadEnd = end
          lines++
          while (hit < end) {
            if (hit > at) interesting = true
            pattern.lastIndex = end
            hit = pattern.exec(text)?.index ?? Number.POSITIVE_INFINITY
          }
        }
      }
      at = after
    }
    return forwarded(region, edits)
  }

  /** Measures what stands around the content of an event. */
  #lookAt(region: Buffer, start: number, end: number): void {
    const json = parseObject(region.toString('utf8', start, end))
    const content = json === undefined ? 0 : contentBytes(json)
    if (content === 0) return void this.#inVain++
    this.#measured++
    this.#frameBytes = Math.min(this.#frameBytes ?? Number.POSITIVE_INFINITY, Math.max(0, end - start - content))
  }

  #interesting(region: Buffer, text: string, event: Omit<TapEvent, 'region' | 'json'>, lines: number): readonly Splice[] {
    if (lines === 1) {
      const json = parseObject(region.toString('utf8', event.payload.start, event.payload.end))
      return json ? this.reader.read({ ...event, region, json }) : []
    }
    // JSON over several data lines: written again on one, so that its fields can be found.
    const payload = text
      .slice(event.start, event.end)
      .split('\n')
      .filter((line) => line.startsWith('data:'))
      .map((line) => line.slice(line.charCodeAt(5) === 32 ? 6 : 5).replace(/\r$/, ''))
      .join(' ')
    const single = Buffer.from(`data: ${payload}\n\n`, 'latin1')
    const json = parseObject(single.toString('utf8', 6, single.length - 2))
    if (!json) return []
    const changes = this.reader.read({ region: single, start: 0, end: single.length, payload: { start: 6, end: single.length - 2 }, json })
    if (changes.length === 0) return []
    const head = text
      .slice(event.start, event.end)
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.startsWith('data:'))
      .map((line) => `${line.replace(/\r$/, '')}\n`)
      .join('')
    return [
      { start: event.start, end: event.end, text: Buffer.from(head, 'latin1').toString('utf8') + splice(single, changes).toString('utf8') },
    ]
  }
}

function forwarded(region: Buffer, edits: readonly Splice[] | undefined): Uint8Array {
  return edits === undefined ? region : splice(region, edits)
}

/** Bytes of what the model wrote in an event, in any of the formats; 0 for events without any. */
function contentBytes(json: JsonObject): number {
  const { delta, choices } = json
  if (delta !== undefined) return textBytes(delta)
  let bytes = 0
  if (Array.isArray(choices)) for (const choice of choices as readonly unknown[]) bytes += textBytes(objectOf(choice)?.['delta'])
  return bytes
}

/** Bytes of the texts in a value as JSON writes them, without the names of kinds and roles. */
function textBytes(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(JSON.stringify(value)) - 2
  if (typeof value !== 'object' || value === null) return 0
  let bytes = 0
  for (const [name, inner] of Object.entries(value)) if (name !== 'type' && name !== 'role' && name !== 'id') bytes += textBytes(inner)
  return bytes
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const json: unknown = JSON.parse(text)
    return isObject(json) ? json : undefined
  } catch {
    return undefined
  }
}

/**
 * Offset just after the last blank line, 0 when there is none. A line ends with \n, \r\n or \r; a \r at the very end may yet
 * become \r\n, so it decides nothing.
 */
function endOfLastEvent(bytes: Buffer): number {
  const { length } = bytes
  if (
    length >= 2 &&
    bytes[length - 1] === 0x0a &&
    (bytes[length - 2] === 0x0a || (bytes[length - 2] === 0x0d && (bytes[length - 3] === 0x0a || bytes[length - 3] === 0x0d)))
  )
    return length
  let end = bytes.lastIndexOf('\n\n', undefined, 'latin1') + 2
  if (end === 1) end = 0
  if (!bytes.includes(0x0d)) return end
  for (const blank of ['\n\r', '\r\r']) {
    let at = bytes.lastIndexOf(blank, undefined, 'latin1')
    if (at === length - 2) at = at === 0 ? -1 : bytes.lastIndexOf(blank, at - 1, 'latin1')
    if (at !== -1) end = Math.max(end, bytes[at + 2] === 0x0a ? at + 3 : at + 2)
  }
  return end
}
