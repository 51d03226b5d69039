import { rename } from 'node:fs/promises'
import { chainOf, isBroken } from '../../ledger/index.js'
import type { AdministeredAccounts } from '../admin/administration.js'
import type { ProofConfig } from '../config/index.js'
import type { Keyring } from '../keys.js'
import type { CallingState } from '../own-environment.js'
import { Proof, type ProofParts } from './proof.js'
import { readProofState } from './proof-state.js'

export interface OpenProofParts extends Omit<ProofParts, 'current' | 'organisationOf'> {
  current(): CallingState & { readonly keyring: Keyring; readonly accounts: AdministeredAccounts | undefined }
  /** Plain sentences for the log. */
  note(text: string): void
}

/** The proof with what the process before had rolled back. A state that can't be used is put aside and told of. */
export async function openProof(config: ProofConfig, seed: number, parts: OpenProofParts): Promise<Proof> {
  return new Proof(config, seed, { ...parts, organisationOf: organisations(parts) }, await stateOf(config, parts))
}

async function stateOf({ state: file }: ProofConfig, { onFault, note }: OpenProofParts) {
  if (file === undefined) return undefined
  try {
    return await readProofState(file)
  } catch (fault) {
    onFault(fault)
    const aside = await rename(file, `${file}.refused`).then(
      () => `was put aside as ${file}.refused`,
      () => 'could not be put aside',
    )
    note(`${file} can't be read, so nothing counts as rolled back any more; it ${aside}.`)
    return undefined
  }
}

const MOST_KEYS = 10_000

/** The organisation of a key by the key's name, from the configuration or the database; each is looked up once. */
function organisations({ current }: OpenProofParts): (key: string) => Promise<string | undefined> {
  // Bounded, and forgotten as a whole now and then: a key may have moved to another organisation.
  const known = new Map<string, string | undefined>()
  return async (name) => {
    if (known.has(name)) return known.get(name)
    const { keyring, accounts } = current()
    const key =
      keyring.keysOfConfiguration().find((one) => one.name === name) ??
      (await accounts?.store.keys({ name, revoked: true, limit: 1 }))?.items[0]
    const chain = key && chainOf(key, (kind, id) => keyring.account(kind, id))
    const organisation = chain === undefined || isBroken(chain) ? undefined : chain.find(({ kind }) => kind === 'organisation')?.id
    if (known.size >= MOST_KEYS) known.clear()
    known.set(name, organisation)
    return organisation
  }
}
