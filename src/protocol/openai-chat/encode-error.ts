import type { BursarError } from '../../errors/index.js'

/** OpenAI's error body. The request id travels in a header. */
export function encodeError(error: BursarError): {
  readonly error: { readonly message: string; readonly type: string; readonly param: string | null; readonly code: string }
} {
  return { error: { message: error.message, type: errorType(error), param: error.path ?? null, code: error.code } }
}

/** A failure after the stream began. There is no `[DONE]` after it: the answer did not end properly. */
export function encodeStreamError(error: BursarError, requestId: string): string {
  const { message, type, code, param } = encodeError(error).error
  const chunk = {
    id: requestId,
    object: 'chat.completion.chunk',
    // No `choices`: with them the AI SDK takes it for an ordinary chunk and tells nobody of the error.
    error: { message, type, code, param, truncated: true },
  }
  return `data: ${JSON.stringify(chunk)}\n\n`
}

function errorType(error: BursarError): string {
  switch (error.code) {
    case 'missing_key':
    case 'invalid_key':
    case 'key_expired':
      return 'authentication_error'
    case 'model_not_allowed':
      return 'permission_error'
    case 'budget_exceeded':
      return 'insufficient_quota'
    case 'rate_limited':
    case 'upstream_rate_limited':
      return 'rate_limit_error'
    default:
      return error.status >= 500 ? 'server_error' : 'invalid_request_error'
  }
}
