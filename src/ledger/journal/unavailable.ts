import { BursarError } from '../../errors/index.js'

/** The ledger can't take or answer something now: money must not be spent on the strength of it (503 `ledger_unavailable`). */
export function ledgerUnavailable(message: string, cause?: unknown): BursarError {
  return new BursarError(message, { code: 'ledger_unavailable', status: 503, retryAfterSeconds: 1, cause })
}
