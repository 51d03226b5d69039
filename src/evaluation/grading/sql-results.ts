import { z } from 'zod'

const cell = z.union([z.null(), z.number(), z.string(), z.object({ i: z.string() }), z.object({ b: z.string() })])

/** What a statement gave: rows of cells (integers as `{i}`, bytes as `{b}` in hexadecimal), or an error. */
export const resultType = z.object({ rows: z.array(z.array(cell)).optional(), error: z.string().optional(), setup: z.string().optional() })
export type SqlResult = z.output<typeof resultType>
type Cell = z.output<typeof cell>
type Row = readonly Cell[]

/** Why two results differ, in a sentence; `undefined` where they are the same. O(rows · log rows). */
export function compareResults(given: readonly Row[], expected: readonly Row[], inOrder: boolean): string | undefined {
  if (given.length !== expected.length) return `The statement gives ${given.length} rows, not ${expected.length}.`
  const columns = expected[0]?.length ?? 0
  if (given.length > 0 && given[0]?.length !== columns) return `The statement gives ${given[0]?.length ?? 0} columns, not ${columns}.`
  const [a, b] = [given.map(keyOf), expected.map(keyOf)]
  if (a.every((key, index) => key === b[index])) return undefined
  const [sortedA, sortedB] = [[...a].sort(), [...b].sort()]
  const same = sortedA.every((key, index) => key === sortedB[index])
  if (same) return inOrder ? 'The statement gives the expected rows in another order.' : undefined
  return 'The statement gives other rows than expected.'
}

/** A row in a form in which equal rows are equal texts: 3 and 3.0 are the same number, and nine digits of fractions count. */
function keyOf(row: Row): string {
  return JSON.stringify(
    row.map((value) =>
      value === null
        ? null
        : typeof value === 'string'
          ? `t${value}`
          : typeof value === 'number'
            ? numberKey(value)
            : 'i' in value
              ? `n${value.i}`
              : `b${value.b}`,
    ),
  )
}

function numberKey(value: number): string {
  return Number.isInteger(value) && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? `n${BigInt(value)}` : `f${value.toPrecision(9)}`
}

/** Whether a statement says the order of its rows: ORDER BY outside brackets, texts and comments. O(length). */
export function isOrdered(statement: string): boolean {
  const bare = statement.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\//g, ' ')
  let depth = 0
  let outside = ''
  for (const char of bare) {
    if (char === '(') depth++
    else if (char === ')') depth = Math.max(0, depth - 1)
    else if (depth === 0) outside += char
  }
  return /\border\s+by\b/i.test(outside)
}

/**
 * Whether a statement can only ask: PRAGMA, ATTACH and VACUUM are statements of their own, and what follows WITH may write only where
 * the database lets it. O(length).
 */
export function isQuery(statement: string): boolean {
  return /^(?:select|with|values)\b/i.test(statement.replace(/^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/, ''))
}
