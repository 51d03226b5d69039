import type { ServerResponse } from 'node:http'
import { BursarError } from '../../errors/index.js'

/**
 * Keeps silent streams alive and notices readers that have stalled: one timer for all open streams, so that a stream costs
 * no timer of its own. Both limits are kept to within a second or a tenth of them.
 */
export class StreamWatch {
  private readonly open = new Set<StreamResponse>()
  private timer: NodeJS.Timeout | undefined

  constructor(private readonly settings: { readonly keepAliveSeconds: number; readonly slowReaderSeconds: number }) {}

  add(stream: StreamResponse): void {
    this.open.add(stream)
    const every = Math.min(1, this.settings.keepAliveSeconds / 10, this.settings.slowReaderSeconds / 10)
    this.timer ??= setInterval(() => this.sweep(), Math.max(10, every * 1000)).unref()
  }

  delete(stream: StreamResponse): void {
    this.open.delete(stream)
  }

  private sweep(): void {
    if (this.open.size === 0) {
      clearInterval(this.timer)
      this.timer = undefined
    }
    const now = performance.now()
    for (const stream of this.open) stream.tick(now, this.settings.keepAliveSeconds * 1000, this.settings.slowReaderSeconds * 1000)
  }
}

/** A server-sent event stream to one caller, with backpressure, keep-alives and an end that can't be mistaken. */
export class StreamResponse {
  /** True once the status line may have gone out: from then on, failures are told inside the stream. */
  started = false
  private lastWrite = performance.now()
  private blockedSince: number | undefined
  private unblock: (() => void) | undefined

  constructor(
    private readonly res: ServerResponse,
    private readonly watch: StreamWatch,
    private readonly keepAlive: string,
    private readonly head: () => Record<string, string>,
    private readonly onStalled: (reason: BursarError) => void,
  ) {
    watch.add(this)
    res.on('drain', () => this.release())
    res.on('close', () => {
      watch.delete(this)
      this.release()
    })
  }

  /** Writes and, when the reader is behind, waits until it has caught up (or has gone). */
  write(bytes: Uint8Array | string): Promise<void> | undefined {
    this.start()
    this.lastWrite = performance.now()
    if (this.res.write(bytes) || this.res.destroyed) return undefined
    this.blockedSince = this.lastWrite
    return new Promise((resolve) => (this.unblock = resolve))
  }

  /** Ends the stream properly. */
  end(trailers: Record<string, string>): void {
    this.start()
    this.watch.delete(this)
    if (this.res.destroyed) return
    this.res.addTrailers(trailers)
    this.res.end()
  }

  /** Ends the stream so that no client can take it for complete: an error event, then the connection is cut without the closing chunk. */
  cut(errorEvent: string): void {
    this.watch.delete(this)
    const { res } = this
    if (res.destroyed) return
    res.write(errorEvent, () => res.socket?.destroySoon())
  }

  tick(now: number, keepAliveMs: number, stalledMs: number): void {
    if (this.blockedSince !== undefined) {
      if (now - this.blockedSince > stalledMs)
        this.onStalled(new BursarError('The caller stopped reading the stream.', { code: 'client_closed_request', status: 499 }))
      return
    }
    if (now - this.lastWrite < keepAliveMs) return
    this.start()
    this.lastWrite = now
    this.res.write(this.keepAlive)
  }

  private start(): void {
    if (this.started || this.res.destroyed) return
    this.started = true
    this.res.writeHead(200, this.head())
  }

  private release(): void {
    this.blockedSince = undefined
    const { unblock } = this
    this.unblock = undefined
    unblock?.()
  }
}
