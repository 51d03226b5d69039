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
    return new BursarError(`The database of the ledger can't be used: ${thrown instanceof Error ? thrown.message : code}.`, { code: 'invalid_configuration', status: 500, cause: thrown })
  return ledgerUnavailable('The database of the ledger could not be used.', thrown)
}
