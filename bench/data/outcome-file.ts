import { createWriteStream, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import { pricesFileOf, type OutcomeRow } from '../../src/environment/index.js'
import type { DataSource } from '../report.js'

/** Dollars per million tokens. */
export type DeclaredPrices = Readonly<Record<string, { readonly input: number; readonly output: number }>>

/** A data set as an outcome table. */
export interface LoadedTable {
  readonly name: string
  readonly rows: Iterable<OutcomeRow>
  readonly sources: readonly DataSource[]
  readonly prices: DeclaredPrices
  /** What a reader of a figure must know about where its parts come from. */
  readonly notes: readonly string[]
}

/** Writes a table, and its prices beside it. The folder must lie outside the repository: the data's licences forbid copies in it. */
export async function writeTable(table: LoadedTable, file: string): Promise<number> {
  const out = createWriteStream(file)
  let rows = 0
  for (const row of table.rows) {
    rows += 1
    if (!out.write(`${JSON.stringify(row)}\n`)) await once(out, 'drain')
  }
  out.end()
  await finished(out)
  writeFileSync(pricesFileOf(file), JSON.stringify(table.prices))
  return rows
}
