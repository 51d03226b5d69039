import { childRandom, shuffled } from '../../statistics/index.js'
import type { ByteReader, ByteWriter } from './bytes.js'

/** Columns, each below the classifier's `columns`, and their values. */
export interface SparseRow {
  readonly columns: Uint32Array
  readonly values: Float32Array
}

export interface LabelledRow {
  readonly row: SparseRow
  readonly label: string
}

/**
 * Multinomial logistic regression over labels that may still come, by stochastic gradient steps with a rate of each column's own (AdaGrad, Duchi et al. 2011). How many
 * passes and how sure it may be are chosen on a held-out fifth: what is predicted from them is a mixture of tables, which an overconfident label would spoil.
 */
export interface TaskClassifier {
  /** Probabilities of the labels, which sum to 1; empty while there are fewer than two. O(columns of the row × labels). */
  probabilities(row: SparseRow): Float64Array
  readonly labels: readonly string[]
  /** Chooses passes and sharpness, and learns all rows. O(passes × rows × columns × labels). */
  fit(rows: readonly LabelledRow[], seed: number): void
  /** One step. A label beyond the most there may be is not learned. */
  learn(one: LabelledRow): void
  write(to: ByteWriter): void
}

const rate = 0.5
const mostPasses = 12
const passesUnchosen = 6
const leastToChoose = 100
const sharpnesses = [0.4, 0.55, 0.7, 0.85, 1, 1.2]
/** Of a row's cells: the sum of squared gradients of its column comes first. */
const fixedCells = 1
const leastWidth = 8

export function createTaskClassifier(columns: number, mostLabels: number, from?: ByteReader): TaskClassifier {
  const labels: string[] = []
  const placeOf = new Map<string, number>()
  const rowAt = new Int32Array(columns).fill(-1)
  let width = leastWidth
  let used = 0
  let sharpness = 1
  let cells: Float32Array = new Float32Array(1024 * (fixedCells + width))
  if (from) read(from)

  function read(reader: ByteReader): void {
    for (let left = reader.count(mostLabels); left > 0; left--) placeFor(reader.text())
    sharpness = reader.number()
    width = reader.count(Math.max(leastWidth, 2 * mostLabels))
    const seen = reader.u32()
    used = seen.length
    seen.forEach((column, at) => {
      if (column < columns) rowAt[column] = at
    })
    cells = reader.f32(used * (fixedCells + width))
  }

  function placeFor(label: string): number {
    const known = placeOf.get(label)
    if (known !== undefined) return known
    if (labels.length >= mostLabels) return -1
    if (labels.length >= width) widen()
    placeOf.set(label, labels.length)
    labels.push(label)
    return labels.length - 1
  }

  function widen(): void {
    const before = fixedCells + width
    width *= 2
    const old = cells
    cells = new Float32Array(Math.max(1024, used) * (fixedCells + width))
    for (let at = 0; at < used; at++) cells.set(old.subarray(at * before, (at + 1) * before), at * (fixedCells + width))
  }

  function startOf(column: number): number {
    let at = rowAt[column] ?? -1
    if (at < 0) {
      at = used++
      rowAt[column] = at
      if (used * (fixedCells + width) > cells.length) {
        const old = cells
        cells = new Float32Array(Math.max(1024 * (fixedCells + width), 2 * old.length))
        cells.set(old)
      }
    }
    return at * (fixedCells + width)
  }

  function scores({ columns: own, values }: SparseRow): Float64Array {
    const out = new Float64Array(labels.length)
    const stride = fixedCells + width
    for (let entry = 0; entry < own.length; entry++) {
      const at = rowAt[own[entry] ?? 0] ?? -1
      if (at < 0) continue
      const value = values[entry] ?? 0
      const start = at * stride + fixedCells
      for (let label = 0; label < out.length; label++) out[label] = (out[label] ?? 0) + value * (cells[start + label] ?? 0)
    }
    return out
  }

  function step(row: SparseRow, place: number): void {
    const gradient = softmax(scores(row), 1)
    gradient[place] = (gradient[place] ?? 0) - 1
    let squared = 0
    for (const value of gradient) squared += value * value
    if (!(squared > 0)) return
    for (let entry = 0; entry < row.columns.length; entry++) {
      const value = row.values[entry] ?? 0
      if (value === 0) continue
      const start = startOf(row.columns[entry] ?? 0)
      const sum = (cells[start] ?? 0) + value * value * squared
      cells[start] = sum
      const scale = (rate * value) / Math.sqrt(sum)
      for (let label = 0; label < gradient.length; label++) {
        const cell = start + fixedCells + label
        cells[cell] = (cells[cell] ?? 0) - scale * (gradient[label] ?? 0)
      }
    }
  }

  function forget(): void {
    rowAt.fill(-1)
    used = 0
    cells.fill(0)
  }

  function pass(rows: readonly { readonly row: SparseRow; readonly place: number }[], order: Uint32Array): void {
    for (const at of order) {
      const one = rows[at]
      if (one) step(one.row, one.place)
    }
  }

  return {
    labels,
    probabilities: (row) => (labels.length < 2 ? new Float64Array(0) : softmax(scores(row), sharpness)),
    fit(given, seed) {
      const rows = given.flatMap(({ row, label }) => {
        const place = placeFor(label)
        return place < 0 ? [] : [{ row, place }]
      })
      if (labels.length < 2) return
      const random = childRandom(seed, 'task classifier')
      let passes = passesUnchosen
      if (rows.length >= leastToChoose) {
        const order = shuffled(rows.length, random)
        const cut = Math.floor(rows.length / 5)
        const held = [...order.subarray(0, cut)].flatMap((at) => rows[at] ?? [])
        const learned = order.subarray(cut)
        let least = Infinity
        for (let count = 1; count <= mostPasses; count++) {
          pass(
            rows,
            shuffled(learned.length, random).map((at) => learned[at] ?? 0),
          )
          const said = held.map(({ row }) => scores(row))
          for (const tried of sharpnesses) {
            const loss = said.reduce(
              (sum, score, at) => sum - Math.log(Math.max(1e-6, softmax(score, tried)[held[at]?.place ?? 0] ?? 0)),
              0,
            )
            if (loss < least) [least, passes, sharpness] = [loss, count, tried]
          }
        }
        forget()
      }
      for (let count = 0; count < passes; count++) pass(rows, shuffled(rows.length, random))
    },
    learn({ row, label }) {
      const place = placeFor(label)
      if (place >= 0 && labels.length > 1) step(row, place)
    },
    write(to) {
      to.number(labels.length)
      for (const label of labels) to.text(label)
      to.number(sharpness)
      to.number(width)
      const seen = new Uint32Array(used)
      rowAt.forEach((at, column) => {
        if (at >= 0) seen[at] = column
      })
      to.u32(seen)
      to.f32(cells.subarray(0, used * (fixedCells + width)))
    },
  }
}

function softmax(scores: Float64Array, sharpness: number): Float64Array {
  let top = -Infinity
  for (const score of scores) top = Math.max(top, score)
  let sum = 0
  const raised = scores.map((score) => {
    const value = Math.exp(sharpness * (score - top))
    sum += value
    return value
  })
  return raised.map((value) => value / sum)
}
