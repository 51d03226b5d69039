import { sql, type Kysely } from 'kysely'
import type { Engine } from './connect.js'
import { isBusy } from './embedded.js'
import type { StoreDatabase } from './schema.js'

/** The database within a transaction. */
export type Tx = Kysely<StoreDatabase>

const tries = 6

/**
 * Runs `work` in one transaction, again when it lost against another one (a deadlock, a lock that was waited for too long): so `work` must
 * change nothing but the database. Embedded: it has the lock for writing from its beginning, since a transaction that reads first and writes
 * then can't be let wait.
 */
export async function inTransaction<Result, Tables>(
  engine: Engine,
  db: Kysely<Tables>,
  work: (tx: Kysely<Tables>) => Promise<Result>,
): Promise<Result> {
  const begin = engine === 'embedded' ? sql`begin immediate` : sql`begin isolation level read committed`
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.connection().execute(async (tx) => {
        try {
          await begin.execute(tx)
          const result = await work(tx)
          await sql`commit`.execute(tx)
          return result
        } catch (thrown) {
          // A connection that is gone can't roll back, and needn't; nor need one where nothing was begun.
          await sql`rollback`.execute(tx).catch(() => undefined)
          throw thrown
        }
      })
    } catch (thrown) {
      if (attempt >= tries || !lostAgainstAnother(thrown)) throw thrown
      await new Promise((resolve) => setTimeout(resolve, (5 + 20 * Math.random()) * attempt))
    }
  }
}

/** Runs `work` over the database as it is at one moment. Embedded: others wait. */
export async function inSnapshot<Result, Tables>(
  engine: Engine,
  db: Kysely<Tables>,
  work: (tx: Kysely<Tables>) => Promise<Result>,
): Promise<Result> {
  const begin = engine === 'embedded' ? sql`begin` : sql`begin isolation level repeatable read, read only`
  return db.connection().execute(async (tx) => {
    try {
      await begin.execute(tx)
      return await work(tx)
    } finally {
      await sql`rollback`.execute(tx).catch(() => undefined)
    }
  })
}

/** Serialization failure, deadlock, lock not available. */
const lostCodes = new Set(['40001', '40P01', '55P03'])

function lostAgainstAnother(thrown: unknown): boolean {
  return isBusy(thrown) || (typeof thrown === 'object' && thrown !== null && 'code' in thrown && lostCodes.has(String(thrown.code)))
}
