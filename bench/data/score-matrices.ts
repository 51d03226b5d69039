import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { dataSource, type DataSource } from '../report.js'
import { rankOrder, workersOf } from './rank-order.js'
import { DataProblem, oneFile, readRows } from './source.js'

/** Scores of methods on items, without gaps: items that some method has no score for are left out. */
export interface ScoreMatrix {
  readonly name: string
  readonly methods: readonly string[]
  readonly items: number
  /** By method, then item. */
  readonly scores: readonly Float32Array[]
  /** Names of the items' categories, and each item's place among them. One category where the data has none. */
  readonly categories: readonly string[]
  readonly categoryOf: Int32Array
  readonly source: DataSource
  /** What was done to the rows before they were used, for reports. */
  readonly note?: string | undefined
}

const alpaca = z.object({ instruction_id: z.int(), model: z.string().min(1), preference_vs_gpt4_1106_preview: z.number().min(0).max(1) })
const nineModels = z.looseObject({
  id: z.string().min(1),
  task_name: z.string().optional(),
  scores: z.record(z.string(), z.number().min(0).max(1)),
})

/** Matrices of a data root, each as a function, so that one that is absent doesn't keep the others from being measured. */
export const scoreMatrices: Readonly<Record<string, (root: string) => ScoreMatrix>> = {
  alpaca_eval(root) {
    const { rows, source } = readRows(oneFile(join(root, 'alpaca_eval'), /^scores_\d+_models.*\.jsonl(\.gz)?$/), alpaca)
    const table = new Map<number, Map<string, number>>()
    for (const row of rows) {
      const cells = table.get(row.instruction_id) ?? new Map<string, number>()
      table.set(row.instruction_id, cells.set(row.model, row.preference_vs_gpt4_1106_preview))
    }
    return matrix(
      'alpaca_eval',
      [...table.values()].map((scores) => ({ category: 'all', scores })),
      source,
    )
  },
  llmrouter_9models(root) {
    const { rows, source } = readRows(oneFile(join(root, 'llmrouter_9models'), /^nine_models_scores.*\.jsonl(\.gz)?$/), nineModels)
    return matrix(
      'llmrouter_9models',
      rows.map((row) => ({ category: row.task_name ?? 'all', scores: new Map(Object.entries(row.scores)) })),
      source,
    )
  },
  open_llm_lb_v2(root) {
    const file = oneFile(join(root, 'open_llm_lb_v2'), /^per_item_correctness.*\.csv(\.gz)?$/)
    return openLeaderboard(file)
  },
}

/** One task of the leaderboard: its rows in file order, by model. */
interface Task {
  readonly name: string
  readonly rows: readonly number[][]
}

/**
 * The leaderboard's table. Rows of one number aren't the same document for all models (see `rank-order.ts`): where a task is there in
 * full they are put back into one order, all tasks of one benchmark together. Where it isn't, the rows stay as they are, and the note
 * says so.
 */
function openLeaderboard(file: string): ScoreMatrix {
  const packed = readFileSync(file)
  const [head, ...lines] = (packed[0] === 0x1f && packed[1] === 0x8b ? gunzipSync(packed) : packed).toString('utf8').trim().split('\n')
  const methods = (head ?? '').trim().split(',').slice(2)
  const tasks = new Map<string, { name: string; rows: number[][]; whole: boolean }>()
  let left = 0
  for (const [index, line] of lines.entries()) {
    const [name = '', item, ...texts] = line.trim().split(',')
    if (texts.length !== methods.length)
      throw new DataProblem(`${file}, row ${index + 2}: has ${texts.length} scores, not ${methods.length}.`)
    const task = tasks.get(name) ?? { name, rows: methods.map((): number[] => []), whole: true }
    tasks.set(name, task)
    const values = texts.map((text) => (text.trim() === '' ? NaN : Number(text)))
    if (Number(item) !== (task.rows[0]?.length ?? 0)) task.whole = false
    if (values.every((value) => Number.isFinite(value))) for (const [method, value] of values.entries()) task.rows[method]?.push(value)
    else [task.whole, left] = [false, left + 1]
  }
  if (tasks.size === 0) throw new DataProblem(`${file}: no item has a score of every method.`)
  const benchmarks = new Map<string, Readonly<Task & { whole: boolean }>[]>()
  for (const task of tasks.values()) {
    const benchmark = task.name.split('_')[1] ?? task.name
    benchmarks.set(benchmark, [...(benchmarks.get(benchmark) ?? []), task])
  }
  const moved = new Set<string>()
  const ordered = [...benchmarks.values()].flatMap((family): Task[] => {
    if (!family.every(({ whole }) => whole)) return family
    const workers = workersOf(family.map(({ rows }) => rows))
    for (const [method, count] of workers.entries()) if (count > 1) moved.add(methods[method] ?? '')
    return family.map(({ name, rows }) => ({ name, rows: rows.map((scores, method) => inOrder(scores, workers[method] ?? 1)) }))
  })
  const items = ordered.reduce((sum, { rows }) => sum + (rows[0]?.length ?? 0), 0)
  const broken = [...tasks.values()].filter(({ whole }) => !whole).length
  return {
    name: 'open_llm_lb_v2',
    methods,
    items,
    scores: methods.map((_, method) => Float32Array.from(ordered.flatMap(({ rows }) => rows[method] ?? []))),
    categories: ordered.map(({ name }) => name),
    categoryOf: Int32Array.from(ordered.flatMap(({ rows }, task) => (rows[0] ?? []).map(() => task))),
    source: dataSource(basename(file), file, lines.length),
    note: `rows of ${moved.size} of ${methods.length} models put back into document order (the file has them by process of the harness)${broken === 0 ? '' : `; ${broken} tasks have gaps and stay as they are`}${left === 0 ? '' : `; ${left} rows without all scores left out`}`,
  }
}

function inOrder(scores: readonly number[], workers: number): number[] {
  const byDocument = new Array<number>(scores.length)
  for (const [place, document] of rankOrder(scores.length, workers).entries()) byDocument[document] = scores[place] ?? NaN
  return byDocument
}

function matrix(
  name: string,
  rows: readonly { readonly category: string; readonly scores: ReadonlyMap<string, number> }[],
  source: DataSource,
): ScoreMatrix {
  const methods = [...new Set(rows.flatMap(({ scores }) => [...scores.keys()]))].sort()
  const whole = rows.filter(({ scores }) => methods.every((method) => scores.has(method)))
  if (whole.length === 0) throw new DataProblem(`${source.name}: no item has a score of every method.`)
  const categories = [...new Set(whole.map(({ category }) => category))].sort()
  return {
    name,
    methods,
    items: whole.length,
    scores: methods.map((method) => Float32Array.from(whole, ({ scores }) => scores.get(method) ?? NaN)),
    categories,
    categoryOf: Int32Array.from(whole, ({ category }) => categories.indexOf(category)),
    source,
  }
}
