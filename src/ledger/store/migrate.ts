import { createHash } from 'node:crypto'
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  sql,
} from 'kysely'
import { BursarError } from '../../errors/index.js'
import type { Connection, Engine } from './connect.js'
import type { Migration } from './migrations/index.js'
import type { StoreDatabase } from './schema.js'
import { inTransaction } from './transaction.js'

/** Of all processes that migrate: "bursar" in hexadecimal. Each database has its own. */
const migrationLock = 0x627572736172n

/**
 * Brings the schema up to date: all steps in one transaction, or none. Of several processes that start at once one does it, and the others
 * wait. Throws `invalid_configuration` when the database is newer than this program, or was made by other steps.
 */
export async function migrate({ engine, bare }: Connection, steps: readonly Migration[]): Promise<void> {
  const expected = await Promise.all(steps.map(async (step) => ({ step, checksum: await checksumOf(step, engine) })))
  await inTransaction(engine, bare, async (untyped) => {
    const tx = untyped.withTables<StoreDatabase>()
    if (engine === 'postgresql') await sql`select pg_advisory_xact_lock(${migrationLock})`.execute(tx)
    await tx.schema
      .createTable('migrations')
      .ifNotExists()
      .addColumn('version', 'integer', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('checksum', 'text', (column) => column.notNull())
      .addColumn('applied_at', 'double precision', (column) => column.notNull())
      .execute()
    const known = new Map((await tx.selectFrom('migrations').selectAll().execute()).map((row) => [Number(row.version), row]))
    const newest = Math.max(0, ...known.keys())
    if (newest > steps.length)
      throw refused(
        `The database has version ${newest} (${known.get(newest)?.name}) of the ledger's schema, and this program knows versions up to ${steps.length} only: ` +
          'it was used by a newer Bursar. Start that version again, or give this one another database.',
      )
    for (const { step, checksum } of expected) {
      const found = known.get(step.version)
      if (found === undefined) {
        await step.up(untyped, engine)
        await tx
          .insertInto('migrations')
          .values({ version: step.version, name: step.name, checksum, applied_at: Date.now() / 1000 })
          .execute()
      } else if (found.checksum !== checksum)
        throw refused(
          `The database was made by another step ${step.version} of the ledger's schema ("${found.name}") than this program's "${step.name}". ` +
            'It was used by a version of Bursar that was never released; give this one another database.',
        )
    }
  })
}

/** Of the statements of a step, which are written down without a database. */
async function checksumOf({ version, name, up }: Migration, engine: Engine): Promise<string> {
  const hash = createHash('sha256').update(`${version} ${name}`)
  const embedded = engine === 'embedded'
  const db = new Kysely<unknown>({
    dialect: {
      createAdapter: () => (embedded ? new SqliteAdapter() : new PostgresAdapter()),
      createDriver: () => new DummyDriver(),
      createIntrospector: (some) => (embedded ? new SqliteIntrospector(some) : new PostgresIntrospector(some)),
      createQueryCompiler: () => (embedded ? new SqliteQueryCompiler() : new PostgresQueryCompiler()),
    },
    log: ({ query }) => void hash.update(`\n${query.sql} ${JSON.stringify(query.parameters)}`),
  })
  await up(db, engine)
  return hash.digest('hex')
}

function refused(message: string): BursarError {
  return new BursarError(message, { code: 'invalid_configuration', status: 500 })
}
