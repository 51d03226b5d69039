/** Seconds that a call of nothing known is taken to last. */
const UNKNOWN_SECONDS = 2
/** Observations that the overall mean counts for, where a method or an item has few of its own. */
const PRIOR = 2

interface Sum {
  count: number
  total: number
}

/**
 * How long a cell will take, from those before: seconds(method, item) = overall × method's ratio × item's ratio, each ratio shrunk to 1
 * while little is known of it. For deciding who goes first, no more. O(1) a call.
 */
export class Durations {
  private readonly overall: Sum = { count: 0, total: 0 }
  private readonly methods = new Map<number, Sum>()
  private readonly items = new Map<number, Sum>()

  /** Seconds. */
  expected(method: number, item: number): number {
    return this.base * ratio(this.methods.get(method)) * ratio(this.items.get(item))
  }

  /** Throws `RangeError` for what is no duration. */
  observe(method: number, item: number, seconds: number): void {
    if (!(seconds >= 0 && seconds < Infinity)) throw new RangeError(`not a duration: ${seconds} s`)
    this.overall.count += 1
    this.overall.total += seconds
    const base = Math.max(1e-9, this.base)
    const byMethod = add(this.methods, method, seconds / base)
    add(this.items, item, seconds / Math.max(1e-9, base * ratio(byMethod)))
  }

  private get base(): number {
    return this.overall.count === 0 ? UNKNOWN_SECONDS : this.overall.total / this.overall.count
  }
}

function add(sums: Map<number, Sum>, key: number, value: number): Sum {
  const sum = sums.get(key) ?? { count: 0, total: 0 }
  sum.count += 1
  sum.total += value
  sums.set(key, sum)
  return sum
}

function ratio(sum: Sum | undefined): number {
  return sum === undefined ? 1 : (sum.total + PRIOR) / (sum.count + PRIOR)
}
