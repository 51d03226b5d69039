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

