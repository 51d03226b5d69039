import { BursarError } from '../errors/index.js'
import { asBuffer } from './bytes.js'

/** One server-sent event (WHATWG HTML, section 9.2): `data` lines joined by a newline. */
export interface ServerSentEvent {
  readonly event: string | undefined
  readonly data: string
}

/** Largest unfinished event that is held back: more than any provider sends, less than would hurt. */
export const defaultMaxEventBytes = 16 * 1024 * 1024

/**
 * Reads a stream of server-sent events (WHATWG HTML, section 9.2.6) from bytes split anywhere.
 *
 * ```ts
 * for await (const bytes of body) for (const event of parser.push(bytes)) use(event)
 * ```
 * `id` and `retry` are understood and left out: nobody reconnects to a model's answer. Malformed UTF-8 becomes U+FFFD,
 * as the standard says. Throws `BursarError` `upstream_malformed` when one event grows beyond `maxEventBytes`.
 */
export class SseParser {
  /** Bytes of a line whose end hasn't come yet. */
  #held: Buffer[] = []
  #heldBytes = 0
  #afterReturn = false
  #started = false
  #event: string | undefined
  #data: string | undefined
  readonly #maxEventBytes: number

  constructor(options: { readonly maxEventBytes?: number } = {}) {
    this.#maxEventBytes = options.maxEventBytes ?? defaultMaxEventBytes
  }

  /** True when bytes or fields of an unfinished event are held: at the end of a body it was cut. */
  get pending(): boolean {
    return this.#heldBytes > 0 || this.#data !== undefined || this.#event !== undefined
  }

  /** Takes the next bytes; returns the events that they complete. */
  push(bytes: Uint8Array): ServerSentEvent[] {
    let chunk = asBuffer(bytes)
    if (chunk.length === 0) return []
    // A line ended by \r at the end of the last push may go on with \n here: one line end, not two.
    if (this.#afterReturn && chunk[0] === 0x0a) chunk = chunk.subarray(1)
    this.#afterReturn = false
    // Bytes below 0x80 never stand inside a multi-byte character, so cutting after a line end never cuts a character.
    const cut = Math.max(chunk.lastIndexOf(0x0a), chunk.lastIndexOf(0x0d)) + 1
    if (cut === 0) {
      this.#hold(chunk)
      return []
    }
    this.#afterReturn = cut === chunk.length && chunk[cut - 1] === 0x0d
    let text: string
    if (this.#heldBytes === 0) text = chunk.toString('utf8', 0, cut)
    else {
      this.#held.push(chunk.subarray(0, cut))
      text = Buffer.concat(this.#held).toString('utf8')
      this.#held = []
      this.#heldBytes = 0
    }
    if (!this.#started) {
      this.#started = true
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1)
    }
    const events = this.#lines(text)
    if (cut < chunk.length) this.#hold(chunk.subarray(cut))
    return events
  }

  /** Ends the stream. An event without its closing blank line is dropped, as the standard says (see `pending`), so nothing comes. */
  end(): ServerSentEvent[] {
    return []
  }

  /** Keeps a copy: the caller may reuse its buffer. */
  #hold(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#heldBytes += bytes.length
    this.#limit(this.#heldBytes + (this.#data?.length ?? 0))
    this.#held.push(Buffer.from(bytes))
  }

  #limit(size: number): void {
    if (size > this.#maxEventBytes)
      throw new BursarError(`The provider sent an event larger than ${this.#maxEventBytes} bytes.`, {
        code: 'upstream_malformed',
        status: 502,
      })
  }

  /** `text` is whole lines. */
  #lines(text: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = []
    // Each searched again only once it was passed, so that a far-off line end of one kind is not looked for line by line.
    let feed = text.indexOf('\n')
    let carriage = text.indexOf('\r')
    let at = 0
    while (at < text.length) {
      if (feed !== -1 && feed < at) feed = text.indexOf('\n', at)
      if (carriage !== -1 && carriage < at) carriage = text.indexOf('\r', at)
      let end = feed
      let next = feed + 1
      if (carriage !== -1 && (feed === -1 || carriage < feed)) {
        end = carriage
        next = feed === carriage + 1 ? carriage + 2 : carriage + 1
      }
      if (end === at) this.#dispatch(events)
      else if (text.startsWith('data: ', at)) this.#addData(text.slice(at + 6, end))
      else this.#field(text.slice(at, end))
      at = next
    }
    return events
  }

  #field(line: string): void {
    const colon = line.indexOf(':')
    if (colon === 0) return
    const name = colon === -1 ? line : line.slice(0, colon)
    if (name !== 'data' && name !== 'event') return
    const value = colon === -1 ? '' : line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1)
    if (name === 'data') this.#addData(value)
    else this.#event = value === '' ? undefined : value
  }

  #addData(value: string): void {
    this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
    this.#limit(this.#data.length)
  }

  #dispatch(events: ServerSentEvent[]): void {
    if (this.#data !== undefined) events.push({ event: this.#event, data: this.#data })
    this.#data = undefined
    this.#event = undefined
  }
}
