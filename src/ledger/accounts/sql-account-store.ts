import { sql, type Kysely } from 'kysely'
import { BursarError, InvalidRequest } from '../../errors/index.js'
import { systemClock, type Clock } from '../../quantities/index.js'
import type { BudgetRule } from '../budgets/contract.js'
import type { Connection } from '../store/connect.js'
import { inTransaction } from '../store/transaction.js'
import { changesBetween, described } from './audit.js'
import type {
  Account,
  AccountChanges,
  AccountFilter,
  AccountKind,
  AccountPatch,
  AccountStore,
  AuditAction,
  AuditEntry,
  AuditFilter,
  KeyAccount,
  KeyFilter,
  KeyPatch,
  NewAccount,
  NewKey,
  Page,
  Subject,
  TopUp,
} from './contract.js'
import { accountColumns, accountOf, auditEntryOf, keyColumns, keyOf, subjectOf } from './rows.js'
import type { AccountTables } from './tables.js'

type Tx = Kysely<AccountTables>

/** What the audit tells of every change. */
type Change = Pick<AuditEntry, 'revision' | 'at' | 'by'>

/** Most rows of one page. */
const MAX_PAGE = 1000

/** Accounts and keys in the store's SQL database, the same on libsql and PostgreSQL. The connection stays the caller's to close. */
export class SqlAccountStore implements AccountStore {
  private readonly db: Kysely<AccountTables>

  constructor(
    private readonly connection: Pick<Connection, 'engine' | 'bare'>,
    private readonly clock: Clock = systemClock,
  ) {
    this.db = connection.bare.withTables<AccountTables>()
  }

  revision(): Promise<number> {
    return this.reading(async (db) =>
      Number((await db.selectFrom('account_revision').select('revision').executeTakeFirstOrThrow()).revision),
    )
  }

  changes(since: number, limit: number): Promise<AccountChanges> {
    const rows = pageSize(limit)
    return this.reading(async (db) => {
      // Asked for first: what is changed meanwhile comes with the next call, perhaps again.
      const latest = Number((await db.selectFrom('account_revision').select('revision').executeTakeFirstOrThrow()).revision)
      const accounts = await db.selectFrom('accounts').selectAll().where('revision', '>', since).orderBy('revision').limit(rows).execute()
      const keys = await db.selectFrom('keys').selectAll().where('revision', '>', since).orderBy('revision').limit(rows).execute()
      // Each change has a revision of its own, so up to the end of the list that was cut first nothing is missing.
      const ends = [accounts, keys].flatMap((list) => (list.length < rows ? [] : [Number(list.at(-1)?.revision)]))
      const revision = Math.min(latest, ...ends)
      const within = (row: { readonly revision: string | number | bigint }) => Number(row.revision) <= revision || ends.length === 0
      return {
        revision,
        accounts: accounts.filter((row) => within(row) && row.deleted_at === null).map(accountOf),
        keys: keys.filter(within).map(keyOf),
        deleted: accounts.filter((row) => within(row) && row.deleted_at !== null).map((row) => subjectOf(row.kind, row.id)),
        more: revision < latest,
      }
    })
  }

  createAccount(account: NewAccount, by: string): Promise<Account> {
    return this.changing(by, async (tx, change) => {
      const { kind, id } = account
      const known = await tx.selectFrom('accounts').select('deleted_at').where('kind', '=', kind).where('id', '=', id).executeTakeFirst()
      if (known)
        throw taken(
          known.deleted_at === null
            ? `There is a ${kind} "${id}" already.`
            : `There was a ${kind} "${id}", and what it spent is counted under that id; take another one.`,
          'id',
        )
      const { revision, at } = change
      const made: Account = { ...account, createdAt: at, source: 'store' }
      await tx
        .insertInto('accounts')
        .values({ kind, id, ...accountColumns(made), created_at: at, deleted_at: null, created_revision: revision, revision })
        .execute()
      await note(tx, change, 'create', made, changesBetween({}, described(made)))
      return made
    })
  }

  updateAccount(kind: AccountKind, id: string, patch: AccountPatch, by: string): Promise<Account> {
    return this.changing(by, (tx, change) => changeAccount(tx, change, 'update', kind, id, (account) => patched(account, patch)))
  }

  deleteAccount(kind: AccountKind, id: string, by: string): Promise<void> {
    return this.changing(by, async (tx, change) => {
      const before = await requireAccount(tx, kind, id)
      await refuseWhileUsed(tx, kind, id)
      const { revision, at } = change
      await tx.updateTable('accounts').set({ deleted_at: at, revision }).where('kind', '=', kind).where('id', '=', id).execute()
      await note(tx, change, 'delete', before, changesBetween(described(before), {}))
    })
  }

  account(kind: AccountKind, id: string): Promise<Account | undefined> {
    return this.reading((db) => findAccount(db, kind, id))
  }

  accounts({ kind, organisation, team, after, limit }: AccountFilter): Promise<Page<Account>> {
    return this.reading(async (db) => {
      let query = db.selectFrom('accounts').selectAll().where('deleted_at', 'is', null)
      if (kind !== undefined) query = query.where('kind', '=', kind)
      if (organisation !== undefined) query = query.where('organisation', '=', organisation)
      if (team !== undefined) query = query.where('team', '=', team)
      if (after !== undefined) query = query.where('created_revision', '<', cursorOf(after))
      const size = pageSize(limit)
      const rows = await query
        .orderBy('created_revision', 'desc')
        .limit(size + 1)
        .execute()
      return pageOf(rows, size, accountOf)
    })
  }

  createKey(key: NewKey, by: string): Promise<KeyAccount> {
    return this.changing(by, async (tx, change) => {
      const { id, name, hash } = key
      const clash = await tx
        .selectFrom('keys')
        .select('id')
        .where((is) =>
          is.or([
            is('id', '=', id),
            is('hash', '=', hash),
            is('previous_hash', '=', hash),
            is.and([is('name', '=', name), is('revoked_at', 'is', null)]),
          ]),
        )
        .executeTakeFirst()
      if (clash) throw taken(`There is a key "${name}" already; records go by the name, so it has to be another one.`, 'name')
      const { revision, at } = change
      const made: KeyAccount = { ...key, createdAt: at, createdBy: by, source: 'store' }
      await tx
        .insertInto('keys')
        .values({ id, name, ...keyColumns(made), created_at: at, created_by: by, created_revision: revision, revision })
        .execute()
      await note(tx, change, 'create', made, changesBetween({}, described(made)))
      return made
    })
  }

  updateKey(id: string, patch: KeyPatch, by: string): Promise<KeyAccount> {
    return this.changing(by, (tx, change) => changeKey(tx, change, 'update', id, (key) => patched(key, patch)))
  }

  rotateKey(id: string, made: { readonly hash: string; readonly prefix: string }, graceSeconds: number, by: string): Promise<KeyAccount> {
    return this.changing(by, async (tx, change) => {
      const clash = await tx
        .selectFrom('keys')
        .select('id')
        .where((is) => is.or([is('hash', '=', made.hash), is('previous_hash', '=', made.hash)]))
        .executeTakeFirst()
      if (clash) throw taken('This key is in use already.', 'key')
      return changeKey(tx, change, 'rotate', id, (key) => ({
        ...key,
        hash: made.hash,
        prefix: made.prefix,
        previous: graceSeconds > 0 ? { hash: key.hash, until: change.at + graceSeconds } : undefined,
      }))
    })
  }

  async revokeKey(id: string, by: string): Promise<KeyAccount> {
    const known = await this.key(id)
    if (known?.revokedAt !== undefined) return known
    return this.changing(by, async (tx, change) => {
      const key = await requireKey(tx, id)
      // Somebody else was quicker.
      if (key.revokedAt !== undefined) return key
      return changeKey(tx, change, 'revoke', id, () => ({ ...key, revokedAt: change.at, previous: undefined }))
    })
  }

  key(id: string): Promise<KeyAccount | undefined> {
    return this.reading(async (db) => {
      const row = await db.selectFrom('keys').selectAll().where('id', '=', id).executeTakeFirst()
      return row && keyOf(row)
    })
  }

  keyByHash(hash: string): Promise<KeyAccount | undefined> {
    return this.reading(async (db) => {
      const row = await db
        .selectFrom('keys')
        .selectAll()
        .where((is) => is.or([is('hash', '=', hash), is('previous_hash', '=', hash)]))
        .executeTakeFirst()
      return row && keyOf(row)
    })
  }

  keys({ name, organisation, team, user, revoked, after, limit }: KeyFilter): Promise<Page<KeyAccount>> {
    return this.reading(async (db) => {
      let query = db.selectFrom('keys').selectAll()
      if (revoked !== true) query = query.where('revoked_at', 'is', null)
      if (name !== undefined) query = query.where('name', '=', name)
      if (organisation !== undefined) query = query.where('organisation', '=', organisation)
      if (team !== undefined) query = query.where('team', '=', team)
      if (user !== undefined) query = query.where('user_id', '=', user)
      if (after !== undefined) query = query.where('created_revision', '<', cursorOf(after))
      const size = pageSize(limit)
      const rows = await query
        .orderBy('created_revision', 'desc')
        .limit(size + 1)
        .execute()
      return pageOf(rows, size, keyOf)
    })
  }

  topUp({ kind, id }: Subject, topUp: TopUp, by: string): Promise<Account | KeyAccount> {
    return this.changing(by, (tx, change): Promise<Account | KeyAccount> => {
      const toppedUp = <T extends Account | KeyAccount>(subject: T): T => ({ ...subject, rules: raised(subject.rules, topUp) })
      return kind === 'key' ? changeKey(tx, change, 'top_up', id, toppedUp) : changeAccount(tx, change, 'top_up', kind, id, toppedUp)
    })
  }

  audit({ kind, id, before, limit }: AuditFilter): Promise<readonly AuditEntry[]> {
    return this.reading(async (db) => {
      let query = db.selectFrom('account_audit').selectAll()
      if (kind !== undefined) query = query.where('kind', '=', kind)
      if (id !== undefined) query = query.where('subject', '=', id)
      if (before !== undefined) query = query.where('revision', '<', before)
      return (await query.orderBy('revision', 'desc').limit(pageSize(limit)).execute()).map(auditEntryOf)
    })
  }

  /** A change: the revision's row is locked first, so changes are serial and no reader can see a later one before an earlier one. */
  private async changing<Result>(by: string, make: (tx: Tx, change: Change) => Promise<Result>): Promise<Result> {
    return this.asking(() =>
      inTransaction(this.connection.engine, this.db, async (tx) => {
        const row = await tx
          .updateTable('account_revision')
          .set({ revision: sql<number>`revision + 1` })
          .returning('revision')
          .executeTakeFirstOrThrow()
        return make(tx, { revision: Number(row.revision), at: this.clock.now(), by })
      }),
    )
  }

  private reading<Result>(read: (db: Kysely<AccountTables>) => Promise<Result>): Promise<Result> {
    return this.asking(() => read(this.db))
  }

  private async asking<Result>(ask: () => Promise<Result>): Promise<Result> {
    try {
      return await ask()
    } catch (thrown) {
      // What is meant for callers, and faults of the program, are not the database's.
      if (BursarError.is(thrown) || thrown instanceof TypeError || thrown instanceof RangeError) throw thrown
      throw new BursarError('The database of keys and accounts can’t be asked now.', {
        code: 'ledger_unavailable',
        status: 503,
        retryAfterSeconds: 1,
        cause: thrown,
      })
    }
  }
}

async function findAccount(db: Kysely<AccountTables>, kind: AccountKind, id: string): Promise<Account | undefined> {
  const row = await db
    .selectFrom('accounts')
    .selectAll()
    .where('kind', '=', kind)
    .where('id', '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  return row && accountOf(row)
}

async function requireAccount(tx: Tx, kind: AccountKind, id: string): Promise<Account> {
  const account = await findAccount(tx, kind, id)
  if (account === undefined) throw new BursarError(`There is no ${kind} "${id}".`, { code: 'not_found', status: 404 })
  return account
}

async function requireKey(tx: Tx, id: string): Promise<KeyAccount> {
  const row = await tx.selectFrom('keys').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw new BursarError(`There is no key "${id}".`, { code: 'not_found', status: 404 })
  return keyOf(row)
}

async function changeAccount(
  tx: Tx,
  change: Change,
  action: AuditAction,
  kind: AccountKind,
  id: string,
  changed: (account: Account) => Account,
): Promise<Account> {
  const before = await requireAccount(tx, kind, id)
  const after = changed(before)
  await tx
    .updateTable('accounts')
    .set({ ...accountColumns(after), revision: change.revision })
    .where('kind', '=', kind)
    .where('id', '=', id)
    .execute()
  await note(tx, change, action, after, changesBetween(described(before), described(after)))
  return after
}

async function changeKey(
  tx: Tx,
  change: Change,
  action: AuditAction,
  id: string,
  changed: (key: KeyAccount) => KeyAccount,
): Promise<KeyAccount> {
  const before = await requireKey(tx, id)
  if (before.revokedAt !== undefined)
    throw new InvalidRequest(`The key "${before.name}" was revoked, for good; make a new one.`, { path: 'id' })
  const after = changed(before)
  await tx
    .updateTable('keys')
    .set({ ...keyColumns(after), revision: change.revision })
    .where('id', '=', id)
    .execute()
  await note(tx, change, action, after, changesBetween(described(before), described(after)))
  return after
}

/** An account with something under it stays: without it, the limits of what is under it could not be told. */
async function refuseWhileUsed(tx: Tx, kind: AccountKind, id: string): Promise<void> {
  const column = kind === 'user' ? 'user_id' : kind
  const key = await tx.selectFrom('keys').select('name').where(column, '=', id).where('revoked_at', 'is', null).executeTakeFirst()
  if (key) throw taken(`The key "${key.name}" is under the ${kind} "${id}"; revoke it, or put it under another one, first.`, 'id')
  if (kind === 'user') return
  const account = await tx
    .selectFrom('accounts')
    .select(['kind', 'id'])
    .where(kind, '=', id)
    .where('deleted_at', 'is', null)
    .executeTakeFirst()
  if (account)
    throw taken(`The ${account.kind} "${account.id}" is under the ${kind} "${id}"; delete it, or put it under another one, first.`, 'id')
}

async function note(
  tx: Tx,
  { revision, at, by }: Change,
  action: AuditAction,
  subject: Account | KeyAccount,
  changes: AuditEntry['changes'],
): Promise<void> {
  const kind = 'kind' in subject ? subject.kind : 'key'
  await tx
    .insertInto('account_audit')
    .values({ revision, at, by, action, kind, subject: subject.id, name: subject.name, changes: JSON.stringify(changes) })
    .execute()
}

/** The rules with one limit raised. */
function raised(rules: readonly BudgetRule[], { unit, amount, per }: TopUp): readonly BudgetRule[] {
  if (amount <= 0n) throw new InvalidRequest('expected an amount above 0.', { path: unit })
  const fitting = rules.filter((rule) => rule.unit === unit && (per === undefined || rule.per === per))
  const [rule] = fitting
  if (rule === undefined)
    throw new InvalidRequest(
      `There is no limit on ${unit}${per === undefined ? '' : ` per ${per}`} to be raised; without one it is unlimited.`,
      { path: unit },
    )
  if (new Set(fitting.map((one) => one.per)).size > 1)
    throw new InvalidRequest(`There are limits on ${unit} per ${fitting.map((one) => one.per).join(' and ')}; say which with \`per\`.`, {
      path: 'per',
    })
  // A soft limit beside the hard one stays: it is there to warn before it.
  const raise = fitting.find((one) => one.hard) ?? rule
  const limit = raise.limit + amount
  if (limit > MAX_LIMIT) throw new InvalidRequest('The limit would be larger than can be counted.', { path: unit })
  return rules.map((one) => (one === raise ? { ...one, limit } : one))
}

/** What a 64-bit number holds. */
const MAX_LIMIT = 2n ** 63n - 1n

/** `before` with the fields of the patch; `null` takes a field away. */
function patched<T extends Account | KeyAccount>(before: T, patch: AccountPatch | KeyPatch): T {
  const set = Object.entries(patch).filter(([, value]) => value !== undefined)
  return { ...before, ...Object.fromEntries(set.map(([name, value]) => [name, value ?? undefined])) }
}

function taken(message: string, path: string): BursarError {
  return new BursarError(message, { code: 'already_exists', status: 409, path })
}

function pageSize(limit: number): number {
  return Math.max(1, Math.min(MAX_PAGE, Math.floor(limit)))
}

function cursorOf(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidRequest('after: expected what `next` of the page before was.', { path: 'after' })
  return Number(text)
}

function pageOf<Row extends { readonly created_revision: string | number | bigint }, Item>(
  rows: readonly Row[],
  size: number,
  itemOf: (row: Row) => Item,
): Page<Item> {
  const items = rows.slice(0, size)
  return { items: items.map(itemOf), next: rows.length > size ? String(items.at(-1)?.created_revision) : undefined }
}
