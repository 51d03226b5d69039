import type { BudgetRule, Period, RateRules } from '../budgets/contract.js'
import type { Unit } from '../../quantities/index.js'

/** Levels of the tree that stand above keys, the outermost first. */
export const accountKinds = ['organisation', 'team', 'user'] as const
export type AccountKind = (typeof accountKinds)[number]

/** Where an account or a key comes from, and so where it is changed: the configuration file, or the database (through the admin API). */
export type AccountSource = 'configuration' | 'store'

/** What stands above an account or a key, by id. A level that is left out is that of the next account above, if that has one. */
export interface Parents {
  readonly organisation?: string | undefined
  readonly team?: string | undefined
  readonly user?: string | undefined
}

/** What the operator may set of a level, whether account or key. */
export interface LevelSettings {
  readonly rules: readonly BudgetRule[]
  readonly rates?: RateRules | undefined
  /** Models that may be named at this level; all when left out. A trailing `*` matches any ending. Every level must allow a model. */
  readonly models?: readonly string[] | undefined
  /** Budget of each end user that callers name (header `x-bursar-user`, body `user`). Teams and keys have one. */
  readonly endUserRules?: readonly BudgetRule[] | undefined
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** An organisation, a team or a user. */
export interface Account extends LevelSettings {
  readonly kind: AccountKind
  /** Unique among its kind, and never used again: counters and records go by it. */
  readonly id: string
  /** For people. */
  readonly name: string
  /** Of a team or a user. */
  readonly organisation?: string | undefined
  /** Of a user. */
  readonly team?: string | undefined
  /** Unix seconds. */
  readonly createdAt: number
  readonly source: AccountSource
}

export const objectives = ['cheap', 'balanced', 'best'] as const
export type ObjectiveName = (typeof objectives)[number]

/** What the operator may set of a key. */
export interface KeySettings extends LevelSettings {
  /** Paths that may be called, such as `/v1/embeddings`; all when left out. A trailing `*` matches any ending. */
  readonly endpoints?: readonly string[] | undefined
  /** Budget of each agent run of the key. */
  readonly runRules?: readonly BudgetRule[] | undefined
  /** Budget of each request. */
  readonly requestRules?: readonly BudgetRule[] | undefined
  /** What the key's requests aim at when they don't say. */
  readonly objective?: ObjectiveName | undefined
  /** Stopped until this is taken back. */
  readonly blocked?: boolean | undefined
}

/** A virtual key. Its text is kept nowhere, only the SHA-256 of it. */
export interface KeyAccount extends KeySettings, Parents {
  /** Stable, and never used again: counters go by it. */
  readonly id: string
  /** Unique among the keys that are not revoked; records and reports go by it, so it never changes. */
  readonly name: string
  /** SHA-256 of the key, hexadecimal. */
  readonly hash: string
  /** The first letters of the key, to tell it by: `bk-3fA9`. */
  readonly prefix: string
  /** The key before the last rotation, for as long as it still works. */
  readonly previous?: { readonly hash: string; readonly until: number } | undefined
  /** Unix seconds; so are the others. */
  readonly expiresAt?: number | undefined
  readonly revokedAt?: number | undefined
  readonly createdAt: number
  readonly createdBy: string
  readonly source: AccountSource
}

/** Settings to change: what is absent stays, `null` takes a setting away. */
export type Patch<T> = { readonly [Name in keyof T]?: T[Name] | null | undefined }

export type NewAccount = Omit<Account, 'createdAt' | 'source'>
export type AccountPatch = Patch<Omit<LevelSettings, 'rules'>> & {
  readonly name?: string | undefined
  readonly rules?: readonly BudgetRule[] | undefined
  readonly organisation?: string | null | undefined
  readonly team?: string | null | undefined
}

export type NewKey = Omit<KeyAccount, 'createdAt' | 'createdBy' | 'source' | 'previous' | 'revokedAt'>
export type KeyPatch = Patch<Omit<KeySettings, 'rules'>> &
  Patch<Parents> & {
    readonly rules?: readonly BudgetRule[] | undefined
    readonly expiresAt?: number | null | undefined
  }

/** A rule's limit to be raised. */
export interface TopUp {
  readonly unit: Unit
  /** Grains of the unit; more than 0. */
  readonly amount: bigint
  /** Which of the rules of this unit; needed only where there are several. */
  readonly per?: Period | undefined
}

/** Which account or key. */
export type Subject = { readonly kind: AccountKind | 'key'; readonly id: string }

export type AuditAction = 'create' | 'update' | 'rotate' | 'revoke' | 'top_up' | 'delete'

/** One change that an operator made. Append-only. */
export interface AuditEntry {
  /** The revision that the change made: entries are numbered by it. */
  readonly revision: number
  /** Unix seconds. */
  readonly at: number
  /** Who said so: what is known of the caller of the admin API. */
  readonly by: string
  readonly action: AuditAction
  readonly subject: Subject
  /** Name of the account or key at that time. */
  readonly name: string
  /** The settings that changed, before and after, as plain JSON. Never a secret, nor the hash of one. */
  readonly changes: Readonly<Record<string, { readonly before?: unknown; readonly after?: unknown }>>
}

/** What has changed since a revision. An account that was deleted is in `deleted`. */
export interface AccountChanges {
  /** The revision that these changes lead to. */
  readonly revision: number
  readonly accounts: readonly Account[]
  readonly keys: readonly KeyAccount[]
  readonly deleted: readonly Subject[]
  /** Whether there is more: ask again from `revision`. */
  readonly more: boolean
}

/** A page of a list, in the order of creation, the newest first. */
export interface Page<Item> {
  readonly items: readonly Item[]
  /** What `after` of the next page is; absent on the last. */
  readonly next?: string | undefined
}

export interface KeyFilter extends Parents {
  readonly name?: string | undefined
  /** Also those that are revoked. */
  readonly revoked?: boolean | undefined
  readonly after?: string | undefined
  readonly limit: number
}

export interface AccountFilter {
  readonly kind?: AccountKind | undefined
  readonly organisation?: string | undefined
  readonly team?: string | undefined
  readonly after?: string | undefined
  readonly limit: number
}

export interface AuditFilter {
  readonly kind?: AccountKind | 'key' | undefined
  readonly id?: string | undefined
  /** Only entries of a smaller revision. */
  readonly before?: number | undefined
  readonly limit: number
}

/**
 * Accounts and keys in the SQL database. Every method is one transaction; each change raises the revision by one and is in
 * the audit. Changes are serial, also between processes. Arguments and results are plain data, so that a worker thread can stand between.
 *
 * Changes throw `BursarError`: `not_found` (404), `already_exists` (409), `invalid_request` (400, with the path of the field);
 * everything throws `ledger_unavailable` (503) when the database can't be asked. Accounts of the configuration are not known here:
 * whoever calls must know that a parent exists.
 */
export interface AccountStore {
  /** The number of changes so far. */
  revision(): Promise<number>
  /** Changes after a revision, the oldest first, about `limit` of them. A process that starts asks from 0. */
  changes(since: number, limit: number): Promise<AccountChanges>

  createAccount(account: NewAccount, by: string): Promise<Account>
  updateAccount(kind: AccountKind, id: string, patch: AccountPatch, by: string): Promise<Account>
  /** Throws `already_exists` (409) while an account or a key that isn't revoked is under it. */
  deleteAccount(kind: AccountKind, id: string, by: string): Promise<void>
  account(kind: AccountKind, id: string): Promise<Account | undefined>
  accounts(filter: AccountFilter): Promise<Page<Account>>

  createKey(key: NewKey, by: string): Promise<KeyAccount>
  updateKey(id: string, patch: KeyPatch, by: string): Promise<KeyAccount>
  /** Puts a new key in the place of the old one, which works on for `graceSeconds` (of the key before that nothing stays). */
  rotateKey(id: string, made: { readonly hash: string; readonly prefix: string }, graceSeconds: number, by: string): Promise<KeyAccount>
  /** For good: a revoked key never works again. Revoking it once more changes nothing. */
  revokeKey(id: string, by: string): Promise<KeyAccount>
  key(id: string): Promise<KeyAccount | undefined>
  keyByHash(hash: string): Promise<KeyAccount | undefined>
  keys(filter: KeyFilter): Promise<Page<KeyAccount>>

  /** Raises the limit of one rule. Throws `invalid_request` when there is no such rule, or several and `per` doesn't say which. */
  topUp(subject: Subject, topUp: TopUp, by: string): Promise<Account | KeyAccount>

  /** The newest first. */
  audit(filter: AuditFilter): Promise<readonly AuditEntry[]>
}
