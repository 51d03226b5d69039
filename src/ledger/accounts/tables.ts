import type { ColumnType } from 'kysely'

/** A 64-bit number: text from PostgreSQL, a big integer from libsql. */
type Whole = ColumnType<string | number | bigint, number, number>

/** Deleted accounts stay as rows, so that their ids are not used again and other processes learn of it. */
export interface AccountsTable {
  kind: string
  id: string
  name: string
  organisation: string | null
  team: string | null
  /** JSON: see `settings.ts`. */
  settings: string
  /** Unix seconds. */
  created_at: number
  deleted_at: number | null
  /** Revision of the change that made it: lists are in its order. */
  created_revision: Whole
  /** Revision of its last change. */
  revision: Whole
}

export interface KeysTable {
  id: string
  name: string
  /** SHA-256, hexadecimal. */
  hash: string
  prefix: string
  previous_hash: string | null
  previous_until: number | null
  organisation: string | null
  team: string | null
  user_id: string | null
  settings: string
  expires_at: number | null
  revoked_at: number | null
  created_at: number
  created_by: string
  created_revision: Whole
  revision: Whole
}

/** One row: its lock makes changes serial. */
export interface AccountRevisionTable {
  id: number
  revision: Whole
}

export interface AccountAuditTable {
  revision: Whole
  at: number
  by: string
  action: string
  kind: string
  subject: string
  name: string
  /** JSON. */
  changes: string
}

/** Tables of accounts and keys; a part of the store's database. */
// Not an interface: kysely wants a type that is known to have no other tables.
export type AccountTables = {
  accounts: AccountsTable
  keys: KeysTable
  account_revision: AccountRevisionTable
  account_audit: AccountAuditTable
}
