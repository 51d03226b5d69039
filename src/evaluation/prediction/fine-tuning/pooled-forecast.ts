import { InvalidRequest } from '../../../errors/index.js'
import { mean, quantile, type Interval } from '../../../statistics/index.js'
import { ridgeWeights } from '../fitting/symmetric.js'
import { acceptThenStop } from './accept-then-stop.js'
import { curvePoints, type LossCurve, type LossPoint } from './loss-curve.js'

export interface PooledOptions {
  /** So many of the largest subsets tell the curvature. 8 unless told otherwise (ours). */
  readonly window?: number
  /** Over so many e-foldings of D beyond the largest subset the curvature dies away: 1 unless told otherwise (ours). */
  readonly horizon?: number
  readonly level?: number
}

export interface ModelForecast {
  readonly model: string
  /** Loss at the target. */
  readonly loss: Interval
  /** What the Accept-then-Stop line alone says. */
  readonly acceptThenStop: number
  /** The least predicted loss is 1. */
  readonly rank: number
}

/**
 * What each model's loss will be after fine-tuning on `target` examples, from measured subsets of all models on one task, best first.
 * The forecast is the geometric mean of two: the Accept-then-Stop line (089), and a curve ln L = a + b·u + c·u² through the largest
 * subsets (u = ln D − ln D_max) whose bend c is shrunk to that of the model's family and of all models, by empirical Bayes; beyond
 * D_max the bend dies away. The bend tells which models are still in their slow phase, which a line of few points can't, and one
 * model's points alone tell too noisily. This combination is ours; `npm run bench:prediction` holds it against the published figures.
 * Window and horizon were set while looking at the same three tasks.
 *
 * Intervals: every model's largest subsets are hidden and forecast from the rest; the quantile of their errors in log loss, by the
 * square of the e-foldings of D (what a wrong bend misses by grows so), is carried to the target. Fewer errors than the level needs (19
 * for 95 %): 0 to infinity. Throws `InvalidRequest` for no curves, curves of fewer than 3 points and targets not above 0. O(models ×
 * points³).
 */
export function forecastLosses(
  curves: readonly LossCurve[],
  target: number,
  { window = 8, horizon = 1, level = 0.95 }: PooledOptions = {},
): readonly ModelForecast[] {
  if (curves.length === 0)
    throw new InvalidRequest('There are no curves; measured losses of at least one model were expected.', { path: 'curves' })
  if (!(target > 0 && target < Infinity))
    throw new InvalidRequest(`The target is ${target}; a number of training examples above 0 was expected.`, { path: 'target' })
  const sorted = curves.map(({ model, family, points }, at) => ({ model, family, points: curvePoints(points, 3, `curves[${at}].points`) }))
  const settings = { window, horizon }
  const logs = pooledLogs(sorted, target, settings)
  const misses = scaledMisses(sorted, settings)
  // The share that a new error among these lies below: (n + 1)/n makes up for the one to come, as in split conformal prediction. Where
  // that is more than all of them, the largest is no bound of this level.
  const wanted = (level * (misses.length + 1)) / misses.length
  const reach = misses.length < 5 || wanted > 1 ? Infinity : quantile(misses, wanted)
  const forecasts = sorted.map(({ model, points }, at): Omit<ModelForecast, 'rank'> => {
    const folded = Math.max(1, Math.log(target / (points.at(-1)?.examples ?? 1)) ** 2)
    const { log, line } = logs[at] ?? { log: NaN, line: NaN }
    const width = reach * folded
    return {
      model,
      loss: {
        value: Math.exp(log),
        low: Math.exp(log - width),
        high: Math.exp(log + width),
        n: points.length,
        method: `hidden subsets of all models (${misses.length} errors), ${Math.round(level * 100)} %`,
      },
      acceptThenStop: Math.exp(line),
    }
  })
  return [...forecasts].sort((a, b) => a.loss.value - b.loss.value).map((forecast, at) => ({ ...forecast, rank: at + 1 }))
}

type Settings = Required<Pick<PooledOptions, 'window' | 'horizon'>>

/** ln of the forecast loss at the target, and that of the line alone, for each curve. */
function pooledLogs(
  curves: readonly LossCurve[],
  target: number,
  { window, horizon }: Settings,
): readonly { readonly log: number; readonly line: number }[] {
  const windows = curves.map(({ points }) => placesOf(points.slice(-window)))
  const bends = shrunkBends(curves, windows)
  return curves.map(({ points }, at) => {
    const { slope, intercept } = acceptThenStop(points)
    const lineLog = intercept + slope * Math.log(target)
    const places = windows[at] ?? []
    const bend = bends[at]
    if (bend === undefined) return { log: lineLog, line: lineLog }
    const [a = 0, b = 0] = ridgeWeights(
      places.map(({ u }) => [1, u]),
      places.map(({ u, y }) => y - bend * u * u),
      [0, 0],
    )
    const ahead = Math.log(target / (points.at(-1)?.examples ?? 1))
    // The slope's change of 2c by each e-folding dies away as e^{−u/h}; this is its double integral. Within the measured range the
    // parabola itself.
    const curved = ahead > 0 ? 2 * bend * horizon * (ahead - horizon * (1 - Math.exp(-ahead / horizon))) : bend * ahead * ahead
    return { log: (a + b * ahead + curved + lineLog) / 2, line: lineLog }
  })
}

interface Place {
  /** ln D − ln D_max, at most 0. */
  readonly u: number
  readonly y: number
}

function placesOf(points: readonly LossPoint[]): readonly Place[] {
  const last = Math.log(points.at(-1)?.examples ?? 1)
  return points.map(({ examples, loss }) => ({ u: Math.log(examples) - last, y: Math.log(loss) }))
}

/**
 * The bend of each curve's parabola, shrunk to its family's mean, itself shrunk to the mean of all, each by how much more they differ
 * than noise makes them. `undefined` for curves of fewer than 4 points, which have no noise to tell by.
 */
function shrunkBends(curves: readonly LossCurve[], windows: readonly (readonly Place[])[]): readonly (number | undefined)[] {
  const fits = windows.map((places) => (places.length < 4 ? undefined : parabola(places)))
  const known = fits.flatMap((fit, at) => (fit ? [{ ...fit, at, family: curves[at]?.family ?? `model ${curves[at]?.model ?? at}` }] : []))
  if (known.length === 0) return fits.map(() => undefined)
  const freedom = known.reduce((sum, fit) => sum + fit.freedom, 0)
  const noise = known.reduce((sum, { squares }) => sum + squares, 0) / freedom
  const groups = [...new Set(known.map(({ family }) => family))].map((name) => known.filter(({ family }) => family === name))
  const all = mean(known.map(({ bend }) => bend))
  const within = mean(groups.map((group) => variance(group.map(({ bend }) => bend))))
  const between = variance(groups.map((group) => mean(group.map(({ bend }) => bend))))
  const centres = new Map(
    groups.flatMap((group) => {
      const share = between + within === 0 ? 0 : between / (between + within / group.length)
      const centre = all + share * (mean(group.map(({ bend }) => bend)) - all)
      return group.map(({ at }): [number, number] => [at, centre])
    }),
  )
  const ofBend = mean(known.map(({ leverage }) => leverage)) * noise
  const scatter = mean(known.map(({ bend, at }) => (bend - (centres.get(at) ?? all)) ** 2))
  const own = scatter === 0 ? 0 : Math.max(0, scatter - ofBend) / Math.max(scatter, ofBend)
  return fits.map((fit, at) => {
    const centre = centres.get(at) ?? all
    return fit && centre + own * (fit.bend - centre)
  })
}

function variance(values: readonly number[]): number {
  const centre = mean(values)
  return mean(values.map((value) => (value - centre) ** 2))
}

function parabola(places: readonly Place[]): {
  readonly bend: number
  readonly squares: number
  readonly freedom: number
  readonly leverage: number
} {
  const rows = places.map(({ u }) => [1, u, u * u])
  const weights = ridgeWeights(
    rows,
    places.map(({ y }) => y),
    [0, 0, 0],
  )
  const squares = rows.reduce(
    (sum, row, at) => sum + ((places[at]?.y ?? 0) - row.reduce((total, value, index) => total + value * (weights[index] ?? 0), 0)) ** 2,
    0,
  )
  // Variance of the bend by unit of noise: one over the squares of u² that 1 and u don't explain.
  const [p = 0, q = 0] = ridgeWeights(
    rows.map(([one = 1, u = 0]) => [one, u]),
    rows.map(([, , square = 0]) => square),
    [0, 0],
  )
  const unexplained = rows.reduce((sum, [, u = 0, square = 0]) => sum + (square - p - q * u) ** 2, 0)
  return { bend: weights[2] ?? 0, squares, freedom: places.length - 3, leverage: 1 / unexplained }
}

/**
 * |error| in log loss by squared e-folding of D, where up to half of each curve's subsets are hidden and forecast: all models are cut
 * alike, as they are for the target.
 */
function scaledMisses(curves: readonly LossCurve[], settings: Settings): readonly number[] {
  const misses: number[] = []
  const longest = Math.max(...curves.map(({ points }) => points.length))
  for (let hidden = 1; hidden <= Math.floor(longest / 2); hidden++) {
    const kept = curves.filter(({ points }) => points.length - hidden >= 3)
    const cut = kept.map((curve) => ({ ...curve, points: curve.points.slice(0, -hidden) }))
    for (const target of new Set(kept.flatMap(({ points }) => points.at(-1)?.examples ?? []))) {
      const logs = pooledLogs(cut, target, settings)
      for (const [at, { points }] of kept.entries()) {
        const last = points.at(-1)
        if (last?.examples !== target) continue
        const folded = Math.max(1, Math.log(target / (cut[at]?.points.at(-1)?.examples ?? 1)) ** 2)
        misses.push(Math.abs((logs[at]?.log ?? NaN) - Math.log(last.loss)) / folded)
      }
    }
  }
  return misses
}
