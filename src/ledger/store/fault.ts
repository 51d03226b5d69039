import { BursarError } from '../../errors/index.js'
import { ledgerUnavailable } from '../journal/unavailable.js'

/** Codes of what stays wrong however often it is tried: no database, no such database, wrong password, no right to make tables. */
const hopeless = new Set(['SQLITE_NOTADB', 'SQLITE_CORRUPT', 'SQLITE_READONLY', 'SQLITE_PERM', '3D000', '28P01', '28000', '42501', '3F000'])

/**
 * What a fault of a database is to a caller: `invalid_configuration` for what an operator has to mend, else `ledger_unavailable`. What is an
 * error of the family, or says that an argument is wrong, stays as it is.
 */
export function storeFault(thrown: unknown): unknown {
  if (BursarError.is(thrown) || thrown instanceof RangeError) return thrown
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : ''
  if (hopeless.has(code))
    return new BursarError(`The database of the ledger can't be used: ${thrown instanceof Error ? thrown.message : code}.`, {
      code: 'invalid_configuration',
      status: 500,
      cause: thrown,
    })
  return ledgerUnavailable('The database of the ledger could not be used.', thrown)
}

/** Ended by an administrator, by a crash, or before it could begin; and what sockets say. */
const disconnected = new Set(['57P01', '57P02', '57P03', '08006', '08003', 'ECONNRESET', 'EPIPE'])

/** True when a query failed because its connection to PostgreSQL is gone. */
export function isDisconnected(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false
  return (
    ('code' in thrown && disconnected.has(String(thrown.code))) ||
    thrown.message.startsWith('Connection terminated') ||
    thrown.message.startsWith('Client has encountered a connection error')
  )
}
