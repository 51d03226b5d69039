import type { Random } from '../../statistics/index.js'

/** A system as a point: what it costs (lower is better) and how good it is (higher is better). */
export interface CostQuality {
  readonly cost: number
  readonly quality: number
}

/** The points that no other beats in both, by rising cost. Of equal ones the first stays. O(n log n). */
export function paretoFront<Point extends CostQuality>(points: readonly Point[]): Point[] {
  const front: Point[] = []
  for (const point of [...points].sort((a, b) => a.cost - b.cost || b.quality - a.quality))
    if (front.length === 0 || point.quality > (front.at(-1)?.quality ?? 0)) front.push(point)
  return front
}

/**
 * Hypervolume: the area that the front dominates, up to a reference point of greatest cost and least quality (122). Adding a point that
 * dominates another never lowers it. Points beyond the reference count nothing. O(n log n).
 */
export function hypervolume(points: readonly CostQuality[], reference: CostQuality): number {
  const front = paretoFront(points.filter(({ cost, quality }) => cost < reference.cost && quality > reference.quality))
  return front.reduce(
    (area, { cost, quality }, index) => area + ((front[index + 1]?.cost ?? reference.cost) - cost) * (quality - reference.quality),
    0,
  )
}

/**
 * The best that random mixtures of the systems reach at each cost: the upper convex hull of the front, with the dearest's quality kept
 * beyond it (RouterBench calls it the non-decreasing convex hull). Points by rising cost. O(n log n).
 */
export function mixtureHull(points: readonly CostQuality[]): CostQuality[] {
  const hull: CostQuality[] = []
  for (const point of paretoFront(points)) {
    for (;;) {
      const [a, b] = [hull.at(-2), hull.at(-1)]
      if (!a || !b || (b.quality - a.quality) * (point.cost - b.cost) > (point.quality - b.quality) * (b.cost - a.cost)) break
      hull.pop()
    }
    hull.push(point)
  }
  return hull
}

/** Quality on the hull at a cost; `null` below the cheapest. */
export function qualityAtCost(hull: readonly CostQuality[], cost: number): number | null {
  const after = hull.findIndex((point) => point.cost > cost)
  const [a, b] = after === -1 ? [hull.at(-1), undefined] : [hull[after - 1], hull[after]]
  if (!a) return null
  return b ? a.quality + ((b.quality - a.quality) * (cost - a.cost)) / (b.cost - a.cost) : a.quality
}

/** Least cost on the hull at which a quality is reached; `null` where it isn't. */
export function costAtQuality(hull: readonly CostQuality[], quality: number): number | null {
  const index = hull.findIndex((point) => point.quality >= quality)
  const [a, b] = [hull[index - 1], hull[index]]
  if (!b) return null
  return a ? a.cost + ((b.cost - a.cost) * (quality - a.quality)) / (b.quality - a.quality) : b.cost
}

/**
 * Average improvement in quality: the mean quality of the hull over a range of costs (RouterBench, 2024). What lies below the cheapest
 * system counts as no quality. Throws `RangeError` for an empty range. O(n log n).
 */
export function averageQuality(points: readonly CostQuality[], from: number, to: number): number {
  if (!(to > from)) throw new RangeError('the range of costs is empty')
  const hull = mixtureHull(points)
  const places = [...new Set([from, to, ...hull.map(({ cost }) => cost).filter((cost) => cost > from && cost < to)])].sort((a, b) => a - b)
  let area = 0
  for (const [index, left] of places.entries()) {
    const right = places[index + 1]
    if (right === undefined) break
    const low = qualityAtCost(hull, left)
    area += low === null ? 0 : ((low + (qualityAtCost(hull, right) ?? low)) / 2) * (right - left)
  }
  return area / (to - from)
}

/**
 * How often each system stands on the front when the items are drawn anew (bootstrap over items): its confidence region. `table[i][j]`
 * is what system j gave and took on item i. O(draws × items × systems).
 */
export function frontMembership(table: readonly (readonly CostQuality[])[], random: Random, draws = 1_000): number[] {
  const systems = table[0]?.length ?? 0
  const times = new Array<number>(systems).fill(0)
  for (let draw = 0; draw < draws; draw++) {
    const points = Array.from({ length: systems }, (_, system) => ({ cost: 0, quality: 0, system }))
    for (let item = 0; item < table.length; item++) {
      const row = table[Math.floor(random.next() * table.length)] ?? []
      for (const [system, { cost, quality }] of row.entries()) {
        const point = points[system]
        if (!point) throw new RangeError('each item needs all systems')
        point.cost += cost
        point.quality += quality
      }
    }
    for (const { system } of paretoFront(points)) times[system] = (times[system] ?? 0) + 1
  }
  return times.map((count) => count / draws)
}

/**
 * Efficiency–quality area (131): the mean success rate over budgets, an episode that needed more than the budget counting as failed.
 * Shortening a successful episode never lowers it. `null` without episodes or budgets. O(episodes × budgets).
 */
export function efficiencyQualityArea(
  episodes: readonly { readonly used: number; readonly success: boolean }[],
  budgets: readonly number[],
): number | null {
  if (episodes.length === 0 || budgets.length === 0) return null
  const rates = budgets.map((budget) => episodes.filter(({ used, success }) => success && used <= budget).length / episodes.length)
  return rates.reduce((sum, rate) => sum + rate, 0) / budgets.length
}
