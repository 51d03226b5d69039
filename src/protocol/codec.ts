import type { BursarError } from '../errors/index.js'
import type { Money, Usage } from '../quantities/index.js'
import type { Request, WireBody, WireFormat } from './conversation.js'
import type { Delta, Reply, ReportedUsage } from './reply.js'
import type { ServerSentEvent } from './sse.js'

/** What a caller is told about money, in every format the same. */
export interface CostReport {
  /** Dollars as an exact decimal; `null` when the price is unknown. */
  readonly usd: Money | null
  /** Dollars by bucket, only those that are not zero. */
  readonly details: Readonly<Partial<Record<string, Money>>>
}

/** What an encoder needs to know beside the answer itself. */
export interface EncodeContext {
  /** The request as the caller sent it. */
  readonly request: Request
  readonly usage: Usage
  readonly cost: CostReport
  /** Id for answers whose provider gave none. */
  readonly id: string
}

/** Decides what happens to a field that a target can't express. */
export interface DropPolicy {
  /** Called for each; throws `UnsupportedParameter` with `path`, or notes it and returns. */
  unsupported(path: string, why: string): void
  /**
   * Called for a field that is followed as closely as the target can (a level rounded, a hint that changes no answer left
   * out): never throws, is only noted.
   */
  adjusted?(path: string, how: string): void
}

/** The caller's side of a format: reads requests, writes answers. */
export interface InboundCodec {
  readonly format: WireFormat
  /** Validates and translates. Throws `InvalidRequest` with the field's path. `wire` is kept on the request. */
  decodeRequest(json: Readonly<Record<string, unknown>>, wire?: WireBody): Request
  /** Write the result with `stringifyExact`. */
  encodeReply(reply: Reply, context: EncodeContext): Record<string, unknown>
  createStreamEncoder(request: Request, id: string): StreamEncoder
  encodeError(error: BursarError, requestId: string): Record<string, unknown>
  /** A whole SSE event that tells of a failure after the stream began, in the format's own shape, with `truncated: true`. */
  encodeStreamError(error: BursarError, requestId: string): string
  /** Sent on silence to keep the connection alive: a comment or the format's own ping. */
  readonly keepAlive: string
}

/** Turns canonical deltas into SSE text of one format. Feed every delta in order, then `end` once. */
export interface StreamEncoder {
  /** SSE text for this delta; '' when the format says nothing here. */
  push(delta: Delta): string
  /** The closing events, with usage and cost. */
  end(context: { readonly usage: Usage; readonly cost: CostReport }): string
}

/** The provider's side of a format: writes requests, reads answers. */
export interface OutboundCodec {
  readonly format: WireFormat
  /** Translates a canonical request; `model` is the provider's own name of it. Write the result with `stringifyExact`. */
  encodeRequest(request: Request, model: string, drop: DropPolicy): Record<string, unknown>
  /** Name of the body's top-level field that limits the output; absent where no caller's bytes pass through. */
  outputLimitField?(request: Request): string
  /** `text` is what the value was parsed from: formats that hold arguments as JSON read long numbers from it. */
  decodeReply(json: unknown, text?: string): Reply
  createStreamDecoder(): StreamDecoder
  /** Finds usage in a whole response body (or `undefined`). */
  usageOf(json: unknown): ReportedUsage | undefined
  /** Reads a provider's error body: its message, its own code, and the field it blames. */
  decodeError(json: unknown): { readonly message: string; readonly code?: string | undefined; readonly param?: string | undefined }
}

/** Turns a provider's events into canonical deltas. Throws `BursarError` (`upstream_malformed`, `upstream_error`) on error events. */
export interface StreamDecoder {
  push(event: ServerSentEvent): Delta[]
  /** Called at the end of the body; false when the stream stopped before its proper end. */
  complete(): boolean
}

/**
 * Watches a stream that is passed through untouched: finds usage, splices the cost in, and knows whether the end was proper.
 * Holds back an unfinished event, so what is forwarded always ends at an event's boundary.
 */
export interface StreamTap {
  /** Takes any split of the bytes; returns whole events to forward (maybe empty). */
  push(bytes: Uint8Array): Uint8Array
  /** At the end of the body: the rest to forward. */
  end(): Uint8Array
  /** Whether the format's own end mark was seen. */
  readonly complete: boolean
  /** Whether nothing that matters can follow any more, so that the end of the body needn't be waited for. */
  readonly ended: boolean
  readonly reported: ReportedUsage | undefined
  /** Data events seen, and their bytes: the basis of an estimate when the usage never came. */
  readonly events: number
  readonly eventBytes: number
  /** Bytes of an event with content that are not content: the fewest seen in this stream; `undefined` before there was one. */
  readonly frameBytes: number | undefined
  /** Error event that the provider sent inside the stream, if any. */
  readonly failure: BursarError | undefined
}

export interface TapOptions {
  readonly price: (reported: ReportedUsage) => CostReport
  /** Whether the caller gets usage in the stream (`asked`: the caller named `include_usage`; `always`: an event is added; `never`). */
  readonly usage: 'asked' | 'always' | 'never'
}
