import type { Dispatcher } from 'undici'
import type { Cancellation } from '../cancellation.js'
import type { CallLimits } from '../provider.js'
import { decoderOf, UndecodableBody, type Decoder } from './decoding.js'
import type { Deadlines, Expiring } from './deadlines.js'

/** Bytes held for a slow consumer before the upstream socket is paused. */
const HIGH_WATER_BYTES = 256 * 1024

/** How long a complete answer's connection may take to become free. */
const SETTLE_SECONDS = 1

export type ExpiredLimit = 'connect' | 'first_token' | 'idle' | 'total'

/** Thrown by an exchange whose limit ran out. */
export class LimitExpired extends Error {
  override name = 'LimitExpired'
  constructor(readonly limit: ExpiredLimit) {
    super(`limit expired: ${limit}`)
  }
}

/**
 * One HTTP request to an upstream and its response, pulled batch by batch. It sits on undici's dispatch interface, without
 * a Node stream in between: all chunks of one socket read arrive as one batch, which is what keeps the cost of a
 * 50-event stream near that of a single read. Backpressure: at 256 KiB unread the socket is paused.
 */
export class Exchange implements Dispatcher.DispatchHandler, Expiring {
  status = 0
  headers: Readonly<Record<string, string | string[] | undefined>> = {}
  /** Monotonic milliseconds at which waiting ends; Infinity while nobody waits. Read by the deadline sweeper. */
  waitDeadline = Infinity
  totalDeadline: number
  /** Until there is a connection; then, from the moment the request is written, until the first data of the answer came. */
  private firstDataDeadline: number
  private sent = false

  private controller: Dispatcher.DispatchController | undefined
  private chunks: Buffer[] = []
  private bufferedBytes = 0
  private paused = false
  private started = false
  private ended = false
  private failure: Error | undefined
  private wake: (() => void) | undefined
  private firstDataSeen = false
  private decoder: Decoder | undefined
  /** The answer is complete: what still comes is thrown away. */
  private discarding = false
  private readonly onAbort = () => this.fail(this.cancellation.reason ?? new Error('cancelled'))

  constructor(
    private readonly limits: CallLimits,
    private readonly cancellation: Cancellation,
    private readonly deadlines: Deadlines,
    /** Called when the request is about to be written to a connection: from then on the upstream may have it. */
    private readonly onSent?: () => void,
  ) {
    const now = performance.now()
    this.totalDeadline = now + limits.totalSeconds * 1000
    this.firstDataDeadline = now + limits.connectSeconds * 1000
  }

  send(dispatcher: Dispatcher, options: Dispatcher.DispatchOptions): void {
    if (this.cancellation.cancelled) return this.onAbort()
    this.cancellation.onCancel(this.onAbort)
    this.deadlines.add(this)
    dispatcher.dispatch(options, this)
  }

  /** Waits for the status line and headers. Throws the transport's error, `LimitExpired`, or the reason of the cancellation. */
  async head(): Promise<void> {
    while (!this.started) {
      if (this.failure) throw this.failure
      await this.wait()
    }
  }

  /** The bytes that came since the last call, or `undefined` at the end of the body. `head` must have resolved. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.chunks.length > 0) return this.take()
      if (this.failure) throw this.failure
      if (this.ended) return undefined
      await this.wait()
    }
  }

  /** Reads the whole body. Throws `RangeError` beyond `maxBytes`, and gives up the connection. */
  async whole(maxBytes: number): Promise<Buffer> {
    const parts: Buffer[] = []
    let size = 0
    for (;;) {
      const batch = await this.next()
      if (batch === undefined) return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, size)
      size += batch.length
      this.sawToken()
      if (size > maxBytes) {
        this.abandon()
        throw new RangeError(`upstream body over ${maxBytes} bytes`)
      }
      parts.push(batch)
    }
  }

  /** Tells the exchange that a token came, so that silence is measured against `idleSeconds` from here on. */
  sawToken(): void {
    this.firstDataSeen = true
  }

  /** Gives the exchange at most so long from now. */
  hurry(seconds: number): void {
    this.totalDeadline = Math.min(this.totalDeadline, performance.now() + seconds * 1000)
  }

  /**
   * The answer is complete, whatever the upstream still sends and whether or not it ends the body. It gets a moment to do so,
   * since only then its connection can be used again; nobody waits for it.
   */
  settle(): void {
    if (this.ended || this.failure) return
    this.discarding = true
    this.cancellation.off(this.onAbort)
    this.take()
    this.hurry(SETTLE_SECONDS)
  }

  /** Gives the exchange up: cancels the upstream request if it is still running. Safe to call at any time, also twice. */
  abandon(): void {
    if (!this.ended && !this.failure && !this.discarding) this.fail(new Error('abandoned'))
  }

  expire(limit: 'wait' | 'total'): void {
    this.fail(new LimitExpired(limit === 'total' ? 'total' : !this.sent ? 'connect' : this.firstDataSeen ? 'idle' : 'first_token'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.failure) return controller.abort(this.failure)
    this.sent = true
    this.onSent?.()
    this.firstDataDeadline = performance.now() + this.limits.firstTokenSeconds * 1000
    if (this.waitDeadline !== Infinity) this.waitDeadline = this.firstDataDeadline
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    this.status = status
    this.headers = headers
    this.started = true
    if (headers['content-encoding'] !== undefined) this.decode(headers['content-encoding'])
    this.notify()
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.decoder) this.decoder.write(chunk)
    else this.receive(chunk)
  }

  onResponseEnd(): void {
    if (this.decoder) this.decoder.end()
    else this.complete()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.failure ??= error
    this.finish()
  }

  private decode(encoding: string | string[]): void {
    try {
      this.decoder = decoderOf(encoding)
    } catch (thrown) {
      return this.fail(thrown instanceof Error ? thrown : new UndecodableBody(String(thrown)))
    }
    this.decoder
      ?.on('data', (chunk: Buffer) => this.receive(chunk))
      .on('end', () => this.complete())
      .on('error', (cause) => this.fail(new UndecodableBody('its content-encoding could not be undone', { cause })))
  }

  private receive(chunk: Buffer): void {
    if (this.discarding || this.failure) return
    this.chunks.push(chunk)
    this.bufferedBytes += chunk.length
    if (this.bufferedBytes > HIGH_WATER_BYTES && !this.paused) {
      this.paused = true
      this.controller?.pause()
      this.decoder?.pause()
    }
    this.notify()
  }

  private complete(): void {
    if (this.failure) return
    this.ended = true
    this.finish()
  }

  private take(): Buffer {
    const { chunks } = this
    const batch = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, this.bufferedBytes)
    this.chunks = []
    this.bufferedBytes = 0
    if (this.paused) {
      this.paused = false
      this.controller?.resume()
      this.decoder?.resume()
    }
    return batch
  }

  private wait(): Promise<void> {
    this.waitDeadline = this.firstDataSeen ? performance.now() + this.limits.idleSeconds * 1000 : this.firstDataDeadline
    return new Promise((resolve) => (this.wake = resolve))
  }

  private notify(): void {
    const { wake } = this
    if (!wake) return
    this.wake = undefined
    this.waitDeadline = Infinity
    wake()
  }

  private fail(error: Error): void {
    if (this.ended || this.failure) return
    this.failure = error
    this.chunks = []
    this.bufferedBytes = 0
    this.decoder?.destroy()
    if (this.controller && !this.controller.aborted) this.controller.abort(error)
    this.finish()
  }

  private finish(): void {
    this.deadlines.delete(this)
    this.cancellation.off(this.onAbort)
    this.notify()
  }
}
