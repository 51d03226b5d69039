/**
 * Regression trees with a vector in each leaf (one number an arm), on features put into bins: what gradient boosting fits to its residuals.
 */

/** Features of many requests by bin: `bins[feature × rows + row]`. */
export interface Binned {
  readonly rows: number
  readonly features: number
  readonly bins: Uint8Array
}

/** Of each row and arm the residual that is to be explained and its weight; weight 0 where there is no outcome. `[row × arms + arm]`. */
export interface Residuals {
  readonly arms: number
  readonly values: Float64Array
  readonly weights: Float32Array
}

export interface GrowOptions {
  readonly depth: number
  /** Least weight of outcomes in a leaf, all arms together. */
  readonly leastWeight: number
  /** What is added to the weight when a leaf's mean is taken (L2). */
  readonly penalty: number
  /** The features that may be split. */
  readonly candidates: readonly number[]
}

/**
 * Nodes in a row: a split has its feature, the last bin that goes left, and where its children stand (`children`, `children + 1`); a leaf has
 * feature −1 and its vector at `leaf × arms` of `leaves`.
 */
export interface Tree {
  readonly nodes: Int32Array
  readonly leaves: Float32Array
}

const mostBins = 32
const fieldsOfNode = 3

/**
 * Grows a tree on the given rows: each split is the one with the largest fall of the squared error summed over arms, each leaf the residuals' mean
 * shrunk by the penalty. O(depth × rows × candidates × arms).
 */
export function growTree(data: Binned, residuals: Residuals, rows: Uint32Array, options: GrowOptions): Tree {
  const nodes: number[] = []
  const leaves: number[] = []
  const { arms } = residuals
  const sums = new Float64Array(mostBins * arms)
  const weights = new Float64Array(mostBins * arms)

  function grow(node: number, inside: Uint32Array, depth: number): void {
    const split = depth < options.depth ? bestSplit(inside) : null
    if (split === null) {
      nodes.splice(node * fieldsOfNode, fieldsOfNode, -1, leaves.length / arms, 0)
      leaves.push(...meanOf(inside))
      return
    }
    const { feature, bin } = split
    const goesLeft = (row: number) => (data.bins[feature * data.rows + row] ?? 0) <= bin
    const left = nodes.length / fieldsOfNode
    nodes.splice(node * fieldsOfNode, fieldsOfNode, feature, bin, left)
    nodes.push(0, 0, 0, 0, 0, 0)
    grow(left, inside.filter(goesLeft), depth + 1)
    grow(
      left + 1,
      inside.filter((row) => !goesLeft(row)),
      depth + 1,
    )
  }

  function meanOf(inside: Uint32Array): number[] {
    return Array.from({ length: arms }, (_, arm) => {
      let sum = 0
      let weight = 0
      for (const row of inside) {
        const at = row * arms + arm
        sum += (residuals.weights[at] ?? 0) * (residuals.values[at] ?? 0)
        weight += residuals.weights[at] ?? 0
      }
      return sum / (weight + options.penalty)
    })
  }

  function bestSplit(inside: Uint32Array): { feature: number; bin: number } | null {
    let best: { feature: number; bin: number } | null = null
    let most = 1e-9
    for (const feature of options.candidates) {
      sums.fill(0)
      weights.fill(0)
      for (const row of inside) {
        const cell = (data.bins[feature * data.rows + row] ?? 0) * arms
        for (let arm = 0; arm < arms; arm++) {
          const weight = residuals.weights[row * arms + arm] ?? 0
          sums[cell + arm] = (sums[cell + arm] ?? 0) + weight * (residuals.values[row * arms + arm] ?? 0)
          weights[cell + arm] = (weights[cell + arm] ?? 0) + weight
        }
      }
      const whole = totals()
      const left = { sum: new Float64Array(arms), weight: new Float64Array(arms) }
      const before = gainOf(whole.sum, whole.weight)
      for (let bin = 0; bin < mostBins - 1; bin++) {
        let leftWeight = 0
        let rightWeight = 0
        let gain = -before
        for (let arm = 0; arm < arms; arm++) {
          const sum = (left.sum[arm] = (left.sum[arm] ?? 0) + (sums[bin * arms + arm] ?? 0))
          const weight = (left.weight[arm] = (left.weight[arm] ?? 0) + (weights[bin * arms + arm] ?? 0))
          const restSum = (whole.sum[arm] ?? 0) - sum
          const restWeight = (whole.weight[arm] ?? 0) - weight
          leftWeight += weight
          rightWeight += restWeight
          gain += (sum * sum) / (weight + options.penalty) + (restSum * restSum) / (restWeight + options.penalty)
        }
        if (leftWeight >= options.leastWeight && rightWeight >= options.leastWeight && gain > most) {
          most = gain
          best = { feature, bin }
        }
      }
    }
    return best
  }

  function totals(): { sum: Float64Array; weight: Float64Array } {
    const sum = new Float64Array(arms)
    const weight = new Float64Array(arms)
    for (let at = 0; at < sums.length; at++) {
      sum[at % arms] = (sum[at % arms] ?? 0) + (sums[at] ?? 0)
      weight[at % arms] = (weight[at % arms] ?? 0) + (weights[at] ?? 0)
    }
    return { sum, weight }
  }

  function gainOf(sum: Float64Array, weight: Float64Array): number {
    return sum.reduce((gain, value, arm) => gain + (value * value) / ((weight[arm] ?? 0) + options.penalty), 0)
  }

  nodes.push(0, 0, 0)
  grow(0, rows, 0)
  return { nodes: Int32Array.from(nodes), leaves: Float32Array.from(leaves) }
}

/** Where a row's leaf begins in `leaves`, divided by the number of arms. O(depth). */
export function leafOf({ nodes }: Tree, binOf: (feature: number) => number): number {
  let node = 0
  for (;;) {
    const feature = nodes[node * fieldsOfNode] ?? -1
    const second = nodes[node * fieldsOfNode + 1] ?? 0
    if (feature < 0) return second
    node = (nodes[node * fieldsOfNode + 2] ?? 0) + (binOf(feature) <= second ? 0 : 1)
  }
}

/** Ascending values at which bins begin: at most 31, about equally many of the sample between each two. O(n log n). */
export function binEdges(values: Float64Array): Float64Array {
  const sorted = values.slice().sort()
  const edges = new Set<number>()
  for (let bin = 1; bin < mostBins; bin++) edges.add(sorted[Math.floor((bin * sorted.length) / mostBins)] ?? 0)
  edges.delete(sorted[0] ?? 0)
  return Float64Array.from(edges)
}

/** Bin of a value: how many edges it reaches. */
export function binOf(edges: Float64Array, value: number): number {
  let bin = 0
  while (bin < edges.length && value >= (edges[bin] ?? 0)) bin++
  return bin
}
