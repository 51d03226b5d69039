import { createHash } from 'node:crypto'
import { chainOf, isBroken, type Account, type AccountKind } from '../../ledger/index.js'
import { didYouMean } from './closest.js'
import { valueText, type Finding, type Showing } from './issues.js'
import { isMapping, type Path } from './problem.js'

const sections = { organisation: 'organisations', team: 'teams', user: 'users' } as const
const kinds: readonly AccountKind[] = ['organisation', 'team', 'user']

/**
 * Checks that the accounts that keys and accounts name are there and don't contradict each other (a limit would be missed), and that no
 * two keys, the admin's included, are the same. Works on the raw data; values of a wrong form are skipped.
 */
export function accountFindings(showing: Showing): Finding[] {
  const { data } = showing
  if (!isMapping(data)) return []
  const found: Finding[] = []
  const accounts = new Map<string, Account>()
  for (const kind of kinds)
    for (const [id, entry] of entriesOf(data[sections[kind]])) {
      const { organisation, team } = parentsOf(entry)
      accounts.set(`${kind}:${id}`, { kind, id, name: id, organisation, team, rules: [], createdAt: 0, source: 'configuration' })
    }
  const find = (kind: AccountKind, id: string) => accounts.get(`${kind}:${id}`)
  const check = (entry: unknown, path: Path) => {
    const parents = parentsOf(entry)
    let missing = false
    for (const kind of kinds) {
      const id = parents[kind]
      if (id === undefined || find(kind, id) !== undefined) continue
      missing = true
      const here: Path = [...path, kind]
      const ids = entriesOf(data[sections[kind]]).map(([name]) => name)
      const hint = showing.fromEnvironment.has(id) ? '' : didYouMean(id, ids)
      found.push({ path: here, message: `${valueText(here, showing)} is not in \`${sections[kind]}\`${hint}` })
    }
    if (missing) return
    const chain = chainOf(parents, find)
    // What is missing further up is told where it is named.
    if (isBroken(chain) && chain.fault.includes('under two')) found.push({ path, message: chain.fault })
  }
  for (const kind of ['team', 'user'] as const)
    for (const [id, entry] of entriesOf(data[sections[kind]])) check(entry, [sections[kind], id])
  const keys = Array.isArray(data.keys) ? data.keys : []
  for (const [index, key] of keys.entries()) check(key, ['keys', index])
  found.push(...sameKeys(keys, data.admin))
  return found
}

/** The same key twice, one of them given by its hash; and the admin key among the keys. */
function sameKeys(keys: readonly unknown[], admin: unknown): Finding[] {
  const found: Finding[] = []
  const seen = new Map<string, { readonly index: number; readonly field: string }>()
  const adminHash = hashOf(admin)?.hash
  for (const [index, key] of keys.entries()) {
    const own = hashOf(key)
    if (own === undefined) continue
    const path: Path = ['keys', index, own.field]
    const earlier = seen.get(own.hash)
    // Two of the same field are told by the check of plain duplicates.
    if (earlier !== undefined && earlier.field !== own.field) found.push({ path, message: `is the same key as keys[${earlier.index}]` })
    if (earlier === undefined) seen.set(own.hash, { index, field: own.field })
    if (own.hash === adminHash)
      found.push({
        path,
        message: 'is the admin key, which carries no traffic (`admin`, or BURSAR_ADMIN_KEY in the environment); give callers another one',
      })
  }
  return found
}

function hashOf(entry: unknown): { readonly hash: string; readonly field: 'key' | 'key_hash' } | undefined {
  if (!isMapping(entry)) return undefined
  if (typeof entry.key === 'string') return { hash: sha256(entry.key.trim()), field: 'key' }
  if (typeof entry.key_hash === 'string') return { hash: entry.key_hash.toLowerCase().replace(/^sha256:/, ''), field: 'key_hash' }
  return undefined
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function entriesOf(section: unknown): readonly (readonly [string, unknown])[] {
  return isMapping(section) ? Object.entries(section) : []
}

function parentsOf(entry: unknown): { readonly [Kind in AccountKind]?: string | undefined } {
  if (!isMapping(entry)) return {}
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined)
  return { organisation: text(entry.organisation), team: text(entry.team), user: text(entry.user) }
}
