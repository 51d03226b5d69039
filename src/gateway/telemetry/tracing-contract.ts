import type { IncomingHttpHeaders } from 'node:http'
import type { CallRecord } from '../../ledger/index.js'

/** How a request ended, as far as a trace tells. */
export interface RequestEnd {
  /** The route's pattern, such as `/v1/chat/completions`. */
  readonly endpoint: string
  /** The model the caller named; `''` when the request named none. */
  readonly model: string
  readonly status: number
  readonly errorCode?: string | undefined
  /** Known only where Bursar read the answer and didn't just pass it through. */
  readonly responseModel?: string | undefined
  readonly responseId?: string | undefined
  readonly finishReasons?: readonly string[] | undefined
}

/**
 * Spans by the GenAI semantic conventions: one SERVER span a request, one CLIENT span a call of a provider. Never content.
 * Where no collector is configured every method does nothing, and an incoming `traceparent` goes on as it came.
 */
export interface Tracing {
  readonly enabled: boolean
  requestStarted(requestId: string, headers: IncomingHttpHeaders): void
  /** `traceparent` and `tracestate` to send to providers on behalf of a request; empty when tracing is off. */
  headersFor(requestId: string): Readonly<Record<string, string>>
  /** Notes a finished call; may come before or after its request's end. */
  callEnded(record: CallRecord): void
  requestEnded(requestId: string, end: RequestEnd): void
  /** Sends what is left, for at most `timeoutSeconds`. */
  close(): Promise<void>
}

export interface TracingOptions {
  /** Base URL of an OTLP/HTTP collector, such as `http://localhost:4318` (`/v1/traces` is added); `undefined` turns tracing off. */
  readonly endpoint?: string | undefined
  /** How spans are written; `http/protobuf` when absent. */
  readonly protocol?: 'http/protobuf' | 'http/json' | undefined
  /** Headers for the collector. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** `bursar` when absent. */
  readonly serviceName?: string | undefined
  readonly version?: string | undefined
  /** Share of new traces that are kept, 0 to 1; 1 when absent. A caller's own decision is followed. */
  readonly sampleRatio?: number | undefined
  /** How long sending a batch may take, tries included; 5 when absent. */
  readonly timeoutSeconds?: number | undefined
  /** Where a provider is reached, for `server.address` and `server.port`. */
  readonly serverOf?: ((provider: string) => { readonly address: string; readonly port: number } | undefined) | undefined
  /** Told when spans could not be sent. */
  readonly onFault?: ((fault: unknown) => void) | undefined
}
