import { createRequire } from 'node:module'
import { z } from 'zod'
import { InvalidRequest, BursarError } from '../../../errors/index.js'
import { codeIn } from '../code-blocks.js'
import { compareResults, isOrdered, isQuery, resultType, type SqlResult } from '../sql-results.js'
import { runProgram, usualLimits } from '../sandbox/run-program.js'
import { readConfig, textValue, type CheckKind, type DeclaredCheck, type Graded } from '../check-kind.js'

const config = z.strictObject({
  /** Statements that create and fill the tables. */
  schema: z.string().optional(),
  /** A SQLite file in place of `schema`: opened for reading only. */
  database: z.string().optional(),
  seconds: z.number().positive().max(300).default(10),
  ordered: z.boolean().optional(),
})

/** Rows and characters of a result that are compared at most. */
const MOST_ROWS = 10_000
const MOST_OUTPUT = 32 * 1024 * 1024

/**
 * What runs in the process: our own code, so the answer's statement is what has to be held in. It is a single query (`isQuery`), so it
 * can neither attach files nor change settings; and the database takes no writing.
 */
const PROGRAM = `const given = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
const Database = require(given.libsql)
const cell = (value) => value === null ? null : typeof value === 'bigint' ? { i: value.toString() } : typeof value === 'number' ? value : typeof value === 'string' ? value : { b: Buffer.from(value).toString('hex') }
const tell = (told) => process.stdout.write(JSON.stringify(told))
// As SQLite is usually built, a name in double quotation marks that no column has is a text; libsql is built without that.
const prepare = (database, statement, times = 50) => {
  try {
    return database.prepare(statement)
  } catch (fault) {
    const name = /^no such column: "?([^"]*?)"?(?: - |$)/.exec(String(fault.message))?.[1]
    if (name === undefined || times === 0 || !statement.includes('"' + name + '"')) throw fault
    return prepare(database, statement.replaceAll('"' + name + '"', "'" + name.replaceAll("'", "''") + "'"), times - 1)
  }
}
const run = (statement) => {
  const database = given.database ? new Database(given.database, { readonly: true, fileMustExist: true }) : new Database(':memory:')
  try {
    if (given.schema) database.exec(given.schema)
  } catch (fault) {
    return { setup: String(fault.message) }
  }
  try {
    database.exec('PRAGMA query_only = 1')
    const prepared = prepare(database, statement)
    if (!prepared.reader) return { error: 'the statement gives no rows' }
    const rows = []
    for (const row of prepared.safeIntegers(true).raw(true).iterate()) {
      if (rows.length >= given.rows) return { error: 'more than ' + given.rows + ' rows' }
      rows.push(row.map(cell))
    }
    return { rows }
  } catch (fault) {
    return { error: String(fault.message) }
  } finally {
    database.close()
  }
}
tell({ expected: run(given.expected), given: run(given.statement) })
`

const told = z.object({ expected: resultType, given: resultType })

/**
 * Runs the statement of an answer and the expected one on the same tables, each on a database of its own (in memory, or a file opened
 * for reading only), and compares what they give: the same rows, in the same order where the expected one ends with ORDER BY (else in
 * any), column by column whatever the columns' names; numbers to nine digits. A name in double quotation marks that no column has is a
 * text, as in most builds of SQLite. One statement, which may only read. In a process of its own, with limits.
 */
export const sql: CheckKind = {
  kind: 'sql',
  about:
    'The SQL statement in the answer gives the same rows as `value`. `config`: `schema` (statements that make the tables) or `database` (a SQLite file), `seconds`, `ordered`.',
  verbatim: true,
  bind(declared, path) {
    const { schema, database, seconds, ordered } = readConfig(config, declared, path)
    if ((schema === undefined) === (database === undefined))
      throw new InvalidRequest(
        'sql needs either `config.schema` (statements that create and fill the tables) or `config.database` (a SQLite file).',
        { path: `${path}.config` },
      )
    const expected = textValue(declared, path)
    if (!isQuery(expected))
      throw new InvalidRequest('`value` of sql is a query: a statement that begins with SELECT, WITH or VALUES.', { path: `${path}.value` })
    const inOrder = ordered ?? isOrdered(expected)
    const libsql = createRequire(import.meta.url).resolve('libsql')
    return {
      async grade(answer, { environment: { signal } }): Promise<Graded> {
        const statement = statementIn(answer)
        if (!isQuery(statement))
          return { score: 0, reason: 'The answer holds no query (a statement that begins with SELECT, WITH or VALUES).' }
        const input = JSON.stringify({ libsql, schema, database, expected, statement, rows: MOST_ROWS })
        const ran = await runProgram(
          { interpreter: 'node', text: PROGRAM, input, ownFiles: true },
          { ...usualLimits, seconds, outputBytes: MOST_OUTPUT },
          signal,
        )
        if (ran.end === 'time') return { score: 0, reason: `The statement took longer than ${seconds} seconds.` }
        const read = ran.end === 'exit' && ran.code === 0 ? told.safeParse(JSON.parse(ran.stdout)) : undefined
        if (read?.success !== true) return { score: 0, reason: 'The statement took more memory, or gave more, than it may.' }
        return graded(read.data.expected, read.data.given, inOrder, declared)
      },
    }
  },
}

function graded(expected: SqlResult, given: SqlResult, inOrder: boolean, { type }: DeclaredCheck): Graded {
  const fault = expected.setup ?? expected.error
  // What the suite itself says wrong is no fault of the answer.
  if (fault !== undefined)
    throw new BursarError(
      `The check \`${type}\` can’t be made: ${expected.setup === undefined ? 'its expected statement' : 'its schema or database'} fails (${fault}).`,
      { code: 'invalid_configuration', status: 500 },
    )
  if (given.error !== undefined || given.rows === undefined)
    return { score: 0, reason: `The statement fails: ${(given.error ?? 'no rows').slice(0, 200)}.` }
  const difference = compareResults(given.rows, expected.rows ?? [], inOrder)
  return { score: difference === undefined ? 1 : 0, reason: difference ?? 'The statement gives the expected rows.' }
}

/** The statement in an answer: its block of SQL, else what begins with SELECT, WITH or VALUES; without closing semicolons. */
function statementIn(answer: string): string {
  const found = codeIn(answer, ['sql', 'sqlite', 'sqlite3', 'postgresql', 'mysql'])
  const start = found.search(/^[^\S\n]*(?:select|with|values)\b/im)
  return (start < 0 ? found : found.slice(start)).trim().replace(/[;\s]+$/, '')
}
