import { normalDraw } from '../../statistics/index.js'
import { Board, type Cell, type Leader, type Search, type SearchSize } from './search.js'

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

/** Successive halving: rounds of equal budgets, after each of which the worse half goes (Karnin, Koren and Somekh 2013). `cells`: the whole budget. */
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

/**
 * Bayesian racing: top-two Thompson sampling (Russo 2016; the challenger as in Shang et al. 2020) over the means of the *whole* test set. A method's mean is normal about what was seen, shrunk
 * to all methods' mean by their spread, with variance σ²(1/k - 1/n): the items are a finite set, so a method that was scored on all of them is known
 * exactly, and nothing is spent on it any more. It tells how probable the leader is the best, so a search can stop there. O(methods) a draw.
 */
export function bayesianRacing(size: SearchSize, { warmUp = 5, draws = 400 }: { readonly warmUp?: number; readonly draws?: number } = {}): Search {
  const { random } = size
  const board = new Board(size)
  const given = new Int32Array(board.methods)
  let posterior = posteriorOf(board)
  let fresh = 0
  const draw = () => posterior.map(({ mean, deviation }) => mean + deviation * normalDraw(random))
  const argmax = (values: readonly number[]) => board.best((method) => values[method] ?? -Infinity)
  const pick = (): number => {
    const least = board.best((method) => (board.left(method) === 0 ? -Infinity : -(given[method] ?? 0)))
    if (least < 0 || (given[least] ?? 0) < Math.min(warmUp, board.items)) return least
    if (fresh > 0) [posterior, fresh] = [posteriorOf(board), 0]
    const first = argmax(draw())
    const wanted = random.next() < 0.5 ? first : challenger(first)
    if (board.left(wanted) > 0) return wanted
    // It is known exactly already; whoever may still beat it is not.
    const other = argmax(draw().map((value, method) => (board.left(method) === 0 ? -Infinity : value)))
    return other >= 0 ? other : least
  }
  /** Whom the first is hardest to tell from: the least (μ₁ - μ₂)² / (σ₁² + σ₂²) (T3C; Shang et al. 2020). */
  const challenger = (first: number): number => {
    const leader = posterior[first]
    const closest = board.best((method) => {
      const other = posterior[method]
      if (method === first || !leader || !other) return -Infinity
      const variance = leader.deviation ** 2 + other.deviation ** 2
      return variance === 0 ? -Number.MAX_VALUE : -(Math.max(0, leader.mean - other.mean) ** 2) / variance
    })
    return closest < 0 ? first : closest
  }
  const search = over('racing', board, () => {
    const method = pick()
    if (method >= 0) given[method] = (given[method] ?? 0) + 1
    return method
  })
  return {
    ...search,
    observe(cell, score) {
      search.observe(cell, score)
      fresh += 1
    },
    leader() {
      posterior = posteriorOf(board)
      const means = posterior.map(({ mean }) => mean)
      const method = Math.max(0, argmax(means))
      let wins = 0
      for (let index = 0; index < draws; index++) if (argmax(draw()) === method) wins += 1
      return { method, means, probability: wins / draws }
    },
  }
}

interface Normal {
  readonly mean: number
  readonly deviation: number
}

/** Normal beliefs about each method's mean over all items, shrunk by how much methods differ (empirical Bayes). */
function posteriorOf(board: Board): Normal[] {
  let within = 0
  let freedom = 0
  for (let method = 0; method < board.methods; method++) {
    const count = board.counts[method] ?? 0
    if (count < 2) continue
    within += (board.squares[method] ?? 0) - count * board.mean(method) ** 2
    freedom += count - 1
  }
  // Scores lie in [0, 1] as a rule; before two of a method were seen nothing better is known of their spread.
  const pooled = freedom > 0 ? Math.max(1e-9, within / freedom) : 0.25
  const seen = board.means().filter((mean) => Number.isFinite(mean))
  const centre = seen.length > 0 ? seen.reduce((sum, mean) => sum + mean, 0) / seen.length : 0.5
  const spread = seen.length > 1 ? seen.reduce((sum, mean) => sum + (mean - centre) ** 2, 0) / (seen.length - 1) : 0.25
  return Array.from({ length: board.methods }, (_, method) => {
    const count = board.counts[method] ?? 0
    if (count === 0) return { mean: centre, deviation: Math.sqrt(spread + pooled / board.items) }
    // A method's own spread, shrunk to that of all: best and worst methods vary less, since scores end at 0 and 1.
    const own = ((board.squares[method] ?? 0) - count * board.mean(method) ** 2 + 10 * pooled) / (count - 1 + 10)
    const noise = Math.max(0, own) * (1 / count - 1 / board.items)
    const trust = spread / (spread + noise)
    return { mean: centre + trust * (board.mean(method) - centre), deviation: Math.sqrt(trust * noise) }
  })
}

/** A search that picks one method after the other. */
function over(id: string, board: Board, pick: () => number): Search {
  return {
    id,
    next(count) {
      const cells: Cell[] = []
      while (cells.length < count) {
        const method = pick()
        const cell = method < 0 ? undefined : board.take(method)
        if (!cell) break
        cells.push(cell)
      }
      return cells
    },
    observe: (cell, score) => board.observe(cell, score),
    forget: (cell) => board.forget(cell),
    leader(): Leader {
      const means = board.means()
      return { method: Math.max(0, board.best((method) => means[method] ?? NaN)), means, probability: null }
    },
  }
}
