import { sql, type RawBuilder, type SqlBool } from 'kysely'
import type { ColumnKind, Value } from './bulk.js'
import type { Engine } from './connect.js'
import { padded } from './dictionary.js'

/** Values of one question: embedded they are parameters, to PostgreSQL one array. */
const most = { embedded: 256, postgresql: 5000 } as const

/**
 * Asks for rows whose column is among these values, in few questions, and answers all of them in order of the questions. PostgreSQL parses and plans
 * one array much faster than a list of parameters; embedded the list is padded, so that there are few statements to prepare.
 */
export async function amongAll<Item extends Value, Row>(
  engine: Engine,
  [column, kind]: readonly [column: string, kind: ColumnKind],
  items: readonly Item[],
  ask: (among: RawBuilder<SqlBool>) => Promise<readonly Row[]>,
): Promise<Row[]> {
  const answers: Row[] = []
  for (let start = 0; start < items.length; start += most[engine]) {
    const some = items.slice(start, start + most[engine])
    const among =
      engine === 'postgresql'
        ? sql<SqlBool>`${sql.ref(column)} = any(${some}::${sql.raw(kind)}[])`
        : sql<SqlBool>`${sql.ref(column)} in (${sql.join(padded(some))})`
    for (const row of await ask(among)) answers.push(row)
  }
  return answers
}
