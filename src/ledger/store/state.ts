import { sql } from 'kysely'
import type { Engine } from './connect.js'
import type { Tx } from './transaction.js'

/**
 * Numbers in `store_state`:
 * - `applying`: locked by each transaction that adds records, so that they are done one after the other whatever process they come from: numbers
 *   are in the order of commits, and sums are never waited for in a circle;
 * - `call_seq`, `outcome_seq`: the last numbers given out;
 * - `raw_from`: calls that began before this time (Unix seconds) may have been removed;
 * - `hours_from`: sums of hours before this time have been removed;
 * - `shared_names`: 1 once two keys have used the same name for a run or a session.
 */
export type StateName = 'applying' | 'call_seq' | 'outcome_seq' | 'raw_from' | 'hours_from' | 'shared_names'

/** Waits until no other transaction applies, and keeps others from it until this one ends. */
export async function lockApplying(tx: Tx, engine: Engine): Promise<void> {
  // An embedded transaction that writes is the only one from its beginning.
  if (engine === 'postgresql')
    await tx.selectFrom('store_state').select('value').where('name', '=', 'applying').forUpdate().executeTakeFirstOrThrow()
}

/** The first of so many numbers that nobody else gets. */
export async function takeNumbers(tx: Tx, name: 'call_seq' | 'outcome_seq', count: number): Promise<bigint> {
  const { value } = await tx
    .updateTable('store_state')
    .set({ value: sql<bigint>`value + ${count}` })
    .where('name', '=', name)
    .returning('value')
    .executeTakeFirstOrThrow()
  return BigInt(value) - BigInt(count) + 1n
}

export async function readState(tx: Tx, name: StateName): Promise<number> {
  return Number((await tx.selectFrom('store_state').select('value').where('name', '=', name).executeTakeFirstOrThrow()).value)
}

/** Moves a time on; never back. */
export async function advanceState(tx: Tx, name: 'raw_from' | 'hours_from', seconds: number): Promise<void> {
  const value = Math.ceil(seconds)
  await tx.updateTable('store_state').set({ value }).where('name', '=', name).where('value', '<', value).execute()
}
