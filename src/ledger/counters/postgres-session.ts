import type { Pool, PoolClient, QueryResult } from 'pg'
import { ledgerUnavailable } from '../journal/unavailable.js'
import { within } from '../within.js'

/** Limits of everything that waits, in seconds. */
export interface PostgresLimits {
  readonly connectSeconds: number
  /** For a row that somebody else has locked. */
  readonly lockSeconds: number
  /** For one transaction, its connection included. */
  readonly transactionSeconds: number
}

/** What became of a transaction. `unknown`: its COMMIT was sent, and nobody can tell whether it came through. */
export type TransactionEnd<Value> =
  { readonly committed: true; readonly value: Value } | { readonly committed: false | 'unknown'; readonly error: unknown }

/**
 * A transaction in two trips to the server: `first` is sent together with BEGIN; what `then` makes of the answers is sent together with
 * COMMIT. `then` gives no statements to roll back.
 */
export interface TwoTrips<Value> {
  readonly first: readonly Statement[]
  readonly then: (answers: readonly QueryResult[]) => { readonly statements: readonly Statement[]; readonly value: Value }
  /** Whether COMMIT waits for the disk. What is lost without it must be harmless. */
  readonly durable: boolean
}

export interface Statement {
  /** Prepared once a connection under this name. */
  readonly name: string
  readonly text: string
  readonly values: readonly unknown[]
}

/** A pool whose connections send statements without waiting for the answer to the one before. Loads `pg`; connects on first use. */
export async function openPool(url: string, limits: PostgresLimits, size: number, purpose: string): Promise<Pool> {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({
    connectionString: url,
    max: size,
    connectionTimeoutMillis: limits.connectSeconds * 1000,
    idleTimeoutMillis: 30_000,
    // A statement that takes longer takes its connection with it: on such a connection nothing can overtake it.
    query_timeout: limits.transactionSeconds * 1000,
    keepAlive: true,
    pipeline: true,
    allowExitOnIdle: true,
    application_name: purpose,
  })
  // A connection that breaks is told by the statement that it breaks under; without listeners the process would end.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => void client.on('error', () => undefined))
  return pool
}

/** Runs a transaction within its limits. Never throws: whatever fails is told in what it resolves to. */
export async function runTransaction<Value>(pool: Pool, limits: PostgresLimits, work: TwoTrips<Value>): Promise<TransactionEnd<Value>> {
  let client: PoolClient
  try {
    client = await pool.connect()
  } catch (error) {
    return { committed: false, error }
  }
  let sentCommit = false
  let over = false
  const twoTrips = async (): Promise<TransactionEnd<Value>> => {
    const { value, statements } = work.then(await sendFirst(client, limits, work))
    if (statements.length === 0) {
      await client.query('ROLLBACK')
      return { committed: true, value }
    }
    if (over) throw new Error('the transaction was given up')
    sentCommit = true
    const answers = await Promise.allSettled([...statements.map((statement) => client.query(asQuery(statement))), client.query('COMMIT')])
    const failed = answers.find((answer) => answer.status === 'rejected')
    const last = answers.at(-1)
    // The server answers ROLLBACK to the COMMIT of a transaction in which a statement failed.
    if (last?.status === 'fulfilled') {
      if (last.value.command === 'COMMIT') return { committed: true, value }
      return { committed: false, error: failed?.reason }
    }
    throw last?.reason
  }
  try {
    const end = await within(limits.transactionSeconds, twoTrips(), 'the database did not answer in time')
    client.release()
    return end
  } catch (error) {
    over = true
    // The server rolls back what it has not committed when the connection goes. A statement that it refused leaves the connection whole.
    if (sentCommit || !isRefusal(error)) client.release(error instanceof Error ? error : true)
    else await rollBack(client, limits)
    return { committed: sentCommit ? 'unknown' : false, error }
  }
}

async function sendFirst(client: PoolClient, limits: PostgresLimits, work: TwoTrips<unknown>): Promise<QueryResult[]> {
  // Settings of the transaction, not of the session, so that a pooler in between may share connections.
  const begin = [
    'BEGIN ISOLATION LEVEL READ COMMITTED',
    `SET LOCAL lock_timeout = ${milliseconds(limits.lockSeconds)}`,
    `SET LOCAL statement_timeout = ${milliseconds(limits.transactionSeconds)}`,
    `SET LOCAL idle_in_transaction_session_timeout = ${milliseconds(limits.transactionSeconds)}`,
    ...(work.durable ? [] : ['SET LOCAL synchronous_commit = off']),
  ].join('; ')
  const [begun, ...answers] = await Promise.allSettled([
    client.query(begin),
    ...work.first.map((statement) => client.query(asQuery(statement))),
  ])
  if (begun?.status === 'rejected') throw begun.reason
  return answers.map((answer) => {
    if (answer.status === 'rejected') throw answer.reason
    return answer.value
  })
}

async function rollBack(client: PoolClient, limits: PostgresLimits): Promise<void> {
  try {
    await within(limits.lockSeconds, client.query('ROLLBACK'), 'the database did not answer in time')
    client.release()
  } catch {
    client.release(true)
  }
}

function asQuery({ name, text, values }: Statement): { name: string; text: string; values: unknown[] } {
  return { name, text, values: [...values] }
}

function milliseconds(seconds: number): number {
  return Math.max(1, Math.round(seconds * 1000))
}

/** The five characters by which PostgreSQL names an error; `undefined` for what isn't the server's. */
export function sqlState(thrown: unknown): string | undefined {
  return typeof thrown === 'object' && thrown !== null && 'severity' in thrown && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : undefined
}

/** Whether the server refused a statement and goes on serving. Otherwise the connection, or the server, is gone. */
function isRefusal(thrown: unknown): boolean {
  const state = sqlState(thrown)
  return state !== undefined && !['57P', '08', '53', '25P03'].some((kind) => state.startsWith(kind))
}

/** What to make of an error: `again`, since another transaction was in the way; `data` that the database can't take; a `lock` that was not to be had; the database is `away`. */
export function faultOf(thrown: unknown): 'again' | 'data' | 'lock' | 'away' {
  if (thrown instanceof RangeError) return 'data'
  const state = sqlState(thrown)
  if (state === '40P01' || state === '40001') return 'again'
  if (state === '55P03' || state === '57014') return 'lock'
  return state !== undefined && /^(2[1-3]|54)/.test(state) ? 'data' : 'away'
}

/** Why nothing can be reserved now, for callers. */
export function databaseAway(cause?: unknown): Error {
  return ledgerUnavailable('The database that budgets are kept in does not answer. Nothing was spent; try again in a moment.', cause)
}
