import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import type { z } from 'zod'
import { dataSource, type DataSource } from '../report.js'

/** A data set that isn't there, or isn't what it should be: says which file, row and field. */
export class DataProblem extends Error {
  override name = 'DataProblem'
}

/** Where the data sets lie: `$BURSAR_DATA`, else `shared/data` beside the checkout. */
export function dataRoot(): string {
  return process.env['BURSAR_DATA'] ?? fileURLToPath(new URL('../../../shared/data', import.meta.url))
}

/** The one file of a folder that the pattern fits. Throws `DataProblem` when there is none or several. */
export function oneFile(folder: string, pattern: RegExp): string {
  if (!existsSync(folder))
    throw new DataProblem(`The data folder ${folder} doesn't exist. Set BURSAR_DATA to the folder that holds the data sets.`)
  const found = readdirSync(folder).filter((name) => pattern.test(name))
  if (found.length === 1) return join(folder, found[0] as string)
  throw new DataProblem(`${folder}: expected one file like ${pattern.source}, found ${found.length === 0 ? 'none' : found.join(', ')}.`)
}

/** The rows of a file of JSON Lines (maybe gzipped), each checked. Throws `DataProblem` with the row's number and field. */
export function readRows<T>(file: string, schema: z.ZodType<T>): { readonly rows: readonly T[]; readonly source: DataSource } {
  const packed = readFileSync(file)
  const content = (packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed) : packed).toString('utf8')
  const rows: T[] = []
  content.split('\n').forEach((line, index) => {
    if (line.trim() === '') return
    let json: unknown
    try {
      json = JSON.parse(line)
    } catch (thrown) {
      throw new DataProblem(`${file}, row ${index + 1}: is no JSON (${thrown instanceof Error ? thrown.message : 'unreadable'}).`)
    }
    const read = schema.safeParse(json)
    if (!read.success) {
      const issue = read.error.issues[0]
      throw new DataProblem(`${file}, row ${index + 1}, field ${issue?.path.join('.') || '(whole row)'}: ${issue?.message}.`)
    }
    rows.push(read.data)
  })
  return { rows, source: dataSource(basename(file), file, rows.length) }
}
