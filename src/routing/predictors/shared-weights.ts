import type { ArmId } from '../contracts.js'
import { mostArms } from './arm-means.js'
import type { ByteReader, ByteWriter } from './bytes.js'
import { designColumns, type Row } from './design.js'

/**
 * Weights of a linear model of many arms: one component that all arms share (how hard the request is) and one of each arm's own (what it is better
 * at), f_m(x) = u·x + v_m·x, with the penalty ½λu|u|² + ½λv Σ|v_m|² (regularized multi-task learning, Evgeniou & Pontil 2004). Only columns that were
 * seen take memory: 4 bytes × (arms + 2) each.
 */
export interface SharedWeights {
  /** u·x + v_m·x of each arm; an arm never seen has v_m = 0. O(columns of x × arms). */
  scores(row: Row, arms: readonly ArmId[]): Float64Array
  score(row: Row, arm: ArmId): number
  /** Adds step·x/λu to u and step·x/λv to v_m. */
  step(row: Row, arm: ArmId, step: number): void
  /** |x|²(1/λu + 1/λv): how far a step of 1 moves the score. */
  reach(row: Row): number
  /** Counts x in (once an observation) for `spread`. */
  count(row: Row, arm: ArmId, weight: number): void
  /** Σ x_j²/(λ + c_j), with c_j what was counted of column j for the arm: the variance of its score in units of an outcome's (diagonal of the Hessian). */
  spread(row: Row, arms: readonly ArmId[]): Float64Array
  write(to: ByteWriter): void
}

export interface Penalties {
  readonly shared: number
  readonly own: number
}

const fixedCells = 2

export function createSharedWeights(penalties: Penalties, from?: ByteReader): SharedWeights {
  const rowAt = new Int32Array(designColumns).fill(-1)
  const slots = new Map<ArmId, number>()
  const counted: number[] = []
  let all = 0
  let capacity = 2
  let rows = 0
  let cells: Float32Array = new Float32Array(1024 * (fixedCells + capacity))
  if (from) read(from)

  function read(reader: ByteReader): void {
    capacity = reader.count(2 * mostArms)
    for (let left = reader.count(mostArms); left > 0; left--) {
      slots.set(reader.text(), slots.size)
      counted.push(reader.number())
    }
    all = reader.number()
    const columns = reader.u32()
    rows = columns.length
    columns.forEach((column, row) => {
      if (column < designColumns) rowAt[column] = row
    })
    cells = reader.f32(rows * (fixedCells + capacity))
  }

  const stride = () => fixedCells + capacity

  /** The arm's cell in every row; -1 when there are too many arms: those have the shared component alone. */
  function slotOf(arm: ArmId): number {
    const known = slots.get(arm)
    if (known !== undefined) return known
    if (slots.size >= mostArms) return -1
    if (slots.size >= capacity) widen()
    slots.set(arm, slots.size)
    counted.push(0)
    return slots.size - 1
  }

  function widen(): void {
    const before = stride()
    const old = cells
    capacity *= 2
    cells = new Float32Array(Math.max(1024, rows) * stride())
    for (let row = 0; row < rows; row++) cells.set(old.subarray(row * before, (row + 1) * before), row * stride())
  }

  function startOf(column: number): number {
    let row = rowAt[column] ?? -1
    if (row < 0) {
      row = rows++
      rowAt[column] = row
      if (rows * stride() > cells.length) {
        const old = cells
        cells = new Float32Array(Math.max(1024 * stride(), 2 * old.length))
        cells.set(old)
      }
    }
    return row * stride()
  }

  const weights: SharedWeights = {
    scores({ columns, values }, arms) {
      const wide = stride()
      const places = Int32Array.from(arms, (arm) => slots.get(arm) ?? -1)
      const out = new Float64Array(arms.length)
      let shared = 0
      for (let at = 0; at < columns.length; at++) {
        const row = rowAt[columns[at] ?? 0] ?? -1
        if (row < 0) continue
        const value = values[at] ?? 0
        const start = row * wide
        shared += value * (cells[start + 1] ?? 0)
        for (let arm = 0; arm < places.length; arm++) {
          const place = places[arm] ?? -1
          if (place >= 0) out[arm] = (out[arm] ?? 0) + value * (cells[start + fixedCells + place] ?? 0)
        }
      }
      return out.map((own) => own + shared)
    },
    score({ columns, values }, arm) {
      const wide = stride()
      const place = slots.get(arm) ?? -1
      let sum = 0
      for (let at = 0; at < columns.length; at++) {
        const row = rowAt[columns[at] ?? 0] ?? -1
        if (row < 0) continue
        const start = row * wide
        sum += (values[at] ?? 0) * ((cells[start + 1] ?? 0) + (place < 0 ? 0 : (cells[start + fixedCells + place] ?? 0)))
      }
      return sum
    },
    step({ columns, values }, arm, step) {
      const place = slotOf(arm)
      const shared = step / penalties.shared
      const own = step / penalties.own
      for (let at = 0; at < columns.length; at++) {
        const start = startOf(columns[at] ?? 0)
        const value = values[at] ?? 0
        cells[start + 1] = (cells[start + 1] ?? 0) + shared * value
        if (place >= 0) cells[start + fixedCells + place] = (cells[start + fixedCells + place] ?? 0) + own * value
      }
    },
    reach: ({ squaredLength }) => squaredLength * (1 / penalties.shared + 1 / penalties.own),
    count({ columns, values }, arm, weight) {
      const place = slotOf(arm)
      all += weight
      if (place >= 0) counted[place] = (counted[place] ?? 0) + weight
      for (let at = 0; at < columns.length; at++) {
        const start = startOf(columns[at] ?? 0)
        const value = values[at] ?? 0
        cells[start] = (cells[start] ?? 0) + weight * value * value
      }
    },
    spread({ columns, values }, arms) {
      const wide = stride()
      return Float64Array.from(arms, (arm) => {
        const share = all === 0 ? 0 : (counted[slots.get(arm) ?? -1] ?? 0) / all
        let sum = 0
        for (let at = 0; at < columns.length; at++) {
          const row = rowAt[columns[at] ?? 0] ?? -1
          const value = values[at] ?? 0
          sum += (value * value) / (penalties.own + share * (row < 0 ? 0 : (cells[row * wide] ?? 0)))
        }
        return sum
      })
    },
    write(to) {
      to.number(capacity)
      to.number(slots.size)
      let place = 0
      for (const arm of slots.keys()) {
        to.text(arm)
        to.number(counted[place++] ?? 0)
      }
      to.number(all)
      const columns = new Uint32Array(rows)
      rowAt.forEach((row, column) => {
        if (row >= 0) columns[row] = column
      })
      to.u32(columns)
      to.f32(cells.subarray(0, rows * stride()))
    },
  }
  return weights
}
