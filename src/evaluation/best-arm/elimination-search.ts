import { Elimination } from './elimination.js'
import { Board, type Cell, type Search, type SearchSize } from './search.js'

export interface EliminationOptions {
  /** Such as 0.95. */
  readonly confidence?: number | undefined
  /** A loss of mean score, in [0, 1), that doesn't matter. */
  readonly indifference?: number | undefined
}

/**
 * Successive elimination (Even-Dar, Mannor and Mansour 2006): every method that isn't proven to lose to the leader is scored on the
 * next item of one random order, so all comparisons are paired; the proof is `Elimination`'s, which holds at every look. Costs more
 * than racing and gives a guarantee for it. O(methods) a cell.
 */
export function eliminationSearch(size: SearchSize, { confidence = 0.95, indifference = 0 }: EliminationOptions = {}): Search {
  // The proof takes items for a random sample: balanced categories would break that.
  const board = new Board({ ...size, categories: undefined })
  const { methods, items } = board
  const elimination = new Elimination(methods, items, 1 - confidence, indifference)
  let alive = Array.from({ length: methods }, (_, method) => method)
  let fresh = 0
  const lead = () =>
    Math.max(
      0,
      board.best((method) => board.mean(method)),
    )
  const drop = () => {
    fresh = 0
    const leader = lead()
    const { beaten } = elimination.proofOf(leader)
    const left = alive.filter((method) => !beaten.has(method))
    // Whoever was dropped for another leader stays so: each proof stands by itself.
    if (left.length > 0) alive = left
  }
  return {
    id: 'elimination',
    next(count) {
      if (fresh >= alive.length) drop()
      const cells: Cell[] = []
      while (cells.length < count) {
        const behind = board.best((method) => (alive.includes(method) && board.left(method) > 0 ? board.left(method) : -Infinity))
        const cell = alive.length > 1 && behind >= 0 ? board.take(behind) : undefined
        if (!cell) break
        elimination.asked(cell.item)
        cells.push(cell)
      }
      return cells
    },
    observe(cell, score) {
      board.observe(cell, score)
      elimination.observe(cell.method, cell.item, score)
      fresh += 1
    },
    forget: (cell) => board.forget(cell),
    leader() {
      const means = board.means()
      const method = Math.max(
        0,
        board.best((other) => (alive.includes(other) ? (means[other] ?? NaN) : NaN)),
      )
      return { method, means, probability: null }
    },
  }
}
