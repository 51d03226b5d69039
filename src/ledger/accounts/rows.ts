import type { Selectable } from 'kysely'
import {
  accountKinds,
  type Account,
  type AccountKind,
  type AuditAction,
  type AuditEntry,
  type KeyAccount,
  type Subject,
} from './contract.js'
import { accountSettingsOf, keySettingsOf, settingsText } from './settings.js'
import type { AccountAuditTable, AccountsTable, KeysTable } from './tables.js'

export function accountOf(row: Selectable<AccountsTable>): Account {
  return {
    kind: kindOf(row.kind),
    id: row.id,
    name: row.name,
    organisation: row.organisation ?? undefined,
    team: row.team ?? undefined,
    ...accountSettingsOf(row.settings),
    createdAt: Number(row.created_at),
    source: 'store',
  }
}

/** The columns of an account that can change. */
export function accountColumns(account: Account) {
  return { name: account.name, organisation: account.organisation ?? null, team: account.team ?? null, settings: settingsText(account) }
}

export function keyOf(row: Selectable<KeysTable>): KeyAccount {
  return {
    id: row.id,
    name: row.name,
    hash: row.hash,
    prefix: row.prefix,
    previous:
      row.previous_hash === null || row.previous_until === null
        ? undefined
        : { hash: row.previous_hash, until: Number(row.previous_until) },
    organisation: row.organisation ?? undefined,
    team: row.team ?? undefined,
    user: row.user_id ?? undefined,
    ...keySettingsOf(row.settings),
    expiresAt: row.expires_at === null ? undefined : Number(row.expires_at),
    revokedAt: row.revoked_at === null ? undefined : Number(row.revoked_at),
    createdAt: Number(row.created_at),
    createdBy: row.created_by,
    source: 'store',
  }
}

/** The columns of a key that can change. */
export function keyColumns(key: KeyAccount) {
  return {
    hash: key.hash,
    prefix: key.prefix,
    previous_hash: key.previous?.hash ?? null,
    previous_until: key.previous?.until ?? null,
    organisation: key.organisation ?? null,
    team: key.team ?? null,
    user_id: key.user ?? null,
    settings: settingsText(key),
    expires_at: key.expiresAt ?? null,
    revoked_at: key.revokedAt ?? null,
  }
}

const actions: readonly AuditAction[] = ['create', 'update', 'rotate', 'revoke', 'top_up', 'delete']

export function auditEntryOf(row: Selectable<AccountAuditTable>): AuditEntry {
  const action = actions.find((known) => known === row.action)
  if (action === undefined) throw new Error(`the audit has an action that this version does not know: ${row.action}`)
  const changes: AuditEntry['changes'] = JSON.parse(row.changes)
  return {
    revision: Number(row.revision),
    at: Number(row.at),
    by: row.by,
    action,
    subject: subjectOf(row.kind, row.subject),
    name: row.name,
    changes,
  }
}

export function subjectOf(kind: string, id: string): Subject {
  return { kind: kind === 'key' ? 'key' : kindOf(kind), id }
}

function kindOf(text: string): AccountKind {
  const kind = accountKinds.find((known) => known === text)
  if (kind === undefined) throw new Error(`there is a kind of account that this version does not know: ${text}`)
  return kind
}
