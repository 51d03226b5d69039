import { FactorModel } from './factor-model.js'
import { Board, type Search, type SearchSize } from './search.js'

export interface RacingOptions {
  /** Items that every method is scored on first. */
  readonly warmUp?: number
  /** Draws that a leader and its probability are read from. */
  readonly draws?: number
}

/** Draws kept to choose the next cells by, and how many are made afresh when scores came in. */
const POOL = 64
const FRESH = 8

/**
 * Bayesian racing: top-two Thompson sampling (Russo 2016) over the methods' means on the whole test set, as `FactorModel` draws them.
 * Of the method that is best in one draw and the one that is best in another, the one with fewer scores gets the next item of the
 * common order: the two are hard to tell apart, and a paired difference tells more than two means. Where all draws agree, the
 * challenger is whom the leader is hardest to tell from (T3C, Shang et al. 2020). Cells under way count as scored, so batches spread.
 * Nothing is spent on a method that is known exactly. It tells how probable the leader is the best, so a search can stop there.
 *
 * New draws are made when the scores have grown by a fiftieth, so a whole search of c cells takes some 400 × c steps, and O(methods ×
 * POOL) a cell where all agree.
 */
export function bayesianRacing(size: SearchSize, { warmUp = 5, draws = 400 }: RacingOptions = {}): Search {
  const { random } = size
  const board = new Board(size)
  const model = new FactorModel(board.methods, board.items, random)
  const given = new Int32Array(board.methods)
  const pool = Array.from({ length: POOL }, () => new Float64Array(board.methods))
  const bests = new Int32Array(POOL)
  let oldest = 0
  let drawnAt = 0
  let led: ReturnType<Search['leader']> | undefined
  const argmax = (values: Float64Array) => board.best((method) => values[method] ?? -Infinity)
  const least = () => board.best((method) => (board.left(method) === 0 ? -Infinity : -(given[method] ?? 0)))

  const refresh = (): void => {
    if (drawnAt > 0 && model.observed < Math.max(drawnAt + 4, drawnAt * 1.02)) return
    for (let index = drawnAt === 0 ? -POOL : 0; index < FRESH; index++) {
      const draw = pool[oldest]
      if (!draw) break
      model.sweep(draw)
      bests[oldest] = argmax(draw)
      oldest = (oldest + 1) % POOL
    }
    drawnAt = model.observed
  }

  /** Whom `first` is hardest to tell from, of those that aren't known exactly: the least mean²/variance of the difference. */
  const hardest = (first: number): number => {
    const lead = (draw: Float64Array, method: number) => (draw[first] ?? 0) - (draw[method] ?? 0)
    return board.best((method) => {
      if (method === first || (board.left(method) === 0 && board.left(first) === 0)) return -Infinity
      const mean = pool.reduce((sum, draw) => sum + lead(draw, method), 0) / POOL
      const variance = pool.reduce((sum, draw) => sum + (lead(draw, method) - mean) ** 2, 0) / POOL
      return -(Math.max(0, mean) ** 2) / Math.max(variance, 1e-18)
    })
  }

  const pick = (): number => {
    const fewest = least()
    if (fewest < 0 || (given[fewest] ?? 0) < Math.min(warmUp, board.items)) return fewest
    refresh()
    const first = bests[Math.floor(random.next() * POOL)] ?? 0
    let second = first
    for (let attempt = 0; attempt < 20 && second === first; attempt++) second = bests[Math.floor(random.next() * POOL)] ?? 0
    if (second === first) second = hardest(first)
    const pair = [first, second].filter((method) => method >= 0 && board.left(method) > 0)
    const behind = pair.sort((a, b) => (given[a] ?? 0) - (given[b] ?? 0))[0]
    if (behind !== undefined) return behind
    // Both are known exactly; whoever may still beat them is not.
    const other = hardest(first)
    return other >= 0 && board.left(other) > 0 ? other : fewest
  }

  return {
    id: 'racing',
    next: (count) => board.takePicked(count, pick, (method) => (given[method] = (given[method] ?? 0) + 1)),
    observe(cell, score) {
      board.observe(cell, score)
      model.observe(cell, score)
      led = undefined
    },
    forget(cell) {
      if (board.forget(cell)) given[cell.method] = (given[cell.method] ?? 1) - 1
    },
    leader() {
      if (led) return led
      const sums = new Float64Array(board.methods)
      const wins = new Int32Array(board.methods)
      const draw = new Float64Array(board.methods)
      for (let index = -FRESH; index < draws; index++) {
        model.sweep(draw)
        if (index < 0) continue
        for (let method = 0; method < board.methods; method++) sums[method] = (sums[method] ?? 0) + (draw[method] ?? 0)
        const best = argmax(draw)
        wins[best] = (wins[best] ?? 0) + 1
      }
      const method = Math.max(0, argmax(sums))
      led = {
        method,
        means: Array.from(sums, (sum, row) => (board.counts[row] ? sum / draws : NaN)),
        probability: (wins[method] ?? 0) / draws,
      }
      return led
    },
  }
}
