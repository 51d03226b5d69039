/**
 * One family of errors for every room. Each public error has a stable `code`, an HTTP `status`, and says what was wrong,
 * what was expected and what to do. `cause` is for logs only and never reaches a caller.
 */

/** Stable error codes. Adding one is fine; changing the meaning of one is a breaking change. */
export type ErrorCode =
  // the caller's request
  | 'invalid_json'
  | 'invalid_utf8'
  | 'invalid_request'
  | 'duplicate_field'
  | 'too_deep'
  | 'body_too_large'
  | 'headers_too_large'
  | 'unsupported_media_type'
  | 'unsupported_parameter'
  | 'model_not_found'
  | 'context_length_exceeded'
  | 'not_found'
  | 'method_not_allowed'
  // who is calling, and what they may
  | 'missing_key'
  | 'invalid_key'
  | 'key_expired'
  | 'model_not_allowed'
  | 'budget_exceeded'
  | 'ledger_unavailable'
  | 'endpoint_not_allowed'
  | 'admin_only'
  | 'already_exists'
  | 'rate_limited'
  // the upstream
  | 'upstream_auth_failed'
  | 'upstream_rejected'
  | 'upstream_rate_limited'
  | 'upstream_error'
  | 'upstream_unreachable'
  | 'upstream_timeout'
  | 'upstream_malformed'
  | 'stream_truncated'
  | 'no_deployment_available'
  // Bursar itself
  | 'client_closed_request'
  | 'shutting_down'
  | 'overloaded'
  | 'invalid_configuration'
  | 'internal_error'

export interface ErrorDetails {
  readonly code: ErrorCode
  /** HTTP status that a gateway answers with. */
  readonly status: number
  /** Path of the offending field in the caller's own body, such as `messages[2].content[0].image_url`. */
  readonly path?: string | undefined
  /** Seconds after which the same request may succeed. */
  readonly retryAfterSeconds?: number | undefined
  readonly cause?: unknown
}

const marker = Symbol.for('bursar.error')

/** Base of every error that Bursar throws on purpose. Anything else that is thrown is a bug and answers 500 with a fixed text. */
export class BursarError extends Error {
  override name = 'BursarError'
  readonly [marker] = true
  readonly code: ErrorCode
  readonly status: number
  readonly path: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = details.code
    this.status = details.status
    this.path = details.path
    this.retryAfterSeconds = details.retryAfterSeconds
  }

  /** True for errors of this family, also when two copies of the library are loaded. */
  static is(thrown: unknown): thrown is BursarError {
    return typeof thrown === 'object' && thrown !== null && marker in thrown
  }
}

/** The caller sent something that can't be used: always a 4xx, with the field's path where there is one. */
export class InvalidRequest extends BursarError {
  override name = 'InvalidRequest'
  constructor(message: string, details: { code?: ErrorCode; status?: number; path?: string | undefined; cause?: unknown } = {}) {
    super(message, { code: details.code ?? 'invalid_request', status: details.status ?? 400, path: details.path, cause: details.cause })
  }
}

/** The target provider can't express a field of the request, and the configuration doesn't allow dropping it. */
export class UnsupportedParameter extends BursarError {
  override name = 'UnsupportedParameter'
  constructor(message: string, path: string) {
    super(message, { code: 'unsupported_parameter', status: 400, path })
  }
}

/** A budget would be overrun. Thrown before money is spent, never after. */
export class BudgetExceeded extends BursarError {
  override name = 'BudgetExceeded'
  constructor(message: string, details: { retryAfterSeconds?: number } = {}) {
    super(message, { code: 'budget_exceeded', status: 429, retryAfterSeconds: details.retryAfterSeconds })
  }
}

/** The only catch-all: turns anything thrown into an error of the family, hiding what was not meant for callers. */
export function toBursarError(thrown: unknown): BursarError {
  if (BursarError.is(thrown)) return thrown
  return new BursarError('Bursar failed while handling this request. The fault is logged under the request id.', {
    code: 'internal_error',
    status: 500,
    cause: thrown,
  })
}
