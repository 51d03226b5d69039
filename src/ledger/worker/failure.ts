import { BursarError, type ErrorCode } from '../../errors/index.js'
import { ledgerUnavailable } from '../journal/unavailable.js'

/** An error as it crosses from one thread to another. */
export interface Failure {
  readonly name: string
  readonly message: string
  readonly stack?: string | undefined
  /** Of a `BursarError`. */
  readonly code?: ErrorCode | undefined
  readonly status?: number | undefined
  readonly path?: string | undefined
  readonly retryAfterSeconds?: number | undefined
  /** What the error came from, for logs. */
  readonly cause?: string | undefined
}

export function failureOf(thrown: unknown): Failure {
  if (BursarError.is(thrown)) {
    const { name, message, stack, code, status, path, retryAfterSeconds, cause } = thrown
    return { name, message, stack, code, status, path, retryAfterSeconds, cause: cause === undefined ? undefined : describe(cause) }
  }
  return thrown instanceof Error
    ? { name: thrown.name, message: thrown.message, stack: thrown.stack }
    : { name: 'Error', message: String(thrown) }
}

/**
 * The error again. What the store threw on purpose keeps its code and status; a fault of the program is an `internal_error`; anything
 * else is a database that could not do it: `ledger_unavailable`.
 */
export function errorOf(failure: Failure): BursarError {
  const { name, message, code, status, path, retryAfterSeconds, cause } = failure
  if (code !== undefined && status !== undefined) {
    const error = new BursarError(message, { code, status, path, retryAfterSeconds, cause })
    error.name = name
    return error
  }
  const original = new Error(message)
  original.name = name
  if (failure.stack !== undefined) original.stack = failure.stack
  if (programFaults.has(name))
    return new BursarError('The ledger failed while handling this request. The fault is logged.', {
      code: 'internal_error',
      status: 500,
      cause: original,
    })
  return ledgerUnavailable('The ledger’s database can not be asked now. Try again in a moment.', original)
}

const programFaults = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError', 'DataCloneError'])

function describe(cause: unknown): string {
  return cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
}
