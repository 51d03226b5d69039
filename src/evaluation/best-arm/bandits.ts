import { Board, type Leader, type Search, type SearchSize } from './search.js'

/** Every method as often as every other: what the others are measured against. */
export function uniform(size: SearchSize): Search {
  const board = new Board(size)
  return over('uniform', board, () => board.best((method) => (board.left(method) === 0 ? -Infinity : board.left(method))))
}

/** UCB-E (074): the method of the largest mean + √(a / count); a = 1. Those never seen come first. */
export function ucbE(size: SearchSize, { a = 1 }: { readonly a?: number } = {}): Search {
  const board = new Board(size)
  const given = new Int32Array(board.methods)
  return over('ucb-e', board, () => {
    const method = board.best((candidate) => {
      if (board.left(candidate) === 0) return -Infinity
      // What is under way counts as seen: else a batch would be of one method.
      const count = given[candidate] ?? 0
      return count === 0 ? Number.MAX_VALUE : (board.counts[candidate] ? board.mean(candidate) : 0) + Math.sqrt(a / count)
    })
    if (method >= 0) given[method] = (given[method] ?? 0) + 1
    return method
  })
}

/**
 * Successive halving: rounds of equal budgets, after each of which the worse half goes (Karnin, Koren and Somekh 2013). `cells`: the
 * whole budget.
 */
export function successiveHalving(size: SearchSize, { cells }: { readonly cells: number }): Search {
  const board = new Board(size)
  const rounds = Math.max(1, Math.ceil(Math.log2(board.methods)))
  let alive = Array.from({ length: board.methods }, (_, method) => method)
  let given = 0
  let round = 1
  return over('successive-halving', board, () => {
    if (round < rounds && given >= (round * cells) / rounds) {
      alive = [...alive].sort((a, b) => (board.mean(b) || 0) - (board.mean(a) || 0)).slice(0, Math.max(1, Math.ceil(alive.length / 2)))
      round += 1
    }
    given += 1
    const fewest = alive.filter((method) => board.left(method) > 0).sort((a, b) => board.left(b) - board.left(a))[0]
    return fewest ?? board.best((method) => (board.left(method) === 0 ? -Infinity : board.mean(method) || 0))
  })
}

/** A search that picks one method after the other. */
function over(id: string, board: Board, pick: () => number): Search {
  return {
    id,
    next: (count) => board.takePicked(count, pick),
    observe: (cell, score) => board.observe(cell, score),
    forget: (cell) => void board.forget(cell),
    leader(): Leader {
      const means = board.means()
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
