/** A value seen at a place, and how much it counts (1 when absent). */
export interface WeightedPoint {
  readonly x: number
  readonly y: number
  readonly weight?: number | undefined
}

/** A function that never falls: straight between its knots, constant outside. Plain data, `x` ascending, `y` never falling. */
export interface MonotoneCurve {
  readonly x: readonly number[]
  readonly y: readonly number[]
}

/**
 * The never falling sequence that is nearest to the values in weighted squares (pool adjacent violators; Ayer et al. 1955, Barlow et
 * al. 1972). Values of weight 0 take their neighbours' place. O(n).
 */
export function poolAdjacent(values: readonly number[], weights: readonly number[]): number[] {
  const blocks: { sum: number; weight: number; length: number }[] = []
  values.forEach((value, index) => {
    const weight = Math.max(weights[index] ?? 1, 1e-9)
    let block = { sum: value * weight, weight, length: 1 }
    for (let last = blocks.at(-1); last !== undefined && last.sum / last.weight >= block.sum / block.weight; last = blocks.at(-1)) {
      blocks.pop()
      block = { sum: last.sum + block.sum, weight: last.weight + block.weight, length: last.length + block.length }
    }
    blocks.push(block)
  })
  return blocks.flatMap(({ sum, weight, length }) => new Array<number>(length).fill(sum / weight))
}

/**
 * The never falling curve nearest to the points in weighted squares; a knot is the mean place and value of points that had to be pooled.
 * Throws `RangeError` for no points, numbers that aren't finite and weights below 0. O(n log n).
 */
export function fitIsotonic(points: readonly WeightedPoint[]): MonotoneCurve {
  for (const { x, y, weight = 1 } of points)
    if (!Number.isFinite(x) || !Number.isFinite(y) || !(weight >= 0 && weight < Infinity))
      throw new RangeError('an isotonic fit needs finite points and weights of at least 0')
  const sorted = points.filter(({ weight = 1 }) => weight > 0).sort((a, b) => a.x - b.x)
  if (sorted.length === 0) throw new RangeError('an isotonic fit needs at least one point')
  // Points at the same place are one value.
  const merged: { x: number; y: number; weight: number }[] = []
  for (const { x, y, weight = 1 } of sorted) {
    const last = merged.at(-1)
    if (last?.x !== x) merged.push({ x, y, weight })
    else merged[merged.length - 1] = { x, y: (last.y * last.weight + y * weight) / (last.weight + weight), weight: last.weight + weight }
  }
  const fitted = poolAdjacent(
    merged.map(({ y }) => y),
    merged.map(({ weight }) => weight),
  )
  const knots: { x: number; y: number; weight: number }[] = []
  merged.forEach(({ x, weight }, index) => {
    const y = fitted[index] ?? 0
    const last = knots.at(-1)
    if (last?.y !== y) knots.push({ x, y, weight })
    else knots[knots.length - 1] = { x: (last.x * last.weight + x * weight) / (last.weight + weight), y, weight: last.weight + weight }
  })
  return { x: knots.map(({ x }) => x), y: knots.map(({ y }) => y) }
}

/** The curve's value at a place; `NaN` of a curve without knots. O(log knots). */
export function curveAt({ x, y }: MonotoneCurve, place: number): number {
  let [low, high] = [0, x.length - 1]
  if (high < 0 || Number.isNaN(place)) return NaN
  if (place <= (x[0] ?? 0)) return y[0] ?? NaN
  if (place >= (x[high] ?? 0)) return y[high] ?? NaN
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((x[middle] ?? 0) <= place) low = middle
    else high = middle
  }
  const [left, right, below, above] = [x[low] ?? 0, x[high] ?? 0, y[low] ?? 0, y[high] ?? 0]
  return below + ((above - below) * (place - left)) / (right - left)
}
