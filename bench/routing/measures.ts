import { pairMeasures, type PairMeasures } from '../../src/evaluation/index.js'
import { seededRandom } from '../../src/statistics/index.js'
import type { Estimate } from '../report.js'

const resamples = 300

/** APGR and CPT of an order of rows, with bootstrap intervals over rows. */
export function pairEstimates(gains: Float64Array, order: Uint32Array, seed: number): Readonly<Record<keyof PairMeasures, Estimate>> {
  const value = pairMeasures(gains, order)
  const drawn = bootstrapCounts(gains.length, seed).map((counts) => pairMeasures(gains, order, counts))
  const of = (key: keyof PairMeasures) =>
    estimate(
      value[key],
      drawn.map((one) => one[key]),
      gains.length,
    )
  return { apgr: of('apgr'), cpt50: of('cpt50'), cpt80: of('cpt80') }
}

/** What a rule gave and took on each row at one trade-off. */
export interface Point {
  readonly quality: Float64Array
  readonly usd: Float64Array
}

export interface CurveMeasures {
  /** Mean quality between no and the reference's mean cost, of the best mixture of trade-offs. */
  readonly area: number
  /** Best mean quality at no more than the reference's cost. */
  readonly qualityAtCost: number
  /** One less the least cost at no less than the reference's quality, by the reference's cost; NaN where that quality isn't reached. */
  readonly saving: number
  /** The same at a quality that is 0.01, and 0.03, less. */
  readonly savingAt1: number
  readonly savingAt3: number
}

/**
 * Of trade-offs' points the curve of their best mixtures (each request drawn to one of two trade-offs), against the reference: the arm that is best on
 * the rows. Bootstrap over rows, all trade-offs and the reference on the same draws.
 */
export function curveEstimates(points: readonly Point[], reference: Point, seed: number): Readonly<Record<keyof CurveMeasures, Estimate>> {
  const measure = (counts?: Uint16Array): CurveMeasures => {
    const best = meansOf(reference, counts)
    const curve = hull(points.map((point) => meansOf(point, counts)))
    const saved = (less: number) => 1 - costAt(curve, best.quality - less) / best.usd
    return {
      area: areaUpTo(curve, best.usd),
      qualityAtCost: qualityAt(curve, best.usd),
      saving: saved(0),
      savingAt1: saved(0.01),
      savingAt3: saved(0.03),
    }
  }
  const value = measure()
  const drawn = bootstrapCounts(reference.quality.length, seed).map(measure)
  const of = (key: keyof CurveMeasures) =>
    estimate(
      value[key],
      drawn.map((one) => one[key]),
      reference.quality.length,
    )
  return {
    area: of('area'),
    qualityAtCost: of('qualityAtCost'),
    saving: of('saving'),
    savingAt1: of('savingAt1'),
    savingAt3: of('savingAt3'),
  }
}

/** A rule against the reference on the same rows: difference of mean qualities, and the share of its cost saved. */
export function pairedEstimates(
  point: Point,
  reference: Point,
  seed: number,
): { readonly quality: Estimate; readonly difference: Estimate; readonly saving: Estimate } {
  const measure = (counts?: Uint16Array) => {
    const [own, other] = [meansOf(point, counts), meansOf(reference, counts)]
    return { quality: own.quality, difference: own.quality - other.quality, saving: 1 - own.usd / other.usd }
  }
  const value = measure()
  const drawn = bootstrapCounts(reference.quality.length, seed).map(measure)
  const of = (key: 'quality' | 'difference' | 'saving') =>
    estimate(
      value[key],
      drawn.map((one) => one[key]),
      reference.quality.length,
    )
  return { quality: of('quality'), difference: of('difference'), saving: of('saving') }
}

interface Mean {
  readonly usd: number
  readonly quality: number
}

export function meansOf({ quality, usd }: Point, counts?: Uint16Array): Mean {
  let [sum, cost, rows] = [0, 0, 0]
  for (let row = 0; row < quality.length; row++) {
    const count = counts?.[row] ?? 1
    sum += count * (quality[row] ?? 0)
    cost += count * (usd[row] ?? 0)
    rows += count
  }
  return { quality: sum / rows, usd: cost / rows }
}

/** The upper concave hull by rising cost, up to its highest quality. */
function hull(means: readonly Mean[]): readonly Mean[] {
  const sorted = [...means].sort((a, b) => a.usd - b.usd || b.quality - a.quality)
  const out: Mean[] = []
  for (const next of sorted) {
    if (out.length > 0 && next.quality <= (out.at(-1)?.quality ?? -1)) continue
    while (out.length > 1) {
      const [before, last] = [out[out.length - 2] as Mean, out[out.length - 1] as Mean]
      if ((last.quality - before.quality) * (next.usd - before.usd) >= (next.quality - before.quality) * (last.usd - before.usd)) break
      out.pop()
    }
    out.push(next)
  }
  return out
}

function qualityAt(curve: readonly Mean[], usd: number): number {
  let value = NaN
  curve.forEach((point, at) => {
    const next = curve[at + 1]
    if (point.usd > usd) return
    value =
      next === undefined || next.usd <= usd
        ? point.quality
        : point.quality + ((next.quality - point.quality) * (usd - point.usd)) / (next.usd - point.usd)
  })
  return value
}

function costAt(curve: readonly Mean[], quality: number): number {
  for (const [at, point] of curve.entries()) {
    if (point.quality < quality) continue
    const before = curve[at - 1]
    return before === undefined
      ? point.usd
      : before.usd + ((point.usd - before.usd) * (quality - before.quality)) / (point.quality - before.quality)
  }
  return NaN
}

/** Mean of the curve's quality over costs in [its least, most], by 200 steps. */
function areaUpTo(curve: readonly Mean[], most: number): number {
  const least = curve[0]?.usd ?? 0
  if (!(most > least)) return qualityAt(curve, Math.max(most, least))
  let sum = 0
  for (let step = 0; step < 200; step++) sum += qualityAt(curve, least + ((step + 0.5) * (most - least)) / 200)
  return sum / 200
}

function bootstrapCounts(rows: number, seed: number): Uint16Array[] {
  const random = seededRandom(seed)
  return Array.from({ length: resamples }, () => {
    const counts = new Uint16Array(rows)
    for (let draw = 0; draw < rows; draw++) {
      const row = Math.floor(random.next() * rows)
      counts[row] = (counts[row] ?? 0) + 1
    }
    return counts
  })
}

function estimate(value: number, drawn: readonly number[], n: number): Estimate {
  const sorted = drawn.filter(Number.isFinite).sort((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN
  return { value, low: at(0.025), high: at(0.975), n, method: `bootstrap over rows, ${sorted.length} of ${resamples} draws, 95 %` }
}
