import { closeSync, openSync } from 'node:fs'
import type Libsql from 'libsql'
import type { SqliteDatabase, SqliteStatement } from 'kysely'

/** Prepared statements kept; queries of the store are few, in few sizes. */
const statementsKept = 200
const busyTimeoutMs = 5_000
/** Tries of what SQLite doesn't wait for by itself. */
const openingTries = 50

type LibsqlDatabase = Libsql.Database

/**
 * Opens an embedded database through libsql, as kysely wants it: statements are prepared once, 64-bit integers are big integers.
 * `synchronous = NORMAL`: a commit survives the end of the process, but after a power cut the database may be as it was some commits ago
 * (never half of one), since the journal in front of it is the part that is durable.
 */
export async function openEmbedded(file: string): Promise<SqliteDatabase> {
  const { default: Database } = await import('libsql')
  makePrivate(file)
  const database = new Database(file)
  try {
    database.defaultSafeIntegers(true)
    run(database, `pragma busy_timeout = ${busyTimeoutMs}`)
    // Before the first table is made: pages of rows that are removed can be given back, a few at a time.
    await retrying(() => run(database, 'pragma auto_vacuum = incremental'))
    await retrying(() => run(database, 'pragma journal_mode = wal'))
    run(database, 'pragma synchronous = normal')
    // Pages that change again and again are brought into the file once for many changes; 32 MiB.
    run(database, 'pragma wal_autocheckpoint = 8192')
    // 16 MiB: records come in the order of time, so that what is written to are few pages; the system keeps the rest of the file.
    run(database, 'pragma cache_size = -16384')
    run(database, 'pragma temp_store = memory')
  } catch (thrown) {
    database.close()
    throw thrown
  }
  return new CachingDatabase(database)
}

/**
 * Makes a database that isn't there for its owner alone: it holds hashes of keys and comments of people. The files beside it (`-wal`, `-shm`) get
 * the same permissions from SQLite. A database that is there keeps those it has.
 */
function makePrivate(file: string): void {
  if (file === ':memory:') return
  try {
    closeSync(openSync(file, 'ax', 0o600))
  } catch {
    // It is there, or can't be made: then opening it tells why.
  }
}

/** Changing the mode of the journal doesn't wait for other processes, so it is tried again for a while. */
async function retrying(attempt: () => void): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return attempt()
    } catch (thrown) {
      if (tries >= openingTries || !isBusy(thrown)) throw thrown
      await new Promise((resolve) => setTimeout(resolve, 20 * Math.random() + 10))
    }
  }
}

/** True when another connection was in the way. */
export function isBusy(thrown: unknown): boolean {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : ''
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')
}

function run(database: LibsqlDatabase, sql: string): void {
  database.prepare(sql).all()
}

class CachingDatabase implements SqliteDatabase {
  private readonly statements = new Map<string, SqliteStatement>()

  constructor(private readonly database: LibsqlDatabase) {}

  prepare(sql: string): SqliteStatement {
    const known = this.statements.get(sql)
    if (known) {
      // The last used is the last to go.
      this.statements.delete(sql)
      this.statements.set(sql, known)
      return known
    }
    const prepared = this.database.prepare(sql)
    const statement: SqliteStatement = {
      // Some settings answer a row for each step, and stay under way until all are read.
      reader: prepared.reader || /^\s*pragma/i.test(sql),
      all: (parameters) => prepared.all(bindable(parameters)).map(readable),
      run: (parameters) => prepared.run(bindable(parameters)),
      iterate: (parameters) => prepared.iterate(bindable(parameters)),
    }
    this.statements.set(sql, statement)
    if (this.statements.size > statementsKept)
      for (const oldest of this.statements.keys()) return (this.statements.delete(oldest), statement)
    return statement
  }

  close(): void {
    this.statements.clear()
    this.database.close()
  }
}

/** A row whose bytes are what PostgreSQL's driver answers too: libsql answers bare buffers. Changed in place. */
function readable(row: unknown): unknown {
  if (typeof row === 'object' && row !== null)
    for (const [name, value] of Object.entries(row)) if (value instanceof ArrayBuffer) Reflect.set(row, name, Buffer.from(value))
  return row
}

/**
 * The values, once they are known to be some that libsql takes: it ends the process at a boolean, and binds what is no finite number. It binds each
 * number as a real, which columns of whole numbers turn back into what it was.
 */
function bindable(values: readonly unknown[]): unknown[] {
  for (const value of values)
    switch (typeof value) {
      case 'string':
        break
      case 'number':
        if (!Number.isFinite(value)) throw new TypeError(`not a value for a database: ${value}`)
        break
      case 'bigint':
        if (BigInt.asIntN(64, value) !== value) throw new TypeError('an integer that has no room in 64 bits')
        break
      default:
        if (value !== null && !(value instanceof Uint8Array)) throw new TypeError(`not a value for a database: ${typeof value}`)
    }
  return [...values]
}
