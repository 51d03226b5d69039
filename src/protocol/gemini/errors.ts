import { BursarError } from '../../errors/index.js'
import { arrayOf, isObject, numberOf, objectOf, textOf, type JsonObject } from '../json-value.js'

/** The `error` object of a body, which stands alone or in a list of one. */
export function errorOf(json: unknown): JsonObject | undefined {
  const body: unknown = Array.isArray(json) ? json[0] : json
  return isObject(body) ? objectOf(body['error']) : undefined
}

/** Reads an error body of Gemini: `{error: {code, message, status, details}}`, also as a list (streams fail so). */
export function decodeGeminiError(json: unknown): {
  readonly message: string
  readonly code?: string | undefined
  readonly param?: string | undefined
} {
  const error = errorOf(json)
  const details = arrayOf(error?.['details'])
  let param: string | undefined
  for (const detail of details)
    if (isObject(detail))
      for (const violation of arrayOf(detail['fieldViolations'])) if (isObject(violation)) param ??= textOf(violation['field'])
  return {
    message: textOf(error?.['message']) ?? 'The provider gave no reason.',
    code: textOf(error?.['status']) ?? numberOf(error?.['code'])?.toString(),
    param,
  }
}

/** The error that stands inside a stream. */
export function streamError(json: unknown): BursarError {
  const { message } = decodeGeminiError(json)
  const status = numberOf(errorOf(json)?.['code'])
  const text = `The provider broke the answer off: ${message}`
  if (status === 429) return new BursarError(text, { code: 'upstream_rate_limited', status: 429 })
  return new BursarError(text, { code: 'upstream_error', status: status === 503 ? 503 : 502 })
}

/** The error for an answer that can't be read. */
export function malformed(what: string, cause?: unknown): BursarError {
  return new BursarError(`The provider sent an answer that can't be read: ${what}.`, { code: 'upstream_malformed', status: 502, cause })
}
