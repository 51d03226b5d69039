import type { StoredLine } from './decide.js'
import type { Statement } from './postgres-session.js'

/**
 * The statements of counters in PostgreSQL. Everybody locks balances in the order of their names' bytes, so that no two
 * transactions wait for each other.
 */

/** Makes rows for counters that have none, with nothing used. */
export function ensureBalances(counters: readonly string[]): Statement {
  return {
    name: 'bursar_counters_ensure',
    text: 'INSERT INTO balances (counter, used) SELECT counter, 0 FROM unnest($1::text[]) AS counter ORDER BY counter COLLATE "C" ON CONFLICT (counter) DO NOTHING',
    values: [counters],
  }
}

/** Locks rows until the transaction ends, and reads them: `counter`, `used`. */
export function lockBalances(counters: readonly string[]): Statement {
  return {
    name: 'bursar_counters_lock',
    text: 'SELECT counter, used FROM balances WHERE counter = ANY($1::text[]) ORDER BY counter COLLATE "C" FOR UPDATE',
    values: [counters],
  }
}

/** Sets balances that are locked. */
export function setBalances(balances: readonly (readonly [counter: string, used: bigint])[]): Statement {
  return {
    name: 'bursar_counters_set',
    text: 'UPDATE balances SET used = new.used FROM unnest($1::text[], $2::bigint[]) AS new (counter, used) WHERE balances.counter = new.counter',
    values: [balances.map(([counter]) => counter), balances.map(([, used]) => String(used))],
  }
}

/** A reservation as the database has it. */
export interface HoldRow {
  readonly id: string
  /** Unix seconds. */
  readonly at: number
  /** JSON. */
  readonly lines: string
  readonly intent: string
}

export function insertHolds(holder: string, rows: readonly HoldRow[]): Statement {
  return {
    name: 'bursar_counters_hold',
    text: `INSERT INTO holds (id, holder, at, lines, intent)
      SELECT id, $1::text, at, lines, intent FROM unnest($2::text[], $3::float8[], $4::text[], $5::text[]) AS new (id, at, lines, intent)`,
    values: [holder, rows.map(({ id }) => id), rows.map(({ at }) => at), rows.map(({ lines }) => lines), rows.map(({ intent }) => intent)],
  }
}

/**
 * Locks open reservations and reads them: `id`, `lines`. One that somebody else has locked is left out: its call's record is being
 * applied, which settles it, and to wait for that could make two transactions wait for each other.
 */
export function lockHolds(ids: readonly string[]): Statement {
  return {
    name: 'bursar_counters_lock_holds',
    text: 'SELECT id, lines FROM holds WHERE id = ANY($1::text[]) AND expired::int = 0 FOR UPDATE SKIP LOCKED',
    values: [ids],
  }
}

/** Writes what reservations have been settled to. Their rows stay until the call's record is in the database too. */
export function setHoldLines(holds: readonly { readonly id: string; readonly lines: readonly StoredLine[] }[]): Statement {
  return {
    name: 'bursar_counters_settle',
    text: 'UPDATE holds SET lines = new.lines FROM unnest($1::text[], $2::text[]) AS new (id, lines) WHERE holds.id = new.id',
    values: [holds.map(({ id }) => id), holds.map(({ lines }) => JSON.stringify(lines))],
  }
}

/** Takes reservations away that nobody was granted: `lines`. */
export function deleteHolds(ids: readonly string[]): Statement {
  return {
    name: 'bursar_counters_delete',
    text: 'DELETE FROM holds WHERE id = ANY($1::text[]) AND expired::int = 0 RETURNING lines',
    values: [ids],
  }
}

/** Reads balances: `counter`, `used`. */
export function readBalances(counters: readonly string[]): Statement {
  return { name: 'bursar_counters_read', text: 'SELECT counter, used FROM balances WHERE counter = ANY($1::text[])', values: [counters] }
}

/** Which of these reservations are open: `id`. Locks nothing. */
export function findHolds(ids: readonly string[]): Statement {
  return { name: 'bursar_counters_find', text: 'SELECT id FROM holds WHERE id = ANY($1::text[]) AND expired::int = 0', values: [ids] }
}
