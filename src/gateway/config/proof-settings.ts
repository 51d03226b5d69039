import { resolve } from 'node:path'
import type { Finding } from './issues.js'
import { isMapping, type Path } from './problem.js'
import type { Config } from './schema.js'

/** The state lies beside the ledger, and nowhere where that is only in memory. */
export function resolveProof(proof: Config['proof'], ledger: Config['ledger'], folder: string | undefined): Config['proof'] {
  const beside = ledger.store === 'memory' || ledger.path === undefined ? undefined : ledger.path.replace(/(\.db)?$/, '.proof')
  return { ...proof, state: proof.state === undefined ? beside : resolve(folder ?? '.', proof.state) }
}

/** Checks the names of `proof:`; values of a wrong form are the schema's to tell of. */
export function proofFindings(data: Readonly<Record<string, unknown>>, checkCallable: (name: string, path: Path) => void): Finding[] {
  const { proof } = data
  if (!isMapping(proof)) return []
  if (isMapping(proof.judge) && typeof proof.judge.model === 'string') checkCallable(proof.judge.model, ['proof', 'judge', 'model'])
  return isMapping(proof.shadow) && proof.judge === undefined
    ? [{ path: ['proof', 'shadow'], message: 'needs `proof.judge`: nobody else would say which of the two answers is better' }]
    : []
}
