import type { Account, AccountKind, Parents } from './contract.js'

/** The accounts above a key (or above another account), the outermost first. */
export type Chain = readonly Account[]

/** An account that is missing, or two parents that contradict each other: nothing may be spent then, since a limit could be missed. */
export interface BrokenChain {
  readonly fault: string
}

/**
 * Follows parents upwards. A user's team and a team's organisation count for whatever is under them; where a key names them
 * itself, they must be the same.
 */
export function chainOf(parents: Parents, find: (kind: AccountKind, id: string) => Account | undefined): Chain | BrokenChain {
  const faults: string[] = []
  const get = (kind: AccountKind, id: string | undefined): Account | undefined => {
    if (id === undefined) return undefined
    const account = find(kind, id)
    if (account === undefined) faults.push(`there is no ${kind} "${id}"`)
    return account
  }
  const one = (kind: AccountKind, ids: readonly (string | undefined)[]): string | undefined => {
    const named = [...new Set(ids.filter((id) => id !== undefined))]
    if (named.length > 1) faults.push(`it is under two ${kind}s, ${named.map((id) => `"${id}"`).join(' and ')}`)
    return named[0]
  }
  const user = get('user', parents.user)
  const team = get('team', one('team', [parents.team, user?.team]))
  const organisation = get('organisation', one('organisation', [parents.organisation, team?.organisation, user?.organisation]))
  if (faults.length > 0) return { fault: faults.join('; ') }
  return [organisation, team, user].filter((account) => account !== undefined)
}

export function isBroken(chain: Chain | BrokenChain): chain is BrokenChain {
  return 'fault' in chain
}
