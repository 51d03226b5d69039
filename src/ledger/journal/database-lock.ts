import { readdirSync, realpathSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { BursarError } from '../../errors/index.js'
import { makeFolder } from './folder.js'
import { lifeOf, ProcessMark, readMark, type FoundMark } from './process-mark.js'

/** How long a process that is just going, or that tries at the same time, is waited for. */
const patienceMs = 1000

/**
 * Makes this process the only one that serves from an embedded database, until the mark is removed. Every candidate first puts up a mark of
 * its own and then looks for others, so of two that try at once at least one sees the other and steps back. Marks of dead processes are
 * cleared away. Throws `invalid_configuration`, naming the other process, when there is one; where the other can't be seen from here, only after
 * its mark has been watched for `leaseSeconds`. Makes the database's directory when it isn't there; throws the system's error when it can't.
 */
export async function lockDatabase(file: string, leaseSeconds: number): Promise<ProcessMark> {
  makeFolder(dirname(resolve(file)))
  const database = realPath(file)
  const begun = performance.now()
  for (;;) {
    const mark = new ProcessMark(`${database}.lock-${process.pid}-${Math.random().toString(36).slice(2, 10)}`)
    const other = livingOther(database, mark, leaseSeconds)
    if (other === undefined) return mark
    mark.remove()
    const waited = performance.now() - begun
    const patience = other.life === 'alive' ? patienceMs : patienceMs + leaseSeconds * 1000
    if (waited > patience) throw inUse(file, other.found)
    // Of unequal length, so that two that step back don't meet again.
    await sleep(20 + 100 * Math.random())
  }
}

function livingOther(
  database: string,
  own: ProcessMark,
  leaseSeconds: number,
): { readonly found: FoundMark; readonly life: 'alive' | 'fresh' } | undefined {
  const directory = dirname(database)
  const prefix = `${basename(database)}.lock-`
  for (const name of readdirSync(directory)) {
    const path = join(directory, name)
    // Drafts of marks have one more part to their name.
    if (!name.startsWith(prefix) || path === own.path || name.slice(prefix.length).includes('.')) continue
    const found = readMark(path)
    if (found === undefined) continue
    const life = lifeOf(found, leaseSeconds)
    if (life !== 'dead') return { found, life }
    rmSync(path, { force: true })
  }
  return undefined
}

function inUse(file: string, { content }: FoundMark): BursarError {
  const who = content === undefined ? 'another process' : `process ${content.pid} on ${content.host}`
  return new BursarError(
    `The database ${file} is in use by ${who}. One embedded database serves one process: stop the other one, give this one a file of its own, or use PostgreSQL to share budgets among several.`,
    { code: 'invalid_configuration', status: 500 },
  )
}

/** One name for a file, however it was reached. Of a file that isn't there yet, its directory's. */
function realPath(file: string): string {
  const absolute = resolve(file)
  try {
    return realpathSync(absolute)
  } catch {
    return join(realpathSync(dirname(absolute)), basename(absolute))
  }
}
