import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { BursarError } from '../errors/index.js'
import {
  chainOf,
  isBroken,
  type Account,
  type AccountKind,
  type BudgetLevel,
  type BudgetRule,
  type Chain,
  type KeyAccount,
  type ObjectiveName,
} from '../ledger/index.js'
import type { CallerLabels } from './attribution.js'
import { allowsModel, isLoopback } from './config/index.js'

/** Budgets for end users, whom callers name: each gets a level of its own. */
interface EndUserBudgets {
  /** Begins the ids of these levels; the id of no account has a slash. */
  readonly scope: string
  readonly rules: readonly BudgetRule[]
}

/** A key that may call, with everything above it. Made once for each version of the accounts, not for each request. */
export interface Key {
  /** Stable: counters go by it. */
  readonly id: string
  /** Records and metrics go by it. */
  readonly name: string
  readonly source: 'configuration' | 'store' | 'none'
  /** Ids of the accounts above. */
  readonly organisation?: string | undefined
  readonly team?: string | undefined
  readonly user?: string | undefined
  /** Unix seconds. */
  readonly expiresAt?: number | undefined
  /** A model must be in each of these lists: the key's, and those of the accounts above. */
  readonly modelLists: readonly (readonly string[])[]
  /** Paths; all when left out. */
  readonly endpoints?: readonly string[] | undefined
  /** Of the key and the accounts above it; the nearest counts. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  readonly objective?: ObjectiveName | undefined
  /** Organisation, team, user, key, as far as there are any: the outermost first, the key's own last. */
  readonly levels: readonly BudgetLevel[]
  readonly endUsers: readonly EndUserBudgets[]
  readonly runRules: readonly BudgetRule[]
  readonly requestRules: readonly BudgetRule[]
}

/** What the configuration says of who may call. */
export interface ConfiguredAccounts {
  readonly accounts: readonly Account[]
  readonly keys: readonly KeyAccount[]
  /** SHA-256 of the admin key, hexadecimal. Without one there is no admin API. */
  readonly adminHash?: string | undefined
}

/** Accounts and keys of the database as this process knows them. Asked on every request: nothing here waits. */
export interface StoredAccounts {
  /** Changes whenever an account or a key does. */
  readonly revision: number
  /** Keys that were ever made, also those that don't work any more. */
  readonly size: number
  /** The key with this SHA-256; also by that of the key before its last rotation. */
  keyByHash(hash: string): KeyAccount | undefined
  account(kind: AccountKind, id: string): Account | undefined
  /** Throws `ledger_unavailable` (503) when the database could not be asked for so long that a key may have been revoked since. */
  ensureFresh(): void
}

export function hashKey(text: string): string {
  return hash('sha256', text, 'hex')
}

/** A key that was looked up before: what it may do, or why it may do nothing. */
type Compiled = { readonly key: Key; readonly previousUntil: number | undefined; readonly hash: string } | { readonly fault: BursarError }

/**
 * Who may call: keys of the configuration and keys of the database. Looked up by hash, then compared in constant time. A new
 * configuration makes a new keyring; a change in the database is seen with the next request.
 */
export class Keyring {
  private readonly configured = new Map<string, KeyAccount>()
  private readonly configuredNames = new Set<string>()
  private readonly configuredAccounts = new Map<string, Account>()
  private readonly adminHash: string | undefined
  /** By the hash that was sent. Emptied when the accounts of the database change. */
  private readonly compiled = new Map<string, Compiled>()
  private compiledRevision: number

  constructor(
    configuration: ConfiguredAccounts,
    private readonly stored: StoredAccounts = noStoredAccounts,
  ) {
    for (const key of configuration.keys) {
      this.configured.set(key.hash, key)
      this.configuredNames.add(key.name).add(key.id)
    }
    for (const account of configuration.accounts) this.configuredAccounts.set(accountKey(account.kind, account.id), account)
    this.adminHash = configuration.adminHash
    this.compiledRevision = stored.revision
  }

  /** Keys that there are or were. At 0 everyone on this machine may call, unless there is an admin key. */
  get size(): number {
    return this.configured.size + this.stored.size
  }

  /** Whether callers need a key. Once there was a key the door stays shut, also when all of them are revoked. */
  get closed(): boolean {
    return this.size > 0 || this.adminHash !== undefined
  }

  get hasAdmin(): boolean {
    return this.adminHash !== undefined
  }

  /** An account of the configuration or of the database; O(1). Of two with the same id the configuration's counts. */
  account(kind: AccountKind, id: string): Account | undefined {
    return this.configuredAccounts.get(accountKey(kind, id)) ?? this.stored.account(kind, id)
  }

  /** Accounts of the configuration. */
  accountsOfConfiguration(): readonly Account[] {
    return [...this.configuredAccounts.values()]
  }

  /** Keys of the configuration. */
  keysOfConfiguration(): readonly KeyAccount[] {
    return [...this.configured.values()]
  }

  /** Whether a key of the configuration has this name (or id), which then no key of the database may have. */
  namesOfConfiguration(name: string): boolean {
    return this.configuredNames.has(name)
  }

  /**
   * The key of a request. Without any keys everyone on this machine may call, but not a web page that a browser on it
   * shows: those are told by a foreign `Host` (DNS rebinding), an `Origin`, or a body that needs no preflight. Throws `missing_key`,
   * `invalid_key` or `key_expired`, all 401; `endpoint_not_allowed` (403) for the admin key, which carries no traffic;
   * `ledger_unavailable` (503) when the keys of the database can't be told.
   */
  authenticate(headers: IncomingHttpHeaders, nowSeconds: number): Key {
    if (!this.closed) {
      this.stored.ensureFresh()
      return anonymous(headers)
    }
    const text = keyOf(headers)
    if (text === undefined)
      throw new BursarError('No key was sent. Send "Authorization: Bearer <key>" or "x-api-key: <key>".', {
        code: 'missing_key',
        status: 401,
      })
    const digest = hashKey(text)
    if (this.adminHash !== undefined && sameHash(this.adminHash, digest))
      throw new BursarError(
        'This is the admin key. It manages keys and accounts and carries no traffic; make a key for that: bursar keys create NAME',
        {
          code: 'endpoint_not_allowed',
          status: 403,
        },
      )
    const found = this.lookUp(digest)
    if (found === undefined)
      throw new BursarError('The key is not one of this gateway. Note that Bursar wants its own key, not a provider’s.', {
        code: 'invalid_key',
        status: 401,
      })
    if ('fault' in found) throw found.fault
    const { key, previousUntil } = found
    if (found.hash !== digest && (previousUntil === undefined || nowSeconds >= previousUntil))
      throw new BursarError(`The key "${key.name}" was replaced by a new one (rotated), and the old one no longer works.`, {
        code: 'key_expired',
        status: 401,
      })
    if (key.expiresAt !== undefined && nowSeconds >= key.expiresAt)
      throw new BursarError(`The key "${key.name}" has expired.`, { code: 'key_expired', status: 401 })
    return key
  }

  /** Whether the admin key was sent. */
  isAdmin(headers: IncomingHttpHeaders): boolean {
    const text = this.adminHash === undefined ? undefined : keyOf(headers)
    return text !== undefined && this.adminHash !== undefined && sameHash(this.adminHash, hashKey(text))
  }

  /** Lets the admin key pass. Throws `admin_only` (403) where there is none, and `missing_key` or `invalid_key` (401). */
  requireAdmin(headers: IncomingHttpHeaders): void {
    if (this.adminHash === undefined)
      throw new BursarError(
        'The admin API is off, because there is no admin key. Set BURSAR_ADMIN_KEY in the environment of the gateway (`openssl rand -hex 24` makes a good one), or `admin.key` in the configuration.',
        { code: 'admin_only', status: 403 },
      )
    const text = keyOf(headers)
    if (text === undefined)
      throw new BursarError('No key was sent. Send the admin key: "Authorization: Bearer <admin key>".', {
        code: 'missing_key',
        status: 401,
      })
    const digest = hashKey(text)
    if (sameHash(this.adminHash, digest)) return
    const known = this.lookUp(digest)
    if (known !== undefined && 'key' in known)
      throw new BursarError('This key may call models; keys and accounts are managed with the admin key.', {
        code: 'admin_only',
        status: 403,
      })
    throw new BursarError('This is not the admin key of this gateway.', { code: 'invalid_key', status: 401 })
  }

  /** O(1), and without work for a key that was looked up since the last change. */
  private lookUp(digest: string): Compiled | undefined {
    const configured = this.configured.get(digest)
    if (configured === undefined) this.stored.ensureFresh()
    if (this.compiledRevision !== this.stored.revision) {
      this.compiled.clear()
      this.compiledRevision = this.stored.revision
    }
    const known = this.compiled.get(digest)
    if (known !== undefined) return known
    const account = configured ?? this.stored.keyByHash(digest)
    if (
      account === undefined ||
      !(sameHash(account.hash, digest) || (account.previous !== undefined && sameHash(account.previous.hash, digest)))
    )
      return undefined
    const made = this.compile(account)
    this.compiled.set(digest, made)
    return made
  }

  private compile(account: KeyAccount): Compiled {
    if (account.revokedAt !== undefined)
      return { fault: new BursarError(`The key "${account.name}" was revoked.`, { code: 'invalid_key', status: 401 }) }
    if (account.blocked === true)
      return { fault: new BursarError(`The key "${account.name}" is blocked. Ask the operator.`, { code: 'invalid_key', status: 401 }) }
    if (account.source === 'store' && (this.configuredNames.has(account.name) || this.configuredNames.has(account.id)))
      return {
        fault: new BursarError(
          `The configuration has a key "${account.name}" too, and records could not tell them apart. Ask the operator to rename the one in the configuration.`,
          { code: 'invalid_key', status: 401 },
        ),
      }
    const chain = chainOf(account, (kind, id) => this.account(kind, id))
    if (isBroken(chain))
      return {
        fault: new BursarError(
          `The key "${account.name}" can't be used, because its limits can't be told: ${chain.fault}. Ask the operator.`,
          {
            code: 'invalid_key',
            status: 401,
          },
        ),
      }
    return { key: keyFrom(account, chain), previousUntil: account.previous?.until, hash: account.hash }
  }
}

/**
 * Every level of budgets that applies to a request, the outermost first: those of the key, then those that what the caller says
 * brings in. Labels and rules of the caller add limits and never take one away. A caller that names no end user, where end users have
 * budgets, is one unnamed end user; one that names no run, where runs have budgets, makes each request a run of its own.
 */
export function levelsOf(key: Key, labels: CallerLabels, requestId: string): readonly BudgetLevel[] {
  const { user = '', run = '' } = labels
  const runRules = strictest([...key.runRules, ...(labels.runRules ?? [])])
  // A run without a name ends with its request, and so need not be counted where others look.
  const requestRules = strictest([...key.requestRules, ...(labels.requestRules ?? []), ...(run === '' ? runRules : [])])
  if (key.endUsers.length === 0 && runRules.length === 0 && requestRules.length === 0) return key.levels
  const levels = [...key.levels]
  for (const { scope, rules } of key.endUsers)
    levels.push({ kind: 'user', id: `${scope}/${labelId(user)}`, name: user === '' ? 'unnamed' : user, rules })
  if (runRules.length > 0 && run !== '') levels.push({ kind: 'run', id: `${key.id}/${labelId(run)}`, name: run, rules: runRules })
  if (requestRules.length > 0) levels.push({ kind: 'request', id: requestId, name: requestId, rules: requestRules })
  return levels
}

/** One rule for each unit, period and hardness, the lowest limit: rules of one level that count the same would otherwise count it twice. */
function strictest(rules: readonly BudgetRule[]): readonly BudgetRule[] {
  if (rules.length < 2) return rules
  const kept = new Map<string, BudgetRule>()
  for (const rule of rules) {
    const id = `${rule.unit} ${rule.per} ${rule.hard}`
    const other = kept.get(id)
    if (other === undefined || rule.limit < other.limit) kept.set(id, rule)
  }
  return [...kept.values()]
}

/** Throws `model_not_allowed` (403) when the key may not name this model. */
export function requireModel(key: Key, model: string): void {
  if (mayName(key, model)) return
  throw new BursarError(`The key "${key.name}" may not use the model "${model}".`, {
    code: 'model_not_allowed',
    status: 403,
    path: 'model',
  })
}

/** Whether the key, and every account above it, allows this model. */
export function mayName(key: Key, model: string): boolean {
  return key.modelLists.every((list) => allowsModel(list, model))
}

/** Throws `endpoint_not_allowed` (403) when the key may not call this path. */
export function requireEndpoint(key: Key, path: string): void {
  if (allowsModel(key.endpoints, path)) return
  throw new BursarError(`The key "${key.name}" may not call ${path}.`, { code: 'endpoint_not_allowed', status: 403 })
}

/** Reads no key of the database: for a gateway without one. */
const noStoredAccounts: StoredAccounts = { revision: 0, size: 0, keyByHash: () => undefined, account: () => undefined, ensureFresh() {} }

const everyone: Key = {
  id: 'anonymous',
  name: 'anonymous',
  source: 'none',
  modelLists: [],
  levels: [{ kind: 'key', id: 'anonymous', name: 'anonymous', rules: [] }],
  endUsers: [],
  runRules: [],
  requestRules: [],
}

function keyFrom(account: KeyAccount, chain: Chain): Key {
  const idOf = (kind: AccountKind) => chain.find((above) => above.kind === kind)?.id
  const tags: Record<string, string> = {}
  const endUsers: EndUserBudgets[] = []
  for (const level of [...chain, { kind: 'key', ...account }]) {
    Object.assign(tags, level.tags)
    if (level.endUserRules !== undefined && level.endUserRules.length > 0)
      endUsers.push({ scope: `${level.kind}:${level.id}`, rules: strictest(level.endUserRules) })
  }
  return {
    id: account.id,
    name: account.name,
    source: account.source,
    organisation: idOf('organisation'),
    team: idOf('team'),
    user: idOf('user'),
    expiresAt: account.expiresAt,
    modelLists: [...chain, account].flatMap(({ models }) => (models === undefined ? [] : [models])),
    endpoints: account.endpoints,
    tags: Object.keys(tags).length === 0 ? undefined : tags,
    objective: account.objective,
    levels: [
      ...chain.map(({ kind, id, name, rules, rates }): BudgetLevel => ({ kind, id, name, rules: strictest(rules), rates })),
      { kind: 'key', id: account.id, name: account.name, rules: strictest(account.rules), rates: account.rates },
    ],
    endUsers,
    runRules: strictest(account.runRules ?? []),
    requestRules: strictest(account.requestRules ?? []),
  }
}

function anonymous(headers: IncomingHttpHeaders): Key {
  const host = (headers.host ?? '').replace(/:\d+$/, '')
  if (isLoopback(host) && headers.origin === undefined) return everyone
  throw new BursarError(
    'Without keys in the configuration only programs on this machine may call. Configure keys to call from a web page or by another name.',
    {
      code: 'missing_key',
      status: 401,
    },
  )
}

function keyOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers
  if (authorization !== undefined) {
    const match = /^bearer +(\S+) *$/i.exec(authorization)
    if (match) return match[1]
  }
  const named = headers['x-api-key'] ?? headers['api-key'] ?? headers['x-goog-api-key']
  return typeof named === 'string' && named !== '' ? named : undefined
}

function sameHash(known: string, sent: string): boolean {
  return known.length === sent.length && timingSafeEqual(Buffer.from(known), Buffer.from(sent))
}

function accountKey(kind: AccountKind, id: string): string {
  return `${kind}:${id}`
}

/** What a caller calls something, as a part of a counter's name: short and without separators. No plain label begins with `~`. */
function labelId(label: string): string {
  return /^[A-Za-z0-9._@+-]{1,64}$/.test(label) ? label : `~${hashKey(label).slice(0, 32)}`
}
