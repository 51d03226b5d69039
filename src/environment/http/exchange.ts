import type { Dispatcher } from 'undici'
import type { Deadlines, Expiring } from './deadlines.js'

/** Bytes held for a slow consumer before the upstream socket is paused. */
const HIGH_WATER_BYTES = 256 * 1024

export type ExpiredLimit = 'first_token' | 'idle' | 'total'

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
  readonly totalDeadline: number

  private controller: Dispatcher.DispatchController | undefined
  private chunks: Buffer[] = []
  private bufferedBytes = 0
  private paused = false
  private started = false
  private ended = false
  private failure: Error | undefined
  private wake: (() => void) | undefined
  private firstDataSeen = false
  private readonly onAbort = () => this.fail(this.signal.reason as Error)

  constructor(
    private readonly limits: { readonly firstTokenSeconds: number; readonly idleSeconds: number; readonly totalSeconds: number },
    private readonly signal: AbortSignal,
    private readonly deadlines: Deadlines,
  ) {
    this.totalDeadline = performance.now() + limits.totalSeconds * 1000
  }

  send(dispatcher: Dispatcher, options: Dispatcher.DispatchOptions): void {
    if (this.signal.aborted) return this.onAbort()
    this.signal.addEventListener('abort', this.onAbort, { once: true })
    this.deadlines.add(this)
    dispatcher.dispatch(options, this)
  }

  /** Waits for the status line and headers. Throws the transport's error, `LimitExpired`, or the signal's reason. */
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

  /** Gives the exchange up: cancels the upstream request if it is still running. Safe to call at any time, also twice. */
  abandon(): void {
    if (!this.ended && !this.failure) this.fail(new Error('abandoned'))
  }

  expire(limit: 'wait' | 'total'): void {
    this.fail(new LimitExpired(limit === 'total' ? 'total' : this.firstDataSeen ? 'idle' : 'first_token'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.failure) controller.abort(this.failure)
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    if (status < 200) return
    this.status = status
    this.headers = headers
    this.started = true
    this.notify()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.chunks.push(chunk)
    this.bufferedBytes += chunk.length
    if (this.bufferedBytes > HIGH_WATER_BYTES && !this.paused) {
      this.paused = true
      controller.pause()
    }
    this.notify()
  }

  onResponseEnd(): void {
    this.ended = true
    this.finish()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.failure ??= error
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
    }
    return batch
  }

  private wait(): Promise<void> {
    const seconds = this.firstDataSeen ? this.limits.idleSeconds : this.limits.firstTokenSeconds
    this.waitDeadline = performance.now() + seconds * 1000
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
    if (this.controller && !this.controller.aborted) this.controller.abort(error)
    this.finish()
  }

  private finish(): void {
    this.deadlines.delete(this)
    this.signal.removeEventListener('abort', this.onAbort)
    this.notify()
  }
}
