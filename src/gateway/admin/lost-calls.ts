import type { Billed, Reconciled, Reconciliation } from '../../ledger/index.js'

/** Calls whose process died, and what the provider billed for them. */
export interface LostCalls {
  lost: Reconciliation['lost']
  /** As `Reconciliation.reconcile`; who said it, and why, goes into the log. */
  reconcile(callId: string, billed: Billed, said: { readonly by: string; readonly note?: string | undefined }): Promise<Reconciled>
}
