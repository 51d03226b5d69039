import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LossCurve } from '../../src/evaluation/index.js'
import { dataSource, type DataSource } from '../report.js'
import { DataProblem } from './source.js'

export interface LossMatrix {
  readonly name: string
  readonly curves: readonly LossCurve[]
  readonly source: DataSource
}

/** The three tasks of paper 089 with what its table 1 says, in percent, by the share of the data: 1/8, 1/16 … 1/512. */
export const publishedSelection: Readonly<
  Record<
    string,
    { readonly acceptThenStop: readonly number[]; readonly subTuning: readonly number[]; readonly relativeAccuracy: readonly number[] }
  >
> = {
  flan: {
    acceptThenStop: [90.9, 73.1, 65.5, 61.1, 52.2, 50.5, 45.6],
    subTuning: [60.9, 46.5, 36.4, 29.0, 24.6, 20.9, 16.4],
    relativeAccuracy: [93.6, 93.2, 93.2, 93.2, 85.3, 93.2, 93.2],
  },
  wmt19: {
    acceptThenStop: [98.9, 97.0, 97.7, 86.0, 78.0, 73.4, 61.5],
    subTuning: [93.5, 87.1, 77.7, 64.5, 51.7, 41.6, 34.5],
    relativeAccuracy: [99.1, 99.1, 99.6, 99.1, 99.1, 99.1, 99.1],
  },
  gigaword: {
    acceptThenStop: [98.9, 97.6, 96.9, 92.0, 91.1, 89.1, 91.0],
    subTuning: [93.2, 89.3, 85.4, 80.9, 76.2, 69.9, 64.8],
    relativeAccuracy: [100, 91.4, 94.3, 100, 94.3, 94.3, 91.4],
  },
}

/**
 * `benchmark/{flan,wmt19,gigaword}.csv` of github.com/linhaowei1/Fine-tuning-Scaling-Law: a row for each model, a column for each
 * number of examples. Throws `DataProblem` with file, row and column. The files are not ours to copy: clone the repository and give its
 * folder `benchmark`.
 */
export function loadLossMatrix(folder: string, name: string): LossMatrix {
  const file = join(folder, `${name}.csv`)
  if (!existsSync(file))
    throw new DataProblem(
      `${file} doesn't exist. Clone github.com/linhaowei1/Fine-tuning-Scaling-Law and give its folder benchmark with --curves.`,
    )
  const [head = [], ...rows] = readFileSync(file, 'utf8')
    .trim()
    .split(/\r?\n/)
    .map((line) => line.split(','))
  const family = head.indexOf('family')
  const curves = rows.map((cells, row): LossCurve => ({
    model: cells[0] ?? '',
    family: cells[family],
    points: head.flatMap((title, column) => {
      if (!/^\d+$/.test(title)) return []
      const loss = Number(cells[column])
      if (!(loss > 0)) throw new DataProblem(`${file}, row ${row + 1}, column ${title}: "${cells[column] ?? ''}" is no loss.`)
      return [{ examples: Number(title), loss }]
    }),
  }))
  return { name, curves, source: dataSource(`fine-tuning losses, ${name}`, file, curves.length) }
}
