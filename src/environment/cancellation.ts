import { BursarError } from '../errors/index.js'

/**
 * Says once that work is no longer wanted, and why. A plain list of listeners: an `AbortController` for every request showed
 * in CPU and allocation profiles. Whoever needs a real `AbortSignal` gets one, made when it is asked for.
 */
export class Cancellation {
  /** Why; `undefined` while the work is wanted. */
  reason: BursarError | undefined
  private listeners: (() => void)[] = []
  private controller: AbortController | undefined

  /** A cancellation that an `AbortSignal` brings about. */
  static following(signal: AbortSignal): Cancellation {
    const cancellation = new Cancellation()
    const follow = () =>
      cancellation.cancel(
        BursarError.is(signal.reason)
          ? signal.reason
          : new BursarError('The call was cancelled.', { code: 'client_closed_request', status: 499, cause: signal.reason }),
      )
    if (signal.aborted) follow()
    else signal.addEventListener('abort', follow, { once: true })
    return cancellation
  }

  get cancelled(): boolean {
    return this.reason !== undefined
  }

  /** The same as an `AbortSignal`; its reason is the error. */
  get signal(): AbortSignal {
    if (!this.controller) {
      this.controller = new AbortController()
      if (this.reason) this.controller.abort(this.reason)
    }
    return this.controller.signal
  }

  /** Calls back when it is cancelled. The caller has looked at `cancelled` before. */
  onCancel(listener: () => void): void {
    this.listeners.push(listener)
  }

  off(listener: () => void): void {
    const index = this.listeners.indexOf(listener)
    if (index !== -1) this.listeners.splice(index, 1)
  }

  /** Cancels; only the first reason counts. */
  cancel(reason: BursarError): void {
    if (this.reason) return
    this.reason = reason
    const { listeners } = this
    this.listeners = []
    for (const listener of listeners) listener()
    this.controller?.abort(reason)
  }
}
