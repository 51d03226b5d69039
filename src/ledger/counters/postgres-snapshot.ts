import { within } from '../within.js'
import { databaseAway, openPool, type PostgresLimits } from './postgres-session.js'
import type { HoldRow } from './postgres-statements.js'

/** Open reservations and the balances of their counters, as they stood at one moment. */
export interface HoldsSnapshot {
  readonly holds: readonly (HoldRow & { readonly holder: string })[]
  readonly balances: ReadonlyMap<string, bigint>
}

/** Reads `HoldsSnapshot`s. Loads `pg`, connects on first use, lets its connection go when it isn't used. O(open reservations). */
export async function createPostgresSnapshots(settings: {
  readonly url: string
  /** Longest that one takes. 20 unless told otherwise. */
  readonly seconds?: number | undefined
}): Promise<{ read(): Promise<HoldsSnapshot>; close(): Promise<void> }> {
  const seconds = settings.seconds ?? 20
  const limits: PostgresLimits = { connectSeconds: 2, lockSeconds: 2, transactionSeconds: seconds }
  const pool = await openPool(settings.url, limits, 1, 'bursar snapshot')
  const read = async (): Promise<HoldsSnapshot> => {
    const client = await pool.connect()
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      const holds = await client.query<HoldRow & { holder: string }>('SELECT id, holder, at, lines, intent FROM holds WHERE expired = 0')
      const balances = await client.query<{ counter: string; used: string }>(
        `SELECT counter, used FROM balances WHERE counter IN (SELECT line ->> 'counter' FROM holds, json_array_elements(lines::json) AS line WHERE expired = 0)`,
      )
      await client.query('COMMIT')
      client.release()
      return { holds: holds.rows, balances: new Map(balances.rows.map(({ counter, used }) => [counter, BigInt(used)])) }
    } catch (thrown) {
      client.release(true)
      throw thrown
    }
  }
  return {
    read: () =>
      within(seconds, read(), 'the database did not answer in time').catch((thrown: unknown) => Promise.reject(databaseAway(thrown))),
    close: () => within(5, pool.end(), 'not closed in time').catch(() => undefined),
  }
}
