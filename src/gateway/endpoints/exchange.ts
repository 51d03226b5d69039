import type { IncomingMessage, ServerResponse } from 'node:http'
import { randomUUID } from 'node:crypto'
import { BursarError, toBursarError } from '../../errors/index.js'
import { Cancellation, UpstreamFailure } from '../../environment/index.js'
import type { CallBudget } from '../../ledger/index.js'
import type { InboundCodec, WireFormat } from '../../protocol/index.js'
import type { Key } from '../keys.js'

/** Bodies shorter than this are sent as text. */
const SHORT_BODY_BYTES = 16 * 1024

/** How long the rest of a refused request is read. */
const LINGER_MS = 5_000

/** How errors are written for the caller's format. */
export type ErrorEncoder = Pick<InboundCodec, 'format' | 'encodeError'>

/** A random id that begins with the time (UUID version 7), so that records lie in their order of time, which databases like. */
function timeOrderedId(): string {
  const time = Date.now().toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}

/** One request of a caller and its answer, from the first byte in to the last byte out. */
export class CallerExchange {
  private readonly id = timeOrderedId()
  /** One id names the request, its decision and (numbered) its calls, so that they can be found from each other. */
  readonly requestId = `req_${this.id}`
  readonly decisionId = `dec_${this.id}`
  readonly callIds = `call_${this.id}`
  readonly startedAt = performance.now()
  /** Comes about when the caller leaves, or the gateway gives up. */
  readonly cancellation = new Cancellation()
  /** Filled in as they become known; for logs and metrics. */
  key: Key | undefined
  /** What applies to the request; told in the headers of its answer, also of an error. */
  budget: CallBudget | undefined
  model = ''
  stream = false
  firstByteAt: number | undefined
  error: BursarError | undefined

  constructor(
    readonly req: IncomingMessage,
    readonly res: ServerResponse,
    /** Path of the endpoint, such as `/v1/chat/completions`. */
    readonly endpoint: string,
    private readonly errors: ErrorEncoder,
  ) {
    const left = () => {
      if (!res.writableFinished)
        this.abort(new BursarError('The caller closed the connection.', { code: 'client_closed_request', status: 499 }))
    }
    // It may have gone before its turn came.
    if (res.destroyed) left()
    else res.on('close', left)
  }

  get format(): WireFormat {
    return this.errors.format
  }

  abort(reason: BursarError): void {
    this.error ??= reason
    this.cancellation.cancel(reason)
  }

  /** Answers with a JSON body. */
  sendJson(status: number, body: string | Uint8Array, headers: Record<string, string>): void {
    const { res } = this
    if (res.destroyed || res.headersSent) return
    this.firstByteAt ??= performance.now()
    res.writeHead(status, {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
      ...headers,
      ...this.budget?.headers(),
      ...this.idHeaders(),
    })
    if (!this.req.complete) return this.endOnceRead(body)
    // A short body given as text goes out in one write with the head; bytes would take a vectored write of two pieces.
    if (typeof body !== 'string' && body.length < SHORT_BODY_BYTES)
      res.end(Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1'), 'latin1')
    else res.end(body)
  }

  /** Answers with an error in the caller's own format. A provider's own error body passes untouched where the formats agree. */
  sendError(thrown: unknown): void {
    const error = toBursarError(thrown)
    this.error = error
    if (this.res.destroyed || this.res.headersSent) return
    const headers: Record<string, string> = { 'x-bursar-error': error.code }
    if (error.retryAfterSeconds !== undefined) headers['retry-after'] = String(Math.ceil(error.retryAfterSeconds))
    if (!worthRetrying(error)) headers['x-should-retry'] = 'false'
    if (error.code === 'body_too_large' || error.code === 'shutting_down' || !this.req.complete) headers['connection'] = 'close'
    if (error instanceof UpstreamFailure && error.body && error.bodyFormat === this.format && passesOn(error))
      return this.sendJson(error.upstreamStatus, error.body, headers)
    this.sendJson(error.status, JSON.stringify(this.errors.encodeError(error, this.requestId)), headers)
  }

  /**
   * Most callers read only when they have sent everything, and lose the answer when the connection is closed before. So the rest
   * of the request is read and thrown away for a while.
   */
  private endOnceRead(body: string | Uint8Array): void {
    const { req, res } = this
    res.write(body)
    const done = () => {
      clearTimeout(timer)
      res.end()
    }
    const timer = setTimeout(done, LINGER_MS).unref()
    req.once('end', done).once('close', done).resume()
  }

  /** Ids under the names that callers' SDKs look for. */
  idHeaders(): Record<string, string> {
    return this.format === 'anthropic-messages'
      ? { 'request-id': this.requestId, 'x-request-id': this.requestId }
      : { 'x-request-id': this.requestId }
  }
}

/** Longest wait that the official clients keep to; seconds. With a longer one, or none, they ask again within seconds, several times. */
const LONGEST_CLIENT_WAIT = 60

/** Whether asking again soon may help. The official clients repeat every 429 unless `x-should-retry` says no. */
function worthRetrying({ code, retryAfterSeconds }: BursarError): boolean {
  return (
    (code !== 'budget_exceeded' && code !== 'rate_limited') || (retryAfterSeconds !== undefined && retryAfterSeconds <= LONGEST_CLIENT_WAIT)
  )
}

/** Errors that are the caller's to mend are theirs to read in the provider's words. */
function passesOn(error: UpstreamFailure): boolean {
  return error.code === 'upstream_rejected' || error.code === 'upstream_rate_limited' || error.code === 'context_length_exceeded'
}
