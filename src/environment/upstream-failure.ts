import { BursarError, type ErrorCode } from '../errors/index.js'
import type { WireFormat } from '../protocol/index.js'

/** Where in an attempt it went wrong. Nothing has reached the caller before `stream`. */
export type FailurePhase = 'connect' | 'request' | 'first_token' | 'stream'

export interface UpstreamFailureDetails {
  readonly code: ErrorCode
  /** Status the caller gets when this failure is final. */
  readonly status: number
  /** Status the provider answered with, 0 when it answered nothing. */
  readonly upstreamStatus: number
  /** Whether the same request may succeed at another time or place. */
  readonly retryable: boolean
  readonly phase: FailurePhase
  readonly retryAfterSeconds?: number | undefined
  /** The provider's own error body, passed on when the caller speaks the same format. */
  readonly body?: Uint8Array | undefined
  readonly bodyFormat?: WireFormat | undefined
  /** Path of the field that the provider blames. */
  readonly path?: string | undefined
  readonly cause?: unknown
}

/** An attempt at a provider that failed. */
export class UpstreamFailure extends BursarError {
  override name = 'UpstreamFailure'
  readonly upstreamStatus: number
  readonly retryable: boolean
  readonly phase: FailurePhase
  readonly body: Uint8Array | undefined
  readonly bodyFormat: WireFormat | undefined

  constructor(message: string, details: UpstreamFailureDetails) {
    super(message, details)
    this.upstreamStatus = details.upstreamStatus
    this.retryable = details.retryable
    this.phase = details.phase
    this.body = details.body
    this.bodyFormat = details.bodyFormat
  }
}
