import { BursarError } from '../../errors/index.js'
import { isObject } from '../json-value.js'

/** Anthropic's error types by HTTP status. */
function errorType(status: number): string {
  switch (status) {
    case 401:
      return 'authentication_error'
    case 402:
      return 'billing_error'
    case 403:
      return 'permission_error'
    case 404:
      return 'not_found_error'
    case 413:
      return 'request_too_large'
    case 429:
      return 'rate_limit_error'
    case 503:
    case 529:
      return 'overloaded_error'
    case 504:
      return 'timeout_error'
    default:
      return status >= 500 ? 'api_error' : 'invalid_request_error'
  }
}

/** An error body as Anthropic writes it, with Bursar's stable `code` and the field's path beside the message. */
export function encodeMessagesError(error: BursarError, requestId: string): Record<string, unknown> {
  return { type: 'error', error: errorFields(error), request_id: requestId }
}

/** The `error` event that ends a broken stream. */
export function encodeMessagesStreamError(error: BursarError, requestId: string): string {
  const data = { type: 'error', error: { ...errorFields(error), truncated: true }, request_id: requestId }
  return `event: error\ndata: ${JSON.stringify(data)}\n\n`
}

function errorFields(error: BursarError): Record<string, unknown> {
  const fields: Record<string, unknown> = { type: errorType(error.status), message: error.message, code: error.code }
  if (error.path !== undefined) fields['path'] = error.path
  return fields
}

/** Reads an error body of Anthropic. A message such as `messages.1.content: Field required` names the field in front. */
export function decodeMessagesError(json: unknown): {
  readonly message: string
  readonly code?: string | undefined
  readonly param?: string | undefined
} {
  const error = isObject(json) && isObject(json['error']) ? json['error'] : isObject(json) ? json : {}
  const message = typeof error['message'] === 'string' && error['message'] !== '' ? error['message'] : 'The provider gave no reason.'
  const type = error['type']
  const field = /^([a-z_]+(?:\.[a-z0-9_]+)*): /.exec(message)?.[1]
  return {
    message,
    code: typeof type === 'string' && type !== 'error' ? type : undefined,
    param: field?.replace(/\.(\d+)(?=\.|$)/g, '[$1]'),
  }
}

/** The error that an `error` event inside a stream stands for. */
export function streamEventError(data: Readonly<Record<string, unknown>>): BursarError {
  const { message, code } = decodeMessagesError(data)
  const text = `The provider broke the answer off: ${message}`
  if (code === 'overloaded_error') return new BursarError(text, { code: 'upstream_error', status: 529 })
  if (code === 'rate_limit_error') return new BursarError(text, { code: 'upstream_rate_limited', status: 429 })
  return new BursarError(text, { code: 'upstream_error', status: 502 })
}

/** The error for an answer that can't be read. */
export function malformed(what: string, cause?: unknown): BursarError {
  return new BursarError(`The provider sent an answer that can't be read: ${what}.`, { code: 'upstream_malformed', status: 502, cause })
}
