import { sql, type Kysely, type Migration } from 'kysely'

/** Makes the tables of accounts and keys (see `tables.ts`). */
export const accountsMigration: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('account_revision')
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .execute()
    await db
      .withTables<{ account_revision: { id: number; revision: number } }>()
      .insertInto('account_revision')
      .values({ id: 1, revision: 0 })
      .execute()

    await db.schema
      .createTable('accounts')
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('organisation', 'text')
      .addColumn('team', 'text')
      .addColumn('settings', 'text', (column) => column.notNull())
      .addColumn('created_at', 'double precision', (column) => column.notNull())
      .addColumn('deleted_at', 'double precision')
      .addColumn('created_revision', 'bigint', (column) => column.notNull())
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('accounts_pk', ['kind', 'id'])
      .execute()
    await db.schema.createIndex('accounts_revision').on('accounts').column('revision').unique().execute()
    await db.schema.createIndex('accounts_created').on('accounts').column('created_revision').unique().execute()

    await db.schema
      .createTable('keys')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addColumn('prefix', 'text', (column) => column.notNull())
      .addColumn('previous_hash', 'text')
      .addColumn('previous_until', 'double precision')
      .addColumn('organisation', 'text')
      .addColumn('team', 'text')
      .addColumn('user_id', 'text')
      .addColumn('settings', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'double precision')
      .addColumn('revoked_at', 'double precision')
      .addColumn('created_at', 'double precision', (column) => column.notNull())
      .addColumn('created_by', 'text', (column) => column.notNull())
      .addColumn('created_revision', 'bigint', (column) => column.notNull())
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('keys_hash').on('keys').column('hash').unique().execute()
    await db.schema.createIndex('keys_previous_hash').on('keys').column('previous_hash').execute()
    await db.schema.createIndex('keys_name').on('keys').column('name').unique().where(sql.ref('revoked_at'), 'is', null).execute()
    await db.schema.createIndex('keys_revision').on('keys').column('revision').unique().execute()
    await db.schema.createIndex('keys_created').on('keys').column('created_revision').unique().execute()

    await db.schema
      .createTable('account_audit')
      .addColumn('revision', 'bigint', (column) => column.primaryKey())
      .addColumn('at', 'double precision', (column) => column.notNull())
      .addColumn('by', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('kind', 'text', (column) => column.notNull())
      .addColumn('subject', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('changes', 'text', (column) => column.notNull())
      .execute()
    await db.schema.createIndex('account_audit_subject').on('account_audit').columns(['kind', 'subject', 'revision']).execute()
  },
}
