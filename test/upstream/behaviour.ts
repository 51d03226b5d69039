import type { IncomingHttpHeaders } from 'node:http'

/**
 * What an upstream bills for one answer, by its own count. Counts are totals as providers report them: `cached` and `cacheWrite` are
 * part of `input`, `reasoning` part of `output`.
 */
export interface Bill {
  readonly input: number
  readonly cached?: number
  readonly cacheWrite?: number
  readonly output: number
  readonly reasoning?: number
}

/** How the upstream treats one request. Everything is optional: `{}` answers 200 with an empty body. */
export interface Behaviour {
  /** HTTP status; 200 when absent. */
  readonly status?: number
  /** Response headers. `content-type` is set by the kind of the answer unless it is given here. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** The whole body: text, bytes, or a value that is written as JSON. */
  readonly body?: unknown
  /** Pieces of a streamed body (usually one server-sent event each), instead of `body`. */
  readonly events?: readonly (string | Uint8Array)[]
  /**
   * How the body is cut into writes: `pieces` (each event on its own; the default for `events`), `whole` (one write; the
   * default for `body`), `bytes` (one byte a write), or a number of bytes a write. Each write goes out on its own.
   */
  readonly chunking?: 'pieces' | 'whole' | 'bytes' | number
  /** Awaited before the status line is sent. */
  readonly until?: Promise<unknown>
  /** Milliseconds before the status line. */
  readonly delayMs?: number
  /** Milliseconds between the status line and the first byte of the body. */
  readonly bodyDelayMs?: number
  /** Milliseconds between two writes. */
  readonly gapMs?: number
  /** After this many writes wait for `resume` (with no `resume`: for ever; the connection stays open). */
  readonly stallAfter?: number
  readonly resume?: Promise<unknown>
  /** Destroys the socket after this many writes. */
  readonly destroyAfter?: number
  /** Destroys the socket after the last write, without a proper end. */
  readonly thenDestroy?: boolean
  /** Reads the request and answers nothing, ever. */
  readonly neverAnswer?: boolean
  /** Destroys the socket as soon as the request has come, before any answer. */
  readonly hangUp?: boolean
  /** Writes these bytes to the socket instead of an HTTP answer, then ends it. */
  readonly garbage?: string | Uint8Array
  /** Declares this length, whatever is sent. */
  readonly contentLength?: number
  /** What this answer costs by the upstream's own count. Counted when the answer begins. */
  readonly bill?: Bill
  /** How often this behaviour is used when it is enqueued; 1 when absent. */
  readonly times?: number
}

/** Behaviour that depends on the request. */
export type Script = Behaviour | ((request: ReceivedRequest) => Behaviour)

/** One request as the upstream saw it. */
export interface ReceivedRequest {
  /** 0 for the first. */
  readonly index: number
  readonly method: string
  /** Path with the query, as sent. */
  readonly url: string
  /** Path without the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** Names and values in the order and case they were sent. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** The parsed body; `undefined` when it isn't JSON. */
  readonly json: unknown
  /** `performance.now()` when the whole request had arrived. */
  readonly arrivedAt: number
  /** Local port of the client: the same for requests on one kept-alive connection. */
  readonly clientPort: number
  /** Body bytes that were handed to the socket so far. Stays bounded while a reader further down doesn't read. */
  bytesWritten: number
  /** Whether all of the answer was handed over. */
  finished: boolean
  /** `performance.now()` when the connection went away before the answer was finished. */
  abortedAt: number | undefined
}

/** Splits a body into the writes that `chunking` asks for. */
export function cut(pieces: readonly Buffer[], chunking: Behaviour['chunking']): readonly Buffer[] {
  if (chunking === undefined || chunking === 'pieces') return pieces
  const whole = Buffer.concat(pieces)
  if (chunking === 'whole') return whole.length === 0 ? [] : [whole]
  const size = chunking === 'bytes' ? 1 : chunking
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`chunking must be a whole number of bytes from 1, not ${size}`)
  const writes: Buffer[] = []
  for (let at = 0; at < whole.length; at += size) writes.push(whole.subarray(at, at + size))
  return writes
}
