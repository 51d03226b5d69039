import type { ByteReader, ByteWriter } from './bytes.js'
import { designColumns, type Row } from './design.js'

/**
 * The mean direction of each topic's requests (Rocchio), and a request's probabilities of the topics: softmax of β × cosine + ln(share of the topic). β is
 * the one of a few under which the rows are likeliest, each compared with centroids that it was taken out of.
 */
export interface Centroids {
  /** Topics with their probabilities, which sum to 1; the least likely ones (below 1 in 1,000) are left out before. O(columns × topics). */
  probabilities(row: Row): readonly Topic[]
  /** False, and nothing learned, for a new topic when there are too many. */
  add(row: Row, topic: string): boolean
  /** Chooses β. The rows must have been added. */
  sharpen(rows: readonly { readonly row: Row; readonly category: string }[]): void
  write(to: ByteWriter): void
}

export interface Topic {
  readonly name: string
  readonly probability: number
}

const tried = [5, 10, 15, 20, 30, 40]
const leastProbability = 1e-3
/** Rows that β is chosen by. */
const mostCompared = 3000

export function createCentroids(most: number, from?: ByteReader): Centroids {
  const names: string[] = []
  const counts: number[] = []
  const squares: number[] = []
  const placeOf = new Map<string, number>()
  const columnAt = new Int32Array(designColumns).fill(-1)
  let sharpness = 15
  let width = 8
  let used = 0
  let cells: Float32Array = new Float32Array(1024 * width)
  if (from) {
    for (let left = from.count(most); left > 0; left--) {
      const name = from.text()
      placeOf.set(name, names.length)
      names.push(name)
      counts.push(from.number())
      squares.push(from.number())
    }
    sharpness = from.number()
    width = from.count(4 * most)
    const columns = from.u32()
    used = columns.length
    columns.forEach((column, at) => {
      if (column < designColumns) columnAt[column] = at
    })
    cells = from.f32(used * width)
  }

  function placeFor(topic: string): number {
    const known = placeOf.get(topic)
    if (known !== undefined) return known
    if (names.length >= most) return -1
    if (names.length >= width) {
      const old = cells
      const before = width
      width *= 2
      cells = new Float32Array(Math.max(1024, used) * width)
      for (let at = 0; at < used; at++) cells.set(old.subarray(at * before, (at + 1) * before), at * width)
    }
    placeOf.set(topic, names.length)
    names.push(topic)
    counts.push(0)
    squares.push(0)
    return names.length - 1
  }

  function products({ columns, values }: Row): Float64Array {
    const out = new Float64Array(names.length)
    for (let at = 0; at < columns.length; at++) {
      const place = columnAt[columns[at] ?? 0] ?? -1
      if (place < 0) continue
      const value = values[at] ?? 0
      for (let topic = 0; topic < out.length; topic++) out[topic] = (out[topic] ?? 0) + value * (cells[place * width + topic] ?? 0)
    }
    return out
  }

  /** Cosines with the centroids; that of `left` as if the row had never been in it. */
  function cosines(row: Row, left: number): Float64Array {
    const own = Math.sqrt(row.squaredLength)
    return products(row).map((product, topic) => {
      const square = squares[topic] ?? 0
      const [inner, length] =
        topic === left
          ? [product - row.squaredLength, Math.sqrt(Math.max(0, square - 2 * product + row.squaredLength))]
          : [product, Math.sqrt(square)]
      return own > 0 && length > 0 ? inner / (own * length) : 0
    })
  }

  function softmax(likeness: Float64Array, beta: number): Float64Array {
    const scores = likeness.map((value, topic) => beta * value + Math.log((counts[topic] ?? 0) + 1))
    const top = Math.max(...scores)
    const raised = scores.map((score) => Math.exp(score - top))
    const sum = raised.reduce((total, value) => total + value, 0)
    return raised.map((value) => value / sum)
  }

  return {
    probabilities(row) {
      const found = softmax(cosines(row, -1), sharpness)
      const kept = names.flatMap((name, at) => ((found[at] ?? 0) >= leastProbability ? [{ name, probability: found[at] ?? 0 }] : []))
      const sum = kept.reduce((total, { probability }) => total + probability, 0)
      return kept.map(({ name, probability }) => ({ name, probability: probability / sum }))
    },
    add(row, topic) {
      const place = placeFor(topic)
      if (place < 0) return false
      let product = 0
      for (let at = 0; at < row.columns.length; at++) {
        const column = row.columns[at] ?? 0
        let start = columnAt[column] ?? -1
        if (start < 0) {
          start = used++
          columnAt[column] = start
          if (used * width > cells.length) {
            const old = cells
            cells = new Float32Array(Math.max(1024 * width, 2 * old.length))
            cells.set(old)
          }
        }
        const cell = start * width + place
        const value = row.values[at] ?? 0
        product += value * (cells[cell] ?? 0)
        cells[cell] = (cells[cell] ?? 0) + value
      }
      squares[place] = (squares[place] ?? 0) + 2 * product + row.squaredLength
      counts[place] = (counts[place] ?? 0) + 1
      return true
    },
    sharpen(rows) {
      if (names.length < 2 || rows.length === 0) return
      const stride = Math.max(1, Math.floor(rows.length / mostCompared))
      const compared = rows
        .filter((_, at) => at % stride === 0)
        .map(({ row, category }) => ({ left: placeOf.get(category) ?? -1, likeness: cosines(row, placeOf.get(category) ?? -1) }))
      let most = -Infinity
      for (const beta of tried) {
        let sum = 0
        for (const { left, likeness } of compared) sum += Math.log(Math.max(1e-9, softmax(likeness, beta)[left] ?? 0))
        if (sum > most) {
          most = sum
          sharpness = beta
        }
      }
    },
    write(to) {
      to.number(names.length)
      names.forEach((name, at) => {
        to.text(name)
        to.number(counts[at] ?? 0)
        to.number(squares[at] ?? 0)
      })
      to.number(sharpness)
      to.number(width)
      const columns = new Uint32Array(used)
      columnAt.forEach((at, column) => {
        if (at >= 0) columns[at] = column
      })
      to.u32(columns)
      to.f32(cells.subarray(0, used * width))
    },
  }
}
