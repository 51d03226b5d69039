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

/** What an HTTP status that is not 2xx tells of the failure: its code, the status the caller gets, whether to try again elsewhere. */
export function meaningOfStatus(status: number): readonly [code: ErrorCode, callerStatus: number, retryable: boolean] {
  if (status === 401 || status === 403) return ['upstream_auth_failed', 502, true]
  if (status === 404) return ['upstream_rejected', 404, true]
  if (status === 408) return ['upstream_timeout', 504, true]
  // A quota that is used up does not come back by waiting a second, but another deployment may have one.
  if (status === 429) return ['upstream_rate_limited', 429, true]
  if (status === 409 || status === 425) return ['upstream_error', 502, true]
  if (status >= 500) return ['upstream_error', status === 503 || status === 529 ? 503 : status === 504 ? 504 : 502, true]
  if (status >= 400) return ['upstream_rejected', status, false]
  return ['upstream_error', 502, false]
}
