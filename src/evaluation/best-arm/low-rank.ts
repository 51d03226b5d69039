import { normalDraw, type Random } from '../../statistics/index.js'
import { Board, type Cell, type Search, type SearchSize } from './search.js'

export interface LowRankOptions {
  /** Share of the cells that are scored at random first. */
  readonly warmUp?: number
  /** K, factorizations in the ensemble. */
  readonly members?: number
  /** Share of the scores that each member leaves out. */
  readonly dropped?: number
  readonly ridge?: number
  /** Sweeps of alternating least squares. */
  readonly sweeps?: number
  /** η, deviations that an unseen cell may be better than predicted. */
  readonly optimism?: number
}

/**
 * UCB-E-LRF (074): an ensemble of rank-1 factorizations predicts the cells not scored yet, with a deviation; the method of the largest
 * mean over items of (score, or μ + η·σ) is scored on the items of largest σ. The final scores mix observed and predicted. Each refit
 * costs O(members × sweeps × methods × items), so one is made for each call of `next`.
 */
export function lowRank(
  size: SearchSize,
  { warmUp = 0.05, members = 64, dropped = 0.05, ridge = 0.1, sweeps = 10, optimism = 5 }: LowRankOptions = {},
): Search {
  const { random } = size
  const board = new Board(size)
  const cells = board.methods * board.items
  let given = 0
  let prediction: Prediction | undefined
  const predict = () => (prediction ??= predictCells(board, { members, dropped, ridge, sweeps }, random))
  return {
    id: 'ucb-e-lrf',
    next(count) {
      const picked: Cell[] = []
      while (picked.length < count && given < warmUp * cells) {
        const cell = board.takeCell({ method: Math.floor(random.next() * board.methods), item: Math.floor(random.next() * board.items) })
        if (!cell) continue
        given += 1
        picked.push(cell)
      }
      while (picked.length < count) {
        const { mean, deviation } = predict()
        const method = board.best((row) =>
          board.left(row) === 0 ? -Infinity : rowMean(board, row, (cell) => (mean[cell] ?? 0) + optimism * (deviation[cell] ?? 0)),
        )
        if (method < 0) break
        const widest = Array.from(board.order).sort(
          (a, b) => (deviation[method * board.items + b] ?? 0) - (deviation[method * board.items + a] ?? 0),
        )
        const before = picked.length
        for (const item of widest) {
          if (picked.length === count) break
          const cell = board.takeCell({ method, item })
          if (cell) picked.push(cell)
        }
        given += picked.length - before
        if (picked.length === before) break
      }
      return picked
    },
    observe(cell, score) {
      board.observe(cell, score)
      prediction = undefined
    },
    forget: (cell) => void board.forget(cell),
    leader() {
      const { mean } = predict()
      const means = Array.from({ length: board.methods }, (_, method) => rowMean(board, method, (cell) => mean[cell] ?? 0))
      return {
        method: Math.max(
          0,
          board.best((method) => means[method] ?? NaN),
        ),
        means,
        probability: null,
      }
    },
  }
}

/** Over all items: the score where there is one, else the prediction. */
function rowMean(board: Board, method: number, predicted: (cell: number) => number): number {
  const row = board.scores[method]
  let sum = 0
  for (let item = 0; item < board.items; item++) {
    const score = row?.[item] ?? NaN
    sum += Number.isNaN(score) ? predicted(method * board.items + item) : score
  }
  return sum / board.items
}

interface Prediction {
  readonly mean: Float64Array
  readonly deviation: Float64Array
}

function predictCells(
  board: Board,
  settings: Required<Pick<LowRankOptions, 'members' | 'dropped' | 'ridge' | 'sweeps'>>,
  random: Random,
): Prediction {
  const { methods, items } = board
  const sum = new Float64Array(methods * items)
  const squares = new Float64Array(methods * items)
  for (let member = 0; member < settings.members; member++) {
    const [u, v] = factorize(board, settings, random)
    for (let method = 0; method < methods; method++)
      for (let item = 0; item < items; item++) {
        const value = (u[method] ?? 0) * (v[item] ?? 0)
        const cell = method * items + item
        sum[cell] = (sum[cell] ?? 0) + value
        squares[cell] = (squares[cell] ?? 0) + value * value
      }
  }
  const mean = sum.map((total) => total / settings.members)
  const deviation = squares.map((total, cell) => Math.sqrt(Math.max(0, total / settings.members - (mean[cell] ?? 0) ** 2)))
  return { mean, deviation }
}

/** One member: rank 1 by alternating least squares with a ridge, on all but a few of the scores. */
function factorize(
  board: Board,
  { dropped, ridge, sweeps }: { readonly dropped: number; readonly ridge: number; readonly sweeps: number },
  random: Random,
): readonly [Float64Array, Float64Array] {
  const { methods, items } = board
  const u = new Float64Array(methods).map(() => normalDraw(random))
  const v = new Float64Array(items).map(() => normalDraw(random))
  const kept: { readonly method: number; readonly item: number; readonly score: number }[] = []
  for (const [method, row] of board.scores.entries())
    for (const [item, score] of row.entries()) if (!Number.isNaN(score) && random.next() >= dropped) kept.push({ method, item, score })
  const solve = (target: Float64Array, other: Float64Array, side: 'method' | 'item') => {
    const top = new Float64Array(target.length)
    const bottom = new Float64Array(target.length).fill(ridge)
    for (const cell of kept) {
      const at = cell[side]
      const factor = other[side === 'method' ? cell.item : cell.method] ?? 0
      top[at] = (top[at] ?? 0) + cell.score * factor
      bottom[at] = (bottom[at] ?? 0) + factor * factor
    }
    for (let index = 0; index < target.length; index++) target[index] = (top[index] ?? 0) / (bottom[index] ?? 1)
  }
  for (let sweep = 0; sweep < sweeps; sweep++) {
    solve(u, v, 'method')
    solve(v, u, 'item')
  }
  return [u, v]
}
