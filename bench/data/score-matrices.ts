import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { dataSource, type DataSource } from '../report.js'
import { DataProblem, oneFile, readRows } from './source.js'

/** Scores of methods on items, without gaps: items that some method has no score for are left out. */
export interface ScoreMatrix {
  readonly name: string
  readonly methods: readonly string[]
  readonly items: number
  /** By method, then item. */
  readonly scores: readonly Float64Array[]
  readonly source: DataSource
}

const alpaca = z.object({ instruction_id: z.int(), model: z.string().min(1), preference_vs_gpt4_1106_preview: z.number().min(0).max(1) })
const nineModels = z.looseObject({ id: z.string().min(1), scores: z.record(z.string(), z.number().min(0).max(1)) })

/** Matrices of a data root, each as a function, so that one that is absent doesn't keep the others from being measured. */
export const scoreMatrices: Readonly<Record<string, (root: string) => ScoreMatrix>> = {
  alpaca_eval(root) {
    const { rows, source } = readRows(oneFile(join(root, 'alpaca_eval'), /^scores_\d+_models.*\.jsonl(\.gz)?$/), alpaca)
    const cells = new Map<string, Map<string, number>>()
    for (const row of rows) cellsOf(cells, String(row.instruction_id)).set(row.model, row.preference_vs_gpt4_1106_preview)
    return matrix('alpaca_eval', cells, source)
  },
  llmrouter_9models(root) {
    const { rows, source } = readRows(oneFile(join(root, 'llmrouter_9models'), /^nine_models_scores.*\.jsonl(\.gz)?$/), nineModels)
    return matrix('llmrouter_9models', new Map(rows.map((row) => [row.id, new Map(Object.entries(row.scores))])), source)
  },
  open_llm_lb_v2(root) {
    const file = oneFile(join(root, 'open_llm_lb_v2'), /^per_item_correctness.*\.csv(\.gz)?$/)
    const packed = readFileSync(file)
    const [head, ...lines] = (packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed) : packed).toString('utf8').trim().split('\n')
    const methods = (head ?? '').split(',').slice(2)
    const cells = new Map<string, Map<string, number>>()
    for (const [index, line] of lines.entries()) {
      const [task, item, ...values] = line.split(',')
      if (values.length !== methods.length) throw new DataProblem(`${file}, row ${index + 2}: has ${values.length} scores, not ${methods.length}.`)
      const row = cellsOf(cells, `${task} ${item}`)
      for (const [column, text] of values.entries()) if (text.trim() !== '' && Number.isFinite(Number(text))) row.set(methods[column] ?? '', Number(text))
    }
    return matrix('open_llm_lb_v2', cells, dataSource(basename(file), file, lines.length))
  },
}

function cellsOf(cells: Map<string, Map<string, number>>, item: string): Map<string, number> {
  let row = cells.get(item)
  if (!row) cells.set(item, (row = new Map()))
  return row
}

function matrix(name: string, cells: ReadonlyMap<string, ReadonlyMap<string, number>>, source: DataSource): ScoreMatrix {
  const methods = [...new Set([...cells.values()].flatMap((row) => [...row.keys()]))].sort()
  const whole = [...cells.values()].filter((row) => methods.every((method) => row.has(method)))
  if (whole.length === 0) throw new DataProblem(`${source.name}: no item has a score of every method.`)
  return { name, methods, items: whole.length, scores: methods.map((method) => Float64Array.from(whole, (row) => row.get(method) ?? NaN)), source }
}
