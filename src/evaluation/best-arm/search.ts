import { shuffled, type Random } from '../../statistics/index.js'

/** One method (model, prompt, configuration) on one item of a test set. */
export interface Cell {
  readonly method: number
  readonly item: number
}

/** How sure the leader is the best of all on the whole test set. */
export interface Leader {
  readonly method: number
  /** Estimated mean score of each method over all items; `NaN` for one never tried. */
  readonly means: readonly number[]
  /** Probability that it is the best, as far as the way of searching tells; `null` where it tells none. */
  readonly probability: number | null
}

/**
 * A way to find the best of m methods over n items by scoring few of the m × n cells. Ask for cells, score them in any order, tell the
 * scores, ask again. A cell that was given out isn't given out again until `forget` says that it could not be scored.
 */
export interface Search {
  readonly id: string
  /** At most `count` cells that are worth scoring next; fewer when fewer are left. */
  next(count: number): readonly Cell[]
  /** Throws `RangeError` for a score that isn't finite or a cell that wasn't asked for. */
  observe(cell: Cell, score: number): void
  /** The cell could not be scored: it may be given out again. */
  forget(cell: Cell): void
  leader(): Leader
}

export interface SearchSize {
  readonly methods: number
  readonly items: number
  readonly random: Random
  /**
   * Each item's category as a number from 0. Where they are known, items are asked so that at every moment all categories have their
   * share. Elimination doesn't look at it: its proof needs random items.
   */
  readonly categories?: ArrayLike<number> | undefined
}

/**
 * Scores seen so far, and which cells were given out. Items come in one random order for all methods, so that methods are compared on
 * the same ones. Five bytes a cell.
 */
export class Board {
  readonly scores: readonly Float32Array[]
  readonly counts: Int32Array
  readonly sums: Float64Array
  readonly squares: Float64Array
  private readonly given: readonly Uint8Array[]
  private readonly open: Int32Array
  private readonly cursor: Int32Array
  readonly order: Uint32Array

  constructor({ methods, items, random, categories }: SearchSize) {
    if (!(methods >= 1) || !(items >= 1)) throw new RangeError('a search needs a method and an item at least')
    this.scores = Array.from({ length: methods }, () => new Float32Array(items).fill(NaN))
    this.given = Array.from({ length: methods }, () => new Uint8Array(items))
    this.counts = new Int32Array(methods)
    this.sums = new Float64Array(methods)
    this.squares = new Float64Array(methods)
    this.open = new Int32Array(methods).fill(items)
    this.cursor = new Int32Array(methods)
    if (categories && categories.length !== items) throw new RangeError(`${categories.length} categories are given for ${items} items`)
    this.order = categories ? balanced(shuffled(items, random), categories, random) : shuffled(items, random)
  }

  get methods(): number {
    return this.counts.length
  }

  get items(): number {
    return this.order.length
  }

  /** Cells of a method that were neither scored nor given out. */
  left(method: number): number {
    return this.open[method] ?? 0
  }

  /** Gives out the method's next item in the common order; `undefined` when none is left. */
  take(method: number): Cell | undefined {
    if (this.left(method) === 0) return undefined
    const given = this.given[method]
    for (let place = this.cursor[method] ?? 0; given && place < this.items; place++) {
      const item = this.order[place] ?? 0
      if (given[item] === 1) continue
      this.cursor[method] = place + 1
      return this.give({ method, item })
    }
    return undefined
  }

  /** Gives out cells of one picked method after the other; fewer than `count` when the pick is -1 or has none left. */
  takePicked(count: number, pick: () => number, taken?: (method: number) => void): Cell[] {
    const cells: Cell[] = []
    while (cells.length < count) {
      const method = pick()
      const cell = method < 0 ? undefined : this.take(method)
      if (!cell) break
      taken?.(method)
      cells.push(cell)
    }
    return cells
  }

  /** Gives out this very cell; `undefined` when it was given out before. */
  takeCell(cell: Cell): Cell | undefined {
    return this.given[cell.method]?.[cell.item] === 0 ? this.give(cell) : undefined
  }

  observe({ method, item }: Cell, score: number): void {
    const row = this.scores[method]
    if (!row || this.given[method]?.[item] !== 1 || !Number.isNaN(row[item]))
      throw new RangeError(`cell ${method}, ${item} wasn't asked for, or has its score`)
    if (!Number.isFinite(score)) throw new RangeError(`a score is a finite number, not ${score}`)
    row[item] = score
    this.counts[method] = (this.counts[method] ?? 0) + 1
    this.sums[method] = (this.sums[method] ?? 0) + score
    this.squares[method] = (this.squares[method] ?? 0) + score * score
  }

  /** True when the cell was under way, and may now be given out again. */
  forget({ method, item }: Cell): boolean {
    const given = this.given[method]
    const row = this.scores[method]
    if (given?.[item] !== 1 || !row || !Number.isNaN(row[item])) return false
    given[item] = 0
    this.open[method] = this.left(method) + 1
    this.cursor[method] = 0
    return true
  }

  mean(method: number): number {
    return (this.sums[method] ?? 0) / (this.counts[method] ?? 0)
  }

  means(): number[] {
    return Array.from({ length: this.methods }, (_, method) => this.mean(method))
  }

  /** The method of the largest value; the first of equals; -1 where all are `NaN` or -Infinity. */
  best(valueOf: (method: number) => number): number {
    let best = -1
    let most = -Infinity
    for (let method = 0; method < this.methods; method++) {
      const value = valueOf(method)
      if (value > most) [best, most] = [method, value]
    }
    return best
  }

  private give(cell: Cell): Cell {
    const given = this.given[cell.method]
    if (given) given[cell.item] = 1
    this.open[cell.method] = this.left(cell.method) - 1
    return cell
  }
}

/**
 * The same items so that every stretch of the order has each category's share: the j-th of a category's k items stands at (j + a random
 * start) / k.
 */
function balanced(order: Uint32Array, categories: ArrayLike<number>, random: Random): Uint32Array {
  const size = new Map<number, number>()
  for (const item of order) size.set(categories[item] ?? 0, (size.get(categories[item] ?? 0) ?? 0) + 1)
  const next = new Map<number, number>()
  for (const category of [...size.keys()].sort((a, b) => a - b)) next.set(category, random.next())
  const place = new Float64Array(order.length)
  for (const item of order) {
    const category = categories[item] ?? 0
    const at = next.get(category) ?? 0
    place[item] = at / (size.get(category) ?? 1)
    next.set(category, at + 1)
  }
  return order.sort((a, b) => (place[a] ?? 0) - (place[b] ?? 0))
}
