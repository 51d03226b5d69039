import { resolve } from 'node:path'
import type { Environment } from './interpolate.js'
import type { Config } from './schema.js'
import { Secret } from './secret.js'

/** Paths from the file's folder, and what the environment says. Without a file the ledger lies in the folder of Bursar's own things. */
export function resolveLedger(ledger: Config['ledger'], env: Environment, folder: string | undefined): Config['ledger'] {
  const path = resolve(folder ?? '.bursar', ledger.path ?? 'bursar.db')
  return {
    ...ledger,
    path,
    journal: ledger.journal === undefined ? path.replace(/(\.db)?$/, '.journal') : resolve(folder ?? '.', ledger.journal),
    database_url: ledger.database_url ?? secretFrom(env, 'DATABASE_URL'),
    redis_url: ledger.redis_url ?? secretFrom(env, 'BURSAR_REDIS_URL'),
  }
}

/** What is wrong with the address of a database: `DATABASE_URL` often is another program's. Tells nothing of the address itself. */
export function databaseProblem(ledger: Config['ledger'], env: Environment): string | undefined {
  if (ledger.store === 'memory') return undefined
  const own = ledger.database_url?.reveal()
  const address = own ?? firstSet(['DATABASE_URL'], env)
  if (address === undefined || /^postgres(ql)?:\/\//i.test(address)) return undefined
  return own === undefined
    ? 'DATABASE_URL in the environment is not the address of a PostgreSQL database (postgres://…); unset it, and Bursar keeps its ledger in a file, or set this to the right one'
    : 'expected the address of a PostgreSQL database, postgres://user:password@host/database'
}

function secretFrom(env: Environment, name: string): Secret | undefined {
  const value = firstSet([name], env)
  return value === undefined ? undefined : new Secret(value)
}

/** The first of these variables that is set to something. */
export function firstSet(names: readonly string[], env: Environment): string | undefined {
  for (const name of names) {
    const value = env[name]?.trim()
    if (value !== undefined && value !== '') return value
  }
  return undefined
}
